"""What both books share: the face for people (orders, trades and snapshots in currency) over a face of integers.

No matching rule lives here. A book implements the primitives of `BaseBook` in ticks and lots.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hft_gym.book import refusals
from hft_gym.book.ticks import TickGrid
from hft_gym.errors import ConfigError, OrderError, PriceError, SymbolError
from hft_gym.types import (
    MAX_QUANTITY,
    MESSAGE_DTYPE,
    BookSnapshot,
    DepthLevel,
    MessageKind,
    Order,
    OrderSide,
    OrderStatus,
    OrderType,
    QueuePosition,
    TimeInForce,
    Trade,
)

__all__ = ["BaseBook", "Entered", "Fill", "Resting"]


class Fill(NamedTuple):
    """One trade of an incoming order: the maker's id, its price in ticks, lots."""

    maker_order_id: int
    ticks: int
    quantity: int


class Entered(NamedTuple):
    """The outcome of an incoming order: its status, the lots not traded, its trades in order."""

    status: OrderStatus
    remaining: int
    fills: list[Fill]


class Resting(NamedTuple):
    """A resting order in ticks and lots."""

    order_id: int
    side: OrderSide
    ticks: int
    quantity: int
    participant: int


def outcome_status(volume: int, remaining: int, rests: bool) -> OrderStatus:
    """The status of an accepted order of ``volume`` lots after it has entered."""
    if remaining == 0:
        return OrderStatus.FILLED
    if not rests:
        return OrderStatus.CANCELLED
    return OrderStatus.RESTING if remaining == volume else OrderStatus.PARTIALLY_FILLED


class BaseBook(ABC):
    """The public interface of an order book (rules: `hft_gym.book.rules`).

    Prices are in currency, quantities and volumes in lots. Every method that changes the book either
    succeeds or raises a typed `OrderError` and leaves the book as it was.
    """

    _lowest_id = refusals.MIN_ID
    _highest_id = refusals.MAX_ID

    def __init__(self, symbol: str, tick_size: float) -> None:
        if not isinstance(symbol, str) or not symbol:
            raise ConfigError(f"symbol is {symbol!r}; allowed are non-empty strings")
        self.symbol = symbol
        self._grid = TickGrid(tick_size)
        self._next_id = 1

    @property
    def tick_size(self) -> float:
        """The tick in currency."""
        return self._grid.tick_size

    # -- orders --------------------------------------------------------------------------------------------

    def add_order(self, order: Order) -> list[Trade]:
        """Enter a new order and return its trades, in order (R3 to R5, R9 to R12).

        Sets ``order.order_id`` (if it was None: a number no resting order has), ``order.remaining`` and
        ``order.status``. A killed FOK order is CANCELLED and a crossing POST_ONLY order REJECTED: these are outcomes,
        not errors.

        Raises:
            SymbolError: the order is for another instrument.
            DuplicateOrderError: its id is that of a resting order.
            SideError, PriceError, QuantityError: side, price or volume not allowed (R1).
            BookFullError: no room for it (R12).
            OrderError: already entered, or another field not allowed.
        """
        if not isinstance(order, Order):
            raise OrderError(f"order is {order!r}; allowed are instances of Order")
        if order.symbol != self.symbol:
            raise SymbolError(f"symbol is {order.symbol!r}; this book trades {self.symbol!r}")
        if order.status is not OrderStatus.NEW:
            status = OrderStatus(order.status).name
            raise OrderError(f"status is {status}: the order has been entered before; allowed are NEW orders")
        order_id = self._free_id() if order.order_id is None else self._check_id(order.order_id)
        if order_id in self:
            raise refusals.duplicate_id(order_id)
        side = _member(OrderSide, order.side, refusals.bad_side)
        kind, ticks = self._kind_and_ticks(order)
        quantity = _quantity(order.volume)
        time_in_force = _member(TimeInForce, order.time_in_force, refusals.bad_time_in_force)
        participant = refusals.whole_number(order.participant)
        if participant is None or not 0 <= participant <= refusals.MAX_PARTICIPANT:
            raise refusals.bad_participant(order.participant)
        entered = self._enter(kind, order_id, side, ticks, quantity, time_in_force, participant)
        if order.order_id is None:
            self._next_id = order_id + 1
        order.order_id, order.remaining, order.status = order_id, entered.remaining, entered.status
        return self._trades(order_id, side, entered.fills)

    def cancel_order(self, order_id: int) -> Order:
        """Take a resting order out of the book and return it, with status CANCELLED (R6).

        Raises:
            UnknownOrderError: no order with this id is resting.
        """
        resting = self._find(order_id)
        self._cancel(resting.order_id)
        order = self._as_order(resting)
        order.status = OrderStatus.CANCELLED
        return order

    def modify_order(self, order_id: int, volume: int | None = None, price: float | None = None) -> list[Trade]:
        """Give a resting order a new remaining volume, a new price, or both; return the trades this causes
        (R8).

        At its price and not larger it keeps its place in the queue; otherwise it goes to the back.

        Raises:
            UnknownOrderError: no order with this id is resting.
            PriceError, QuantityError: price or volume not allowed (R1).
            BookFullError: too much volume at the new price (R12).
        """
        resting = self._find(order_id)
        ticks = resting.ticks if price is None else self._grid.to_ticks(price)
        quantity = resting.quantity if volume is None else _quantity(volume)
        return self._trades(resting.order_id, resting.side, self._modify(resting.order_id, ticks, quantity))

    def get_order(self, order_id: int) -> Order:
        """A resting order as it stands: ``volume`` and ``remaining`` are what still rests.

        Raises:
            UnknownOrderError: no order with this id is resting.
        """
        return self._as_order(self._find(order_id))

    def get_orders(self, side: OrderSide) -> list[Order]:
        """All resting orders of a side in the order in which they would trade (R3)."""
        return [self._as_order(r) for r in self._queue(_member(OrderSide, side, refusals.bad_side))]

    def queue_position(self, order_id: int) -> QueuePosition:
        """Volume and number of the orders at the same price that trade before this one.

        Raises:
            UnknownOrderError: no order with this id is resting.
        """
        return self._ahead(self._find(order_id).order_id)

    def __contains__(self, order_id: object) -> bool:
        """Whether an order with this id is resting."""
        number = refusals.whole_number(order_id)
        return number is not None and self._get(number) is not None

    # -- the book as a whole -------------------------------------------------------------------------------

    def get_depth(self, side: OrderSide, levels: int = 10) -> list[DepthLevel]:
        """The best ``levels`` prices of a side, best first, each with its volume."""
        side = _member(OrderSide, side, refusals.bad_side)
        return [DepthLevel(self._grid.to_price(t), v) for t, v in self._depth(side, _levels(levels))]

    def get_snapshot(self, levels: int = 10) -> BookSnapshot:
        """The book at this moment, with the best ``levels`` prices of each side."""
        levels = _levels(levels)
        depths = [self._depth(side, max(levels, 1)) for side in OrderSide]
        return build_snapshot(self.symbol, self._grid, depths, [self._total(s) for s in OrderSide], levels)

    @abstractmethod
    def apply(self, messages: NDArray[Any]) -> NDArray[Any]:
        """Work through an array of ``MESSAGE_DTYPE`` in order and return the trades as ``TRADE_DTYPE`` (R13).

        Prices are in ticks here.

        Raises:
            MessageError: at the first message that is refused; the ones before it stay applied.
        """

    @abstractmethod
    def check(self) -> None:
        """Assert every invariant of the book's structure. For tests: slow."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of resting orders."""

    # -- primitives in ticks and lots ----------------------------------------------------------------------

    @abstractmethod
    def _enter(
        self,
        kind: MessageKind,
        order_id: int,
        side: OrderSide,
        ticks: int,
        quantity: int,
        time_in_force: TimeInForce,
        participant: int,
    ) -> Entered:
        """Process a new order."""

    @abstractmethod
    def _cancel(self, order_id: int) -> None:
        """Take out a resting order."""

    @abstractmethod
    def _modify(self, order_id: int, ticks: int, quantity: int) -> list[Fill]:
        """Change a resting order."""

    @abstractmethod
    def _get(self, order_id: int) -> Resting | None:
        """The resting order with this id."""

    @abstractmethod
    def _queue(self, side: OrderSide) -> list[Resting]:
        """All resting orders of a side by priority."""

    @abstractmethod
    def _ahead(self, order_id: int) -> QueuePosition:
        """What stands before a resting order at its price."""

    @abstractmethod
    def _depth(self, side: OrderSide, levels: int) -> list[tuple[int, int]]:
        """The best prices of a side, each with its volume."""

    @abstractmethod
    def _total(self, side: OrderSide) -> int:
        """Volume of a side."""

    # -- translation ---------------------------------------------------------------------------------------

    def _free_id(self) -> int:
        candidate = self._next_id
        while candidate in self:
            candidate += 1
        return self._check_id(candidate)

    def _check_id(self, order_id: Any) -> int:
        number = refusals.whole_number(order_id)
        if number is None or not self._lowest_id <= number <= self._highest_id:
            raise refusals.bad_id(order_id, self._lowest_id, self._highest_id)
        return number

    def _find(self, order_id: Any) -> Resting:
        number = refusals.whole_number(order_id)
        resting = None if number is None else self._get(number)
        if resting is None:
            raise refusals.unknown_id(order_id)
        return resting

    def _kind_and_ticks(self, order: Order) -> tuple[MessageKind, int]:
        if order.order_type == OrderType.MARKET:
            if order.price is not None:
                raise PriceError(f"price is {order.price!r}; a market order has no price")
            return MessageKind.MARKET, 0
        if order.order_type != OrderType.LIMIT:
            raise OrderError(f"order_type is {order.order_type!r}; allowed are 0 (LIMIT), 1 (MARKET)")
        return MessageKind.LIMIT, self._grid.to_ticks(order.price)

    def _trades(self, taker: int, side: OrderSide, fills: list[Fill]) -> list[Trade]:
        price = self._grid.to_price
        return [Trade(self.symbol, taker, f.maker_order_id, price(f.ticks), f.ticks, f.quantity, side) for f in fills]

    def _as_order(self, resting: Resting) -> Order:
        return Order(
            self.symbol,
            resting.side,
            OrderType.LIMIT,
            resting.quantity,
            self._grid.to_price(resting.ticks),
            participant=resting.participant,
            order_id=resting.order_id,
            status=OrderStatus.RESTING,
        )


def build_snapshot(
    symbol: str, grid: TickGrid, depths: list[list[tuple[int, int]]], totals: list[int], levels: int
) -> BookSnapshot:
    """A snapshot that lists *levels* prices a side.

    Args:
        symbol: the instrument.
        grid: its ticks.
        depths: the best (ticks, volume) of each side: as many as are listed, at least one if there is one.
        totals: the volume of each side.
        levels: how many prices to list.
    """
    price = grid.to_price
    bid, ask = (depth[0][0] if depth else None for depth in depths)
    bid_volume, ask_volume = (depth[0][1] if depth else 0 for depth in depths)
    mid = spread = bps = microprice = None
    touch = bid_volume + ask_volume
    if bid is not None and ask is not None:
        mid = price(bid + ask, 2)
        spread = price(ask - bid)
        bps = 20_000 * (ask - bid) / (ask + bid) if ask + bid > 0 else None
        microprice = price(ask * bid_volume + bid * ask_volume, touch)
    shown = [tuple(DepthLevel(price(t), v) for t, v in depth[:levels]) for depth in depths]
    return BookSnapshot(
        symbol=symbol,
        best_bid=None if bid is None else price(bid),
        best_ask=None if ask is None else price(ask),
        best_bid_volume=bid_volume,
        best_ask_volume=ask_volume,
        mid_price=mid,
        spread=spread,
        spread_bps=bps,
        microprice=microprice,
        imbalance=(bid_volume - ask_volume) / touch if touch else 0.0,
        total_bid_volume=totals[OrderSide.BID],
        total_ask_volume=totals[OrderSide.ASK],
        bids=shown[0],
        asks=shown[1],
    )


def check_messages(messages: Any) -> NDArray[Any]:
    """``messages`` as a C-contiguous, aligned, writeable array of ``MESSAGE_DTYPE``; copied if it is not one.

    Raises:
        OrderError: not a one-dimensional array of that dtype.
    """
    if not isinstance(messages, np.ndarray) or messages.dtype != MESSAGE_DTYPE or messages.ndim != 1:
        found = f"{messages.ndim}-d {messages.dtype}" if isinstance(messages, np.ndarray) else repr(type(messages))
        raise OrderError(f"messages is {found}; allowed are one-dimensional arrays of MESSAGE_DTYPE")
    # One flavour of array means one compiled function.
    return np.require(messages, MESSAGE_DTYPE, ["C", "A", "W"])


def _member(enum: Any, value: Any, refusal: Any) -> Any:
    if isinstance(value, enum):
        return value
    number = refusals.whole_number(value)
    if number is None or number not in list(enum):
        raise refusal(value)
    return enum(number)


def _quantity(value: Any) -> int:
    number = refusals.whole_number(value)
    if number is None or not 1 <= number <= MAX_QUANTITY:
        raise refusals.bad_quantity(value)
    return number


def _levels(value: Any) -> int:
    number = refusals.whole_number(value)
    if number is None or number < 0:
        raise ConfigError(f"levels is {value!r}; allowed are whole numbers from 0")
    return number
