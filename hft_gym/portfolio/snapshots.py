"""A strategy that is told of book snapshots trades in a `Market`: its orders sent, its fills told, everything kept.

The loop keeps the environments' clock (docs/design.md, "Latency without history") and their rules for quotes: those
returned replace the earlier ones, an order is kept, with its place in the queue, if its price is still wanted, and what
the position limit leaves no room for is cut. Nothing is matched here; the market does that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hft_gym.book.refusals import bad_quantity, whole_number
from hft_gym.envs.config import EnvConfig
from hft_gym.errors import ConfigError, OrderError, RiskError, SymbolError
from hft_gym.evaluation.episodes import FILL_DTYPE, MID_DTYPE, ORDER_DTYPE
from hft_gym.evaluation.rollout import episode_log
from hft_gym.market import Market
from hft_gym.market.views import MarketEvent
from hft_gym.types import BookSnapshot, Order, OrderSide, OrderType, TimeInForce

__all__ = ["SnapshotStrategy", "Trace", "play"]

_ME = 1
_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)
_EVENTS = {"fill": MarketEvent.FILL, "trade": MarketEvent.TRADE, "touch": MarketEvent.TOUCH}
_LOGS = {"fills": FILL_DTYPE, "orders": ORDER_DTYPE, "mids": MID_DTYPE}


class SnapshotStrategy(Protocol):
    """What can be run on snapshots.

    Beside this method it may have ``reset()``, called before the market opens; ``on_fill(side, volume)`` and
    ``on_trade(side, volume)``, told of own fills and of the others' trades (the side is the taker's) before the next
    snapshot [lots].
    """

    def on_market_update(self, snapshot: BookSnapshot, timestamp: int) -> list[Order]:
        """The quotes wanted now, which replace the earlier ones, and the market orders to send once.

        Args:
            snapshot: the book without own orders, as old as the market data latency.
            timestamp: now, by the market's clock [ns].
        """
        ...


@dataclass
class Trace:
    """One run: rows of the state after each decision, and the logs since the start."""

    rows: list[tuple[float, ...]] = field(default_factory=list)
    """Time since the start [ns], equity [ticks·lots], position, mid [ticks], spread [ticks], imbalance."""
    logs: dict[str, list[NDArray[Any]]] = field(default_factory=lambda: {name: [] for name in _LOGS})
    terminated: bool = False

    def column(self, index: int) -> NDArray[np.float64]:
        """(T + 1,) one of the columns of `rows`."""
        return np.array([row[index] for row in self.rows], np.float64)

    def log(self, name: str) -> NDArray[Any]:
        """One of the logs."""
        return np.concatenate(self.logs[name]) if self.logs[name] else np.zeros(0, _LOGS[name])


def play(strategy: SnapshotStrategy, market: Market, config: EnvConfig) -> Trace:
    """Run *strategy* as participant 1 of a *market* that has just opened, for one episode of *config*.

    Raises:
        SymbolError, PriceError, QuantityError, OrderError: an order that the market does not take.
        LogOverflowError: a log was full.
    """
    _call(strategy, "reset")
    origin, delay, trace = market.time, config.market.latency.market_data_ns, Trace()
    limit = int(config.compiled()["loss_limit"][0])
    wanted = MarketEvent(0)
    for name in config.events:
        wanted |= _EVENTS[name]
    volume = _volume(market)
    _keep(trace, market, origin)
    snapshot = _state(trace, market, config, origin)
    for step in range(config.episode_steps):
        now = market.time + delay
        _bring(market, config, strategy.on_market_update(snapshot, now), now)
        ended = False
        if config.clock == "event":
            ended = MarketEvent.END in market.run_until_event(wanted | MarketEvent.END, config.step_ns)
        else:
            ended = MarketEvent.END in market.run_until_event(MarketEvent.END, config.step_ns)
        ended |= step + 1 == config.episode_steps or market.account(_ME).equity_units <= -limit
        if ended:
            _close(trace, market, config, origin)
            break
        fills = _keep(trace, market, origin)
        volume = _tell(strategy, fills, volume, _volume(market))
        snapshot = _state(trace, market, config, origin)
    return trace


def _close(trace: Trace, market: Market, config: EnvConfig, origin: int) -> None:
    """Trade the position away. As in the environments, the mid and its log are of the moment before."""
    _keep(trace, market, origin)
    mid, mids = market.account(_ME).mid, len(trace.logs["mids"])
    market.close_position(_ME)
    _keep(trace, market, origin)
    del trace.logs["mids"][mids:]
    _state(trace, market, config, origin)
    last = trace.rows[-1]
    trace.rows[-1] = (*last[:3], mid, *last[4:])
    trace.terminated = True


def _volume(market: Market) -> dict[OrderSide, int]:
    """Lots taken so far, by the taker's side."""
    counters = market.counters
    return {OrderSide.BID: counters.volume_bought, OrderSide.ASK: counters.volume_sold}


def _keep(trace: Trace, market: Market, origin: int) -> NDArray[Any]:
    """Move the market's logs into the trace; returns the new fills."""
    start = np.array([origin], np.int64)
    new = {name: episode_log(getattr(market, name)().records, dtype, start) for name, dtype in _LOGS.items()}
    for name, rows in new.items():
        trace.logs[name].append(rows)
    return new["fills"]


def _state(trace: Trace, market: Market, config: EnvConfig, origin: int) -> BookSnapshot:
    """Write the state as it is now; returns the book without the own orders."""
    account, snapshot = market.account(_ME), market.snapshot(config.levels, without=_ME)
    spread = np.nan if snapshot.spread is None else round(snapshot.spread / config.market.tick_size)
    row = (market.time - origin, account.equity, account.position, account.mid, spread, snapshot.imbalance)
    trace.rows.append(row)
    return snapshot


def _tell(
    strategy: SnapshotStrategy, fills: NDArray[Any], before: dict[OrderSide, int], after: dict[OrderSide, int]
) -> dict[OrderSide, int]:
    """Tell of the fills and of the others' trades since the last decision."""
    taken: Counter[OrderSide] = Counter()
    for fill in fills:
        side, quantity = OrderSide(int(fill["side"])), int(fill["quantity"])
        _call(strategy, "on_fill", side, quantity)
        if not fill["maker"]:
            taken[side] += quantity
    for side in OrderSide:
        others = after[side] - before[side] - taken[side]
        if others > 0:
            _call(strategy, "on_trade", side, others)
    return after


def _call(strategy: SnapshotStrategy, name: str, *arguments: Any) -> None:
    method = getattr(strategy, name, None)
    if method is not None:
        method(*arguments)


def _bring(market: Market, config: EnvConfig, orders: list[Order], now: int) -> None:
    """Bring the working orders to what is wanted: bids, asks, then the orders that cannot rest."""
    for order in orders:
        if not isinstance(order, Order):
            raise OrderError(f"on_market_update returned {order!r} ({type(order).__name__}); allowed are Orders")
        lots = whole_number(order.volume)
        if lots is None or lots < 1:
            raise bad_quantity(order.volume)
        if order.symbol != market.symbol:
            raise SymbolError(f"order for {order.symbol!r} in the market of {market.symbol!r}")
    resting = [o for o in orders if o.order_type != OrderType.MARKET and o.time_in_force not in _AT_ONCE]
    for side in OrderSide:
        mine = [o for o in resting if o.side == side]
        prices = [_ticks(market, o) for o in mine]
        if len(set(prices)) < len(prices):
            raise OrderError(f"{side.name} quotes at {sorted(prices)} ticks; allowed is one at each price")
        kept = set()
        for working in market.working_orders(_ME):
            if working.side != side or working.cancel_sent:
                continue
            if working.price in prices:
                kept.add(working.price)
            else:
                _sent(market.cancel, _ME, working.order_id, at=now)
        for order, price in zip(mine, prices, strict=True):
            if price not in kept:
                _submit(market, config, order, price, now)
    for order in orders:
        if order not in resting:
            _submit(market, config, order, None if order.price is None else _ticks(market, order), now)


def _ticks(market: Market, order: Order) -> int:
    if order.price is None:
        raise OrderError(f"{order} has no price; only a market order needs none")
    return market.to_ticks(order.price)


def _submit(market: Market, config: EnvConfig, order: Order, price: int | None, now: int) -> None:
    """Send as much of an order as the position limit leaves room for."""
    signed = market.account(_ME).position * (1 if order.side == OrderSide.BID else -1)
    working = sum(o.remaining for o in market.working_orders(_ME) if o.side == order.side)
    lots = min(order.volume, config.max_position - signed - working)
    if lots > 0:
        _sent(market.submit, _ME, order.side, lots, price, order.time_in_force, at=now)


def _sent(send: Any, *arguments: Any, at: int) -> None:
    """Send a message; one that the risk limits forbid is not sent, which the market has counted and logged."""
    try:
        send(*arguments, at=at)
    except RiskError:
        return


def check_tick(strategy: Any, tick_size: float) -> None:
    """A strategy that counts in another tick than the market's would quote other prices than it means.

    Raises:
        ConfigError: it does.
    """
    own = getattr(strategy, "tick_size", tick_size)
    if own != tick_size:
        raise ConfigError(f"tick_size of the strategy is {own}, that of the market {tick_size}; they must be equal")
