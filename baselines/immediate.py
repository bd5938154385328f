"""``immediate``: trades the whole parent order at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from baselines.execution import ExecutionStrategy, Floats, Parent
from baselines.strategy import View

__all__ = ["Immediate"]


@dataclass
class Immediate(ExecutionStrategy):
    """Takes all that is left at every decision: no risk from the price, and the whole impact.

    One end of the efficient frontier of Almgren and Chriss (2000), Journal of Risk 3:5: least variance. An environment
    takes one order a decision (``order_size``, or up to ``ladder.max_size`` of them), so that a large parent order
    lasts several decisions.
    """

    name: ClassVar[str] = "immediate"

    def due(self, view: View, parent: Parent, memory: Floats) -> tuple[Floats, Floats, Floats]:
        """All."""
        return parent.left, np.zeros(len(view)), memory
