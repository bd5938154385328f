"""Almgren and Chriss (2000), Optimal execution of portfolio transactions, Journal of Risk 3:5.

A position is sold in N equal intervals under linear permanent and temporary impact; the efficient trajectories are
hyperbolic sines. Equations (1) to (22) of the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError

__all__ = ["AlmgrenChriss", "share_held", "urgency"]

Floats = npt.NDArray[np.float64]


def urgency(squared: Any, interval: float = 0.0) -> Floats:
    """Kappa of 2 (cosh(kappa tau) - 1) / tau² = *squared*; its limit, the root, for *interval* tau = 0."""
    root = np.sqrt(np.asarray(squared, np.float64))
    if interval == 0.0:
        return root
    # cosh(x) - 1 = 2 sinh(x / 2)²: no digits are lost where the urgency is small.
    return np.asarray(2.0 / interval * np.arcsinh(0.5 * interval * root))


def share_held(kappa: Any, passed: Any, horizon: Any) -> Floats:
    """sinh(kappa (T - t)) / sinh(kappa T) at t = *passed* of T = *horizon*; arguments broadcast. Equation (17)."""
    kappa, passed, horizon = np.broadcast_arrays(*(np.asarray(a, np.float64) for a in (kappa, passed, horizon)))
    left = np.maximum(horizon - passed, 0.0)
    straight = left / np.where(horizon > 0, horizon, 1.0)
    flat = kappa * horizon < 1e-8
    k = np.where(flat, 1.0, kappa)
    # sinh(a) / sinh(b) by exponentials that cannot overflow.
    bottom = np.expm1(-2.0 * k * np.where(horizon > 0, horizon, 1.0))
    return np.where(flat, straight, np.exp(-k * (horizon - left)) * np.expm1(-2.0 * k * left) / bottom)


@dataclass(frozen=True)
class AlmgrenChriss:
    """The problem of selling ``quantity`` within ``horizon``; a negative one is bought.

    Args:
        quantity: X [shares].
        horizon: T.
        intervals: N, each T / N long.
        sigma: volatility of the price [price / sqrt(time)].
        temporary: eta, price move per share and time [price · time / share].
        permanent: gamma, price move per share traded.
        fixed: epsilon, cost per share traded: half the spread, and fees [price].

    >>> problem = AlmgrenChriss(1e6, 5.0, 5, sigma=0.95, temporary=2.5e-6, permanent=2.5e-7, fixed=0.0625)
    >>> round(problem.kappa(1e-6), 4)
    0.6071
    >>> problem.trajectory(1e-6).round(-3).tolist()
    [1000000.0, 542000.0, 290000.0, 148000.0, 62000.0, 0.0]
    """

    quantity: float
    horizon: float = setting(above=0.0)
    intervals: int = setting(low=1, high=10**6)
    sigma: float = setting(low=0.0)
    temporary: float = setting(above=0.0)
    permanent: float = setting(0.0, low=0.0)
    fixed: float = setting(0.0, low=0.0)

    def __post_init__(self) -> None:
        validate(self)
        if self._adjusted <= 0.0:
            raise ConfigError(
                f"temporary is {self.temporary}; it must be above permanent · interval / 2, which is "
                f"{0.5 * self.permanent * self.interval:g}"
            )

    @property
    def interval(self) -> float:
        """Tau = T / N."""
        return self.horizon / self.intervals

    @property
    def _adjusted(self) -> float:
        """Eta less half the permanent impact of one interval."""
        return self.temporary - 0.5 * self.permanent * self.interval

    def kappa(self, risk_aversion: float) -> float:
        """Urgency: 2 (cosh(kappa tau) - 1) / tau² = lambda sigma² / eta [1 / time].

        Args:
            risk_aversion: lambda, weight of the variance [1 / price · shares].
        """
        tau = self.interval
        return float(urgency(risk_aversion * self.sigma**2 / self._adjusted, tau))

    def trajectory(self, risk_aversion: float) -> Floats:
        """Shares held at the times 0, tau, ..., T, shape (N + 1,): equation (17)."""
        kappa = self.kappa(risk_aversion)
        left = self.horizon - self.interval * np.arange(self.intervals + 1)
        left[-1] = 0.0
        return np.asarray(self.quantity * share_held(kappa, self.horizon - left, self.horizon))

    def twap(self) -> Floats:
        """The trajectory that sells at a constant rate: least expected cost, shape (N + 1,)."""
        return np.asarray(self.quantity * (1.0 - np.arange(self.intervals + 1) / self.intervals))

    def expected_cost(self, held: Any) -> float:
        """E of the shortfall of a trajectory: equation (8) with linear impact [price · shares]."""
        sold = -np.diff(np.asarray(held, np.float64))
        impact = self._adjusted / self.interval * np.square(sold).sum()
        return float(0.5 * self.permanent * self.quantity**2 + self.fixed * np.abs(sold).sum() + impact)

    def variance(self, held: Any) -> float:
        """V of the shortfall of a trajectory: equation (5) [(price · shares)²]."""
        return float(self.sigma**2 * self.interval * np.square(np.asarray(held, np.float64)[1:]).sum())

    def frontier(self, risk_aversions: Any) -> Floats:
        """Expected cost and variance of the efficient trajectories, (n, 2), in closed form: equation (20)."""
        out = np.empty((np.size(risk_aversions), 2))
        tau, total, x = self.interval, self.horizon, self.quantity
        for row, risk_aversion in zip(out, np.ravel(risk_aversions), strict=True):
            kappa = self.kappa(float(risk_aversion))
            if not 1e-5 < kappa * total < 300.0:  # the closed form tends to 0 / 0, or overflows
                held = self.trajectory(float(risk_aversion))
                row[:] = self.expected_cost(held), self.variance(held)
                continue
            sinh, cosh, tanh = np.sinh, np.cosh, np.tanh
            shape = tanh(0.5 * kappa * tau) * (tau * sinh(2 * kappa * total) + 2 * total * sinh(kappa * tau))
            impact = self._adjusted * x**2 * shape / (2 * tau**2 * sinh(kappa * total) ** 2)
            row[0] = 0.5 * self.permanent * x**2 + self.fixed * abs(x) + impact
            spread = tau * sinh(kappa * total) * cosh(kappa * (total - tau)) - total * sinh(kappa * tau)
            row[1] = 0.5 * self.sigma**2 * x**2 * spread / (sinh(kappa * total) ** 2 * sinh(kappa * tau))
        return out
