"""Feeds of exchanges in JSON: what a message means (`LineProtocol`), and captures of them, a JSON text a line.

A protocol knows no file: captures and live connections (`hft_gym.feed`) are read by the same one. ``time`` is the
receiver's clock, which orders the stream; ``stamp`` the exchange's. Prices and sizes have eight decimals.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from hft_gym.data.issues import IssueLog
from hft_gym.data.messages import FEED_DTYPE, FeedFlag, FeedKind, FeedMeta
from hft_gym.data.sources import Chunk, Source, empty_chunk, split_lines
from hft_gym.errors import DataError
from hft_gym.extras import optional

__all__ = ["DECIMALS", "UNREADABLE", "LineProtocol", "LineSource", "Record", "fixed"]

DECIMALS = 8
UNREADABLE = (ValueError, KeyError, TypeError, IndexError, AttributeError)
"""What reading a message that is not one of the protocol's raises."""
_LAST = int(FeedFlag.LAST)
Record = tuple[int, int, int, int, int, int, int, int, int, int, int]
"""One FEED_DTYPE record as a tuple."""


def fixed(text: str) -> int:
    """A decimal number as a whole number of 1e-8, exactly.

    >>> fixed("58710.20"), fixed("0.014"), fixed("-1")
    (5871020000000, 1400000, -100000000)

    Raises:
        ValueError: it is no plain decimal number, or finer than 1e-8.
    """
    whole, _, part = text.partition(".")
    if len(part) > DECIMALS:
        if part[DECIMALS:].strip("0"):
            raise ValueError(f"{text!r} is finer than 1e-{DECIMALS}")
        part = part[:DECIMALS]
    if part and not part.isdigit():
        raise ValueError(f"{text!r} is no decimal number")
    value = int(whole or "0") * 10**DECIMALS
    tail = int(part.ljust(DECIMALS, "0")) if part else 0
    return value - tail if whole.startswith("-") else value + tail


class LineProtocol(ABC):
    """What an exchange's messages mean: JSON texts in, FEED_DTYPE records out.

    Args:
        log: where gaps and repeats go.
        path: the file, or the address of a connection; named in issues.
        symbols: those wanted; none: all.
        resync: what a gap means. False, for files: it is logged, and the book goes on as well as it can. True, for live
            connections: the book is `stale`, and its updates wait for a new snapshot.

    Attributes:
        row: row (or number of the message) that is read; named in issues.
        numbers: symbol -> instrument.
        out, rows: the records made so far, and their rows; whoever reads them empties both.
        stale: symbols whose book waits for a snapshot (filled with *resync* only).
    """

    depth: ClassVar[Literal["L2", "L3"]] = "L2"
    source: ClassVar[str]

    def __init__(self, log: IssueLog, path: Path | str, symbols: Sequence[str] = (), resync: bool = False) -> None:
        self.log, self.path, self.symbols, self.resync = log, path, tuple(symbols), resync
        self.row = 0
        self.numbers: dict[str, int] = {}
        self.out: list[Record] = []
        self.rows: list[int] = []
        self.stale: set[str] = set()

    @abstractmethod
    def line(self, line: bytes) -> None:
        """Read one line of a capture, and put what it says to `out`.

        Raises:
            ValueError, KeyError, TypeError, IndexError, AttributeError: it is none of the protocol's (UNREADABLE).
        """

    def close(self) -> None:  # noqa: B027 - most protocols hold nothing back
        """The stream is over: report what still waits."""

    def memory(self) -> Any:
        """What is remembered between messages, JSON-able."""
        return None

    def remember(self, memory: Any) -> None:  # noqa: B027 - nor remember anything
        """Continue from a :meth:`memory`."""

    def wanted(self, symbol: str) -> bool:
        """Whether a symbol was asked for."""
        return not self.symbols or symbol in self.symbols

    def put(
        self, kind: int, time: int, stamp: int, side: int, price: int, quantity: int, sequence: int, instrument: int,
        flags: int, order_id: int = 0, reference: int = 0,
    ) -> None:  # fmt: skip
        """Add one record."""
        self.out.append((time, stamp, order_id, reference, price, quantity, sequence, instrument, kind, side, flags))
        self.rows.append(self.row)

    def put_levels(
        self, levels: list[tuple[int, int, int]], time: int, stamp: int, sequence: int, instrument: int, flags: int
    ) -> None:
        """Add levels (side, price, quantity) as one event."""
        for side, price, quantity in levels:
            self.put(FeedKind.LEVEL, time, stamp, side, price, quantity, sequence, instrument, flags)
        if levels:
            self.out[-1] = (*self.out[-1][:-1], flags | _LAST)

    def instrument(self, symbol: str) -> int:
        """The number of a symbol; -1 if it is not wanted."""
        if not self.wanted(symbol):
            return -1
        return self.numbers.setdefault(symbol, len(self.numbers))


class LineSource(Source):
    """A capture of one JSON text a line, read by its `LineProtocol`.

    Raises:
        MissingExtraError: the extra ``data`` is not installed.
    """

    protocol_type: ClassVar[type[LineProtocol]]

    def __init__(self, path: Path, log: IssueLog, symbols: Sequence[str] = ()) -> None:
        optional("orjson")  # what lines are read with: told here, not at the first of them
        super().__init__(path, log, symbols)
        self.protocol = self.protocol_type(log, path, symbols)
        self._date = ""

    @property
    def meta(self) -> FeedMeta:
        """See `Source.meta`."""
        protocol = self.protocol
        return FeedMeta(
            protocol.source,
            protocol.depth,
            "unix",
            self._date,
            price_decimals=DECIMALS,
            size_decimals=DECIMALS,
            complete=protocol.depth == "L2",
            symbols={n: s for s, n in protocol.numbers.items()},
            files=(self.path.name,),
        )

    def _decode(self, data: bytes, last: bool) -> tuple[Chunk, bytes]:
        lines, rest = split_lines(data, last)
        if not lines:
            return empty_chunk(), rest
        every = lines.split(b"\n")
        if not every[-1]:
            every.pop()
        protocol = self.protocol
        out, rows = protocol.out, protocol.rows
        for i, line in enumerate(every):
            cut = last and i == len(every) - 1 and not lines.endswith(b"\n")
            before = len(out)
            protocol.row = self.row
            try:
                if line.strip():
                    protocol.line(line)
            except DataError:  # a strict log refuses: not a line that cannot be read
                raise
            except UNREADABLE as error:
                del out[before:], rows[before:]
                shown = line[:120].decode(errors="replace")
                if cut:
                    self.log.add("truncated", self.path, self.row, shown, f"the last line is cut off: {shown!r}")
                else:
                    what = f"{type(error).__name__}: {error}"
                    self.log.add("unreadable", self.path, self.row, shown, f"{shown!r} cannot be read ({what})")
            self.row += 1
        chunk = Chunk(np.array(out, FEED_DTYPE), np.array(rows, np.int64)) if out else empty_chunk()
        out.clear()
        rows.clear()
        if not self._date and len(chunk.records):
            self._date = str(np.datetime64(int(chunk.records["time"][0]), "ns").astype("datetime64[D]"))
        return chunk, rest

    def chunks(self) -> Iterator[Chunk]:
        """See `Source.chunks`; what still waits at the end is reported."""
        yield from super().chunks()
        self.protocol.close()

    def state(self) -> dict[str, Any]:
        """See `Source.state`."""
        protocol = self.protocol
        return {**super().state(), "numbers": protocol.numbers, "date": self._date, "books": protocol.memory()}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Source.restore`."""
        super().restore(state)
        self.protocol.numbers, self._date = dict(state["numbers"]), state["date"]
        self.protocol.remember(state["books"])
