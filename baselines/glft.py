"""``glft``: the stationary quotes of Guéant, Lehalle and Fernandez-Tapia, with what fills cost by adverse selection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.closed_forms import glft_depths
from baselines.ranges import Range, SearchSpace
from baselines.scales import usual_spread
from baselines.sides import EstimatingMaker, Floats
from baselines.strategy import View, Wish
from hft_gym.config import setting

__all__ = ["Glft"]


@dataclass(kw_only=True)
class Glft(EstimatingMaker):
    """Guéant, Lehalle and Fernandez-Tapia (2013), Dealing with the inventory risk, Math. and Financial Economics 7:477.

    The asymptotic quotes of the paper's section 4 with the market impact of its section 5.2: xi, how far the mid moves
    against a fill. Volatility, A and k come from the market, xi from the own fills; inventory counts in orders.
    State as of `EstimatingMaker`.

    Args:
        gamma: risk aversion [1 / (tick · order)].
        adverse_weight: share of the measured adverse selection that is charged; 0: the paper's model without impact.
    """

    name: ClassVar[str] = "glft"

    gamma: float = setting(0.02, above=0.0)
    adverse_weight: float = setting(1.0, low=0.0)

    def decide(self, view: View, memory: Floats) -> tuple[Wish, Floats]:
        """See the class."""
        memory, sigma, rate, k = self.learn(view, memory)
        xi = self.adverse_weight * np.maximum(self._adverse.value(self._stack.of(memory, 2)), 0.0)
        orders = view.inventory / view.lot
        depths = glft_depths(orders, sigma, rate, k, self.gamma, adverse_selection=xi)
        return self.quotes(view, *depths), memory

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The environment's limits and scale."""
        return {**super().defaults(env), "gamma": 0.02 / usual_spread(env)}

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """Risk aversion over four decades, adverse selection charged not at all to twice."""
        scale = usual_spread(env)
        return {
            "gamma": Range(1e-4 / scale, 1.0 / scale, log=True),
            "adverse_weight": Range(0.0, 2.0),
            **cls.shared_space(env),
        }
