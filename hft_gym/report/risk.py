"""Metrics of the distribution of the P&L of clock intervals: its tails and its shape."""

from __future__ import annotations

import numpy as np

from hft_gym.report.metrics import metric
from hft_gym.report.needs import LENGTH, LOSING, PATH, TWO_INTERVALS, VARIATION, Need
from hft_gym.report.panel import Floats, Panel, ratio
from hft_gym.report.pooling import RISK_AVERSION
from hft_gym.report.returns import interval_mean, profit_factor

TAIL = 0.05
"""Probability of the tail of the value at risk and the expected shortfall."""

LEFT_TAIL = Need("no loss in the 5 % tail of the clock intervals", lambda p: quantile(p, TAIL) != 0.0)


def ordered(panel: Panel) -> Floats:
    """(E, K) increments from the smallest on; NaN at the end."""
    return np.sort(panel.increments, axis=1)


def quantile(panel: Panel, probability: float) -> Floats:
    """(E,) quantile of the increments with linear interpolation, as `numpy.quantile`; NaN without any."""
    values = panel.once(ordered)
    if values.shape[1] == 0:
        return np.full(panel.count, np.nan)
    at = probability * np.maximum(panel.interval_count - 1, 0)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(panel.interval_count.astype(np.int64) - 1, 0))
    rows = np.arange(panel.count)
    below, above = values[rows, low], values[rows, high]
    return below + (at - low) * (above - below)


def _moment(panel: Panel, order: int) -> Floats:
    deviation = panel.increments - interval_mean(panel)[:, None]
    return ratio(np.nansum(deviation**order, axis=1), panel.interval_count)


def _variance(panel: Panel) -> Floats:
    return np.where(panel.increments_vary, _moment(panel, 2), np.nan)


@metric(
    "skewness", "returns", "1", "m₃ / m₂^{3/2}, m_k = mean((dW - mean)^k)", "definition",
    number=12, needs=(LENGTH, TWO_INTERVALS, VARIATION),
)  # fmt: skip
def skewness(panel: Panel) -> Floats:
    """Skewness of the intervals' P&L (population moments): negative where the large moves are losses."""
    return _moment(panel, 3) / _variance(panel) ** 1.5


@metric(
    "kurtosis", "returns", "1", "m₄ / m₂², 3 for a normal distribution", "definition",
    number=13, needs=(LENGTH, TWO_INTERVALS, VARIATION),
)  # fmt: skip
def kurtosis(panel: Panel) -> Floats:
    """Kurtosis of the intervals' P&L (population moments, not in excess)."""
    return _moment(panel, 4) / _variance(panel) ** 2


@metric(
    "value at risk 95 %", "returns", "ticks·lots per interval", "-quantile_{5 %}(dW)", "Jorion 2006",
    number=14, sign=-1,
)  # fmt: skip
def value_at_risk_95(panel: Panel) -> Floats:
    """Loss that 95 of 100 clock intervals stay below; a gain where it is negative."""
    return -quantile(panel, TAIL)


@metric(
    "expected shortfall 95 %", "returns", "ticks·lots per interval", "-mean of the ⌊0.05 (n - 1)⌋ + 1 smallest dW",
    "Acerbi & Tasche 2002", number=15, sign=-1,
)  # fmt: skip
def expected_shortfall_95(panel: Panel) -> Floats:
    """Mean loss of the worst clock intervals, those up to the 5 % quantile."""
    worst = np.floor(TAIL * np.maximum(panel.interval_count - 1, 0)) + 1
    values = panel.once(ordered)
    mine = np.arange(values.shape[1])[None, :] < worst[:, None]
    return -ratio(np.nansum(np.where(mine, values, 0.0), axis=1), np.where(panel.interval_count > 0, worst, 0.0))


@metric(
    "Omega", "returns", "1", "E[max(dW, 0)] / E[max(-dW, 0)], threshold 0", "Keating & Shadwick 2002",
    number=16, pooling="ratio", sign=1, needs=(LENGTH, LOSING),
)  # fmt: skip
def omega_ratio(panel: Panel) -> tuple[Floats, Floats]:
    """Gains over losses of the clock intervals about the threshold 0, where it equals `profit_factor`."""
    top, bottom = profit_factor(panel)
    return top, bottom


@metric(
    "tail ratio", "returns", "1", "|quantile_{95 %}(dW)| / |quantile_{5 %}(dW)|", "definition",
    number=19, sign=1, needs=(LENGTH, LEFT_TAIL),
)  # fmt: skip
def tail_ratio(panel: Panel) -> Floats:
    """Size of the right tail over the left one: above 1 where large gains are larger than large losses."""
    return ratio(np.abs(quantile(panel, 1.0 - TAIL)), np.abs(quantile(panel, TAIL)))


@metric(
    "certainty equivalent", "returns", "ticks·lots", f"-ln E[exp(-γ W_T)] / γ, γ = {RISK_AVERSION} per tick·lot",
    "Pratt 1964 (CARA utility)", number=20, pooling="certainty", sign=1, needs=(PATH,),
)  # fmt: skip
def certainty_equivalent(panel: Panel) -> Floats:
    """The sure P&L that an investor of constant risk aversion would take for an episode's."""
    return panel.net
