"""Metrics of returns, risk and drawdown. W is equity (ticks·lots, net of fees), dW its change over a clock
interval.

The interval is one second unless the panel says otherwise. Annualised figures count the seconds of a
session, 6.5 hours
on 252 days a year: an interval is never taken for a day.
"""

from __future__ import annotations

import numpy as np

from hft_gym.report.metrics import metric
from hft_gym.report.panel import Floats, Panel, ratio

SESSION_S = 6.5 * 3600
DAYS_PER_YEAR = 252


def _count(panel: Panel) -> Floats:
    return np.sum(~np.isnan(panel.increments), axis=1).astype(np.float64)


def _mean(panel: Panel) -> Floats:
    return ratio(np.nansum(panel.increments, axis=1), _count(panel))


def _deviation(panel: Panel) -> Floats:
    count = _count(panel)
    squares = np.nansum((panel.increments - _mean(panel)[:, None]) ** 2, axis=1)
    return np.sqrt(ratio(np.where(count > 1, squares, np.nan), count - 1))


def _annual(panel: Panel) -> float:
    """Square root of the number of intervals in a year of sessions."""
    return float(np.sqrt(DAYS_PER_YEAR * SESSION_S / panel.interval_s))


@metric("net P&L", "returns", "ticks·lots", "W_T - W_0", "theory §5.1", sign=1)
def net_pnl(panel: Panel) -> Floats:
    """Equity at the end, after fees and the forced close, less equity at the start."""
    return panel.net


@metric("total P&L", "returns", "ticks·lots", "W_T - W_0 (the same as net_pnl)", "theory §5.1", sign=1)
def total_pnl(panel: Panel) -> Floats:
    """The last value of the P&L path; another name of `net_pnl`."""
    return panel.net


@metric("highest P&L", "returns", "ticks·lots", "max_t W_t - W_0, >= 0", "P&L path", sign=1)
def max_pnl(panel: Panel) -> Floats:
    """The highest point of the P&L path on the decision grid; the start, 0, counts."""
    return _path(panel, upper=True)


@metric("lowest P&L", "returns", "ticks·lots", "min_t W_t - W_0, <= 0", "P&L path", sign=1)
def min_pnl(panel: Panel) -> Floats:
    """The lowest point of the P&L path on the decision grid; the start, 0, counts."""
    return _path(panel, upper=False)


def _path(panel: Panel, upper: bool) -> Floats:
    if panel.equity.shape[1] == 0:
        return np.full(panel.count, np.nan)
    return panel.equity.max(axis=1) if upper else panel.equity.min(axis=1)


@metric("P&L per share", "returns", "ticks/lot", "Σ net P&L / Σ lots traded", "theory §5.2", "ratio", sign=1)
def pnl_per_share(panel: Panel) -> tuple[Floats, Floats]:
    """Net P&L per lot that the strategy's own orders traded (the forced close is no volume of its own)."""
    return panel.net, panel.fill_sum(panel.quantity, panel.ordinary).astype(np.float64)


@metric(
    "Sharpe/episode",
    "returns",
    "1",
    "mean / sd (n - 1) of net P&L over episodes",
    "theory §5.8",
    "sharpe",
    sign=1,
)
def episode_sharpe(panel: Panel) -> Floats:
    """Net P&L over episodes, its mean in units of its standard deviation. Not annualised."""
    return panel.net


@metric("hit rate", "returns", "share", "#(episodes with W_T > W_0) / #episodes", "theory §5.18", sign=1)
def hit_rate(panel: Panel) -> Floats:
    """Share of episodes that end with a gain; one without P&L is no gain."""
    return np.where(np.isnan(panel.net), np.nan, (panel.net > 0).astype(np.float64))


@metric("volatility", "returns", "ticks·lots per interval", "sd (n - 1) of dW", "theory §5.7", sign=-1)
def volatility(panel: Panel) -> Floats:
    """Standard deviation of the P&L of one interval (1 s)."""
    return _deviation(panel)


@metric(
    "Sharpe, annualised",
    "returns",
    "1/√year",
    "mean(dW) / sd(dW) · √(252 · 23,400 s / interval)",
    "theory §5.8",
    sign=1,
)
def sharpe_ratio(panel: Panel) -> Floats:
    """Sharpe ratio of interval P&L, annualised by the seconds of a session. NaN without variation."""
    return ratio(_mean(panel), _deviation(panel)) * _annual(panel)


@metric(
    "Sortino, annualised",
    "returns",
    "1/√year",
    "mean(dW) / √mean(min(dW, 0)²) · √(252 · 23,400 s / interval)",
    "theory §5.10",
    sign=1,
)
def sortino_ratio(panel: Panel) -> Floats:
    """As `sharpe_ratio`, with the root mean square of losses below. NaN without a losing interval."""
    losses = np.sqrt(ratio(np.nansum(np.minimum(panel.increments, 0.0) ** 2, axis=1), _count(panel)))
    return ratio(_mean(panel), losses) * _annual(panel)


@metric("win rate", "returns", "share", "#(dW > 0) / #(dW ≠ 0)", "theory §5.18", "ratio", sign=1)
def win_rate(panel: Panel) -> tuple[Floats, Floats]:
    """Share of winning intervals among those in which P&L changed."""
    return _wins(panel)[1], _wins(panel)[1] + _losses(panel)[1]


@metric("average win", "returns", "ticks·lots", "Σ dW⁺ / #(dW > 0), > 0", "interval P&L", "ratio", sign=1)
def avg_win(panel: Panel) -> tuple[Floats, Floats]:
    """Mean P&L of the winning intervals."""
    return _wins(panel)


@metric("average loss", "returns", "ticks·lots", "-Σ dW⁻ / #(dW < 0), < 0", "interval P&L", "ratio", sign=1)
def avg_loss(panel: Panel) -> tuple[Floats, Floats]:
    """Mean P&L of the losing intervals: a negative number."""
    return _losses(panel)


@metric("profit factor", "returns", "1", "Σ dW⁺ / Σ dW⁻", "theory §5.17", "ratio", sign=1)
def profit_factor(panel: Panel) -> tuple[Floats, Floats]:
    """Gains of the winning intervals over losses of the losing ones. NaN without a loss."""
    return _wins(panel)[0], -_losses(panel)[0]


def _wins(panel: Panel) -> tuple[Floats, Floats]:
    gain = np.nan_to_num(panel.increments) > 0
    return np.where(gain, panel.increments, 0.0).sum(axis=1), gain.sum(axis=1).astype(np.float64)


def _losses(panel: Panel) -> tuple[Floats, Floats]:
    loss = np.nan_to_num(panel.increments) < 0
    return np.where(loss, panel.increments, 0.0).sum(axis=1), loss.sum(axis=1).astype(np.float64)


@metric(
    "max drawdown", "drawdown", "ticks·lots", "max_t (max_{s<=t} W_s - W_t), >= 0", "theory §5.21", sign=-1
)
def max_drawdown(panel: Panel) -> Floats:
    """Deepest fall of equity below its running peak: a positive number is a loss."""
    if panel.equity.shape[1] == 0:
        return np.full(panel.count, np.nan)
    return panel.drawdown.max(axis=1)


@metric(
    "max drawdown",
    "drawdown",
    "% of peak capital",
    "100 · max_t ((peak_t - W_t) / (C + peak_t)), C the initial capital",
    "theory §5.21",
    sign=-1,
)
def max_drawdown_pct(panel: Panel) -> Floats:
    """Deepest fall as a share of the capital at the running peak, in per cent."""
    if panel.equity.shape[1] == 0:
        return np.full(panel.count, np.nan)
    peak = np.maximum.accumulate(panel.equity, axis=1) + panel.episodes.capital
    return 100.0 * ratio(panel.drawdown, np.where(peak > 0, peak, np.nan)).max(axis=1)
