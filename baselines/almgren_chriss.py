"""``almgren-chriss``: the efficient schedule for an estimated volatility and impact."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.closed_forms.almgren_chriss import share_held, urgency
from baselines.execution import ExecutionStrategy, Floats, Parent
from baselines.ranges import Range, SearchSpace
from baselines.strategy import View
from hft_gym.config import setting

__all__ = ["AlmgrenChrissExecution"]


@dataclass
class AlmgrenChrissExecution(ExecutionStrategy):
    """Follows x(t) = X sinh(kappa (T - t)) / sinh(kappa T), kappa² = lambda sigma² / eta, in continuous time.

    Almgren and Chriss (2000), Optimal execution of portfolio transactions, Journal of Risk 3:5, equation (17). Both
    parameters are estimated from what is seen and follow it: sigma is the root mean square of the mid's moves so far;
    trading v lots a second moves the price by eta v, eta being ``recovery_s`` over the lots per tick that rest on
    the side that is taken. As the estimates change, the rest of the order follows the new schedule from where it
    stands, which is optimal as long as they are true (the schedule is consistent in time).

    Args:
        risk_aversion: lambda, weight of the variance of the shortfall, 1 / (ticks · lots).
        recovery_s: seconds that the book needs to refill.
    """

    name: ClassVar[str] = "almgren-chriss"
    extra: ClassVar[int] = 3

    _: KW_ONLY
    risk_aversion: float = setting(1e-4, low=0.0)
    recovery_s: float = setting(1.0, above=0.0)

    def due(self, view: View, parent: Parent, memory: Floats) -> tuple[Floats, Floats, Floats]:
        """Memory: seconds and squared moves so far, and the lots that the schedule holds at this decision."""
        seconds = memory[:, 0] + np.where(parent.now > 0, view.elapsed, 0.0)
        squared = memory[:, 1] + np.where(parent.now > 0, view.mid_change**2, 0.0)
        planned = np.where(parent.now > 0, memory[:, 2], parent.total)
        variance = squared / np.where(seconds > 0, seconds, np.inf)
        eta = self.recovery_s / _lots_per_tick(view, parent.side)
        horizon = seconds / np.where(parent.now > 0, parent.now, np.inf)  # seconds from arrival to deadline
        kappa = urgency(self.risk_aversion * variance / eta)
        rest, step = horizon * (1.0 - parent.now), horizon * (parent.next - parent.now)
        held = planned * share_held(kappa, step, rest)
        held = np.where(horizon > 0, held, planned)
        return parent.left - held, np.zeros(len(view)), np.column_stack([seconds, squared, held])

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """From nearly a constant rate to nearly at once."""
        return {"risk_aversion": Range(1e-7, 1e-2, log=True)}


def _lots_per_tick(view: View, side: Floats) -> Floats:
    """(N,) mean lots a tick on the side of the book that is taken from, at least 1."""
    buying = side[:, None] > 0
    sizes = np.where(buying, view.ask_sizes, view.bid_sizes).astype(np.float64)
    offsets = np.abs(np.where(buying, view.ask_offsets, view.bid_offsets)).astype(np.float64)
    there = sizes > 0
    far = np.where(there, offsets, -np.inf).max(axis=1, initial=-np.inf)
    near = np.where(there, offsets, np.inf).min(axis=1, initial=np.inf)
    span = np.where(there.any(axis=1), far - near, 0.0) + 1.0
    return np.maximum(sizes.sum(axis=1) / span, 1.0)
