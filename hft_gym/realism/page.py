"""The scorecard as one self-contained HTML page, a picture for each fact (Plotly; no network). Needs ``plot``."""

from __future__ import annotations

from html import escape
from typing import Any

from hft_gym.extras import optional
from hft_gym.realism.facts import FACTS, Fact
from hft_gym.realism.scorecard import COLUMNS, CST, MARKET, OTHER, REAL, SCORE_COLUMNS, Scorecard
from hft_gym.report.document import DARK, document, figure_html

__all__ = ["html"]

COLOURS = {REAL: "#e6edf3", OTHER: "#8b949e", MARKET: "#58a6ff", CST: "#f0883e"}
_STYLE = """
td:nth-child(2) { text-align: left; } .market { color: #58a6ff; font-weight: 600; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(560px, 1fr)); gap: 12px; }
"""


def html(card: Scorecard) -> str:
    """The page.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    pictures = []
    for i, fact in enumerate(FACTS.values()):
        body = figure_html(_figure(card, fact), i == 0, default_height="360px")
        pictures.append(f"<div>{body}<p class=dim>{escape(fact.formula)} ({escape(fact.source)})</p></div>")
    if card.impact:
        pictures.append(f"<div>{figure_html(_impact_figure(card), False, default_height='360px')}</div>")
    verdicts = "".join(f"<p>{escape(v)}</p>" for v in card.verdicts())
    body = f'{verdicts}{_scores(card)}<div class="facts">{"".join(pictures)}</div>{_facts(card)}'
    return document("realism", "Realism scorecard", body, str(card.meta.get("command", "")), _STYLE)


def _layout(figure: Any, title: str, x: str, y: str, log_x: bool, log_y: bool) -> Any:
    figure.update_layout(
        title=title,
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
        legend={"orientation": "h", "y": -0.25},
        **DARK,
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
    head = "".join(f"<th>{escape(column)}</th>" for column in SCORE_COLUMNS)
    rows = []
    for name, values in card.score_rows():
        rows.append(f"<tr><td>{escape(name)}</td>{''.join(f'<td>{v}</td>' for v in values)}</tr>")
    for statistic, intervals in card.summary_rows():
        cells = "".join(f'<td><b>{v}</b> <span class="dim">{interval}</span></td>' for v, interval in intervals)
        rows.append(f"<tr><td><b>{statistic}</b></td>{cells}</tr>")
    return f"<h2>LOB-Bench scores</h2><table><tr><th>score</th>{head}</tr>{''.join(rows)}</table>"


def _facts(card: Scorecard) -> str:
    head = "".join(f"<th>{escape(c)}</th>" for c in COLUMNS)
    rows = []
    for fact, figure, unit, values in card.fact_rows():
        cells = "".join(
            f'<td class="{"market" if c == MARKET else ""}">{v}</td>' for c, v in zip(COLUMNS, values, strict=True)
        )
        label = f"{escape(figure)} <span class=dim>{escape(unit)}</span>"
        rows.append(f"<tr><td>{escape(fact.title)}</td><td>{label}</td>{cells}</tr>")
    return f"<h2>All figures</h2><table><tr><th>fact</th><th></th>{head}</tr>{''.join(rows)}</table>"
