"""`LiveSession`: markets that run on, in which strategies and a person trade side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Self

from hft_gym.config import build, did_you_mean
from hft_gym.data.replay import ReplayFeed
from hft_gym.envs.core import sized_for
from hft_gym.errors import ConfigError, OrderError
from hft_gym.evaluation.episodes import Episodes
from hft_gym.feed.mock import market_seed
from hft_gym.live.config import SessionConfig, StrategySlot
from hft_gym.live.floor import Floor
from hft_gym.live.policies import Player, player_of
from hft_gym.live.tenure import joined
from hft_gym.live.view import Alerts, SessionView, view_of
from hft_gym.market import Market
from hft_gym.market.config import MarketConfig
from hft_gym.market.limits import RiskLimits
from hft_gym.types import OrderSide, TimeInForce

__all__ = ["HUMAN", "LiveSession"]

HUMAN = "human"
"""Name of the person who trades by hand."""
UNNAMED = "SIM"
"""Symbol of a recorded file's instrument that has no name."""


class LiveSession:
    """Markets, strategies and a person, on one clock that moves only when told to.

    The same configuration and the same calls give the same session, bit for bit, also across `save` and `load`. No
    threads and no event loop: `hft_gym.live.clock` has one that runs a session in real time.

    What a strategy observes, and how its action becomes orders, is what `HFTMarketEnv` does (`AgentSeat`). Every
    strategy trades every symbol, with an account and a position of its own in each; so does the person, who is the last
    participant.

    >>> from hft_gym.live import LiveSession
    >>> session = LiveSession({"symbols": ["AAPL"], "strategies": [{"name": "join-touch"}]})
    >>> session.advance(1_000_000_000)
    >>> session.time_ns, [trader["name"] for trader in session.view("AAPL").traders]
    (1000000000, ['join-touch', 'human'])

    Args:
        config: a `SessionConfig`, or the same as a mapping.

    Raises:
        ConfigError: a wrong setting, or a strategy that does not exist.
    """

    def __init__(self, config: SessionConfig | Mapping[str, Any] | None = None) -> None:
        self.config = build(SessionConfig, config)
        self._open()

    @classmethod
    def prepared(cls, config: SessionConfig) -> Self:
        """A session whose markets have yet to be put in, for `load`."""
        session = object.__new__(cls)
        session.config = config
        session.players, session.alerts, session.floors, session.saved = session._players(), Alerts(), {}, None
        return session

    def _players(self) -> list[Player]:
        players = [player_of(slot, self.config) for slot in self.config.strategies]
        for i, player in enumerate(players):
            same = [p.name for p in players[:i]]
            if player.name in (*same, HUMAN):
                player.name = next(n for k in range(2, 99) if (n := f"{player.name} {k}") not in same)
        return players

    def _open(self) -> None:
        self.saved: dict[str, Any] | None = None
        self.players = self._players()
        self.alerts = Alerts()
        self.floors: dict[str, Floor] = {
            market.symbol: Floor(market, self.players, self.config.interval, self.alerts)
            for market in self._markets(self._sized())
        }
        self.origin = max(floor.market.time for floor in self.floors.values()) + self.config.market.warm_up_ns
        """Market time at which the session opened [ns]."""
        self._begin()

    def _begin(self) -> None:
        """Let the markets warm up."""
        for floor in self.floors.values():
            floor.prepare(self.origin)
            floor.run_until(self.origin)

    def _sized(self) -> MarketConfig:
        """The market with room for everybody."""
        exchange, players = self.config.exchange, self.players
        own = max(64, exchange.max_own_orders, *(p.env.market.max_own_orders for p in players))
        return replace(exchange, participants=len(players) + 1, max_own_orders=own)

    def _markets(self, sized: MarketConfig) -> list[Market]:
        """The markets, before their warm-up."""
        config = self.config
        if not config.feed:
            config.check_simulated()
            bare = replace(sized, warm_up_ns=0)
            return [
                Market(bare, market_seed(config.seed, symbol), symbol=symbol, log_capacity=config.log_capacity)
                for symbol in config.symbols
            ]
        found = []
        for symbol in config.symbols:
            day = self._day(symbol)
            room = replace(sized_for(sized, day), tick_size=day.tick_size, warm_up_ns=0)
            seed = market_seed(config.seed, symbol)
            name = day.symbol if symbol == UNNAMED and day.symbol else symbol
            found.append(Market(room, seed, feed=day, symbol=name, log_capacity=config.log_capacity))
        return found

    def _day(self, symbol: str) -> ReplayFeed:
        config = self.config
        return ReplayFeed.from_file(
            config.feed, config.tick_size, symbol=None if symbol == UNNAMED else symbol,
            queue_model=config.queue_model, lot_size=config.lot_size,
        )  # fmt: skip

    def market_from(self, path: Path, symbol: str) -> Market:
        """The market that `Market.save` wrote, for `load`."""
        return Market.load(path, feed=self._day(symbol) if self.config.feed else None)

    @property
    def over(self) -> bool:
        """Whether a recorded day has come to its end."""
        markets = [floor.market for floor in self.floors.values()]
        return all(m.feed is not None and m.time >= int(m.feed.times[-1]) for m in markets)

    # -- the clock -----------------------------------------------------------------------------------------

    @property
    def time_ns(self) -> int:
        """Time since the session opened [ns]; the markets had run for their warm-up before."""
        return next(iter(self.floors.values())).market.time - self.origin

    def advance(self, duration_ns: int) -> None:
        """Let *duration_ns* pass; strategies decide whenever their time has come, those due at its end included.

        Raises:
            ConfigError: a negative duration.
            LogOverflowError: more happened between two decisions than ``log_capacity`` has room for.
        """
        if not isinstance(duration_ns, int) or isinstance(duration_ns, bool) or duration_ns < 0:
            raise ConfigError(f"duration_ns is {duration_ns!r}; allowed are whole numbers of ns, not negative")
        end = self.time_ns + self.origin + duration_ns
        for floor in self.floors.values():
            floor.run_until(end)

    def step(self) -> None:
        """One interval of decisions (``config.interval``)."""
        self.advance(self.config.interval)

    # -- the person's orders -------------------------------------------------------------------------------

    def floor(self, symbol: str) -> Floor:
        """Where a symbol is traded.

        Raises:
            ConfigError: no such symbol.
        """
        found = self.floors.get(symbol)
        if found is None:
            raise ConfigError(f"symbol: there is no {symbol!r} here{did_you_mean(symbol, list(self.floors))}")
        return found

    def tick_size(self, symbol: str) -> float:
        """Currency per tick of a symbol.

        Raises:
            ConfigError: no such symbol.
        """
        return self.floor(symbol).market.config.tick_size

    def place(
        self, symbol: str, side: OrderSide | str, quantity: int, price: int | None = None,
        time_in_force: TimeInForce | str = TimeInForce.GTC,
    ) -> int:
        """Send a person's order; it arrives after the market's latencies.

        Args:
            symbol: where.
            side: buy or sell; also "buy" and "sell", "bid" and "ask".
            quantity: lots.
            price: ticks; None: a market order.
            time_in_force: also by its name.

        Returns:
            The order's id.

        Raises:
            ConfigError: no such symbol.
            OrderError: what the market does not take; `RiskError` if the limits forbid it.
        """
        floor = self.floor(symbol)
        market = floor.market
        return market.submit(
            floor.human.participant, _side(side), quantity, price, _time_in_force(time_in_force), at=floor.sent_at
        )

    def modify(self, symbol: str, order_id: int, quantity: int, price: int) -> None:
        """Change a person's working order: remaining quantity [lots] and price [ticks].

        Raises:
            ConfigError, OrderError: as `place`; `UnknownOrderError` if there is no such order.
        """
        floor = self.floor(symbol)
        floor.market.modify(floor.human.participant, order_id, quantity, price, at=floor.sent_at)

    def cancel(self, symbol: str, order_id: int) -> None:
        """Cancel a person's working order.

        Raises:
            ConfigError, OrderError: as `modify`.
        """
        floor = self.floor(symbol)
        floor.market.cancel(floor.human.participant, order_id, at=floor.sent_at)

    def cancel_all(self, symbol: str | None = None) -> int:
        """Cancel all of a person's orders, in one market or in all; returns how many cancels were sent."""
        chosen = list(self.floors.values()) if symbol is None else [self.floor(symbol)]
        return sum(floor.cancel_all(floor.human) for floor in chosen)

    # -- control -------------------------------------------------------------------------------------------

    def set_strategy(self, slot: int, name: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Put another strategy into a slot. The one before it is closed out at once, at book prices; the new one starts
        flat, and what it earns counts from here.

        Args:
            slot: 0 to the number of strategies less one.
            name: of a baseline, or path of a trained agent.
            parameters: of a baseline.

        Raises:
            ConfigError: no such slot or strategy, a wrong parameter; nothing has changed.
        """
        slots = list(self.config.strategies)
        if not 0 <= slot < len(slots):
            raise ConfigError(f"slot is {slot}; allowed are 0 to {len(slots) - 1}")
        slots[slot] = StrategySlot(name, parameters or {})
        wanted = replace(self.config, strategies=tuple(slots))
        player = player_of(slots[slot], wanted)
        used = {t.name for floor in self.floors.values() for t in floor.everybody if t.participant != slot + 1}
        past = {t.name for floor in self.floors.values() for t in (*floor.past, *(x.tenure for x in floor.everybody))}
        if player.name in used | past:
            player.name = next(n for k in range(2, 9999) if (n := f"{player.name} {k}") not in used | past)
        for floor in self.floors.values():
            floor.check(slot, player)
        for floor in self.floors.values():
            floor.replace(slot, player)
        self.players[slot] = player
        self.config = wanted
        self.alerts.add(self.time_ns, "info", f"slot {slot}: {player.name} trades now")

    def set_risk(self, limits: RiskLimits | Mapping[str, Any]) -> None:
        """Change the limits of every participant.

        Raises:
            ConfigError: a wrong setting; nothing has changed.
        """
        wanted = build(RiskLimits, limits)
        for floor in self.floors.values():
            floor.market.set_risk(wanted)
        self.config = replace(self.config, risk=wanted)
        self.alerts.add(self.time_ns, "info", "risk limits changed")

    def release(self, trader: str | int) -> None:
        """Let a trader that broke a limit trade again, in every market.

        Args:
            trader: its name, or its participant number.

        Raises:
            ConfigError: no such trader.
        """
        for floor in self.floors.values():
            floor.market.release(floor.trader(trader).participant)
        self.alerts.add(self.time_ns, "info", f"{trader} is released")

    def reset(self, seed: int | None = None) -> None:
        """Open anew: all accounts empty, the markets at their opening; *seed* None: the same once more."""
        self.config = self.config if seed is None else replace(self.config, seed=seed)
        self._open()

    def set_market(self, market: MarketConfig | Mapping[str, Any] | str) -> None:
        """Open anew on another market: a preset's name, or settings.

        Raises:
            ConfigError: no such market; nothing has changed.
        """
        self.config = replace(self.config, market=build(MarketConfig, market))
        self._open()

    # -- what there is to see --------------------------------------------------------------------------------

    def view(
        self, symbol: str, levels: int = 10, *, since_ns: int | None = None, accounts: bool = True
    ) -> SessionView:
        """One market as it is now.

        Args:
            symbol: which.
            levels: price levels a side.
            since_ns: points of the price after this time; None: after those of the last view.
            accounts: without them, ``traders`` tell name, kind, participant, position and orders only.

        Raises:
            ConfigError: no such symbol.
        """
        return view_of(self.floor(symbol), self.config, self.origin, levels, since_ns, accounts)

    def episodes(self) -> list[Episodes]:
        """What every trader has done so far, an episode a symbol, as `hft_gym.report` takes it; a person who sent no
        order is left out. The session goes on: positions are marked, not closed (`finish` closes them). Before the
        first decision there is nothing. Symbols of different ticks are in `Episodes` of their own, as ticks·lots of one
        are none of the other: first everybody's of the first symbol's tick.
        """
        floors = list(self.floors.values())
        if not all(floor.opened for floor in floors):
            return []
        found = []
        for tick in dict.fromkeys(floor.market.config.tick_size for floor in floors):
            alike = [floor for floor in floors if floor.market.config.tick_size == tick]
            tenures = [[*floor.past, *(trader.tenure for trader in floor.everybody)] for floor in alike]
            found += [
                joined(list(group), group[0].name, self.config.seed, tick, self.config.initial_cash / tick)
                for group in zip(*tenures, strict=True)
                if group[0].kind != HUMAN or any(len(t.log("orders")) or len(t.log("fills")) for t in group)
            ]
        return found

    def finish(self) -> list[Episodes]:
        """End the trading: every order is withdrawn, every position traded away at book prices; returns `episodes`."""
        for floor in self.floors.values():
            for trader in floor.everybody:  # nobody's close is to trade with those who leave, too
                floor.market.withdraw(trader.participant)
            for trader in floor.everybody:
                floor.close(trader, "finished")
        return self.episodes()

    # -- the state as a value --------------------------------------------------------------------------------

    def save(self, folder: str | PathLike[str]) -> None:
        """Write the session to a folder, at once or not at all: after a crash the folder holds the last one that was
        saved whole. Saving again into the same folder writes only what is new of paths and logs.
        """
        from hft_gym.live.store import save

        save(self, folder)

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> Self:
        """Read a session that `save` wrote; it continues bit for bit.

        Raises:
            CheckpointError: no session there, damaged, or of another version.
        """
        from hft_gym.live.store import load

        return load(cls, folder)


_SIDES = {"buy": OrderSide.BID, "bid": OrderSide.BID, "sell": OrderSide.ASK, "ask": OrderSide.ASK}


def _side(value: Any) -> Any:
    if isinstance(value, str):
        if value.lower() not in _SIDES:
            raise OrderError(f"side is {value!r}{did_you_mean(value, list(_SIDES))}")
        return _SIDES[value.lower()]
    return value


def _time_in_force(value: Any) -> Any:
    if isinstance(value, str):
        names = {tif.name: tif for tif in TimeInForce}
        if value.upper() not in names:
            raise OrderError(f"time_in_force is {value!r}{did_you_mean(value.upper(), list(names))}")
        return names[value.upper()]
    return value
