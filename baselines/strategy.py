"""`Strategy`: one decision rule with two faces.

A subclass writes its rule once, in `Strategy.decide`, on a small common view of N markets: distances to the
mid in ticks, sizes and inventory in lots. The base class makes of it

* ``predict(observation, state, episode_start, deterministic)`` for the environments: single and batched raw
  observations, vectorised, in all action encodings, after ``bind(env)``;
* ``on_market_update(snapshot, timestamp) -> list[Order]`` for book snapshots, one market at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from baselines.encoding import Encoder
from baselines.live import LiveFace
from baselines.ranges import SearchSpace
from baselines.scales import usual_price
from hft_gym.errors import ConfigError
from hft_gym.types import BookSnapshot, Order, OrderSide

__all__ = ["Strategy", "View", "Wish", "no_quotes"]

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class View:
    """What a rule sees of N markets; arrays have shape (N,) unless another is given.

    Attributes:
        bid, ask: the others' best prices minus the mid, ticks; NaN where the side is empty.
        bid_size, ask_size: lots at those prices.
        mid_change: ticks since the last decision.
        elapsed: seconds since the last decision.
        inventory: own position, lots.
        buy_volume, sell_volume: lots bought and sold by other takers since the last decision; NaN where unknown.
        bought, sold: own lots filled since the last decision.
        time_left: share of the episode that is left, 1 at the start; 1 where there is no end.
        bid_offsets, ask_offsets: (N, L) the others' prices minus the mid, best first, ticks; 0 where absent.
        bid_sizes, ask_sizes: (N, L) lots at those prices; 0 where absent.
        price: level of the price, ticks: what turns a fractional move into ticks.
        lot: lots of one order.
        tick_size: currency per tick.
        raw: (N, K) everything observed, for what has no column of its own.
        goal: the position that a parent order leads to, lots; NaN where there is none.
    """

    bid: Floats
    ask: Floats
    bid_size: Floats
    ask_size: Floats
    mid_change: Floats
    elapsed: Floats
    inventory: Floats
    buy_volume: Floats
    sell_volume: Floats
    bought: Floats
    sold: Floats
    time_left: Floats
    bid_offsets: Array
    bid_sizes: Array
    ask_offsets: Array
    ask_sizes: Array
    price: float
    lot: int
    tick_size: float
    raw: Array
    goal: Floats = field(default_factory=lambda: np.full(1, np.nan))

    def __len__(self) -> int:
        """Number of markets."""
        return len(self.bid)

    @property
    def imbalance(self) -> Floats:
        """(bid - ask) / (bid + ask) of the sizes at the touch, in [-1, 1]; 0 for an empty book."""
        total = self.bid_size + self.ask_size
        out = np.zeros_like(total)
        np.divide(self.bid_size - self.ask_size, total, out=out, where=total > 0)
        return out


@dataclass(frozen=True)
class Wish:
    """What a rule wants in N markets; every array has shape (N,).

    Attributes:
        bid, ask: price of the own quote minus the mid, ticks; NaN for none.
        bid_size, ask_size: lots of the quotes.
        take: lots to take at once: positive buys, negative sells, 0 does nothing.
    """

    bid: Floats
    ask: Floats
    bid_size: Floats
    ask_size: Floats
    take: Floats


def no_quotes(take: Floats) -> Wish:
    """A wish without quotes."""
    none, zero = np.full(len(take), np.nan), np.zeros(len(take))
    return Wish(none, none, zero, zero, take)


@dataclass
class _Binding:
    """What ``bind`` took from an environment."""

    columns: tuple[int, ...]
    book: tuple[slice, ...]
    width: int
    encoder: Encoder
    goal: float
    price: float
    lot: int
    tick_size: float


_COLUMNS = (
    "bid_offset_1",
    "ask_offset_1",
    "bid_size_1",
    "ask_size_1",
    "mid_change",
    "elapsed",
    "inventory",
    "buy_volume",
    "sell_volume",
    "bought",
    "sold",
    "time_left",
)
_BOOK = ("bid_offset", "bid_size", "ask_offset", "ask_size")


class Strategy(ABC):
    """Base of all scripted strategies. Subclasses implement `decide`; most are dataclasses of their
    parameters.

    Attributes:
        name: what reports call it.
        tasks: of environments that it fits, as ``EnvConfig.task`` names them.
        symbol, order_size, tick_size: of the orders that `on_market_update` sends; a subclass has them as
            parameters, else these defaults hold.
        position: own position in lots as `on_market_update` believes it; `on_fill` keeps it.
    """

    name: ClassVar[str] = ""
    tasks: ClassVar[tuple[str, ...]] = ("market-making",)
    symbol: str = "HFT"
    order_size: int = 1
    tick_size: float = 0.01

    @abstractmethod
    def decide(self, view: View, memory: Array) -> tuple[Wish, Array]:
        """The rule.

        Args:
            view: N markets.
            memory: (N, K) what the last call returned for these markets, or what `begin` returned for new
                ones.

        Returns:
            What to do, and the memory to hand back; ``memory`` itself is not changed.
        """

    def begin(self, view: View) -> Array:
        """(N, K) the memory that an episode starts with; by default there is none (K = 0)."""
        return np.zeros((len(view), 0))

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """Parameters scaled to a market; those left out take their own defaults."""
        return {}

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """What a tuning searches, by parameter, scaled to a market; nothing by default."""
        return {}

    # --- in an environment ---

    def bind(self, env: Any) -> Strategy:
        """Learn the columns, the actions and the scales of an environment (single or vector); returns itself.

        Raises:
            ConfigError: the environment has no observation and action schema, or is for a task that the strategy is not
                for.
        """
        core = env if hasattr(env, "observation_schema") else getattr(env, "unwrapped", env)
        schema, actions = getattr(core, "observation_schema", None), getattr(core, "action_schema", None)
        if schema is None or actions is None:
            raise ConfigError(
                f"cannot bind to {type(env).__name__}: it has no observation_schema and action_schema; "
                "give an HFTMarket environment, single or vector"
            )
        task = getattr(core.config, "task", self.tasks[0])
        if task not in self.tasks:
            from baselines.registry import names

            raise ConfigError(
                f"{self.name or type(self).__name__} is for the task {' or '.join(map(repr, self.tasks))}, and does "
                f"not fit {core.config.id}, whose task is {task!r}; what fits: {', '.join(names(core))}"
            )
        market = core.config.market
        execution = task == "execution"
        self._bound = _Binding(
            columns=tuple(schema.index(c) for c in _COLUMNS),
            book=tuple(schema.groups[g] for g in _BOOK),
            width=len(schema),
            encoder=Encoder(actions, int(core.config.order_size), cuts=execution),
            goal=0.0 if execution else np.nan,
            price=usual_price(core),
            lot=int(core.config.order_size),
            tick_size=float(market.tick_size),
        )
        return self

    def predict(
        self,
        observation: Array,
        state: Array | None = None,
        episode_start: Array | None = None,
        deterministic: bool = True,
    ) -> tuple[Array, Array]:
        """Actions for raw observations, in the encoding of the bound environment.

        Args:
            observation: (C,) or (N, C), as the environment gives it.
            state: what the last call returned; None at the start.
            episode_start: bool or (N,) bool: where a new episode begins; the memory is begun anew there.
            deterministic: ignored: the rule is deterministic (``random`` draws from a seeded stream).

        Returns:
            An action, or N of them, and the state to hand back.

        Raises:
            ConfigError: not bound, or a wrong number of columns.
        """
        bound = getattr(self, "_bound", None)
        if bound is None:
            raise ConfigError(
                f"{type(self).__name__} knows no environment yet: call bind(env) before predict"
            )
        rows = np.atleast_2d(observation)
        if rows.ndim != 2 or rows.shape[1] != bound.width:
            raise ConfigError(
                f"observation: shape {np.shape(observation)}, expected ({bound.width},) or (N, {bound.width})"
            )
        view = _view_of(rows, bound)
        wish, memory = self.decide(view, self._memory(view, state, episode_start))
        actions = bound.encoder(wish, view)
        return (actions if np.ndim(observation) == 2 else actions[0]), memory

    def _memory(self, view: View, state: Array | None, episode_start: Array | None) -> Array:
        if state is None or len(state) != len(view):
            return self.begin(view)
        start = np.broadcast_to(
            np.asarray(False if episode_start is None else episode_start, bool), len(view)
        )
        if not start.any():
            return state
        return np.where(start[:, None], self.begin(view), state)

    # --- on book snapshots ---

    @property
    def _live(self) -> LiveFace:
        face = self.__dict__.get("_live_face")
        if face is None:
            face = self.__dict__["_live_face"] = LiveFace()
        return face

    @property
    def position(self) -> int:
        """Own position in lots, as this face knows it: negative is short."""
        return self._live.position

    @position.setter
    def position(self, lots: int) -> None:
        self._live.position = int(lots)

    def on_fill(self, side: OrderSide, volume: int) -> None:
        """Tell of a fill of ``volume`` lots on an own order of ``side``."""
        self._live.fill(side, volume)

    def on_trade(self, side: OrderSide, volume: int) -> None:
        """Tell of a trade of others: ``side`` is the taker's, ``volume`` in lots.

        Some strategies estimate from these how often quotes are reached; untold, they keep their prior beliefs.
        """
        self._live.trade(side, volume)

    def reset(self) -> None:
        """Forget the market seen by `on_market_update`, and the position."""
        self.__dict__.pop("_live_face", None)

    def on_market_update(self, snapshot: BookSnapshot, timestamp: Any = None) -> list[Order]:
        """The orders wanted now, on one market's snapshot.

        The quotes in the list replace those of earlier calls (the caller cancels them); market orders are
        to be sent once. Fills come in through `on_fill` or by setting ``position``.

        Args:
            snapshot: the book without own orders.
            timestamp: when: int in ns, float in s, a datetime or a NumPy or pandas timestamp; None: one
                second after the last.

        Raises:
            SymbolError: the snapshot is of another instrument.
            ConfigError: a timestamp of another type, or before the last.
        """
        return self._live.orders(self, snapshot, timestamp)


def _view_of(rows: Array, bound: _Binding) -> View:
    named = dict(zip(_COLUMNS, rows[:, bound.columns].astype(np.float64).T, strict=True))
    bid_size, ask_size = named.pop("bid_size_1"), named.pop("ask_size_1")
    bid_offsets, bid_sizes, ask_offsets, ask_sizes = (rows[:, part] for part in bound.book)
    return View(
        bid=np.where(bid_size > 0, named.pop("bid_offset_1"), np.nan),
        ask=np.where(ask_size > 0, named.pop("ask_offset_1"), np.nan),
        bid_size=bid_size,
        ask_size=ask_size,
        **named,
        bid_offsets=bid_offsets,
        bid_sizes=bid_sizes,
        ask_offsets=ask_offsets,
        ask_sizes=ask_sizes,
        price=bound.price,
        lot=bound.lot,
        tick_size=bound.tick_size,
        goal=np.full(len(rows), bound.goal),
        raw=rows,
    )
