"""A feed's operations once through the compiled book, each row compared with what the feed says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import I64, U, entry
from hft_gym.book import ladder
from hft_gym.book.ladder import ASK, BID, Book
from hft_gym.data.ops import OP_ADD, OP_ADOPT, OP_DELETE, OP_EXECUTE, OP_FORGET, OP_REDUCE
from hft_gym.data.replay import ReplayFeed

__all__ = ["ReplayCheck", "replay_through_book"]

_WRONG, _FIRST_WRONG, _CROSSED, _EXECUTED, _AT_BEST, _AT_FRONT, _BROKEN = range(7)


@dataclass(frozen=True)
class ReplayCheck:
    """What one run of a feed through the compiled book found.

    Attributes:
        rows, operations: how many there were.
        wrong_rows: rows whose best levels are not the feed's (level 2: of trades in between, not yet in a picture).
        first_wrong_row: the first of them, -1 if none.
        crossed_rows: rows after which the book is crossed or locked.
        broken_operations: operations on an order that is not there or has less left.
        executions: of visible orders.
        at_best, at_front: of them, at the best price of their side, and first in their queue.
    """

    rows: int
    operations: int
    wrong_rows: int
    first_wrong_row: int
    crossed_rows: int
    broken_operations: int
    executions: int
    at_best: int
    at_front: int


@entry
def _run(
    head: Any, node: Any, order: Any, words: Any, live: Any, ops: Any, starts: Any, truth: Any, found: Any, first: int
) -> None:
    book = Book(head[0], node[0], order[0], words[0])
    levels = book.head["levels"]
    for row in range(first, starts.shape[0] - 1):
        for i in range(starts[U(row)], starts[U(row + 1)]):
            op = ops[U(i)]
            code, side, price, handle = I64(op["op"]), I64(op["side"]), op["price"], I64(op["handle"])
            if code == OP_ADD or code == OP_ADOPT:
                slot = ladder.rest(book, side, price, op["quantity"], 0, I64(handle))
                if code == OP_ADOPT:
                    ladder.move_to_front(book, slot)
                live[U(handle)] = slot
            elif code == OP_REDUCE or code == OP_DELETE or code == OP_EXECUTE or code == OP_FORGET:
                slot = I64(live[U(handle)])
                remaining = op["remaining"]
                if slot == 0 or I64(book.node[U(slot)]["quantity"]) != remaining + op["quantity"]:
                    found[_BROKEN] += 1
                    if slot == 0:
                        continue
                if code == OP_EXECUTE:
                    found[_EXECUTED] += 1
                    if ladder.best_price(book, side) == price:
                        found[_AT_BEST] += 1
                    if I64(book.node[U(slot)]["prev"]) == I64(book.node[U(slot)]["level"]):
                        found[_AT_FRONT] += 1
                if remaining == 0:
                    ladder.take_out(book, slot)
                    live[U(handle)] = 0
                else:
                    ladder.reduce(book, slot, remaining)
        bid_there, ask_there = not ladder.is_empty(book, BID), not ladder.is_empty(book, ASK)
        if bid_there and ask_there and ladder.best_price(book, BID) >= ladder.best_price(book, ASK):
            found[_CROSSED] += 1
        wrong = False
        for side in range(2):
            index = book.head["best"][side]
            column = 2 - 2 * side
            for j in range(truth.shape[1]):
                price, volume = 0, 0
                if index < levels:
                    key = book.head["base"][side] + index
                    price = key if side == ASK else -key
                    volume = I64(book.node[U(ladder.sentinel(book, side, index))]["quantity"])
                    index = ladder.next_level(book, side, index + 1)
                wrong = wrong or truth[U(row), U(j), U(column)] != price or truth[U(row), U(j), U(column + 1)] != volume
        if wrong:
            if found[_WRONG] == 0:
                found[_FIRST_WRONG] = row
            found[_WRONG] += 1


@entry
def _load(head: Any, node: Any, order: Any, words: Any, live: Any, orders: Any) -> None:
    book = Book(head[0], node[0], order[0], words[0])
    for i in range(orders.shape[0]):
        record = orders[U(i)]
        handle = I64(record["handle"])
        live[U(handle)] = ladder.rest(book, I64(record["side"]), record["price"], record["quantity"], 0, handle)


def prepare(feed: ReplayFeed) -> tuple[NDArray[Any], ...]:
    """A compiled book as it stands after row 0, and the table of its orders by handle."""
    span = max(feed.max_price - feed.min_price, 1)
    levels = min(max(4_096, -(-2 * span // 64) * 64), ladder.MAX_LEVELS)
    arrays = ladder.allocate(1, levels, feed.max_handles + 1)
    live = np.zeros(feed.max_handles + 1, np.int64)
    head, node, order, words = arrays
    _load(head, node, order, words, live, feed.checkpoint_before(0)[1].copy())
    return (*arrays, live)


def run(feed: ReplayFeed, state: tuple[NDArray[Any], ...]) -> NDArray[np.int64]:
    """All operations after row 0 through a book from :func:`prepare`; what was found, as counts."""
    found = np.zeros(7, np.int64)
    found[_FIRST_WRONG] = -1
    arrays = feed.kernel_arrays()
    head, node, order, words, live = state
    truth = feed.book.copy()  # writable, as kernels are compiled for
    _run(head, node, order, words, live, arrays.ops, arrays.op_row_start, truth, found, 1)
    return found


def replay_through_book(feed: ReplayFeed) -> ReplayCheck:
    """Replay a whole feed in the compiled book and compare every row."""
    found = run(feed, prepare(feed))
    return ReplayCheck(
        rows=feed.rows,
        operations=len(feed.ops),
        wrong_rows=int(found[_WRONG]),
        first_wrong_row=int(found[_FIRST_WRONG]),
        crossed_rows=int(found[_CROSSED]),
        broken_operations=int(found[_BROKEN]),
        executions=int(found[_EXECUTED]),
        at_best=int(found[_AT_BEST]),
        at_front=int(found[_AT_FRONT]),
    )
