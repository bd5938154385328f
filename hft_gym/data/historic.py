"""The historic book alone, once through a recorded day: messages and level truth in, replay operations out.

Row k-1 of the orderbook file plus message k gives row k, but for levels that enter from beyond the file's
horizon (known only from the row: *adopted* as one order of unknown age) and levels that leave it
(*forgotten*: what happens to them there is not in the file). Rules:

* A message about an order that was never seen arriving acts on the adopted orders of its level, front first;
  they stand at the front of the queue, being older than every order seen arriving. Only if they do not
  suffice does it act on the level's other orders, front first.
* The row is the truth. Where a level still differs after all this, volume is adopted, or deleted (adopted
  orders first, then the last in the queue), and the row counts as *corrected*; a sound pair of files has no
  such row.

Keys: levels are sorted by ``key``, the price of an ask and the negated price of a bid, so that smaller
is better on both sides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import entry, kernel
from hft_gym.data.historic_state import (
    ADOPTED_LEVELS,
    ADOPTED_ROWS,
    CORRECTED_ROWS,
    DONE,
    DUPLICATE_ORDER,
    EXECUTIONS_IN_FRONT,
    EXECUTIONS_KNOWN,
    EXECUTIONS_OLDEST_KNOWN,
    FIRST_CORRECTED,
    FORGOTTEN_ORDERS,
    GROW_CHECKPOINTS,
    GROW_HANDLES,
    GROW_OPS,
    LAST_CORRECTED,
    MAX_HANDLES,
    MISMATCHED_MESSAGES,
    N_CHECKPOINT_ORDERS,
    N_FREE,
    N_LEVELS,
    N_OPS,
    ROW,
    UNKNOWN_MESSAGES,
    UNMATCHED_VOLUME,
    Historic,
    Output,
)
from hft_gym.data.ops import (
    OP_ADD,
    OP_ADOPT,
    OP_CROSS,
    OP_DELETE,
    OP_EXECUTE,
    OP_FORGET,
    OP_HALT,
    OP_HIDDEN,
    OP_REDUCE,
)

# LobsterKind, as plain integers.
_ADD, _REDUCE, _DELETE, _EXECUTE, _HIDDEN, _CROSS = 1, 2, 3, 4, 5, 6

_NO_KEY = np.iinfo(np.int64).max


@kernel
def _key(side: int, price: int) -> int:
    """The sort key of a price, and the price of a key (the same function)."""
    return price if side == 1 else -price


_price = _key


@kernel
def _emit(
    h: Historic, time: int, op: int, side: int, price: int, quantity: int, remaining: int, handle: int
) -> None:
    """Write one operation; simulate() has made sure that there is room."""
    record = h.ops[h.counters[N_OPS]]
    record["time"] = time
    record["op"] = op
    record["side"] = side
    record["price"] = price
    record["quantity"] = quantity
    record["remaining"] = remaining
    record["handle"] = handle
    h.counters[N_OPS] += 1


@kernel
def _find(h: Historic, side: int, key: int) -> int:
    """Index of the first level that is not better than ``key``."""
    i = 0
    while i < h.counters[N_LEVELS + side] and h.level[side, i]["key"] < key:
        i += 1
    return i


@kernel
def _level_at(h: Historic, side: int, key: int) -> int:
    """Index of the level with exactly ``key``, or -1."""
    i = _find(h, side, key)
    return i if i < h.counters[N_LEVELS + side] and h.level[side, i]["key"] == key else -1


@kernel
def _insert(
    h: Historic, time: int, op: int, side: int, key: int, quantity: int, identity: int, front: bool
) -> None:
    """Open an order at the front or back of its level (a new one if need be) and write the operation."""
    i = _find(h, side, key)
    n = h.counters[N_LEVELS + side]
    if i == n or h.level[side, i]["key"] != key:
        for j in range(n, i, -1):
            h.level[side, j] = h.level[side, j - 1]
        h.counters[N_LEVELS + side] += 1
        h.level[side, i]["key"] = key
        h.level[side, i]["quantity"] = 0
        h.level[side, i]["head"] = h.level[side, i]["tail"] = -1
    level = h.level[side, i]
    h.counters[N_FREE] -= 1
    handle = h.orders[h.counters[N_FREE]]["free"]
    h.counters[MAX_HANDLES] = max(h.counters[MAX_HANDLES], handle + 1)
    order = h.orders[handle]
    order["key"] = key
    order["side"] = side
    order["quantity"] = quantity
    order["identity"] = identity
    level["quantity"] += quantity
    before = -1 if front else level["tail"]
    after = level["head"] if front else -1
    order["prev"] = before
    order["next"] = after
    if before >= 0:
        h.orders[before]["next"] = handle
    else:
        level["head"] = handle
    if after >= 0:
        h.orders[after]["prev"] = handle
    else:
        level["tail"] = handle
    if identity >= 0:
        h.handle_of[identity] = handle
    _emit(h, time, op, side, _price(side, key), quantity, quantity, handle)


@kernel
def _take(h: Historic, time: int, op: int, handle: int, quantity: int) -> None:
    """Take ``quantity`` (at most what is left) from an order and write it; an empty order is freed."""
    order = h.orders[handle]
    side = order["side"]
    remaining = order["quantity"] - quantity
    order["quantity"] = remaining
    i = _find(h, side, order["key"])
    level = h.level[side, i]
    level["quantity"] -= quantity
    code = OP_DELETE if op == OP_REDUCE and remaining == 0 else op
    _emit(h, time, code, side, _price(side, order["key"]), quantity, remaining, handle)
    if remaining > 0:
        return
    before, after = order["prev"], order["next"]
    if before >= 0:
        h.orders[before]["next"] = after
    else:
        level["head"] = after
    if after >= 0:
        h.orders[after]["prev"] = before
    else:
        level["tail"] = before
    if order["identity"] >= 0:
        h.handle_of[order["identity"]] = -1
    h.orders[h.counters[N_FREE]]["free"] = handle
    h.counters[N_FREE] += 1
    if level["head"] < 0:
        h.counters[N_LEVELS + side] -= 1
        for j in range(i, h.counters[N_LEVELS + side]):
            h.level[side, j] = h.level[side, j + 1]


@kernel
def _clear_level(h: Historic, time: int, op: int, side: int, i: int) -> None:
    """Take every order of a level, front first."""
    handle = h.level[side, i]["head"]
    while handle >= 0:
        after = h.orders[handle]["next"]
        _take(h, time, op, handle, h.orders[handle]["quantity"])
        handle = after


@kernel
def _take_unknown(h: Historic, time: int, op: int, side: int, key: int, quantity: int) -> None:
    """A message about an order not seen arriving: front first, and adopted orders are always in front."""
    h.counters[UNKNOWN_MESSAGES] += 1
    i = _level_at(h, side, key)
    handle = h.level[side, i]["head"] if i >= 0 else -1
    while handle >= 0 and quantity > 0:
        after = h.orders[handle]["next"]
        part = min(quantity, h.orders[handle]["quantity"])
        if h.orders[handle]["identity"] >= 0:
            h.counters[UNMATCHED_VOLUME] += part
        _take(h, time, op, handle, part)
        quantity -= part
        handle = after
    h.counters[UNMATCHED_VOLUME] += quantity


@kernel
def _corrected(h: Historic) -> None:
    """Note that the row in hand does not follow from the row before and its message."""
    row = h.counters[ROW]
    if h.counters[LAST_CORRECTED] != row:
        h.counters[CORRECTED_ROWS] += 1
        h.counters[LAST_CORRECTED] = row
        if h.counters[FIRST_CORRECTED] < 0:
            h.counters[FIRST_CORRECTED] = row


@kernel
def _count_execution(h: Historic, handle: int) -> None:
    """Was the executed order, seen arriving, the first of its queue?"""
    h.counters[EXECUTIONS_KNOWN] += 1
    before = h.orders[handle]["prev"]
    if before < 0:
        h.counters[EXECUTIONS_IN_FRONT] += 1
    while before >= 0 and h.orders[before]["identity"] < 0:
        before = h.orders[before]["prev"]
    if before < 0:
        h.counters[EXECUTIONS_OLDEST_KNOWN] += 1


@kernel
def _message(h: Historic, message: Any, identity: int, tick_units: int) -> bool:
    """Apply one message to the historic book; False if it adds an order that is already resting."""
    time = message["time"]
    kind = np.int64(message["kind"])
    side: Any = np.int64(message["side"])  # one integer type, or every helper is compiled twice
    units = message["price"]
    quantity = message["quantity"]
    if kind in (_HIDDEN, _CROSS):
        # Off the tick: the tick that is better for the owner is the last one with priority over this price.
        price = -((-units) // tick_units) if side == 0 else units // tick_units
        _emit(h, time, OP_HIDDEN if kind == _HIDDEN else OP_CROSS, side, price, quantity, 0, -1)
        return True
    if kind > _EXECUTE:
        _emit(h, time, OP_HALT, 0, units, 0, 0, -1)
        return True
    key = _key(side, units // tick_units)
    handle = h.handle_of[identity]
    if kind == _ADD:
        if handle >= 0:
            return False
        other = 1 - side
        # An order that crosses what we hold proves those levels dead: they go before it, or it would trade.
        while h.counters[N_LEVELS + other] > 0 and -h.level[other, 0]["key"] >= key:
            _clear_level(h, time, OP_DELETE, other, 0)
            _corrected(h)
        _insert(h, time, OP_ADD, side, key, quantity, identity, False)
        return True
    op = OP_EXECUTE if kind == _EXECUTE else OP_REDUCE
    if handle < 0:
        _take_unknown(h, time, op, side, key, quantity)
        return True
    order = h.orders[handle]
    resting = order["quantity"]
    same_place = order["key"] == key and order["side"] == side
    if not same_place or quantity > resting or (kind == _DELETE and quantity < resting):
        h.counters[MISMATCHED_MESSAGES] += 1
    if kind == _EXECUTE:
        _count_execution(h, handle)
    _take(h, time, op, handle, resting if kind == _DELETE else min(quantity, resting))
    return True


@kernel
def _levels_in(row: NDArray[np.int64], side: int) -> int:
    """How many levels of one side a row of the file has."""
    n = 0
    while n < len(row) and row[n, 3 - 2 * side] > 0:
        n += 1
    return n


@kernel
def _least_known(h: Historic, side: int, i: int) -> int:
    """The order of a level to blame for volume too much: the last adopted one, else the last."""
    handle = h.level[side, i]["tail"]
    while handle >= 0 and h.orders[handle]["identity"] >= 0:
        handle = h.orders[handle]["prev"]
    return handle if handle >= 0 else h.level[side, i]["tail"]


@kernel
def _drop_levels(h: Historic, time: int, side: int, row: NDArray[np.int64]) -> None:
    """Make the levels of one side no more than the row of the file says."""
    known = _levels_in(row, side)
    i = 0
    j = 0
    while i < h.counters[N_LEVELS + side]:
        key = h.level[side, i]["key"]
        while j < known and _key(side, row[j, 2 - 2 * side]) < key:
            j += 1
        if j < known and _key(side, row[j, 2 - 2 * side]) == key:
            excess = h.level[side, i]["quantity"] - row[j, 3 - 2 * side]
            if excess > 0:
                _corrected(h)
            while excess > 0:
                handle = _least_known(h, side, i)
                part = min(excess, h.orders[handle]["quantity"])
                _take(h, time, OP_REDUCE, handle, part)
                excess -= part
            i += 1
            continue
        beyond = j == len(row)  # the file has a full side, all of it better: this level left the horizon
        if not beyond:
            _corrected(h)
        n = h.counters[N_OPS]
        _clear_level(h, time, OP_FORGET if beyond else OP_DELETE, side, i)
        if beyond:
            h.counters[FORGOTTEN_ORDERS] += h.counters[N_OPS] - n


@kernel
def _adopt_levels(
    h: Historic, time: int, side: int, row: NDArray[np.int64], before: NDArray[np.int64], first: bool
) -> int:
    """Give one side what the file's row has and we do not; return how many levels entered duly.

    What lay beyond the worst level of a full side was unknown; a side that is not full hides nothing.
    """
    n_before = _levels_in(before, side)
    horizon = _key(side, before[n_before - 1, 2 - 2 * side]) if n_before == len(before) else _NO_KEY
    entered = 0
    for j in range(_levels_in(row, side)):
        key = _key(side, row[j, 2 - 2 * side])
        i = _level_at(h, side, key)
        missing = row[j, 3 - 2 * side]
        if i >= 0:
            missing -= h.level[side, i]["quantity"]
        if missing > 0:
            if not first:
                if i >= 0 or key <= horizon:
                    _corrected(h)
                else:
                    entered += 1
            _insert(h, time, OP_ADOPT, side, key, missing, -1, True)
    return entered


@kernel
def _checkpoint(h: Historic, out: Output, number: int) -> None:
    """Write every live order: bids, then asks; best level first; front of the queue first."""
    n = h.counters[N_CHECKPOINT_ORDERS]
    for side in range(2):
        for i in range(h.counters[N_LEVELS + side]):
            handle = h.level[side, i]["head"]
            while handle >= 0:
                record = out.checkpoint_orders[n]
                record["price"] = _price(side, h.level[side, i]["key"])
                record["quantity"] = h.orders[handle]["quantity"]
                record["handle"] = handle
                record["side"] = side
                n += 1
                handle = h.orders[handle]["next"]
    h.counters[N_CHECKPOINT_ORDERS] = n
    out.checkpoint_start[number + 1] = n


@entry
def simulate(
    h: Historic,
    out: Output,
    messages: NDArray[Any],
    identities: NDArray[np.int64],
    book: NDArray[np.int64],
    tick_units: int,
    every: int,
) -> int:
    """Run the day; return DONE, a ``GROW_*`` (start again with more room) or DUPLICATE_ORDER (at ROW).

    ``messages`` is ``(rows,)`` of LOBSTER_DTYPE, ``identities`` the dense index of each message's order id,
    ``book`` ``(rows, levels, 4)`` in ticks; a checkpoint is taken after every ``every``-th row, the first
    after row 0. Row 0 is adopted whole: its message is already in it.
    """
    levels = book.shape[1]
    for k in range(len(messages)):
        h.counters[ROW] = k
        live = len(h.orders) - h.counters[N_FREE]
        if h.counters[N_OPS] + 2 * live + 4 * levels + 8 > len(h.ops):
            return GROW_OPS
        if h.counters[N_FREE] < 2 * levels + 4:
            return GROW_HANDLES
        if k > 0 and not _message(h, messages[k], identities[k], tick_units):
            return DUPLICATE_ORDER
        time = messages[k]["time"]
        # Both sides shrink before either grows: the book is never crossed in between.
        for side in range(2):
            _drop_levels(h, time, side, book[k])
        entered = 0
        for side in range(2):
            entered += _adopt_levels(h, time, side, book[k], book[max(k - 1, 0)], k == 0)
        h.counters[ADOPTED_ROWS] += 1 if entered > 0 else 0
        h.counters[ADOPTED_LEVELS] += entered
        out.op_row_start[k + 1] = h.counters[N_OPS]
        if k % every == 0:
            live = len(h.orders) - h.counters[N_FREE]
            if h.counters[N_CHECKPOINT_ORDERS] + live > len(out.checkpoint_orders):
                return GROW_CHECKPOINTS
            _checkpoint(h, out, k // every)
    return DONE
