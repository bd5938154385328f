"""The frame of every HTML page: one dark style, and the command that made it. Pages need no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from hft_gym.report.statistics import Estimate

__all__ = ["DARK", "MARGIN", "document", "error_bars", "figure_html", "table_html"]

_STYLE = """
body { background: #0d1117; color: #e6edf3; font: 15px/1.5 system-ui, sans-serif; margin: 24px auto;
max-width: 1240px; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 16px 0; }
th, td { padding: 3px 12px; text-align: right; border-bottom: 1px solid #2b323b; } td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } .dim { color: #8b949e; }
pre { background: #161b22; padding: 10px; overflow-x: auto; } .wide { overflow-x: auto; }
body { padding: 0 16px; } h2 { margin-top: 40px; }
"""
DARK = {"template": "plotly_dark", "paper_bgcolor": "#0d1117", "plot_bgcolor": "#0d1117"}
"""Layout of a Plotly figure that goes with the page."""
MARGIN = {"t": 36, "r": 16, "b": 44, "l": 64}
"""Around a figure whose heading is the page's [pixels]."""


def document(kind: str, heading: str, body: str, command: str = "", style: str = "") -> str:
    """A whole page.

    Args:
        kind: what it is, in the window's title.
        heading: as text.
        body: as HTML.
        command: that made it, shown at the end.
        style: CSS beside the common one.
    """
    made = f"<p class=dim>Made by</p><pre>{escape(command)}</pre>" if command else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>hft_gym {kind}</title>'
        f"<style>{_STYLE}{style}</style></head><body><h1>{escape(heading)}</h1>{body}{made}</body></html>\n"
    )


def table_html(rows: Iterable[str]) -> str:
    """A table of rows (HTML), scrolled where it is wider than the window."""
    return f'<div class="wide"><table>{"".join(rows)}</table></div>'


def error_bars(found: Sequence[Estimate]) -> dict[str, Any]:
    """Plotly's error bars of intervals."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [e.high - e.value for e in found],
        "arrayminus": [e.value - e.low for e in found],
    }


def figure_html(figure: Any, first: bool, **options: Any) -> str:
    """A Plotly figure as a part of a page; the *first* brings the library with it."""
    config = {"displaylogo": False, "responsive": True}
    html: str = figure.to_html(full_html=False, include_plotlyjs=first, config=config, **options)
    return html
