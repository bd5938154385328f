"""What :mod:`hft_gym.data.follow` works on: arrays, counters, results and issue codes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hft_gym.data.issues import CODES

# Results of follow(): why it came back.
DONE = 0
GROW_ORDERS = 1  # the pool of orders is full
GROW_OUT = 2  # no room for records, issues or operations
RETICK = 3  # a price off the tick, which was only inferred
RELOT = 4  # a quantity that the ladder cannot hold
CHECKPOINT = 5  # the state after counters[N_ROWS] - 1 is due as a checkpoint

# Positions in counters.
N_OUT = 0
N_ISSUES = 1
N_OPS = 2
N_ROWS = 3
EMIT = 4  # 1: operations are written
OPEN_AT = 5  # event (number of its last message) after which operations begin; -1: never
MATCHING = 6  # 1: continuous trading
TICK = 7  # units per tick
LOT = 8  # units per lot
TICK_FIXED = 9  # 1: the tick was given, a price off it is an issue
MESSAGE = 10  # messages seen, of the whole stream
EVENT = 11  # events ended
FIRST_OPEN = 12  # the first event end in continuous trading with both sides there; -1
N_PENDING = 13
NEWEST = 14  # side that changed last
END_EVENT = 15  # 1: the event's end is being worked on
CROSSED_AUCTION = 16  # events that ended crossed or locked before continuous trading
EXECUTIONS = 17
AT_BEST = 18
AT_FRONT = 19
UNKNOWN_FILLS = 20
TAKER_FILLS = 21  # fills of an order that the same event placed: the aggressor itself
EVENT_TRADED = 22
EVENT_FILLED = 23
EVENT_PRICE = 24
EVENT_SIDE = 25
QUEUE = 26  # queue model of level-2 data
N_SYN_FREE = 27  # head of the free list of synthetic orders
SYN_LIVE = 28
MAX_HANDLES = 29
LOW_TOUCH = 30
HIGH_TOUCH = 31
CHECKPOINT_ROWS = 32
N_LIVE_MAX = 33
QUOTES = 34
QUOTES_EQUAL = 35
LAST_UPDATE = 36
REPAIR = 37  # 1: crossed books are repaired
EVENTS_CROSSED = 38  # in continuous trading
LAST_TIME = 39
PENDING_CHECKPOINT = 40
MODIFIED_ADDS = 41
UPPER_QUANTITY = 42  # the largest seen [units]
EVENT_AUCTION = 43  # 1: this event opened continuous trading: its fills follow an auction's rules
AUCTION_FILLS = 44
ROWS_BEFORE = 45  # rows that were taken away already
N_COUNTERS = 48

BACK, FRONT, PROPORTIONAL = 0, 1, 2
QUEUE_MODELS = {"back": BACK, "front": FRONT, "proportional": PROPORTIONAL}
"""Name -> where in the queue level-2 data's unexplained decreases come from."""

ISSUE_TIME, ISSUE_SIZE, ISSUE_PRICE, ISSUE_SCALE, ISSUE_SIDE, ISSUE_UNKNOWN, ISSUE_DUPLICATE, ISSUE_EXCESS = (
    CODES.index(name) for name in ("time", "size", "price", "scale", "side", "unknown", "duplicate", "excess")
)
ISSUE_CROSSED = CODES.index("crossed")

ISSUE = np.dtype([("code", "i8"), ("row", "i8"), ("value", "i8"), ("other", "i8")])
"""An issue found by a kernel: position in CODES, the file's row, the value, and what it is compared with."""

EXTRA = np.dtype(
    [
        ("exact", "i8"),  # what is left, in units
        ("fill", "i8"),  # filled in the event `fill_event`, its change still to come
        ("fill_event", "i8"),
        ("born", "i8"),  # the event that placed it
        ("first", "i8"),  # level-2: the first and last synthetic order of this level, -1: none
        ("last", "i8"),
        ("sum", "i8"),  # their lots
    ]
)
"""What a resting order (or, of level-2 data, a level) has besides its place in the ladder."""

SYN = np.dtype([("next", "i8"), ("prev", "i8"), ("quantity", "i8")])
"""A synthetic order of level-2 data; its place in the array is its handle."""


class Follow(NamedTuple):
    """A book being followed; the first four arrays are the compiled book's."""

    head: Any
    node: Any
    order: Any
    words: Any
    table: Any
    direct: Any
    extra: Any
    syn: Any
    pending: Any  # slots (L3: to be added at the end of the event; L2: levels touched)
    counters: Any


class Output(NamedTuple):
    """What a run writes."""

    out: Any  # repaired FEED_DTYPE
    rows: Any
    issues: Any
    ops: Any
    times: Any
    op_start: Any
    truth: Any
