"""`Tenure`: one trader's time at a seat, from the first decision to the close: its path and its logs."""

from __future__ import annotations

import logging
import mmap
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.evaluation.episodes import FILL_DTYPE, MID_DTYPE, ORDER_DTYPE, Episodes
from hft_gym.evaluation.rollout import episode_log

logger = logging.getLogger("hft_gym.live")

__all__ = ["LOGS", "PATH", "Tenure", "joined"]

PATH = np.dtype(
    [
        ("time", "i8"),
        ("equity", "f8"),
        ("inventory", "i8"),
        ("mid", "f8"),
        ("spread", "f8"),
        ("imbalance", "f8"),
        ("market_volume", "i8"),
    ]
)
"""One row of a path: what `Episodes` holds of each decision; spread and imbalance are NaN where they are not known."""

LOGS: Mapping[str, np.dtype[Any]] = {"fills": FILL_DTYPE, "orders": ORDER_DTYPE, "mids": MID_DTYPE}


IN_MEMORY = 1 << 18
"""Bytes of a column that stay in memory; the rest lies in a temporary file."""


class _Column:
    """Records that grow at the end, without the process growing with them.

    Beyond ``IN_MEMORY`` they are mapped from a temporary file, which nobody else can open and which is gone with the
    process, and what was written is handed to the system, to come back when it is read: a session that runs for days
    needs no more memory than one of an hour. If the file cannot grow, a full disk, they return to memory.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._array: NDArray[Any] = np.zeros(64, dtype)
        self._count = 0
        self._file: IO[bytes] | None = None
        self._map: mmap.mmap | None = None
        self._released = 0

    def extend(self, records: NDArray[Any]) -> None:
        need = self._count + len(records)
        if need > len(self._array):
            self._grow(max(2 * len(self._array), need))
        self._array[self._count : need] = records
        self._count = need
        if self._map is not None:
            self._release()

    def cut(self, count: int) -> None:
        self._count = min(count, self._count)

    @property
    def records(self) -> NDArray[Any]:
        return self._array[: self._count]

    def __len__(self) -> int:
        return self._count

    def _grow(self, rows: int) -> None:
        known, mapped = self.records, self._map is not None
        size = rows * known.itemsize
        self._map = self._mapped(size) if size > IN_MEMORY else None
        self._array = np.zeros(rows, known.dtype) if self._map is None else np.frombuffer(self._map, known.dtype)
        if not mapped or self._map is None:  # else the file has them
            self._array[: len(known)] = known

    def _mapped(self, size: int) -> mmap.mmap | None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="hft_gym-")  # noqa: SIM115  # it lives as long as this
            # Space that is promised: a page that cannot be written would end the process.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._file.fileno(), 0, size)
            else:
                self._file.truncate(size)
            return mmap.mmap(self._file.fileno(), size)
        except OSError as error:
            logger.warning("records stay in memory: no temporary file of %d bytes (%s)", size, error)
            return None

    def _release(self) -> None:
        """Let the system take back the memory of what is written."""
        done = self._count * self._array.itemsize // mmap.PAGESIZE * mmap.PAGESIZE
        if done - self._released < IN_MEMORY or self._map is None or not hasattr(mmap, "MADV_DONTNEED"):
            return
        self._map.madvise(mmap.MADV_DONTNEED, 0, done)
        self._released = done


@dataclass
class Tenure:
    """What a trader did in one market.

    Attributes:
        name, kind: of the trader; ``kind`` is ``"baseline"``, ``"agent"`` or ``"human"``.
        symbol, participant: where it trades.
        begin: market time of its first decision [ns].
        origin_units: its account's equity then [sub-units]; what it earns counts from there.
        config: the environment of its observations and actions, as plain data.
        ended: why it trades no more; empty while it does.
    """

    name: str
    kind: str
    symbol: str
    participant: int
    begin: int
    origin_units: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)
    ended: str = ""

    def __post_init__(self) -> None:
        self._parts = {"path": _Column(PATH), **{name: _Column(dtype) for name, dtype in LOGS.items()}}

    @property
    def path(self) -> NDArray[Any]:
        """Its path so far, records of ``PATH``."""
        return self._parts["path"].records

    def log(self, name: str) -> NDArray[Any]:
        """Its fills, orders or mids so far, with times since `begin`."""
        return self._parts[name].records

    def note(self, row: tuple[Any, ...]) -> None:
        """Add a row of ``PATH``; one of the same time takes the last one's place."""
        path = self._parts["path"]
        if len(path) and path.records["time"][-1] == row[0]:
            path.cut(len(path) - 1)
        path.extend(np.array([row], PATH))

    def add(self, name: str, records: NDArray[Any]) -> NDArray[Any]:
        """Add records of the market's log *name*; returns them as they are kept."""
        origin = np.array([self.begin], np.int64)
        rows = records.copy()
        rows["env"] = 0
        kept = episode_log(rows, LOGS[name], origin)
        self._parts[name].extend(kept)
        return kept

    def cut(self, name: str, count: int) -> None:
        """Forget what log *name* has beyond its first *count* records."""
        self._parts[name].cut(count)

    def parts(self) -> dict[str, NDArray[Any]]:
        """Path and logs by name."""
        return {name: column.records for name, column in self._parts.items()}

    def restore(self, parts: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `parts` gave, after what is there."""
        for name, records in parts.items():
            self._parts[name].extend(records)


def joined(tenures: list[Tenure], name: str, seed: int, tick_size: float, capital: float) -> Episodes:
    """The tenures of one trader, an episode for each of its markets."""
    longest = max(len(t.path) for t in tenures)

    def path(column: str) -> NDArray[Any]:
        found = [t.path[column] for t in tenures]
        return np.stack([np.pad(values, (0, longest - len(values)), mode="edge") for values in found])

    def log(kind: str) -> NDArray[Any]:
        parts = []
        for i, tenure in enumerate(tenures):
            rows = tenure.log(kind).copy()
            rows["episode"] = i
            parts.append(rows)
        return np.concatenate(parts)

    spread, equity = path("spread"), path("equity")
    known = bool(np.isfinite(spread).any())
    return Episodes(
        name=name,
        seeds=np.arange(seed, seed + len(tenures), dtype=np.int64),
        steps=np.array([len(t.path) - 1 for t in tenures], np.int64),
        time=path("time"),
        equity=equity,
        inventory=path("inventory"),
        mid=path("mid"),
        rewards=np.diff(equity, axis=1),
        terminated=np.ones(len(tenures), np.bool_),
        truncated=np.zeros(len(tenures), np.bool_),
        fills=log("fills"),
        orders=log("orders"),
        mids=log("mids"),
        spread=spread if known else None,
        imbalance=path("imbalance") if known else None,
        market_volume=path("market_volume") if known else None,
        symbol="+".join(t.symbol for t in tenures),
        tick_size=tick_size,
        capital=capital,
        config=tenures[0].config,
    )
