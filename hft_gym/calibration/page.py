"""The calibration as one self-contained HTML page: residuals against their law, estimates with errors (Plotly)."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import numpy as np

from hft_gym.calibration.hawkes import Residual
from hft_gym.calibration.models import Calibration
from hft_gym.extras import optional
from hft_gym.report.table import number

__all__ = ["html"]

_STYLE = """
body { background: #0d1117; color: #e6edf3; font: 15px/1.5 system-ui, sans-serif; margin: 24px auto;
max-width: 1240px; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 16px 0; }
th, td { padding: 3px 12px; text-align: right; border-bottom: 1px solid #2b323b; }
th:first-child, td:first-child { text-align: left; } .dim { color: #8b949e; }
pre { background: #161b22; padding: 10px; overflow-x: auto; }
"""
_NUMBERED = re.compile(r"(?P<family>[a-z_]+)\[(?P<i>\d+)\](?: at (?P<n>\d+) AES)?")


def html(found: Calibration, command: str = "") -> str:
    """The page.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    figures = [_residuals(found), *_estimates(found)]
    bodies = "".join(
        f.to_html(full_html=False, include_plotlyjs=i == 0, config={"displaylogo": False})
        for i, f in enumerate(figures)
    )
    rows = "".join(
        f"<tr><td>{escape(p.name)}</td><td>{number(p.value)}</td><td>{number(p.error)}</td><td>{escape(p.unit)}</td></tr>"
        for p in found.parameters
    )
    made = f"<p class=dim>Made by</p><pre>{escape(command)}</pre>" if command else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>hft_gym calibration</title>'
        f"<style>{_STYLE}</style></head><body><h1>Calibration: {escape(found.model)}</h1>{bodies}"
        f"<table><tr><th>parameter</th><th>estimate</th><th>standard error</th><th>unit</th></tr>{rows}</table>{made}"
        "</body></html>\n"
    )


def _layout(figure: Any, title: str, x: str, y: str) -> Any:
    figure.update_layout(title=title, template="plotly_dark", paper_bgcolor="#0d1117", plot_bgcolor="#0d1117")
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
