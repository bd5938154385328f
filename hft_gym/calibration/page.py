"""The calibration as one self-contained HTML page: residuals against their law, estimates with errors (Plotly)."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import numpy as np

from hft_gym.calibration.hawkes import Residual
from hft_gym.calibration.models import Calibration
from hft_gym.extras import optional
from hft_gym.report.document import DARK, document, figure_html
from hft_gym.report.table import number

__all__ = ["html"]

_NUMBERED = re.compile(r"(?P<family>[a-z_]+)\[(?P<i>\d+)\](?: at (?P<n>\d+) AES)?")


def html(found: Calibration, command: str = "") -> str:
    """The page.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    figures = [_residuals(found), *_estimates(found)]
    bodies = "".join(figure_html(f, i == 0) for i, f in enumerate(figures))
    rows = "".join(
        f"<tr><td>{escape(p.name)}</td><td>{number(p.value)}</td><td>{number(p.error)}</td><td>{escape(p.unit)}</td></tr>"
        for p in found.parameters
    )
    table = f"<table><tr><th>parameter</th><th>estimate</th><th>standard error</th><th>unit</th></tr>{rows}</table>"
    return document("calibration", f"Calibration: {found.model}", bodies + table, command)


def _layout(figure: Any, title: str, x: str, y: str) -> Any:
    figure.update_layout(title=title, **DARK)
    figure.update_xaxes(title=x)
    figure.update_yaxes(title=y)
    return figure


def _residuals(found: Calibration) -> Any:
    """Quantiles of the time-rescaled intervals against those of the exponential law, under the model and Poisson's."""
    go = optional("plotly.graph_objects")
    share = (np.arange(200) + 0.5) / 200
    law = -np.log1p(-share)
    figure = go.Figure()
    figure.add_scatter(x=law, y=law, name="exponential", line={"color": "#8b949e", "dash": "dash"})

    def add(name: str, residual: Residual, colour: str) -> None:
        if len(residual.intervals):
            figure.add_scatter(x=law, y=np.quantile(residual.intervals, share), name=name, line={"color": colour})

    for name, residual in found.poisson.items():
        add(f"constant rate: {name}", residual, "#f0883e")
    for name, residual in found.residuals.items():
        add(f"{found.model}: {name}", residual, "#58a6ff")
    return _layout(figure, "Time-rescaled intervals", "exponential quantile", "quantile of the data")


def _estimates(found: Calibration) -> list[Any]:
    """A picture for each family of numbered parameters, with two standard errors."""
    go = optional("plotly.graph_objects")
    families: dict[str, list[tuple[int, float, float]]] = {}
    for p in found.parameters:
        match = _NUMBERED.fullmatch(p.name)
        if match:
            title = match["family"] if match["n"] is None else f"{match['family']}, queue {match['i']}"
            at = int(match["i"] if match["n"] is None else match["n"])
            families.setdefault(title, []).append((at, p.value, p.error))
    figures = []
    for title, points in families.items():
        x, y, error = (list(column) for column in zip(*points, strict=True))
        bars = {"type": "data", "array": [2 * e for e in error]}
        figure = go.Figure(go.Scatter(x=x, y=y, error_y=bars, mode="markers+lines", line={"color": "#58a6ff"}))
        over = "size [AES]" if "queue" in title else "distance from the opposite best [ticks]"
        figures.append(_layout(figure, f"{title} ± 2 standard errors", over, "1/s"))
    return figures
