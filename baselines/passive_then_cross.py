"""``passive-then-cross``: waits in the queue, and takes what has not been filled in time."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.execution import ExecutionStrategy, Floats, Parent, in_time
from baselines.ranges import Range, SearchSpace
from baselines.strategy import View
from hft_gym.config import setting

__all__ = ["PassiveThenCross"]


@dataclass
class PassiveThenCross(ExecutionStrategy):
    """Quotes at the touch; from ``patience`` on it also takes, evenly to the deadline.

    Harris (1998), Optimal dynamic order submission strategies in some stylized trading problems, Financial Markets,
    Institutions & Instruments 7:2: who must trade by a deadline begins with limit orders, and gets more aggressive as
    it comes near. The quote earns half the spread where it is filled, and is filled rather when the price comes
    towards it.

    Args:
        patience: share of the time in which it only quotes.
        show: lots of the quote; None: the order size (an environment without a ladder has that size in any case).
    """

    name: ClassVar[str] = "passive-then-cross"

    _: KW_ONLY
    patience: float = setting(0.7, low=0.0, below=1.0)
    show: int | None = setting(None, low=1)

    def due(self, view: View, parent: Parent, memory: Floats) -> tuple[Floats, Floats, Floats]:
        """Takes what is beyond a line from the whole order at ``patience`` to nothing at the deadline."""
        line = parent.total * np.minimum((1.0 - parent.next) / (1.0 - self.patience), 1.0)
        quote = np.full(len(view), float(self.show or view.lot))
        return in_time(view, parent, parent.left - line), quote, memory

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """From hardly any waiting to nearly all of the time."""
        return {"patience": Range(0.0, 0.98)}
