"""The P&L split by regime: volatility, spread, time of day. Each split sums to the net P&L of the episode.

Clock intervals are the unit. A regime of an interval is known at its start, so that a strategy could have acted on
it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hft_gym.report.metrics import metric
from hft_gym.report.needs import LENGTH, MIDS, SPREAD, Need
from hft_gym.report.panel import Floats, Panel

TRAILING_S = 10.0
"""Time over which volatility is looked at, seconds."""

THREE = Need("fewer than three clock intervals", lambda p: p.interval_count > 2.5)


def _thirds(panel: Panel, rank: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(E, K) 0, 1 or 2 by rank among the episode's clock intervals."""
    return np.minimum(3 * rank // np.maximum(panel.interval_count.astype(np.int64), 1)[:, None], 2)


def volatility_thirds(panel: Panel) -> npt.NDArray[np.int64]:
    """(E, K) third of the mid's squared moves over the ten seconds before the interval; ties by time."""
    moves = np.diff(panel.mid2_grid, axis=1) ** 2
    total = np.concatenate([np.zeros((panel.count, 1), np.int64), np.cumsum(moves, axis=1)], axis=1)
    back = max(round(TRAILING_S / panel.interval_s), 1)
    start = np.arange(moves.shape[1])
    trailing = total[:, start] - total[:, np.maximum(start - back, 0)]
    trailing = np.where(panel.in_grid, trailing, np.iinfo(np.int64).max)
    rank = np.argsort(np.argsort(trailing, axis=1, kind="stable"), axis=1, kind="stable")
    return _thirds(panel, rank)


def wide(panel: Panel) -> npt.NDArray[np.bool_]:
    """(E, K) whether the spread at the interval's start is above the episode's median of these."""
    spread = panel.episodes.spread
    if spread is None:
        return np.zeros(panel.in_grid.shape, np.bool_)
    starts = np.where(panel.in_grid, panel.path_at(spread, panel.grid[:, :-1]), np.nan)
    ordered = np.sort(starts, axis=1)  # NaN last
    known = np.sum(~np.isnan(starts), axis=1)
    if ordered.shape[1] == 0:
        return np.zeros(panel.in_grid.shape, np.bool_)
    # The lower median: at most half of the intervals are wider.
    median = ordered[np.arange(panel.count), np.maximum((known - 1) // 2, 0)]
    above: npt.NDArray[np.bool_] = np.nan_to_num(starts) > np.where(known > 0, median, np.inf)[:, None]
    return above


def _share(panel: Panel, mine: npt.NDArray[np.bool_]) -> Floats:
    total = np.where(mine, np.nan_to_num(panel.increments), 0.0).sum(axis=1)
    return np.where(panel.interval_count > 0, total, np.nan)


def _volatility(third: int, word: str) -> None:
    @metric(
        f"P&L, {word} volatility", "attribution", "ticks·lots",
        f"Σ dW of the {word} third of the clock intervals by Σ (Δm)² of the 10 s before", "definition",
        number=72, sign=1, needs=(LENGTH, MIDS, THREE), name=f"pnl_{word}_volatility",
    )  # fmt: skip
    def pnl(panel: Panel) -> Floats:
        """P&L of a third of the time, by the volatility just before; the thirds sum to the net P&L."""
        usable = panel.has_mid & (panel.interval_count > 2.5)
        return np.where(usable, _share(panel, panel.once(volatility_thirds) == third), np.nan)


def _time(third: int, word: str) -> None:
    @metric(
        f"P&L, {word} third", "attribution", "ticks·lots", f"Σ dW of the {word} third of the clock intervals",
        "definition (time of day)", number=72, sign=1, needs=(LENGTH, THREE), name=f"pnl_{word}_third",
    )  # fmt: skip
    def pnl(panel: Panel) -> Floats:
        """P&L of a third of the episode; the thirds sum to the net P&L, the last holds the forced close."""
        rank = np.broadcast_to(np.arange(panel.in_grid.shape[1]), panel.in_grid.shape)
        found = _share(panel, _thirds(panel, rank) == third)
        return np.where(panel.interval_count > 2.5, found, np.nan)


def _spread(is_wide: bool, word: str, sense: str) -> None:
    @metric(
        f"P&L, {word} spread", "attribution", "ticks·lots",
        f"Σ dW of the clock intervals that begin with a spread {sense} the episode's median", "definition",
        number=72, sign=1, needs=(LENGTH, SPREAD), name=f"pnl_{word}_spread",
    )  # fmt: skip
    def pnl(panel: Panel) -> Floats:
        """P&L by the spread at the interval's start; the two sum to the net P&L."""
        found = _share(panel, panel.once(wide) == is_wide)
        return np.where(SPREAD.holds(panel), found, np.nan)


for _third, _word in enumerate(("low", "middle", "high")):
    _volatility(_third, _word)
for _wide, _word, _sense in ((False, "tight", "up to"), (True, "wide", "above")):
    _spread(_wide, _word, _sense)
for _third, _word in enumerate(("first", "second", "last")):
    _time(_third, _word)
