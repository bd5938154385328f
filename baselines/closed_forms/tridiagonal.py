"""The linear systems behind optimal quoting: v' = M v backwards from the horizon, M symmetric and tridiagonal.

A maker whose inventory is a whole number between -Q and Q, and whose fills decay exponentially with depth, leads to
v_q' = d_q v_q - e (v_{q-1} + v_{q+1}) (Guéant, Lehalle and Fernandez-Tapia 2013; Cartea and Jaimungal 2015). The values
at the ends of the range are smaller than at its middle by many orders of magnitude, so an eigen-decomposition
loses them to cancellation. Here only numbers >= 0 are added: exp(-M t) = exp(-c t) exp((c - M) t) with c so large that
c - M has no negative element, and each element comes out to nearly full relative accuracy.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Solution", "log_solution", "nonnegative_exponential"]

Array = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def nonnegative_exponential(matrix: Floats) -> Floats:
    """Exp of a matrix without negative elements, by its series and repeated squaring.

    Raises:
        ValueError: an element is negative or not finite.
    """
    if not np.isfinite(matrix).all() or (matrix < 0.0).any():
        raise ValueError(f"expected finite elements >= 0, got {matrix.min()} to {matrix.max()}")
    norm = float(matrix.sum(axis=1).max())
    squarings = max(0, math.ceil(math.log2(norm))) if norm > 1.0 else 0
    scaled = matrix / 2.0**squarings
    term = np.eye(len(matrix))
    total = term.copy()
    for n in range(1, 25):  # the norm is at most 1: what is left out is below 1 / 25!
        term = term @ scaled / n
        total += term
    for _ in range(squarings):
        total = total @ total
        if total.max() > 1e150:
            raise ValueError(f"exp of a matrix of norm {norm:g} is too large; take shorter steps")
    return total


def log_solution(diagonal: Floats, coupling: float, log_terminal: Floats, horizon: float, steps: int) -> Floats:
    """Ln v at the times left 0, horizon / steps, ..., horizon.

    Args:
        diagonal: (n,) d_q.
        coupling: e > 0.
        log_terminal: (n,) ln v at the horizon.
        horizon: time.
        steps: of the grid; the solution at its points is exact.

    Returns:
        (steps + 1, n).

    Raises:
        ValueError: the range is so wide that values at its ends underflow.
    """
    n, dt = len(diagonal), horizon / steps
    shift = float(diagonal.max())
    matrix = np.diag(shift - diagonal)
    matrix[np.arange(n - 1), np.arange(1, n)] = matrix[np.arange(1, n), np.arange(n - 1)] = coupling
    # Long steps are cut, so that no power of the matrix overflows.
    parts = max(1, math.ceil(float(matrix.sum(axis=1).max()) * dt / 200.0))
    step = nonnegative_exponential(matrix * (dt / parts))
    out = np.empty((steps + 1, n))
    out[0] = log_terminal
    scale = float(log_terminal.max())
    v = np.exp(log_terminal - scale)
    for j in range(1, steps + 1):
        for _ in range(parts):
            v = step @ v
            top = float(v.max())
            v /= top
            scale += math.log(top) - shift * dt / parts
        if v.min() == 0.0:
            raise ValueError("the range of inventories is too wide: values at its ends are 0 to double precision")
        out[j] = np.log(v) + scale
    return out


class Solution:
    """A table of ln v over times left 0 to *horizon* (rows) and inventories -limit to limit (columns).

    Between the times of the table it is linear.
    """

    def __init__(self, log_v: Floats, limit: int, horizon: float) -> None:
        self.log_v, self.limit, self.horizon = log_v, limit, horizon

    def at(self, inventory: Any, time_left: Any) -> Floats:
        """Ln v_q.

        Args:
            inventory: q, whole numbers of any shape.
            time_left: of a shape that broadcasts with it.

        Raises:
            ValueError: an inventory beyond the limit or a time beyond the horizon.
        """
        q, row, weight = self._where(inventory, time_left)
        return self._between(row, q + self.limit, weight)

    def steps_from(self, inventory: Any, time_left: Any) -> tuple[Floats, Floats]:
        """Ln v_q - ln v_{q+1} and ln v_q - ln v_{q-1}, for the arguments of `at`; infinite beyond the limit."""
        q, row, weight = self._where(inventory, time_left)
        column = q + self.limit
        own = self._between(row, column, weight)
        up = own - self._between(row, np.minimum(column + 1, 2 * self.limit), weight)
        down = own - self._between(row, np.maximum(column - 1, 0), weight)
        return np.where(q == self.limit, np.inf, up), np.where(q == -self.limit, np.inf, down)

    def _between(self, row: Array, column: Array, weight: Floats) -> Floats:
        return self.log_v[row, column] * (1.0 - weight) + self.log_v[row + 1, column] * weight

    def _where(self, inventory: Any, time_left: Any) -> tuple[Array, Array, Floats]:
        """Inventories as whole numbers, and the row before each time with the weight of the next."""
        q, times = np.broadcast_arrays(np.asarray(inventory), np.asarray(time_left, np.float64))
        q = q.astype(np.int64)
        if q.size and np.abs(q).max() > self.limit:
            raise ValueError(f"inventory {q.flat[np.abs(q).argmax()]} is beyond the solution's limit of {self.limit}")
        low, high = float(times.min(initial=0.0)), float(times.max(initial=0.0))
        if not (low >= -1e-6 * self.horizon and high <= self.horizon * (1 + 1e-6)):
            raise ValueError(f"time left is {low:g} to {high:g}; the solution is for 0 to {self.horizon:g}")
        place = np.clip(times / self.horizon, 0.0, 1.0) * (len(self.log_v) - 1)
        row = np.minimum(place.astype(np.int64), len(self.log_v) - 2)
        return q, row, place - row
