"""The words of a replay: what a recorded day asks of the book, one small operation at a time.

Operations name historic orders by *handle*: a small integer that belongs to one order while it lives and is
given to another one afterwards, so that a table of ``max_handles`` entries finds every live order without a
search.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

__all__ = [
    "CHECKPOINT_DTYPE",
    "OP_ADD",
    "OP_ADOPT",
    "OP_CROSS",
    "OP_DELETE",
    "OP_EXECUTE",
    "OP_FORGET",
    "OP_HALT",
    "OP_HIDDEN",
    "OP_REDUCE",
    "REPLAY_DTYPE",
    "ReplayOp",
]


class ReplayOp(IntEnum):
    """What one operation does to the historic book.

    Fields that an operation does not name are zero, handle -1; ``quantity`` is in lots, ``remaining`` is that of the
    order named by ``handle``, afterwards.

    - 0 ADD: a limit order of ``quantity`` joins the back of the queue at ``price``; it opens ``handle``.
    - 1 REDUCE: part of an order is cancelled; it keeps its place in the queue.
    - 2 DELETE: the whole rest of an order is cancelled (``quantity``; ``remaining`` 0); it frees ``handle``.
    - 3 EXECUTE: ``quantity`` of a visible resting order trades; with ``remaining`` 0 it frees ``handle``. ``side`` is
      the resting order's.
    - 4 HIDDEN: ``quantity`` of a hidden resting order trades; the visible book does not change. ``side`` is the hidden
      order's. Its price may lie between two ticks: ``price`` is the tick on the side that is better for the order's
      owner (down for an ask, up for a bid), the last tick at which a visible order of that side would trade
      first.
    - 5 ADOPT: volume not seen arriving (a level enters from beyond the horizon): one order of ``quantity`` at the FRONT
      of the queue at ``price``, as it is older than all known orders; it opens ``handle``.
    - 6 FORGET: an order vanishes because its level left the horizon (one operation an order); like DELETE, but nobody
      cancelled; it frees ``handle``.
    - 7 HALT: trading halt; ``price`` is -1 (halt), 0 (quoting resumes) or 1 (trading resumes).
    - 8 CROSS: ``quantity`` traded in an auction at ``price``; the book does not change.
    """

    ADD = 0
    REDUCE = 1
    DELETE = 2
    EXECUTE = 3
    HIDDEN = 4
    ADOPT = 5
    FORGET = 6
    HALT = 7
    CROSS = 8


# The same as plain integers: what a compiled kernel compares with.
OP_ADD = int(ReplayOp.ADD)
OP_REDUCE = int(ReplayOp.REDUCE)
OP_DELETE = int(ReplayOp.DELETE)
OP_EXECUTE = int(ReplayOp.EXECUTE)
OP_HIDDEN = int(ReplayOp.HIDDEN)
OP_ADOPT = int(ReplayOp.ADOPT)
OP_FORGET = int(ReplayOp.FORGET)
OP_HALT = int(ReplayOp.HALT)
OP_CROSS = int(ReplayOp.CROSS)

REPLAY_DTYPE = np.dtype(
    [
        ("time", "<i8"),  # ns since midnight
        ("price", "<i8"),  # ticks
        ("quantity", "<i8"),  # lots
        ("remaining", "<i8"),  # lots left of the order `handle` in the historic book, after this operation
        ("handle", "<i4"),  # -1 where no order is meant
        ("op", "u1"),  # ReplayOp
        ("side", "u1"),  # OrderSide
        ("pad", "u1", (2,)),
    ]
)
"""One operation of a replay (40 bytes)."""

CHECKPOINT_DTYPE = np.dtype(
    [("price", "<i8"), ("quantity", "<i8"), ("handle", "<i4"), ("side", "u1"), ("pad", "u1", (3,))]
)
"""One live order of a checkpoint (24 bytes). Price in ticks, remaining quantity in lots."""
