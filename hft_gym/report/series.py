"""What the figures of a comparison's page show, as data: each series with its points and their intervals."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hft_gym.extras import optional

__all__ = ["figure_series", "parquet"]


def figure_series(figures: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    """The series of Plotly figures, in the order in which they are drawn.

    Args:
        figures: heading, figure.

    Returns:
        of each series ``figure`` (the heading), ``panel`` (the title of its part of the figure, or ``""``), ``series``
        (the name in the legend), ``part`` (``"value"``, or ``"low"`` and ``"high"`` of a band), ``x`` (numbers or
        labels; empty for a distribution), ``y``, and where its points have intervals ``low`` and ``high`` of each.
    """
    found = []
    for heading, figure in figures:
        titles = [note.text for note in figure.layout.annotations]
        for trace in figure.data:
            panel = int((trace.yaxis or "y")[1:] or 1) - 1
            y = np.asarray(trace.y, np.float64)
            row = {
                "figure": heading,
                "panel": titles[panel] if panel < len(titles) else "",
                "series": trace.name,
                "part": _part(trace),
                "x": [] if trace.x is None else np.asarray(trace.x).tolist(),
                "y": y.tolist(),
            }
            error = trace.error_y if "error_y" in trace else None
            if error is not None and error.array is not None:
                row["low"] = (y - np.asarray(error.arrayminus, np.float64)).tolist()
                row["high"] = (y + np.asarray(error.array, np.float64)).tolist()
            found.append(row)
    return found


def _part(trace: Any) -> str:
    """A band is two lines without a width, of which the upper one is filled down to the lower."""
    if trace.type != "scatter" or trace.line.width != 0:
        return "value"
    return "high" if trace.fill == "tonexty" else "low"


def parquet(series: Sequence[Mapping[str, Any]]) -> bytes:
    """The same, one row for each point: figure, panel, series, part, point, x or label, y, low, high; undefined is
    null.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    arrow = optional("pyarrow")
    texts: dict[str, list[Any]] = {name: [] for name in ("figure", "panel", "series", "part", "label")}
    point: list[int] = []
    numbers: dict[str, list[float]] = {name: [] for name in ("x", "y", "low", "high")}
    for row in series:
        count = len(row["y"])
        for name in ("figure", "panel", "series", "part"):
            texts[name] += [row[name]] * count
        labels = bool(row["x"]) and isinstance(row["x"][0], str)
        texts["label"] += row["x"] if labels else [None] * count
        point += range(count)
        unknown = [float("nan")] * count
        numbers["x"] += unknown if labels or not row["x"] else row["x"]
        for name in ("y", "low", "high"):
            numbers[name] += row.get(name, unknown)
    columns = {name: arrow.array(values, arrow.string()) for name, values in texts.items()}
    columns["point"] = arrow.array(point, arrow.int64())
    for name, values in numbers.items():
        columns[name] = arrow.array(np.asarray(values, np.float64), from_pandas=True)
    file = io.BytesIO()
    optional("pyarrow.parquet").write_table(arrow.table(columns), file)
    return file.getvalue()
