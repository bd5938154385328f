"""The parameters of the order flow, and their compiled form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow.hawkes import HAWKES, HawkesConfig
from hft_gym.flow.icebergs import ICEBERGS, IcebergConfig
from hft_gym.flow.learning import LEARNING, LearningConfig
from hft_gym.flow.metaorders import FAR, METAORDERS, MetaorderConfig
from hft_gym.flow.placement import PLACEMENT, PlacementConfig
from hft_gym.flow.population import AGENTS, PopulationConfig
from hft_gym.flow.queue_reactive import QUEUES, QueueReactiveConfig
from hft_gym.flow.random import ALIAS, TABLE_SIZE, fill_alias_table
from hft_gym.flow.replenishment import REPLENISH, ReplenishmentConfig
from hft_gym.flow.session import SESSION_TABLE, HaltConfig, SessionConfig
from hft_gym.flow.volatility import VOLATILITY_TABLE, VolatilityConfig

FLOW = np.dtype(
    [
        ("limit_mean", "f8"),
        ("market_mean", "f8"),
        ("cancel_mean", "f8"),
        ("jump_mean", "f8"),
        ("informed_mean", "f8"),
        ("informed_edge", "f8"),
        ("value_volatility", "f8"),
        ("value_reversion", "f8"),
        ("informed_quotes", "f8"),
        ("distance_width", "i8"),
        ("market_reach", "i8"),
        ("reactive", "i8"),
        ("queue_reactive", "i8"),
        ("cancel_accept", "i8", (TABLE_SIZE,)),
        ("distance", ALIAS),
        ("limit_size", ALIAS),
        ("market_size", ALIAS),
        ("jump_size", ALIAS),
        ("metaorders", METAORDERS),
        ("replenish", REPLENISH),
        ("icebergs", ICEBERGS),
        ("hawkes", HAWKES),
        ("session", SESSION_TABLE),
        ("volatility", VOLATILITY_TABLE),
        ("queues", QUEUES),
        ("population", AGENTS),
        ("learning", LEARNING),
        ("placement", PLACEMENT),
        ("limit_lots", "i8", (TABLE_SIZE,)),
        ("market_lots", "i8", (TABLE_SIZE,)),
    ],
    align=True,
)
"""A flow's parameters as the kernels read them: mean times between events [ns] over both sides (0: none; cancellations:
for one resting order, at the largest rate; of a queue-reactive flow, at the largest rate in all), laws as alias tables;
``reactive`` is 1 if any rate changes at events, ``queue_reactive`` 1 if the queues' sizes make the rates."""


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

    The value may also diffuse (Ornstein and Uhlenbeck), and follow surprising trades
    (:class:`~hft_gym.flow.learning.LearningConfig`). On top of it, each off by default, there are excitation
    (:class:`~hft_gym.flow.hawkes.HawkesConfig`), metaorders, replenishment, icebergs, wandering activity, the time of
    day and halts; what they make of the rates multiplies. ``queue_reactive`` replaces the limit orders, cancellations
    and market orders given by ``limit_rates``, ``cancel_rates`` and ``market_rate``.

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
    limit_lots: tuple[int, ...] | None = setting(
        None, low=1, high=2**31, doc="sizes that the entries of limit_sizes stand for [lots]; None: 1, 2, ..."
    )
    market_lots: tuple[int, ...] | None = setting(
        None, low=1, high=2**31, doc="the same of market_sizes, and of the sizes of metaorders' children"
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
    value_volatility: float = setting(
        0.0, low=0.0, high=1e9, doc="diffusion of the fundamental value [ticks per square root of a second]"
    )
    value_reversion: float = setting(
        0.0, low=0.0, high=1e6, doc="rate at which the diffusing value reverts to the opening price [1/s]; 0: never"
    )
    informed_quotes: float = setting(
        0.0,
        low=0.0,
        high=1.0,
        doc="share of limit orders whose senders know the value: they do not bid above it less informed_edge, nor "
        "offer below it plus that",
    )
    market_reach: int | None = setting(
        None, low=0, high=2**20, doc="ticks beyond the best price up to which a market order trades; None: any price"
    )
    placement: PlacementConfig | None = setting(
        None, doc="places relative to the own best price, and rates, that depend on the spread"
    )
    hawkes: HawkesConfig | None = setting(None, doc="excitation: events that make events more likely")
    queue_reactive: QueueReactiveConfig | None = setting(None, doc="intensities that depend on the size of the queue")
    metaorders: MetaorderConfig | None = setting(None, doc="traders who split large orders")
    replenishment: ReplenishmentConfig | None = setting(None, doc="limit orders that follow trades")
    learning: LearningConfig | None = setting(None, doc="impact of surprising trades on the fundamental value")
    icebergs: IcebergConfig | None = setting(None, doc="limit orders that show a part of themselves")
    volatility: VolatilityConfig | None = setting(None, doc="activity that wanders, so that volatility clusters")
    session: SessionConfig | None = setting(None, doc="activity by the time of day, and the close")
    halts: HaltConfig | None = setting(None, doc="trading halts")
    population: PopulationConfig | None = setting(None, doc="trading agents: noise, value, momentum, market makers")

    def __post_init__(self) -> None:
        validate(self)
        for name in ("limit_sizes", "market_sizes", "jump_sizes"):
            if not sum(getattr(self, name)) > 0.0:
                raise ConfigError(f"{name} is {getattr(self, name)}; at least one weight must be positive")
        for name, lots in (("limit", self.limit_lots), ("market", self.market_lots)):
            sizes = getattr(self, f"{name}_sizes")
            if lots is not None and len(lots) != len(sizes):
                raise ConfigError(f"{name}_lots has {len(lots)} values; {name}_sizes has {len(sizes)}")
        children = len(self.metaorders.sizes) if self.metaorders is not None else 0
        if self.market_lots is not None and children > len(self.market_lots):
            raise ConfigError(f"market_lots has {len(self.market_lots)} values, the metaorders' sizes {children}")
        if self.placement is not None and self.queue_reactive is not None:
            raise ConfigError("placement: a queue-reactive flow places its orders itself; leave one of the two out")

    def rates(self) -> NDArray[np.float64]:
        """Events per second of each of :data:`hft_gym.flow.hawkes.KINDS` at activity 1.

        Cancellations count as often as the limit orders that they balance, market orders with those of metaorders.
        """
        if self.queue_reactive is not None:
            means = self.queue_reactive.means()
        else:
            limit = sum(self.limit_rates)
            cancels = max(self.cancel_rates) if self.placement is None else self.placement.busiest[2]
            means = {"limit": limit, "cancel": limit if cancels > 0.0 else 0.0, "market": self.market_rate}
        if self.metaorders is not None:
            means["market"] += 0.5 * self.metaorders.rate * (1.0 - self.metaorders.limit_share)
        return np.repeat([means["limit"], means["cancel"], means["market"]], 2)

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
        if self.placement is not None:
            limit, market, cancel = self.placement.busiest
            rates |= {"limit": rates["limit"] * limit, "market": rates["market"] * market, "cancel": cancel}
            self.placement.fill(record["placement"])
        for name, lots in (("limit_lots", self.limit_lots), ("market_lots", self.market_lots)):
            record[name] = np.arange(1, TABLE_SIZE + 1)
            if lots is not None:
                record[name][: len(lots)] = lots
        parts = (self.hawkes, self.queue_reactive, self.metaorders, self.replenishment, self.icebergs, self.session)
        more = (self.halts, self.population, self.learning, self.volatility, self.market_reach)
        sizes = (self.placement, self.limit_lots, self.market_lots)
        record["reactive"] = any(p is not None for p in (*parts, *more, *sizes)) or self.informed_quotes > 0.0
        if self.queue_reactive is not None:
            record["queue_reactive"] = 1
            total = self.queue_reactive.fill(record["queues"])
            rates |= {name: 2.0 * rate for name, rate in total.items()}
        for name, rate in rates.items():
            # At most three years: the longest gap, 37 times that, still fits into 64 bits.
            record[f"{name}_mean"] = min(1e9 / rate, 1e17) if rate > 0.0 else 0.0
        record["informed_edge"] = self.informed_edge
        record["distance_width"] = self.distance_width
        record["value_volatility"] = self.value_volatility / np.sqrt(1e9)
        record["value_reversion"] = self.value_reversion * 1e-9
        record["informed_quotes"] = self.informed_quotes
        record["market_reach"] = FAR if self.market_reach is None else self.market_reach
        if self.metaorders is not None:
            self.metaorders.fill(record["metaorders"])
        if self.replenishment is not None:
            mean_size = float(np.average(record["limit_lots"][: len(self.limit_sizes)], weights=self.limit_sizes))
            self.replenishment.fill(record["replenish"], mean_size)
        if self.icebergs is not None:
            self.icebergs.fill(record["icebergs"])
        if self.volatility is not None:
            self.volatility.fill(record["volatility"])
        if self.session is not None:
            self.session.fill(record["session"])
        if self.learning is not None:
            self.learning.fill(record["learning"])
        if self.population is not None:
            self.population.fill(record["population"])
        if self.halts is not None:
            self.halts.fill(record["session"])
        record["hawkes"]["background"] = 1.0
        if self.hawkes is not None:
            self.hawkes.fill(record["hawkes"], self.rates())
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
