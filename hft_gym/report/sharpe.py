"""How much a Sharpe ratio says: probabilistic and deflated Sharpe ratio, minimum track record length.

All ratios here are per period (one episode, one day), none annualised; ``n`` counts periods. Skewness is m₃/m₂^{3/2},
kurtosis m₄/m₂², 3 for a normal distribution.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from hft_gym.errors import ConfigError

__all__ = [
    "deflated_sharpe",
    "expected_maximum",
    "minimum_track_record",
    "moments",
    "probabilistic_sharpe",
    "scatter",
    "sharpe_threshold",
]

_NORMAL = NormalDist()
EULER = 0.5772156649015329
"""The Euler–Mascheroni constant."""


def _spread(sharpe: float, skewness: float, kurtosis: float) -> float:
    """Variance of the estimated Sharpe ratio, times n - 1 (Mertens 2002)."""
    return 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2


def probabilistic_sharpe(
    sharpe: float, n: float, skewness: float = 0.0, kurtosis: float = 3.0, threshold: float = 0.0
) -> float:
    """Probability that the true Sharpe ratio is above *threshold*.

    Φ((SR - SR*) √(n - 1) / √(1 - γ₃ SR + (γ₄ - 1)/4 SR²)): Bailey & López de Prado 2012, "The Sharpe Ratio Efficient
    Frontier", equation 11.

    >>> round(probabilistic_sharpe(0.458, 24), 3)
    0.982

    Raises:
        ConfigError: fewer than two periods.
    """
    if not n >= 2:
        raise ConfigError(f"probabilistic Sharpe ratio: n must be at least 2 periods, got {n}")
    spread = _spread(sharpe, skewness, kurtosis)
    if not spread > 0:  # moments of no distribution, or NaN
        return float("nan")
    return _NORMAL.cdf((sharpe - threshold) * math.sqrt(n - 1.0) / math.sqrt(spread))


def expected_maximum(trials: float) -> float:
    """Expected largest of so many independent standard normal values, in units of their standard deviation.

    (1 - γ) Φ⁻¹(1 - 1/N) + γ Φ⁻¹(1 - 1/(N e)), an approximation by extreme value theory: Bailey & López de Prado 2014,
    "The Deflated Sharpe Ratio", equation 1. A single trial has nothing to choose from: 0, and never less. N need not
    be whole: of correlated trials it is the number of independent ones that they are worth.

    >>> [round(expected_maximum(n), 2) for n in (10, 100, 1000)]
    [1.57, 2.53, 3.26]

    Raises:
        ConfigError: no trial.
    """
    if not trials >= 1:
        raise ConfigError(f"expected maximum: trials must be at least 1, got {trials}")
    if trials == 1:
        return 0.0
    upper, further = (_NORMAL.inv_cdf(1.0 - 1.0 / m) for m in (trials, trials * math.e))
    return max((1.0 - EULER) * upper + EULER * further, 0.0)


def scatter(ratios: npt.ArrayLike) -> float:
    """Standard deviation (n - 1) of (N,) Sharpe ratios; 0 of fewer than two."""
    known = np.asarray(ratios, np.float64)
    return float(np.std(known, ddof=1)) if len(known) > 1 else 0.0


def sharpe_threshold(trials: npt.ArrayLike) -> float:
    """SR₀: the Sharpe ratio that the best of these trials would have if none was better than another.

    Args:
        trials: (N,) Sharpe ratios of all trials; their standard deviation (n - 1) is the unit.
    """
    ratios = np.asarray(trials, np.float64)
    return scatter(ratios) * expected_maximum(max(len(ratios), 1))


def deflated_sharpe(
    sharpe: float, n: float, trials: npt.ArrayLike, skewness: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Probability that the true Sharpe ratio is above what the best of the trials would show by luck.

    The probabilistic Sharpe ratio against `sharpe_threshold`: Bailey & López de Prado 2014, equation 2.

    Args:
        sharpe: of the chosen strategy, per period.
        n: periods it was measured in.
        trials: (N,) Sharpe ratios per period of everything that was tried; each counts as an independent trial.
            Of trials that are not, `hft_gym.report.Trials` has the threshold for `probabilistic_sharpe`.
        skewness: of the chosen strategy's periods.
        kurtosis: likewise.
    """
    return probabilistic_sharpe(sharpe, n, skewness, kurtosis, sharpe_threshold(trials))


def minimum_track_record(
    sharpe: float, skewness: float = 0.0, kurtosis: float = 3.0, threshold: float = 0.0, level: float = 0.95
) -> float:
    """Number of periods after which a Sharpe ratio like this is above *threshold* at the given confidence.

    1 + (1 - γ₃ SR + (γ₄ - 1)/4 SR²) (Φ⁻¹(level) / (SR - SR*))²: Bailey & López de Prado 2012, equation 13. NaN where
    the ratio is not above the threshold: no length would do.

    Raises:
        ConfigError: a level that is not between 0.5 and 1.
    """
    if not 0.5 < level < 1.0:
        raise ConfigError(f"minimum track record: level must be between 0.5 and 1, got {level}")
    if not sharpe > threshold:
        return float("nan")
    return 1.0 + _spread(sharpe, skewness, kurtosis) * (_NORMAL.inv_cdf(level) / (sharpe - threshold)) ** 2


def moments(values: npt.ArrayLike) -> tuple[float, float, float]:
    """Sharpe ratio (n - 1), skewness and kurtosis of (n,) values; all NaN where they do not vary."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    nan = float("nan")
    if len(known) < 2 or np.ptp(known) <= 1e-12 * np.abs(known).max():
        return nan, nan, nan
    deviation = known - known.mean()
    m2, m3, m4 = (float(np.mean(deviation**k)) for k in (2, 3, 4))
    return float(known.mean() / known.std(ddof=1)), m3 / m2**1.5, m4 / m2**2
