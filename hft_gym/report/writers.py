"""A comparison as files: CSV, JSON, Markdown, PNG and, where plotly is installed, HTML with the data of its figures.
Each appears whole or not at all.
"""

from __future__ import annotations

import csv
import io
import json
import math
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np

from hft_gym.files import replace_file
from hft_gym.report.comparison import Comparison
from hft_gym.report.curves import make_curves
from hft_gym.report.markdown import comparison_markdown
from hft_gym.report.metrics import METRICS

__all__ = ["episodes_csv", "json_text", "summary", "to_csv", "to_json", "write"]


def to_csv(comparison: Comparison) -> str:
    """One line per policy and metric: value, interval, unit. Undefined is empty."""
    return _csv(comparison.records())


def episodes_csv(comparison: Comparison) -> str:
    """One line per policy and episode: seed and net P&L, for analyses of one's own."""
    rows = [
        {"policy": row.name, "seed": int(seed), "net_pnl": float(net), "steps": int(steps)}
        for row in comparison.rows
        for seed, net, steps in zip(row.episodes.seeds, row.episodes.net_pnl, row.episodes.steps, strict=True)
    ]
    return _csv(rows)


def to_json(comparison: Comparison) -> str:
    """Everything in the tables, the definitions of the metrics, and the record of how it was made."""
    document = {
        **summary(comparison),
        "metrics": {
            m.name: {
                "number": m.number,
                "label": m.label,
                "group": m.group,
                "unit": m.unit,
                "formula": m.formula,
                "source": m.source,
                "pooling": m.pooling,
            }
            for m in METRICS.values()
        },
    }
    return json_text(document)


def summary(comparison: Comparison) -> dict[str, Any]:
    """The results as plain data: seeds, verdicts, every policy with its metrics and flags, and how it was made."""
    return {
        "best": comparison.best,
        "best_baseline": comparison.best_baseline,
        "verdicts": comparison.verdicts(),
        "episodes": comparison.episodes,
        "seeds": [int(s) for s in comparison.rows[0].episodes.seeds],
        "bootstrap": vars(comparison.bootstrap),
        "policies": [
            {
                "name": row.name,
                "kind": row.kind,
                "deterministic": row.episodes.deterministic,
                "flags": [flag._asdict() for flag in row.flags],
                "difference_to_best_baseline": None if row.difference is None else row.difference._asdict(),
                "p_value_holm": row.p_value,
                "metrics": {name: e._asdict() for name, e in row.metrics.items()},
                "undefined": dict(row.undefined),
            }
            for row in comparison.rows
        ],
        "grids": [grid.records() for grid in comparison.grids],
        "meta": dict(comparison.meta),
    }


def json_text(document: Any, indent: int | None = 1) -> str:
    """A document as JSON, NumPy's numbers included. JSON has no NaN: undefined is null; infinite is a text."""
    return json.dumps(_plain(document), indent=indent, allow_nan=False) + "\n"


def write(comparison: Comparison, folder: str | Path) -> dict[str, Path]:
    """Write ``comparison.csv``, ``episodes.csv``, ``comparison.json``, ``comparison.md``, ``comparison.png`` and, where
    plotly is installed, ``comparison.html`` and ``figures.json`` (with pyarrow ``figures.parquet``, too) into a folder,
    which is made where missing.

    Returns:
        what was written: kind -> path.
    """
    from hft_gym.report import page, picture, series

    folder = Path(folder)
    curves = make_curves(comparison)
    contents: dict[str, tuple[str, str | bytes]] = {
        "csv": ("comparison.csv", to_csv(comparison)),
        "episodes": ("episodes.csv", episodes_csv(comparison)),
        "json": ("comparison.json", to_json(comparison)),
        "markdown": ("comparison.md", comparison_markdown(summary(comparison)) + "\n"),
        "png": ("comparison.png", picture.png(curves)),
    }
    if util.find_spec("plotly") is not None:
        drawn = page.figures(comparison, curves)
        contents["html"] = ("comparison.html", page.html(comparison, drawn))
        own = drawn[: len(drawn) - len(comparison.grids)]  # grids are in comparison.json as they are
        shown = series.figure_series((heading, figure) for heading, _, figure in own)
        contents["figures"] = ("figures.json", json_text(shown, indent=None))
        if util.find_spec("pyarrow") is not None:
            contents["figures, Parquet"] = ("figures.parquet", series.parquet(shown))
    written = {}
    for kind, (name, data) in contents.items():
        replace_file(folder / name, data)
        written[kind] = folder / name
    return written


def _csv(rows: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: "" if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()})
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    """JSON has neither NaN nor infinity: undefined becomes null, infinite a string."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return None if math.isnan(value) else (str(value) if math.isinf(value) else value)
    if isinstance(value, (str, int, bool)) or value is None:
        return value
    return str(value)
