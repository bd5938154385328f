"""The numbers behind the picture: one seed's price and P&L paths, and mean equity with its band, on a
common grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hft_gym.report.comparison import Comparison, Row
from hft_gym.types import OrderSide

__all__ = ["PALETTE", "Curve", "Curves", "make_curves", "off_scale"]

Floats = npt.NDArray[np.float64]

PALETTE = (
    "#58a6ff", "#f0883e", "#3fb950", "#d2a8ff", "#f778ba", "#e3b341", "#39c5cf", "#ff7b72",
    "#b5cc18", "#a5d6ff", "#c69026", "#8957e5", "#56d364", "#ffa198", "#76e3ea", "#bc4c00",
)  # fmt: skip
"""Colours of the policies, in the order of their rank."""
MOST = 8
"""Policies whose lines a page shows at first; the others are a click away."""

GREY = "#8b949e"
OFF_SCALE = 6.0
"""A policy whose P&L reaches this many times the typical one leaves the picture's scale (and the legend
says so)."""


@dataclass(frozen=True)
class Curve:
    """One policy: ``path`` of the shown seed, ``mean`` over episodes and its band ``low`` ... ``high``,
    ticks·lots, on the common grid. ``off_scale``: too large to set the axis. ``hidden``: one of too many lines.
    """

    name: str
    colour: str
    path: Floats
    mean: Floats
    low: Floats
    high: Floats
    off_scale: bool
    hidden: bool = False

    @property
    def visible(self) -> bool | str:
        """What Plotly is told: whether the page shows it before anybody asks."""
        return "legendonly" if self.hidden else True


@dataclass(frozen=True)
class Curves:
    """What the picture shows.

    Attributes:
        seed: the seed of the shown episode: the first of the comparison, not a chosen one.
        seconds: (K,) the common grid.
        market: name of the policy whose market gives the price.
        price_s, price: step path of the others' mid in that market (s, ticks).
        buys, sells: (F, 2) that policy's fills as (s, ticks).
        curves: one per policy, best first.
        level: confidence level of the bands.
        episodes: number of episodes behind the means.
    """

    seed: int
    seconds: Floats
    market: str
    price_s: Floats
    price: Floats
    buys: Floats
    sells: Floats
    curves: tuple[Curve, ...]
    level: float
    episodes: int

    def limits(self, what: str, every: bool = True) -> tuple[float, float]:
        """Axis range that holds ``"path"`` or the ``"mean"`` bands of the policies that are on scale, or only of those
        that are shown at first.
        """
        shown = [c for c in self.curves if not c.off_scale and (every or not c.hidden)]
        lows = [np.nanmin(c.path if what == "path" else c.low, initial=0.0) for c in shown]
        highs = [np.nanmax(c.path if what == "path" else c.high, initial=0.0) for c in shown]
        low, high = float(min(lows, default=0.0)), float(max(highs, default=0.0))
        margin = 0.06 * (high - low) or 1.0
        return low - margin, high + margin


def make_curves(comparison: Comparison, points: int = 240) -> Curves:
    """The curves of a comparison on ``points`` + 1 equally spaced times."""
    rows = comparison.rows
    longest = max(int(r.episodes.time.max(initial=0)) for r in rows)
    grid = np.round(np.linspace(0, longest, points + 1)).astype(np.int64)
    counts = comparison.bootstrap.counts(comparison.episodes)
    tail = (1.0 - comparison.bootstrap.level) / 2.0
    equities = [_equity_on(r, grid) for r in rows]
    sizes = [float(np.abs(e.mean(axis=0)).max(initial=0.0)) for e in equities]
    curves: list[Curve] = []
    for i, (row, equity, size, off) in enumerate(zip(rows, equities, sizes, off_scale(sizes), strict=True)):
        if comparison.intervals:
            low, high = np.quantile(counts @ equity / len(equity), (tail, 1.0 - tail), axis=0)
        else:
            low = high = np.full(len(grid), np.nan)
        colour = PALETTE[i % len(PALETTE)] if size else GREY
        hidden = sum(not c.hidden for c in curves) >= MOST and row.kind != "agent"
        curves.append(Curve(row.name, colour, equity[0], equity.mean(axis=0), low, high, off, hidden))
    shown = _shown_market(comparison, {c.name for c in curves if c.off_scale})
    price_s, price = _price(shown)
    fills = shown.episodes.fills
    own = fills[(fills["episode"] == 0) & ~fills["closing"]]
    points_of = np.stack([own["time"] / 1e9, own["price"].astype(np.float64)], axis=1)
    bought = own["side"] == OrderSide.BID
    return Curves(
        int(shown.episodes.seeds[0]),
        grid / 1e9,
        shown.name,
        price_s,
        price,
        points_of[bought],
        points_of[~bought],
        tuple(curves),
        comparison.bootstrap.level,
        comparison.episodes,
    )


def _equity_on(row: Row, grid: npt.NDArray[np.int64]) -> Floats:
    return row.panel.equity_at(np.broadcast_to(grid, (row.panel.count, len(grid))))


def off_scale(sizes: Sequence[float]) -> list[bool]:
    """Which of these sizes are `OFF_SCALE` times the typical one of those that are not 0, or more."""
    moving = sorted(s for s in sizes if s > 0)
    usual = moving[(len(moving) - 1) // 2] if moving else 0.0
    return [size > OFF_SCALE * usual > 0 for size in sizes]


def _shown_market(comparison: Comparison, far: set[str]) -> Row:
    """The best agent's market; without agents that of the best policy that traded and is on the scale."""
    for row in comparison.rows:
        if row.kind == "agent":
            return row
    for row in comparison.rows:
        if row.name not in far and np.any(row.episodes.fills["episode"] == 0):
            return row
    return comparison.rows[0]


def _price(row: Row) -> tuple[Floats, Floats]:
    mids: npt.NDArray[Any] = row.episodes.mids
    own = mids[mids["episode"] == 0]
    if len(own) == 0:
        return row.episodes.time[0] / 1e9, row.episodes.mid[0]
    end = row.episodes.time[0, -1]
    seconds = np.append(np.maximum(own["time"], 0), max(end, own["time"][-1])) / 1e9
    ticks = np.append(own["mid2"], own["mid2"][-1]) / 2.0
    return seconds, ticks
