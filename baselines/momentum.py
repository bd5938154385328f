"""``momentum``: follows the sign of a fast less a slow moving average of the mid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.ranges import Range, SearchSpace
from baselines.scales import usual_spread
from baselines.sides import Floats, Taker
from baselines.strategy import View, Wish
from hft_gym.config import setting
from hft_gym.errors import ConfigError

__all__ = ["Momentum"]


@dataclass(kw_only=True)
class Momentum(Taker):
    """Buys while the mean of the last 20 mids lies above that of the last 50, sells while it lies below.

    The momentum trader of ABIDES (Byrd, Hybinette and Balch 2020, ABIDES: towards high-fidelity multi-agent market
    simulation, PADS); the rule itself is that of Brock, Lakonishok and LeBaron (1992, J. Finance 47:1731). Nothing is
    done before the slow average is full.

    State (N, slow + 1): the last mids minus the current one, newest first, NaN where there is none yet; seconds since
    the last of them.

    Args:
        fast, slow: mids in the averages.
        sample_s: seconds between mids, at least.
        threshold: distance of the averages [ticks].
    """

    name: ClassVar[str] = "momentum"

    fast: int = setting(20, low=1)
    slow: int = setting(50, low=2)
    sample_s: float = setting(0.2, above=0.0)
    threshold: float = setting(0.25, above=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fast >= self.slow:
            raise ConfigError(f"fast is {self.fast}, slow {self.slow}; fast must be below slow")

    def begin(self, view: View) -> Floats:
        """(N, slow + 1): no mid yet, and one is due."""
        memory = np.full((len(view), self.slow + 1), np.nan)
        memory[:, -1] = self.sample_s
        return memory

    def decide(self, view: View, memory: Floats) -> tuple[Wish, Floats]:
        """See the class."""
        memory = memory.copy()
        mids = memory[:, :-1]
        mids -= view.mid_change[:, None]
        memory[:, -1] += view.elapsed
        due = memory[:, -1] >= self.sample_s - 1e-6
        memory[due, 1 : self.slow] = memory[due, : self.slow - 1]
        memory[due, 0] = 0.0
        memory[due, -1] = 0.0
        signal = mids[:, : self.fast].mean(axis=1) - mids.mean(axis=1)
        return self.follow(view, signal, self.threshold), memory

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The environment's limits; a quarter of a usual spread."""
        return {**super().defaults(env), "threshold": 0.25 * usual_spread(env)}

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """Slow averages over 5 to 50 seconds, thresholds from a little to several spreads."""
        scale = usual_spread(env)
        return {
            "sample_s": Range(0.1, 1.0, log=True),
            "threshold": Range(0.05 * scale, 10.0 * scale, log=True),
            **cls.shared_space(env),
        }
