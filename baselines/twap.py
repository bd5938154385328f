"""``twap``: trades at a constant rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from baselines.execution import ExecutionStrategy, Floats, Parent
from baselines.strategy import View

__all__ = ["Twap"]


@dataclass
class Twap(ExecutionStrategy):
    """Takes whenever the straight line from the arrival to the deadline is a whole order ahead.

    The schedule of least expected cost under linear impact: Bertsimas and Lo (1998), Optimal control of execution
    costs, Journal of Financial Markets 1:1, and the risk-neutral end of Almgren and Chriss (2000).
    """

    name: ClassVar[str] = "twap"

    def due(self, view: View, parent: Parent, memory: Floats) -> tuple[Floats, Floats, Floats]:
        """What is left beyond the line."""
        return parent.left - parent.total * (1.0 - parent.next), np.zeros(len(view)), memory
