"""The face of a strategy towards book snapshots: one market, orders out, the same rule."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from hft_gym.errors import ConfigError, SymbolError
from hft_gym.types import BookSnapshot, Order, OrderSide

if TYPE_CHECKING:
    from baselines.strategy import Strategy, Wish

__all__ = ["LiveFace"]


class LiveFace:
    """What a strategy remembers of the one market it watches through snapshots."""

    def __init__(self) -> None:
        self.position = 0
        self.memory: np.ndarray[Any, Any] | None = None
        self.mid: float | None = None
        self.seconds: float | None = None
        self.opened: float | None = None
        self.own = {OrderSide.BID: 0, OrderSide.ASK: 0}
        self.others: dict[OrderSide, float] = {OrderSide.BID: math.nan, OrderSide.ASK: math.nan}

    def fill(self, side: OrderSide, volume: int) -> None:
        """See `Strategy.on_fill`."""
        self.position += volume if side == OrderSide.BID else -volume
        self.own[side] += volume

    def trade(self, side: OrderSide, volume: int) -> None:
        """See `Strategy.on_trade`. From the first trade told, silence means that there was none."""
        self.others = {s: 0.0 if math.isnan(v) else v for s, v in self.others.items()}
        self.others[side] += volume

    def _since_last(self) -> dict[str, np.ndarray[Any, Any]]:
        """The volumes since the last call, which are forgotten."""
        told = {
            "bought": self.own[OrderSide.BID],
            "sold": self.own[OrderSide.ASK],
            "buy_volume": self.others[OrderSide.BID],
            "sell_volume": self.others[OrderSide.ASK],
        }
        self.own = dict.fromkeys(self.own, 0)
        self.others = {s: 0.0 * v for s, v in self.others.items()}
        return {name: np.array([float(volume)]) for name, volume in told.items()}

    def orders(self, strategy: Strategy, snapshot: BookSnapshot, timestamp: Any) -> list[Order]:
        """See `Strategy.on_market_update`."""
        from baselines.strategy import View

        if snapshot.symbol != strategy.symbol:
            raise SymbolError(
                f"snapshot of {snapshot.symbol!r}, but this strategy trades {strategy.symbol!r}"
            )
        elapsed = self._advance(timestamp)
        tick = strategy.tick_size
        if snapshot.mid_price is None or snapshot.best_bid is None or snapshot.best_ask is None:
            return []  # no mid, no reference for a price
        mid = snapshot.mid_price / tick
        change = 0.0 if self.mid is None else mid - self.mid
        self.mid = mid
        view = View(
            bid=np.array([snapshot.best_bid / tick - mid]),
            ask=np.array([snapshot.best_ask / tick - mid]),
            bid_size=np.array([float(snapshot.best_bid_volume)]),
            ask_size=np.array([float(snapshot.best_ask_volume)]),
            mid_change=np.array([change]),
            elapsed=np.array([elapsed]),
            inventory=np.array([float(self.position)]),
            **self._since_last(),
            time_left=np.array([self._time_left(strategy)]),
            bid_offsets=np.array([[level.price / tick - mid for level in snapshot.bids]]),
            bid_sizes=np.array([[float(level.volume) for level in snapshot.bids]]),
            ask_offsets=np.array([[level.price / tick - mid for level in snapshot.asks]]),
            ask_sizes=np.array([[float(level.volume) for level in snapshot.asks]]),
            price=mid,
            lot=strategy.order_size,
            tick_size=tick,
            goal=np.array([float(getattr(strategy, "goal", math.nan))]),
            raw=np.array(
                [[x for level in (*snapshot.bids, *snapshot.asks) for x in level] or [mid]], np.float32
            ),
        )
        wish, self.memory = strategy.decide(
            view, strategy.begin(view) if self.memory is None else self.memory
        )
        return _orders_of(wish, strategy, mid, snapshot)

    def _advance(self, timestamp: Any) -> float:
        """Seconds since the last call."""
        last = self.seconds
        now = (0.0 if last is None else last + 1.0) if timestamp is None else seconds_of(timestamp)
        if last is not None and now < last:
            raise ConfigError(f"timestamp {timestamp!r} lies {last - now:g} s before the last one")
        self.seconds = now
        if self.opened is None:
            self.opened = now
        return 0.0 if last is None else now - last


    def _time_left(self, strategy: Strategy) -> float:
        """Share of the strategy's horizon that is left since the first call; 1 for a strategy without."""
        horizon = getattr(strategy, "horizon_s", None)
        if horizon is None or self.seconds is None or self.opened is None:
            return 1.0
        return max(0.0, 1.0 - (self.seconds - self.opened) / horizon)


def seconds_of(timestamp: Any) -> float:
    """A timestamp in seconds: int is ns, float s; datetimes and NumPy or pandas timestamps count from the
    epoch.

    Raises:
        ConfigError: another type, or not finite.
    """
    if isinstance(timestamp, (int, np.integer)) and not isinstance(timestamp, bool):
        return int(timestamp) / 1e9
    if isinstance(timestamp, (float, np.floating)) and math.isfinite(timestamp):
        return float(timestamp)
    if isinstance(timestamp, datetime):  # pandas timestamps are datetimes
        return timestamp.timestamp()
    if isinstance(timestamp, np.datetime64) and not np.isnat(timestamp):
        return int(timestamp.astype("datetime64[ns]").astype(np.int64)) / 1e9
    raise ConfigError(
        f"timestamp: got {timestamp!r} ({type(timestamp).__name__}); allowed: int (ns), float (s), datetime, "
        "numpy.datetime64, pandas.Timestamp, None"
    )


def _orders_of(wish: Wish, strategy: Strategy, mid: float, snapshot: BookSnapshot) -> list[Order]:
    """Orders at whole ticks: quotes are rounded away from the mid, and never cross the book."""
    assert snapshot.best_bid is not None and snapshot.best_ask is not None
    tick, orders = strategy.tick_size, []
    best_bid, best_ask = round(snapshot.best_bid / tick), round(snapshot.best_ask / tick)
    bid_size, ask_size, take = int(wish.bid_size[0]), int(wish.ask_size[0]), int(wish.take[0])
    if bid_size > 0 and not math.isnan(wish.bid[0]):
        ticks = min(math.floor(mid + wish.bid[0] + 1e-6), best_ask - 1)
        price = round(ticks * tick, 10)
        orders.append(Order.create_limit_order(strategy.symbol, OrderSide.BID, bid_size, price))
    if ask_size > 0 and not math.isnan(wish.ask[0]):
        ticks = max(math.ceil(mid + wish.ask[0] - 1e-6), best_bid + 1)
        price = round(ticks * tick, 10)
        orders.append(Order.create_limit_order(strategy.symbol, OrderSide.ASK, ask_size, price))
    if take:
        side = OrderSide.BID if take > 0 else OrderSide.ASK
        orders.append(Order.create_market_order(strategy.symbol, side, abs(take)))
    return orders
