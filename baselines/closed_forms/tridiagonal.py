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

__all__ = ["interpolated", "log_solution", "nonnegative_exponential"]

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


def interpolated(table: Floats, time_left: Any, horizon: float) -> Floats:
    """Rows of a table over the times left 0 to *horizon*, linear between them: (..., n) for times of shape (...).

    Raises:
        ValueError: a time outside the table.
    """
    times = np.asarray(time_left, np.float64)
    low, high = float(times.min(initial=0.0)), float(times.max(initial=0.0))
    if not (low >= -1e-9 * horizon and high <= horizon * (1 + 1e-6)):
        raise ValueError(f"time left is {low:g} to {high:g}; the solution is for 0 to {horizon:g}")
    at = np.clip(times / horizon, 0.0, 1.0) * (len(table) - 1)
    first = np.minimum(at.astype(np.int64), len(table) - 2)
    weight = (at - first)[..., None]
    return np.asarray(table[first] * (1.0 - weight) + table[first + 1] * weight)
