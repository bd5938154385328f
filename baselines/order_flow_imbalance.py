"""``order-flow-imbalance``: follows what arrives at and leaves the touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.estimators import OrderFlow
from baselines.ranges import Range, SearchSpace
from baselines.scales import usual_spread
from baselines.sides import Floats, Taker
from baselines.strategy import View, Wish
from hft_gym.config import setting

__all__ = ["OrderFlowImbalance"]


@dataclass(kw_only=True)
class OrderFlowImbalance(Taker):
    """Cont, Kukanov and Stoikov (2014), The price impact of order book events, J. Financial Econometrics 12:47.

    The order flow imbalance of equation (4), older events fading, times the slope of equation (6), which is estimated
    as it goes: the move that the recent flow speaks of. The paper's relation holds within an interval; that the flow
    goes on, which a taker needs, is what the tuning finds out.

    State (N, 11): the memory of `OrderFlow`.

    Args:
        horizon_s: time constant of the flow.
        threshold: move [ticks].
    """

    name: ClassVar[str] = "order-flow-imbalance"

    horizon_s: float = setting(1.0, above=0.0)
    threshold: float = setting(1.0, above=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._flow = OrderFlow(self.horizon_s)

    def begin(self, view: View) -> Floats:
        """(N, 11) zeros."""
        return np.zeros((len(view), self._flow.width))

    def decide(self, view: View, memory: Floats) -> tuple[Wish, Floats]:
        """See the class."""
        memory = self._flow.update(memory, view)
        return self.follow(view, self._flow.signal(memory), self.threshold), memory

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The environment's limits; a usual spread."""
        return {**super().defaults(env), "threshold": usual_spread(env)}

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """A fifth of a second to ten; part of a spread to several."""
        scale = usual_spread(env)
        return {
            "horizon_s": Range(0.2, 10.0, log=True),
            "threshold": Range(0.2 * scale, 8.0 * scale, log=True),
            **cls.shared_space(env),
        }
