"""``queue-imbalance``: takes when the sizes at the touch say which way the mid goes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.ranges import Range, SearchSpace
from baselines.sides import Floats, Taker
from baselines.strategy import View, Wish
from hft_gym.config import setting

__all__ = ["QueueImbalance"]


@dataclass(kw_only=True)
class QueueImbalance(Taker):
    """Gould and Bonart (2016), Queue imbalance as a one-tick-ahead price predictor, Market Microstructure and Liquidity
    2:1650006.

    The probability that the next move of the mid is up is 1 / (1 + exp(-b I)) with I the imbalance of the touch
    (their equation (5), with no constant: bid and ask are alike). The slope b is estimated as it goes, from the
    imbalance seen before each move, by stochastic Newton steps on the likelihood.

    State (N, 3): the last imbalance (NaN before the first), information about b, and b minus its prior.

    Args:
        probability: of the next move, above which it is followed.
        prior_slope: b believed at the start.
        prior_moves: how many moves at |I| = 1/2 that belief is worth.
    """

    name: ClassVar[str] = "queue-imbalance"

    probability: float = setting(0.75, above=0.5, below=1.0)
    prior_slope: float = setting(2.0, low=0.0)
    prior_moves: float = setting(50.0, above=0.0)

    def begin(self, view: View) -> Floats:
        """(N, 3): nothing seen."""
        memory = np.zeros((len(view), 3))
        memory[:, 0] = np.nan
        return memory

    def learn(self, view: View, memory: Floats) -> Floats:
        """(N, 3) the memory after one more look."""
        before = np.nan_to_num(memory[:, 0])
        moved = np.where(np.abs(view.mid_change) > 1e-6, ~np.isnan(memory[:, 0]), 0.0)
        chance = self.chance(memory, before)
        up = view.mid_change > 0
        information = memory[:, 1] + moved * chance * (1.0 - chance) * before**2
        prior = self.prior_moves * 0.25**2
        offset = memory[:, 2] + moved * (up - chance) * before / (information + prior)
        # A book with an empty side has no imbalance to speak of.
        imbalance = np.where(np.isnan(view.bid + view.ask), np.nan, view.imbalance)
        return np.stack([imbalance, information, offset], axis=1)

    def chance(self, memory: Floats, imbalance: Floats) -> Floats:
        """(N,) probability that the next move is up."""
        return np.asarray(1.0 / (1.0 + np.exp(-(self.prior_slope + memory[:, 2]) * imbalance)))

    def decide(self, view: View, memory: Floats) -> tuple[Wish, Floats]:
        """See the class."""
        memory = self.learn(view, memory)
        signal = self.chance(memory, memory[:, 0]) - 0.5
        return self.follow(view, signal, self.probability - 0.5), memory

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """From a little better than a coin to near certainty."""
        return {"probability": Range(0.55, 0.97), "prior_slope": Range(0.5, 5.0), **cls.shared_space(env)}
