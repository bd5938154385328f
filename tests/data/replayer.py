"""The replay's operations applied by the letter of their definition, in dicts and lists: no compiled code, no
knowledge of the file they came from."""

import bisect
from collections.abc import Iterable

import numpy as np

from hft_gym.data import ReplayFeed, ReplayOp

BID, ASK = 0, 1


class Replayer:
    """A book of handles that obeys a replay and complains where an operation cannot be meant."""

    def __init__(self, max_handles: int) -> None:
        self.max_handles = max_handles
        self.orders: dict[int, list[int]] = {}  # handle -> [side, price, quantity]
        self.queues: tuple[dict[int, list[int]], dict[int, list[int]]] = ({}, {})  # price -> handles
        self.totals: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.keys: tuple[list[int], list[int]] = ([], [])  # sorted, best first (bids negated)
        self.adopted: set[int] = set()

    def open(self, side: int, price: int, quantity: int, handle: int, front: bool, adopted: bool) -> None:
        assert 0 <= handle < self.max_handles
        assert handle not in self.orders
        assert quantity > 0
        self.orders[handle] = [side, price, quantity]
        if price not in self.totals[side]:
            bisect.insort(self.keys[side], price if side == ASK else -price)
            self.totals[side][price] = 0
            self.queues[side][price] = []
        self.queues[side][price].insert(0 if front else len(self.queues[side][price]), handle)
        self.totals[side][price] += quantity
        if adopted:
            self.adopted.add(handle)

    def take(self, side: int, price: int, quantity: int, remaining: int, handle: int) -> None:
        order = self.orders[handle]
        assert order[:2] == [side, price]
        assert quantity > 0
        order[2] -= quantity
        assert order[2] == remaining >= 0
        self.totals[side][price] -= quantity
        if remaining == 0:
            del self.orders[handle]
            self.adopted.discard(handle)
            self.queues[side][price].remove(handle)
            if not self.queues[side][price]:
                assert self.totals[side].pop(price) == 0
                del self.queues[side][price]
                self.keys[side].remove(price if side == ASK else -price)

    def apply(self, op: tuple) -> None:
        """One row of ``ops.tolist()``."""
        _, price, quantity, remaining, handle, code, side, _ = op
        if code in (ReplayOp.ADD, ReplayOp.ADOPT):
            assert remaining == quantity
            adopted = code == ReplayOp.ADOPT
            self.open(side, price, quantity, handle, front=adopted, adopted=adopted)
            best_bid, best_ask = self.best(BID), self.best(ASK)
            assert best_bid is None or best_ask is None or best_bid < best_ask, "an order crosses the book"
        elif code in (ReplayOp.REDUCE, ReplayOp.DELETE, ReplayOp.EXECUTE, ReplayOp.FORGET):
            assert (remaining > 0) == (code == ReplayOp.REDUCE) or code == ReplayOp.EXECUTE
            self.take(side, price, quantity, remaining, handle)
        else:
            assert code in (ReplayOp.HIDDEN, ReplayOp.HALT, ReplayOp.CROSS)
            assert handle == -1

    def best(self, side: int) -> int | None:
        return None if not self.keys[side] else self.keys[side][0] * (1 if side == ASK else -1)

    def view(self, levels: int) -> list[list[int]]:
        """As a row of ``feed.book``: ask price and size, bid price and size; zeros for a missing level."""
        assert len(self.keys[BID]) <= levels >= len(self.keys[ASK])
        rows = [[0, 0, 0, 0] for _ in range(levels)]
        for i, key in enumerate(self.keys[ASK]):
            rows[i][0], rows[i][1] = key, self.totals[ASK][key]
        for i, key in enumerate(self.keys[BID]):
            rows[i][2], rows[i][3] = -key, self.totals[BID][-key]
        return rows

    def live(self) -> list[tuple[int, int, int, int]]:
        """(price, quantity, handle, side) of every order, in the order of a checkpoint."""
        return [
            (price, self.orders[handle][2], handle, side)
            for side in (BID, ASK)
            for key in self.keys[side]
            for price in [key if side == ASK else -key]
            for handle in self.queues[side][price]
        ]

    @classmethod
    def at(cls, feed: ReplayFeed, checkpoint: Iterable[tuple]) -> "Replayer":
        """From the orders of a checkpoint (rows of ``checkpoint_orders.tolist()``)."""
        replayer = cls(feed.max_handles)
        for price, quantity, handle, side, _ in checkpoint:
            replayer.open(side, price, quantity, handle, front=False, adopted=False)
        return replayer


def mismatched_rows(feed: ReplayFeed) -> int:
    """Replay the whole day and count the rows whose book is not the file's."""
    replayer = Replayer(feed.max_handles)
    ops, truth = feed.ops.tolist(), feed.book.tolist()
    starts = feed.op_row_start.tolist()
    wrong = 0
    for row in range(feed.rows):
        for op in ops[starts[row] : starts[row + 1]]:
            replayer.apply(op)
        wrong += replayer.view(feed.levels) != truth[row]
    return wrong


def checkpoint_errors(feed: ReplayFeed) -> int:
    """Replay from every checkpoint to the next (the last: to the end) and count the states that differ."""
    ops, starts = feed.ops.tolist(), feed.op_row_start.tolist()
    numbers = range(len(feed.checkpoint_start) - 1)
    orders = [
        feed.checkpoint_orders[a:b].tolist()
        for a, b in zip(feed.checkpoint_start[:-1], feed.checkpoint_start[1:], strict=True)
    ]
    wrong = 0
    for number in numbers:
        replayer = Replayer.at(feed, orders[number])
        row = number * feed.checkpoint_rows
        wrong += replayer.view(feed.levels) != feed.book[row].tolist()
        end = min(row + feed.checkpoint_rows, feed.rows - 1)
        for op in ops[starts[row + 1] : starts[end + 1]]:
            replayer.apply(op)
        if number + 1 in numbers:
            wrong += replayer.live() != [tuple(order[:4]) for order in orders[number + 1]]
        else:
            wrong += replayer.view(feed.levels) != feed.book[-1].tolist()
    assert np.all(np.diff(feed.checkpoint_start) >= 0)
    return wrong
