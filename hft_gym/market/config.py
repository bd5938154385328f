"""The market's configuration: instrument, fees, latencies, sizes and flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow import FlowConfig, preset
from hft_gym.market.records import MARKET_PARAM, SUBUNITS


@dataclass(frozen=True)
class LatencyConfig:
    """How long messages travel. Each may exceed the decision interval; messages of one order stay in sequence."""

    order_ns: int = setting(1_000_000, low=0, high=10**12, doc="new orders to the exchange, constant part [ns]")
    order_jitter_ns: int = setting(200_000, low=0, high=10**12, doc="mean of the exponential random part [ns]")
    cancel_ns: int = setting(
        1_000_000, low=0, high=10**12, doc="cancels and changes to the exchange, constant part [ns]"
    )
    cancel_jitter_ns: int = setting(200_000, low=0, high=10**12, doc="mean of the exponential random part [ns]")
    market_data_ns: int = setting(
        500_000, low=0, high=10**12, doc="book, fills and acknowledgements to the participant [ns]"
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class FeeConfig:
    """What a fill costs; a rebate is negative. The anonymous flow pays nothing.

    ``per_lot`` counts in ticks per lot, ``bps`` in basis points of the notional, rounded half away from zero to
    the sub-unit for each fill.
    """

    unit: Literal["per_lot", "bps"] = setting("per_lot", doc="ticks per lot, or basis points of the notional")
    maker: float = setting(0.0, low=-1e4, high=1e4, doc="fee of a passive fill")
    taker: float = setting(0.0, low=-1e4, high=1e4, doc="fee of an aggressive fill")

    def __post_init__(self) -> None:
        validate(self)
        for name in ("maker", "taker"):
            scaled = getattr(self, name) * SUBUNITS
            if abs(scaled - round(scaled)) > 1e-6:
                raise ConfigError(f"{name} is {getattr(self, name)}; fees are multiples of {1 / SUBUNITS} {self.unit}")


@dataclass(frozen=True)
class MarketConfig:
    """One instrument's market. Changing any size costs no recompilation."""

    flow: FlowConfig | str = setting("default", doc="order flow: a preset's name or a FlowConfig")
    latency: LatencyConfig = setting(factory=LatencyConfig, doc="latencies")
    fees: FeeConfig = setting(factory=FeeConfig, doc="fees")
    tick_size: float = setting(0.01, above=0.0, doc="currency per tick")
    initial_price: int = setting(10_000, low=1, high=2**40, doc="opening price [ticks]")
    initial_depth: int = setting(8, low=0, high=64, doc="levels a side that the opening book is seeded with")
    warm_up_ns: int = setting(5_000_000_000, low=0, high=10**13, doc="market time before the first decision [ns]")
    levels: int = setting(256, low=64, high=2**18, doc="price ladder a side, multiple of 64; prices beyond are parked")
    max_orders: int = setting(1024, low=16, high=2**20, doc="resting orders the book can hold")
    participants: int = setting(1, low=0, high=1024, doc="participants beside the anonymous flow")
    max_own_orders: int = setting(16, low=2, high=4096, doc="working orders of one participant")

    def __post_init__(self) -> None:
        validate(self)
        if 4 * self.initial_depth > self.max_orders:
            raise ConfigError(
                f"max_orders is {self.max_orders}, too few for the opening book: initial_depth {self.initial_depth} "
                f"takes {4 * self.initial_depth} orders"
            )
        if self.levels % 64:
            raise ConfigError(f"levels is {self.levels}; allowed are multiples of 64")
        if isinstance(self.flow, str):
            preset(self.flow)

    @property
    def order_flow(self) -> FlowConfig:
        """The flow's parameters, whether given by name or in full."""
        return preset(self.flow) if isinstance(self.flow, str) else self.flow

    @property
    def max_messages(self) -> int:
        """Messages that can be in flight: one new order, one change and one cancel for each working order."""
        return max(3 * self.max_own_orders * self.participants, 1)

    def compiled(self) -> NDArray[Any]:
        """The parameters as one ``MARKET_PARAM`` record (shape ``(1,)``); logs are off."""
        param = np.zeros(1, MARKET_PARAM)
        record = param[0]
        latency, fees = self.latency, self.fees
        record["order_latency"], record["order_jitter"] = latency.order_ns, latency.order_jitter_ns
        record["cancel_latency"], record["cancel_jitter"] = latency.cancel_ns, latency.cancel_jitter_ns
        record["data_latency"] = latency.market_data_ns
        record["maker_fee"], record["taker_fee"] = round(fees.maker * SUBUNITS), round(fees.taker * SUBUNITS)
        record["fee_in_bps"] = fees.unit == "bps"
        record["initial_price"], record["initial_depth"] = self.initial_price, self.initial_depth
        record["warm_up"] = self.warm_up_ns
        return param
