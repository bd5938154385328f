"""The readable order book: the specification that the compiled one is held to."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sortedcontainers import SortedDict

from hft_gym.book import refusals
from hft_gym.book.base import BaseBook, Entered, Fill, Resting, check_messages, outcome_status
from hft_gym.errors import ConfigError, MessageError, OrderError
from hft_gym.types import (
    MAX_PRICE_TICKS,
    MAX_QUANTITY,
    TRADE_DTYPE,
    MessageKind,
    OrderSide,
    OrderStatus,
    QueuePosition,
    TimeInForce,
)

__all__ = ["OrderBook"]


class _Order:
    """A resting order."""

    __slots__ = ("key", "order_id", "participant", "quantity", "side")

    def __init__(self, order_id: int, side: OrderSide, key: int, quantity: int, participant: int) -> None:
        self.order_id = order_id
        self.side = side
        self.key = key
        self.quantity = quantity
        self.participant = participant


class _Level:
    """The orders at one price, oldest first (a dict keeps insertion order), and their volume."""

    __slots__ = ("orders", "volume")

    def __init__(self) -> None:
        self.orders: dict[int, _Order] = {}
        self.volume = 0


class OrderBook(BaseBook):
    """A price-time priority order book in plain Python.

    Each side is a ``SortedDict`` from *key* to level; the key of a price is ``ticks`` for asks and
    ``-ticks`` for bids, so that the best price of either side comes first. With n prices on a side, adding,
    cancelling and each trade cost O(log n); `queue_position` is linear in the orders at the price.

    >>> from hft_gym import Order, OrderBook, OrderSide
    >>> book = OrderBook("ABC")
    >>> book.add_order(Order.create_limit_order("ABC", OrderSide.ASK, 100, 150.95))
    []
    >>> [trade] = book.add_order(Order.create_market_order("ABC", OrderSide.BID, 30))
    >>> trade.price, trade.quantity, book.get_snapshot().best_ask_volume
    (150.95, 30, 70)

    Args:
        symbol: the instrument; orders for another one are refused.
        tick_size: the tick in currency.
        max_orders: how many orders may rest (R12).
    """

    def __init__(self, symbol: str, tick_size: float = 0.01, *, max_orders: int = 2**30) -> None:
        super().__init__(symbol, tick_size)
        number = refusals.whole_number(max_orders)
        if number is None or not 1 <= number <= 2**30:
            raise ConfigError(f"max_orders is {max_orders!r}; allowed are whole numbers from 1 to {2**30}")
        self.max_orders = number
        self._sides: tuple[SortedDict, SortedDict] = (SortedDict(), SortedDict())
        self._orders: dict[int, _Order] = {}

    # -- message arrays ------------------------------------------------------------------------------------

    def apply(self, messages: NDArray[Any]) -> NDArray[Any]:
        """See `BaseBook.apply`."""
        messages = check_messages(messages)
        rows: list[tuple[int, int, int, int, int]] = []
        for index, message in enumerate(messages):
            try:
                side, fills = self._process(message)
            except OrderError as error:
                raise MessageError(index, _trade_array(rows), error) from error
            taker = int(message["order_id"])
            rows += [(taker, f.maker_order_id, f.ticks, f.quantity, side) for f in fills]
        return _trade_array(rows)

    def _process(self, message: Any) -> tuple[int, list[Fill]]:
        """Carry out one message (R13); return the taker's side and its trades."""
        order_id, quantity, ticks = int(message["order_id"]), int(message["quantity"]), int(message["price"])
        kind, side, time_in_force = int(message["kind"]), int(message["side"]), int(message["time_in_force"])
        if kind not in list(MessageKind):
            raise refusals.bad_kind(kind)
        if kind in (MessageKind.LIMIT, MessageKind.MARKET):
            if order_id in self._orders:  # R2
                raise refusals.duplicate_id(order_id)
            if side not in list(OrderSide):
                raise refusals.bad_side(side)
            if kind == MessageKind.LIMIT and abs(ticks) > MAX_PRICE_TICKS:
                raise refusals.bad_price(ticks)
            if not 1 <= quantity <= MAX_QUANTITY:
                raise refusals.bad_quantity(quantity)
            if time_in_force not in list(TimeInForce):
                raise refusals.bad_time_in_force(time_in_force)
            entered = self._enter(
                MessageKind(kind),
                order_id,
                OrderSide(side),
                ticks,
                quantity,
                TimeInForce(time_in_force),
                int(message["participant"]),
            )
            return side, entered.fills
        order = self._orders.get(order_id)
        if order is None:
            raise refusals.unknown_id(order_id)
        if kind == MessageKind.MODIFY:
            return order.side, self._modify(order_id, ticks, quantity)
        if kind == MessageKind.CANCEL:
            self._cancel(order_id)
        else:
            self._reduce(order, quantity)
        return order.side, []

    # -- the rules -----------------------------------------------------------------------------------------

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
        # A market order is a limit order at the worst price there is, whose remainder never rests (R5).
        limit = _key(side.opposite, ticks) if kind == MessageKind.LIMIT else MAX_PRICE_TICKS
        may_rest = kind == MessageKind.LIMIT and time_in_force in (TimeInForce.GTC, TimeInForce.POST_ONLY)
        if kind == MessageKind.MARKET and time_in_force == TimeInForce.POST_ONLY:  # R10
            raise refusals.bad_market_time_in_force()
        if may_rest:
            self._check_room(side, ticks, quantity)  # R12
        if time_in_force == TimeInForce.POST_ONLY and self._crosses(side, limit):  # R10
            return Entered(OrderStatus.REJECTED, quantity, [])
        if time_in_force == TimeInForce.FOK and self._available(side, limit, participant) < quantity:  # R9
            return Entered(OrderStatus.CANCELLED, quantity, [])
        remaining, fills = self._match(side, limit, quantity, participant)
        rests = may_rest and remaining > 0
        if rests:
            self._rest(_Order(order_id, side, _key(side, ticks), remaining, participant))
        return Entered(outcome_status(quantity, remaining, rests), remaining, fills)

    def _match(self, side: OrderSide, limit: int, quantity: int, participant: int) -> tuple[int, list[Fill]]:
        """Trade against the opposite side down to key ``limit``; return what is left and the trades."""
        fills: list[Fill] = []
        while quantity > 0 and self._crosses(side, limit):
            key, level = self._sides[side.opposite].peekitem(0)  # R3: best price
            maker = next(iter(level.orders.values()))  # R3: oldest order
            if participant != 0 and maker.participant == participant:  # R11
                self._remove(maker)
                continue
            traded = min(quantity, maker.quantity)  # R4
            fills.append(Fill(maker.order_id, _key(side.opposite, key), traded))
            quantity -= traded
            if traded == maker.quantity:
                self._remove(maker)
            else:
                self._set_quantity(maker, maker.quantity - traded)
        return quantity, fills

    def _crosses(self, side: OrderSide, limit: int) -> bool:
        """Whether the best opposite key is at ``limit`` or better."""
        opposite = self._sides[side.opposite]
        return bool(opposite) and opposite.peekitem(0)[0] <= limit

    def _available(self, side: OrderSide, limit: int, participant: int) -> int:
        """Opposite volume down to key ``limit`` that is not the participant's own (R9)."""
        return sum(
            order.quantity
            for key, level in self._sides[side.opposite].items()
            if key <= limit
            for order in level.orders.values()
            if participant == 0 or order.participant != participant
        )

    def _check_room(self, side: OrderSide, ticks: int, quantity: int) -> None:
        if len(self._orders) >= self.max_orders:
            raise refusals.book_full(self.max_orders)
        level = self._sides[side].get(_key(side, ticks))
        if level is not None and level.volume + quantity > refusals.MAX_LEVEL_VOLUME:
            raise refusals.level_full(ticks, quantity)

    def _cancel(self, order_id: int) -> None:
        order = self._orders.get(order_id)
        if order is None:
            raise refusals.unknown_id(order_id)
        self._remove(order)

    def _reduce(self, order: _Order, quantity: int) -> None:
        if not 1 <= quantity <= MAX_QUANTITY:
            raise refusals.bad_quantity(quantity)
        if quantity > order.quantity:
            raise refusals.bad_reduction(quantity, order.quantity)
        self._set_quantity(order, quantity)

    def _modify(self, order_id: int, ticks: int, quantity: int) -> list[Fill]:
        order = self._orders[order_id]
        if abs(ticks) > MAX_PRICE_TICKS:
            raise refusals.bad_price(ticks)
        if not 1 <= quantity <= MAX_QUANTITY:
            raise refusals.bad_quantity(quantity)
        key = _key(order.side, ticks)
        if key == order.key and quantity <= order.quantity:
            self._set_quantity(order, quantity)
            return []
        level = self._sides[order.side].get(key)
        others = 0 if level is None else level.volume - (order.quantity if key == order.key else 0)
        if others + quantity > refusals.MAX_LEVEL_VOLUME:
            raise refusals.level_full(ticks, quantity)
        self._remove(order)
        entered = self._enter(
            MessageKind.LIMIT, order_id, order.side, ticks, quantity, TimeInForce.GTC, order.participant
        )
        return entered.fills

    # -- the structure -------------------------------------------------------------------------------------

    def _rest(self, order: _Order) -> None:
        """Put an order at the back of its price (R5)."""
        level = self._sides[order.side].setdefault(order.key, _Level())
        level.orders[order.order_id] = order
        level.volume += order.quantity
        self._orders[order.order_id] = order

    def _remove(self, order: _Order) -> None:
        level = self._sides[order.side][order.key]
        level.volume -= order.quantity
        del level.orders[order.order_id]
        del self._orders[order.order_id]
        if not level.orders:
            del self._sides[order.side][order.key]

    def _set_quantity(self, order: _Order, quantity: int) -> None:
        self._sides[order.side][order.key].volume += quantity - order.quantity
        order.quantity = quantity

    # -- reading -------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Number of resting orders."""
        return len(self._orders)

    def _get(self, order_id: int) -> Resting | None:
        order = self._orders.get(order_id)
        return None if order is None else _as_resting(order)

    def _queue(self, side: OrderSide) -> list[Resting]:
        return [_as_resting(o) for level in self._sides[side].values() for o in level.orders.values()]

    def _ahead(self, order_id: int) -> QueuePosition:
        order = self._orders[order_id]
        volume = count = 0
        for other in self._sides[order.side][order.key].orders.values():
            if other is order:
                break
            volume += other.quantity
            count += 1
        return QueuePosition(volume, count)

    def _depth(self, side: OrderSide, levels: int) -> list[tuple[int, int]]:
        best = self._sides[side].items()[:levels]
        return [(_key(side, key), level.volume) for key, level in best]

    def _total(self, side: OrderSide) -> int:
        return sum(level.volume for level in self._sides[side].values())

    def copy(self) -> OrderBook:
        """An independent book in the same state."""
        return deepcopy(self)

    __copy__ = copy

    def check(self) -> None:
        """Assert every invariant of the structure."""
        seen = 0
        for side in OrderSide:
            for key, level in self._sides[side].items():
                assert level.orders, f"empty level {key} kept on side {side.name}"
                assert level.volume == sum(o.quantity for o in level.orders.values()), (side, key)
                assert level.volume <= refusals.MAX_LEVEL_VOLUME, (side, key)
                for order_id, order in level.orders.items():
                    assert self._orders[order_id] is order, order_id
                    assert (order.order_id, order.side, order.key) == (order_id, side, key)
                    assert 1 <= order.quantity <= MAX_QUANTITY
                seen += len(level.orders)
        assert seen == len(self._orders) <= self.max_orders
        best_bid, best_ask = (self._depth(side, 1) for side in OrderSide)
        assert not best_bid or not best_ask or best_bid[0][0] < best_ask[0][0], "the book is crossed"


def _key(side: OrderSide, ticks: int) -> int:
    """A price as a sort key of a side, and back: smaller is better."""
    return ticks if side == OrderSide.ASK else -ticks


def _as_resting(order: _Order) -> Resting:
    return Resting(order.order_id, order.side, _key(order.side, order.key), order.quantity, order.participant)


def _trade_array(rows: list[tuple[int, int, int, int, int]]) -> NDArray[Any]:
    trades = np.zeros(len(rows), TRADE_DTYPE)
    if rows:
        columns = np.array(rows, np.int64).T
        for name, column in zip(TRADE_DTYPE.names or (), columns, strict=False):
            trades[name] = column
    return trades
