"""Activity that wanders on all scales of time, so that volatility clusters.

The Markov-switching multifractal of Calvet and Fisher (2004, J. Financial Econometrics 2:49): activity is a product of
components, each of which is high (``1 + depth``) or low (``1 - depth``) and switches at random times; their mean times
form a geometric sequence. The autocorrelation of absolute returns then falls like a power of the lag over the range
that these times span. Simulation is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np

from hft_gym._jit import I64, U, kernel
from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow.random import draw, unit
from hft_gym.flow.state import VOLATILITY, wind

MAX_COMPONENTS = 12
_ONE = np.uint64(1)

VOLATILITY_TABLE = np.dtype(
    [
        ("components", "i8"),
        ("mean", "f8"),
        ("share", "f8", (MAX_COMPONENTS,)),
        ("liquidity", "f8", (MAX_COMPONENTS + 1,)),
        ("taking", "f8", (MAX_COMPONENTS + 1,)),
    ],
    align=True,
)
"""Number of components (0: none); mean time between switches of any [ns]; cumulated share of each in them; factor on
the rates of limit orders and cancellations, and on those of all else, by the number of components that are high."""


@dataclass(frozen=True)
class VolatilityConfig:
    """Wandering activity: a factor of mean 1 on the rates of market orders, metaorders, informed orders and jumps of
    the value, and a power of it on those of limit orders and cancellations."""

    components: int = setting(8, low=1, high=MAX_COMPONENTS, doc="number of components")
    depth: float = setting(0.3, above=0.0, below=1.0, doc="how far a component takes activity up or down")
    fastest_s: float = setting(0.5, above=0.0, high=1e6, doc="mean time between switches of the fastest component [s]")
    slowest_s: float = setting(1000.0, above=0.0, high=1e7, doc="the same of the slowest [s]")
    liquidity: float = setting(
        1.0,
        low=0.0,
        high=1.0,
        doc="power of the factor that limit orders and cancellations follow; below 1 the book thins out in busy times",
    )

    def __post_init__(self) -> None:
        validate(self)
        if self.slowest_s < self.fastest_s:
            raise ConfigError(f"slowest_s is {self.slowest_s}; it must be at least fastest_s, {self.fastest_s}")

    def fill(self, record: Any) -> None:
        """Write the compiled form to *record*."""
        n = self.components
        rates = 1.0 / np.geomspace(self.fastest_s, self.slowest_s, n)
        record["components"], record["mean"] = n, 1e9 / rates.sum()
        record["share"][:n] = np.cumsum(rates) / rates.sum()
        high = np.arange(n + 1)
        factor = (1.0 + self.depth) ** high * (1.0 - self.depth) ** (n - high)
        chance = np.array([comb(n, k) for k in range(n + 1)]) / 2.0**n
        liquidity = factor**self.liquidity
        record["taking"][: n + 1] = factor
        record["liquidity"][: n + 1] = liquidity / (liquidity @ chance)


@kernel
def set_climate(state: Any, table: Any) -> None:
    """Bring the two factors up to date with the components."""
    high = 0
    for c in range(table["components"]):
        high += (state["high"] >> c) & 1
    state["climate"][0] = table["liquidity"][U(high)]
    state["climate"][1] = table["taking"][U(high)]


@kernel
def begin_volatility(state: Any, table: Any, now: int) -> None:
    """Draw the components from their law and start their clock."""
    state["high"] = 0
    state["climate"][0] = 1.0
    state["climate"][1] = 1.0
    if table["components"] == 0:
        return
    state["high"] = I64(draw(state["streams"], VOLATILITY) & ((_ONE << np.uint64(table["components"])) - _ONE))
    set_climate(state, table)
    state["stretch"][VOLATILITY] = table["mean"]
    wind(state, VOLATILITY, now)


@kernel
def switch_component(state: Any, table: Any, now: int) -> None:
    """A component switches now."""
    wind(state, VOLATILITY, now)
    mark = unit(draw(state["streams"], VOLATILITY))
    c = 0
    while c + 1 < table["components"] and mark >= table["share"][U(c)]:
        c += 1
    state["high"] ^= 1 << c
    set_climate(state, table)
