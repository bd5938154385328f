"""A recorded book, message by message, in the compiled book's own ladder: checked, repaired, and turned into the
operations of a replay.

Orders (level 3) or level totals (level 2, one order a level) rest in :mod:`hft_gym.book.ladder`; nothing is matched
here, for recorded messages say what traded. An *event* is what the exchange did at once; only at its end
(``FeedFlag.LAST``) stood the book in the market. So the operations of an event are: what left resting orders, as it
comes, and at its end the orders that it leaves behind; an order that came and went within it never shows. A replay
therefore never crosses the book, although messages within an event may.

Level-2 data have no orders. Every increase of a level is one synthetic order at its back; a trade takes from the front;
a decrease that no trade explains takes from the back, from the front, or from all in proportion (``QUEUE_MODELS``).
That is hftbacktest's RiskAdverseQueueModel ("back"), its opposite, and its ProbQueueModel with f(x) = x.
"""

from __future__ import annotations

from typing import Any

from hft_gym._jit import I64, U, entry, inlined, kernel
from hft_gym.book import idmap, ladder
from hft_gym.book.ladder import ASK, BID, Book
from hft_gym.data import follow_state as c
from hft_gym.data.follow_state import Follow, Output
from hft_gym.data.messages import FeedFlag, FeedKind, FeedStatus
from hft_gym.data.ops import OP_ADD, OP_CROSS, OP_DELETE, OP_EXECUTE, OP_HALT, OP_HIDDEN, OP_REDUCE

_ADD, _CANCEL, _DELETE, _EXECUTE, _HIDDEN, _CROSS, _STATUS, _REPLACE, _MODIFY, _FILL, _TRADE, _CLEAR, _LEVEL, _QUOTE = (
    int(k) for k in list(FeedKind)[:14]
)
_LAST, _SNAPSHOT = int(FeedFlag.LAST), int(FeedFlag.SNAPSHOT)
_HALT, _QUOTING, _TRADING = int(FeedStatus.HALT), int(FeedStatus.QUOTING), int(FeedStatus.TRADING)
_MAX = ladder.MAX_QUANTITY
_MAX_LEVEL = ladder.MAX_LEVEL_VOLUME


@kernel
def _lots(f: Follow, units: int) -> int:
    """Units as lots, rounded up: what is there never vanishes."""
    lot = f.counters[c.LOT]
    return units if lot == 1 else -((-units) // lot)


@kernel
def _issue(f: Follow, o: Output, code: int, row: int, value: int, other: int) -> None:
    issue = o.issues[U(f.counters[c.N_ISSUES])]
    issue["code"] = code
    issue["row"] = row
    issue["value"] = value
    issue["other"] = other
    f.counters[c.N_ISSUES] += 1


@kernel
def _keep(f: Follow, o: Output, r: Any, row: int) -> None:
    """Pass a record on."""
    n = f.counters[c.N_OUT]
    o.out[U(n)] = r
    o.rows[U(n)] = row
    f.counters[c.N_OUT] = n + 1


@kernel
def _op(
    f: Follow, o: Output, op: int, side: int, price: int, quantity: int, remaining: int, handle: int
) -> None:
    record = o.ops[U(f.counters[c.N_OPS])]
    record["time"] = f.counters[c.LAST_TIME]
    record["op"] = op
    record["side"] = side
    record["price"] = price
    record["quantity"] = quantity
    record["remaining"] = remaining
    record["handle"] = handle
    f.counters[c.N_OPS] += 1
    f.counters[c.MAX_HANDLES] = max(f.counters[c.MAX_HANDLES], handle + 1)


@kernel
def _find(f: Follow, order_id: int) -> int:
    """Slot of an order, 0 if it is not resting."""
    position = idmap.locate(f.direct, f.table, f.order, f.head["first"], order_id)
    return I64(idmap.slot_at(f.direct, f.table, position))


@kernel
def _enter(f: Follow, side: int, ticks: int, units: int, order_id: int) -> int:
    """Rest an order that is not there and return its slot."""
    idmap.make_room(f.direct, f.table, f.head["n_live"])
    position = idmap.locate(f.direct, f.table, f.order, f.head["first"], order_id)
    slot = ladder.rest(Book(f.head, f.node, f.order, f.words), side, ticks, _lots(f, units), 0, order_id)
    idmap.put(f.direct, f.table, position, order_id, slot)
    extra = f.extra[U(slot)]
    extra["exact"] = units
    extra["fill"] = 0
    extra["fill_event"] = -1
    extra["born"] = f.counters[c.EVENT]
    extra["first"] = -1
    extra["last"] = -1
    extra["sum"] = 0
    f.counters[c.N_LIVE_MAX] = max(f.counters[c.N_LIVE_MAX], f.head["n_live"])
    f.order[U(slot - f.head["first"])]["tag"] = 0
    if f.counters[c.EMIT] == 1:
        n = f.counters[c.N_PENDING]
        f.pending[U(n)] = slot
        f.counters[c.N_PENDING] = n + 1
        f.order[U(slot - f.head["first"])]["tag"] = n + 1
    f.counters[c.NEWEST] = side
    return slot


@kernel
def _take(f: Follow, o: Output, slot: int, units: int, op: int) -> None:
    """Take *units* (at most what is left) from an order; operations are written of orders that were there before."""
    extra = f.extra[U(slot)]
    record = f.order[U(slot - f.head["first"])]
    before = I64(f.node[U(slot)]["quantity"])
    exact = extra["exact"] - units
    after = _lots(f, exact)
    if f.counters[c.EMIT] == 1 and record["tag"] == 0 and (before > after or exact == 0):
        code = OP_DELETE if op == OP_REDUCE and exact == 0 else op
        side = ladder.side_of(Book(f.head, f.node, f.order, f.words), slot)
        _op(f, o, code, side, record["price"], before - after, after, slot - f.head["first"])
    extra["exact"] = exact
    if exact > 0:
        ladder.reduce(Book(f.head, f.node, f.order, f.words), slot, after)
        return
    record["tag"] = 0
    idmap.forget(f.direct, f.table, record["id"], slot)
    ladder.take_out(Book(f.head, f.node, f.order, f.words), slot)


@kernel
def _leave(f: Follow, o: Output, slot: int, units: int) -> None:
    """A cancellation of *units*, of which what was filled before in this event is an execution."""
    extra = f.extra[U(slot)]
    filled = extra["fill"] if extra["fill_event"] == f.counters[c.EVENT] else 0
    filled = min(filled, units)
    if filled > 0:
        extra["fill"] -= filled
        left = extra["exact"] - filled
        _take(f, o, slot, filled, OP_EXECUTE)
        if left == 0:
            return
    if units > filled:
        _take(f, o, slot, units - filled, OP_REDUCE)


@kernel
def _first_unfilled(f: Follow, side: int) -> int:
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
def _executed(f: Follow, slot: int) -> None:
    """Was the executed order at the best price, and first in its queue?"""
    side = ladder.side_of(Book(f.head, f.node, f.order, f.words), slot)
    f.counters[c.EXECUTIONS] += 1
    first = _first_unfilled(f, side)
    if first == slot:
        f.counters[c.AT_FRONT] += 1
    if first != 0 and ladder.price_of(Book(f.head, f.node, f.order, f.words), first) == ladder.price_of(Book(f.head, f.node, f.order, f.words), slot):
        f.counters[c.AT_BEST] += 1


@kernel
def _order_message(f: Follow, o: Output, r: Any, row: int) -> bool:
    """A message about orders; False if it is dropped. *r* may be repaired."""
    kind = I64(r["kind"])
    order_id = r["order_id"]
    tick = f.counters[c.TICK]
    slot = _find(f, order_id)
    if kind == _ADD:
        if slot != 0:
            _issue(f, o, c.ISSUE_DUPLICATE, row, order_id, 0)
            side = ladder.side_of(Book(f.head, f.node, f.order, f.words), slot)
            quantity = f.extra[U(slot)]["exact"]
            price = I64(f.order[U(slot - f.head["first"])]["price"]) * tick
            _take(f, o, slot, quantity, OP_REDUCE)
            _deletion(f, o, r, row, order_id, side, price, quantity)
        _enter(f, I64(r["side"]), r["price"] // tick, r["quantity"], order_id)
        return True
    if slot == 0:
        if kind == _FILL:
            f.counters[c.UNKNOWN_FILLS] += 1
            return True
        _issue(f, o, c.ISSUE_UNKNOWN, row, order_id, 0)
        if kind == _MODIFY and r["side"] <= 1:
            r["kind"] = _ADD
            f.counters[c.MODIFIED_ADDS] += 1
            _enter(f, I64(r["side"]), r["price"] // tick, r["quantity"], order_id)
            return True
        return False
    extra = f.extra[U(slot)]
    side = ladder.side_of(Book(f.head, f.node, f.order, f.words), slot)
    price = I64(f.order[U(slot - f.head["first"])]["price"])
    left = extra["exact"]
    if r["side"] > 1:
        r["side"] = side
    if kind == _FILL:
        aggressor = f.counters[c.EVENT_SIDE] <= 1 and f.counters[c.EVENT_TRADED] > 0 and side != f.counters[c.EVENT_SIDE]
        if aggressor or extra["born"] == f.counters[c.EVENT]:
            f.counters[c.TAKER_FILLS] += 1
        elif f.counters[c.EVENT_AUCTION] == 1:
            f.counters[c.AUCTION_FILLS] += 1
        else:
            _executed(f, slot)
        if extra["fill_event"] != f.counters[c.EVENT]:
            extra["fill_event"] = f.counters[c.EVENT]
            extra["fill"] = 0
        extra["fill"] += r["quantity"]
        f.counters[c.EVENT_FILLED] += r["quantity"]
        return True
    if kind == _CANCEL or kind == _DELETE or kind == _EXECUTE:
        quantity = left if kind == _DELETE else r["quantity"]
        if quantity > left:
            _issue(f, o, c.ISSUE_EXCESS, row, quantity, left)
            quantity = left
        r["quantity"] = quantity
        if kind == _EXECUTE:
            f.counters[c.MATCHING] = 1
            _executed(f, slot)
            if r["price"] == 0:
                r["price"] = price * tick
            _take(f, o, slot, quantity, OP_EXECUTE)
        else:
            r["price"] = price * tick
            _leave(f, o, slot, quantity)
        return True
    if kind == _REPLACE:
        new_id = r["reference"]
        other = _find(f, new_id)
        if other != 0 and new_id != order_id:
            _issue(f, o, c.ISSUE_DUPLICATE, row, new_id, 0)
            other_side = ladder.side_of(Book(f.head, f.node, f.order, f.words), other)
            quantity = f.extra[U(other)]["exact"]
            other_price = I64(f.order[U(other - f.head["first"])]["price"]) * tick
            _take(f, o, other, quantity, OP_REDUCE)
            _deletion(f, o, r, row, new_id, other_side, other_price, quantity)
        _leave(f, o, slot, left)
        _enter(f, side, r["price"] // tick, r["quantity"], new_id)
        return True
    # MODIFY: first what was filled, then the change proper.
    filled = extra["fill"] if extra["fill_event"] == f.counters[c.EVENT] else 0
    new_price = price if r["price"] == 0 else r["price"] // tick
    filled = min(filled, left)
    # More than the fills leave: an iceberg shows its next part, at the back of the queue.
    if new_price == price and r["quantity"] <= left - filled:
        if r["quantity"] < left:
            _leave(f, o, slot, left - r["quantity"])
        return True
    if filled > 0:
        _leave(f, o, slot, filled)
    if left > filled:
        _take(f, o, slot, left - filled, OP_REDUCE)
    _enter(f, side, new_price, r["quantity"], order_id)
    return True


@kernel
def _deletion(f: Follow, o: Output, r: Any, row: int, order_id: int, side: int, price: int, quantity: int) -> None:
    """Pass on a DELETE that a repair has made."""
    _keep(f, o, r, row)
    made = o.out[U(f.counters[c.N_OUT] - 1)]
    made["kind"] = _DELETE
    made["order_id"] = order_id
    made["reference"] = 0
    made["side"] = side
    made["price"] = price
    made["quantity"] = quantity
    made["flags"] = 0


# -- level-2 ------------------------------------------------------------------------------------------------------


@kernel
def _touch(f: Follow, slot: int) -> None:
    """Remember a level for the end of the event."""
    record = f.order[U(slot - f.head["first"])]
    if record["tag"] == 0:
        n = f.counters[c.N_PENDING]
        f.pending[U(n)] = slot
        f.counters[c.N_PENDING] = n + 1
        record["tag"] = n + 1


@kernel
def _set_level(f: Follow, side: int, price: int, units: int) -> None:
    """A level's new total; a level that is gone stays, empty, until the end of the event."""
    order_id = 2 * price + side
    slot = _find(f, order_id)
    f.counters[c.NEWEST] = side
    if slot == 0:
        if units == 0:
            return
        emitting = f.counters[c.EMIT]
        f.counters[c.EMIT] = 0
        slot = _enter(f, side, price // f.counters[c.TICK], units, order_id)
        f.counters[c.EMIT] = emitting
    else:
        level = I64(f.node[U(slot)]["level"])
        before, after = I64(f.node[U(slot)]["quantity"]), _lots(f, units)
        f.node[U(level)]["quantity"] += after - before
        f.node[U(slot)]["quantity"] = after
        f.extra[U(slot)]["exact"] = units
    _touch(f, slot)


@kernel
def _synthetic(f: Follow, slot: int, quantity: int) -> int:
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
def _take_synthetic(f: Follow, o: Output, slot: int, handle: int, quantity: int, op: int) -> None:
    """Take some of a synthetic order and write the operation."""
    extra, made = f.extra[U(slot)], f.syn[U(handle)]
    left = made["quantity"] - quantity
    made["quantity"] = left
    extra["sum"] -= quantity
    side = ladder.side_of(Book(f.head, f.node, f.order, f.words), slot)
    price = f.order[U(slot - f.head["first"])]["price"]
    code = OP_DELETE if op == OP_REDUCE and left == 0 else op
    _op(f, o, code, side, price, quantity, left, handle)
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
def _decrease(f: Follow, o: Output, slot: int, quantity: int) -> None:
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
                _take_synthetic(f, o, slot, handle, part, OP_REDUCE)
            handle = after
        return
    while quantity > 0:
        handle = extra["first"] if model == c.FRONT else extra["last"]
        part = min(quantity, f.syn[U(handle)]["quantity"])
        _take_synthetic(f, o, slot, handle, part, OP_REDUCE)
        quantity -= part


@kernel
def _level_trade(f: Follow, o: Output, r: Any) -> None:
    """A trade against a level: from the front; what the level does not have was not shown."""
    price = r["price"]
    side: Any = I64(r["side"])
    slot = _find(f, 2 * price + side)
    quantity = _lots(f, r["quantity"])
    ticks = price // f.counters[c.TICK]
    if slot != 0:
        extra = f.extra[U(slot)]
        if extra["sum"] > 0:
            _touch(f, slot)
        while quantity > 0 and extra["first"] >= 0:
            handle = extra["first"]
            part = min(quantity, f.syn[U(handle)]["quantity"])
            _take_synthetic(f, o, slot, handle, part, OP_EXECUTE)
            quantity -= part
    if quantity > 0:
        _op(f, o, OP_HIDDEN, side, ticks, quantity, 0, -1)


@kernel
def _settle_levels(f: Follow, o: Output) -> None:
    """The end of a level-2 event: first all that goes, then all that comes."""
    n = f.counters[c.N_PENDING]
    emit = f.counters[c.EMIT] == 1
    if emit:
        for i in range(n):
            slot = f.pending[U(i)]
            over = f.extra[U(slot)]["sum"] - I64(f.node[U(slot)]["quantity"])
            if over > 0:
                _decrease(f, o, slot, over)
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
                handle = _synthetic(f, slot, short)
                side = ladder.side_of(Book(f.head, f.node, f.order, f.words), slot)
                price = f.order[U(slot - f.head["first"])]["price"]
                _op(f, o, OP_ADD, side, price, short, short, handle)
    f.counters[c.N_PENDING] = 0


@kernel
def _shade(f: Follow) -> None:
    """Level-2: one synthetic order for each level that there is, as operations begin."""
    book = Book(f.head, f.node, f.order, f.words)
    levels = f.head["levels"]
    for side in range(2):
        index = f.head["best"][side]
        while index < levels:
            slot = I64(f.node[U(ladder.sentinel(book, side, index))]["next"])
            _synthetic(f, slot, I64(f.node[U(slot)]["quantity"]))
            index = ladder.next_level(book, side, index + 1)
        parked = ladder.sentinel(book, side, levels)
        slot = I64(f.node[U(parked)]["next"])
        while slot != parked:
            _synthetic(f, slot, I64(f.node[U(slot)]["quantity"]))
            slot = I64(f.node[U(slot)]["next"])


# -- events -------------------------------------------------------------------------------------------------------


@inlined
def _is_crossed(f: Follow) -> bool:
    book = Book(f.head, f.node, f.order, f.words)
    return (
        not ladder.is_empty(book, BID)
        and not ladder.is_empty(book, ASK)
        and ladder.best_price(book, BID) >= ladder.best_price(book, ASK)
    )


@kernel
def _uncross(f: Follow, o: Output, r: Any, row: int, level2: bool) -> None:
    """Delete one order of the side that is not the newest: the one it should have traded with."""
    book = Book(f.head, f.node, f.order, f.words)
    other: Any = 1 - f.counters[c.NEWEST]
    slot = I64(f.node[U(ladder.sentinel(book, other, f.head["best"][other]))]["next"])
    quantity = f.extra[U(slot)]["exact"]
    record = f.order[U(slot - f.head["first"])]
    price = record["price"] * f.counters[c.TICK]
    order_id = record["id"]
    if level2:
        _set_level(f, other, price, 0)
        f.counters[c.NEWEST] = 1 - other
        _settle_levels(f, o)
    else:
        _take(f, o, slot, quantity, OP_REDUCE)
    _deletion(f, o, r, row, order_id, other, price, quantity)
    made = o.out[U(f.counters[c.N_OUT] - 1)]
    if level2:
        made["kind"] = _LEVEL
        made["order_id"] = 0
        made["quantity"] = 0
    made["flags"] = _LAST


@kernel
def _top(f: Follow, truth: Any, row: int) -> None:
    """The best levels as a row of a feed's book."""
    book = Book(f.head, f.node, f.order, f.words)
    levels = f.head["levels"]
    for side in range(2):
        index = f.head["best"][side]
        column = 2 - 2 * side
        for i in range(truth.shape[1]):
            if index >= levels:
                truth[U(row), U(i), U(column)] = 0
                truth[U(row), U(i), U(column + 1)] = 0
                continue
            key = f.head["base"][side] + index
            truth[U(row), U(i), U(column)] = key if side == ASK else -key
            truth[U(row), U(i), U(column + 1)] = I64(f.node[U(ladder.sentinel(book, side, index))]["quantity"])
            index = ladder.next_level(book, side, index + 1)


@kernel
def _end_event(f: Follow, o: Output, r: Any, level2: bool) -> None:
    """Operations for what the event left behind, the row, and the counts."""
    book = Book(f.head, f.node, f.order, f.words)
    emit = f.counters[c.EMIT] == 1
    if not level2:
        if emit:
            for i in range(f.counters[c.N_PENDING]):
                slot = f.pending[U(i)]
                record = f.order[U(slot - f.head["first"])]
                if I64(record["tag"]) != i + 1:
                    continue
                record["tag"] = 0
                quantity = I64(f.node[U(slot)]["quantity"])
                side = ladder.side_of(book, slot)
                _op(f, o, OP_ADD, side, record["price"], quantity, quantity, slot - f.head["first"])
            traded = f.counters[c.EVENT_TRADED] - f.counters[c.EVENT_FILLED]
            if traded > 0 and f.counters[c.EVENT_SIDE] <= 1:
                _hidden(f, o, f.counters[c.EVENT_SIDE], f.counters[c.EVENT_PRICE], traded, OP_HIDDEN)
        f.counters[c.N_PENDING] = 0
    f.counters[c.EVENT_TRADED] = 0
    f.counters[c.EVENT_FILLED] = 0
    f.counters[c.EVENT_AUCTION] = 0
    both = not ladder.is_empty(book, BID) and not ladder.is_empty(book, ASK)
    crossed = _is_crossed(f)
    if crossed:
        if f.counters[c.MATCHING] == 1:
            f.counters[c.EVENTS_CROSSED] += 1
        else:
            f.counters[c.CROSSED_AUCTION] += 1
    if both and not crossed and f.counters[c.MATCHING] == 1:
        if f.counters[c.FIRST_OPEN] < 0:
            f.counters[c.FIRST_OPEN] = f.counters[c.MESSAGE]
        bid, ask = ladder.best_price(book, BID), ladder.best_price(book, ASK)
        f.counters[c.LOW_TOUCH] = min(f.counters[c.LOW_TOUCH], bid)
        f.counters[c.HIGH_TOUCH] = max(f.counters[c.HIGH_TOUCH], ask)
    if f.counters[c.OPEN_AT] >= 0 and not emit and f.counters[c.MESSAGE] >= f.counters[c.OPEN_AT]:
        f.counters[c.EMIT] = 1
        if level2:
            _shade(f)
        emit = True
    if emit:
        row = f.counters[c.N_ROWS]
        o.times[U(row)] = f.counters[c.LAST_TIME]
        o.op_start[U(row)] = f.counters[c.N_OPS]
        if o.truth.shape[1] > 0:
            _top(f, o.truth, row)
        f.counters[c.N_ROWS] = row + 1
        f.counters[c.PENDING_CHECKPOINT] = 1
    f.counters[c.EVENT] += 1


@kernel
def _hidden(f: Follow, o: Output, side: int, price: int, units: int, op: int) -> None:
    """Volume that traded without a visible order; off the tick, the tick that is better for its owner."""
    tick = f.counters[c.TICK]
    ticks = -((-price) // tick) if side == BID else price // tick
    _op(f, o, op, side, ticks, _lots(f, units), 0, -1)


@kernel
def _fills_level(f: Follow, side: int, ticks: int, lots: int) -> bool:
    """Whether a level cannot hold so many lots more (what is parked far away is not summed by level)."""
    index = ladder.key_of(side, ticks) - f.head["base"][side]
    if index < 0 or index >= f.head["levels"]:
        return False
    level = ladder.sentinel(Book(f.head, f.node, f.order, f.words), side, index)
    return I64(f.node[U(level)]["quantity"]) + lots > _MAX_LEVEL


@entry
def follow(f: Follow, o: Output, records: Any, rows: Any, start: int, level2: bool) -> tuple[int, int]:
    """Work through records from *start*; return (why, next record): DONE, or what the caller must do before it goes on.

    *records* are changed where a repair or the book says more (an execution gets its order's side and price).
    """
    k = f.counters
    i = start
    while i < records.shape[0]:
        r = records[U(i)]
        row = rows[U(i)]
        kind = I64(r["kind"])
        if k[c.END_EVENT] == 0:
            if f.head["free"] == 0 or f.pending.shape[0] < k[c.N_PENDING] + 4:
                return c.GROW_ORDERS, i
            if level2 and k[c.EMIT] == 1 and k[c.SYN_LIVE] + k[c.N_PENDING] + 4 > f.syn.shape[0]:
                return c.GROW_ORDERS, i
            live = f.head["n_live"] if kind == _CLEAR else 0
            need = 2 * k[c.N_PENDING] + live + 8 + (k[c.SYN_LIVE] if level2 else 0)
            if (
                k[c.N_OUT] + 4 > o.out.shape[0]
                or k[c.N_ISSUES] + 4 > o.issues.shape[0]
                or (k[c.EMIT] == 1 and k[c.N_OPS] + need > o.ops.shape[0])
                or k[c.N_ROWS] + 2 > o.times.shape[0]
            ):
                return c.GROW_OUT, i
            price = r["price"]
            placed = kind == _ADD or kind == _REPLACE or kind == _LEVEL or (kind == _MODIFY and price != 0)
            if placed and price % k[c.TICK] != 0:
                if k[c.TICK_FIXED] == 0:
                    return c.RETICK, i
                _issue(f, o, c.ISSUE_SCALE, row, price, k[c.TICK])
                k[c.MESSAGE] += 1
                if r["flags"] & _LAST == 0:
                    i += 1
                    continue
                r["kind"] = 0
                kind = 0
            if placed:
                k[c.UPPER_QUANTITY] = max(k[c.UPPER_QUANTITY], r["quantity"])
                lots = _lots(f, r["quantity"])
                if lots > _MAX or _fills_level(f, min(I64(r["side"]), 1), price // k[c.TICK], lots):
                    return c.RELOT, i
            if kind != 0:
                k[c.MESSAGE] += 1
            k[c.LAST_TIME] = r["time"]
            kept = True
            if kind == _ADD or kind == _CANCEL or kind == _DELETE or kind == _EXECUTE or (8 <= kind <= _FILL):
                kept = _order_message(f, o, r, row)
            elif kind == _LEVEL:
                _set_level(f, I64(r["side"]), r["price"], r["quantity"])
            elif kind == _TRADE:
                if r["flags"] & _SNAPSHOT == 0 and k[c.MATCHING] == 0:
                    k[c.MATCHING] = 1
                    k[c.EVENT_AUCTION] = 1
                if level2:
                    if k[c.EMIT] == 1 and r["side"] <= 1:
                        _level_trade(f, o, r)
                else:
                    k[c.EVENT_TRADED] += r["quantity"]
                    k[c.EVENT_PRICE] = r["price"]
                    k[c.EVENT_SIDE] = I64(r["side"])
            elif kind == _HIDDEN or kind == _CROSS:
                if k[c.EMIT] == 1:
                    _hidden(
                        f, o, min(I64(r["side"]), 1), r["price"], r["quantity"],
                        OP_HIDDEN if kind == _HIDDEN else OP_CROSS,
                    )  # fmt: skip
            elif kind == _STATUS:
                state = r["quantity"]
                if state == _HALT or state == _QUOTING:
                    k[c.MATCHING] = 0
                elif state == _TRADING:
                    k[c.MATCHING] = 1
                if k[c.EMIT] == 1 and state <= _TRADING:
                    _op(f, o, OP_HALT, 0, state - 1, 0, 0, -1)
            elif kind == _CLEAR:
                _clear(f, o, level2)
            elif kind == _QUOTE and k[c.LAST_UPDATE] == r["sequence"] and r["side"] <= 1:
                _compare_quote(f, r)
            if kind == _LEVEL:
                k[c.LAST_UPDATE] = r["sequence"]
            if kept and kind != 0:
                _keep(f, o, r, row)
            elif r["flags"] & _LAST != 0 and k[c.N_OUT] > 0:
                o.out[U(k[c.N_OUT] - 1)]["flags"] |= _LAST
            if r["flags"] & _LAST == 0 or kind == _QUOTE or (level2 and kind != _LEVEL and kind != _CLEAR):
                i += 1
                continue
            k[c.END_EVENT] = 1
            if level2:
                _settle_levels(f, o)
        # The end of the event: repairs one at a time, each needs room.
        if k[c.MATCHING] == 1 and _is_crossed(f):
            if k[c.N_OUT] + 4 > o.out.shape[0] or k[c.N_ISSUES] + 4 > o.issues.shape[0]:
                return c.GROW_OUT, i
            if k[c.EMIT] == 1 and k[c.N_OPS] + k[c.N_PENDING] + k[c.SYN_LIVE] + 8 > o.ops.shape[0]:
                return c.GROW_OUT, i
            if k[c.END_EVENT] == 1:
                book = Book(f.head, f.node, f.order, f.words)
                bid, ask = ladder.best_price(book, BID), ladder.best_price(book, ASK)
                _issue(f, o, c.ISSUE_CROSSED, row, bid * k[c.TICK], ask * k[c.TICK])
                k[c.END_EVENT] = 2
            _uncross(f, o, r, row, level2)
            continue
        _end_event(f, o, r, level2)
        k[c.END_EVENT] = 0
        i += 1
        if k[c.PENDING_CHECKPOINT] == 1:
            k[c.PENDING_CHECKPOINT] = 0
            if (k[c.ROWS_BEFORE] + k[c.N_ROWS] - 1) % k[c.CHECKPOINT_ROWS] == 0:
                return c.CHECKPOINT, i
    return c.DONE, i


@kernel
def _clear(f: Follow, o: Output, level2: bool) -> None:
    """Take every order; of level-2 data, empty every level until the event's end says which come back."""
    book = Book(f.head, f.node, f.order, f.words)
    for side in range(2):
        if level2:
            for index in range(f.head["levels"] + 1):
                level = ladder.sentinel(book, side, index)
                slot = I64(f.node[U(level)]["next"])
                while slot != level:
                    f.node[U(level)]["quantity"] -= I64(f.node[U(slot)]["quantity"])
                    f.node[U(slot)]["quantity"] = 0
                    f.extra[U(slot)]["exact"] = 0
                    _touch(f, slot)
                    slot = I64(f.node[U(slot)]["next"])
            continue
        while not ladder.is_empty(book, side):
            slot = I64(f.node[U(ladder.sentinel(book, side, f.head["best"][side]))]["next"])
            _take(f, o, slot, f.extra[U(slot)]["exact"], OP_REDUCE)


@kernel
def _compare_quote(f: Follow, r: Any) -> None:
    """A best quote of the same update id: does the book say the same?"""
    book = Book(f.head, f.node, f.order, f.words)
    side: Any = I64(r["side"])
    f.counters[c.QUOTES] += 1
    if ladder.is_empty(book, side):
        return
    price = ladder.best_price(book, side)
    if price * f.counters[c.TICK] != r["price"]:
        return
    slot = I64(f.node[U(ladder.sentinel(book, side, f.head["best"][side]))]["next"])
    if f.extra[U(slot)]["exact"] == r["quantity"]:
        f.counters[c.QUOTES_EQUAL] += 1


@entry
def checkpoint(f: Follow, orders: Any, level2: bool) -> int:
    """Write every live order as CHECKPOINT_DTYPE: bids, then asks, best level first, front first (far-away levels, in
    order of arrival, last)."""
    book = Book(f.head, f.node, f.order, f.words)
    levels = f.head["levels"]
    n = 0
    for side in range(2):
        index = f.head["best"][side]
        while index <= levels:
            level = ladder.sentinel(book, side, index)
            slot = I64(f.node[U(level)]["next"])
            while slot != level:
                price = f.order[U(slot - f.head["first"])]["price"]
                handle = f.extra[U(slot)]["first"] if level2 else slot - f.head["first"]
                while handle >= 0:
                    record = orders[U(n)]
                    record["price"] = price
                    record["side"] = side
                    record["handle"] = handle
                    record["quantity"] = f.syn[U(handle)]["quantity"] if level2 else I64(f.node[U(slot)]["quantity"])
                    n += 1
                    handle = f.syn[U(handle)]["next"] if level2 else -1
                slot = I64(f.node[U(slot)]["next"])
            if index == levels:
                break
            index = ladder.next_level(book, side, index + 1)
    return n


@entry
def rebuild(f: Follow, g: Follow) -> None:
    """Copy the orders of *f* into the empty *g*, which has other sizes, ticks or lots (its counters are set)."""
    book = Book(f.head, f.node, f.order, f.words)
    levels = f.head["levels"]
    old, new = f.counters[c.TICK], g.counters[c.TICK]
    for side in range(2):
        index = f.head["best"][side]
        while index <= levels:
            level = ladder.sentinel(book, side, index)
            slot = I64(f.node[U(level)]["next"])
            while slot != level:
                record, extra = f.order[U(slot - f.head["first"])], f.extra[U(slot)]
                newest = g.counters[c.NEWEST]
                made = _enter(g, side, record["price"] * old // new, extra["exact"], record["id"])
                g.counters[c.NEWEST] = newest
                g.extra[U(made)] = extra
                tag = I64(record["tag"])
                if tag > 0:
                    g.pending[U(tag - 1)] = made
                    g.order[U(made - g.head["first"])]["tag"] = tag
                slot = I64(f.node[U(slot)]["next"])
            if index == levels:
                break
            index = ladder.next_level(book, side, index + 1)


@entry
def depth(f: Follow, levels: Any) -> None:
    """Fill ``(n, 6)``: ask price [units], size [units], orders, and the same of the bid; zeros where there is none."""
    book = Book(f.head, f.node, f.order, f.words)
    end = f.head["levels"]
    for side in range(2):
        index = f.head["best"][side]
        column = 3 - 3 * side
        for i in range(levels.shape[0]):
            for j in range(3):
                levels[U(i), U(column + j)] = 0
            if index >= end:
                continue
            key = f.head["base"][side] + index
            levels[U(i), U(column)] = (key if side == ASK else -key) * f.counters[c.TICK]
            level = ladder.sentinel(book, side, index)
            slot = I64(f.node[U(level)]["next"])
            while slot != level:
                levels[U(i), U(column + 1)] += f.extra[U(slot)]["exact"]
                levels[U(i), U(column + 2)] += 1
                slot = I64(f.node[U(slot)]["next"])
            index = ladder.next_level(book, side, index + 1)
