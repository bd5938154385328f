"""Statistics over training seeds, markets and policies: what a referee asks of a comparison of learners.

*Scores* are arrays (R, M): R runs (training seeds) on M markets (tasks, presets), higher is better. Their unit of
resampling is the run, within each market on its own: a *stratified* bootstrap (Agarwal et al. 2021, "Deep
Reinforcement Learning at the Edge of the Statistical Precipice").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hft_gym.errors import ConfigError
from hft_gym.report.statistics import Bootstrap, Estimate

__all__ = [
    "effective_sample_size",
    "holm",
    "improvement_probability",
    "interquartile_mean",
    "paired_p_value",
    "performance_profile",
    "stratified_estimate",
]

Floats = npt.NDArray[np.float64]
CHUNK = 2_000_000
"""Values that one turn of resampling may hold."""


def interquartile_mean(values: npt.ArrayLike, axis: int | None = None) -> Floats:
    """Mean of the middle half: ⌊n/4⌋ of the smallest and of the largest values are cut off (scipy's ``trim_mean``
    at 25 %). Of all values, or along one axis; NaN of none.
    """
    known = np.asarray(values, np.float64)
    if axis is None:
        known, axis = known.ravel(), 0
    n = known.shape[axis]
    if n == 0:
        return np.full(known.sum(axis=axis).shape, np.nan)
    cut = n // 4
    kept = np.sort(known, axis=axis).take(range(cut, n - cut), axis=axis)
    return np.asarray(kept.mean(axis=axis))


def _scores(scores: npt.ArrayLike, what: str = "scores") -> Floats:
    matrix = np.asarray(scores, np.float64)
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2 or not matrix.size or np.isnan(matrix).any():
        raise ConfigError(f"{what}: expected (runs, markets) of numbers, got shape {matrix.shape}")
    return matrix


def stratified_estimate(
    scores: npt.ArrayLike,
    statistic: Callable[[Floats], Floats] | None = None,
    bootstrap: Bootstrap | None = None,
) -> Estimate:
    """A statistic of the scores and its percentile interval; runs are resampled within each market.

    Args:
        scores: (R, M) or (R,), one score per training run and market.
        statistic: (..., R, M) -> (...) values; default: the interquartile mean of all R x M scores.
        bootstrap: how.

    Returns:
        the estimate, with the number of runs in the place of episodes; NaN bounds for a single run.

    Raises:
        ConfigError: no scores, or NaN among them.
    """
    matrix, how = _scores(scores), bootstrap or Bootstrap()
    measure = statistic or _iqm_of_all
    value = float(measure(matrix))
    runs = len(matrix)
    if runs < 2:
        return Estimate(value, float("nan"), float("nan"), runs)
    drawn = np.concatenate([measure(_resampled(matrix, n, rng)) for n, rng in _turns(matrix.size, how)])
    low, high = np.quantile(drawn, ((1.0 - how.level) / 2.0, (1.0 + how.level) / 2.0))
    return Estimate(value, float(low), float(high), runs)


def _iqm_of_all(scores: Floats) -> Floats:
    return interquartile_mean(scores.reshape(*scores.shape[:-2], -1), axis=-1)


def _turns(size: int, how: Bootstrap) -> list[tuple[int, np.random.Generator]]:
    """Sizes of the turns in which resamples are drawn, all from one stream."""
    rng = np.random.default_rng([how.seed, size])
    each = max(CHUNK // max(size, 1), 1)
    return [(min(each, how.resamples - first), rng) for first in range(0, how.resamples, each)]


def _resampled(matrix: Floats, count: int, rng: np.random.Generator) -> Floats:
    runs, markets = matrix.shape
    rows = rng.integers(0, runs, (count, runs, markets))
    return matrix[rows, np.arange(markets)]


def improvement_probability(ours: npt.ArrayLike, theirs: npt.ArrayLike, bootstrap: Bootstrap | None = None) -> Estimate:
    """Probability that a run of ours beats one of theirs on a market, the mean over markets.

    P(X > Y) is the Mann–Whitney statistic U / (R_X R_Y), ties a half (Agarwal et al. 2021, section 4.3).

    Args:
        ours: (R_X, M) or (R_X,) scores.
        theirs: (R_Y, M) or (R_Y,) scores on the same markets.
        bootstrap: how; runs of both are resampled within each market.

    Raises:
        ConfigError: different numbers of markets, no scores, or NaN among them.
    """
    x, y, how = _scores(ours, "ours"), _scores(theirs, "theirs"), bootstrap or Bootstrap()
    if x.shape[1] != y.shape[1]:
        raise ConfigError(f"improvement: ours has {x.shape[1]} markets, theirs {y.shape[1]}; they must be the same")

    def share(a: Floats, b: Floats) -> Floats:
        difference = a[..., :, None, :] - b[..., None, :, :]
        return np.asarray((np.sign(difference) * 0.5 + 0.5).mean(axis=(-3, -2, -1)))

    value, runs = float(share(x, y)), min(len(x), len(y))
    if runs < 2:
        return Estimate(value, float("nan"), float("nan"), runs)
    drawn = np.concatenate(
        [share(_resampled(x, n, rng), _resampled(y, n, rng)) for n, rng in _turns(len(x) * y.size, how)]
    )
    low, high = np.quantile(drawn, ((1.0 - how.level) / 2.0, (1.0 + how.level) / 2.0))
    return Estimate(value, float(low), float(high), runs)


def performance_profile(scores: npt.ArrayLike, thresholds: npt.ArrayLike) -> Floats:
    """(K,) share of the runs, over all markets, whose score is above each of (K,) thresholds (Agarwal et al. 2021,
    section 4.2).
    """
    matrix = _scores(scores)
    return np.asarray((matrix.ravel()[None, :] > np.asarray(thresholds, np.float64)[:, None]).mean(axis=1))


def paired_p_value(ours: npt.ArrayLike, theirs: npt.ArrayLike, flips: int = 9_999, seed: int = 0) -> float:
    """Two-sided p-value of the mean paired difference: a randomisation test that flips the signs of the differences
    (Fisher 1935), (1 + #as extreme) / (1 + flips). Exact if the differences are symmetric about zero under the null.

    Args:
        ours: (n,) values; pairs with a NaN are left out.
        theirs: (n,) values on the same random numbers.
        flips: how many random sign patterns.
        seed: of the patterns.

    Returns:
        NaN of fewer than two pairs; 1 where all differences are zero.

    Raises:
        ConfigError: different lengths.
    """
    x, y = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if x.shape != y.shape:
        raise ConfigError(f"a paired test needs the same episodes: got {len(x)} and {len(y)}")
    difference = (x - y)[~np.isnan(x - y)]
    if len(difference) < 2:
        return float("nan")
    rng = np.random.default_rng([seed, len(difference)])
    seen, extreme = abs(difference.sum()), 0
    for first in range(0, flips, each := max(CHUNK // len(difference), 1)):
        signs = rng.integers(0, 2, (min(each, flips - first), len(difference)), dtype=np.int8) * 2 - 1
        extreme += int(np.sum(np.abs(signs @ difference) >= seen * (1 - 1e-12)))
    return (1 + extreme) / (1 + flips)


def holm(p_values: Mapping[str, float] | Sequence[float]) -> dict[str, float] | list[float]:
    """p-values adjusted for their number: with probability level no true null among them is below 1 - level.

    Step-down of Holm (1979): the k-th smallest of m is multiplied by m - k + 1, and none may fall below one before it.
    NaN stays NaN and is not counted.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    names = list(p_values) if isinstance(p_values, Mapping) else list(range(len(p_values)))
    raw = np.array(list(p_values.values()) if isinstance(p_values, Mapping) else list(p_values), np.float64)
    adjusted = np.full(len(raw), np.nan)
    order = [i for i in np.argsort(raw, kind="stable") if not np.isnan(raw[i])]
    highest = 0.0
    for k, i in enumerate(order):
        highest = max(highest, min(1.0, raw[i] * (len(order) - k)))
        adjusted[i] = highest
    if isinstance(p_values, Mapping):
        return {str(n): float(a) for n, a in zip(names, adjusted, strict=True)}
    return [float(a) for a in adjusted]


def effective_sample_size(values: npt.ArrayLike) -> Floats:
    """Number of independent values that say as much about the mean: n / (1 + 2 Σ ρ_k).

    The sum over the autocorrelations ends at the first that is not positive (Geyer's initial positive sequence), so
    the figure is at most n.

    Args:
        values: (E, K) series in rows, NaN after their ends, or (K,) one series.

    Returns:
        (E,) or a scalar array; n for a series that does not vary, NaN for an empty one.
    """
    series = np.asarray(values, np.float64)
    rows = np.atleast_2d(series)
    n = np.sum(~np.isnan(rows), axis=1).astype(np.float64)
    if rows.shape[1] == 0:
        return np.full(series.shape[:-1], np.nan)
    mean = np.divide(np.nansum(rows, axis=1), n, out=np.zeros(len(rows)), where=n > 0)
    deviation = np.nan_to_num(rows - mean[:, None])
    # All autocovariances at once; twice the length, so that the end does not wrap around to the start.
    width = 2 * rows.shape[1]
    power = np.abs(np.fft.rfft(deviation, width, axis=1)) ** 2
    covariance = np.fft.irfft(power, width, axis=1)[:, : rows.shape[1]]
    varies = covariance[:, 0] > 1e-12 * np.maximum(mean**2 * n, 1e-300)
    rho = np.divide(covariance, covariance[:, :1], out=np.zeros_like(covariance), where=varies[:, None])[:, 1:]
    # Beyond rounding: the transform leaves specks where there is no correlation.
    positive = np.logical_and.accumulate(rho > 1e-9, axis=1)
    found = np.where(n > 0, n / (1.0 + 2.0 * (rho * positive).sum(axis=1)), np.nan)
    return found.reshape(series.shape[:-1])
