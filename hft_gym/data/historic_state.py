"""What :mod:`hft_gym.data.historic` works on: its arrays, its counters and its results."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hft_gym.data.ops import CHECKPOINT_DTYPE, REPLAY_DTYPE

# Results of historic.simulate().
DONE = 0
GROW_OPS = 1
GROW_HANDLES = 2
GROW_CHECKPOINTS = 3
DUPLICATE_ORDER = 4

# Positions in Historic.counters.
N_OPS = 0  # operations written
N_FREE = 1  # handles on the free stack
N_CHECKPOINT_ORDERS = 2
MAX_HANDLES = 3  # high-water mark of handles + 1
ROW = 4  # row being worked on
CORRECTED_ROWS = 5
FIRST_CORRECTED = 6  # row, or -1
LAST_CORRECTED = 7  # row, or -1
ADOPTED_ROWS = 8
ADOPTED_LEVELS = 9
FORGOTTEN_ORDERS = 10
UNKNOWN_MESSAGES = 11  # about orders that were not seen arriving
UNMATCHED_VOLUME = 12  # shares of such messages that the adopted orders of the level did not cover
MISMATCHED_MESSAGES = 13  # side, price or size contradicts the known order
EXECUTIONS_KNOWN = 14
EXECUTIONS_IN_FRONT = 15  # of them: no other order stood before it
EXECUTIONS_OLDEST_KNOWN = 16  # of them: no other order seen arriving stood before it
N_COUNTERS = 17


class Historic(NamedTuple):
    """Everything :func:`~hft_gym.data.historic.simulate` works on; nothing is allocated inside it."""

    # one entry per handle
    key: NDArray[np.int64]
    quantity: NDArray[np.int64]
    side: NDArray[np.uint8]
    identity: NDArray[np.int64]  # index of the order's id, -1 for an adopted order
    next: NDArray[np.int64]
    prev: NDArray[np.int64]
    free: NDArray[np.int64]
    # (2, levels + 2), best level first
    level_key: NDArray[np.int64]
    level_quantity: NDArray[np.int64]
    level_head: NDArray[np.int64]
    level_tail: NDArray[np.int64]
    level_count: NDArray[np.int64]  # (2,)
    handle_of: NDArray[np.int64]  # one entry per order id; -1: not resting
    counters: NDArray[np.int64]
    ops: NDArray[np.void]
    op_row_start: NDArray[np.int64]  # (rows + 1,)
    checkpoint_start: NDArray[np.int64]
    checkpoint_orders: NDArray[np.void]


def allocate(rows: int, levels: int, ids: int, ops: int, handles: int, every: int, orders: int) -> Historic:
    """Fresh state with room for so many operations, live orders and checkpoint orders."""

    def ints(*shape: int) -> NDArray[np.int64]:
        return np.zeros(shape, np.int64)

    counters = ints(N_COUNTERS)
    counters[N_FREE] = handles
    counters[FIRST_CORRECTED] = counters[LAST_CORRECTED] = -1
    return Historic(
        key=ints(handles),
        quantity=ints(handles),
        side=np.zeros(handles, np.uint8),
        identity=ints(handles),
        next=ints(handles),
        prev=ints(handles),
        free=np.arange(handles - 1, -1, -1, dtype=np.int64),
        level_key=ints(2, levels + 2),
        level_quantity=ints(2, levels + 2),
        level_head=ints(2, levels + 2),
        level_tail=ints(2, levels + 2),
        level_count=ints(2),
        handle_of=np.full(ids, -1, np.int64),
        counters=counters,
        ops=np.zeros(ops, REPLAY_DTYPE),
        op_row_start=ints(rows + 1),
        checkpoint_start=ints((rows + every - 1) // every + 1),
        checkpoint_orders=np.zeros(orders, CHECKPOINT_DTYPE),
    )
