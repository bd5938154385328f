"""``microprice-taker``: takes where the micro-price says that the touch is about to move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.micro_price import MicroPrice
from baselines.ranges import Range, SearchSpace
from baselines.scales import usual_spread
from baselines.sides import Floats, Taker
from baselines.strategy import View, Wish
from hft_gym.config import setting

__all__ = ["MicroPriceTaker"]


@dataclass(kw_only=True)
class MicroPriceTaker(Taker):
    """Buys when the micro-price of Stoikov (2018, Quantitative Finance 18:1959) lies far enough above the mid.

    State (N, 211): the memory of `MicroPrice` with ten states.

    Args:
        threshold: distance of the micro-price from the mid, in half-spreads of the moment: from 1 on it lies beyond
            the price that is paid.
        scale_ticks: usual spread, the width of the spread's classes [ticks].
    """

    name: ClassVar[str] = "microprice-taker"

    threshold: float = setting(1.0, above=0.0)
    scale_ticks: float = setting(1.0, above=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._price = MicroPrice(scale_ticks=self.scale_ticks)

    def begin(self, view: View) -> Floats:
        """(N, 211) zeros."""
        return np.zeros((len(view), self._price.width))

    def decide(self, view: View, memory: Floats) -> tuple[Wish, Floats]:
        """See the class."""
        memory = self._price.update(memory, view)
        signal = self._price.adjustment(memory, view) / (0.5 * (view.ask - view.bid))
        return self.follow(view, signal, self.threshold), memory

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The environment's limits and scale."""
        return {**super().defaults(env), "scale_ticks": usual_spread(env)}

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """From a third of the half-spread to three of them."""
        return {"threshold": Range(0.3, 3.0, log=True), **cls.shared_space(env)}
