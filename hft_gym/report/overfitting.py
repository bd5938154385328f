"""What choosing the best of many trials does to its figures: the trials, and the probability of overfitting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

from hft_gym.errors import ConfigError
from hft_gym.report.sharpe import expected_maximum, scatter

__all__ = ["Trials", "overfitting_probability"]

Floats = npt.NDArray[np.float64]

BLOCKS = 16
"""Blocks of the combinatorially symmetric cross-validation; 12,870 ways to halve them."""


@dataclass(frozen=True)
class Trials:
    """Everything that was tried before a policy was chosen.

    Attributes:
        sharpes: (N,) Sharpe ratio of the net P&L over episodes, per episode; 0 where it did not vary.
        pnl: (N, T) net P&L of each trial on common episodes; None where the trials did not share them.
        independent: how many independent trials they are worth; None: each is one.
        deviation: standard deviation of the ratios of independent trials; None: that of *sharpes*.
    """

    sharpes: Floats
    pnl: Floats | None = None
    independent: float | None = None
    deviation: float | None = None

    def __len__(self) -> int:
        return len(self.sharpes)

    @property
    def threshold(self) -> float:
        """SR₀: the Sharpe ratio that the best of them would show if none was better than another (Bailey & López de
        Prado 2014, equation 1).
        """
        said = self.record()
        return said["deviation"] * expected_maximum(said["independent"])

    def record(self) -> dict[str, float]:
        """What `threshold` is made of, as plain data: trials, independent ones, standard deviation of their ratios."""
        return {
            "trials": len(self),
            "independent": float(len(self)) if self.independent is None else self.independent,
            "deviation": scatter(self.sharpes) if self.deviation is None else self.deviation,
        }

    @classmethod
    def of(cls, pnl: npt.ArrayLike) -> Trials:
        """From (N, T) net P&L of N trials on T common episodes.

        Raises:
            ConfigError: not a matrix.
        """
        matrix = _matrix(pnl)
        return cls(sharpe_of(matrix), matrix)

    @classmethod
    def of_learnings(cls, learnings: Sequence[npt.ArrayLike]) -> Trials:
        """From training runs: of each the (M, T) net P&L of its M validations on T common episodes.

        The validations of one run are stages of one strategy. As trials they are neither independent, nor do their
        Sharpe ratios scatter by chance: they rise, because something is learned. So a run is a cluster of trials
        (López de Prado & Lewis 2019, "Detection of False Investment Strategies Using Unsupervised Learning Methods"):

        - it counts as ρ + (1 - ρ) M independent trials, ρ the mean correlation of its validations over the episodes
          and at least 0 (Bailey & López de Prado 2014, appendix 3): choosing the best of them still costs something;
        - the ratios of trials scatter as the best ones of the runs do, and at least by 1 / √(T - 1), as the ratios of
          strategies without skill would; of a single run nothing else is known.

        Raises:
            ConfigError: no run, or a run that is not a matrix.
        """
        runs = [_matrix(run) for run in learnings]
        if not runs:
            raise ConfigError("trials: there is no training run")
        ratios = [sharpe_of(run) for run in runs]
        chance = 1.0 / max(min(run.shape[1] for run in runs) - 1, 1) ** 0.5
        return cls(
            np.concatenate(ratios),
            None,
            sum(_independent(run) for run in runs),
            max(scatter([ratio.max() for ratio in ratios]), chance),
        )


def _matrix(pnl: npt.ArrayLike) -> Floats:
    matrix = np.asarray(pnl, np.float64)
    if matrix.ndim != 2:
        raise ConfigError(f"trials: expected (trials, episodes) of net P&L, got shape {matrix.shape}")
    return matrix


def _independent(pnl: Floats) -> float:
    """How many independent trials the (M, T) ones are worth; one that does not vary is correlated with none."""
    count = len(pnl)
    if count < 2 or pnl.shape[1] < 2:
        return float(count)
    centred = pnl - pnl.mean(axis=1, keepdims=True)
    size = np.sqrt((centred**2).sum(axis=1))
    usable = size > 1e-12 * np.abs(pnl).max(axis=1, initial=0.0)
    unit = centred[usable] / size[usable, None]
    pairs = count * (count - 1)
    mean = min(max((float(np.sum(unit.sum(axis=0) ** 2)) - len(unit)) / pairs, 0.0), 1.0)
    return mean + (1.0 - mean) * count


def sharpe_of(pnl: Floats) -> Floats:
    """(N,) mean / standard deviation (n - 1) of each row; 0 where a row does not vary."""
    if pnl.shape[1] < 2:
        return np.zeros(len(pnl))
    spread = pnl.std(axis=1, ddof=1)
    usable = spread > 1e-12 * np.abs(pnl).max(axis=1, initial=0.0)
    out = np.zeros(len(pnl))
    np.divide(pnl.mean(axis=1), spread, out=out, where=usable)
    return out


def overfitting_probability(pnl: npt.ArrayLike, blocks: int = BLOCKS) -> float:
    """Probability that the trial which is best on one half of the episodes is below the median on the other.

    Combinatorially symmetric cross-validation: Bailey, Borwein, López de Prado & Zhu 2017, "The Probability of Backtest
    Overfitting". The episodes are cut into blocks; for every way to take half of the blocks, the trial with the best
    mean P&L on them (that is how `train.tune` chooses) is ranked among all on the others: ω = rank / (N + 1), rank 1
    the worst, ties at their mean rank. PBO is the share of the ways in which ln(ω / (1 - ω)) <= 0. With N trials of
    equal worth it is about a half; trials that are the same in every episode give 1, for nothing can be chosen.

    Args:
        pnl: (N, T) net P&L of N trials on T common episodes.
        blocks: how many, even; fewer where there are not two episodes a block.

    Raises:
        ConfigError: fewer than two trials, fewer than eight episodes, an odd number of blocks, or NaN.
    """
    matrix = np.asarray(pnl, np.float64)
    if matrix.ndim != 2 or len(matrix) < 2 or matrix.shape[1] < 8:
        raise ConfigError(f"overfitting: needs at least 2 trials on at least 8 episodes, got shape {matrix.shape}")
    if np.isnan(matrix).any():
        raise ConfigError("overfitting: net P&L of a trial is NaN")
    if blocks < 4 or blocks % 2:
        raise ConfigError(f"overfitting: blocks must be even and at least 4, got {blocks}")
    blocks = min(blocks, matrix.shape[1] // 4 * 2)
    per = matrix.shape[1] // blocks
    sums = matrix[:, : per * blocks].reshape(len(matrix), blocks, per).sum(axis=2)
    halves = np.zeros((comb(blocks, blocks // 2), blocks))
    for row, half in zip(halves, combinations(range(blocks), blocks // 2), strict=True):
        row[list(half)] = 1.0
    inside = halves @ sums.T
    outside = sums.sum(axis=1) - inside
    best = inside.argmax(axis=1)
    chosen = outside[np.arange(len(best)), best][:, None]
    # Sums in another order differ by rounding: what is equal must tie.
    speck = 1e-9 * np.abs(sums).sum(axis=1).max(initial=0.0)
    below = (outside < chosen - speck).sum(axis=1)
    equal = (np.abs(outside - chosen) <= speck).sum(axis=1)
    relative = (below + (equal + 1) / 2.0) / (len(matrix) + 1)
    return float(np.mean(relative <= 0.5 + 1e-12))
