"""Recording a tape: the market runs one event at a time, and the recorder compares its book before and after each.

So the event loop carries no code for it, whatever the mechanism an event was: a market that is not recorded pays
nothing, and one that is recorded runs the same path. A comparison walks over every resting order (one to ten
microseconds an event).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hft_gym._jit import I64, U, kernel
from hft_gym.book.ladder import ASK, BID, Book, key_of, next_level, sentinel
from hft_gym.market.exchange import Exchange
from hft_gym.market.records import EVENT_ANY
from hft_gym.market.tape import TAPE, TapeKind

_LIMIT, _REDUCE, _CANCEL = int(TapeKind.LIMIT), int(TapeKind.REDUCE), int(TapeKind.CANCEL)
_EXECUTE, _HIDDEN = int(TapeKind.EXECUTE), int(TapeKind.HIDDEN)

SEEN = np.dtype(
    [
        ("walk", "i8"),
        ("id", "i8"),
        ("serial", "i8"),
        ("price", "i8"),
        ("quantity", "i8"),
        ("participant", "u4"),
        ("side", "u4"),
    ]
)
"""A resting order as a walk found it; ``serial`` is its id on the tape, ``walk`` the number of the walk."""
LEVEL = np.dtype([("key", "i8"), ("volume", "i8")])
RECORDER = np.dtype(
    [
        ("n", "i8"),
        ("walk", "i8"),
        ("serial", "i8"),
        ("happened", "i8"),
        ("n_orders", "i8", (2,)),
        ("n_levels", "i8", (2,)),
        ("volume", "i8", (2,)),
    ]
)
"""Records written; number of the last walk; last id given; events so far; orders found by the walks of each parity;
levels by side; volume by aggressor as last seen."""


class Recorder(NamedTuple):
    """The recorder's arrays: records and books written, what the last two walks found, levels by side."""

    record: Any
    book: Any
    seen: Any
    found: Any
    level: Any
    maker_volume: Any
    state: Any


def allocate_recorder(room: int, levels: int, capacity: int, accounts: int) -> Recorder:
    """A recorder of up to *room* records and *levels* of depth, for books of *capacity* orders.

    An event may leave two records for every order (all withdrawn, all entered anew) and one more.
    """
    return Recorder(
        np.zeros(max(room, 4 * capacity + 2), TAPE),
        np.zeros((max(room, 4 * capacity + 2) if levels else 0, levels, 4), np.int64),
        np.zeros((2, capacity), SEEN),
        np.zeros((2, capacity), np.uint32),
        np.zeros((2, capacity), LEVEL),
        np.zeros(accounts, np.int64),
        np.zeros(1, RECORDER),
    )


@kernel
def change_level(to: Recorder, side: int, key: int, change: int) -> None:
    """Add *change* lots to level *key* of *side*, which appears or vanishes as needed."""
    state, level = to.state[0], to.level
    n = state["n_levels"][side]
    i = 0
    while i < n and level[side, i]["key"] < key:
        i += 1
    if i < n and level[side, i]["key"] == key:
        level[side, i]["volume"] += change
        if level[side, i]["volume"] == 0:
            for j in range(i, n - 1):
                level[side, j]["key"] = level[side, j + 1]["key"]
                level[side, j]["volume"] = level[side, j + 1]["volume"]
            state["n_levels"][side] = n - 1
        return
    for j in range(n, i, -1):
        level[side, j]["key"] = level[side, j - 1]["key"]
        level[side, j]["volume"] = level[side, j - 1]["volume"]
    level[side, i]["key"] = key
    level[side, i]["volume"] = change
    state["n_levels"][side] = n + 1


@kernel
def note(ex: Exchange, to: Recorder, slot: int, side: int) -> None:
    """The walk passed the resting order in *slot*."""
    state = to.state[0]
    at = slot - I64(ex.book.head["first"])
    order = ex.book.order[U(at)]
    new = I64(state["walk"] & 1)
    row, old = to.seen[new, at], to.seen[1 - new, at]
    row["walk"] = state["walk"]
    row["id"] = order["id"]
    row["price"] = order["price"]
    row["quantity"] = ex.book.node[U(slot)]["quantity"]
    row["participant"] = order["participant"]
    row["side"] = side
    same = (
        old["walk"] == state["walk"] - 1
        and old["id"] == row["id"]
        and old["price"] == row["price"]
        and old["participant"] == row["participant"]
        and old["side"] == row["side"]
        and old["quantity"] >= row["quantity"]
    )
    if same:
        row["serial"] = old["serial"]
    else:
        state["serial"] += 1
        row["serial"] = state["serial"]
    n = state["n_orders"][new]
    to.found[new, n] = at
    state["n_orders"][new] = n + 1


@kernel
def walk(ex: Exchange, to: Recorder) -> None:
    """Note every resting order, by side and priority (parked orders, which lie behind, in order of arrival)."""
    book: Book = ex.book
    head, node = book.head, book.node
    state = to.state[0]
    state["walk"] += 1
    state["n_orders"][state["walk"] & 1] = 0
    for side in range(2):
        index = I64(head["best"][side])
        while True:
            level = sentinel(book, side, index)
            slot = I64(node[U(level)]["next"])
            while slot != level:
                note(ex, to, slot, side)
                slot = I64(node[U(slot)]["next"])
            if index >= head["levels"]:
                break
            index = next_level(book, side, index + 1)


@kernel
def set_levels(to: Recorder) -> None:
    """Sum the levels from what the first walk found; the records keep them up to date from then on."""
    state = to.state[0]
    new = I64(state["walk"] & 1)
    state["n_levels"][0] = 0
    state["n_levels"][1] = 0
    for i in range(state["n_orders"][new]):
        row = to.seen[new, to.found[new, i]]
        side = I64(row["side"])
        key = key_of(side, row["price"])
        n = state["n_levels"][side]
        if n == 0 or to.level[side, n - 1]["key"] < key:
            to.level[side, n]["key"] = key
            to.level[side, n]["volume"] = row["quantity"]
            state["n_levels"][side] = n + 1
        elif to.level[side, n - 1]["key"] == key:
            to.level[side, n - 1]["volume"] += row["quantity"]
        else:
            change_level(to, side, key, row["quantity"])


@kernel
def write_book(to: Recorder, n: int) -> None:
    """Write best quotes and depth as they are now to record *n*."""
    record, state = to.record[U(n)], to.state[0]
    bid, ask = to.level[BID, 0], to.level[ASK, 0]
    has_bid, has_ask = state["n_levels"][BID] > 0, state["n_levels"][ASK] > 0
    record["bid"] = -bid["key"] if has_bid else 0
    record["bid_volume"] = bid["volume"] if has_bid else 0
    record["ask"] = ask["key"] if has_ask else 0
    record["ask_volume"] = ask["volume"] if has_ask else 0
    if to.book.shape[0] == 0:
        return
    for i in range(to.book.shape[1]):
        for side in range(2):
            column = 0 if side == ASK else 2
            key, volume = 0, 0
            if i < state["n_levels"][side]:
                key, volume = to.level[side, i]["key"], to.level[side, i]["volume"]
            to.book[U(n), U(i), U(column)] = key if side == ASK else -key
            to.book[U(n), U(i), U(column + 1)] = volume


@kernel
def write(ex: Exchange, to: Recorder, row: Any, kind: int, quantity: int) -> None:
    """Write one record about the order *row* and bring the levels up to date."""
    state = to.state[0]
    n = state["n"]
    state["n"] = n + 1
    record = to.record[U(n)]
    record["time"] = ex.state["time"]
    record["order_id"] = row["serial"]
    record["price"] = row["price"]
    record["quantity"] = quantity
    record["participant"] = row["participant"]
    record["kind"] = kind
    record["side"] = row["side"]
    side = I64(row["side"])
    change_level(to, side, key_of(side, row["price"]), quantity if kind == _LIMIT else -quantity)
    write_book(to, n)


@kernel
def write_hidden(ex: Exchange, to: Recorder, side: int, quantity: int) -> None:
    """Record *quantity* lots that were executed on *side* out of nobody's sight, at its touch as far as one sees."""
    state = to.state[0]
    n = state["n"]
    state["n"] = n + 1
    record = to.record[U(n)]
    write_book(to, n)
    record["time"] = ex.state["time"]
    record["order_id"] = 0
    record["price"] = record["ask"] if side == ASK else record["bid"]
    record["quantity"] = quantity
    record["participant"] = 0
    record["kind"] = _HIDDEN
    record["side"] = side


@kernel
def start_recording(ex: Exchange, to: Recorder) -> None:
    """Take the book as it is as the opening one; ``book`` and ``record`` 0 describe it until the first record."""
    state = to.state[0]
    state["n"] = 0
    state["serial"] = 0
    state["happened"] = 0
    state["walk"] += 1
    walk(ex, to)
    set_levels(to)
    write_book(to, 0)
    for side in range(2):
        state["volume"][side] = ex.state["volume"][side]
    for p in range(to.maker_volume.shape[0]):
        to.maker_volume[U(p)] = ex.account[U(p)]["maker_volume"]


@kernel
def record_event(ex: Exchange, to: Recorder) -> bool:
    """Record what the last event did: executions by priority, then withdrawals, then new orders.

    Of what left the book, as much counts as executed as the market's volume grew by on that side, best orders first; a
    participant's order only if its maker volume grew. True if the arrays have room for any further event.
    """
    state = to.state[0]
    state["happened"] |= ex.state["events"]
    walk(ex, to)
    new = I64(state["walk"] & 1)
    old = 1 - new
    for side in range(2):
        budget = ex.state["volume"][1 - side] - state["volume"][1 - side]
        state["volume"][1 - side] = ex.state["volume"][1 - side]
        if budget == 0:
            continue
        for i in range(state["n_orders"][old]):
            row = to.seen[old, to.found[old, i]]
            if budget == 0 or row["side"] != side:
                continue
            p = I64(row["participant"])
            if p > 0 and ex.account[U(p)]["maker_volume"] == to.maker_volume[U(p)]:
                continue
            executed = min(lost(to, old, i), budget)
            if executed > 0:
                write(ex, to, row, _EXECUTE, executed)
                row["quantity"] -= executed
                budget -= executed
        if budget > 0:
            write_hidden(ex, to, side, budget)
    for p in range(to.maker_volume.shape[0]):
        to.maker_volume[U(p)] = ex.account[U(p)]["maker_volume"]
    for i in range(state["n_orders"][old]):
        row = to.seen[old, to.found[old, i]]
        withdrawn = lost(to, old, i)
        if withdrawn > 0:
            write(ex, to, row, _CANCEL if withdrawn == row["quantity"] else _REDUCE, withdrawn)
    for i in range(state["n_orders"][new]):
        at = to.found[new, i]
        row, before = to.seen[new, at], to.seen[old, at]
        if before["walk"] != state["walk"] - 1 or before["serial"] != row["serial"]:
            write(ex, to, row, _LIMIT, row["quantity"])
    return to.record.shape[0] - state["n"] > 3 * ex.book.head["capacity"] + 2


@kernel
def lost(to: Recorder, old: int, i: int) -> int:
    """Lots of the *i*-th order of the walk before that the last walk did not find, less those recorded already."""
    at = to.found[old, i]
    before, after = to.seen[old, at], to.seen[1 - old, at]
    if after["walk"] == before["walk"] + 1 and after["serial"] == before["serial"]:
        return before["quantity"] - after["quantity"]
    return before["quantity"]


@kernel
def finish_recording(ex: Exchange, to: Recorder) -> None:
    """Leave the market as :func:`~hft_gym.market.kernel.advance` to the same time would have."""
    ex.state["events"] = to.state[0]["happened"] & ~EVENT_ANY
