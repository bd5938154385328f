"""A LOBSTER pair made up from a little random book, with the truth beyond the file's horizon kept for tests.

The book is a dict of FIFO queues, deeper than the file shows. As LOBSTER does, only events that change the N
best levels are written, besides hidden executions and halts.
"""

import gzip
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

BID, ASK = 0, 1
NS = 10**9
EMPTY = 9_999_999_999


@dataclass
class Written:
    """One row: a message and the state after it."""

    time: int  # ns
    kind: int
    order_id: int
    size: int
    price: int  # file units
    direction: int
    view: list[int]  # ask price, ask size, bid price, bid size per level, as in the file
    queues: dict[
        tuple[int, int], list[tuple[int, int]]
    ]  # (side, ticks) -> [(order id, quantity)], all levels

    def message_line(self) -> str:
        stamp = f"{self.time // NS}.{self.time % NS:09d}"
        return f"{stamp},{self.kind},{self.order_id},{self.size},{self.price},{self.direction}"

    def book_line(self) -> str:
        return ",".join(map(str, self.view))


@dataclass
class Maker:
    """A random book that keeps about ``depth`` levels filled; fewer than ``levels`` leave some empty."""

    levels: int = 5
    depth: int = 12
    seed: int = 0
    halts: bool = True
    start_ns: int = 34_200 * NS
    rows: list[Written] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.time = self.start_ns
        self.next_id = 1
        self.queues: tuple[dict[int, list[list[int]]], dict[int, list[list[int]]]] = ({}, {})
        for distance in range(1, self.depth + 1):
            for side in (BID, ASK):
                price = 10_000 + (distance if side == ASK else -distance)
                for _ in range(self.random.integers(1, 4)):
                    self._rest(side, price, self._size())

    # -- the book -------------------------------------------------------------------------------------------

    def best(self, side: int) -> int | None:
        prices = self.queues[side]
        return None if not prices else min(prices) if side == ASK else max(prices)

    def view(self) -> list[int]:
        sides = [sorted(self.queues[BID], reverse=True), sorted(self.queues[ASK])]
        row: list[int] = []
        for level in range(self.levels):
            for side, sign in ((ASK, 1), (BID, -1)):
                if level < len(sides[side]):
                    price = sides[side][level]
                    row += [price * 100, sum(q for _, q in self.queues[side][price])]
                else:
                    row += [sign * EMPTY, 0]
        return row

    def _size(self) -> int:
        return int(self.random.choice([1, 10, 50, 100, 100, 200, 500]))

    def _rest(self, side: int, price: int, size: int) -> int:
        order = self.next_id
        self.next_id += 1
        self.queues[side].setdefault(price, []).append([order, size])
        return order

    def _reduce(self, side: int, price: int, index: int, size: int) -> None:
        queue = self.queues[side][price]
        queue[index][1] -= size
        if queue[index][1] == 0:
            del queue[index]
        if not queue:
            del self.queues[side][price]

    # -- what happens ---------------------------------------------------------------------------------------

    def _write(
        self, before: list[int] | None, kind: int, order: int, size: int, price: int, side: int
    ) -> None:
        view = self.view()
        if before is not None and view == before:
            return  # beyond the horizon: the file does not show it
        queues = {
            (s, p): [(i, q) for i, q in queue] for s in (BID, ASK) for p, queue in self.queues[s].items()
        }
        direction = 1 if side == BID else -1
        self.rows.append(Written(self.time, kind, order, size, price, direction, view, queues))

    def add(self, side: int, price: int, size: int) -> None:
        """A limit order; what it crosses is executed first, in price-time priority."""
        other = 1 - side
        while size > 0 and (best := self.best(other)) is not None:
            if (best > price) if side == BID else (best < price):
                break
            before = self.view()
            order, resting = self.queues[other][best][0]
            part = min(size, resting)
            self._reduce(other, best, 0, part)
            self._write(before, 4, order, part, best * 100, other)
            size -= part
        if size > 0:
            before = self.view()
            order = self._rest(side, price, size)
            self._write(before, 1, order, size, price * 100, side)

    def cancel(self) -> None:
        side = int(self.random.integers(2))
        if not self.queues[side]:
            return
        prices = sorted(self.queues[side], reverse=side == BID)
        price = prices[min(int(self.random.geometric(0.25)) - 1, len(prices) - 1)]
        queue = self.queues[side][price]
        index = int(self.random.integers(len(queue)))
        order, resting = queue[index]
        partly = resting > 1 and self.random.random() < 0.2
        size = int(self.random.integers(1, resting)) if partly else resting
        before = self.view()
        self._reduce(side, price, index, size)
        self._write(before, 2 if partly else 3, order, size, price * 100, side)

    def hidden(self) -> None:
        bid, ask = self.best(BID), self.best(ASK)
        if bid is None or ask is None:
            return
        self._write(None, 5, 0, self._size(), (bid + ask) * 50, int(self.random.integers(2)))

    def halt(self) -> None:
        for price in (-1, 0, 1):
            self._write(None, 7, 0, 0, price, ASK)
            self.time += NS

    def step(self) -> None:
        self.time += int(self.random.exponential(0.05) * NS) * (self.random.random() < 0.95)
        u = self.random.random()
        crowded = sum(map(len, self.queues[BID].values())) + sum(map(len, self.queues[ASK].values()))
        if u < 0.02:
            self.hidden()
        elif u < 0.022 and self.halts:
            self.halt()
        elif u < 0.1:
            side = int(self.random.integers(2))
            other_best = self.best(1 - side)
            if other_best is not None:  # marketable, now and then through several levels
                through = int(self.random.integers(3))
                self.add(side, other_best + (through if side == BID else -through), 3 * self._size())
        elif u < 0.1 + 0.9 * (0.65 if crowded < 4 * self.depth else 0.3):
            side = int(self.random.integers(2))
            other_best = self.best(1 - side)
            other_best = 10_000 if other_best is None else other_best
            distance = min(int(self.random.geometric(0.2)), self.depth)
            self.add(side, other_best - distance if side == BID else other_best + distance, self._size())
        else:
            self.cancel()


def make_rows(rows: int, levels: int, depth: int = 12, seed: int = 0, halts: bool = True) -> list[Written]:
    """Exactly ``rows`` rows of a made-up day."""
    maker = Maker(levels=levels, depth=depth, seed=seed, halts=halts)
    while len(maker.rows) < rows:
        maker.step()
    return maker.rows[:rows]


def write_rows(folder: Path, rows: list[Written], compressed: bool = False, name: str = "TOY") -> Path:
    """Write a pair of files and return the message file's path."""
    levels = len(rows[0].view) // 4
    suffix = ".csv.gz" if compressed else ".csv"
    paths = [folder / f"{name}_2020-01-02_34200000_57600000_{kind}_{levels}{suffix}" for kind in FILES]
    for path, lines in zip(
        paths, ([r.message_line() for r in rows], [r.book_line() for r in rows]), strict=True
    ):
        text = "".join(line + "\n" for line in lines)
        path.write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    return paths[0]


FILES = ("message", "orderbook")


def write_day(
    folder: Path, rows: int = 2_000, levels: int = 5, depth: int = 12, seed: int = 0, compressed: bool = False
) -> Path:
    """A made-up LOBSTER pair in ``folder``; returns the path of its message file."""
    return write_rows(folder, make_rows(rows, levels, depth, seed), compressed)
