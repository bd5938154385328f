"""`Tenure`: one trader's time at a seat, from the first decision to the close: its path and its logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.evaluation.episodes import FILL_DTYPE, MID_DTYPE, ORDER_DTYPE, Episodes
from hft_gym.evaluation.rollout import episode_log

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


class _Column:
    """Records that grow at the end."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._array, self._count = np.zeros(64, dtype), 0

    def extend(self, records: NDArray[Any]) -> None:
        need = self._count + len(records)
        if need > len(self._array):
            grown = np.zeros(max(2 * len(self._array), need), self._array.dtype)
            grown[: self._count] = self._array[: self._count]
            self._array = grown
        self._array[self._count : need] = records
        self._count = need

    def cut(self, count: int) -> None:
        self._count = min(count, self._count)

    @property
    def records(self) -> NDArray[Any]:
        return self._array[: self._count]


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
        if len(path.records) and path.records["time"][-1] == row[0]:
            path.cut(len(path.records) - 1)
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
