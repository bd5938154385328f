"""The comparison as one self-contained HTML page (Plotly; no network). Needs the extra ``plot``."""

from __future__ import annotations

from html import escape
from typing import Any

from hft_gym.extras import optional
from hft_gym.report import grids
from hft_gym.report.comparison import Comparison
from hft_gym.report.curves import Curves
from hft_gym.report.document import DARK, MARGIN, document, figure_html, table_html
from hft_gym.report.figures import SECTIONS, faint
from hft_gym.report.metrics import GROUPS, METRICS, Metric
from hft_gym.report.statistics import Estimate
from hft_gym.report.table import HEADLINE, number

__all__ = ["figures", "html"]

_STYLE = """
.best { color: #3fb950; font-weight: 600; } .flags { columns: 2 420px; color: #e3b341; font-size: 14px; }
.flags b { font-weight: 600; }
"""


OVERVIEW = "Price and P&L"
"""What the first figure shows; on the page it stands without a heading."""


def figures(comparison: Comparison, curves: Curves) -> list[tuple[str, str, Any]]:
    """The figures of the page in their order: heading, what it shows, Plotly figure.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    found = [(OVERVIEW, "", _figure(curves))]
    for section in SECTIONS:
        found.append((section.heading, section.note(comparison), section.figure(comparison, curves)))
    colours = {curve.name: curve.colour for curve in curves.curves}
    hidden = {curve.name for curve in curves.curves if curve.hidden}
    for grid in comparison.grids:
        found.append((grid.heading, grid.text, grids.figure(grid, colours, hidden)))
    return found


def html(comparison: Comparison, drawn: list[tuple[str, str, Any]]) -> str:
    """The page, of the comparison and its `figures`."""
    verdicts = "".join(f"<p>{escape(v)}</p>" for v in comparison.verdicts())
    flags = "".join(
        f"<li><b>{escape(r.name)}</b>: {escape(f.text)}</li>" for r in comparison.rows for f in r.flags
    )
    notes = f"<ul class=flags>{flags}</ul>" if flags else ""
    parts = [_headline(comparison), notes]
    tables = [""] * (len(drawn) - len(comparison.grids)) + [_grid_table(grid) for grid in comparison.grids]
    for i, ((heading, note, figure), table) in enumerate(zip(drawn, tables, strict=True)):
        if i:
            parts.append(f"<h2>{escape(heading)}</h2><p class=dim>{escape(note)}</p>")
        parts += [figure_html(figure, i == 0), table]
    body = f"{verdicts}{''.join(parts)}<h2>Metrics</h2>{_table(comparison)}"
    return document("comparison", "Comparison", body, str(comparison.meta.get("command", "")), _STYLE)


def _headline(comparison: Comparison) -> str:
    """What the terminal shows first: net P&L, the paired difference, and the headline metrics."""
    reference = comparison.best_baseline
    labels = [METRICS[name].label for name in HEADLINE]
    heads = ["policy", f"net P&L {comparison.each}", f"− {reference}" if reference else "difference", *labels]
    lines = [f"<tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>"]
    for row in comparison.rows:
        best = ' class="best"' if row.name == comparison.starred else ""
        kind = "" if row.kind == "baseline" else f' <span class="dim">{escape(row.kind)}</span>'
        against = "best baseline" if row.name == reference else "—"
        cells = [_cell(row.metrics["net_pnl"]), against if row.difference is None else _cell(row.difference)]
        cells += [number(row.metrics[name].value) for name in HEADLINE]
        lines.append(f"<tr{best}><td>{escape(row.name)}{kind}</td>{''.join(f'<td>{c}</td>' for c in cells)}</tr>")
    return f"<p class=dim>{comparison.basis}.</p>{table_html(lines)}"


def _cell(e: Estimate) -> str:
    return number(e.value) + (f' <span class="dim">{_span(e)}</span>' if _span(e) else "")


def _figure(curves: Curves):  # type: ignore[no-untyped-def]  # plotly has no types
    go, make_subplots = optional("plotly.graph_objects"), optional("plotly.subplots").make_subplots
    titles = (
        f"mid price, seed {curves.seed}, in the market of {curves.market} (ticks)",
        f"P&L of each policy, seed {curves.seed} (ticks·lots)",
        f"mean P&L over {curves.episodes} episodes, {curves.level:.0%} bootstrap band (ticks·lots)",
    )
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06, subplot_titles=titles)
    figure.add_trace(
        go.Scatter(
            x=curves.price_s,
            y=curves.price,
            name="mid",
            line={"shape": "hv", "color": "#e6edf3", "width": 1.2},
        ),
        row=1,
        col=1,
    )
    for points, name, symbol, colour in (
        (curves.buys, "buys", "triangle-up", "#3fb950"),
        (curves.sells, "sells", "triangle-down", "#ff7b72"),
    ):
        marker = {"symbol": symbol, "color": colour, "size": 8}
        figure.add_trace(
            go.Scatter(x=points[:, 0], y=points[:, 1], mode="markers", name=name, marker=marker), row=1, col=1
        )
    seconds = curves.seconds
    for curve in curves.curves:
        line = {"color": curve.colour, "width": 2}
        same = {"name": curve.name, "legendgroup": curve.name, "visible": curve.visible}
        figure.add_trace(go.Scatter(x=seconds, y=curve.path, line=line, **same), row=2, col=1)
        figure.add_trace(
            go.Scatter(x=seconds, y=curve.mean, line=line, showlegend=False, **same), row=3, col=1
        )
        edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False, **same}
        figure.add_trace(go.Scatter(x=seconds, y=curve.low, **edge), row=3, col=1)
        figure.add_trace(
            go.Scatter(x=seconds, y=curve.high, fill="tonexty", fillcolor=faint(curve.colour), **edge),
            row=3,
            col=1,
        )
    figure.update_yaxes(range=curves.limits("path", False), row=2, col=1)
    figure.update_yaxes(range=curves.limits("mean", False), row=3, col=1)
    figure.update_yaxes(tickformat=",~f", row=1, col=1)
    figure.update_xaxes(title_text="seconds", row=3, col=1)
    figure.update_layout(**DARK, height=960, margin=MARGIN)
    return figure


def _table(comparison: Comparison) -> str:
    head = "".join(
        f'<th class="{"best" if r.name == comparison.starred else ""}">{escape(r.name)}</th>'
        for r in comparison.rows
    )
    lines = []
    for group, heading in GROUPS.items():
        lines.append(f'<tr><th colspan="{len(comparison.rows) + 1}">{escape(heading)}</th></tr>')
        lines += [_line(comparison, m) for m in METRICS.values() if m.group == group]
    return table_html([f"<tr><th>metric</th>{head}</tr>", *lines])


def _grid_table(grid: grids.Grid) -> str:
    head = "".join(f"<th>{escape(setting)}</th>" for setting in grid.settings)
    lines = []
    for player in grid.players:
        cells = "".join(f"<td>{'' if cell is None else _grid_cell(cell)}</td>" for cell in grid.cells[player])
        lines.append(f"<tr><td>{escape(str(player))}</td>{cells}</tr>")
    note = f"<p class=dim>{escape(grid.note)}</p>" if grid.note else ""
    return table_html([f"<tr><th>net P&amp;L [interval], change</th>{head}</tr>", *lines]) + note


def _grid_cell(cell: grids.Cell) -> str:
    change = ""
    if cell.change is not None:
        change = f'<br><span class="dim">{cell.change.value:+.2f} {_span(cell.change)}</span>'
    return _cell(cell.net) + change


def _span(e: Estimate) -> str:
    return "" if e.low != e.low else f"[{number(e.low)}, {number(e.high)}]"


def _line(comparison: Comparison, metric: Metric) -> str:
    cells = []
    for row in comparison.rows:
        e = row.metrics[metric.name]
        why = f' title="{escape(row.undefined[metric.name])}"' if row.undefined.get(metric.name) else ""
        cells.append(f"<td{why}>{_cell(e)}</td>")
    title = f'{metric.name} <span class="dim">{escape(metric.unit)}</span>'
    return f'<tr title="{escape(metric.formula)}"><td>{title}</td>{"".join(cells)}</tr>'
