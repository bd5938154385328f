"""The scorecard as one self-contained HTML page, a picture for each fact (Plotly; no network). Needs ``plot``."""

from __future__ import annotations

from html import escape
from typing import Any

from hft_gym.extras import optional
from hft_gym.realism.facts import FACTS, Fact
from hft_gym.realism.scorecard import COLUMNS, CST, MARKET, OTHER, REAL, Scorecard
from hft_gym.report.table import number

__all__ = ["html"]

COLOURS = {REAL: "#e6edf3", OTHER: "#8b949e", MARKET: "#58a6ff", CST: "#f0883e"}
_STYLE = """
body { background: #0d1117; color: #e6edf3; font: 15px/1.5 system-ui, sans-serif; margin: 24px auto;
max-width: 1240px; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 16px 0; }
th, td { padding: 3px 12px; text-align: right; border-bottom: 1px solid #2b323b; }
th:first-child, td:first-child, td:nth-child(2) { text-align: left; }
.dim { color: #8b949e; } .market { color: #58a6ff; font-weight: 600; } pre { background: #161b22; padding: 10px;
overflow-x: auto; } .facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(560px, 1fr)); gap: 12px; }
"""


def html(card: Scorecard) -> str:
    """The page.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    pictures = []
    for i, fact in enumerate(FACTS.values()):
        body = _figure(card, fact).to_html(
            full_html=False, include_plotlyjs=i == 0, config={"displaylogo": False}, default_height="360px"
        )
        pictures.append(f"<div>{body}<p class=dim>{escape(fact.formula)} ({escape(fact.source)})</p></div>")
    if card.impact:
        body = _impact_figure(card).to_html(full_html=False, include_plotlyjs=False, default_height="360px")
        pictures.append(f"<div>{body}</div>")
    verdicts = "".join(f"<p>{escape(v)}</p>" for v in card.verdicts())
    command = str(card.meta.get("command", ""))
    made = f"<p class=dim>Made by</p><pre>{escape(command)}</pre>" if command else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>hft_gym realism</title>'
        f"<style>{_STYLE}</style></head><body><h1>Realism scorecard</h1>{verdicts}{_scores(card)}"
        f'<div class="facts">{"".join(pictures)}</div>{_facts(card)}{made}</body></html>\n'
    )


def _layout(figure: Any, title: str, x: str, y: str, log_x: bool, log_y: bool) -> Any:
    figure.update_layout(
        title=title,
        template="plotly_dark",
        paper_bgcolor="#0d1117",
        plot_bgcolor="#0d1117",
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
        legend={"orientation": "h", "y": -0.25},
    )
    figure.update_xaxes(title=x, type="log" if log_x else "linear")
    figure.update_yaxes(title=y, type="log" if log_y else "linear")
    return figure


def _figure(card: Scorecard, fact: Fact) -> Any:
    go = optional("plotly.graph_objects")
    figure = go.Figure()
    for column in COLUMNS:
        curve = card.facts[column][fact.name].curve
        style = {"color": COLOURS[column], "dash": "dot" if column == OTHER else "solid"}
        figure.add_scatter(x=curve.x, y=curve.y, name=column, mode="lines+markers", line=style, marker={"size": 4})
    return _layout(figure, fact.title, fact.x, fact.y, fact.log_x, fact.log_y)


def _impact_figure(card: Scorecard) -> Any:
    go = optional("plotly.graph_objects")
    figure = go.Figure()
    for column, impact in card.impact.items():
        error = {"type": "data", "array": impact.error}
        figure.add_scatter(
            x=impact.participation, y=impact.impact, error_y=error, name=column, line={"color": COLOURS[column]}
        )
    return _layout(figure, "Impact of metaorders", "Q / V", "impact [ticks]", True, True)


def _scores(card: Scorecard) -> str:
    columns = (OTHER, MARKET, CST)
    head = "".join(f"<th>{m} {escape(c)}</th>" for m in ("L1", "W1") for c in columns)
    rows = []
    for name in card.scores[MARKET].scores:
        row = [card.scores[c].scores[name] for c in columns]
        cells = "".join(f"<td>{number(v)}</td>" for v in [s.l1 for s in row] + [s.wasserstein for s in row])
        rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    for statistic in ("mean", "median", "iqm"):
        cells = ""
        for metric in ("l1", "wasserstein"):
            for column in columns:
                value, low, high = card.scores[column].summary[metric][statistic]
                interval = f'<span class="dim">[{number(low)}, {number(high)}]</span>'
                cells += f"<td><b>{number(value)}</b> {interval}</td>"
        rows.append(f"<tr><td><b>{statistic}</b></td>{cells}</tr>")
    return f"<h2>LOB-Bench scores</h2><table><tr><th>score</th>{head}</tr>{''.join(rows)}</table>"


def _facts(card: Scorecard) -> str:
    head = "".join(f"<th>{escape(c)}</th>" for c in COLUMNS)
    rows = []
    for name, fact in FACTS.items():
        for figure, unit in fact.values.items():
            cells = "".join(
                f'<td class="{"market" if c == MARKET else ""}">{number(card.facts[c][name].values[figure])}</td>'
                for c in COLUMNS
            )
            label = f"{escape(figure)} <span class=dim>{escape(unit)}</span>"
            rows.append(f"<tr><td>{escape(fact.title)}</td><td>{label}</td>{cells}</tr>")
    return f"<h2>All figures</h2><table><tr><th>fact</th><th></th>{head}</tr>{''.join(rows)}</table>"
