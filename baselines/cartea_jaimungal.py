"""``cartea-jaimungal``: quotes of a maker who pays for inventory as it holds it, and once more at the end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from baselines.closed_forms import CarteaJaimungal
from baselines.ranges import Range, SearchSpace
from baselines.scales import episode_seconds, usual_spread
from baselines.sides import EstimatingMaker, Floats
from baselines.strategy import View, Wish
from hft_gym.config import setting

__all__ = ["CarteaJaimungalMaker"]

RATE_RATIO, DECAY_RATIO = 1.5, 1.15
"""Estimates are rounded to powers of these, so that a few solutions serve all markets and all moments."""


@dataclass(kw_only=True)
class CarteaJaimungalMaker(EstimatingMaker):
    """Cartea, Jaimungal and Penalva (2015), Algorithmic and High-Frequency Trading, section 10.2: equation (10.11).

    The exact solution for a bounded inventory, with the arrival rate and the decay of fills estimated from the market
    and rounded to a grid; inventory counts in orders. State as of `EstimatingMaker`.

    Args:
        running: phi, penalty per second and squared order [ticks].
        terminal: alpha, penalty per squared order held at the end [ticks].
        horizon_s: seconds until the end, at the start.
    """

    name: ClassVar[str] = "cartea-jaimungal"

    running: float = setting(0.01, low=0.0)
    terminal: float = setting(0.05, low=0.0)
    horizon_s: float = setting(100.0, above=0.0)

    def decide(self, view: View, memory: Floats) -> tuple[Wish, Floats]:
        """See the class."""
        memory, _, rate, k = self.learn(view, memory)
        limit = max(1, self.max_position // view.lot)
        orders = np.clip(np.round(view.inventory / view.lot), -limit, limit)
        left = np.clip(view.time_left, 0.0, 1.0) * self.horizon_s
        grid = np.stack([np.log(rate) / np.log(RATE_RATIO), np.log(k) / np.log(DECAY_RATIO)], axis=1)
        nodes, which = np.unique(np.round(grid).astype(np.int64), axis=0, return_inverse=True)
        bid, ask = np.empty(len(view)), np.empty(len(view))
        for i, (a, b) in enumerate(nodes.tolist()):
            here = which.ravel() == i
            solved = _solution(a, b, self.running, self.terminal, self.horizon_s, limit)
            bid[here], ask[here] = solved.depths(orders[here], left[here])
        return self.quotes(view, bid, ask), memory

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The environment's limits, scale and length of an episode."""
        scale = usual_spread(env)
        mine = {"running": 0.01 * scale, "terminal": 0.05 * scale, "horizon_s": episode_seconds(env)}
        return {**super().defaults(env), **mine}

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """Penalties over several decades."""
        scale = usual_spread(env)
        return {
            "running": Range(1e-5 * scale, 0.3 * scale, log=True),
            "terminal": Range(1e-3 * scale, 0.5 * scale, log=True),
            **cls.shared_space(env),
        }


@lru_cache(maxsize=2048)
def _solution(
    rate: int, decay: int, running: float, terminal: float, horizon: float, limit: int
) -> CarteaJaimungal:
    """The solution at a node of the grid of estimates."""
    return CarteaJaimungal(RATE_RATIO**rate, DECAY_RATIO**decay, running, terminal, horizon, limit, steps=200)
