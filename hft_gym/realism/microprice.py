"""Stoikov's (2018) micro-price: the mid to be expected in the long run, given spread and imbalance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.realism.facts import Curve

Floats = NDArray[np.float64]
TERMS = 6
"""Terms of G* = sum B^k G^1 that are summed; the paper finds six enough."""


@dataclass(frozen=True)
class MicroPrice:
    """A fitted micro-price.

    Attributes:
        spreads: ``(S,)`` largest spread of each spread class [ticks].
        buckets: number of imbalance buckets.
        adjustment: ``(S * buckets,)`` micro-price - mid of each state [ticks].
    """

    spreads: NDArray[np.int64]
    buckets: int
    adjustment: Floats

    def state(self, spread: Any, imbalance: Any) -> NDArray[np.int64]:
        """State numbers of spreads [ticks] and imbalances [-1, 1]."""
        row = np.minimum(np.searchsorted(self.spreads, spread), len(self.spreads) - 1)
        column = np.clip(((np.asarray(imbalance) + 1.0) / 2.0 * self.buckets).astype(np.int64), 0, self.buckets - 1)
        found: NDArray[np.int64] = row * self.buckets + column
        return found

    def curve(self) -> Curve:
        """The adjustment against the imbalance at the smallest spread."""
        centre = (np.arange(self.buckets) + 0.5) / self.buckets * 2.0 - 1.0
        return Curve(centre, self.adjustment[: self.buckets])


def fit_micro_price(spread: Any, imbalance: Any, mid: Any, buckets: int = 10, classes: int = 4) -> MicroPrice | None:
    """Fit to consecutive states of a book: G^1 = (1 - Q)^-1 R k, B = (1 - Q)^-1 T, G* = sum over k < 6 of B^k G^1.

    Q: the transitions that leave the mid where it is, T those that move it, R k the mean move. Each transition counts
    a second time in the mirror (imbalance and move of opposite sign), as in the paper, so that B^k G^1 converges.

    Args:
        spread: ``(n,)`` [ticks].
        imbalance: ``(n,)`` in [-1, 1].
        mid: ``(n,)`` [ticks].
        buckets: of the imbalance.
        classes: of the spread at most, by its quantiles.

    Returns:
        The model; None if the mid never moves.
    """
    spread, imbalance, mid = np.asarray(spread), np.asarray(imbalance, float), np.asarray(mid, float)
    edges = np.unique(np.quantile(spread, np.arange(1, classes + 1) / classes).astype(np.int64))
    model = MicroPrice(edges, buckets, np.zeros(len(edges) * buckets))
    n = len(model.adjustment)
    move = np.diff(mid)
    if not (move != 0).any():
        return None
    stay, change, first = np.zeros((n, n)), np.zeros((n, n)), np.zeros(n)
    for sign in (1.0, -1.0):
        # An imbalance on a bucket's edge mirrors into the mirrored bucket.
        state = model.state(spread, imbalance)
        if sign < 0:
            state = state // buckets * buckets + (buckets - 1 - state % buckets)
        moved = move != 0
        np.add.at(stay, (state[:-1][~moved], state[1:][~moved]), 1.0)
        np.add.at(change, (state[:-1][moved], state[1:][moved]), 1.0)
        np.add.at(first, state[:-1][moved], sign * move[moved])
    total = stay.sum(1) + change.sum(1)
    seen = np.maximum(total, 1.0)[:, None]
    stay, change, first = stay / seen, change / seen, first / seen[:, 0]
    inverse = np.linalg.pinv(np.eye(n) - stay)
    g1, b = inverse @ first, inverse @ change
    adjustment, term = np.zeros(n), g1
    for _ in range(TERMS):
        adjustment += term
        term = b @ term
    return MicroPrice(edges, buckets, adjustment)
