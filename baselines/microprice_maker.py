"""``microprice-maker``: quotes around the micro-price instead of the mid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.micro_price import MicroPrice
from baselines.ranges import Range, SearchSpace
from baselines.scales import usual_spread
from baselines.sides import Floats, Maker, limits
from baselines.strategy import View, Wish
from hft_gym.config import setting

__all__ = ["MicroPriceMaker"]


@dataclass(kw_only=True)
class MicroPriceMaker(Maker):
    """Stands ``half_spread`` from the micro-price of Stoikov (2018, Quantitative Finance 18:1959), less the inventory.

    Where the book leans up, the bid comes nearer and the ask steps back before the mid moves. State (N, 211): the
    memory of `MicroPrice` with ten states.

    Args:
        half_spread: of either quote from the micro-price [ticks].
        skew: shift against the inventory [ticks / lot].
        weight: of the micro-price's adjustment of the mid; 0 quotes around the mid.
        scale_ticks: usual spread, the width of the spread's classes [ticks].
    """

    name: ClassVar[str] = "microprice-maker"

    half_spread: float = setting(1.0, above=0.0)
    skew: float = setting(0.1, low=0.0)
    weight: float = setting(1.0, low=0.0)
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
        centre = self.weight * self._price.adjustment(memory, view) - self.skew * view.inventory
        return self.quotes(view, self.half_spread - centre, self.half_spread + centre), memory

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """One usual spread on either side, a shift of one at the limit."""
        scale = usual_spread(env)
        mine = {"half_spread": scale, "skew": scale / env.config.max_position, "scale_ticks": scale}
        return {**super().defaults(env), **mine}

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """Half-spreads from a quarter of a usual spread to four; up to four of them at the limit."""
        scale = usual_spread(env)
        return {
            "half_spread": Range(0.25 * scale, 4.0 * scale, log=True),
            "skew": Range(0.0, 4.0 * scale / env.config.max_position),
            "weight": Range(0.0, 2.0),
            "max_position": limits(env),
        }
