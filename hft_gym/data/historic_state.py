"""What :mod:`hft_gym.data.historic` works on: its arrays, its counters and its results."""

from __future__ import annotations

from typing import Any, NamedTuple

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
N_LEVELS = 17  # levels held of the bids; the next counter: of the asks
N_COUNTERS = 19


ORDER_DTYPE = np.dtype(
    [
        ("key", "<i8"),
        ("quantity", "<i8"),  # left
        ("side", "<i8"),
        ("identity", "<i8"),  # index of the order's id, -1 for an adopted order
        ("next", "<i8"),  # handles of the neighbours in the queue, -1 for none
        ("prev", "<i8"),
        ("free", "<i8"),  # not of this order: an entry of the stack of free handles
    ]
)
"""One historic order; its place in the array is its handle."""

LEVEL_DTYPE = np.dtype([("key", "<i8"), ("quantity", "<i8"), ("head", "<i8"), ("tail", "<i8")])
"""One level: its volume, and the first and last handle of its queue."""


class Historic(NamedTuple):
    """The state of the historic book and what it writes: few arrays, for compile time grows with them."""

    orders: NDArray[Any]  # (handles,) ORDER_DTYPE
    level: NDArray[Any]  # (2, levels + 2) LEVEL_DTYPE, best first
    handle_of: NDArray[np.int64]  # one entry per order id; -1: not resting
    counters: NDArray[np.int64]
    ops: NDArray[Any]  # REPLAY_DTYPE


class Output(NamedTuple):
    """What only the outermost loop writes."""

    op_row_start: NDArray[np.int64]  # (rows + 1,)
    checkpoint_start: NDArray[np.int64]  # (checkpoints + 1,)
    checkpoint_orders: NDArray[Any]  # CHECKPOINT_DTYPE


def allocate(
    rows: int, levels: int, ids: int, ops: int, handles: int, every: int, orders: int
) -> tuple[Historic, Output]:
    """Fresh arrays with room for so many operations, live orders and checkpoint orders."""
    counters = np.zeros(N_COUNTERS, np.int64)
    counters[N_FREE] = handles
    counters[FIRST_CORRECTED] = counters[LAST_CORRECTED] = -1
    historic = Historic(
        orders=np.zeros(handles, ORDER_DTYPE),
        level=np.zeros((2, levels + 2), LEVEL_DTYPE),
        handle_of=np.full(ids, -1, np.int64),
        counters=counters,
        ops=np.zeros(ops, REPLAY_DTYPE),
    )
    historic.orders["free"] = np.arange(handles - 1, -1, -1)
    output = Output(
        op_row_start=np.zeros(rows + 1, np.int64),
        checkpoint_start=np.zeros((rows + every - 1) // every + 1, np.int64),
        checkpoint_orders=np.zeros(orders, CHECKPOINT_DTYPE),
    )
    return historic, output
