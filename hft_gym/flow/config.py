"""The parameters of the order flow, and their compiled form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow.random import ALIAS, TABLE_SIZE, fill_alias_table

FLOW = np.dtype(
    [
        ("limit_mean", "f8"),
        ("market_mean", "f8"),
        ("cancel_mean", "f8"),
        ("jump_mean", "f8"),
        ("informed_mean", "f8"),
        ("informed_edge", "f8"),
        ("distance_width", "i8"),
        ("cancel_accept", "i8", (TABLE_SIZE,)),
        ("distance", ALIAS),
        ("limit_size", ALIAS),
        ("market_size", ALIAS),
        ("jump_size", ALIAS),
    ],
    align=True,
)
"""A flow's parameters as the kernels read them: mean times between events [ns] over both sides (0: none; cancellations:
for one resting order, at the largest rate), laws as alias tables."""


def silence(flow: NDArray[Any]) -> None:
    """Switch every mechanism of compiled parameters off, in place: a recorded day is the whole flow."""
    for name in (n for n in FLOW.names or () if FLOW[n] in (np.float64, np.int64)):
        flow[name] = 0


@dataclass(frozen=True)
class FlowConfig:
    """Zero-intelligence order flow with distance-dependent rates, plus informed orders on a latent value.

    Limit orders, market orders and cancellations are those of Cont, Stoikov and Talreja (2010, Operations Research
    58:549): the distance ``i`` of an order counts in ticks from the *opposite* best price. The latent fundamental value
    is a compound Poisson process in ticks; informed traders arrive at a Poisson rate and take whatever is offered on
    the wrong side of it by at least ``informed_edge`` (Glosten and Milgrom 1985), so that resting quotes suffer adverse
    selection.

    Rates are per second. A rate of zero switches its mechanism off. Laws are weights of the values 1, 2, 3, ...
    (at most 64) and need not sum to 1.
    """

    limit_rates: tuple[float, ...] = setting(
        (1.0,),
        low=0.0,
        min_length=1,
        max_length=TABLE_SIZE,
        doc="limit orders per second and side at distance 1, 2, ... ticks",
    )
    distance_width: int = setting(
        1, low=1, high=2**20, doc="ticks that one entry of limit_rates covers, uniformly, its rate being their sum"
    )
    cancel_rates: tuple[float, ...] = setting(
        (0.1,),
        low=0.0,
        min_length=1,
        max_length=TABLE_SIZE,
        doc="cancellations per second of each resting order at distance 1, 2, ...; the last value holds beyond",
    )
    market_rate: float = setting(0.1, low=0.0, doc="market orders per second and side")
    limit_sizes: tuple[float, ...] = setting(
        (1.0,), low=0.0, min_length=1, max_length=TABLE_SIZE, doc="weights of limit order sizes 1, 2, ... lots"
    )
    market_sizes: tuple[float, ...] = setting(
        (1.0,),
        low=0.0,
        min_length=1,
        max_length=TABLE_SIZE,
        doc="weights of market and informed order sizes 1, 2, ... lots",
    )
    jump_rate: float = setting(0.0, low=0.0, doc="jumps of the fundamental value per second")
    jump_sizes: tuple[float, ...] = setting(
        (1.0,),
        low=0.0,
        min_length=1,
        max_length=TABLE_SIZE,
        doc="weights of jump sizes 1, 2, ... ticks (either sign alike)",
    )
    informed_rate: float = setting(0.0, low=0.0, doc="arrivals of informed traders per second")
    informed_edge: float = setting(
        1.0, low=0.0, high=1e9, doc="ticks by which a price must be wrong before informed traders take it"
    )

    def __post_init__(self) -> None:
        validate(self)
        for name in ("limit_sizes", "market_sizes", "jump_sizes"):
            if not sum(getattr(self, name)) > 0.0:
                raise ConfigError(f"{name} is {getattr(self, name)}; at least one weight must be positive")

    def compiled(self) -> NDArray[Any]:
        """The parameters as one :data:`FLOW` record (shape ``(1,)``)."""
        flow = np.zeros(1, FLOW)
        record = flow[0]
        theta = np.full(TABLE_SIZE, self.cancel_rates[-1])
        theta[: len(self.cancel_rates)] = self.cancel_rates
        rates = {
            "limit": 2.0 * sum(self.limit_rates),
            "market": 2.0 * self.market_rate,
            "cancel": float(theta.max()),
            "jump": self.jump_rate,
            "informed": self.informed_rate,
        }
        for name, rate in rates.items():
            # At most three years: the longest gap, 37 times that, still fits into 64 bits.
            record[f"{name}_mean"] = min(1e9 / rate, 1e17) if rate > 0.0 else 0.0
        record["informed_edge"] = self.informed_edge
        record["distance_width"] = self.distance_width
        if theta.max() > 0.0:
            record["cancel_accept"] = np.round(theta / theta.max() * 2.0**32).astype(np.int64)
        for field, weights in (
            ("distance", self.limit_rates if sum(self.limit_rates) > 0.0 else (1.0,)),
            ("limit_size", self.limit_sizes),
            ("market_size", self.market_sizes),
            ("jump_size", self.jump_sizes),
        ):
            fill_alias_table(record[field], weights)
        return flow
