"""Metrics of drawdown: how far, how long and how often equity stood below its running peak.

The path is that of the decision grid; the state of a decision holds until the next one.
"""

from __future__ import annotations

import numpy as np

from hft_gym.report.metrics import metric
from hft_gym.report.needs import CAPITAL, FALL, LENGTH, PATH, Need
from hft_gym.report.panel import Floats, Panel, ratio

RECOVERED = Need("equity did not come back to the peak before its deepest fall", lambda p: _recovery(p) >= 0)


@metric(
    "max drawdown", "drawdown", "ticks·lots", "max_t (max_{s<=t} W_s - W_t), >= 0", "Magdon-Ismail & Atiya 2004",
    number=21, sign=-1, needs=(PATH,),
)  # fmt: skip
def max_drawdown(panel: Panel) -> Floats:
    """Deepest fall of equity below its running peak: a positive number is a loss."""
    if panel.equity.shape[1] == 0:
        return np.full(panel.count, np.nan)
    return panel.drawdown.max(axis=1)


@metric(
    "max drawdown", "drawdown", "% of peak capital", "100 · max_t (peak_t - W_t) / (C + peak_t), C initial capital",
    "Magdon-Ismail & Atiya 2004", number=21, sign=-1, needs=(PATH, CAPITAL),
)  # fmt: skip
def max_drawdown_pct(panel: Panel) -> Floats:
    """Deepest fall as a share of the capital at the running peak, in per cent."""
    if panel.equity.shape[1] == 0:
        return np.full(panel.count, np.nan)
    peak = np.maximum.accumulate(panel.equity, axis=1) + panel.episodes.capital
    return 100.0 * ratio(panel.drawdown, np.where(peak > 0, peak, np.nan)).max(axis=1)


def _mean(panel: Panel, values: Floats) -> Floats:
    return ratio((values * panel.holds_for).sum(axis=1), panel.duration_s)


@metric("mean drawdown", "drawdown", "ticks·lots", "(1/T) ∫ (peak_t - W_t) dt", "definition", number=22, sign=-1)
def mean_drawdown(panel: Panel) -> Floats:
    """Time average of the distance below the running peak."""
    return _mean(panel, panel.drawdown)


@metric("ulcer index", "drawdown", "ticks·lots", "√((1/T) ∫ (peak_t - W_t)² dt)", "Martin & McCann 1989",
        number=26, sign=-1)  # fmt: skip
def ulcer_index(panel: Panel) -> Floats:
    """Root of the time average of the squared distance below the running peak."""
    return np.sqrt(_mean(panel, panel.drawdown**2))


@metric("time under water", "drawdown", "share", "(1/T) ∫ 1{W_t < peak_t} dt", "definition", number=24, sign=-1)
def time_under_water(panel: Panel) -> Floats:
    """Share of the time that equity stood below its running peak."""
    return _mean(panel, (panel.drawdown > 0).astype(np.float64))


@metric(
    "longest drawdown", "drawdown", "s", "longest time from a peak until equity is back at it, or the end",
    "definition", number=23, sign=-1,
)  # fmt: skip
def max_drawdown_duration(panel: Panel) -> Floats:
    """Longest time between a peak and the recovery of its level; 0 where equity never fell."""
    if panel.equity.shape[1] < 2:
        return np.full(panel.count, np.nan)
    time, below = panel.episodes.time / 1e9, panel.drawdown > 0
    peak_at = np.maximum.accumulate(np.where(below, 0.0, time), axis=1)
    out_of_it = below[:, 1:] | below[:, :-1]
    longest = np.where(out_of_it, time[:, 1:] - peak_at[:, :-1], 0.0).max(axis=1)
    return np.where(panel.duration_ns > 0, longest, np.nan)


def _recovery(panel: Panel) -> Floats:
    """(E,) seconds from the deepest point until the peak before it is reached again; -1 where it is not, or nothing
    fell.
    """
    if panel.equity.shape[1] == 0:
        return np.full(panel.count, -1.0)
    rows, time = np.arange(panel.count), panel.episodes.time / 1e9
    deepest = panel.drawdown.argmax(axis=1)
    peak = panel.equity[rows, deepest] + panel.drawdown[rows, deepest]
    after = np.arange(panel.equity.shape[1])[None, :] > deepest[:, None]
    back = after & (panel.equity >= peak[:, None])
    first = back.argmax(axis=1)
    fell = panel.drawdown[rows, deepest] > 0
    return np.where(fell & back.any(axis=1), time[rows, first] - time[rows, deepest], -1.0)


@metric(
    "recovery time", "drawdown", "s", "time from the deepest fall until equity is back at the peak before it",
    "definition", number=27, sign=-1, needs=(LENGTH, FALL, RECOVERED),
)  # fmt: skip
def recovery_time(panel: Panel) -> Floats:
    """How long it took to make good the deepest fall. NaN where it was not made good."""
    found = _recovery(panel)
    return np.where(found >= 0, found, np.nan)


@metric(
    "Calmar", "drawdown", "1/day", "net P&L per session / max drawdown", "Young 1991",
    number=25, sign=1, needs=(LENGTH, FALL),
)  # fmt: skip
def calmar_ratio(panel: Panel) -> Floats:
    """Net P&L of one session at the episode's pace, over the deepest fall."""
    daily = ratio(panel.net * panel.session.seconds, panel.duration_s)
    return ratio(daily, max_drawdown(panel))
