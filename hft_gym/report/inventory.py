"""Metrics of inventory: how much was held, for how long, and whether it was held the right way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hft_gym.report.metrics import metric
from hft_gym.report.needs import LENGTH, MIDS, PATH, POSITION, TWO_INTERVALS, Need
from hft_gym.report.panel import Floats, Ints, Panel, ratio

HORIZON = 5.0
"""Horizon of the position's foresight, seconds."""


def _average(panel: Panel, of: Callable[[Ints], Ints]) -> Floats:
    """(E,) time average of a function of the position."""
    area = panel.per_episode(of(panel.position_after) * panel.held_for, panel.fill_episode)
    if panel.start_position.any():
        before = panel.duration_s.copy()
        filled, first = np.unique(panel.fill_episode, return_index=True)
        before[filled] = panel.episodes.fills["time"][first] / 1e9
        area = area + of(panel.start_position) * before
    return ratio(area, panel.duration_s)


def limit(panel: Panel) -> int | None:
    """The position limit of the environment that was played, lots; None where the record, or an execution, has none."""
    if panel.episodes.config.get("task") == "execution":
        return None
    found = panel.episodes.config.get("max_position")
    return None if found is None else int(found)


def extreme_position(panel: Panel, upper: bool) -> Ints:
    """(E,) largest (or smallest) position reached, lots; the start and 0 count."""
    extreme = (np.maximum if upper else np.minimum)(panel.start_position, 0)
    (np.maximum if upper else np.minimum).at(extreme, panel.fill_episode, panel.position_after)
    return extreme


@metric(
    "mean |inventory|", "inventory", "lots", "(1/T) ∫ |q_t| dt", "Spooner et al. 2018 (MAP)", number=61, sign=-1
)
def mean_abs_inventory(panel: Panel) -> Floats:
    """Time average of the absolute position."""
    return _average(panel, np.abs)


@metric("sd of inventory", "inventory", "lots", "√((1/T) ∫ q² dt - ((1/T) ∫ q dt)²)", "definition", number=62, sign=-1)
def inventory_deviation(panel: Panel) -> Floats:
    """Standard deviation of the position over time."""
    square, mean = _average(panel, np.square), _average(panel, np.positive)
    return np.sqrt(np.maximum(square - mean**2, 0.0))


@metric("max |inventory|", "inventory", "lots", "max_t |q_t|", "definition", number=62, needs=())
def max_abs_inventory(panel: Panel) -> Floats:
    """Largest absolute position."""
    return np.maximum(extreme_position(panel, True), -extreme_position(panel, False)).astype(np.float64)


@metric(
    "final position", "inventory", "lots", "q at the end, before the forced close", "definition", number=63, needs=()
)
def final_position(panel: Panel) -> Floats:
    """Position at the end of the episode, before it is closed; positive is long."""
    traded = panel.fill_sum(panel.sign * panel.quantity, panel.ordinary)
    return (panel.start_position + traded).astype(np.float64)


@metric("max position", "inventory", "lots", "max_t q_t, >= 0", "position path", needs=())
def max_position(panel: Panel) -> Floats:
    """Largest position; the start, 0, counts."""
    return extreme_position(panel, True).astype(np.float64)


@metric("min position", "inventory", "lots", "min_t q_t, <= 0", "position path", needs=())
def min_position(panel: Panel) -> Floats:
    """Smallest position, negative when short; the start, 0, counts."""
    return extreme_position(panel, False).astype(np.float64)


def positions(panel: Panel) -> Ints:
    """(E, K+1) position at the edges of the clock intervals, before the forced close."""
    return panel.position_at(panel.grid)


def _correlation(x: Floats, y: Floats, use: np.ndarray) -> Floats:
    """(E,) correlation over the columns in use; NaN where either does not vary."""
    n = use.sum(axis=1)
    x, y = (np.where(use, v, 0.0) for v in (x, y))
    mean_x, mean_y = (ratio(v.sum(axis=1), n.astype(np.float64)) for v in (x, y))
    dx, dy = (np.where(use, v - m[:, None], 0.0) for v, m in ((x, mean_x), (y, mean_y)))
    scale = np.sqrt((dx**2).sum(axis=1) * (dy**2).sum(axis=1))
    return ratio((dx * dy).sum(axis=1), np.where(scale > 1e-12, scale, 0.0))


def autocorrelation(panel: Panel) -> Floats:
    """(E,) correlation of the position with itself one clock interval later."""
    held = panel.once(positions).astype(np.float64)
    return _correlation(held[:, :-1], held[:, 1:], panel.in_grid)


REVERTS = Need(
    "the position does not revert to a mean", lambda p: (p.once(autocorrelation) > 0) & (p.once(autocorrelation) < 1)
)


@metric(
    "inventory half-life", "inventory", "s", "-ln 2 / ln ρ₁ · interval, ρ₁ the position's autocorrelation",
    "definition (AR(1))", number=64, sign=-1, needs=(LENGTH, POSITION, TWO_INTERVALS, REVERTS),
)  # fmt: skip
def inventory_half_life(panel: Panel) -> Floats:
    """Time in which half of a position is expected to be gone, from an autoregression on the clock grid."""
    rho = panel.once(autocorrelation)
    fine = (rho > 0) & (rho < 1)
    out = np.full(panel.count, np.nan)
    out[fine] = -np.log(2.0) / np.log(rho[fine]) * panel.interval_s
    return out


@metric(
    "zero crossings", "inventory", "1/h", "Σ changes of the position's sign / Σ hours", "definition",
    number=65, pooling="ratio",
)  # fmt: skip
def zero_crossings(panel: Panel) -> tuple[Floats, Floats]:
    """How often the position changes between long and short, however long it is flat in between."""
    use = panel.ordinary & (panel.position_after != 0)
    side, episode = np.sign(panel.position_after[use]), panel.fill_episode[use]
    crossed = (side[1:] != side[:-1]) & (episode[1:] == episode[:-1])
    return np.bincount(episode[1:][crossed], minlength=panel.count).astype(np.float64), panel.duration_s / 3600.0


LIMIT = Need("the record has no position limit", lambda p: np.full(p.count, limit(p) is not None))


@metric(
    "time at the limit", "inventory", "share", "(1/T) ∫ 1{|q_t| >= limit} dt", "definition",
    number=66, sign=-1, needs=(LENGTH, LIMIT),
)  # fmt: skip
def time_at_limit(panel: Panel) -> Floats:
    """Share of the time that the position was at its limit, long or short."""
    most = limit(panel)
    if most is None:
        return np.full(panel.count, np.nan)
    return _average(panel, lambda held: (np.abs(held) >= most).astype(np.int64))


@metric(
    "inventory risk", "inventory", "(ticks·lots)²", "σ² ∫ q² dt, σ² = Σ (Δm)² / T on the clock grid", "definition",
    number=67, sign=-1, needs=(LENGTH, MIDS),
)  # fmt: skip
def inventory_risk(panel: Panel) -> Floats:
    """Variance of the P&L that the position is exposed to, if the mid moved without regard to it."""
    moves = np.diff(panel.mid2_grid, axis=1) / 2.0
    variance = np.where(panel.has_mid, ratio((moves**2).sum(axis=1), panel.duration_s), np.nan)
    return variance * _average(panel, np.square) * panel.duration_s


def _foresight(panel: Panel) -> Floats:
    ahead = max(round(HORIZON / panel.interval_s), 1)
    held, mid2 = panel.once(positions).astype(np.float64), panel.mid2_grid.astype(np.float64)
    use = panel.in_grid[:, ahead - 1 :] & panel.has_mid[:, None]
    if use.shape[1] == 0:
        return np.full(panel.count, np.nan)
    return _correlation(held[:, :-ahead], mid2[:, ahead:] - mid2[:, :-ahead], use)


@metric(
    "inventory foresight", "inventory", "1", "corr(q_t, m_{t+5s} - m_t) on the clock grid", "definition",
    number=68, sign=1,
    needs=(
        PATH, LENGTH, MIDS, POSITION,
        Need("position or mid does not vary, or the episode is shorter than 5 s", lambda p: ~np.isnan(_foresight(p))),
    ),
)  # fmt: skip
def inventory_foresight(panel: Panel) -> Floats:
    """Whether the position stands the way in which the mid then moves."""
    return _foresight(panel)
