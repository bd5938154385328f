"""``inventory-skew``: a ladder of prices on which both quotes step down when long and up when short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from baselines.ranges import Range, SearchSpace
from baselines.sides import Floats, Maker, limits
from baselines.strategy import View, Wish
from hft_gym.config import setting

__all__ = ["InventorySkew"]


@dataclass(kw_only=True)
class InventorySkew(Maker):
    """Starts ``behind`` ticks behind either touch and moves both quotes by a rung for every so many lots held.

    The growing side steps back, the closing side forward: to the touch, and one tick inside a wide spread. The linear
    inventory response is the optimal one of Ho and Stoll (1981, J. Financial Economics 9:47) and Amihud and Mendelson
    (1980, J. Financial Economics 8:31); the rungs keep a quote's place in its queue while the inventory changes little.
    Has no state.

    Args:
        behind: ticks behind the touch when flat.
        lots_per_rung: lots that move the quotes by one rung.
        rung_ticks: ticks between rungs.
    """

    name: ClassVar[str] = "inventory-skew"

    behind: int = setting(0, low=0)
    lots_per_rung: int = setting(3, low=1)
    rung_ticks: int = setting(1, low=1)

    def decide(self, view: View, memory: Floats) -> tuple[Wish, Floats]:
        """See the class."""
        held = view.inventory
        shift = np.sign(held) * np.floor(np.abs(held) / self.lots_per_rung + 1e-9) * self.rung_ticks
        bid_back = np.maximum(self.behind + shift, -1.0)
        ask_back = np.maximum(self.behind - shift, -1.0)
        return self.quotes(view, bid_back - view.bid, ask_back + view.ask), memory

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """Flat quotes up to three ticks behind; a rung for one lot up to the limit."""
        limit = int(env.config.max_position)
        return {
            "behind": Range(0, 3, whole=True),
            "lots_per_rung": Range(1, max(2, limit), whole=True),
            "rung_ticks": Range(1, 3, whole=True),
            "max_position": limits(env),
        }
