"""The words of the book: enums, message and trade records, orders, trades and snapshots.

Two vocabularies describe the same things. *Arrays* (``MESSAGE_DTYPE``, ``TRADE_DTYPE``) hold integers only:
prices in ticks, quantities in lots. *Objects* (``Order``, ``Trade``, ``BookSnapshot``) are for people:
prices in currency, enums by name. A book translates between them; nothing here knows a matching rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

__all__ = [
    "MAX_PRICE_TICKS",
    "MAX_QUANTITY",
    "MESSAGE_DTYPE",
    "TRADE_DTYPE",
    "BookSnapshot",
    "DepthLevel",
    "MessageKind",
    "Order",
    "OrderSide",
    "OrderStatus",
    "OrderType",
    "QueuePosition",
    "TimeInForce",
    "Trade",
]

MAX_QUANTITY = 2**31 - 1
"""Largest quantity of one order, in lots."""

MAX_PRICE_TICKS = 2**40
"""Largest absolute price, in ticks."""


class OrderSide(IntEnum):
    """The side of the book an order belongs to."""

    BID = 0
    ASK = 1

    @property
    def opposite(self) -> OrderSide:
        """The other side."""
        return OrderSide.ASK if self is OrderSide.BID else OrderSide.BID


class OrderType(IntEnum):
    """Whether an order names a worst acceptable price."""

    LIMIT = 0
    MARKET = 1


class TimeInForce(IntEnum):
    """What happens to the part of an order that does not trade at once.

    ``GTC`` rests; ``IOC`` is cancelled; ``FOK`` trades in full or not at all; ``POST_ONLY`` is rejected as
    a whole when it could trade.
    """

    GTC = 0
    IOC = 1
    FOK = 2
    POST_ONLY = 3


class MessageKind(IntEnum):
    """What a row of a message array asks for (``hft_gym.book.rules`` says which fields each one reads)."""

    LIMIT = 0
    MARKET = 1
    CANCEL = 2
    REDUCE = 3
    MODIFY = 4


class OrderStatus(IntEnum):
    """Where an order stands.

    ``CANCELLED`` orders may have traded before (``Order.filled`` tells); ``REJECTED`` ones never touched
    the book.
    """

    NEW = 0
    RESTING = 1
    PARTIALLY_FILLED = 2
    FILLED = 3
    CANCELLED = 4
    REJECTED = 5


MESSAGE_DTYPE = np.dtype(
    [
        ("order_id", "<i8"),
        ("price", "<i8"),  # ticks
        ("quantity", "<i8"),  # lots
        ("participant", "<u4"),  # 0 is anonymous
        ("kind", "u1"),  # MessageKind
        ("side", "u1"),  # OrderSide
        ("time_in_force", "u1"),  # TimeInForce
        ("pad", "u1"),
    ]
)
"""One message to a book (32 bytes). Prices in ticks, quantities in lots; ``pad`` is ignored."""

TRADE_DTYPE = np.dtype(
    [
        ("taker_order_id", "<i8"),
        ("maker_order_id", "<i8"),
        ("price", "<i8"),  # ticks
        ("quantity", "<i8"),  # lots
        ("aggressor_side", "u1"),  # OrderSide of the taker
        ("pad", "u1", (7,)),
    ]
)
"""One trade (40 bytes). Price in ticks (the maker's), quantity in lots; ``pad`` is zero."""


class DepthLevel(NamedTuple):
    """One price of one side: the price in currency and the lots resting there."""

    price: float
    volume: int


class QueuePosition(NamedTuple):
    """What stands before an order at its price: lots and number of orders."""

    volume_ahead: int
    orders_ahead: int


@dataclass
class Order:
    """An order as its owner sees it.

    Build one with `create_limit_order` or `create_market_order`. ``add_order`` of a book gives it an
    ``order_id`` where it has none and sets ``remaining`` and ``status`` to the outcome on entry; later
    fills do not reach this object: ``book.get_order(order_id)`` tells the present state of a resting order.

    ``volume`` and ``remaining`` are lots, ``price`` is in currency (None for a market order).
    """

    symbol: str
    side: OrderSide
    order_type: OrderType
    volume: int
    price: float | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    participant: int = 0
    order_id: int | None = None
    remaining: int | None = None
    status: OrderStatus = OrderStatus.NEW

    def __post_init__(self) -> None:
        if self.remaining is None:
            self.remaining = self.volume

    @classmethod
    def create_limit_order(
        cls,
        symbol: str,
        side: OrderSide,
        volume: int,
        price: float,
        *,
        time_in_force: TimeInForce = TimeInForce.GTC,
        participant: int = 0,
        order_id: int | None = None,
    ) -> Order:
        """An order to trade ``volume`` lots at ``price`` (currency) or better.

        >>> Order.create_limit_order("ABC", OrderSide.BID, 100, 150.95).price
        150.95
        """
        return cls(symbol, side, OrderType.LIMIT, volume, price, time_in_force, participant, order_id)

    @classmethod
    def create_market_order(
        cls,
        symbol: str,
        side: OrderSide,
        volume: int,
        *,
        time_in_force: TimeInForce = TimeInForce.IOC,
        participant: int = 0,
        order_id: int | None = None,
    ) -> Order:
        """An order to trade ``volume`` lots at whatever price; what finds no counterpart is cancelled."""
        return cls(symbol, side, OrderType.MARKET, volume, None, time_in_force, participant, order_id)

    @property
    def filled(self) -> int:
        """Lots traded so far."""
        return self.volume - (self.volume if self.remaining is None else self.remaining)

    @property
    def quantity(self) -> int:
        """The same as ``volume``."""
        return self.volume


@dataclass(frozen=True)
class Trade:
    """One trade: ``quantity`` lots at the maker's ``price``.

    The price is in currency; ``price_ticks`` is the same in ticks.
    """

    symbol: str
    taker_order_id: int
    maker_order_id: int
    price: float
    price_ticks: int
    quantity: int
    aggressor_side: OrderSide

    @property
    def volume(self) -> int:
        """The same as ``quantity``."""
        return self.quantity


@dataclass(frozen=True)
class BookSnapshot:
    """A book at one moment.

    Prices (``best_bid``, ``best_ask``, ``mid_price``, ``spread``, ``microprice``, and the levels of
    ``bids`` and ``asks``, best first) are in currency, volumes in lots, ``spread_bps`` in basis points of
    the mid. A price that needs an empty side is None; so is ``spread_bps`` where the mid is not positive.
    ``imbalance`` is (bid - ask) / (bid + ask) of the best volumes, in [-1, 1], 0.0 for an empty book. The
    totals are over the whole side, not only the levels shown.
    """

    symbol: str
    best_bid: float | None
    best_ask: float | None
    best_bid_volume: int
    best_ask_volume: int
    mid_price: float | None
    spread: float | None
    spread_bps: float | None
    microprice: float | None
    imbalance: float
    total_bid_volume: int
    total_ask_volume: int
    bids: tuple[DepthLevel, ...]
    asks: tuple[DepthLevel, ...]
