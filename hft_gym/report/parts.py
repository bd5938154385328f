"""One evaluation, one *part*: a folder of the store that appears whole or not at all, and is never changed again.

======================  ================================================================================================
``part.json``           the results of every policy with intervals, flags and net P&L per episode; seeds, configuration,
                        command, versions; size and SHA-256 of the tables beside it, and a digest of its own content
``metrics.parquet``     one row for each policy and metric: value, interval, unit
``episodes.parquet``    one row for each policy and episode: seed, decisions, every metric that a single episode has
======================  ================================================================================================

A part is written under a temporary name, brought to the disk and renamed: a writer that is killed leaves a folder whose
name begins with a dot, which no reader looks at. Names hold a random number, and renaming never replaces a part, so any
number of processes may write at once. Without pyarrow the tables are ``metrics.json`` and ``episodes.json``, column
by column; readers take both.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hft_gym.errors import DataError
from hft_gym.extras import optional
from hft_gym.report.comparison import Comparison
from hft_gym.report.metrics import METRICS
from hft_gym.report.pooling import POOLINGS, SET
from hft_gym.report.writers import json_text, summary

__all__ = ["TABLES", "UNFINISHED", "Part", "arrow_table", "read_part", "write_part"]

FORMAT = 1
"""Of the parts that this version writes."""
NAME = "part.json"
TABLES = ("metrics", "episodes")
"""What a part holds beside ``part.json``, as Parquet or JSON."""
UNFINISHED = ".writing-"
"""How the folder of a part begins that is not complete."""


@dataclass(frozen=True)
class Part:
    """A sound part: its identifier, its folder and what ``part.json`` says."""

    id: str
    folder: Path
    record: Mapping[str, Any]

    @property
    def market(self) -> str:
        """The market's name: a preset, the file of a replay, or ``"custom"``."""
        config = self.record["meta"].get("config", {})
        if config.get("feed"):
            return Path(str(config["feed"])).name
        flow = config.get("market", {}).get("flow")
        return flow if isinstance(flow, str) else "custom"

    @property
    def live(self) -> bool:
        """Whether its episodes are the symbols of one run of paper trading, which no seeds have drawn."""
        return "paper" in self.record["meta"]

    @property
    def stopped(self) -> bool:
        """Whether it tells of a run of paper trading as it was stopped, positions open; resumed, that run has a part of
        its own at its end.
        """
        return self.record["meta"].get("paper", {}).get("finished") is False

    def policy(self, name: str) -> dict[str, Any] | None:
        """What is told of a policy; None if it took no part."""
        return next((p for p in self.record["policies"] if p["name"] == name), None)

    def table(self, name: str) -> Path | None:
        """The file of one of `TABLES`; None where the part was written without it."""
        return next((self.folder / f for f in self.record["files"] if Path(f).stem == name), None)


def write_part(
    comparison: Comparison, store: str | Path, *, parquet: bool | None = None, tables: Sequence[str] = TABLES
) -> Part:
    """Add a comparison to a store.

    Args:
        comparison: what was measured.
        store: the folder of the parts; made where missing.
        parquet: whether the tables are Parquet; default: if pyarrow is installed.
        tables: of `TABLES`, those to keep; what ``part.json`` holds is there in any case.

    Raises:
        MissingExtraError: Parquet is asked for and pyarrow is not installed.
    """
    if parquet is None:
        parquet = util.find_spec("pyarrow") is not None
    store = Path(store)
    store.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    while True:
        name = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        draft = store / f"{UNFINISHED}{name}"
        try:
            draft.mkdir()
        except FileExistsError:
            continue
        try:
            record = _fill(draft, name, now, comparison, parquet, tables)
            final = store / name
            try:
                os.rename(draft, final)
            except OSError:
                if final.exists():  # a part of that name: drawn twice within a second
                    continue
                raise
            _to_disk(store)
            return Part(name, final, record)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _fill(
    folder: Path, name: str, now: datetime, comparison: Comparison, parquet: bool, tables: Sequence[str]
) -> dict[str, Any]:
    """Write the files of a part; returns what ``part.json`` says."""
    files = {}
    for table, make in (("metrics", _metrics), ("episodes", _episodes)):
        if table not in tables:
            continue
        columns = make(comparison)
        path = folder / f"{table}.{'parquet' if parquet else 'json'}"
        columns = {"run": [name] * len(columns["policy"]), **columns}
        if parquet:
            optional("pyarrow.parquet").write_table(arrow_table(columns), path)
        else:
            path.write_text(json_text(columns, indent=None))
        files[path.name] = _fingerprint(path)
        _to_disk(path)
    results = summary(comparison)
    for policy, row in zip(results["policies"], comparison.rows, strict=True):
        policy["net_pnl"] = row.episodes.net_pnl.tolist()
    told = {"format": FORMAT, "id": name, "time": now.isoformat(timespec="seconds"), "files": files, **results}
    record: dict[str, Any] = json.loads(json_text(told))
    (folder / NAME).write_text(json_text({**record, "digest": _digest(record)}))
    _to_disk(folder / NAME)
    _to_disk(folder)
    return record


def _metrics(comparison: Comparison) -> dict[str, Any]:
    rows = comparison.records()
    return {column: [row[column] for row in rows] for column in rows[0]}


def _episodes(comparison: Comparison) -> dict[str, Any]:
    """Columns, one row for each policy and episode; NaN where a metric is undefined."""

    def joined(arrays: Iterable[npt.NDArray[Any]]) -> list[Any]:
        together: list[Any] = np.concatenate(list(arrays)).tolist()
        return together

    single = [m for m in METRICS.values() if m.pooling != SET and not POOLINGS[m.pooling].several]
    about = [(row, row.panel.count) for row in comparison.rows]
    columns: dict[str, Any] = {
        "policy": [row.name for row, count in about for _ in range(count)],
        "kind": [row.kind for row, count in about for _ in range(count)],
        "episode": joined(np.arange(count) for _, count in about),
        "seed": joined(row.episodes.seeds for row, _ in about),
        "decisions": joined(row.episodes.steps for row, _ in about),
    }
    for metric in single:
        columns[metric.name] = joined(metric.values(row.panel).astype(np.float64) for row, _ in about)
    return columns


_TEXTS = frozenset({"run", "policy", "kind", "metric", "unit"})
_COUNTS = frozenset({"episode", "seed", "decisions", "episodes"})


def arrow_table(columns: Mapping[str, list[Any]]) -> Any:
    """Columns as an Arrow table, the same types whether they come from memory or from JSON; undefined is null.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    arrow = optional("pyarrow")

    def array(name: str, values: list[Any]) -> Any:
        if name in _TEXTS:
            return arrow.array(values, arrow.string())
        if name in _COUNTS:
            return arrow.array(values, arrow.int64())
        # JSON has infinity as a text.
        numbers = [float("nan") if value is None else float(value) for value in values]
        return arrow.array(numbers, arrow.float64(), from_pandas=True)

    return arrow.table({name: array(name, values) for name, values in columns.items()})


def read_part(folder: Path) -> Part:
    """A part, checked: its own digest, and size and SHA-256 of its tables.

    Raises:
        DataError: it is damaged, or of a later format.
    """
    path = folder / NAME
    try:
        record = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"damaged: it cannot be read ({error.strerror})", path) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"damaged: it is no JSON ({error})", path) from None
    if not isinstance(record, dict) or not isinstance(record.get("format"), int):
        raise DataError("damaged: it says no format", path)
    if record["format"] > FORMAT:
        raise DataError(f"format {record['format']}; this version of hft_gym reads up to {FORMAT}", path)
    if record.pop("digest", None) != _digest(record):
        raise DataError("damaged: its content has another digest than it says", path)
    if record["id"] != folder.name:
        raise DataError(f"a copy, or renamed: it is the part {record['id']}", path)
    for name, said in record["files"].items():
        try:
            found = _fingerprint(folder / name)
        except OSError as error:
            raise DataError(f"damaged: it cannot be read ({error.strerror})", folder / name) from None
        if found != said:
            raise DataError(
                f"damaged: {found['bytes']} bytes with SHA-256 {found['sha256'][:8]}..., written were "
                f"{said['bytes']} with {said['sha256'][:8]}...", folder / name,
            )  # fmt: skip
    return Part(record["id"], folder, record)


def _fingerprint(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _to_disk(path: Path) -> None:
    """Wait until a file or a folder's entries are on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
