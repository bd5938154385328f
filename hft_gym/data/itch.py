"""NASDAQ TotalView-ITCH 5.0: every message of a day's file (a two-byte big-endian length before each).

``ITCH_MESSAGES`` is the specification's table of message types, as NumPy structures: the one place where offsets
stand. The compiled decoder (:mod:`hft_gym.data.itch_kernel`) takes its offsets from it. Source: Nasdaq TotalView-ITCH
5.0 specification; timestamps are ns after midnight, prices have four decimals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from hft_gym.data.issues import IssueLog
from hft_gym.data.messages import FEED_DTYPE, FeedKind, FeedMeta
from hft_gym.data.sources import Chunk, Source, need_symbol

__all__ = ["ITCH_MESSAGES", "ItchSource", "read_messages"]

_HEAD = [("type", "S1"), ("locate", ">u2"), ("tracking", ">u2"), ("time", "u1", (6,))]
_LAYOUTS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "S": ("system event", [("event", "S1")]),
    "R": (
        "stock directory",
        [
            ("stock", "S8"), ("category", "S1"), ("financial_status", "S1"), ("round_lot", ">u4"),
            ("round_lots_only", "S1"), ("classification", "S1"), ("subtype", "S2"), ("authenticity", "S1"),
            ("short_sale_threshold", "S1"), ("ipo", "S1"), ("luld_tier", "S1"), ("etp", "S1"),
            ("etp_leverage", ">u4"), ("inverse", "S1"),
        ],
    ),
    "H": ("trading action", [("stock", "S8"), ("state", "S1"), ("reserved", "S1"), ("reason", "S4")]),
    "Y": ("Reg SHO restriction", [("stock", "S8"), ("action", "S1")]),
    "L": (
        "market participant position",
        [("mpid", "S4"), ("stock", "S8"), ("primary", "S1"), ("mode", "S1"), ("state", "S1")],
    ),
    "V": ("market-wide circuit breaker levels", [("level_1", ">u8"), ("level_2", ">u8"), ("level_3", ">u8")]),
    "W": ("market-wide circuit breaker status", [("level", "S1")]),
    "K": (
        "IPO quoting period",
        [("stock", "S8"), ("release_time", ">u4"), ("qualifier", "S1"), ("price", ">u4")],
    ),
    "J": (
        "LULD auction collar",
        [("stock", "S8"), ("reference", ">u4"), ("upper", ">u4"), ("lower", ">u4"), ("extension", ">u4")],
    ),
    "h": ("operational halt", [("stock", "S8"), ("market", "S1"), ("action", "S1")]),
    "A": (
        "add order",
        [("order", ">u8"), ("side", "S1"), ("shares", ">u4"), ("stock", "S8"), ("price", ">u4")],
    ),
    "F": (
        "add order with attribution",
        [
            ("order", ">u8"), ("side", "S1"), ("shares", ">u4"), ("stock", "S8"), ("price", ">u4"),
            ("attribution", "S4"),
        ],
    ),
    "E": ("order executed", [("order", ">u8"), ("shares", ">u4"), ("match", ">u8")]),
    "C": (
        "order executed at another price",
        [("order", ">u8"), ("shares", ">u4"), ("match", ">u8"), ("printable", "S1"), ("price", ">u4")],
    ),
    "X": ("order cancelled in part", [("order", ">u8"), ("shares", ">u4")]),
    "D": ("order deleted", [("order", ">u8")]),
    "U": ("order replaced", [("order", ">u8"), ("new_order", ">u8"), ("shares", ">u4"), ("price", ">u4")]),
    "P": (
        "trade of an order not displayed",
        [
            ("order", ">u8"), ("side", "S1"), ("shares", ">u4"), ("stock", "S8"), ("price", ">u4"),
            ("match", ">u8"),
        ],
    ),
    "Q": (
        "cross trade",
        [("shares", ">u8"), ("stock", "S8"), ("price", ">u4"), ("match", ">u8"), ("cross", "S1")],
    ),
    "B": ("broken trade", [("match", ">u8")]),
    "I": (
        "net order imbalance",
        [
            ("paired", ">u8"), ("imbalance", ">u8"), ("direction", "S1"), ("stock", "S8"), ("far_price", ">u4"),
            ("near_price", ">u4"), ("reference", ">u4"), ("cross", "S1"), ("variation", "S1"),
        ],
    ),
    "N": ("retail price improvement", [("stock", "S8"), ("interest", "S1")]),
    "O": (
        "direct listing with capital raise",
        [
            ("stock", "S8"), ("open_eligible", "S1"), ("minimum", ">u4"), ("maximum", ">u4"), ("near_price", ">u4"),
            ("near_time", ">u8"), ("lower_collar", ">u4"), ("upper_collar", ">u4"),
        ],
    ),
}  # fmt: skip

ITCH_MESSAGES = {code: np.dtype(_HEAD + fields) for code, (_, fields) in _LAYOUTS.items()}
"""Type code -> its layout; ``itemsize`` is the message's length."""

_DATE = re.compile(r"(?<!\d)(?:(\d{4})-?(\d{2})-?(\d{2})|(\d{2})(\d{2})(\d{4}))(?!\d)")


def read_messages(data: bytes) -> Iterator[dict[str, Any]]:
    """Every message of *data* with all its fields, as a dict: slow and complete, for a look and for administrative
    messages.

    ``type`` is the type's code, ``name`` its name, ``time`` ns after midnight, prices integers in 1/10,000; text
    loses its padding.
    """
    position = 0
    while position + 2 <= len(data):
        length = int.from_bytes(data[position : position + 2], "big")
        body = data[position + 2 : position + 2 + length]
        position += 2 + length
        layout = ITCH_MESSAGES.get(chr(body[0])) if body else None
        if layout is None or layout.itemsize != len(body):
            continue
        record = np.frombuffer(body, layout)[0]
        message: dict[str, Any] = {"name": _LAYOUTS[chr(body[0])][0]}
        for name in layout.names or ():
            value = record[name]
            message[name] = value.decode().rstrip() if isinstance(value, bytes) else value
        message["time"] = int.from_bytes(bytes(record["time"]), "big")
        yield {k: v.item() if isinstance(v, np.generic) else v for k, v in message.items()}


def name_number(symbol: str) -> int:
    """A stock's eight padded characters as a big-endian integer: what an ADMIN message bears as ``order_id``."""
    return int.from_bytes(symbol.encode("ascii", "replace")[:8].ljust(8), "big", signed=True)


def number_name(number: int) -> str:
    """The inverse of :func:`name_number`."""
    return int(number).to_bytes(8, "big", signed=True).decode("ascii", "replace").rstrip()


class ItchSource(Source):
    """A TotalView-ITCH 5.0 file, plain or compressed. ``instrument`` is the stock locate, ``sequence`` counts messages.

    Administrative messages (directory, positions, collars, imbalance, ...) come as ADMIN with their type code in
    ``reference``; :func:`read_messages` gives them in full.
    """

    format = "itch"

    def __init__(self, path: Path, log: IssueLog, symbols: Sequence[str] = ()) -> None:
        super().__init__(path, log, symbols)
        self._wanted = np.array([name_number(s) for s in symbols], np.int64)
        self._pass = np.full(65_536, 0 if symbols else 1, np.uint8)
        self._pass[0] = 1  # messages about the whole market
        self._names: dict[int, str] = {}
        self.types: dict[str, int] = {}
        """Messages read, by type."""
        self._counts = np.zeros(256, np.int64)

    @property
    def meta(self) -> FeedMeta:
        """See `Source.meta`; symbols come from the directory messages read so far."""
        return FeedMeta(
            "itch",
            "L3",
            "midnight",
            _date_of(self.path.name),
            price_decimals=4,
            symbols=dict(self._names),
            files=(self.path.name,),
        )

    def chunks(self) -> Iterator[Chunk]:
        """All messages of the symbols asked for."""
        yield from super().chunks()
        self.types = {chr(i): int(n) for i, n in enumerate(self._counts) if n}
        need_symbol(self.symbols, self._names, self.path)

    def _decode(self, data: bytes, last: bool) -> tuple[Chunk, bytes]:
        from hft_gym.data.itch_kernel import decode

        buffer = np.frombuffer(data, np.uint8)
        room = len(buffer) // 12 + 1
        records = np.empty(room, FEED_DTYPE)
        rows = np.empty(room, np.int64)
        bad = np.zeros((min(room, 4096), 3), np.int64)
        start, parts = 0, []
        while True:
            used, n, first_row, n_bad = decode(
                buffer, start, records, rows, self.row, self._pass, self._wanted, self._counts, bad
            )
            parts.append(Chunk(records[:n], rows[:n]))
            for row, code, length in bad[:n_bad].tolist():
                shown = chr(code) if 32 <= code < 127 else f"0x{code:02x}"
                text = f"type {shown!r} with {length} bytes is no message of ITCH 5.0"
                self.log.add("unreadable", self.path, row, shown, text)
            self.row = int(first_row)
            start = int(used)
            if n_bad < len(bad):
                break
            records, rows = np.empty(room, FEED_DTYPE), np.empty(room, np.int64)
        chunk = parts[0] if len(parts) == 1 else Chunk(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        directory = chunk.records[chunk.records["kind"] == FeedKind.ADMIN]
        for entry in directory[directory["reference"] == ord("R")]:
            self._names[int(entry["instrument"])] = number_name(entry["order_id"])
        return chunk, data[start:]

    def state(self) -> dict[str, Any]:
        """See `Source.state`."""
        return {
            **super().state(),
            "names": {str(k): v for k, v in self._names.items()},
            "pass": np.flatnonzero(self._pass).tolist() if self.symbols else None,
            "counts": self._counts.tolist(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """See `Source.restore`."""
        super().restore(state)
        self._names = {int(k): v for k, v in state["names"].items()}
        if state["pass"] is not None:
            self._pass[state["pass"]] = 1
        self._counts[:] = state["counts"]


def _date_of(name: str) -> str:
    """The first date in a file's name, as YYYY-MM-DD (also MMDDYYYY, as Nasdaq writes it), or ""."""
    for match in _DATE.finditer(name):
        year, month, day = (match[1], match[2], match[3]) if match[1] else (match[6], match[4], match[5])
        try:
            return date(int(year), int(month), int(day)).isoformat()
        except ValueError:
            continue
    return ""
