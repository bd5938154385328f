"""LOBSTER as a stream: the message file and, beside it, the orderbook file, a block of rows at a time.

:func:`hft_gym.data.lobster.read_lobster` reads a pair whole, checks it strictly and is what a replay uses; this reader
is for converting and validating files of any length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.data.csvlines import read_csv
from hft_gym.data.issues import IssueLog
from hft_gym.data.lobster import EMPTY_PRICE, companion_path
from hft_gym.data.messages import FEED_DTYPE, NO_SIDE, FeedFlag, FeedKind, FeedMeta, FeedStatus
from hft_gym.data.sources import ByteBlocks, Chunk, Source, split_lines
from hft_gym.errors import ConfigError, DataError

__all__ = ["LobsterSource"]

_MESSAGE = ("time", "type", "order_id", "size", "price", "direction")
_TYPES = {"time": "float64", **dict.fromkeys(_MESSAGE[1:], "int64")}
_NAME = re.compile(r"(?P<symbol>[^_]+)_(?P<date>\d{4}-\d{2}-\d{2})_\d+_\d+_message_(?P<levels>\d+)", re.IGNORECASE)
_STATUS = {-1: FeedStatus.HALT, 0: FeedStatus.QUOTING, 1: FeedStatus.TRADING}


class _Lines:
    """Whole lines of one of the two files, handed out by number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blocks = ByteBlocks(path)
        self._iterator = iter(self.blocks)
        self._rest = b""
        self._ended = False
        self.cut = ""
        """The incomplete last line, if there is one."""

    @property
    def offset(self) -> int:
        """Bytes handed out."""
        return self.blocks.offset - len(self._rest)

    def skip_to(self, offset: int) -> None:
        self._rest = self.blocks.skip_to(offset)

    def block(self) -> bytes:
        """The next whole lines, b"" at the end."""
        while not self._ended:
            data = next(self._iterator, b"")
            self._ended = not data
            lines, self._rest = split_lines(self._rest + data, False)
            if lines:
                return lines
        if self._rest.strip():
            self.cut = self._rest.decode(errors="replace").strip()
        self._rest = b""
        return b""


class LobsterSource(Source):
    """A LOBSTER message file and, if it is there, its orderbook file (then chunks have ``book``).

    A last line without a line break may have lost digits: it counts as truncated.
    """

    format = "lobster"

    def __init__(self, path: Path, log: IssueLog, symbols: Sequence[str] = ()) -> None:
        super().__init__(path, log, symbols)
        self._messages = _Lines(path)
        self.bytes = self._messages.blocks
        try:
            book = companion_path(path)
        except DataError:
            self._book: _Lines | None = None
        else:
            self._book = _Lines(book)
            self.files = (path, book)
        self._left = b""
        """Lines of the orderbook file that were read ahead of their messages."""
        self._width = 0
        name = _NAME.match(path.name)
        self._symbol, self._date = (name["symbol"], name["date"]) if name else ("", "")
        if symbols and self._symbol not in symbols:
            raise ConfigError(f"{path}: no instrument {', '.join(symbols)}; it has {self._symbol or 'no name'}")

    @property
    def meta(self) -> FeedMeta:
        """See `Source.meta`."""
        return FeedMeta(
            "lobster",
            "L3",
            "midnight",
            self._date,
            price_decimals=4,
            complete=False,
            symbols={0: self._symbol} if self._symbol else {},
            files=tuple(f.name for f in self.files),
        )

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes read and in all, of both files."""
        sources = [self._messages.blocks] + ([self._book.blocks] if self._book else [])
        return sum(b.position for b in sources), sum(b.size for b in sources)

    def _decode(self, data: bytes, last: bool) -> tuple[Chunk, bytes]:
        raise NotImplementedError("LobsterSource reads two files in chunks()")

    def chunks(self) -> Iterator[Chunk]:
        """Both files, row by row."""
        while lines := self._messages.block():
            count = lines.count(b"\n")
            first = self.row
            table, rows = read_csv(lines, _MESSAGE, self.path, first, self.log, _TYPES)
            self.row += count
            chunk = self._chunk(table, rows)
            if self._book is not None:
                book, book_rows = self._rows(count, first)
                keep = np.isin(chunk.rows, book_rows, assume_unique=True)
                lost = int((~keep).sum())
                if lost and len(book_rows) and chunk.rows[-1] > book_rows[-1]:
                    row = int(book_rows[-1]) + 1
                    text = "the orderbook file has fewer rows than the message file"
                    self.log.add("truncated", self._book.path, row, lost, text)
                chunk = chunk.take(keep)
                chunk = chunk._replace(book=book[np.isin(book_rows, chunk.rows, assume_unique=True)])
            if len(chunk.records):
                yield chunk
        self._end()

    def _end(self) -> None:
        for lines in (self._messages, self._book):
            if lines is None:
                continue
            if lines is self._book:
                if self._left or lines.block():
                    text = "the orderbook file has more rows than the message file"
                    self.log.add("truncated", lines.path, self.row, "", text)
                lines.block()
            if lines.blocks.cut:
                self.log.add("truncated", lines.path, self.row, "", lines.blocks.cut)
            elif lines.cut:
                text = f"the last line has no line break, it may have lost digits: {lines.cut[:80]!r}; fetch it again"
                self.log.add("truncated", lines.path, self.row, lines.cut[:200], text)
            lines.blocks.close()

    def _rows(self, count: int, row: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The next *count* rows of the orderbook file, and which they are."""
        assert self._book is not None
        have = self._left.count(b"\n")
        parts = [self._left]
        while have < count and (more := self._book.block()):
            parts.append(more)
            have += more.count(b"\n")
        lines = b"".join(parts)
        end = len(lines)
        if have > count:
            # From behind: what is too much is at most a block, often little.
            for _ in range(have - count + 1):
                end = lines.rfind(b"\n", 0, end)
            end += 1
        self._left = lines[end:]
        lines = lines[:end]
        if not lines:
            return np.zeros((0, max(self._width // 4, 1), 4), np.int64), np.zeros(0, np.int64)
        if not self._width:
            self._width = lines[: lines.find(b"\n")].count(b",") + 1
            if self._width % 4:
                text = f"has {self._width} columns; a LOBSTER orderbook file has a multiple of 4"
                raise DataError(text, self._book.path, row, self._width)
        names = [f"c{i}" for i in range(self._width)]
        table, rows = read_csv(lines, names, self._book.path, row, self.log, dict.fromkeys(names, "int64"))
        flat = np.empty((len(rows), self._width), np.int64)
        for i, name in enumerate(names):
            flat[:, i] = table[name].to_numpy()
        book: NDArray[np.int64] = flat.reshape(len(rows), -1, 4)
        for column in (0, 2):
            empty = np.abs(book[:, :, column]) == EMPTY_PRICE
            book[:, :, column][empty] = 0
        return self._sound(book, rows)

    def _sound(self, book: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Report rows that no book can show, and drop them with their messages."""
        assert self._book is not None
        ask, bid = book[:, :, 0], book[:, :, 2]
        negative = np.asarray((book < 0).any((1, 2)))
        crossed = (ask[:, 0] > 0) & (bid[:, 0] > 0) & (ask[:, 0] <= bid[:, 0])
        disorder = ((ask[:, 1:] > 0) & (ask[:, 1:] <= ask[:, :-1])).any(1)
        disorder |= ((bid[:, 1:] > 0) & (bid[:, 1:] >= bid[:, :-1])).any(1)
        bad: NDArray[np.bool_] = negative | crossed | disorder
        for i in np.flatnonzero(bad).tolist():
            kind = "size" if negative[i] else "crossed" if crossed[i] else "row"
            text = {
                "size": "a negative price or size in the orderbook row",
                "crossed": f"best ask {int(ask[i, 0])}, best bid {int(bid[i, 0])}",
                "row": "levels out of order in the orderbook row",
            }[kind]
            value = int(book[i].min()) if kind == "size" else [int(ask[i, 0]), int(bid[i, 0])]
            self.log.add(kind, self._book.path, int(rows[i]), value, text)
        return book[~bad], rows[~bad]

    def _chunk(self, table: Any, rows: NDArray[np.int64]) -> Chunk:
        columns = {name: table[name].to_numpy() for name in _MESSAGE}
        kind, direction, price = columns["type"], columns["direction"], columns["price"]
        good = (kind >= 1) & (kind <= 7)
        for i in np.flatnonzero(~good).tolist():
            value = int(kind[i])
            self.log.add("unreadable", self.path, int(rows[i]), value, f"type {value}; LOBSTER has 1 to 7")
        seconds = columns["time"]
        timed = (seconds >= 0) & (seconds < 86_400)
        for i in np.flatnonzero(good & ~timed).tolist():
            second = float(seconds[i])
            self.log.add("unreadable", self.path, int(rows[i]), second, f"time {second!r} is no second of a day")
        good &= timed
        records = np.zeros(len(rows), FEED_DTYPE)
        records["time"] = np.rint(np.where(timed, seconds, 0.0) * 1e9).astype(np.int64)
        records["order_id"] = columns["order_id"]
        records["price"] = price
        records["quantity"] = columns["size"]
        records["kind"] = np.where(good, kind, 0)
        records["side"] = np.where(direction == 1, 0, np.where(direction == -1, 1, NO_SIDE))
        records["flags"] = int(FeedFlag.LAST)
        records["sequence"] = rows + 1
        for i in np.flatnonzero(kind == FeedKind.STATUS).tolist():
            code = int(price[i])
            records["reference"][i] = code
            records["quantity"][i] = _STATUS.get(code, FeedStatus.OTHER)
            records["price"][i] = 0
            records["side"][i] = NO_SIDE
        return Chunk(records, rows).take(good)

    def state(self) -> dict[str, Any]:
        """See `Source.state`."""
        book = self._book.offset - len(self._left) if self._book else 0
        return {"offset": self._messages.offset, "book": book, "row": self.row, "width": self._width}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Source.restore`."""
        self.row, self._width = int(state["row"]), int(state["width"])
        self._messages.skip_to(int(state["offset"]))
        if self._book is not None:
            self._book.skip_to(int(state["book"]))
