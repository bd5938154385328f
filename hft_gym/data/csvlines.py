"""Lines of comma-separated numbers, read in blocks by Arrow; a line that cannot be read is named, not lost."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.data.issues import IssueLog
from hft_gym.extras import optional

__all__ = ["read_csv"]


def read_csv(
    lines: bytes,
    columns: Sequence[str],
    path: Path,
    row: int,
    log: IssueLog,
    types: dict[str, str],
    nullable: Sequence[str] = (),
) -> tuple[Any, NDArray[np.int64]]:
    """Parse whole lines into an Arrow table; lines that cannot be read are logged and left out.

    Returns the table and the row of each of its lines, the first line being *row*. *types* are the columns wanted, by
    the names of Arrow's types; only *nullable* ones may be empty.
    """
    pa, csv = optional("pyarrow"), optional("pyarrow.csv")
    made = {k: pa.timestamp("ns", tz="UTC") if t == "timestamp" else getattr(pa, t)() for k, t in types.items()}
    options = {
        "read_options": csv.ReadOptions(column_names=list(columns), use_threads=False, block_size=1 << 24),
        "convert_options": csv.ConvertOptions(
            column_types=made,
            null_values=[""],
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
            include_columns=list(made),
        ),
    }
    parse = csv.ParseOptions(delimiter=",", quote_char=False, ignore_empty_lines=False)

    def read(data: bytes) -> Any:
        table = csv.read_csv(io.BytesIO(data), parse_options=parse, **options)
        for name in made:
            if table[name].null_count and name not in nullable:
                raise pa.ArrowInvalid(f"column {name} is empty")
        return table

    try:
        table = read(lines)
        return table, np.arange(row, row + table.num_rows)
    except pa.ArrowInvalid:
        return _read_lines(lines, read, columns, path, row, log)


def _read_lines(
    lines: bytes, read: Any, columns: Sequence[str], path: Path, row: int, log: IssueLog
) -> tuple[Any, NDArray[np.int64]]:
    """The slow way, taken where a block has a bad line: halves until the bad lines stand alone."""
    import pyarrow as pa

    every = lines.split(b"\n")
    if every and not every[-1]:
        every.pop()
    good: list[Any] = []
    rows: list[NDArray[np.int64]] = []

    def visit(start: int, end: int) -> None:
        if start == end:
            return
        try:
            good.append(read(b"\n".join(every[start:end]) + b"\n"))
            rows.append(np.arange(row + start, row + end))
        except pa.ArrowInvalid as error:
            if end - start > 1:
                middle = (start + end) // 2
                visit(start, middle)
                visit(middle, end)
                return
            text = every[start].decode(errors="replace").strip()
            fields = text.count(",") + 1
            why = f"has {fields} columns where {len(columns)} are due" if fields != len(columns) else str(error)
            log.add("unreadable", path, row + start, text[:200], why.split("\n")[0])

    visit(0, len(every))
    if not good:
        return read(b""), np.zeros(0, np.int64)
    return pa.concat_tables(good), np.concatenate(rows)
