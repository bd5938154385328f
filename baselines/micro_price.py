"""The micro-price, estimated as it goes, for the strategies that trade on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from baselines.strategy import View

__all__ = ["MicroPrice"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MicroPrice:
    """Stoikov (2018), The micro-price: a high-frequency estimator of future prices, Quantitative Finance 18:1959.

    States are a bucket of the touch's imbalance and a class of the spread. From counts of transitions that leave the
    mid where it is (Q) and that move it (T, by R k on average): G1 = (1 - Q)^-1 R k, B = (1 - Q)^-1 T, and the
    micro-price is mid + sum of B^i G1 (section 3 of the paper; six terms are enough). Each transition counts a second
    time in the mirror, as there. Before anything is seen each state is believed to have moved ``prior_moves`` times,
    by imbalance · spread / 2 on average, to a balanced book: the weighted mid.

    Memory (N, 1 + S + 2 S²), S = classes · buckets: 1 + the last state (0: none); moves summed; counts of
    transitions without and with a move.

    Args:
        buckets: of the imbalance.
        classes: of the spread: ``scale_ticks``, twice that, ..., the last one open.
        scale_ticks: width of the first class.
        prior_moves: what the prior is worth, in moves of each state.
    """

    buckets: int = 5
    classes: int = 2
    scale_ticks: float = 1.0
    prior_moves: float = 2.0
    terms: int = 6

    @property
    def states(self) -> int:
        """S."""
        return self.buckets * self.classes

    @property
    def width(self) -> int:
        """Columns of the memory."""
        return 1 + self.states + 2 * self.states**2

    def state(self, view: View) -> npt.NDArray[np.int64]:
        """(N,) state now; -1 where a side is empty."""
        spread = view.ask - view.bid
        row = np.ceil(np.nan_to_num(spread, nan=1.0) / self.scale_ticks - 1e-6).astype(np.int64) - 1
        column = ((view.imbalance + 1.0) / 2.0 * self.buckets).astype(np.int64)
        found = np.clip(row, 0, self.classes - 1) * self.buckets + np.clip(column, 0, self.buckets - 1)
        return np.where(np.isnan(spread), -1, found)

    def mirror(self, state: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The state with bid and ask exchanged."""
        return np.asarray(state // self.buckets * self.buckets + self.buckets - 1 - state % self.buckets)

    def update(self, memory: Floats, view: View) -> Floats:
        """See the class."""
        now, was = self.state(view), memory[:, 0].astype(np.int64) - 1
        out = memory.copy()
        out[:, 0] = now + 1
        rows = np.flatnonzero((now >= 0) & (was >= 0))
        if len(rows):
            n, move = self.states, view.mid_change[rows]
            moved = np.abs(move) > 1e-6
            sides = ((was[rows], now[rows], move), (self.mirror(was[rows]), self.mirror(now[rows]), -move))
            for before, after, change in sides:
                out[rows, 1 + before] += np.where(moved, change, 0.0)
                out[rows, 1 + n + moved * n * n + before * n + after] += 1.0
        return out

    def adjustment(self, memory: Floats, view: View) -> Floats:
        """(N,) micro-price minus mid [ticks]; 0 where a side is empty."""
        n, count = self.states, len(memory)
        stay = memory[:, 1 + n : 1 + n + n * n].reshape(count, n, n)
        change = memory[:, 1 + n + n * n :].reshape(count, n, n) + self.prior_moves * self._balanced()
        first = memory[:, 1 : 1 + n] + self.prior_moves * self._believed()
        total = (stay + change).sum(axis=2, keepdims=True)
        right = np.concatenate([change, first[:, :, None]], axis=2) / total
        solved = np.linalg.solve(np.eye(n) - stay / total, right)
        b, term = solved[:, :, :n], solved[:, :, n:]
        value = np.zeros_like(term)
        for _ in range(self.terms):
            value += term
            term = b @ term
        now = self.state(view)
        return np.where(now >= 0, value[np.arange(count), np.maximum(now, 0), 0], 0.0)

    def _balanced(self) -> Floats:
        """(S, S) all to the balanced states: the middle bucket, or the middle two, of the narrowest spread."""
        out = np.zeros((self.states, self.states))
        middle = {(self.buckets - 1) // 2, self.buckets // 2}
        out[:, sorted(middle)] = 1.0 / len(middle)
        return out

    def _believed(self) -> Floats:
        """(S,) mean move by the weighted mid."""
        imbalance = (np.arange(self.buckets) + 0.5) / self.buckets * 2.0 - 1.0
        spread = self.scale_ticks * (np.arange(self.classes) + 1.0)
        return np.asarray(np.outer(spread / 2.0, imbalance).ravel())
