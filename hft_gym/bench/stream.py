"""The standard message stream: what every book figure of the benchmark is measured on.

Half of the messages add an order (never crossing), 40 % cancel a live one, 7 % are marketable and hit one
to three resting orders, 3 % reduce a live order. The mid performs a slow random walk and the number of live
orders stays within a band. The same arguments give the same stream, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.bench.plain_book import PlainBook
from hft_gym.types import MESSAGE_DTYPE, MessageKind

_DRAWS = 1 << 14
_LIMIT, _CANCEL, _REDUCE = int(MessageKind.LIMIT), int(MessageKind.CANCEL), int(MessageKind.REDUCE)


@dataclass(frozen=True)
class Stream:
    """A message stream in two parts: *warm_up* fills the book, *messages* are what is timed.

    Both are ``MESSAGE_DTYPE`` arrays. Order ids are dense: 1, 2, 3, ... in order of arrival.
    """

    warm_up: NDArray[Any]
    messages: NDArray[Any]
    live: int
    """Live orders at the end."""

    @property
    def ids(self) -> int:
        """Largest order id used."""
        return int(max(part["order_id"].max() for part in (self.warm_up, self.messages)))

    def sparse(self) -> Stream:
        """The same stream with order ids scattered over 62 bits, as an exchange's are."""
        return Stream(_scatter(self.warm_up), _scatter(self.messages), self.live)


def _scatter(messages: NDArray[Any]) -> NDArray[Any]:
    """A copy with every id replaced by another one, one to one (an odd factor permutes 62 bits)."""
    scattered = messages.copy()
    ids = messages["order_id"].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    scattered["order_id"] = (ids & np.uint64((1 << 62) - 1)).astype(np.int64)
    return scattered


def generate(
    n: int,
    seed: int = 1,
    live: tuple[int, int] = (2_000, 4_000),
    mid: int = 30_000,
    depth: int = 20,
    walk: float = 0.02,
) -> Stream:
    """Return a :class:`Stream` of *n* messages after a warm-up that fills the book.

    Args:
        n: messages in the timed part.
        seed: of everything random.
        live: band in which the number of live orders is kept.
        mid: the first mid price, in ticks.
        depth: largest distance of a new order from the opposite touch, in ticks.
        walk: chance per message that the mid moves by a tick.
    """
    if n < 1 or not 0 < live[0] < live[1]:
        raise ValueError(f"n is {n} and live {live}; allowed are n >= 1 and 0 < live[0] < live[1]")
    builder = _Builder(seed, live, mid, depth, walk)
    rows: list[tuple[int, int, int, int, int]] = []
    while len(builder.alive) < sum(live) // 2:
        rows.append(builder.message(filling=True))
    warm_up = _array(rows)
    messages = _array([builder.message() for _ in range(n)])
    return Stream(warm_up, messages, len(builder.alive))


def _array(rows: list[tuple[int, int, int, int, int]]) -> NDArray[Any]:
    table = np.array(rows, np.int64).reshape(-1, 5)
    messages = np.zeros(len(table), MESSAGE_DTYPE)
    for column, name in enumerate(("kind", "order_id", "side", "price", "quantity")):
        messages[name] = table[:, column]
    return messages


class _Builder:
    """Draws one message after the other and keeps the book that they make."""

    def __init__(self, seed: int, live: tuple[int, int], mid: int, depth: int, walk: float) -> None:
        self.book = PlainBook()
        self.alive: list[int] = []
        self.place: dict[int, int] = {}
        self.live, self.mid, self.depth, self.walk = live, mid, depth, walk
        self.next_id = 1
        self.draws = self._draw(np.random.default_rng(seed))

    def _draw(self, rng: np.random.Generator) -> Iterator[tuple[list[float], int, int]]:
        while True:
            uniform = rng.random((_DRAWS, 6)).tolist()
            distance = np.minimum(rng.geometric(5.0 / self.depth, _DRAWS) - 1, self.depth).tolist()
            quantity = rng.geometric(0.02, _DRAWS).tolist()
            yield from zip(uniform, distance, quantity, strict=True)

    def message(self, filling: bool = False) -> tuple[int, int, int, int, int]:
        """(kind, id, side, price, quantity) of the next message, already applied to the book."""
        u, distance, quantity = next(self.draws)
        if u[0] < self.walk:
            self.mid += 1 if u[0] < 0.5 * self.walk else -1
        low, high = self.live
        adds = 0.5 + 0.1 * max(-1.0, min(1.0, 1.0 - 2.0 * (len(self.alive) - low) / (high - low)))
        if filling:
            adds = 0.85
        touch = self.book.best(0), self.book.best(1)
        if u[1] < adds or touch[0] is None or touch[1] is None or len(self.alive) < 20:
            return self._add(u[2], distance, quantity, *touch)
        if u[1] < adds + 0.07:
            return self._take(u, touch[0], touch[1])
        order_id = self.alive[int(u[2] * len(self.alive))]
        side, key, resting = self.book.orders[order_id]
        price = key if side else -key
        if u[1] < adds + 0.10 and resting > 1:
            smaller = 1 + int(u[3] * (resting - 1))
            self.book.reduce(order_id, smaller)
            return _REDUCE, order_id, side, price, smaller
        self.book.cancel(order_id)
        self._forget(order_id)
        return _CANCEL, order_id, side, price, 0

    def _add(
        self, u: float, distance: int, quantity: int, bid: int | None, ask: int | None
    ) -> tuple[int, int, int, int, int]:
        side = int(u >= 0.5)
        if side == 0:
            price = (self.mid if ask is None else min(self.mid, ask - 1)) - distance
        else:
            price = (self.mid + 1 if bid is None else max(self.mid + 1, bid + 1)) + distance
        order_id = self._new_id()
        self.book.limit(order_id, side, price, quantity)
        self.place[order_id] = len(self.alive)
        self.alive.append(order_id)
        return _LIMIT, order_id, side, price, quantity

    def _take(self, u: list[float], bid: int, ask: int) -> tuple[int, int, int, int, int]:
        # Buy when the ask lags below the mid, sell when the bid lags above it: the touch follows the walk.
        side = 0 if ask <= self.mid else 1 if bid > self.mid else int(u[2] >= 0.5)
        entries = 1 + int(3 * u[3])
        quantity = price = 0
        for key, queue in self.book.sides[1 - side].items():
            for maker in queue:
                price = -key if side else key
                resting = self.book.orders[maker][2]
                entries -= 1
                if entries == 0:
                    quantity += resting if u[5] < 0.5 else 1 + int(u[4] * resting)
                    break
                quantity += resting
            if entries == 0:
                break
        order_id = self._new_id()
        trades = self.book.trades
        trades.clear()
        self.book.limit(order_id, side, price, quantity)
        for _, maker, _, _ in trades:
            if maker not in self.book.orders:
                self._forget(maker)
        return _LIMIT, order_id, side, price, quantity

    def _new_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def _forget(self, order_id: int) -> None:
        hole, last = self.place.pop(order_id), self.alive.pop()
        if last != order_id:
            self.alive[hole] = last
            self.place[last] = hole
