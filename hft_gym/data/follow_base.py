"""The words of a followed book (`hft_gym.data.follow`): find, enter and take orders, write operations and issues."""

from __future__ import annotations

from typing import Any

from hft_gym._jit import I64, U, kernel
from hft_gym.book import idmap, ladder
from hft_gym.book.ladder import Book
from hft_gym.data import follow_state as c
from hft_gym.data.follow_state import Follow, Output
from hft_gym.data.messages import FeedKind
from hft_gym.data.ops import OP_DELETE, OP_REDUCE

_DELETE = int(FeedKind.DELETE)


@kernel
def to_lots(f: Follow, units: int) -> int:
    """Units as lots, rounded up: what is there never vanishes."""
    lot = f.counters[c.LOT]
    return units if lot == 1 else -((-units) // lot)


@kernel
def note_issue(f: Follow, o: Output, code: int, row: int, value: int, other: int) -> None:
    """Report an issue; the caller has made sure that there is room."""
    issue = o.issues[U(f.counters[c.N_ISSUES])]
    issue["code"] = code
    issue["row"] = row
    issue["value"] = value
    issue["other"] = other
    f.counters[c.N_ISSUES] += 1


@kernel
def keep(f: Follow, o: Output, r: Any, row: int) -> None:
    """Pass a record on."""
    n = f.counters[c.N_OUT]
    o.out[U(n)] = r
    o.rows[U(n)] = row
    f.counters[c.N_OUT] = n + 1


@kernel
def write_op(f: Follow, o: Output, op: int, side: int, price: int, quantity: int, remaining: int, handle: int) -> None:
    """Write an operation; the caller has made sure that there is room."""
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
def find(f: Follow, order_id: int) -> int:
    """Slot of an order, 0 if it is not resting."""
    position = idmap.locate(f.direct, f.table, f.order, f.head["first"], order_id)
    return I64(idmap.slot_at(f.direct, f.table, position))


@kernel
def enter(f: Follow, side: int, ticks: int, units: int, order_id: int) -> int:
    """Rest an order that is not there and return its slot."""
    idmap.make_room(f.direct, f.table, f.head["n_live"])
    position = idmap.locate(f.direct, f.table, f.order, f.head["first"], order_id)
    slot = ladder.rest(Book(f.head, f.node, f.order, f.words), side, ticks, to_lots(f, units), 0, order_id)
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
def take(f: Follow, o: Output, slot: int, units: int, op: int) -> None:
    """Take *units* (at most what is left) from an order; operations are written of orders that were there before."""
    extra = f.extra[U(slot)]
    record = f.order[U(slot - f.head["first"])]
    before = I64(f.node[U(slot)]["quantity"])
    exact = extra["exact"] - units
    after = to_lots(f, exact)
    if f.counters[c.EMIT] == 1 and record["tag"] == 0 and (before > after or exact == 0):
        code = OP_DELETE if op == OP_REDUCE and exact == 0 else op
        side = ladder.side_of(Book(f.head, f.node, f.order, f.words), slot)
        write_op(f, o, code, side, record["price"], before - after, after, slot - f.head["first"])
    extra["exact"] = exact
    if exact > 0:
        ladder.reduce(Book(f.head, f.node, f.order, f.words), slot, after)
        return
    record["tag"] = 0
    idmap.forget(f.direct, f.table, record["id"], slot)
    ladder.take_out(Book(f.head, f.node, f.order, f.words), slot)


@kernel
def deletion(f: Follow, o: Output, r: Any, row: int, order_id: int, side: int, price: int, quantity: int) -> None:
    """Pass on a DELETE that a repair has made."""
    keep(f, o, r, row)
    made = o.out[U(f.counters[c.N_OUT] - 1)]
    made["kind"] = _DELETE
    made["order_id"] = order_id
    made["reference"] = 0
    made["side"] = side
    made["price"] = price
    made["quantity"] = quantity
    made["flags"] = 0
