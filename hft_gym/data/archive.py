"""Recorded markets as Parquet: one row a message, written in row groups, read the same way.

Columns are the fields of FEED_DTYPE, ``source_row`` (the row of the original file) and, of LOBSTER pairs, ``book``
(the orderbook row: ask price, ask size, bid price, bid size of each level). The metadata hold the `FeedMeta` as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hft_gym.data.issues import IssueLog
from hft_gym.data.messages import FEED_DTYPE, FeedMeta
from hft_gym.data.sources import Chunk, Source
from hft_gym.errors import DataError
from hft_gym.extras import optional

__all__ = ["ArchiveSource", "ArchiveWriter", "read_meta"]

META_KEY = "hft_gym.feed"
ROW_GROUP = 1 << 17
"""Messages of a row group, at least."""


def _schema(levels: int | None) -> Any:
    import pyarrow as pa  # the extra "data"

    names = FEED_DTYPE.names or ()
    fields = [pa.field(name, pa.from_numpy_dtype(FEED_DTYPE[name]), nullable=False) for name in names]
    fields.append(pa.field("source_row", pa.int64(), nullable=False))
    if levels is not None:
        fields.append(pa.field("book", pa.list_(pa.int64(), 4 * levels), nullable=False))
    return pa.schema(fields)


def to_table(chunk: Chunk) -> Any:
    """A chunk as an Arrow table."""
    import pyarrow as pa

    levels = None if chunk.book is None else chunk.book.shape[1]
    arrays: list[Any] = [pa.array(np.ascontiguousarray(chunk.records[name])) for name in FEED_DTYPE.names or ()]
    arrays.append(pa.array(np.ascontiguousarray(chunk.rows)))
    if chunk.book is not None:
        values = pa.array(np.ascontiguousarray(chunk.book, np.int64).reshape(-1))
        arrays.append(pa.FixedSizeListArray.from_arrays(values, 4 * chunk.book.shape[1]))
    return pa.Table.from_arrays(arrays, schema=_schema(levels))


def to_chunk(table: Any) -> Chunk:
    """The inverse of :func:`to_table`."""
    records = np.empty(table.num_rows, FEED_DTYPE)
    for name in FEED_DTYPE.names or ():
        records[name] = table[name].to_numpy()
    book = None
    if "book" in table.column_names:
        column = table["book"].combine_chunks()
        book = column.flatten().to_numpy(zero_copy_only=False).reshape(table.num_rows, -1, 4)
    return Chunk(records, table["source_row"].to_numpy().copy(), book)


class ArchiveWriter:
    """Writes chunks to a Parquet file, a row group whenever enough messages have come.

    The file is whole only after :meth:`close`: write to a temporary name and rename.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.messages = 0
        self._writer: Any = None
        self._waiting: list[Any] = []
        self._n_waiting = 0

    def write(self, chunk: Chunk) -> None:
        """Add messages."""
        if len(chunk.records):
            self._waiting.append(to_table(chunk))
            self._n_waiting += len(chunk.records)
            self.messages += len(chunk.records)
        if self._n_waiting >= ROW_GROUP:
            self._flush()

    def write_table(self, table: Any) -> None:
        """Add a row group as it is."""
        self._open(table.schema).write_table(table)

    def _open(self, schema: Any) -> Any:
        import pyarrow.parquet as pq

        if self._writer is None:
            sorted_names = ["time", "sequence", "source_row", "order_id", "reference", "stamp"]
            self._writer = pq.ParquetWriter(
                str(self.path),
                schema.remove_metadata(),
                compression="zstd",
                use_dictionary=["instrument", "kind", "side", "flags"],
                column_encoding=dict.fromkeys(sorted_names, "DELTA_BINARY_PACKED"),
            )
        return self._writer

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            table = pa.concat_tables(self._waiting).combine_chunks()
            self._open(table.schema).write_table(table, row_group_size=max(table.num_rows, 1))
        self._waiting, self._n_waiting = [], 0

    def close(self, meta: FeedMeta | None = None) -> None:
        """Write what is left, and *meta*."""
        self._flush()
        writer = self._open(_schema(None))
        if meta is not None:
            writer.add_key_value_metadata({META_KEY: meta.to_json()})
        writer.close()


def _open_parquet(path: Path) -> Any:
    pa, pq = optional("pyarrow"), optional("pyarrow.parquet")
    try:
        return pq.ParquetFile(str(path))
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"cannot be read as Parquet ({error}); convert the source anew", path) from error


def read_meta(path: Path) -> FeedMeta:
    """The `FeedMeta` of a Parquet file.

    Raises:
        DataError: it is damaged, or not a file of ours.
    """
    file = _open_parquet(path)
    metadata = file.metadata.metadata or {}
    file.close()
    if META_KEY.encode() not in metadata:
        raise DataError("is a Parquet file, but none that `hft-gym data convert` made", path)
    return FeedMeta.from_json(metadata[META_KEY.encode()], path)


class ArchiveSource(Source):
    """A Parquet file that `hft-gym data convert` made, as a stream."""

    format = "archive"

    def __init__(self, path: Path, log: IssueLog, symbols: Sequence[str] = ()) -> None:
        self.path, self.files, self.log, self.symbols = path, (path,), log, tuple(symbols)
        self._meta = read_meta(path)
        self._file = _open_parquet(path)
        self._group = 0
        self.row = 0
        self._wanted = {self._meta.instrument(s) for s in symbols}

    @property
    def meta(self) -> FeedMeta:
        """See `Source.meta`."""
        return self._meta

    @property
    def progress(self) -> tuple[int, int]:
        """Row groups read, and in all."""
        return self._group, self._file.num_row_groups

    def chunks(self) -> Iterator[Chunk]:
        """All messages of the symbols asked for."""
        while self._group < self._file.num_row_groups:
            try:
                chunk = to_chunk(self._file.read_row_group(self._group))
            except (OSError, ValueError) as error:
                raise DataError(f"row group {self._group} is damaged ({error})", self.path, self.row) from error
            self._group += 1
            self.row += len(chunk.records)
            if self._wanted:
                chunk = chunk.take(np.isin(chunk.records["instrument"], list(self._wanted)))
            if len(chunk.records):
                yield chunk
        self._file.close()

    def _decode(self, data: bytes, last: bool) -> tuple[Chunk, bytes]:
        raise NotImplementedError("Parquet is not read as bytes")

    def state(self) -> dict[str, Any]:
        """See `Source.state`."""
        return {"group": self._group, "row": self.row}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Source.restore`."""
        self._group, self.row = int(state["group"]), int(state["row"])
