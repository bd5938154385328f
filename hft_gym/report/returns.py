"""Metrics of returns. W is equity (ticks·lots, net of fees), dW its change over a clock interval.

The interval is one second unless the panel says otherwise. Annualised figures count the seconds of the
panel's `Session`, 6.5 hours on 252 days a year by default: an interval is never taken for a day.
"""

from __future__ import annotations

import numpy as np

from hft_gym.report.metrics import metric
from hft_gym.report.needs import FILLS, LENGTH, LOSING, MOVED, PATH, POSITION, SPREAD, TWO_INTERVALS, VARIATION, WINNING
from hft_gym.report.panel import Floats, Panel, ratio
from hft_gym.report.trips import TRIPS, round_trips


def interval_mean(panel: Panel) -> Floats:
    """(E,) mean P&L of a clock interval."""
    return ratio(np.nansum(panel.increments, axis=1), panel.interval_count)


def interval_deviation(panel: Panel) -> Floats:
    """(E,) standard deviation (n - 1) of the P&L of a clock interval."""
    count = panel.interval_count
    squares = np.nansum((panel.increments - interval_mean(panel)[:, None]) ** 2, axis=1)
    return np.sqrt(ratio(np.where(count > 1, squares, np.nan), count - 1))


def varying(panel: Panel, values: Floats) -> Floats:
    """The values where the increments vary: what is left of equal ones is rounding."""
    return np.where(panel.increments_vary, values, np.nan)


@metric("net P&L", "returns", "ticks·lots", "W_T - W_0", "definition", number=1, sign=1, needs=(PATH,))
def net_pnl(panel: Panel) -> Floats:
    """Equity at the end, after fees and the forced close, less equity at the start."""
    return panel.net


@metric("total P&L", "returns", "ticks·lots", "W_T - W_0 (the same as net_pnl)", "definition", sign=1, needs=(PATH,))
def total_pnl(panel: Panel) -> Floats:
    """The last value of the P&L path; another name of `net_pnl`."""
    return panel.net


@metric("highest P&L", "returns", "ticks·lots", "max_t W_t - W_0, >= 0", "P&L path", sign=1, needs=(PATH,))
def max_pnl(panel: Panel) -> Floats:
    """The highest point of the P&L path on the decision grid; the start, 0, counts."""
    return _path(panel, upper=True)


@metric("lowest P&L", "returns", "ticks·lots", "min_t W_t - W_0, <= 0", "P&L path", sign=1, needs=(PATH,))
def min_pnl(panel: Panel) -> Floats:
    """The lowest point of the P&L path on the decision grid; the start, 0, counts."""
    return _path(panel, upper=False)


def _path(panel: Panel, upper: bool) -> Floats:
    if panel.equity.shape[1] == 0:
        return np.full(panel.count, np.nan)
    return panel.equity.max(axis=1) if upper else panel.equity.min(axis=1)


@metric(
    "P&L per share", "returns", "ticks/lot", "Σ net P&L / Σ lots traded", "definition",
    number=2, pooling="ratio", sign=1, needs=(PATH, FILLS),
)  # fmt: skip
def pnl_per_share(panel: Panel) -> tuple[Floats, Floats]:
    """Net P&L per lot that the strategy's own orders traded (the forced close is no volume of its own)."""
    return panel.net, panel.volume.astype(np.float64)


@metric(
    "P&L per hour", "returns", "ticks·lots/h", "Σ net P&L / Σ hours", "definition",
    number=3, pooling="ratio", sign=1, needs=(PATH, LENGTH),
)  # fmt: skip
def pnl_per_hour(panel: Panel) -> tuple[Floats, Floats]:
    """Net P&L per hour of market time."""
    return panel.net, panel.duration_s / 3600.0


@metric(
    "P&L / spread", "returns", "spreads·lots", "net P&L / mean quoted spread", "Spooner et al. 2018 (ND-PnL)",
    number=4, sign=1, needs=(LENGTH, SPREAD),
)  # fmt: skip
def pnl_in_spreads(panel: Panel) -> Floats:
    """Net P&L in units of the episode's time-weighted mean quoted spread: comparable between markets."""
    return ratio(panel.net, mean_spread(panel))


def mean_spread(panel: Panel) -> Floats:
    """(E,) time-weighted mean of the others' spread, over the time in which both sides were there, ticks."""
    spread = panel.episodes.spread
    if spread is None:
        return np.full(panel.count, np.nan)
    weight = np.where(np.isnan(spread), 0.0, panel.holds_for)
    return ratio((np.nan_to_num(spread) * weight).sum(axis=1), weight.sum(axis=1))


@metric(
    "P&L in bps", "returns", "bps of notional", "10⁴ Σ net P&L / Σ |P x|", "definition",
    number=5, pooling="ratio", sign=1, needs=(PATH, FILLS),
)  # fmt: skip
def pnl_bps(panel: Panel) -> tuple[Floats, Floats]:
    """Net P&L in basis points of the notional that own orders traded."""
    notional = panel.fill_sum(panel.quantity * np.abs(panel.episodes.fills["price"]), panel.ordinary)
    return 1e4 * panel.net, notional.astype(np.float64)


@metric(
    "return on capital", "returns", "%", "100 · net P&L / max_t |q_t| m_t", "definition",
    number=6, sign=1, needs=(PATH, POSITION),
)  # fmt: skip
def return_on_capital(panel: Panel) -> Floats:
    """Net P&L over the largest value ever held, long or short, at the mid of fills and decisions."""
    at_fills = np.abs(panel.position_after * panel.episodes.fills["mid2"]) / 2
    held = np.abs(panel.episodes.inventory * panel.episodes.mid).max(axis=1, initial=0.0)
    np.maximum.at(held, panel.fill_episode, at_fills)
    return 100.0 * ratio(panel.net, held)


@metric(
    "Sharpe/episode", "returns", "1", "mean / sd (n - 1) of net P&L over episodes", "Sharpe 1994",
    number=8, pooling="sharpe", sign=1, needs=(PATH,),
)  # fmt: skip
def episode_sharpe(panel: Panel) -> Floats:
    """Net P&L over episodes, its mean in units of its standard deviation. Not annualised."""
    return panel.net


@metric(
    "hit rate", "returns", "share", "#(episodes with W_T > W_0) / #episodes", "definition",
    number=18, sign=1, needs=(PATH,),
)  # fmt: skip
def hit_rate(panel: Panel) -> Floats:
    """Share of episodes that end with a gain; one without P&L is no gain."""
    return np.where(np.isnan(panel.net), np.nan, (panel.net > 0).astype(np.float64))


@metric(
    "volatility", "returns", "ticks·lots per interval", "sd (n - 1) of dW", "definition",
    number=7, sign=-1, needs=(LENGTH, TWO_INTERVALS),
)  # fmt: skip
def volatility(panel: Panel) -> Floats:
    """Standard deviation of the P&L of one clock interval (1 s)."""
    return interval_deviation(panel)


@metric(
    "Sharpe, annualised", "returns", "1/√year", "mean(dW) / sd(dW) · √(days · session seconds / interval)",
    "Sharpe 1994", number=8, sign=1, needs=(LENGTH, TWO_INTERVALS, VARIATION),
)  # fmt: skip
def sharpe_ratio(panel: Panel) -> Floats:
    """Sharpe ratio of interval P&L, annualised by the seconds of the session. NaN without variation."""
    return sharpe_interval(panel) * np.sqrt(panel.session.per_year(panel.interval_s))


@metric(
    "Sharpe/interval", "returns", "1", "mean(dW) / sd(dW)", "Sharpe 1994",
    number=8, sign=1, needs=(LENGTH, TWO_INTERVALS, VARIATION),
)  # fmt: skip
def sharpe_interval(panel: Panel) -> Floats:
    """Sharpe ratio of the P&L of one clock interval, not annualised."""
    return varying(panel, ratio(interval_mean(panel), interval_deviation(panel)))


@metric(
    "Sharpe, Newey–West", "returns", "1/√year",
    "Sharpe / √(1 + 2 Σ_{k=1..L} (1 - k/(L+1)) ρ_k), L = ⌊4 (n/100)^{2/9}⌋", "Lo 2002; Newey & West 1987",
    number=9, sign=1, needs=(LENGTH, TWO_INTERVALS, VARIATION),
)  # fmt: skip
def sharpe_newey_west(panel: Panel) -> Floats:
    """`sharpe_ratio` corrected for the autocorrelation of the intervals' P&L."""
    count = panel.interval_count
    lags = np.floor(4.0 * (count / 100.0) ** (2.0 / 9.0))
    deviation = np.nan_to_num(panel.increments - interval_mean(panel)[:, None])
    variance = (deviation**2).sum(axis=1)
    scale = np.ones(panel.count)
    for k in range(1, int(lags.max(initial=0)) + 1):
        weight = np.maximum(1.0 - k / (lags + 1.0), 0.0)
        scale += 2.0 * weight * ratio((deviation[:, k:] * deviation[:, :-k]).sum(axis=1), variance)
    return sharpe_ratio(panel) / np.sqrt(np.where(scale > 0, scale, np.nan))


@metric(
    "Sortino, annualised", "returns", "1/√year", "mean(dW) / √mean(min(dW, 0)²) · √(days · session seconds / interval)",
    "Sortino & Price 1994", number=10, sign=1, needs=(LENGTH, LOSING),
)  # fmt: skip
def sortino_ratio(panel: Panel) -> Floats:
    """As `sharpe_ratio`, with the root mean square of losses below. NaN without a losing interval."""
    return ratio(interval_mean(panel), downside_deviation(panel)) * np.sqrt(panel.session.per_year(panel.interval_s))


@metric(
    "downside deviation", "returns", "ticks·lots per interval", "√mean(min(dW, 0)²)", "Sortino & Price 1994",
    number=11, sign=-1, needs=(LENGTH,),
)  # fmt: skip
def downside_deviation(panel: Panel) -> Floats:
    """Root mean square of the losing intervals, over all intervals."""
    losses = np.nansum(np.minimum(panel.increments, 0.0) ** 2, axis=1)
    return np.sqrt(ratio(losses, panel.interval_count))


@metric(
    "win rate", "returns", "share", "#(dW > 0) / #(dW ≠ 0)", "definition",
    number=18, pooling="ratio", sign=1, needs=(LENGTH, MOVED),
)  # fmt: skip
def win_rate(panel: Panel) -> tuple[Floats, Floats]:
    """Share of winning intervals among those in which P&L changed."""
    return _wins(panel)[1], _wins(panel)[1] + _losses(panel)[1]


@metric(
    "round trips won", "returns", "share", "Σ x (FIFO round trips sold above their purchase) / Σ x", "definition",
    number=18, pooling="ratio", sign=1, needs=(TRIPS,),
)  # fmt: skip
def round_trip_hit_rate(panel: Panel) -> tuple[Floats, Floats]:
    """Share of the lots, matched first in, first out, that were sold above what they were bought for, before fees;
    the forced close counts.
    """
    trips = panel.once(round_trips)
    won = np.where(trips.sold_at > trips.bought_at, trips.lots, 0)
    return (
        panel.per_episode(won, trips.episode).astype(np.float64),
        panel.per_episode(trips.lots, trips.episode).astype(np.float64),
    )


@metric(
    "average win", "returns", "ticks·lots", "Σ dW⁺ / #(dW > 0), > 0", "interval P&L",
    number=17, pooling="ratio", sign=1, needs=(LENGTH, WINNING),
)  # fmt: skip
def avg_win(panel: Panel) -> tuple[Floats, Floats]:
    """Mean P&L of the winning intervals."""
    return _wins(panel)


@metric(
    "average loss", "returns", "ticks·lots", "-Σ dW⁻ / #(dW < 0), < 0", "interval P&L",
    number=17, pooling="ratio", sign=1, needs=(LENGTH, LOSING),
)  # fmt: skip
def avg_loss(panel: Panel) -> tuple[Floats, Floats]:
    """Mean P&L of the losing intervals: a negative number."""
    return _losses(panel)


@metric(
    "profit factor", "returns", "1", "Σ dW⁺ / Σ dW⁻", "definition",
    number=17, pooling="ratio", sign=1, needs=(LENGTH, LOSING),
)  # fmt: skip
def profit_factor(panel: Panel) -> tuple[Floats, Floats]:
    """Gains of the winning intervals over losses of the losing ones. NaN without a loss."""
    return _wins(panel)[0], -_losses(panel)[0]


def _wins(panel: Panel) -> tuple[Floats, Floats]:
    gain = np.nan_to_num(panel.increments) > 0
    return np.where(gain, panel.increments, 0.0).sum(axis=1), gain.sum(axis=1).astype(np.float64)


def _losses(panel: Panel) -> tuple[Floats, Floats]:
    loss = np.nan_to_num(panel.increments) < 0
    return np.where(loss, panel.increments, 0.0).sum(axis=1), loss.sum(axis=1).astype(np.float64)
