"""The historic book alone, once through a recorded day: messages and level truth in, replay operations out.

Row k-1 of the orderbook file plus message k gives row k, but for levels that enter from beyond the file's
horizon (known only from the row: *adopted* as one order of unknown age) and levels that leave it
(*forgotten*: what happens to them there is not in the file). Rules:

* A message about an order that was never seen arriving acts on the adopted orders of its level, front first;
  they stand at the front of the queue, being older than every order seen arriving. Only if they do not
  suffice does it act on the level's other orders, front first.
* The row is the truth. Where a level still differs after all this, volume is adopted or deleted (last in the
  queue first) to match, and the row counts as *corrected*; a sound pair of files has no such row.

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
    N_OPS,
    ROW,
    UNKNOWN_MESSAGES,
    UNMATCHED_VOLUME,
    Historic,
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
    return price if side == 1 else -price


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
    while i < h.level_count[side] and h.level_key[side, i] < key:
        i += 1
    return i


@kernel
def _level_at(h: Historic, side: int, key: int) -> int:
    """Index of the level with exactly ``key``, or -1."""
    i = _find(h, side, key)
    return i if i < h.level_count[side] and h.level_key[side, i] == key else -1


@kernel
def _insert(
    h: Historic, time: int, op: int, side: int, key: int, quantity: int, identity: int, front: bool
) -> None:
    """Open an order at the front or back of its level (a new one if need be) and write the operation."""
    i = _find(h, side, key)
    if i == h.level_count[side] or h.level_key[side, i] != key:
        for j in range(h.level_count[side], i, -1):
            h.level_key[side, j] = h.level_key[side, j - 1]
            h.level_quantity[side, j] = h.level_quantity[side, j - 1]
            h.level_head[side, j] = h.level_head[side, j - 1]
            h.level_tail[side, j] = h.level_tail[side, j - 1]
        h.level_count[side] += 1
        h.level_key[side, i] = key
        h.level_quantity[side, i] = 0
        h.level_head[side, i] = -1
        h.level_tail[side, i] = -1
    h.counters[N_FREE] -= 1
    handle = h.free[h.counters[N_FREE]]
    h.counters[MAX_HANDLES] = max(h.counters[MAX_HANDLES], handle + 1)
    h.key[handle] = key
    h.side[handle] = side
    h.quantity[handle] = quantity
    h.identity[handle] = identity
    h.level_quantity[side, i] += quantity
    head, tail = h.level_head[side, i], h.level_tail[side, i]
    h.prev[handle] = -1 if front else tail
    h.next[handle] = head if front else -1
    if front or tail < 0:
        h.level_head[side, i] = handle
    if not front or head < 0:
        h.level_tail[side, i] = handle
    if front and head >= 0:
        h.prev[head] = handle
    if not front and tail >= 0:
        h.next[tail] = handle
    if identity >= 0:
        h.handle_of[identity] = handle
    _emit(h, time, op, side, _key(side, key), quantity, quantity, handle)


@kernel
def _take(h: Historic, time: int, op: int, handle: int, quantity: int) -> None:
    """Take ``quantity`` (at most what is left) from an order and write it; an empty order is freed."""
    side = h.side[handle]
    key = h.key[handle]
    remaining = h.quantity[handle] - quantity
    h.quantity[handle] = remaining
    i = _find(h, side, key)
    h.level_quantity[side, i] -= quantity
    if op == OP_REDUCE and remaining == 0:
        op = OP_DELETE
    _emit(h, time, op, side, _key(side, key), quantity, remaining, handle)
    if remaining > 0:
        return
    before, after = h.prev[handle], h.next[handle]
    if before >= 0:
        h.next[before] = after
    else:
        h.level_head[side, i] = after
    if after >= 0:
        h.prev[after] = before
    else:
        h.level_tail[side, i] = before
    if h.identity[handle] >= 0:
        h.handle_of[h.identity[handle]] = -1
    h.free[h.counters[N_FREE]] = handle
    h.counters[N_FREE] += 1
    if h.level_head[side, i] < 0:
        h.level_count[side] -= 1
        for j in range(i, h.level_count[side]):
            h.level_key[side, j] = h.level_key[side, j + 1]
            h.level_quantity[side, j] = h.level_quantity[side, j + 1]
            h.level_head[side, j] = h.level_head[side, j + 1]
            h.level_tail[side, j] = h.level_tail[side, j + 1]


@kernel
def _clear_level(h: Historic, time: int, op: int, side: int, i: int) -> None:
    """Take every order of a level, front first."""
    handle = h.level_head[side, i]
    while handle >= 0:
        after = h.next[handle]
        _take(h, time, op, handle, h.quantity[handle])
        handle = after


@kernel
def _take_unknown(h: Historic, time: int, op: int, side: int, key: int, quantity: int) -> None:
    """A message about an order not seen arriving: from the level's adopted orders, then from the others."""
    h.counters[UNKNOWN_MESSAGES] += 1
    for adopted_only in (True, False):
        i = _level_at(h, side, key)
        handle = h.level_head[side, i] if i >= 0 else -1
        while handle >= 0 and quantity > 0:
            after = h.next[handle]
            if h.identity[handle] < 0 or not adopted_only:
                part = min(quantity, h.quantity[handle])
                _take(h, time, op, handle, part)
                quantity -= part
            handle = after
        if adopted_only:
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
    before = h.prev[handle]
    if before < 0:
        h.counters[EXECUTIONS_IN_FRONT] += 1
    while before >= 0 and h.identity[before] < 0:
        before = h.prev[before]
    if before < 0:
        h.counters[EXECUTIONS_OLDEST_KNOWN] += 1


@kernel
def _message(h: Historic, message: Any, identity: int, tick_units: int) -> bool:
    """Apply one message to the historic book; False if it adds an order that is already resting."""
    time = message["time"]
    kind = message["kind"]
    side = message["side"]
    units = message["price"]
    quantity = message["quantity"]
    if kind > _EXECUTE:
        if kind in (_HIDDEN, _CROSS):
            # Between two ticks: the tick that is better for the owner is the last one that has priority over
            # it.
            price = -((-units) // tick_units) if side == 0 else units // tick_units
            _emit(h, time, OP_HIDDEN if kind == _HIDDEN else OP_CROSS, side, price, quantity, 0, -1)
        else:
            _emit(h, time, OP_HALT, 0, units, 0, 0, -1)
        return True
    key = _key(side, units // tick_units)
    handle = h.handle_of[identity]
    if kind == _ADD:
        if handle >= 0:
            return False
        other = 1 - side
        # An order that crosses what we hold proves those levels dead: gone before it arrives, or it would
        # trade.
        while h.level_count[other] > 0 and -h.level_key[other, 0] >= key:
            _clear_level(h, time, OP_DELETE, other, 0)
            _corrected(h)
        _insert(h, time, OP_ADD, side, key, quantity, identity, False)
        return True
    op = OP_EXECUTE if kind == _EXECUTE else OP_REDUCE
    if handle < 0:
        _take_unknown(h, time, op, side, key, quantity)
        return True
    resting = h.quantity[handle]
    if (
        h.key[handle] != key
        or h.side[handle] != side
        or quantity > resting
        or (kind == _DELETE and quantity < resting)
    ):
        h.counters[MISMATCHED_MESSAGES] += 1
    if kind == _EXECUTE:
        _count_execution(h, handle)
    _take(h, time, op, handle, resting if kind == _DELETE else min(quantity, resting))
    return True


@kernel
def _drop_levels(h: Historic, time: int, side: int, row: NDArray[np.int64], levels: int) -> int:
    """Make the levels of one side no more than the row of the file says."""
    price_column = 0 if side == 1 else 2
    known = 0
    while known < levels and row[known, price_column + 1] > 0:
        known += 1
    i = 0
    j = 0
    while i < h.level_count[side]:
        key = h.level_key[side, i]
        while j < known and _key(side, row[j, price_column]) < key:
            j += 1
        if j < known and _key(side, row[j, price_column]) == key:
            excess = h.level_quantity[side, i] - row[j, price_column + 1]
            if excess > 0:
                _corrected(h)
            while excess > 0:
                last = h.level_tail[side, i]
                part = min(excess, h.quantity[last])
                _take(h, time, OP_REDUCE, last, part)
                excess -= part
            i += 1
        elif j == known == levels:
            n = h.counters[N_OPS]
            _clear_level(h, time, OP_FORGET, side, i)
            h.counters[FORGOTTEN_ORDERS] += h.counters[N_OPS] - n
        else:
            _corrected(h)
            _clear_level(h, time, OP_DELETE, side, i)
    return known


@kernel
def _adopt_levels(h: Historic, time: int, side: int, row: NDArray[np.int64], known: int, horizon: int) -> int:
    """Give one side what the file's row has and we do not; what lay beyond ``horizon`` is due."""
    price_column = 0 if side == 1 else 2
    adopted = 0
    for j in range(known):
        key = _key(side, row[j, price_column])
        i = _level_at(h, side, key)
        missing = row[j, price_column + 1]
        if i >= 0:
            missing -= h.level_quantity[side, i]
        if missing > 0:
            if i >= 0 or key <= horizon:
                _corrected(h)
            else:
                adopted += 1
            _insert(h, time, OP_ADOPT, side, key, missing, -1, True)
    return adopted


@kernel
def _checkpoint(h: Historic, number: int) -> None:
    """Write every live order: bids, then asks; best level first; front of the queue first."""
    n = h.counters[N_CHECKPOINT_ORDERS]
    for side in range(2):
        for i in range(h.level_count[side]):
            handle = h.level_head[side, i]
            while handle >= 0:
                record = h.checkpoint_orders[n]
                record["price"] = _key(side, h.level_key[side, i])
                record["quantity"] = h.quantity[handle]
                record["handle"] = handle
                record["side"] = side
                n += 1
                handle = h.next[handle]
    h.counters[N_CHECKPOINT_ORDERS] = n
    h.checkpoint_start[number + 1] = n


@entry
def simulate(
    h: Historic,
    messages: NDArray[Any],
    identities: NDArray[np.int64],
    book: NDArray[np.int64],
    tick_units: int,
    every: int,
) -> int:
    """Run the day; return DONE, a ``GROW_*`` (start again with more room), or DUPLICATE_ORDER (at
    counters[ROW]).

    ``messages`` is ``(rows,)`` of LOBSTER_DTYPE, ``identities`` the dense index of each message's order id,
    ``book`` ``(rows, levels, 4)`` in ticks; a checkpoint is taken after every ``every``-th row, the first
    after row 0. Row 0 is adopted whole: its message is already in it.
    """
    rows = len(messages)
    levels = book.shape[1]
    handles = len(h.free)
    for k in range(rows):
        h.counters[ROW] = k
        live = handles - h.counters[N_FREE]
        if h.counters[N_OPS] + 2 * live + 4 * levels + 8 > len(h.ops):
            return GROW_OPS
        if h.counters[N_FREE] < 2 * levels + 4:
            return GROW_HANDLES
        time = messages[k]["time"]
        row = book[k]
        bid_horizon = -_NO_KEY
        ask_horizon = -_NO_KEY
        if k > 0:
            # What lies beyond the worst level of a full side is unknown; a side that is not full hides
            # nothing.
            before = book[k - 1]
            bid_horizon = -before[levels - 1, 2] if before[levels - 1, 3] > 0 else _NO_KEY
            ask_horizon = before[levels - 1, 0] if before[levels - 1, 1] > 0 else _NO_KEY
            if not _message(h, messages[k], identities[k], tick_units):
                return DUPLICATE_ORDER
        known_bids = _drop_levels(h, time, 0, row, levels)
        known_asks = _drop_levels(h, time, 1, row, levels)
        adopted = _adopt_levels(h, time, 0, row, known_bids, bid_horizon)
        adopted += _adopt_levels(h, time, 1, row, known_asks, ask_horizon)
        if adopted > 0 and k > 0:
            h.counters[ADOPTED_ROWS] += 1
            h.counters[ADOPTED_LEVELS] += adopted
        h.op_row_start[k + 1] = h.counters[N_OPS]
        if k % every == 0:
            if h.counters[N_CHECKPOINT_ORDERS] + handles - h.counters[N_FREE] > len(h.checkpoint_orders):
                return GROW_CHECKPOINTS
            _checkpoint(h, k // every)
    return DONE
