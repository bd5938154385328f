"""``do-nothing``: the reference that costs and earns exactly nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from baselines.strategy import Strategy, View, Wish, no_quotes

__all__ = ["DoNothing"]


@dataclass
class DoNothing(Strategy):
    """Never sends an order."""

    name: ClassVar[str] = "do-nothing"
    tasks: ClassVar[tuple[str, ...]] = ("market-making", "execution", "liquidity-taking")

    symbol: str = "HFT"

    def decide(self, view: View, memory: npt.NDArray[Any]) -> tuple[Wish, npt.NDArray[Any]]:
        """Nothing."""
        return no_quotes(np.zeros(len(view))), memory
