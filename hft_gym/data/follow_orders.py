"""Messages about orders (level 3), for `hft_gym.data.follow`."""

from __future__ import annotations

from typing import Any

from hft_gym._jit import I64, U, kernel
from hft_gym.book import ladder
from hft_gym.book.ladder import Book
from hft_gym.data import follow_state as c
from hft_gym.data.follow_base import deletion, enter, find, note_issue, take
from hft_gym.data.follow_state import Follow, Output
from hft_gym.data.messages import FeedKind
from hft_gym.data.ops import OP_EXECUTE, OP_REDUCE

_ADD, _CANCEL, _DELETE, _EXECUTE, _REPLACE, _MODIFY, _FILL = (
    int(k)
    for k in (
        FeedKind.ADD, FeedKind.CANCEL, FeedKind.DELETE, FeedKind.EXECUTE, FeedKind.REPLACE, FeedKind.MODIFY,
        FeedKind.FILL,
    )
)  # fmt: skip


@kernel
def leave(f: Follow, o: Output, slot: int, units: int) -> None:
    """A cancellation of *units*, of which what was filled before in this event is an execution."""
    extra = f.extra[U(slot)]
    filled = extra["fill"] if extra["fill_event"] == f.counters[c.EVENT] else 0
    filled = min(filled, units)
    if filled > 0:
        extra["fill"] -= filled
        left = extra["exact"] - filled
        take(f, o, slot, filled, OP_EXECUTE)
        if left == 0:
            return
    if units > filled:
        take(f, o, slot, units - filled, OP_REDUCE)


@kernel
def first_unfilled(f: Follow, side: int) -> int:
    """The order of a side that would trade next, those that this event has filled left out; 0 if none is in sight."""
    book = Book(f.head, f.node, f.order, f.words)
    levels = f.head["levels"]
    index = f.head["best"][side]
    while index < levels:
        level = ladder.sentinel(book, side, index)
        slot = I64(f.node[U(level)]["next"])
        while slot != level:
            extra = f.extra[U(slot)]
            if extra["fill_event"] != f.counters[c.EVENT] or extra["fill"] < extra["exact"]:
                return slot
            slot = I64(f.node[U(slot)]["next"])
        index = ladder.next_level(book, side, index + 1)
    return 0


@kernel
def executed(f: Follow, slot: int) -> None:
    """Was the executed order at the best price, and first in its queue?"""
    side = ladder.side_of(Book(f.head, f.node, f.order, f.words), slot)
    f.counters[c.EXECUTIONS] += 1
    first = first_unfilled(f, side)
    if first == slot:
        f.counters[c.AT_FRONT] += 1
    if first != 0 and ladder.price_of(Book(f.head, f.node, f.order, f.words), first) == ladder.price_of(
        Book(f.head, f.node, f.order, f.words), slot
    ):
        f.counters[c.AT_BEST] += 1


@kernel
def displace(f: Follow, o: Output, r: Any, row: int, slot: int, order_id: int) -> None:
    """Take out the order in *slot*, whose id a new order bears: an issue, and a DELETE that is passed on."""
    note_issue(f, o, c.ISSUE_DUPLICATE, row, order_id, 0)
    side = ladder.side_of(Book(f.head, f.node, f.order, f.words), slot)
    quantity = f.extra[U(slot)]["exact"]
    price = I64(f.order[U(slot - f.head["first"])]["price"]) * f.counters[c.TICK]
    take(f, o, slot, quantity, OP_REDUCE)
    deletion(f, o, r, row, order_id, side, price, quantity)


@kernel
def order_message(f: Follow, o: Output, r: Any, row: int) -> bool:
    """A message about orders; False if it is dropped. *r* may be repaired."""
    kind = I64(r["kind"])
    order_id = r["order_id"]
    tick = f.counters[c.TICK]
    slot = find(f, order_id)
    if kind == _ADD:
        if slot != 0:
            displace(f, o, r, row, slot, order_id)
        enter(f, I64(r["side"]), r["price"] // tick, r["quantity"], order_id)
        return True
    if slot == 0:
        if kind == _FILL:
            f.counters[c.UNKNOWN_FILLS] += 1
            return True
        note_issue(f, o, c.ISSUE_UNKNOWN, row, order_id, 0)
        if kind == _MODIFY and r["side"] <= 1 and r["price"] != 0:
            r["kind"] = _ADD
            f.counters[c.MODIFIED_ADDS] += 1
            enter(f, I64(r["side"]), r["price"] // tick, r["quantity"], order_id)
            return True
        return False
    extra = f.extra[U(slot)]
    side = ladder.side_of(Book(f.head, f.node, f.order, f.words), slot)
    price = I64(f.order[U(slot - f.head["first"])]["price"])
    left = extra["exact"]
    if r["side"] > 1:
        r["side"] = side
    if kind == _FILL:
        aggressor = (
            f.counters[c.EVENT_SIDE] <= 1 and f.counters[c.EVENT_TRADED] > 0 and side != f.counters[c.EVENT_SIDE]
        )
        if aggressor or extra["born"] == f.counters[c.EVENT]:
            f.counters[c.TAKER_FILLS] += 1
        elif f.counters[c.EVENT_AUCTION] == 1:
            f.counters[c.AUCTION_FILLS] += 1
        else:
            executed(f, slot)
        if extra["fill_event"] != f.counters[c.EVENT]:
            extra["fill_event"] = f.counters[c.EVENT]
            extra["fill"] = 0
        extra["fill"] += r["quantity"]
        f.counters[c.EVENT_FILLED] += r["quantity"]
        return True
    if kind == _CANCEL or kind == _DELETE or kind == _EXECUTE:
        quantity = left if kind == _DELETE else r["quantity"]
        if quantity > left:
            note_issue(f, o, c.ISSUE_EXCESS, row, quantity, left)
            quantity = left
        r["quantity"] = quantity
        if kind == _EXECUTE:
            f.counters[c.MATCHING] = 1
            executed(f, slot)
            if r["price"] == 0:
                r["price"] = price * tick
            take(f, o, slot, quantity, OP_EXECUTE)
        else:
            r["price"] = price * tick
            leave(f, o, slot, quantity)
        return True
    if kind == _REPLACE:
        new_id = r["reference"]
        other = find(f, new_id)
        if other != 0 and new_id != order_id:
            displace(f, o, r, row, other, new_id)
        leave(f, o, slot, left)
        enter(f, side, r["price"] // tick, r["quantity"], new_id)
        return True
    # MODIFY: first what was filled, then the change proper.
    filled = extra["fill"] if extra["fill_event"] == f.counters[c.EVENT] else 0
    new_price = price if r["price"] == 0 else r["price"] // tick
    filled = min(filled, left)
    # More than the fills leave: an iceberg shows its next part, at the back of the queue.
    if new_price == price and r["quantity"] <= left - filled:
        if r["quantity"] < left:
            leave(f, o, slot, left - r["quantity"])
        return True
    if filled > 0:
        leave(f, o, slot, filled)
    if left > filled:
        take(f, o, slot, left - filled, OP_REDUCE)
    enter(f, side, new_price, r["quantity"], order_id)
    return True
