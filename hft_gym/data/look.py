"""Looking into converted data: summaries by DuckDB, straight from the Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hft_gym.data.archive import read_meta
from hft_gym.data.messages import FeedKind, FeedMeta
from hft_gym.errors import DataError
from hft_gym.extras import optional

__all__ = ["inspect_file", "query"]


def query(path: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run SQL over a converted file, whose messages are the table ``feed`` (with ``kind_name``): columns, rows.

    Raises:
        DataError: the file is none of ours, or DuckDB refuses the query.
    """
    duckdb = optional("duckdb")
    read_meta(path)
    connection = duckdb.connect()
    try:
        connection.execute("SET enable_progress_bar = false")
        names = ", ".join(f"({k.value}, '{k.name}')" for k in FeedKind)
        quoted = str(path).replace("'", "''")
        connection.execute(f"CREATE TABLE kinds AS SELECT * FROM (VALUES {names}) t(number, kind_name)")
        connection.execute(
            f"CREATE VIEW feed AS SELECT f.*, k.kind_name FROM read_parquet('{quoted}') f "
            "JOIN kinds k ON f.kind = k.number"
        )
        result = connection.execute(sql)
        columns = [column[0] for column in result.description or ()]
        return columns, result.fetchall()
    except duckdb.Error as error:
        raise DataError(f"DuckDB says: {error}", path) from error
    finally:
        connection.close()


def inspect_file(path: Path) -> tuple[FeedMeta, list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The meta; per kind: name, messages, sum of quantities, least and greatest price; per instrument: number,
    messages, first and last time."""
    meta = read_meta(path)
    _, kinds = query(
        path,
        "SELECT kind_name, count(*), sum(quantity::DOUBLE), min(price) FILTER (price <> 0), "
        "max(price) FILTER (price <> 0) FROM feed GROUP BY ALL ORDER BY 2 DESC",
    )
    _, instruments = query(
        path, "SELECT instrument, count(*), min(time), max(time) FROM feed GROUP BY 1 ORDER BY 2 DESC LIMIT 20"
    )
    return meta, kinds, instruments
