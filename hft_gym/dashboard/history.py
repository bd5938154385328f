"""Curves that never outgrow a screen: rows on the session's clock, thinned whenever there are too many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hft_gym.dashboard.config import CHART_POINTS

__all__ = ["Cursor", "History"]


@dataclass(frozen=True)
class Cursor:
    """How far a client knows a history: rows of which generation."""

    generation: int = -1
    rows: int = 0


class History:
    """Up to `capacity` rows of named columns.

    A full history drops every second row and from then on takes rows half as often, so that it spans the whole
    session in bounded memory: what is old is as fine as what is new. Rows already told stay as they are until then, so
    that a client asks only for what it has not seen.

    Args:
        columns: their names; the first is the time [ns], which never goes back.
        capacity: rows at most, even.
    """

    def __init__(self, columns: Sequence[str], capacity: int = CHART_POINTS) -> None:
        self.columns = tuple(columns)
        self.capacity = capacity
        self.generation = 0
        self.rows = 0
        self.spacing = 0.0
        self._table: npt.NDArray[np.float64] = np.full((capacity, len(self.columns)), np.nan)

    def __len__(self) -> int:
        """Rows that there are."""
        return self.rows

    def add(self, row: Mapping[str, float]) -> bool:
        """Take a row, unless the last one is too near. Columns that it lacks are NaN; others than ours are left out."""
        time = float(row[self.columns[0]])
        if self.rows and time < self._table[self.rows - 1, 0] + max(self.spacing, 1.0):
            return False
        if self.rows == self.capacity:
            self._thin()
        self._table[self.rows] = [row.get(name, np.nan) for name in self.columns]
        self.rows += 1
        return True

    def _thin(self) -> None:
        kept = self._table[::2].copy()
        self.rows = len(kept)
        self._table[: self.rows] = kept
        self.spacing = float(kept[-1, 0] - kept[0, 0]) / (self.rows - 1)
        self.generation += 1

    def since(self, cursor: Cursor) -> tuple[bool, dict[str, list[float]], Cursor]:
        """What a client does not know yet.

        Returns:
            Whether it has to forget what it has, the new rows by column, and the cursor after them.
        """
        anew = cursor.generation != self.generation or cursor.rows > self.rows
        first = 0 if anew else cursor.rows
        part = self._table[first : self.rows]
        told = {name: part[:, i].tolist() for i, name in enumerate(self.columns)}
        return anew, told, Cursor(self.generation, self.rows)

    def to_json(self) -> dict[str, Any]:
        """All rows by column."""
        return self.since(Cursor())[1]
