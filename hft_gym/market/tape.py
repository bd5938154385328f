"""The tape of a market: one record for each change of its book, of real and of simulated markets alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TAPE", "Tape", "TapeKind"]


class TapeKind(IntEnum):
    """What a record says happened; the numbers are LOBSTER's."""

    LIMIT = 1
    REDUCE = 2
    CANCEL = 3
    EXECUTE = 4
    HIDDEN = 5


TAPE = np.dtype(
    [
        ("time", "i8"),
        ("order_id", "i8"),
        ("price", "i8"),
        ("quantity", "i8"),
        ("bid", "i8"),
        ("bid_volume", "i8"),
        ("ask", "i8"),
        ("ask_volume", "i8"),
        ("participant", "u4"),
        ("kind", "u1"),
        ("side", "u1"),
        ("pad", "u2"),
    ]
)
"""One change of the book. ``time`` [ns]; ``order_id`` of the resting order, unique on the tape (0: unknown, of a
hidden execution); its ``price`` [ticks]; ``quantity`` added, withdrawn or executed [lots]; best prices [ticks] and
their volumes [lots] *after* the change (volume 0: the side is empty); ``participant`` who owns the resting order (0:
the flow); ``kind`` a :class:`TapeKind`; ``side`` the resting order's :class:`~hft_gym.types.OrderSide`, so that an
execution's aggressor is on the other one. A marketable order is one record for each order that it executes, then
one for what rests of it."""


@dataclass(frozen=True, eq=False)
class Tape:
    """What happened in one market between two times.

    Attributes:
        records: ``(n,)`` of :data:`TAPE`, in time.
        book: ``(n, levels, 4)`` int64: ask price, ask volume, bid price, bid volume (ticks, lots), best level first,
            after each record; a level that does not exist is all zeros. ``levels`` is 0 where depth was left out.
        opening: ``(max(levels, 1), 4)`` int64: the book before the first record, in the same columns.
        start, end: the time that the tape covers [ns].
        tick_size: currency per tick.
        symbol: name of the instrument.
    """

    records: NDArray[Any]
    book: NDArray[np.int64]
    opening: NDArray[np.int64]
    start: int
    end: int
    tick_size: float = 0.01
    symbol: str = ""

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, column: str) -> NDArray[Any]:
        return self.records[column]

    @property
    def seconds(self) -> float:
        """The time that the tape covers [s]."""
        return (self.end - self.start) / 1e9

    @property
    def levels(self) -> int:
        """Price levels a side that :attr:`book` holds."""
        return int(self.book.shape[1])

    def before(self, column: str) -> NDArray[np.int64]:
        """A column of the best quotes (``bid``, ``bid_volume``, ``ask``, ``ask_volume``) before each record."""
        at = ("ask", "ask_volume", "bid", "bid_volume").index(column)
        shifted = np.empty(len(self.records), np.int64)
        shifted[:1] = self.opening[0, at]
        shifted[1:] = self.records[column][:-1]
        return shifted

    def between(self, start: int, end: int) -> Tape:
        """The part of the tape after *start* and up to and including *end* [ns]."""
        lo, hi = np.searchsorted(self.records["time"], (start, end), side="right")
        opening = self.opening
        if lo > 0 and self.levels:
            opening = self.book[lo - 1]
        elif lo > 0:
            row = self.records[lo - 1]
            opening = np.array([[row["ask"], row["ask_volume"], row["bid"], row["bid_volume"]]], np.int64)
        begin, finish = max(start, self.start), min(end, self.end)
        return Tape(self.records[lo:hi], self.book[lo:hi], opening, begin, finish, self.tick_size, self.symbol)
