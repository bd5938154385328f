"""Seeded percentile bootstrap over episodes, vectorised: resampling is one matrix of counts for all
statistics.

With n episodes, a resample is a vector of n multinomial counts; a statistic that is a function of sums over
episodes (a mean, a ratio of sums, mean / sd) is that function of ``counts @ parts``. The same counts serve
every metric and every policy, which keeps comparisons on common seeds paired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hft_gym.errors import ConfigError

__all__ = ["Bootstrap", "Estimate", "mean_interval", "paired_difference"]

Floats = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """A value with its confidence interval, from so many episodes; NaN where undefined."""

    value: float
    low: float
    high: float
    episodes: int


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Attributes:
        resamples: number of resamples.
        level: confidence level of the two-sided percentile interval.
        seed: of the resampling; equal seeds give equal intervals.
    """

    resamples: int = 5_000
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 1:
            raise ConfigError(f"bootstrap resamples: must be at least 1, got {self.resamples}")
        if not 0.0 < self.level < 1.0:
            raise ConfigError(f"bootstrap level: must be between 0 and 1, got {self.level}")

    def counts(self, n: int) -> Floats:
        """(resamples, n) how often each of n episodes is drawn."""
        return _counts(n, self.resamples, self.seed)

    def estimate(self, parts: Floats, combine: Callable[[Floats], Floats]) -> Estimate:
        """The statistic ``combine(sums of parts)`` and its interval.

        Args:
            parts: (n, C) one row per episode.
            combine: (..., C) sums -> (...) values; NaN where undefined.

        Returns:
            NaN bounds with fewer than two episodes, or where more than a tenth of the resamples are
            undefined (the interval would speak of other samples than the one at hand).
        """
        n = len(parts)
        value = float(combine(parts.sum(axis=0))) if n else float("nan")
        if n < 2 or np.isnan(value):
            return Estimate(value, float("nan"), float("nan"), n)
        draws = combine(self.counts(n) @ parts)
        draws = draws[~np.isnan(draws)]
        if len(draws) < 0.9 * self.resamples:
            return Estimate(value, float("nan"), float("nan"), n)
        tail = (1.0 - self.level) / 2.0
        low, high = np.quantile(draws, (tail, 1.0 - tail))
        return Estimate(value, float(low), float(high), n)


@lru_cache(maxsize=2)
def _counts(n: int, resamples: int, seed: int) -> Floats:
    draws = np.random.default_rng([seed, n]).integers(0, n, (resamples, n))
    rows = np.arange(resamples)[:, None] * n
    return (
        np.bincount((draws + rows).ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)
    )


def mean_interval(values: Floats, bootstrap: Bootstrap | None = None) -> Estimate:
    """Mean of (n,) values and its interval; NaN values are left out."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    parts = np.stack([known, np.ones_like(known)], axis=1)
    return (bootstrap or Bootstrap()).estimate(parts, _mean)


def paired_difference(ours: Floats, theirs: Floats, bootstrap: Bootstrap | None = None) -> Estimate:
    """Mean of ``ours - theirs`` over common episodes, with its interval.

    Raises:
        ConfigError: the two have different lengths.
    """
    if len(ours) != len(theirs):
        raise ConfigError(f"a paired difference needs the same episodes: got {len(ours)} and {len(theirs)}")
    return mean_interval(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64), bootstrap)


def _mean(sums: Floats) -> Floats:
    out = np.full(sums.shape[:-1], np.nan)
    np.divide(sums[..., 0], sums[..., 1], out=out, where=sums[..., 1] > 0)
    return out
