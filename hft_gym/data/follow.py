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
from hft_gym.book import ladder
from hft_gym.book.ladder import ASK, BID, Book
from hft_gym.data import follow_state as c
from hft_gym.data.follow_base import deletion, enter, keep, note_issue, take, to_lots, write_op
from hft_gym.data.follow_levels import level_trade, set_level, settle_levels, shade, touch
from hft_gym.data.follow_orders import order_message
from hft_gym.data.follow_state import Follow, Output
from hft_gym.data.messages import FeedFlag, FeedKind, FeedStatus
from hft_gym.data.ops import OP_ADD, OP_CROSS, OP_HALT, OP_HIDDEN, OP_REDUCE

_ADD, _CANCEL, _DELETE, _EXECUTE, _HIDDEN, _CROSS, _STATUS, _REPLACE, _MODIFY, _FILL, _TRADE, _CLEAR, _LEVEL, _QUOTE = (
    int(k) for k in list(FeedKind)[:14]
)
_LAST, _SNAPSHOT = int(FeedFlag.LAST), int(FeedFlag.SNAPSHOT)
_HALT, _QUOTING, _TRADING = int(FeedStatus.HALT), int(FeedStatus.QUOTING), int(FeedStatus.TRADING)
_NOT_LAST = 0xFFFF ^ _LAST
_MAX = ladder.MAX_QUANTITY
_MAX_LEVEL = ladder.MAX_LEVEL_VOLUME


@inlined
def is_crossed(f: Follow) -> bool:
    """Whether the best prices meet or overlap."""
    book = Book(f.head, f.node, f.order, f.words)
    return (
        not ladder.is_empty(book, BID)
        and not ladder.is_empty(book, ASK)
        and ladder.best_price(book, BID) >= ladder.best_price(book, ASK)
    )


@kernel
def uncross(f: Follow, o: Output, r: Any, row: int, level2: bool) -> None:
    """Delete one order of the side that is not the newest: the one it should have traded with."""
    book = Book(f.head, f.node, f.order, f.words)
    other: Any = 1 - f.counters[c.NEWEST]
    slot = I64(f.node[U(ladder.sentinel(book, other, f.head["best"][other]))]["next"])
    quantity = f.extra[U(slot)]["exact"]
    record = f.order[U(slot - f.head["first"])]
    price = record["price"] * f.counters[c.TICK]
    order_id = record["id"]
    if level2:
        set_level(f, other, price, 0)
        f.counters[c.NEWEST] = 1 - other
        settle_levels(f, o)
    else:
        take(f, o, slot, quantity, OP_REDUCE)
    if f.counters[c.N_OUT] > 0:  # the crossed state is no longer one that stood in the market
        o.out[U(f.counters[c.N_OUT] - 1)]["flags"] &= _NOT_LAST
    deletion(f, o, r, row, order_id, other, price, quantity)
    made = o.out[U(f.counters[c.N_OUT] - 1)]
    if level2:
        made["kind"] = _LEVEL
        made["order_id"] = 0
        made["quantity"] = 0
    made["flags"] = _LAST


@kernel
def top(f: Follow, truth: Any, row: int) -> None:
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
def end_event(f: Follow, o: Output, r: Any, level2: bool) -> None:
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
                write_op(f, o, OP_ADD, side, record["price"], quantity, quantity, slot - f.head["first"])
            traded = f.counters[c.EVENT_TRADED] - f.counters[c.EVENT_FILLED]
            if traded > 0 and f.counters[c.EVENT_SIDE] <= 1:
                hidden(f, o, f.counters[c.EVENT_SIDE], f.counters[c.EVENT_PRICE], traded, OP_HIDDEN)
        f.counters[c.N_PENDING] = 0
    f.counters[c.EVENT_TRADED] = 0
    f.counters[c.EVENT_FILLED] = 0
    f.counters[c.EVENT_AUCTION] = 0
    both = not ladder.is_empty(book, BID) and not ladder.is_empty(book, ASK)
    crossed = is_crossed(f)
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
            shade(f)
        emit = True
    if emit:
        row = f.counters[c.N_ROWS]
        o.times[U(row)] = f.counters[c.LAST_TIME]
        o.op_start[U(row)] = f.counters[c.N_OPS]
        if o.truth.shape[1] > 0:
            top(f, o.truth, row)
        f.counters[c.N_ROWS] = row + 1
        f.counters[c.PENDING_CHECKPOINT] = 1
    f.counters[c.EVENT] += 1


@kernel
def hidden(f: Follow, o: Output, side: int, price: int, units: int, op: int) -> None:
    """Volume that traded without a visible order; off the tick, the tick that is better for its owner."""
    tick = f.counters[c.TICK]
    ticks = -((-price) // tick) if side == BID else price // tick
    write_op(f, o, op, side, ticks, to_lots(f, units), 0, -1)


@kernel
def fills_level(f: Follow, side: int, ticks: int, lots: int) -> bool:
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
                k[c.N_OUT] + 512 > o.out.shape[0]  # room for the deletions of a repair, which belong to its event
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
                note_issue(f, o, c.ISSUE_SCALE, row, price, k[c.TICK])
                k[c.MESSAGE] += 1
                if r["flags"] & _LAST == 0:
                    i += 1
                    continue
                r["kind"] = 0
                kind = 0
            if placed:
                k[c.UPPER_QUANTITY] = max(k[c.UPPER_QUANTITY], r["quantity"])
                lots = to_lots(f, r["quantity"])
                if lots > _MAX or fills_level(f, min(I64(r["side"]), 1), price // k[c.TICK], lots):
                    return c.RELOT, i
            if kind != 0:
                k[c.MESSAGE] += 1
            k[c.LAST_TIME] = r["time"]
            kept = True
            if kind == _ADD or kind == _CANCEL or kind == _DELETE or kind == _EXECUTE or (8 <= kind <= _FILL):
                kept = order_message(f, o, r, row)
            elif kind == _LEVEL:
                set_level(f, I64(r["side"]), r["price"], r["quantity"])
            elif kind == _TRADE:
                if r["flags"] & _SNAPSHOT == 0 and k[c.MATCHING] == 0:
                    k[c.MATCHING] = 1
                    k[c.EVENT_AUCTION] = 1
                if level2:
                    if k[c.EMIT] == 1 and r["side"] <= 1:
                        level_trade(f, o, r)
                else:
                    k[c.EVENT_TRADED] += r["quantity"]
                    k[c.EVENT_PRICE] = r["price"]
                    k[c.EVENT_SIDE] = I64(r["side"])
            elif kind == _HIDDEN or kind == _CROSS:
                if k[c.EMIT] == 1:
                    hidden(
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
                    write_op(f, o, OP_HALT, 0, state - 1, 0, 0, -1)
            elif kind == _CLEAR:
                clear(f, o, level2)
            elif kind == _QUOTE and k[c.LAST_UPDATE] == r["sequence"] and r["side"] <= 1:
                compare_quote(f, r)
            if kind == _LEVEL:
                k[c.LAST_UPDATE] = r["sequence"]
            if kept and kind != 0:
                keep(f, o, r, row)
            elif r["flags"] & _LAST != 0 and k[c.N_OUT] > 0:
                o.out[U(k[c.N_OUT] - 1)]["flags"] |= _LAST
            if r["flags"] & _LAST == 0 or kind == _QUOTE or (level2 and kind != _LEVEL and kind != _CLEAR):
                i += 1
                continue
            k[c.END_EVENT] = 1
            if level2:
                settle_levels(f, o)
        # The end of the event: repairs one at a time, each needs room.
        if k[c.MATCHING] == 1 and is_crossed(f):
            if k[c.N_OUT] + 4 > o.out.shape[0] or k[c.N_ISSUES] + 4 > o.issues.shape[0]:
                return c.GROW_OUT, i
            if k[c.EMIT] == 1 and k[c.N_OPS] + k[c.N_PENDING] + k[c.SYN_LIVE] + 8 > o.ops.shape[0]:
                return c.GROW_OUT, i
            if k[c.END_EVENT] == 1:
                book = Book(f.head, f.node, f.order, f.words)
                bid, ask = ladder.best_price(book, BID), ladder.best_price(book, ASK)
                note_issue(f, o, c.ISSUE_CROSSED, row, bid * k[c.TICK], ask * k[c.TICK])
                k[c.END_EVENT] = 2
            uncross(f, o, r, row, level2)
            continue
        end_event(f, o, r, level2)
        k[c.END_EVENT] = 0
        i += 1
        if k[c.PENDING_CHECKPOINT] == 1:
            k[c.PENDING_CHECKPOINT] = 0
            if (k[c.ROWS_BEFORE] + k[c.N_ROWS] - 1) % k[c.CHECKPOINT_ROWS] == 0:
                return c.CHECKPOINT, i
    return c.DONE, i


@kernel
def clear(f: Follow, o: Output, level2: bool) -> None:
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
                    touch(f, slot)
                    slot = I64(f.node[U(slot)]["next"])
            continue
        while not ladder.is_empty(book, side):
            slot = I64(f.node[U(ladder.sentinel(book, side, f.head["best"][side]))]["next"])
            take(f, o, slot, f.extra[U(slot)]["exact"], OP_REDUCE)


@kernel
def compare_quote(f: Follow, r: Any) -> None:
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
                made = enter(g, side, record["price"] * old // new, extra["exact"], record["id"])
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
