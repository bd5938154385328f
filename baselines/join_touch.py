"""``join-touch``: stands at the best price of either side, whatever it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.ranges import Range, SearchSpace
from baselines.sides import Floats, Maker, limits
from baselines.strategy import View, Wish
from hft_gym.config import setting

__all__ = ["JoinTouch"]


@dataclass(kw_only=True)
class JoinTouch(Maker):
    """Quotes at the others' best bid and ask; up to ``max_position`` on either side.

    The simplest maker that earns the spread when nobody is informed; Harris (2003), Trading and Exchanges, chapter 13.
    Has no state.

    Args:
        min_spread: quotes at the touch while the spread is at least so wide, else one tick behind it [ticks].
    """

    name: ClassVar[str] = "join-touch"

    min_spread: int = setting(1, low=1)

    def decide(self, view: View, memory: Floats) -> tuple[Wish, Floats]:
        """See the class."""
        back = np.where(view.ask - view.bid >= self.min_spread - 1e-6, 0.0, 1.0)
        return self.quotes(view, back - view.bid, back + view.ask), memory

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """Spreads of one to four ticks."""
        return {"min_spread": Range(1, 4, whole=True), "max_position": limits(env)}
