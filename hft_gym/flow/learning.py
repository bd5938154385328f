"""What the market learns from its order flow: a trade moves the fundamental value by what it surprises.

With signs of long memory, an impact that were the same for every trade would make prices trend. It is the *unexpected*
part of a trade that moves the price: v += impact (x - E[x | past]), x the signed size (Madhavan, Richardson and Roomans
1997, Rev. Financial Studies 10:1035; Lillo and Farmer 2004, Studies in Nonlinear Dynamics and Econometrics 8(3);
Bouchaud, Farmer and Lillo 2009, arXiv:0809.0822, section 5). The expectation is a sum of exponential averages of past
trades. A metaorder's later children are expected, so its impact is concave, and partly undone when it ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hft_gym._jit import U, kernel
from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError

MAX_MEMORIES = 4
MAX_LOTS = 64

LEARNING = np.dtype(
    [
        ("impact", "f8"),
        ("weight", "f8", (MAX_MEMORIES,)),
        ("rate", "f8", (MAX_MEMORIES,)),
        ("size", "f8", (MAX_LOTS,)),
    ],
    align=True,
)
"""Ticks to a unit of surprise (0: no learning); weight of each average in the expectation, and of a new trade in the
average; what 1, 2, ... lots count (more count as the last)."""


@dataclass(frozen=True)
class LearningConfig:
    """The impact of surprising trades on the value that informed traders know; their own trades do not move it."""

    impact: float = setting(0.2, above=0.0, high=1e6, doc="move of the value for one lot that nobody expected [ticks]")
    exponent: float = setting(0.3, low=0.0, high=1.0, doc="power of the lots that a trade counts with")
    memories: tuple[float, ...] = setting(
        (4.0, 20.0, 100.0, 500.0),
        low=1.0,
        high=1e9,
        min_length=1,
        max_length=MAX_MEMORIES,
        doc="lengths of the averages [trades]",
    )
    weights: tuple[float, ...] = setting(
        (0.2, 0.2, 0.2, 0.2),
        low=0.0,
        high=1.0,
        min_length=1,
        max_length=MAX_MEMORIES,
        doc="their shares of the expectation",
    )

    def __post_init__(self) -> None:
        validate(self)
        if len(self.weights) != len(self.memories):
            raise ConfigError(
                f"weights: has {len(self.weights)} values, memories has {len(self.memories)}; they must agree"
            )
        if sum(self.weights) > 1.0:
            raise ConfigError(f"weights: their sum is {sum(self.weights):.4g}; at most 1 is allowed")

    def fill(self, record: Any) -> None:
        """Write the compiled form to *record*."""
        n = len(self.memories)
        record["impact"] = self.impact
        record["weight"][:n] = self.weights
        record["rate"][:n] = 1.0 / np.array(self.memories)
        record["size"] = np.arange(1.0, MAX_LOTS + 1.0) ** self.exponent


@kernel
def learn(state: Any, law: Any, sign: float, lots: int) -> None:
    """An order of *sign* 1.0 (buy) or -1.0 traded *lots*: move the value by what was not expected of it."""
    x = sign * law["size"][U(min(lots, MAX_LOTS) - 1)]
    expected = 0.0
    for k in range(MAX_MEMORIES):
        average = state["memory"][U(k)]
        expected += law["weight"][U(k)] * average
        state["memory"][U(k)] = average + (x - average) * law["rate"][U(k)]
    state["fundamental"] += law["impact"] * (x - expected)
