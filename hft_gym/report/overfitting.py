"""What choosing the best of many trials does to its figures: the trials, and the probability of overfitting."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

from hft_gym.errors import ConfigError

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
    """

    sharpes: Floats
    pnl: Floats | None = None

    def __len__(self) -> int:
        return len(self.sharpes)

    @classmethod
    def of(cls, pnl: npt.ArrayLike) -> Trials:
        """From (N, T) net P&L of N trials on T common episodes.

        Raises:
            ConfigError: not a matrix.
        """
        matrix = np.asarray(pnl, np.float64)
        if matrix.ndim != 2:
            raise ConfigError(f"trials: expected (trials, episodes) of net P&L, got shape {matrix.shape}")
        return cls(sharpe_of(matrix), matrix)


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
