"""The figures of the comparison's page below the first: what each policy risked, held, earned from, and waited for.

Figures of metrics show the values of the tables with their intervals; the others are drawn from the same logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hft_gym.extras import optional
from hft_gym.report.attribution import PARTS
from hft_gym.report.comparison import Comparison, Row
from hft_gym.report.curves import PALETTE, Curve, Curves
from hft_gym.report.document import DARK, MARGIN, error_bars
from hft_gym.report.markouts import HORIZONS
from hft_gym.report.metrics import METRICS
from hft_gym.report.panel import Panel
from hft_gym.report.quotes import resting, to_fill

__all__ = ["SECTIONS", "Section", "faint"]

Floats = npt.NDArray[np.float64]

POINTS = 200
"""Points at most of a curve that has one for each order."""
BINS = 60
"""Bins of the histogram of clock intervals."""
REGIMES = {
    "volatility": ("pnl_low_volatility", "pnl_middle_volatility", "pnl_high_volatility"),
    "spread": ("pnl_tight_spread", "pnl_wide_spread"),
    "time of day": ("pnl_first_third", "pnl_second_third", "pnl_last_third"),
}
"""Split -> metrics that sum to the net P&L."""


class Section(NamedTuple):
    """One figure of the page: its heading, what it shows, and how it is made."""

    heading: str
    text: str
    figure: Callable[[Comparison, Curves], Any]

    def note(self, comparison: Comparison) -> str:
        """What the figure shows."""
        return self.text.format(level=f"{comparison.bootstrap.level:.0%}", count=comparison.episodes)


def faint(colour: str) -> str:
    """A colour of the palette, for a band."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.2)"


def _pairs(comparison: Comparison, curves: Curves) -> Iterator[tuple[Row, Curve]]:
    return zip(comparison.rows, curves.curves, strict=True)


def _blank(columns: int = 1, titles: Sequence[str] = (), height: int = 420) -> Any:
    make_subplots = optional("plotly.subplots").make_subplots
    figure = make_subplots(rows=1, cols=columns, subplot_titles=list(titles) or None, horizontal_spacing=0.08)
    figure.update_layout(**DARK, height=height, margin=MARGIN)
    return figure


def _band(figure: Any, x: Floats, samples: Floats, shares: tuple[float, float], curve: Curve) -> None:
    """Between two quantiles over the rows of *samples*."""
    low, high = np.quantile(samples, shares, axis=0)
    go = optional("plotly.graph_objects")
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    edge |= {"name": curve.name, "legendgroup": curve.name, "visible": curve.visible}
    figure.add_trace(go.Scatter(x=x, y=low, **edge))
    figure.add_trace(go.Scatter(x=x, y=high, fill="tonexty", fillcolor=faint(curve.colour), **edge))


def _line(figure: Any, x: Any, y: Any, curve: Curve, column: int = 1, legend: bool = True, **more: Any) -> None:
    go = optional("plotly.graph_objects")
    line = {"color": curve.colour, "width": 2, **more.pop("line", {})}
    trace = go.Scatter(
        x=x, y=y, mode=more.pop("mode", "lines"), line=line, name=curve.name, legendgroup=curve.name,
        showlegend=legend, visible=curve.visible, **more,
    )  # fmt: skip
    figure.add_trace(trace, row=1, col=column)


def _on_grid(panel: Panel, path: npt.NDArray[Any], curves: Curves) -> Floats:
    """(E, K) a path of the decision grid at the times of the curves."""
    when = np.round(curves.seconds * 1e9).astype(np.int64)
    return panel.path_at(path, np.broadcast_to(when, (panel.count, len(when)))).astype(np.float64)


def _limits(curves: Curves, series: Sequence[Floats]) -> list[float] | None:
    """Axis range that holds the policies on scale; None: as Plotly likes it."""
    shown = [
        s for s, c in zip(series, curves.curves, strict=True) if not (c.off_scale or c.hidden) and np.isfinite(s).any()
    ]
    if not shown:
        return None
    low = min(0.0, *(float(np.nanmin(s)) for s in shown))
    high = max(0.0, *(float(np.nanmax(s)) for s in shown))
    margin = 0.06 * (high - low) or 1.0
    return [low - margin, high + margin]


def drawdown(comparison: Comparison, curves: Curves) -> Any:
    """Mean distance below the running peak, and its bootstrap band."""
    figure, tops = _blank(), []
    counts = comparison.bootstrap.counts(comparison.episodes)
    tail = (1.0 - comparison.bootstrap.level) / 2.0
    for row, curve in _pairs(comparison, curves):
        below = -_on_grid(row.panel, row.panel.drawdown, curves)
        tops.append(below.mean(axis=0))
        _line(figure, curves.seconds, tops[-1], curve)
        if comparison.intervals:
            _band(figure, curves.seconds, counts @ below / len(below), (tail, 1.0 - tail), curve)
    figure.update_yaxes(title_text="ticks·lots", range=_limits(curves, tops))
    figure.update_xaxes(title_text="seconds")
    return figure


def inventory(comparison: Comparison, curves: Curves) -> Any:
    """Mean position, and where nine of ten episodes are."""
    figure = _blank()
    for row, curve in _pairs(comparison, curves):
        held = _on_grid(row.panel, row.episodes.inventory, curves)
        _line(figure, curves.seconds, held.mean(axis=0), curve)
        _band(figure, curves.seconds, held, (0.05, 0.95), curve)
    figure.update_yaxes(title_text="lots")
    figure.update_xaxes(title_text="seconds")
    return figure


def attribution(comparison: Comparison, curves: Curves) -> Any:
    """The parts of the P&L, stacked, and the net P&L that they sum to."""
    go, figure = optional("plotly.graph_objects"), _blank()
    on_scale = [row for row, curve in _pairs(comparison, curves) if not curve.off_scale]
    names = [row.name for row in on_scale]
    for part, colour in zip(PARTS, PALETTE, strict=False):
        sign = -1 if part == "fees_paid" else 1
        values = [sign * row.metrics[part].value for row in on_scale]
        figure.add_trace(go.Bar(x=names, y=values, name=METRICS[part].label, marker={"color": colour}))
    figure.add_trace(
        go.Scatter(
            x=names,
            y=[row.metrics["net_pnl"].value for row in on_scale],
            error_y=error_bars([row.metrics["net_pnl"] for row in on_scale]),
            mode="markers",
            name="net P&L",
            marker={"color": "#e6edf3", "symbol": "diamond", "size": 10},
        )
    )
    figure.update_layout(barmode="relative")
    figure.update_yaxes(title_text="ticks·lots an episode")
    return figure


def markouts(comparison: Comparison, curves: Curves) -> Any:
    """What a lot is worth at the mid after the fill, by the time since."""
    figure = _blank()
    labels = [f"{h:g} s" for h in HORIZONS] + ["close"]
    metrics = [f"markout_{h * 1e3:g}ms" if h < 1 else f"markout_{h:g}s" for h in HORIZONS] + ["markout_close"]
    for row, curve in _pairs(comparison, curves):
        found = [row.metrics[name] for name in metrics]
        values = [e.value for e in found]
        _line(figure, labels, values, curve, mode="lines+markers", error_y=error_bars(found))
    figure.update_yaxes(title_text="ticks a lot")
    figure.update_xaxes(title_text="time since the fill")
    return figure


def fill_probability(comparison: Comparison, curves: Curves) -> Any:
    """Kaplan-Meier: the probability that a resting order is filled by a certain age."""
    figure = _blank()
    for row, curve in _pairs(comparison, curves):
        survival = to_fill(row.panel, together=True)
        ages = np.append(0.0, survival.seconds)
        filled = np.append(0.0, 1.0 - survival.after)
        at = _thin(len(ages))
        _line(figure, ages[at], filled[at], curve, line={"shape": "hv"})
    figure.update_yaxes(title_text="probability", range=[0, 1.02])
    figure.update_xaxes(title_text="seconds in the book")
    return figure


def _thin(count: int) -> npt.NDArray[np.int64]:
    """Indices of at most `POINTS` of so many points, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, POINTS)).round().astype(np.int64))


def queues(comparison: Comparison, curves: Curves) -> Any:
    """Lots ahead of an order when it joined, and what became of the orders that joined there."""
    titles = ("lots ahead at entry (solid) and at the fill (dotted)", "share of orders filled, by lots ahead at entry")
    figure = _blank(2, titles)
    for row, curve in _pairs(comparison, curves):
        log = row.episodes.orders[row.panel.once(resting)]
        fills = row.episodes.fills[row.panel.ordinary & row.episodes.fills["maker"]]
        ahead = log["queue_ahead_entry"]
        for values, dash, legend in ((ahead, "solid", True), (fills["queue_ahead_fill"], "dot", False)):
            ordered = np.sort(values)
            at = _thin(len(ordered))
            share = (at + 1) / max(len(ordered), 1)
            _line(figure, ordered[at], share, curve, legend=legend, line={"dash": dash, "shape": "hv"})
        if len(ahead):
            edges = np.unique(np.quantile(ahead, np.linspace(0, 1, 9)))
            bin_of = np.clip(np.searchsorted(edges, ahead, side="right") - 1, 0, max(len(edges) - 2, 0))
            orders = np.bincount(bin_of)
            filled = np.bincount(bin_of, log["filled"] >= log["quantity"], len(orders))
            middle = np.bincount(bin_of, ahead, len(orders))
            some = orders > 0
            points = (middle[some] / orders[some], filled[some] / orders[some])
            _line(figure, *points, curve, column=2, legend=False, mode="lines+markers")
    figure.update_xaxes(title_text="lots ahead")
    figure.update_yaxes(title_text="share", range=[0, 1.02])
    return figure


def returns(comparison: Comparison, curves: Curves) -> Any:
    """The net P&L of the episodes, and the P&L of the clock intervals."""
    go = optional("plotly.graph_objects")
    interval = comparison.rows[0].panel.interval_s
    titles = ("net P&L of the episodes (ticks·lots)", f"P&L of the intervals of {interval:g} s (ticks·lots), share")
    figure = _blank(2, titles)
    shown = [r.panel.increments[r.panel.in_grid] for r, c in _pairs(comparison, curves) if not c.off_scale]
    ends = np.concatenate(shown) if shown else np.zeros(0)
    low, high = (float(ends.min()), float(ends.max())) if len(ends) else (0.0, 0.0)
    edges = np.linspace(low, high, BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])
    for row, curve in _pairs(comparison, curves):
        about = {"name": curve.name, "legendgroup": curve.name, "visible": curve.visible}
        box = go.Box(y=row.panel.net, boxmean=True, marker={"color": curve.colour}, showlegend=False, **about)
        figure.add_trace(box, row=1, col=1)
        increments = row.panel.increments[row.panel.in_grid]
        share = np.histogram(increments, edges)[0] / max(len(increments), 1)
        middles = (edges[1:] + edges[:-1]) / 2
        _line(figure, middles, np.where(share > 0, share, np.nan), curve, column=2, line={"shape": "hvh"})
    figure.update_yaxes(range=_limits(curves, [row.panel.net for row in comparison.rows]), row=1, col=1)
    figure.update_yaxes(type="log", row=1, col=2)
    return figure


def regimes(comparison: Comparison, curves: Curves) -> Any:
    """The net P&L by volatility, spread and time; each split sums to it."""
    go, figure = optional("plotly.graph_objects"), _blank(len(REGIMES), list(REGIMES))
    for row, curve in _pairs(comparison, curves):
        if curve.off_scale:
            continue
        for column, (split, metrics) in enumerate(REGIMES.items(), start=1):
            found = [row.metrics[name] for name in metrics]
            bar = go.Bar(
                x=[METRICS[name].label.removeprefix("P&L, ") for name in metrics],
                y=[e.value for e in found],
                error_y=error_bars(found),
                name=curve.name,
                legendgroup=curve.name,
                showlegend=split == "volatility",
                visible=curve.visible,
                marker={"color": curve.colour},
            )
            figure.add_trace(bar, row=1, col=column)
    figure.update_yaxes(title_text="ticks·lots an episode", col=1)
    return figure


SECTIONS = (
    Section(
        "Drawdown",
        "Distance below the running peak of equity, mean over {count} episodes, {level} bootstrap band.",
        drawdown,
    ),
    Section("Inventory", "Mean position over {count} episodes; the band holds nine of ten of them.", inventory),
    Section(
        "Where the P&L came from",
        "Means over {count} episodes; the parts sum to the net P&L (diamond, {level} interval). Policies off the "
        "common scale are left out.",
        attribution,
    ),
    Section(
        "Markouts",
        "What a traded lot is worth at the mid so long after its fill, with {level} intervals; fills closer to the end "
        "are left out.",
        markouts,
    ),
    Section(
        "Fill probability",
        "Kaplan-Meier estimate over all resting orders; those cancelled, or resting at the end, are censored.",
        fill_probability,
    ),
    Section(
        "Queue position",
        "Left: share of the resting orders, and of the passive fills, with at most so many lots ahead. Right: orders "
        "in eight groups by lots ahead; cancelled ones count as not filled.",
        queues,
    ),
    Section(
        "Distribution of returns",
        "Each of the {count} episodes, and their clock intervals (share on a logarithmic scale).",
        returns,
    ),
    Section(
        "Regimes",
        "Net P&L by the volatility of the ten seconds before (thirds), the spread (up to the episode's median, above) "
        "and the third of the episode, with {level} intervals. Policies off the common scale are left out.",
        regimes,
    ),
)
"""Below price, P&L and equity, in this order."""
