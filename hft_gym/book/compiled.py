"""The compiled order book for Python: the kernel's arrays behind the interface of both books."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import entry
from hft_gym.book import idmap, kernel, ladder, messages, refusals
from hft_gym.book.base import BaseBook, Entered, Fill, Resting, check_messages, outcome_status
from hft_gym.book.inspection import check_book
from hft_gym.errors import ConfigError, MessageError, OrderError
from hft_gym.types import (
    MESSAGE_DTYPE,
    TRADE_DTYPE,
    MessageKind,
    OrderSide,
    OrderStatus,
    QueuePosition,
    TimeInForce,
)

__all__ = ["CompiledOrderBook"]

_FEW = 1_024
"""Up to this many messages a run writes its trades to a kept buffer and copies them out."""


class CompiledOrderBook(BaseBook):
    """The same book as `OrderBook`, compiled: made for `apply` over message arrays (about 15 ns a message).

    Prices need no range: each side has a ladder of ``levels`` prices from about the best one; orders further away are
    parked in order and come back when the ladder moves, which costs time but loses nothing.

    >>> import numpy as np
    >>> from hft_gym import MESSAGE_DTYPE, CompiledOrderBook, MessageKind, OrderSide
    >>> book = CompiledOrderBook("ABC", max_orders=1_000)
    >>> messages = np.zeros(2, MESSAGE_DTYPE)
    >>> messages["kind"] = MessageKind.LIMIT, MessageKind.MARKET
    >>> messages["order_id"] = 71, 72
    >>> messages["side"] = OrderSide.ASK, OrderSide.BID
    >>> messages["price"], messages["quantity"] = 15_095, 10
    >>> [int(maker) for maker in book.apply(messages)["maker_order_id"]]
    [71]

    Args:
        symbol: the instrument; orders for another one are refused.
        tick_size: the tick in currency.
        max_orders: how many orders may rest (R12), at most 2**28. Another size costs no compilation.
        levels: prices in each side's ladder, rounded up to a multiple of 64, at most 2**18.
        max_id: promise that every order id lies in [0, max_id): ids then index an array instead of a hash
            map, which is faster. None allows any 64-bit id.

    Raises:
        ConfigError: an argument out of range.
    """

    def __init__(
        self,
        symbol: str,
        tick_size: float = 0.01,
        max_orders: int = 65_536,
        *,
        levels: int = 4_096,
        max_id: int | None = None,
    ) -> None:
        super().__init__(symbol, tick_size)
        self.max_orders = _size("max_orders", max_orders, 2**28)
        self.levels = (_size("levels", levels, ladder.MAX_LEVELS) + 63) // 64 * 64
        self._arrays = ladder.allocate(1, self.levels, self.max_orders)
        self._direct = np.zeros(0, np.uint32)
        self._table: NDArray[np.uint64] | None = None
        if max_id is None:
            self._table = idmap.allocate_table(self.max_orders)
        else:
            self._direct = np.zeros(_size("max_id", max_id, 2**32), np.uint32)
            self._lowest_id, self._highest_id = 0, len(self._direct) - 1
        self._allocate_buffers()

    def _allocate_buffers(self) -> None:
        # Hold nothing between calls. Pages that are never written cost no memory.
        self._fills = np.empty(self.max_orders, kernel.FILL)
        self._trades_buffer = np.empty(self.max_orders + 2 * _FEW, TRADE_DTYPE)
        self._report = np.zeros(1, messages.REPORT)
        self._one = np.zeros(1, MESSAGE_DTYPE)

    # -- message arrays --------------------------------------------------------------------------------------

    def apply(self, messages: NDArray[Any]) -> NDArray[Any]:
        """See `BaseBook.apply`."""
        messages = check_messages(messages)
        count, done = len(messages), 0
        parts: list[NDArray[Any]] = []
        while True:
            # One message can trade with every resting order, so that much room must be left before each; the
            # half trade a message on top makes a second part rare.
            left = count - done
            few = left <= _FEW
            trades = self._trades_buffer if few else np.empty(len(self) + left // 2 + _FEW, TRADE_DTYPE)
            done = self._run(messages, done, trades)
            written = int(self._report["trades"][0])
            if few:
                parts.append(trades[:written].copy())
            else:
                trades.resize(written, refcheck=False)  # gives the unused pages back without copying
                parts.append(trades)
            failed = self._report["outcome"][0] < 0
            if failed or done == count:
                break
        result = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if failed:
            error = self._refusal(messages[done])
            raise MessageError(done, result, error) from error
        return result

    def _run(self, batch: NDArray[Any], start: int, trades: NDArray[Any]) -> int:
        rows = trades.view(messages.TRADE_ROW)
        return int(
            messages.apply(batch, start, *self._arrays, self._direct, self._table, self._fills, rows, self._report)
        )

    def _refusal(self, message: Any) -> OrderError:
        """The error of the last run, which stopped at this message."""
        order_id, quantity, ticks = int(message["order_id"]), int(message["quantity"]), int(message["price"])
        outcome = int(self._report["outcome"][0])
        if outcome == messages.BAD_KIND:
            return refusals.bad_kind(int(message["kind"]))
        if outcome == messages.BAD_ID:
            return refusals.bad_id(order_id, self._lowest_id, self._highest_id)
        if outcome == messages.DUPLICATE_ID:
            return refusals.duplicate_id(order_id)
        if outcome == messages.UNKNOWN_ID:
            return refusals.unknown_id(order_id)
        if outcome == messages.BAD_REDUCTION:
            return refusals.bad_reduction(quantity, self._quantity_of(order_id))
        if outcome == kernel.BAD_SIDE:
            return refusals.bad_side(int(message["side"]))
        if outcome == kernel.BAD_PRICE:
            return refusals.bad_price(ticks)
        if outcome == kernel.BAD_QUANTITY:
            return refusals.bad_quantity(quantity)
        if outcome == kernel.BAD_TIME_IN_FORCE:
            if message["time_in_force"] == TimeInForce.POST_ONLY:
                return refusals.bad_market_time_in_force()
            return refusals.bad_time_in_force(int(message["time_in_force"]))
        if outcome == kernel.BOOK_FULL:
            return refusals.book_full(self.max_orders)
        assert outcome == kernel.LEVEL_FULL, outcome
        return refusals.level_full(ticks, quantity)

    # -- single orders ---------------------------------------------------------------------------------------

    def _single(self, **fields: int) -> list[Fill]:
        """Apply one message and return its trades."""
        one = self._one
        one[0] = np.zeros((), MESSAGE_DTYPE)
        for name, value in fields.items():
            one[name] = value
        done = self._run(one, 0, self._trades_buffer)
        if done == 0:
            raise self._refusal(one[0])
        trades = self._trades_buffer[: int(self._report["trades"][0])]
        columns = (trades[name].tolist() for name in ("maker_order_id", "price", "quantity"))
        return [Fill(*row) for row in zip(*columns, strict=True)]

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
        fills = self._single(
            kind=kind,
            order_id=order_id,
            side=side,
            price=ticks,
            quantity=quantity,
            time_in_force=time_in_force,
            participant=participant,
        )
        report = self._report[0]
        remaining = int(report["remaining"])
        status = outcome_status(quantity, remaining, bool(report["slot"] != 0))
        if report["outcome"] == kernel.REJECTED_POST_ONLY:
            status = OrderStatus.REJECTED
        return Entered(status, remaining, fills)

    def _cancel(self, order_id: int) -> None:
        self._single(kind=MessageKind.CANCEL, order_id=order_id)

    def _modify(self, order_id: int, ticks: int, quantity: int) -> list[Fill]:
        return self._single(kind=MessageKind.MODIFY, order_id=order_id, price=ticks, quantity=quantity)

    # -- reading ---------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Number of resting orders."""
        return int(self._arrays[0]["n_live"][0])

    def _slot(self, order_id: int) -> int:
        if not self._lowest_id <= order_id <= self._highest_id:
            return 0
        head, _, order, _ = self._arrays
        return int(messages.find_slot(self._direct, self._table, head, order, order_id))

    def _quantity_of(self, order_id: int) -> int:
        return int(self._arrays[1]["quantity"][0, self._slot(order_id)])

    def _get(self, order_id: int) -> Resting | None:
        slot = self._slot(order_id)
        return self._resting(slot) if slot else None

    def _resting(self, slot: int) -> Resting:
        _, nodes, orders, _ = self._arrays
        sentinels = 2 * (self.levels + 1)
        node, order = nodes[0, slot], orders[0, slot - sentinels]
        side = OrderSide.ASK if node["level"] > self.levels else OrderSide.BID
        return Resting(int(order["id"]), side, int(order["price"]), int(node["quantity"]), int(order["participant"]))

    def _queue(self, side: OrderSide) -> list[Resting]:
        following = self._arrays[1]["next"][0]
        start = side * (self.levels + 1)
        sentinels = np.arange(start, start + self.levels + 1)
        orders: list[Resting] = []
        for level in sentinels[following[sentinels] != sentinels].tolist():
            slot = int(following[level])
            while slot != level:
                orders.append(self._resting(slot))
                slot = int(following[slot])
        # The parked orders come last, in order of arrival: a stable sort brings them in order of price.
        return sorted(orders, key=lambda order: -order.ticks if side == OrderSide.BID else order.ticks)

    def _ahead(self, order_id: int) -> QueuePosition:
        volume, count = _ahead(*self._arrays, self._slot(order_id))
        return QueuePosition(int(volume), int(count))

    def _depth(self, side: OrderSide, levels: int) -> list[tuple[int, int]]:
        head = self._arrays[0][0]
        found = np.empty((min(levels, self.levels), 2), np.int64)
        count = int(_ladder_depth(*self._arrays, int(side), found))
        depth: list[tuple[int, int]] = [(t, v) for t, v in found[:count].tolist()]
        if count < levels and head["parked"][side]:
            volumes: dict[int, int] = {}
            for order in self._queue(side)[-int(head["parked"][side]) :]:
                volumes[order.ticks] = volumes.get(order.ticks, 0) + order.quantity
            depth += list(volumes.items())[: levels - count]
        return depth

    def _total(self, side: OrderSide) -> int:
        head, nodes, _, _ = self._arrays
        start = side * (self.levels + 1)
        total = int(nodes["quantity"][0, start : start + self.levels].sum(dtype=np.int64))
        parked = int(head["parked"][0, side])
        if parked:
            total += sum(order.quantity for order in self._queue(side)[-parked:])
        return total

    # -- the state as a value --------------------------------------------------------------------------------

    def copy(self) -> CompiledOrderBook:
        """An independent book in the same state."""
        twin = object.__new__(type(self))
        twin.__setstate__(self.__getstate__())
        return twin

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledOrderBook:
        """As `copy`."""
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        """The state without buffers; the arrays are copies."""
        state = dict(self.__dict__)
        for name in ("_fills", "_trades_buffer", "_report", "_one"):
            del state[name]
        state["_arrays"] = tuple(array.copy() for array in self._arrays)
        state["_direct"] = self._direct.copy()
        if self._table is not None:
            # Only the region in use; see `idmap`.
            state["_table"] = self._table[: 2 * int(self._table[0])].copy()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over a state from `__getstate__`."""
        self.__dict__.update(state)
        if self._table is not None:
            used, self._table = self._table, idmap.allocate_table(self.max_orders)
            self._table[: len(used)] = used
        self._allocate_buffers()

    def check(self) -> None:
        """Assert every invariant of the structure: lists, levels, bitmaps, free slots, id map."""
        check_book(self._arrays, self._direct, self._table)


@entry
def _ahead(head: Any, node: Any, order: Any, words: Any, slot: int) -> tuple[int, int]:
    return ladder.queue_ahead(ladder.Book(head[0], node[0], order[0], words[0]), slot)


@entry
def _ladder_depth(head: Any, node: Any, order: Any, words: Any, side: int, found: Any) -> int:
    """Write (price, volume) of the best levels in the ladder to *found* and return how many there are."""
    book = ladder.Book(head[0], node[0], order[0], words[0])
    levels = book.head["levels"]
    index = book.head["best"][side]
    count = 0
    while index < levels and count < found.shape[0]:
        key = book.head["base"][side] + index
        found[count, 0] = key if side == ladder.ASK else -key
        found[count, 1] = book.node[ladder.sentinel(book, side, index)]["quantity"]
        count += 1
        index = ladder.next_level(book, side, index + 1)
    return count


def _size(name: str, value: Any, largest: int) -> int:
    number = refusals.whole_number(value)
    if number is None or not 1 <= number <= largest:
        raise ConfigError(f"{name} is {value!r}; allowed are whole numbers from 1 to {largest}")
    return number


def warm_up() -> None:
    """Compile, or load from the cache, all that a `CompiledOrderBook` runs, with any ids and dense ones."""
    for max_id in (None, 64):
        book = CompiledOrderBook("WARM", max_orders=64, levels=64, max_id=max_id)
        message = np.zeros(1, MESSAGE_DTYPE)
        message["quantity"] = 1
        book.apply(message)
        book.queue_position(0)
        book.get_snapshot()
