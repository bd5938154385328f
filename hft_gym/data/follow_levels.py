"""Totals of levels (level 2) and the synthetic orders that stand for them, for `hft_gym.data.follow`."""

from __future__ import annotations

from typing import Any

from hft_gym._jit import I64, U, kernel
from hft_gym.book import idmap, ladder
from hft_gym.book.ladder import Book
from hft_gym.data import follow_state as c
from hft_gym.data.follow_base import enter, find, to_lots, write_op
from hft_gym.data.follow_state import Follow, Output
from hft_gym.data.ops import OP_ADD, OP_DELETE, OP_EXECUTE, OP_HIDDEN, OP_REDUCE


@kernel
def touch(f: Follow, slot: int) -> None:
    """Remember a level for the end of the event."""
    record = f.order[U(slot - f.head["first"])]
    if record["tag"] == 0:
        n = f.counters[c.N_PENDING]
        f.pending[U(n)] = slot
        f.counters[c.N_PENDING] = n + 1
        record["tag"] = n + 1


@kernel
def set_level(f: Follow, side: int, price: int, units: int) -> None:
    """A level's new total; a level that is gone stays, empty, until the end of the event."""
    order_id = 2 * price + side
    slot = find(f, order_id)
    f.counters[c.NEWEST] = side
    if slot == 0:
        if units == 0:
            return
        emitting = f.counters[c.EMIT]
        f.counters[c.EMIT] = 0
        slot = enter(f, side, price // f.counters[c.TICK], units, order_id)
        f.counters[c.EMIT] = emitting
    else:
        level = I64(f.node[U(slot)]["level"])
        before, after = I64(f.node[U(slot)]["quantity"]), to_lots(f, units)
        f.node[U(level)]["quantity"] += after - before
        f.node[U(slot)]["quantity"] = after
        f.extra[U(slot)]["exact"] = units
    touch(f, slot)


@kernel
def synthetic(f: Follow, slot: int, quantity: int) -> int:
    """A synthetic order at the back of a level; return its handle."""
    handle = f.counters[c.N_SYN_FREE]
    f.counters[c.N_SYN_FREE] = f.syn[U(handle)]["next"]
    f.counters[c.SYN_LIVE] += 1
    f.counters[c.MAX_HANDLES] = max(f.counters[c.MAX_HANDLES], handle + 1)
    extra, made = f.extra[U(slot)], f.syn[U(handle)]
    made["quantity"] = quantity
    made["next"] = -1
    made["prev"] = extra["last"]
    if extra["last"] >= 0:
        f.syn[U(extra["last"])]["next"] = handle
    else:
        extra["first"] = handle
    extra["last"] = handle
    extra["sum"] += quantity
    return handle


@kernel
def take_synthetic(f: Follow, o: Output, slot: int, handle: int, quantity: int, op: int) -> None:
    """Take some of a synthetic order and write the operation."""
    extra, made = f.extra[U(slot)], f.syn[U(handle)]
    left = made["quantity"] - quantity
    made["quantity"] = left
    extra["sum"] -= quantity
    side = ladder.side_of(Book(f.head, f.node, f.order, f.words), slot)
    price = f.order[U(slot - f.head["first"])]["price"]
    code = OP_DELETE if op == OP_REDUCE and left == 0 else op
    write_op(f, o, code, side, price, quantity, left, handle)
    if left > 0:
        return
    before, after = made["prev"], made["next"]
    if before >= 0:
        f.syn[U(before)]["next"] = after
    else:
        extra["first"] = after
    if after >= 0:
        f.syn[U(after)]["prev"] = before
    else:
        extra["last"] = before
    made["next"] = f.counters[c.N_SYN_FREE]
    f.counters[c.N_SYN_FREE] = handle
    f.counters[c.SYN_LIVE] -= 1


@kernel
def decrease(f: Follow, o: Output, slot: int, quantity: int) -> None:
    """Cancel *quantity* of a level, from where the queue model says."""
    extra = f.extra[U(slot)]
    model = f.counters[c.QUEUE]
    if model == c.PROPORTIONAL and quantity < extra["sum"]:
        total, left = extra["sum"], extra["sum"] - quantity
        seen, kept = 0, 0
        handle = extra["first"]
        while handle >= 0:
            after = f.syn[U(handle)]["next"]
            own = f.syn[U(handle)]["quantity"]
            seen += own
            # What the first orders keep together is their share of what is left, rounded down.
            keeps = (seen * left) // total
            part = own - (keeps - kept)
            kept = keeps
            if part > 0:
                take_synthetic(f, o, slot, handle, part, OP_REDUCE)
            handle = after
        return
    while quantity > 0:
        handle = extra["first"] if model == c.FRONT else extra["last"]
        part = min(quantity, f.syn[U(handle)]["quantity"])
        take_synthetic(f, o, slot, handle, part, OP_REDUCE)
        quantity -= part


@kernel
def level_trade(f: Follow, o: Output, r: Any) -> None:
    """A trade against a level: from the front; what the level does not have was not shown."""
    price = r["price"]
    side: Any = I64(r["side"])
    slot = find(f, 2 * price + side)
    quantity = to_lots(f, r["quantity"])
    ticks = price // f.counters[c.TICK]
    if slot != 0:
        extra = f.extra[U(slot)]
        if extra["sum"] > 0:
            touch(f, slot)
        while quantity > 0 and extra["first"] >= 0:
            handle = extra["first"]
            part = min(quantity, f.syn[U(handle)]["quantity"])
            take_synthetic(f, o, slot, handle, part, OP_EXECUTE)
            quantity -= part
    if quantity > 0:
        write_op(f, o, OP_HIDDEN, side, ticks, quantity, 0, -1)


@kernel
def settle_levels(f: Follow, o: Output) -> None:
    """The end of a level-2 event: first all that goes, then all that comes."""
    n = f.counters[c.N_PENDING]
    emit = f.counters[c.EMIT] == 1
    if emit:
        for i in range(n):
            slot = f.pending[U(i)]
            over = f.extra[U(slot)]["sum"] - I64(f.node[U(slot)]["quantity"])
            if over > 0:
                decrease(f, o, slot, over)
    for i in range(n):
        slot = f.pending[U(i)]
        record = f.order[U(slot - f.head["first"])]
        record["tag"] = 0
        if f.extra[U(slot)]["exact"] == 0:
            idmap.forget(f.direct, f.table, record["id"], slot)
            ladder.take_out(Book(f.head, f.node, f.order, f.words), slot)
            f.pending[U(i)] = 0
    if emit:
        for i in range(n):
            slot = f.pending[U(i)]
            if slot == 0:
                continue
            short = I64(f.node[U(slot)]["quantity"]) - f.extra[U(slot)]["sum"]
            if short > 0:
                handle = synthetic(f, slot, short)
                side = ladder.side_of(Book(f.head, f.node, f.order, f.words), slot)
                price = f.order[U(slot - f.head["first"])]["price"]
                write_op(f, o, OP_ADD, side, price, short, short, handle)
    f.counters[c.N_PENDING] = 0


@kernel
def shade(f: Follow) -> None:
    """Level-2: one synthetic order for each level that there is, as operations begin."""
    book = Book(f.head, f.node, f.order, f.words)
    levels = f.head["levels"]
    for side in range(2):
        index = f.head["best"][side]
        while index < levels:
            slot = I64(f.node[U(ladder.sentinel(book, side, index))]["next"])
            synthetic(f, slot, I64(f.node[U(slot)]["quantity"]))
            index = ladder.next_level(book, side, index + 1)
        parked = ladder.sentinel(book, side, levels)
        slot = I64(f.node[U(parked)]["next"])
        while slot != parked:
            synthetic(f, slot, I64(f.node[U(slot)]["quantity"]))
            slot = I64(f.node[U(slot)]["next"])
