"""Several training seeds of one learner on one or several markets: what may be said of the learner, not of one agent.

The unit is the training run. Its score on a market is its mean net P&L over the held-out episodes less do-nothing's,
which is 0, in units of the best baseline's gain: 1 is as good as the best baseline (tuned, where the comparison tuned
it), 0 is as good as doing nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.report.aggregate import performance_profile, stratified_estimate
from hft_gym.report.comparison import Comparison
from hft_gym.report.statistics import Bootstrap, Estimate

__all__ = ["Learner", "across_seeds"]

Floats = npt.NDArray[np.float64]

THRESHOLDS = tuple(round(0.1 * i, 1) for i in range(-5, 21))
"""Scores at which the performance profile is taken."""


@dataclass(frozen=True)
class Learner:
    """What the runs of one learner say together.

    Attributes:
        name: of the learner.
        scores: (R, M) score of each run on each market, in units of the best baseline's gain.
        iqm: interquartile mean of the scores; runs are resampled within each market.
        mean: their mean, likewise.
        improvement: probability that a run beats the best baseline on a market.
        optimality_gap: mean of max(1 - score, 0): how far short of the best baseline.
        profile: score -> share of the runs above it.
    """

    name: str
    scores: Floats
    iqm: Estimate
    mean: Estimate
    improvement: Estimate
    optimality_gap: Estimate
    profile: Mapping[float, float]


def across_seeds(
    comparisons: Comparison | Sequence[Comparison],
    learners: Mapping[str, Sequence[str]],
    bootstrap: Bootstrap | None = None,
) -> dict[str, Learner]:
    """Interquartile mean, probability of improvement and performance profile of learners with several training runs.

    Args:
        comparisons: one for each market; each holds every run.
        learners: name -> names of its runs (policies of the comparisons), one for each training seed.
        bootstrap: how intervals are made.

    Raises:
        ConfigError: nothing to look at, a run that took no part, or a market in which no baseline gains anything:
            there is no unit then.
    """
    markets = [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
    if not markets or not learners:
        raise ConfigError("across seeds: give at least one comparison and one learner")
    units = [_unit(c) for c in markets]
    found = {}
    for name, runs in learners.items():
        if not runs:
            raise ConfigError(f"across seeds: learner {name!r} has no runs")
        nets = np.array([[_net(c, run) for c in markets] for run in runs])
        scores = nets / np.array(units)
        found[name] = Learner(
            name,
            scores,
            stratified_estimate(scores, None, bootstrap),
            stratified_estimate(scores, _mean, bootstrap),
            stratified_estimate(0.5 + 0.5 * np.sign(scores - 1.0), _mean, bootstrap),
            stratified_estimate(np.maximum(1.0 - scores, 0.0), _mean, bootstrap),
            dict(zip(THRESHOLDS, performance_profile(scores, THRESHOLDS).tolist(), strict=True)),
        )
    return found


def _mean(scores: Floats) -> Floats:
    return np.asarray(scores.mean(axis=(-2, -1)))


def _net(comparison: Comparison, run: str) -> float:
    names = [r.name for r in comparison.rows]
    if run not in names:
        raise ConfigError(f"across seeds: no run {run!r} in a comparison{did_you_mean(run, names)}")
    return comparison[run].metrics["net_pnl"].value


def _unit(comparison: Comparison) -> float:
    best = comparison.best_baseline
    gain = float("nan") if best is None else comparison[best].metrics["net_pnl"].value
    if not gain > 0:
        raise ConfigError(
            f"across seeds: the best baseline, {best}, makes {gain:+.2f} an episode; scores need one that gains"
        )
    return gain
