"""`Trader`: a strategy at a seat of a market, or a person; what it decides, holds and has done."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import to_dict
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.seats import AgentSeat, SeatEnd
from hft_gym.live.policies import Player
from hft_gym.live.tenure import Tenure
from hft_gym.market import Market
from hft_gym.market.records import SUBUNITS
from hft_gym.types import OrderSide

__all__ = ["ADVERSE_NS", "Trader"]

ADVERSE_NS = 5_000_000_000
"""How long after a fill the mid's move counts as adverse selection, as in the report's attribution [ns]."""
_RECENT = 500


class Trader:
    """One participant of one market.

    Args:
        market: the market.
        participant: its number.
        player: who decides; None: a person, who sends orders by hand.
        interval: time between points of a person's path [ns].
    """

    def __init__(self, market: Market, participant: int, player: Player | None, interval: int) -> None:
        self.market, self.participant, self.player = market, participant, player
        self.interval = interval
        self.env: EnvConfig | None = None
        self.seat: AgentSeat | None = None
        if player is not None:
            self.env = player.env
            if market.feed is not None:  # its tick is its own
                own = replace(player.env.market, tick_size=market.config.tick_size)
                self.env = replace(player.env, market=own)
            self.interval, self.seat = self.env.step_ns, AgentSeat(market, participant, self.env)
            names = self.seat.observation_schema.names
            self._traded = [names.index("buy_volume"), names.index("sell_volume")]
        self.policy: Any = None
        self.memory: Any = None
        self.started = False
        self.warm = market.time
        """Market time up to which the seat knows of the warm-up [ns]."""
        self.due = -1
        """Market time of the next decision [ns]; -1: none is due any more."""
        self.tenure = Tenure("", "", market.symbol, participant, 0)
        self.peak = self.drawdown = 0.0
        self.spread_captured = self.adverse = 0.0
        self.fees_before = 0
        self._watched: deque[tuple[int, int, int]] = deque()
        self.recent: deque[dict[str, Any]] = deque(maxlen=_RECENT)

    @property
    def name(self) -> str:
        """What views and reports call it."""
        return self.tenure.name

    def begin(self) -> None:
        """Its time starts now: the first decision is due."""
        market, player = self.market, self.player
        account = market.account(self.participant)
        name, kind = ("human", "human") if player is None else (player.name, player.kind)
        self.tenure = Tenure(
            name, kind, market.symbol, self.participant, market.time, account.equity_units,
            {} if self.env is None else to_dict(self.env),
        )
        self.fees_before = account.fees_units
        self.peak = self.drawdown = self.spread_captured = self.adverse = 0.0
        self._watched.clear()
        self.memory, self.started = None, False
        self.due = market.time
        self._volume = 0
        if player is not None:
            assert self.seat is not None
            self.seat.measure()
            self.policy = player.policy(self.seat)
            self.seat.begin()
        self._held, _ = self._note()

    def end(self, why: str, mid: float) -> None:
        """It trades no more: its position has just been traded away, the mid before that was *mid* [ticks]."""
        self._note(mid)
        self.due, self.tenure.ended = -1, why

    def decide(self) -> bool:
        """Look, unless this is the first decision, and act; False if an environment's episode would have ended here for
        good: the parent order is complete or its deadline has come, or the capital is lost.
        """
        self.due = self.market.time + self.interval
        if self.env is None or self.seat is None:
            self._note()
            return True
        if self.started:
            ended = self.seat.look(self.market.time - self._last, self._held)
            self._volume += int(self.seat.obs[self._traded].sum())
            self._held, equity = self._note()
            env = self.env
            limit = env.capital if env.loss_limit is None else min(env.capital, env.loss_limit)
            if equity <= -limit:
                return False
            if ended and env.task == "execution":
                return False
            if SeatEnd.HORIZON in ended:
                self.seat.roll_over()
        action, self.memory = self.policy.predict(
            self.seat.obs[None], self.memory, np.array([not self.started]), True
        )
        self.seat.act(action[0])
        self.started = True
        self._last = self.market.time
        return True

    def _note(self, mid: float | None = None) -> tuple[int, float]:
        """Write down where it stands, at its own marking mid or at *mid* [ticks]; returns position and equity."""
        market, account = self.market, self.market.account(self.participant)
        mid2 = account.mid2
        while self._watched and self._watched[0][0] + ADVERSE_NS <= market.time:
            _, signed, then2 = self._watched.popleft()
            self.adverse += 0.5 * signed * (mid2 - then2)
        equity = (account.equity_units - self.tenure.origin_units) / SUBUNITS
        self.peak = max(self.peak, equity)
        self.drawdown = self.peak - equity
        spread, imbalance = np.nan, np.nan
        if self.seat is not None:
            at = 4 * self.seat.config.levels
            spread, imbalance = float(self.seat.obs[at]), float(self.seat.obs[at + 1])
        time, mid = market.time - self.tenure.begin, account.mid if mid is None else mid
        self.tenure.note((time, equity, account.position, mid, spread or np.nan, imbalance, self._volume))
        return account.position, equity

    def take_fills(self, records: NDArray[Any]) -> None:
        """Keep fills of the market's log, and what they say of the spread."""
        self.tenure.add("fills", records)
        for fill in records:
            side, lots = OrderSide(int(fill["side"])), int(fill["quantity"])
            signed = lots if side == OrderSide.BID else -lots
            self.spread_captured += 0.5 * signed * (int(fill["mid2"]) - 2 * int(fill["price"]))
            if not fill["closing"]:
                self._watched.append((int(fill["time"]), signed, int(fill["mid2"])))
            self.recent.append(
                {
                    "time_ns": int(fill["time"]),
                    "side": side.name.lower(),
                    "price": int(fill["price"]),
                    "quantity": lots,
                    "maker": bool(fill["maker"]),
                    "fee": int(fill["fee"]) / SUBUNITS,
                    "order_id": int(fill["order_id"]),
                }
            )

    # -- the state as a value --------------------------------------------------------------------------------

    _NUMBERS = ("started", "due", "peak", "drawdown", "spread_captured", "adverse", "fees_before", "warm", "_volume")

    def state(self) -> dict[str, Any]:
        """What is not in the market's arrays, nor in the tenure, as JSON-able data."""
        return {
            **{name: getattr(self, name) for name in self._NUMBERS},
            "last": (self._last, self._held),
            "scales": None if self.seat is None else (self.seat.reference_price, self.seat.reference_spread),
            "watched": list(self._watched),
            "recent": list(self.recent),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        for name in self._NUMBERS:
            setattr(self, name, state[name])
        self._last, self._held = state["last"]
        if self.seat is not None:
            self.seat.reference_price, self.seat.reference_spread = state["scales"]
        self._watched = deque(tuple(row) for row in state["watched"])
        self.recent = deque(state["recent"], maxlen=_RECENT)

    _last: int = 0
    _held: int = 0
    _volume: int = 0
