"""Cartea, Jaimungal and Penalva (2015), Algorithmic and High-Frequency Trading, chapter 10: market making with an
inventory penalty.

The maker maximises E[cash + q · mid - alpha q² at the horizon - phi · integral of q²]; market orders arrive at the rate
lambda a side and reach a quote at depth d with probability exp(-kappa d). The value is cash + q · mid + h(t, q).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import exp
from typing import Any

import numpy as np
import numpy.typing as npt

from baselines.closed_forms.tridiagonal import Solution, log_solution
from hft_gym.config import setting, validate

__all__ = ["CarteaJaimungal"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CarteaJaimungal:
    """The solution for one market, up to the horizon: equations (10.11) and following of the book.

    Args:
        arrival_rate: lambda, market orders a side at depth 0.
        k: kappa, decay of fills with depth.
        running: phi, penalty per time and squared lot.
        terminal: alpha, penalty per squared lot at the horizon.
        horizon: T.
        limit: largest absolute inventory [lots].
        steps: of the grid over time; between its points depths are interpolated.

    >>> maker = CarteaJaimungal(arrival_rate=140.0, k=1.5, running=0.01, terminal=0.001)
    >>> round(float(maker.value(0, 1.0)), 4)
    68.2558
    """

    arrival_rate: float = setting(above=0.0)
    k: float = setting(above=0.0)
    running: float = setting(0.0, low=0.0)
    terminal: float = setting(0.0, low=0.0)
    horizon: float = setting(1.0, above=0.0)
    limit: int = setting(50, low=1, high=500)
    steps: int = setting(400, low=2, high=10**5)

    def __post_init__(self) -> None:
        validate(self)

    @cached_property
    def _solution(self) -> Solution:
        q = np.arange(-self.limit, self.limit + 1.0)
        log_omega = log_solution(
            self.running * self.k * q**2,
            self.arrival_rate * exp(-1.0),
            -self.terminal * self.k * q**2,
            self.horizon,
            self.steps,
        )
        return Solution(log_omega, self.limit, self.horizon)

    def depths(self, inventory: Any, time_left: Any) -> tuple[Floats, Floats]:
        """Depths of bid and ask; infinite where a fill would pass the limit.

        Args:
            inventory: whole lots, of any shape.
            time_left: of a shape that broadcasts with it.

        Raises:
            ValueError: an inventory beyond the limit or a time beyond the horizon.
        """
        bid, ask = self._solution.steps_from(inventory, time_left)
        return (1.0 + bid) / self.k, (1.0 + ask) / self.k

    def value(self, inventory: Any, time_left: Any) -> Floats:
        """h: what the maker expects above cash and inventory at the mid [price · lots]."""
        return self._solution.at(inventory, time_left) / self.k
