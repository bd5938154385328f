"""Captured feeds of exchanges, a JSON text a line, and Binance's (depth, bookTicker, trades).

``time`` is the recorder's clock, which orders the file; ``stamp`` the exchange's. Prices and sizes have eight decimals.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from hft_gym.data.issues import IssueLog
from hft_gym.data.messages import FEED_DTYPE, NO_SIDE, FeedFlag, FeedKind, FeedMeta
from hft_gym.data.sources import Chunk, Source, empty_chunk, split_lines
from hft_gym.errors import DataError

__all__ = ["BinanceSource", "LineSource", "fixed"]

DECIMALS = 8
_LAST, _SNAPSHOT, _UNPRINTED = int(FeedFlag.LAST), int(FeedFlag.SNAPSHOT), int(FeedFlag.UNPRINTED)
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


class LineSource(Source):
    """A capture of one JSON text a line."""

    depth: ClassVar[Literal["L2", "L3"]] = "L2"
    source: ClassVar[str]

    def __init__(self, path: Path, log: IssueLog, symbols: Sequence[str] = ()) -> None:
        super().__init__(path, log, symbols)
        self._numbers: dict[str, int] = {}
        self._date = ""
        self._out: list[Record] = []
        self._rows: list[int] = []

    @property
    def meta(self) -> FeedMeta:
        """See `Source.meta`."""
        return FeedMeta(
            self.source,
            self.depth,
            "unix",
            self._date,
            price_decimals=DECIMALS,
            size_decimals=DECIMALS,
            complete=self.depth == "L2",
            symbols={n: s for s, n in self._numbers.items()},
            files=(self.path.name,),
        )

    def _decode(self, data: bytes, last: bool) -> tuple[Chunk, bytes]:
        lines, rest = split_lines(data, last)
        if not lines:
            return empty_chunk(), rest
        every = lines.split(b"\n")
        if not every[-1]:
            every.pop()
        self._out, self._rows = [], []
        for i, line in enumerate(every):
            cut = last and i == len(every) - 1 and not lines.endswith(b"\n")
            before = len(self._out)
            try:
                if line.strip():
                    self._line(line)
            except DataError:  # a strict log refuses: not a line that cannot be read
                raise
            except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
                del self._out[before:], self._rows[before:]
                shown = line[:120].decode(errors="replace")
                if cut:
                    self.log.add("truncated", self.path, self.row, shown, f"the last line is cut off: {shown!r}")
                else:
                    what = f"{type(error).__name__}: {error}"
                    self.log.add("unreadable", self.path, self.row, shown, f"{shown!r} cannot be read ({what})")
            self.row += 1
        records = np.array(self._out, FEED_DTYPE) if self._out else np.zeros(0, FEED_DTYPE)
        if not self._date and len(records):
            self._date = str(np.datetime64(int(records["time"][0]), "ns").astype("datetime64[D]"))
        return Chunk(records, np.array(self._rows, np.int64)), rest

    @abstractmethod
    def _line(self, line: bytes) -> None:
        """Read one line and :meth:`_put` what it says."""

    def _put(
        self, kind: int, time: int, stamp: int, side: int, price: int, quantity: int, sequence: int, instrument: int,
        flags: int, order_id: int = 0, reference: int = 0,
    ) -> None:  # fmt: skip
        self._out.append((time, stamp, order_id, reference, price, quantity, sequence, instrument, kind, side, flags))
        self._rows.append(self.row)

    def _levels(
        self, levels: list[tuple[int, int, int]], time: int, stamp: int, sequence: int, instrument: int, flags: int
    ) -> None:
        """Levels (side, price, quantity) as one event."""
        for side, price, quantity in levels:
            self._put(FeedKind.LEVEL, time, stamp, side, price, quantity, sequence, instrument, flags)
        if levels:
            self._out[-1] = (*self._out[-1][:-1], flags | _LAST)

    def _instrument(self, symbol: str) -> int:
        """The number of a symbol; -1 if it is not wanted."""
        if not self.wanted(symbol):
            return -1
        return self._numbers.setdefault(symbol, len(self._numbers))

    def state(self) -> dict[str, Any]:
        """See `Source.state`."""
        return {**super().state(), "numbers": self._numbers, "date": self._date, "books": self._books()}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Source.restore`."""
        super().restore(state)
        self._numbers, self._date = dict(state["numbers"]), state["date"]
        self._set_books(state["books"])

    def _books(self) -> Any:
        return None

    def _set_books(self, books: Any) -> None:
        pass


class BinanceSource(LineSource):
    """``<local ns> <json>`` a line: combined streams of depth, bookTicker and trade (or aggTrade), and REST snapshots.

    A book is synchronised as Binance says: diffs are held back until a snapshot with ``lastUpdateId`` L; those that end
    before L are dropped, the first one applied must span L (futures: ``U <= L <= u``; spot: ``U <= L + 1 <= u``), and
    each later one must follow the one before (futures: ``pu`` is its ``u``; spot: ``U`` is its ``u + 1``).
    """

    format = "binance"
    source = "binance"

    def __init__(self, path: Path, log: IssueLog, symbols: Sequence[str] = ()) -> None:
        super().__init__(path, log, symbols)
        self._update: dict[str, int] = {}
        """Symbol -> the last update id applied."""
        self._held: dict[str, list[Any]] = {}
        """Symbol -> [row, time, diff] that wait for a snapshot."""
        self._first: dict[str, bool] = {}
        """Symbols whose first diff after the snapshot is still to come."""
        self._trade: dict[str, int] = {}
        self._orphan: dict[str, Any] | None = None
        """A snapshot that came before any stream named its symbol."""
        self.dropped = 0
        """Diffs older than the snapshot: the protocol drops them."""

    def _line(self, line: bytes) -> None:
        import orjson  # the extra "data"

        stamp, _, body = line.partition(b" ")
        time = int(stamp)
        message = orjson.loads(body)
        if "lastUpdateId" in message:
            self._snapshot(message, time)
            return
        data = message.get("data", message)
        event, symbol = data["e"], str(data["s"])
        instrument = self._instrument(symbol)
        if instrument < 0:
            return
        if event == "depthUpdate":
            if symbol not in self._update and self._orphan is not None:
                orphan, self._orphan = self._orphan, None
                self._snapshot({**orphan, "symbol": symbol}, time)
            if symbol in self._update:
                self._diff(symbol, data, time)
            else:
                self._held.setdefault(symbol, []).append([self.row, time, data])
        elif event == "bookTicker":
            stamp_ns = int(data.get("T", 0)) * 10**6
            for side, price, size in ((0, "b", "B"), (1, "a", "A")):
                quote = fixed(data[price]), fixed(data[size])
                self._put(FeedKind.QUOTE, time, stamp_ns, side, *quote, int(data["u"]), instrument, 0)
        elif event in ("trade", "aggTrade"):
            number = int(data["t"] if event == "trade" else data["a"])
            before = self._trade.get(symbol, number - 1)
            if number != before + 1:
                kind = "repeat" if number <= before else "gap"
                self.log.add(kind, self.path, self.row, number, f"trade {number} of {symbol} follows trade {before}")
                if number <= before:
                    return
            self._trade[symbol] = number
            # m: the buyer was the maker. Liquidations and the like are no trades against the book.
            flags = 0 if data.get("X", "MARKET") == "MARKET" else _UNPRINTED
            self._put(
                FeedKind.TRADE, time, int(data["T"]) * 10**6, 0 if data["m"] else 1, fixed(data["p"]),
                fixed(data["q"]), 0, instrument, flags, reference=number,
            )  # fmt: skip
        else:
            raise ValueError(f"event {event!r} is none of depthUpdate, bookTicker, trade, aggTrade")

    def _snapshot(self, message: dict[str, Any], time: int) -> None:
        """A REST snapshot: it names no symbol, so it belongs to the one book that waits (or to the only one)."""
        waiting = [s for s in self._held if s not in self._update] or [
            s for s in self._numbers if s not in self._update
        ]
        symbol = str(message.get("symbol", "")) or (waiting[0] if waiting else "")
        if len(waiting) > 1 and "symbol" not in message:
            raise ValueError(f"the snapshot names no symbol and {len(waiting)} books wait for one")
        last = int(message["lastUpdateId"])
        if not symbol:
            if self._numbers and all(s in self._update for s in self._numbers):
                return  # every book is in step already
            # It came before any stream: it belongs to the first book that shows up.
            self._orphan = message
            return
        instrument = self._instrument(symbol)
        stamp = int(message.get("T", 0)) * 10**6
        self._put(FeedKind.CLEAR, time, stamp, NO_SIDE, 0, 0, last, instrument, _SNAPSHOT)
        levels = _sides(message, "bids", "asks")
        self._levels(levels, time, stamp, last, instrument, _SNAPSHOT)
        self._update[symbol] = last
        self._first[symbol] = True
        for row, _, diff in self._held.pop(symbol, []):
            self._diff(symbol, diff, time, int(row))

    def _diff(self, symbol: str, data: dict[str, Any], time: int, row: int | None = None) -> None:
        row = self.row if row is None else row
        first, last, known = int(data["U"]), int(data["u"]), self._update[symbol]
        futures = "pu" in data
        if self._first.get(symbol):
            if last < known if futures else last <= known:
                self.dropped += 1
                return
            # The protocol's rule, or (futures) the plain successor of the snapshot.
            follows = (first <= known or int(data["pu"]) == known) if futures else first <= known + 1
            self._first[symbol] = False
        else:
            if last <= known:
                text = f"the update {first}..{last} of {symbol} ends before {known}, which was applied"
                self.log.add("repeat", self.path, row, last, text)
                return
            follows = int(data["pu"]) == known if futures else first == known + 1
        if not follows:
            before = f"pu {data['pu']}" if futures else f"U {first}"
            text = f"the update {first}..{last} of {symbol} ({before}) does not follow update {known}"
            self.log.add("gap", self.path, row, first, text)
        self._update[symbol] = last
        levels = _sides(data, "b", "a")
        self._levels(levels, time, int(data.get("T", data["E"])) * 10**6, last, self._numbers[symbol], 0)

    def chunks(self) -> Any:
        """See `Source.chunks`; diffs that never found a snapshot are reported."""
        yield from super().chunks()
        for symbol, held in self._held.items():
            if held:
                text = f"{len(held)} depth updates of {symbol} were never followed by a REST snapshot: no book, dropped"
                self.log.add("gap", self.path, int(held[0][0]), len(held), text)

    def _books(self) -> Any:
        return [self._update, self._held, self._first, self._trade, self.dropped, self._orphan]

    def _set_books(self, books: Any) -> None:
        self._update, self._held, self._first, self._trade, self.dropped, self._orphan = books


def _sides(data: dict[str, Any], bids: str, asks: str) -> list[tuple[int, int, int]]:
    found = [(0, fixed(level[0]), fixed(level[1])) for level in data[bids]]
    return found + [(1, fixed(level[0]), fixed(level[1])) for level in data[asks]]
