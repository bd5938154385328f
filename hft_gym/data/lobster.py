"""Reading a LOBSTER day: a message file and its orderbook file, checked row by row, in integers.

The two files have one row each per event: the message, and the best N levels of the book after it. Nothing
here repairs anything: a file that does not hold what it should raises :class:`~hft_gym.errors.DataError` with
the file, the row (counted from 0; the line number is one more), the value found and what to do.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from dataclasses import dataclass
from enum import IntEnum
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.data.sources import require_file
from hft_gym.errors import ConfigError, DataError
from hft_gym.types import MAX_QUANTITY, OrderSide

__all__ = ["LOBSTER_DTYPE", "LobsterDay", "LobsterKind", "companion_path", "read_lobster", "read_messages"]

NS_PER_SECOND = 1_000_000_000
NS_PER_DAY = 86_400 * NS_PER_SECOND
PRICE_UNITS = 10_000
"""File prices are in units of 1/10,000 of the currency."""
EMPTY_PRICE = 9_999_999_999
"""What LOBSTER writes (with either sign) as the price of a level that does not exist."""
_MESSAGE_COLUMNS = 6
_NAME = re.compile(
    r"(?P<symbol>[^_]+)_(?P<date>\d{4}-\d{2}-\d{2})_(?P<start>\d+)_(?P<end>\d+)_message_\d+", re.IGNORECASE
)
_NUMBER = re.compile(rb"[+-]?\d+")
_DECIMAL = re.compile(rb"\+?\d+(\.\d*)?([eE][+-]?\d+)?")


class LobsterKind(IntEnum):
    """The event types of a LOBSTER message file."""

    ADD = 1
    REDUCE = 2
    DELETE = 3
    EXECUTE = 4
    HIDDEN = 5
    CROSS = 6
    HALT = 7


LOBSTER_DTYPE = np.dtype(
    [
        ("time", "<i8"),  # ns since midnight
        ("order_id", "<i8"),
        ("price", "<i8"),  # file units (1/10,000 of the currency); a hidden execution may be off the tick
        ("quantity", "<i8"),  # shares
        ("kind", "u1"),  # LobsterKind
        ("side", "u1"),  # OrderSide; of an execution, the side of the RESTING order
        ("pad", "u1", (6,)),
    ]
)
"""One LOBSTER message (40 bytes). Of a halt, ``price`` is -1 (halt), 0 (quoting resumes) or 1 (trading
resumes)."""


@dataclass(frozen=True, eq=False)
class LobsterDay:
    """A checked pair of LOBSTER files.

    Attributes:
        messages: ``(rows,)`` of :data:`LOBSTER_DTYPE`.
        book: ``(rows, levels, 4)`` int64: ask price, ask size, bid price, bid size (ticks, shares), best
            level first; row k is the state after message k. A level that does not exist is all zeros.
        symbol: from the file's name, "" if it does not follow LOBSTER's pattern.
        date: "YYYY-MM-DD" from the file's name, or "".
        tick_size: in currency.
        tick_units: file units per tick.
        start_ns, end_ns: the hours the file covers (from its name, else its first and last message).
        message_path, orderbook_path: where it was read from.
        ends_cleanly: whether both files end with a line break; if not, the last number may have lost digits.
    """

    messages: NDArray[Any]
    book: NDArray[np.int64]
    symbol: str
    date: str
    tick_size: float
    tick_units: int
    start_ns: int
    end_ns: int
    message_path: Path
    orderbook_path: Path
    ends_cleanly: bool

    @property
    def rows(self) -> int:
        """Number of messages."""
        return len(self.messages)

    @property
    def levels(self) -> int:
        """Number of levels a side."""
        return int(self.book.shape[1])


def companion_path(message_path: str | PathLike[str]) -> Path:
    """The orderbook file that belongs to a message file: same folder, "message" replaced by "orderbook".

    A compressed message file may have a plain companion and the other way round.

    Raises:
        DataError: the name does not contain "message", or there is no such orderbook file.
    """
    path = Path(message_path)
    position = path.name.lower().rfind("message")
    if position < 0:
        hint = " (this is the orderbook file: give its message file)" if "orderbook" in path.name else ""
        raise DataError(
            f"the name of a LOBSTER message file contains 'message', as in "
            f"AMZN_2012-06-21_34200000_57600000_message_5.csv{hint}",
            path,
            value=path.name,
        )
    found = path.with_name(path.name[:position] + "orderbook" + path.name[position + len("message") :])
    other = found.with_name(found.name[:-3] if found.name.endswith(".gz") else found.name + ".gz")
    for candidate in (found, other):
        if candidate.is_file():
            return candidate
    raise DataError(
        f"its orderbook file is missing (looked for {found.name} and {other.name} in the same folder). Both "
        "are needed: levels that enter from beyond the file's horizon stand only in the orderbook file",
        path,
        value=found.name,
    )


def read_lobster(message_path: str | PathLike[str], tick_size: float = 0.01) -> LobsterDay:
    """Read and check a LOBSTER message file (``.csv`` or ``.csv.gz``) and the orderbook file beside it.

    Raises:
        ConfigError: ``tick_size`` is not a positive multiple of 0.0001.
        DataError: a file is missing, damaged or cut off, or a row is not what the format allows: a wrong
            number of columns or rows, a time that goes backwards, an unknown type, a size or price that
            cannot be, levels out of order, a crossed book.
    """
    tick_units = _tick_units(tick_size)
    message_file = Path(message_path)
    require_file(message_file)
    book_file = companion_path(message_file)
    frame, clean_messages = _read_table(message_file, _MESSAGE_COLUMNS)
    messages = _messages(frame, message_file, tick_units)
    frame, clean_book = _read_table(book_file, None)
    if len(frame) != len(messages):
        raise DataError(
            f"has {len(frame)} rows, its message file {message_file.name} has {len(messages)}. The two "
            "belong together row by row: one of them is incomplete or from another download",
            book_file,
            row=min(len(frame), len(messages)),
            value=len(frame),
        )
    book = _book(frame.to_numpy(), book_file, tick_units)
    name = _NAME.match(message_file.name)
    first, last = int(messages["time"][0]), int(messages["time"][-1])
    start = min(first, int(name["start"]) * 1_000_000) if name else first
    end = max(last, int(name["end"]) * 1_000_000) if name else last
    return LobsterDay(
        messages=messages,
        book=book,
        symbol=name["symbol"] if name else "",
        date=name["date"] if name else "",
        tick_size=tick_size,
        tick_units=tick_units,
        start_ns=start,
        end_ns=end,
        message_path=message_file,
        orderbook_path=book_file,
        ends_cleanly=clean_messages and clean_book,
    )


def read_messages(message_path: str | PathLike[str], tick_size: float = 0.01) -> NDArray[Any]:
    """Read and check a LOBSTER message file alone: ``(rows,)`` of :data:`LOBSTER_DTYPE`.

    Raises:
        ConfigError: ``tick_size`` is not a positive multiple of 0.0001.
        DataError: as :func:`read_lobster`, of the message file.
    """
    tick_units = _tick_units(tick_size)
    path = Path(message_path)
    require_file(path)
    frame, _ = _read_table(path, _MESSAGE_COLUMNS)
    return _messages(frame, path, tick_units)


def _tick_units(tick_size: float) -> int:
    units = round(tick_size * PRICE_UNITS)
    if units < 1 or abs(tick_size * PRICE_UNITS - units) > 1e-6:
        raise ConfigError(f"tick_size is {tick_size!r}; a LOBSTER file needs a positive multiple of 0.0001")
    return units


def _read_table(path: Path, columns: int | None) -> tuple[Any, bool]:
    """Return the numbers of a headerless csv file as a DataFrame, and whether it ends with a line break.

    ``columns`` is the number of columns, or None for an orderbook file (any multiple of four).
    """
    import pandas as pd  # slow to import: only where a file is read

    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        text = f"the compressed file is damaged or cut off ({error}); fetch it again"
        raise DataError(text, path) from error
    clean = data.endswith((b"\n", b"\r"))
    data = data.rstrip()
    if not data:
        raise DataError("the file is empty", path, row=0)
    width = data[: data.find(b"\n") if b"\n" in data else len(data)].count(b",") + 1
    if width != columns if columns else width % 4:
        allowed = f"{columns} (time, type, id, size, price, direction)" if columns else "a multiple of 4"
        text = f"has {width} columns, allowed is {allowed}{_header_hint(data)}"
        raise DataError(text, path, row=0, value=width)
    types = dict.fromkeys(range(width), "int64")
    if columns:
        types[0] = "float64"
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            header=None,
            dtype=types,
            index_col=False,
            skip_blank_lines=False,
            na_filter=False,
        )
    except (ValueError, OverflowError) as error:  # pandas does not always name the row
        raise _explain(data, path, width, timed=bool(columns), clean=clean, error=error) from error
    return frame, clean


def _header_hint(data: bytes) -> str:
    first = data.split(b"\n", 1)[0]
    return "" if any(c in b"0123456789" for c in first) else "; LOBSTER files have no header line: remove it"


def _explain(data: bytes, path: Path, width: int, timed: bool, clean: bool, error: Exception) -> DataError:
    """Find the first line that cannot be read, and say why."""
    lines = data.split(b"\n")
    for row, line in enumerate(lines):
        fields = line.rstrip(b"\r").split(b",")
        patterns = [_DECIMAL if timed and i == 0 else _NUMBER for i in range(len(fields))]
        bad = [f for f, pattern in zip(fields, patterns, strict=True) if not pattern.fullmatch(f.strip())]
        if not bad and len(fields) == width:
            continue
        text = line.decode(errors="replace").strip()
        shown = text if len(text) <= 80 else text[:77] + "..."
        if row == len(lines) - 1 and not clean:
            reason = f"the last line is cut off: {shown!r}. The file is incomplete; fetch it again"
            return DataError(reason, path, row, text)
        if len(fields) != width:
            return DataError(f"has {len(fields)} columns where {width} are due: {shown!r}", path, row, text)
        value = bad[0].decode(errors="replace").strip()
        kind = "a decimal number" if timed and bad[0] is fields[0] else "an integer"
        hint = "; LOBSTER files have no header line: remove it" if row == 0 else ""
        return DataError(f"{value!r} is not {kind} (in {shown!r}){hint}", path, row, value)
    return DataError(f"cannot be read: {error}", path)


def _first(mask: NDArray[np.bool_]) -> int:
    """Index of the first True (flat), or -1."""
    position = int(np.argmax(mask)) if mask.size else 0
    return position if mask.size and mask.flat[position] else -1


def _messages(frame: Any, path: Path, tick_units: int) -> NDArray[Any]:
    seconds = frame[0].to_numpy()
    kind, order_id, size, price, direction = (frame[i].to_numpy() for i in range(1, _MESSAGE_COLUMNS))

    def refuse(mask: NDArray[np.bool_], values: NDArray[Any], text: str) -> None:
        row = _first(mask)
        if row >= 0:
            value = values[row].item()
            raise DataError(text.format(value=value, line=row + 1), path, row, value)

    refuse(
        ~((seconds >= 0) & (seconds < 86_400)),
        seconds,
        "the time is {value!r}; allowed are seconds after midnight, 0 <= time < 86400",
    )
    time = np.rint(seconds * NS_PER_SECOND).astype(np.int64)
    backwards = np.zeros(len(time), bool)
    backwards[1:] = time[1:] < time[:-1]
    refuse(
        backwards,
        seconds,
        "the time goes backwards to {value!r} s (line {line}): the rows are out of order or two files "
        "were joined",
    )
    refuse((kind < 1) | (kind > 7), kind, "the type is {value}; LOBSTER has the types 1 to 7")
    book_event = kind <= LobsterKind.EXECUTE
    trades = kind != LobsterKind.HALT
    refuse(
        trades & ((size < 1) | (size > MAX_QUANTITY)),
        size,
        f"the size is {{value}}; a message of this type has between 1 and {MAX_QUANTITY} shares",
    )
    refuse(trades & (price <= 0), price, "the price is {value}; it must be positive (units of 1/10000)")
    refuse(
        book_event & (price % tick_units != 0),
        price,
        f"the price {{value}} is not on the tick: visible orders are at multiples of {tick_units} "
        f"(a tick of {tick_units / PRICE_UNITS:g}). Check tick_size",
    )
    refuse(
        trades & (np.abs(direction) != 1),
        direction,
        "the direction is {value}; allowed are 1 (buy) and -1 (sell)",
    )
    messages = np.zeros(len(time), LOBSTER_DTYPE)
    messages["time"] = time
    messages["order_id"] = order_id
    messages["price"] = price
    messages["quantity"] = size
    messages["kind"] = kind
    messages["side"] = np.where(direction == 1, OrderSide.BID, OrderSide.ASK)
    return messages


def _book(table: NDArray[np.int64], path: Path, tick_units: int) -> NDArray[np.int64]:
    book = np.ascontiguousarray(table, np.int64).reshape(len(table), -1, 4).copy()
    levels = book.shape[1]
    prices, sizes = book[:, :, 0::2], book[:, :, 1::2]
    empty = sizes == 0
    dummy = np.abs(prices) == EMPTY_PRICE

    def refuse(mask: NDArray[np.bool_], values: NDArray[np.int64], text: str) -> None:
        flat = _first(mask)
        if flat >= 0:
            row, level, column = (int(i) for i in np.unravel_index(flat, mask.shape))
            value = int(values[row, level, column])
            side = "bid" if column else "ask"
            raise DataError(text.format(value=value, place=f"{side} level {level + 1}"), path, row, value)

    refuse(
        (sizes < 0) | (sizes > MAX_QUANTITY),
        sizes,
        f"the size at {{place}} is {{value}}; allowed is 0 (no such level) to {MAX_QUANTITY} shares",
    )
    refuse(
        empty != dummy,
        sizes,
        f"the size at {{place}} is {{value}}; size 0 belongs to price +-{EMPTY_PRICE} (no such level), "
        "and only to it",
    )
    refuse(~empty & (prices <= 0), prices, "the price at {place} is {value}; it must be positive")
    refuse(
        ~empty & (prices % tick_units != 0),
        prices,
        f"the price at {{place}} is {{value}}, not on the tick ({tick_units} units). Check tick_size",
    )
    prices[:] = np.where(empty, 0, prices // tick_units)
    disorder = np.zeros_like(empty)
    if levels > 1:
        worse = np.empty_like(empty[:, 1:])
        worse[:, :, 0] = prices[:, 1:, 0] > prices[:, :-1, 0]
        worse[:, :, 1] = prices[:, 1:, 1] < prices[:, :-1, 1]
        disorder[:, 1:] = ~empty[:, 1:] & (empty[:, :-1] | ~worse)
    refuse(disorder, prices, "{place} (price {value} ticks) is not worse than the level before it")
    crossed = (prices[:, 0, 0] <= prices[:, 0, 1]) & ~empty[:, 0, 0] & ~empty[:, 0, 1]
    row = _first(crossed)
    if row >= 0:
        ask, bid = (int(p) for p in prices[row, 0])
        raise DataError(
            f"the book is crossed: best ask {ask} ticks, best bid {bid}. During continuous trading this "
            "cannot be; cut both files to the hours of continuous trading",
            path,
            row,
            (ask, bid),
        )
    return book
