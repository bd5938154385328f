"""Guéant, Lehalle and Fernandez-Tapia (2013), Dealing with the inventory risk, Math. and Financial Economics 7:477.

The market of Avellaneda and Stoikov with inventories limited to -Q..Q, solved exactly: a linear system of ordinary
differential equations, and its asymptotic form far from the horizon. Drift and market impact (adverse selection) as in
the paper's extensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from baselines.closed_forms.avellaneda_stoikov import markup
from baselines.closed_forms.tridiagonal import Solution, log_solution
from hft_gym.config import setting, validate

__all__ = ["Glft", "depths", "inventory_slope"]

Floats = npt.NDArray[np.float64]


def inventory_slope(sigma: Any, arrival_rate: Any, k: Any, gamma: Any, adverse_selection: Any = 0.0) -> Floats:
    """How much a lot of inventory moves the quotes far from the horizon [price per lot].

    sqrt(sigma² gamma / (2 k A) (1 + gamma / k)^(1 + k / gamma)) exp(k xi / 4); 0 at gamma = 0.
    """
    root = np.sqrt(np.square(sigma) * gamma / (2.0 * k * arrival_rate) * np.exp(_log_power(gamma, k)))
    return np.asarray(root * np.exp(0.25 * k * adverse_selection), np.float64)


def _log_power(gamma: Any, k: Any) -> Floats:
    """Ln (1 + gamma / k)^(1 + k / gamma) = (gamma + k) markup; 1 at gamma = 0."""
    return np.asarray((gamma + k) * markup(gamma, k), np.float64)


def depths(
    inventory: Any, sigma: Any, arrival_rate: Any, k: Any, gamma: Any, drift: Any = 0.0, adverse_selection: Any = 0.0
) -> tuple[Floats, Floats]:
    """Asymptotic depths of bid and ask, far from the horizon and without a limit; arguments broadcast.

    Args:
        inventory: lots.
        sigma: volatility of the mid.
        arrival_rate: A, market orders a side at depth 0.
        k: decay of fills with depth.
        gamma: risk aversion, above 0 [1 / price].
        drift: of the mid, per unit of time.
        adverse_selection: xi, move of the mid against each fill [price].

    >>> bid, ask = depths(0, sigma=0.3, arrival_rate=0.9, k=0.3, gamma=0.01)
    >>> round(float(bid), 4), round(float(ask), 4)
    (3.3129, 3.3129)
    """
    slope = inventory_slope(sigma, arrival_rate, k, gamma, adverse_selection)
    centre = markup(gamma, k) + 0.5 * np.asarray(adverse_selection)
    tilt = inventory - drift / (gamma * np.square(sigma))
    return centre + (tilt + 0.5) * slope, centre - (tilt - 0.5) * slope


@dataclass(frozen=True)
class Glft:
    """The exact solution for one market, up to the horizon.

    Args:
        sigma: volatility of the mid.
        arrival_rate: A, market orders a side at depth 0.
        k: decay of fills with depth.
        gamma: risk aversion [1 / price].
        horizon: T.
        limit: Q, largest absolute inventory [lots].
        drift: of the mid.
        adverse_selection: xi, move of the mid against each fill [price].
        steps: of the grid over time; between its points depths are interpolated.

    >>> bid, ask = Glft(sigma=0.3, arrival_rate=0.9, k=0.3, gamma=0.01, horizon=600.0).depths(0, 600.0)
    >>> round(float(bid), 4), round(float(ask), 4)
    (3.313, 3.313)
    """

    sigma: float = setting(above=0.0)
    arrival_rate: float = setting(above=0.0)
    k: float = setting(above=0.0)
    gamma: float = setting(above=0.0)
    horizon: float = setting(1.0, above=0.0)
    limit: int = setting(30, low=1, high=500)
    drift: float = 0.0
    adverse_selection: float = 0.0
    steps: int = setting(400, low=2, high=10**5)

    def __post_init__(self) -> None:
        validate(self)

    @cached_property
    def _solution(self) -> Solution:
        q = np.arange(-self.limit, self.limit + 1.0)
        alpha = 0.5 * self.k * self.gamma * self.sigma**2
        eta = self.arrival_rate * np.exp(-_log_power(self.gamma, self.k))
        xi = self.adverse_selection
        log_v = log_solution(
            alpha * q**2 - self.k * self.drift * q,
            float(eta * np.exp(-0.5 * self.k * xi)),
            -0.5 * self.k * xi * q**2,
            self.horizon,
            self.steps,
        )
        return Solution(log_v, self.limit, self.horizon)

    def depths(self, inventory: Any, time_left: Any) -> tuple[Floats, Floats]:
        """Depths of bid and ask; infinite where a fill would pass the limit.

        Args:
            inventory: whole lots, of any shape.
            time_left: of a shape that broadcasts with it.

        Raises:
            ValueError: an inventory beyond the limit or a time beyond the horizon.
        """
        centre = markup(self.gamma, self.k) + 0.5 * self.adverse_selection
        bid, ask = self._solution.steps_from(inventory, time_left)
        return centre + bid / self.k, centre + ask / self.k

    def asymptotic_depths(self, inventory: Any) -> tuple[Floats, Floats]:
        """What `depths` tends to far from the horizon and the limit: the function `depths` of this module."""
        xi = self.adverse_selection
        return depths(inventory, self.sigma, self.arrival_rate, self.k, self.gamma, self.drift, xi)

    def certainty_equivalent(self, inventory: Any, time_left: Any) -> Floats:
        """What the right to quote is worth to the maker, above cash and inventory at the mid [price · lots].

        Its utility is -exp(-gamma (cash + inventory · mid + this)).
        """
        own = self._solution.at(inventory, time_left)
        return np.asarray(own / self.k + 0.5 * self.adverse_selection * np.square(inventory))
