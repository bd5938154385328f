"""``vwap``: trades in proportion to the volume that it sees."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.execution import ExecutionStrategy, Floats, Parent, in_time
from baselines.ranges import Range, SearchSpace
from baselines.strategy import View
from hft_gym.config import setting

__all__ = ["Vwap"]


@dataclass
class Vwap(ExecutionStrategy):
    """Takes its share of the others' volume, the share that completes the parent order by the deadline.

    Dynamic VWAP after Białkowski, Darolles and Le Fol (2008), Improving VWAP strategies: a dynamic volume approach,
    Journal of Banking & Finance 32:9. The volume still to come is forecast from the rate seen so far; the share of
    it that is left to trade is the rate of participation, which follows every surprise. With a ``participation`` the
    share is fixed (percentage of volume), and what it leaves is taken in the last decisions.

    Args:
        participation: own lots per lot of the others; 0: what completes the order in time.
    """

    name: ClassVar[str] = "vwap"
    extra: ClassVar[int] = 2

    _: KW_ONLY
    participation: float = setting(0.0, low=0.0, high=1.0)

    def due(self, view: View, parent: Parent, memory: Floats) -> tuple[Floats, Floats, Floats]:
        """Memory: the others' volume so far, and the lots that it has left of the parent order."""
        seen = np.nan_to_num(view.buy_volume + view.sell_volume) * (parent.now > 0)
        volume = memory[:, 0] + seen
        come = volume * (1.0 - parent.now) / np.where(parent.now > 0, parent.now, 1.0)
        planned = np.where(parent.now > 0, memory[:, 1], parent.total)
        share = np.divide(planned, come + seen, out=np.zeros(len(view)), where=come + seen > 0)
        if self.participation > 0.0:
            share = np.full(len(view), self.participation)
        planned = np.maximum(planned - np.minimum(share, 1.0) * seen, 0.0)
        take = in_time(view, parent, parent.left - planned)
        return take, np.zeros(len(view)), np.column_stack([volume, planned])

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """Fixed shares; the default, what completes in time, is at the lower end."""
        return {"participation": Range(0.0, 0.5)}
