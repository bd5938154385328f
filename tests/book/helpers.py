"""Shared by the tests of the book: the books under test, messages in one line, a book's visible state."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings

from hft_gym import CompiledOrderBook, MessageKind, Order, OrderBook, OrderSide, OrderType, TimeInForce
from hft_gym.types import MESSAGE_DTYPE

SYMBOL = "ABC"
BID, ASK = OrderSide.BID, OrderSide.ASK
GTC, IOC, FOK, POST_ONLY = TimeInForce
LIMIT, MARKET, CANCEL, REDUCE, MODIFY = MessageKind

BOOKS: dict[str, Callable[..., Any]] = {
    "reference": OrderBook,
    # Shorter ladders than the default, so that `check` after every step takes little time.
    "compiled": lambda *args, **kwargs: CompiledOrderBook(*args, levels=256, **kwargs),
    "dense ids": lambda *args, **kwargs: CompiledOrderBook(*args, levels=256, max_id=1_000, **kwargs),
    # The shortest ladder: orders are parked and the ladder moves all the time.
    "short ladder": lambda *args, **kwargs: CompiledOrderBook(*args, levels=64, **kwargs),
}

FEW = bool(os.environ.get("HFT_GYM_FEW_EXAMPLES"))
"""Set where the same tests run once more without the JIT or with bounds checks (see test_modes.py)."""


def examples(count: int, few: int) -> settings:
    """Hypothesis settings: *count* examples, or *few* of them in the slow modes."""
    return settings(
        max_examples=few if FEW else count,
        stateful_step_count=25 if FEW else 50,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def limit(
    side: OrderSide, volume: Any, ticks: int, order_id: int | None = None, tif: Any = GTC, owner: Any = 0
) -> Order:
    """A limit order at a price in ticks of 0.01."""
    return Order(SYMBOL, side, OrderType.LIMIT, volume, ticks / 100, tif, owner, order_id)


def market(side: OrderSide, volume: Any, order_id: int | None = None, tif: Any = IOC, owner: Any = 0) -> Order:
    """A market order."""
    return Order(SYMBOL, side, OrderType.MARKET, volume, None, tif, owner, order_id)


def message(
    kind: int,
    order_id: int,
    side: int = BID,
    price: int = 0,
    quantity: int = 0,
    tif: int = GTC,
    owner: int = 0,
) -> np.ndarray:
    """One message as an array of length one."""
    row = np.zeros(1, MESSAGE_DTYPE)
    row["kind"], row["order_id"], row["side"], row["price"] = kind, order_id, side, price
    row["quantity"], row["time_in_force"], row["participant"] = quantity, tif, owner
    return row


def fills(trades: Any) -> list[tuple[int, int, int, int]]:
    """Trades of either kind as (taker, maker, ticks, quantity)."""
    if isinstance(trades, np.ndarray):
        columns = ("taker_order_id", "maker_order_id", "price", "quantity")
        return list(zip(*(trades[name].tolist() for name in columns), strict=True))
    return [(t.taker_order_id, t.maker_order_id, t.price_ticks, t.quantity) for t in trades]


def queue(book: Any, side: OrderSide) -> list[tuple[int, int, int, int]]:
    """The resting orders of a side in order of priority: (id, ticks, quantity, participant)."""
    return [(o.order_id, round(o.price * 100), o.remaining, o.participant) for o in book.get_orders(side)]


def state(book: Any) -> Any:
    """All that can be seen of a book."""
    orders = [queue(book, side) for side in OrderSide]
    ahead = [book.queue_position(order[0]) for side in orders for order in side]
    return len(book), orders, ahead, book.get_snapshot(1_000)
