"""How a set of episodes gets one value from each episode's: sums over episodes, and a function of the sums.

Because every pooling is a function of sums, one matrix of resampling counts gives the bootstrap of all metrics.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["POOLINGS", "RISK_AVERSION", "SET", "Pooling", "ratio"]

Floats = npt.NDArray[np.float64]

SET = "set"
"""The pooling of a metric whose function takes the whole set at once."""

RISK_AVERSION = 0.01
"""γ of the certainty equivalent, per tick·lot."""


@dataclass(frozen=True)
class Pooling:
    """One way to pool.

    Attributes:
        text: what it does, for the documentation.
        parts: what a metric's function returned -> (E, C) rows to be summed; undefined episodes are zeros.
        combine: (..., C) sums -> (...) values, NaN where undefined.
        alone: what a metric's function returned -> (E,) values of single episodes.
        several: whether a single episode has no value.
        unvaried: why several episodes may have none.
    """

    text: str
    parts: Callable[[Any], Floats]
    combine: Callable[[Floats], Floats]
    alone: Callable[[Any], Floats]
    several: bool = False
    unvaried: str = ""


def ratio(top: Floats, bottom: Floats) -> Floats:
    """``top / bottom``, NaN where ``bottom`` is 0 or either is NaN."""
    out = np.full(np.broadcast(top, bottom).shape, np.nan)
    np.divide(top, bottom, out=out, where=np.asarray(bottom) != 0)
    return out


def _floats(values: Any) -> Floats:
    return np.asarray(values, np.float64)


def _known(*columns: Any) -> Floats:
    """(E, C) of the columns; a row with a NaN becomes zeros."""
    stacked = np.stack([_floats(c) for c in columns], axis=1)
    stacked[np.isnan(stacked).any(axis=1)] = 0.0
    return stacked


def _mean_parts(values: Any) -> Floats:
    return _known(values, np.where(np.isnan(_floats(values)), np.nan, 1.0))


def _mean(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])


def _square_parts(values: Any) -> Floats:
    value = _floats(values)
    return _known(value, np.where(np.isnan(value), np.nan, 1.0), value**2)


def _sharpe(sums: Floats) -> Floats:
    mean, count, squares = _mean(sums), sums[..., 1], sums[..., 2]
    spread = squares - count * np.nan_to_num(mean) ** 2
    # Rounding leaves a speck where all episodes are equal: no spread, no ratio.
    usable = (count > 1.5) & (spread > 1e-12 * squares)
    return mean / np.sqrt(ratio(np.where(usable, spread, np.nan), count - 1))


def _difference(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1]) - ratio(sums[..., 2], sums[..., 3])


def _certainty_parts(values: Any) -> Floats:
    value = _floats(values)
    # Exponents counted from the worst episode: none overflows, and the worst counts in full.
    worst = float(np.nanmin(value)) if np.any(~np.isnan(value)) else 0.0
    return _known(np.exp(-RISK_AVERSION * (value - worst)), np.where(np.isnan(value), np.nan, 1.0), worst + 0 * value)


def _certainty(sums: Floats) -> Floats:
    mean, worst = ratio(sums[..., 0], sums[..., 1]), ratio(sums[..., 2], sums[..., 1])
    out = np.full(mean.shape, np.nan)
    np.log(mean, out=out, where=mean > 0)
    return worst - out / RISK_AVERSION


def _ratio_alone(pair: Any) -> Floats:
    return ratio(_floats(pair[0]), _floats(pair[1]))


POOLINGS = {
    "mean": Pooling("mean over the episodes where it is defined", _mean_parts, _mean, _floats),
    "ratio": Pooling(
        "Σ numerators / Σ denominators: an episode with one fill does not weigh as much as one with a hundred",
        lambda pair: _known(*pair),
        _mean,
        _ratio_alone,
    ),
    "difference": Pooling(
        "difference of two ratios, each pooled as a ratio",
        lambda four: np.stack([_floats(c) for c in four], axis=1),
        _difference,
        lambda four: _ratio_alone(four[:2]) - _ratio_alone(four[2:]),
    ),
    "sharpe": Pooling(
        "mean / standard deviation (n - 1) over the episodes",
        _square_parts,
        _sharpe,
        lambda values: np.full(len(values), np.nan),
        several=True,
        unvaried="net P&L is the same in every episode",
    ),
    "certainty": Pooling(
        f"-ln(mean exp(-γ W)) / γ over the episodes, γ = {RISK_AVERSION} per tick·lot",
        _certainty_parts,
        _certainty,
        _floats,
    ),
}
"""Pooling by name."""
