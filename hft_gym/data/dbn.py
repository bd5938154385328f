"""Databento: MBO as DBN (plain or zstd) and as CSV, and MBP-10 for checks.

The header is read by the ``databento-dbn`` package, whose record layout is also ours; records are then taken straight
from the bytes. Prices have nine decimals. What the records mean: Databento's MBO schema; trade (T) and fill (F)
records never change the book, the cancel or modify that follows does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.data.csvlines import read_csv
from hft_gym.data.issues import IssueLog
from hft_gym.data.messages import FEED_DTYPE, NO_SIDE, FeedFlag, FeedKind, FeedMeta
from hft_gym.data.sources import ByteBlocks, Chunk, Source, empty_chunk, need_symbol, split_lines
from hft_gym.errors import DataError
from hft_gym.extras import optional

__all__ = ["DbnCsvSource", "DbnSource", "read_mbp10"]

MBO_DTYPE = np.dtype(
    [
        ("length", "u1"),
        ("rtype", "u1"),
        ("publisher_id", "<u2"),
        ("instrument_id", "<u4"),
        ("ts_event", "<u8"),
        ("order_id", "<u8"),
        ("price", "<i8"),
        ("size", "<u4"),
        ("flags", "u1"),
        ("channel_id", "u1"),
        ("action", "u1"),
        ("side", "u1"),
        ("ts_recv", "<u8"),
        ("ts_in_delta", "<i4"),
        ("sequence", "<u4"),
    ]
)
"""One MBO record of DBN, 56 bytes."""
MBO = 160
_ADMINISTRATIVE = (18, 19, 20, 21, 22, 23)  # status, definition, imbalance, error, symbol mapping, system
_NO_PRICE = np.iinfo(np.int64).max
_XNAS = 2
"""Databento's publisher id of Nasdaq."""
_F_LAST, _F_SNAPSHOT, _F_BAD_TIME, _F_MAYBE_BAD = 128, 32, 8, 4

_KINDS = np.zeros(256, np.uint8)
for _letter, _kind in (
    ("A", FeedKind.ADD),
    ("C", FeedKind.CANCEL),
    ("M", FeedKind.MODIFY),
    ("R", FeedKind.CLEAR),
    ("T", FeedKind.TRADE),
    ("F", FeedKind.FILL),
    ("N", FeedKind.ADMIN),
):
    _KINDS[ord(_letter)] = _kind
_SIDES = np.full(256, NO_SIDE, np.uint8)
_SIDES[ord("B")], _SIDES[ord("A")] = 0, 1


def to_feed(mbo: NDArray[Any]) -> NDArray[Any]:
    """MBO records as FEED_DTYPE; an unknown action gets kind 0."""
    records = np.zeros(len(mbo), FEED_DTYPE)
    records["time"] = mbo["ts_event"]
    records["stamp"] = mbo["ts_recv"]
    records["order_id"] = mbo["order_id"]
    records["price"] = np.where(mbo["price"] == _NO_PRICE, 0, mbo["price"])
    records["quantity"] = mbo["size"]
    records["sequence"] = mbo["sequence"]
    records["instrument"] = mbo["instrument_id"]
    kinds = _KINDS[mbo["action"]]
    records["kind"] = kinds
    sides = _SIDES[mbo["side"]]
    # Of a trade Databento gives the aggressor's side, we the resting order's.
    turned = (kinds == FeedKind.TRADE) & (sides != NO_SIDE)
    records["side"] = np.where(turned, 1 - sides, sides)
    flags = mbo["flags"]
    records["flags"] = (
        ((flags & _F_LAST) != 0) * int(FeedFlag.LAST)
        + ((flags & _F_SNAPSHOT) != 0) * int(FeedFlag.SNAPSHOT)
        + ((flags & _F_BAD_TIME) != 0) * int(FeedFlag.BAD_TIME)
        + ((flags & _F_MAYBE_BAD) != 0) * int(FeedFlag.MAYBE_BAD)
    )
    # Nasdaq's records of one message bear F_LAST each; the book changes with the last of them only.
    said = (kinds == FeedKind.TRADE) | (kinds == FeedKind.FILL)
    more = np.zeros(len(records), bool)
    more[:-1] = (mbo["sequence"][1:] == mbo["sequence"][:-1]) & (mbo["instrument_id"][1:] == mbo["instrument_id"][:-1])
    more[-1:] = kinds[-1:] == FeedKind.FILL
    records["flags"][said & more] &= ~np.uint16(FeedFlag.LAST)
    return records


class _MboSource(Source):
    """What the binary and the text form share."""

    def __init__(self, path: Path, log: IssueLog, symbols: Sequence[str] = ()) -> None:
        super().__init__(path, log, symbols)
        self._names: dict[int, str] = {}
        self._date = ""
        # Futures exchanges collect crossed orders before the open; Nasdaq's book is never crossed.
        self._auction = True

    @property
    def meta(self) -> FeedMeta:
        """See `Source.meta`."""
        names = {k: v for k, v in self._names.items() if self.wanted(v)}
        return FeedMeta(
            "dbn",
            "L3",
            "unix",
            self._date,
            price_decimals=9,
            auction=self._auction,
            symbols=names,
            files=(self.path.name,),
        )

    def _finish(self, mbo: NDArray[Any], rows: NDArray[np.int64]) -> Chunk:
        """Drop what is not wanted, report what is no MBO record."""
        if not self._date and len(mbo):
            self._date = str(np.datetime64(int(mbo["ts_event"][0]), "D"))
            self._date = str(np.datetime64(int(mbo["ts_event"][0]), "ns").astype("datetime64[D]"))
        if self.symbols:
            wanted = [number for number, name in self._names.items() if name in self.symbols]
            keep = np.isin(mbo["instrument_id"], wanted)
            mbo, rows = mbo[keep], rows[keep]
        records = to_feed(mbo)
        unknown = np.flatnonzero(records["kind"] == 0)
        for i in unknown.tolist():
            value = chr(mbo["action"][i])
            text = f"action {value!r} is none of A, C, M, R, T, F, N"
            self.log.add("unreadable", self.path, int(rows[i]), value, text)
        if len(unknown):
            keep = records["kind"] != 0
            records, rows = records[keep], rows[keep]
        for number in np.unique(records["instrument"]).tolist():
            self._names.setdefault(number, str(number))
        return Chunk(records, rows)

    def chunks(self) -> Iterator[Chunk]:
        """All MBO messages of the symbols asked for."""
        yield from super().chunks()
        need_symbol(self.symbols, self._names, self.path)

    def state(self) -> dict[str, Any]:
        """See `Source.state`."""
        return {
            **super().state(),
            "names": {str(k): v for k, v in self._names.items()},
            "about": [self._date, self._auction],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """See `Source.restore`."""
        self._names = {int(k): v for k, v in state["names"].items()}
        self._date, self._auction = state["about"]
        super().restore(state)


class DbnSource(_MboSource):
    """A DBN file (``.dbn``, ``.dbn.zst``) with MBO records; other records come as ADMIN with their rtype."""

    format = "dbn"

    def __init__(self, path: Path, log: IssueLog, symbols: Sequence[str] = ()) -> None:
        super().__init__(path, log, symbols)
        head = b""
        for block in self.bytes:
            head += block
            if len(head) >= 8 and len(head) >= 8 + int.from_bytes(head[4:8], "little"):
                break
        size = 8 + int.from_bytes(head[4:8], "little")
        metadata = _metadata(head[:size], path)
        self._extra = 8 if metadata.ts_out else 0
        self._auction = not str(metadata.dataset).startswith("XNAS")
        self._date = str(np.datetime64(int(metadata.start), "ns").astype("datetime64[D]"))
        for name, intervals in metadata.mappings.items():
            for interval in intervals:
                if str(interval["symbol"]).isdigit():
                    self._names[int(interval["symbol"])] = str(name)
        self._rest = head[size:]

    def _decode(self, data: bytes, last: bool) -> tuple[Chunk, bytes]:
        itemsize = MBO_DTYPE.itemsize + self._extra
        whole = len(data) // itemsize
        buffer = np.frombuffer(data, np.uint8)
        table = buffer[: whole * itemsize].reshape(whole, itemsize)
        if whole and (table[:, 0] == itemsize // 4).all() and (table[:, 1] == MBO).all():
            body = table if not self._extra else np.ascontiguousarray(table[:, : MBO_DTYPE.itemsize])
            mbo = body.reshape(-1).view(MBO_DTYPE)
            rows = np.arange(self.row, self.row + whole)
            used = whole * itemsize
            self.row += whole
        else:
            mbo, rows, used = self._walk(buffer, itemsize)
        return self._finish(mbo, rows), data[used:]

    def _walk(self, buffer: NDArray[np.uint8], itemsize: int) -> tuple[NDArray[Any], NDArray[np.int64], int]:
        """Records of several kinds, one by one."""
        from hft_gym.data.dbn_kernel import walk

        starts = np.zeros(len(buffer) // 16 + 1, np.int64)
        n, used = (int(x) for x in walk(buffer, starts))
        starts = starts[:n]
        rtypes, lengths = buffer[starts + 1], 4 * buffer[starts].astype(np.int64)
        rows = np.arange(self.row, self.row + n)
        self.row += n
        is_mbo = (rtypes == MBO) & (lengths >= MBO_DTYPE.itemsize)
        for i in np.flatnonzero(~is_mbo & ~np.isin(rtypes, _ADMINISTRATIVE)).tolist():
            value = int(rtypes[i])
            text = f"record type {value} ({int(lengths[i])} bytes) is not MBO (160)"
            self.log.add("unreadable", self.path, int(rows[i]), value, text)
        if used < len(buffer) and buffer[used] * 4 < 16:
            text = f"a record of {int(buffer[used]) * 4} bytes cannot be: the bytes behind it cannot be read"
            self.log.add("unreadable", self.path, self.row, int(buffer[used]), text)
            used = len(buffer)
        kept = starts[is_mbo]
        body = buffer[kept[:, None] + np.arange(MBO_DTYPE.itemsize)] if len(kept) else np.zeros((0, 56), np.uint8)
        return np.ascontiguousarray(body).reshape(-1).view(MBO_DTYPE), rows[is_mbo], used


def _metadata(head: bytes, path: Path) -> Any:
    databento_dbn = optional("databento_dbn")
    if head[:3] != b"DBN":
        raise DataError("is no DBN file: it does not begin with 'DBN'", path, value=head[:3].decode("latin1"))
    try:
        metadata = databento_dbn.Metadata.decode(head)
    except Exception as error:  # the package raises its own DBNError, and ValueError
        raise DataError(f"its DBN header cannot be read ({error})", path) from error
    if metadata.schema is not None and str(metadata.schema) != "mbo":
        text = f"its schema is {metadata.schema}; MBO is needed (every order), MBP-10 serves as --against"
        raise DataError(text, path, value=str(metadata.schema))
    return metadata


_CSV_COLUMNS = ("ts_recv", "ts_event", "instrument_id", "action", "side", "price", "size", "order_id", "flags")


class DbnCsvSource(_MboSource):
    """Databento's CSV of MBO: with a header line; times as ISO text or ns, prices decimal or in 1e-9."""

    format = "dbn-csv"

    def __init__(self, path: Path, log: IssueLog, symbols: Sequence[str] = ()) -> None:
        super().__init__(path, log, symbols)
        self._columns: list[str] = []
        self._types: dict[str, str] = {}

    def _decode(self, data: bytes, last: bool) -> tuple[Chunk, bytes]:
        lines, rest = split_lines(data, last)
        if not self._columns:
            end = lines.find(b"\n")
            if end < 0:
                return empty_chunk(), data
            self._columns = lines[:end].decode("utf-8", "replace").strip().split(",")
            missing = [c for c in _CSV_COLUMNS if c not in self._columns]
            if missing:
                raise DataError(f"the header has no column {', '.join(missing)}; Databento's MBO has", self.path, 0)
            lines = lines[end + 1 :]
            self.row = 1
        if not self._types and lines.strip():
            self._types = _csv_types(self._columns, lines[: lines.find(b"\n")])
        if not lines.strip():
            return empty_chunk(), rest
        if last and not lines.endswith(b"\n"):
            end = lines.rfind(b"\n") + 1
            text = "the last line has no line break: it may have been cut off in its last number"
            self.log.add(
                "truncated", self.path, self.row + lines.count(b"\n"), lines[end:].decode(errors="replace"), text
            )
            lines = lines[:end]
            if not lines:
                return empty_chunk(), b""
        table, rows = read_csv(lines, self._columns, self.path, self.row, self.log, self._types, ("price",))
        self.row += lines.count(b"\n")
        return self._finish(self._mbo(table), rows), b"" if last else rest

    def _mbo(self, table: Any) -> NDArray[Any]:
        mbo = np.zeros(table.num_rows, MBO_DTYPE)
        for name in ("ts_event", "ts_recv"):
            mbo[name] = table[name].cast("int64").to_numpy()
        for name in ("instrument_id", "size", "order_id", "flags"):
            mbo[name] = table[name].to_numpy()
        mbo["sequence"] = table["sequence"].to_numpy() if "sequence" in self._columns else 0
        price = table["price"].to_numpy()
        whole = price.dtype.kind == "i"
        known = np.ones(len(price), bool) if whole else np.isfinite(price)
        mbo["price"] = price if whole else np.rint(np.where(known, price, 0.0) * 1e9).astype(np.int64)
        mbo["price"][~known] = _NO_PRICE
        for name in ("action", "side"):
            text = np.array(table[name].to_pylist(), "S1")
            mbo[name] = text.view(np.uint8)
        if "publisher_id" in self._columns and len(mbo):
            self._auction = int(table["publisher_id"][0].as_py()) != _XNAS
        if "symbol" in self._columns:
            numbers, first = np.unique(mbo["instrument_id"], return_index=True)
            for number, i in zip(numbers.tolist(), first.tolist(), strict=True):
                self._names[number] = str(table["symbol"][i].as_py())
        return mbo

    def state(self) -> dict[str, Any]:
        """See `Source.state`."""
        return {**super().state(), "columns": self._columns, "types": self._types}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Source.restore`."""
        super().restore(state)
        self._columns, self._types = list(state["columns"]), dict(state["types"])


def _csv_types(columns: Sequence[str], first: bytes) -> dict[str, str]:
    """Arrow types of the columns; Databento writes times and prices in one of two ways, as the *first* line shows."""
    text = {name: "string" for name in ("action", "side", "symbol") if name in columns}
    numbers = ("instrument_id", "size", "order_id", "flags", "sequence", "rtype", "publisher_id", "channel_id")
    types = text | {name: "int64" for name in numbers if name in columns}
    fields = dict(zip(columns, first.split(b","), strict=False))
    for name in ("ts_event", "ts_recv"):
        types[name] = "timestamp" if b"T" in fields.get(name, b"") else "int64"
    price = fields.get("price", b"")
    types["price"] = "int64" if price and b"." not in price else "float64"
    return types


def read_mbp10(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An MBP-10 file (DBN or CSV): ``(rows,)`` sequence numbers and ``(rows, 10, 6)`` levels: ask price, size, count,
    bid price, size, count; prices in 1e-9, zeros where there is no level.

    Raises:
        DataError: the file is not MBP-10, or is damaged.
    """
    blocks = ByteBlocks(path)
    data = b"".join(blocks)
    if blocks.cut:
        raise DataError(blocks.cut, path)
    if data[:3] == b"DBN":
        databento_dbn = optional("databento_dbn")
        size = 8 + int.from_bytes(data[4:8], "little")
        layout = np.dtype(databento_dbn.MBP10Msg._dtypes)
        body = data[size:]
        if len(body) % layout.itemsize or (len(body) and body[1] != 10):
            raise DataError(f"is no file of whole MBP-10 records ({layout.itemsize} bytes each)", path)
        records = np.frombuffer(body, layout)
        columns = {name: records[name] for name in layout.names or ()}
    else:
        pa, csv = optional("pyarrow"), optional("pyarrow.csv")
        table = csv.read_csv(pa.BufferReader(data))
        if "bid_px_09" not in table.column_names or "sequence" not in table.column_names:
            raise DataError("has no column bid_px_09: it is not MBP-10", path)
        columns = {name: table[name].to_numpy() for name in table.column_names}
    levels = np.zeros((len(columns["sequence"]), 10, 6), np.int64)
    for level in range(10):
        for column, name in enumerate(("ask_px", "ask_sz", "ask_ct", "bid_px", "bid_sz", "bid_ct")):
            values = columns[f"{name}_{level:02d}"]
            if values.dtype.kind == "f":
                scale = 1e9 if name.endswith("px") else 1.0
                values = np.rint(np.nan_to_num(values) * scale)
            values = values.astype(np.int64)
            levels[:, level, column] = np.where(values == _NO_PRICE, 0, values)
    return columns["sequence"].astype(np.int64), levels
