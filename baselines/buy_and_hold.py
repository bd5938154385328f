"""``buy-and-hold``: what the market itself did, for a position of the allowed size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from baselines.sides import Floats, Trader
from baselines.strategy import View, Wish, no_quotes

__all__ = ["BuyAndHold"]


@dataclass(kw_only=True)
class BuyAndHold(Trader):
    """Buys ``max_position`` at once and holds it; what the environment closes at the end it pays for.

    A market without drift gives it minus the costs on average, with the whole variance of the price: whoever does not
    earn more than the difference has only held a position. Has no state.

    Args:
        side: ``"buy"``, or ``"sell"`` for the mirror.
    """

    name: ClassVar[str] = "buy-and-hold"
    tasks: ClassVar[tuple[str, ...]] = ("market-making", "liquidity-taking")

    side: Literal["buy", "sell"] = "buy"

    def decide(self, view: View, memory: Floats) -> tuple[Wish, Floats]:
        """See the class."""
        sign = 1.0 if self.side == "buy" else -1.0
        return no_quotes(sign * np.clip(self.max_position - sign * view.inventory, 0, view.lot)), memory
