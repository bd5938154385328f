"""The market's configuration: instrument, fees, latencies, sizes and flow."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import build, did_you_mean, setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow import PRESETS, FlowConfig, preset
from hft_gym.flow.presets import preset_settings
from hft_gym.market.limits import RiskLimits
from hft_gym.market.records import MARKET_PARAM, SUBUNITS

SIZES: dict[str, Any] = {
    "tick_size": 0.01,
    "initial_price": 10_000,
    "initial_depth": 8,
    "warm_up_ns": 5_000_000_000,
    "levels": 256,
    "max_orders": 1024,
}
"""What a market has unless it is told, or the preset that it is named after was made for something else."""


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
    """One instrument's market. Changing any size costs no recompilation.

    A flow that is given by a preset's name brings the sizes that the preset was made for (:data:`SIZES` otherwise);
    what is set beside it wins. Wherever a market is wanted, a preset's name stands for all of that, and so does the
    path of a TOML file of settings (:meth:`named`).
    """

    flow: FlowConfig | str = setting("default", doc="order flow: a preset's name or a FlowConfig")
    latency: LatencyConfig = setting(factory=LatencyConfig, doc="latencies")
    fees: FeeConfig = setting(factory=FeeConfig, doc="fees")
    risk: RiskLimits = setting(factory=RiskLimits, doc="limits of every participant")
    participant_risk: tuple[RiskLimits, ...] = setting((), doc="limits of participant 1, 2, ... in place of risk")
    tick_size: float = setting(None, above=0.0, doc="currency per tick")
    initial_price: int = setting(None, low=1, high=2**40, doc="opening price [ticks]")
    initial_depth: int = setting(None, low=0, high=64, doc="levels a side that the opening book is seeded with")
    warm_up_ns: int = setting(None, low=0, high=10**13, doc="market time before the first decision [ns]")
    levels: int = setting(None, low=64, high=2**18, doc="price ladder a side, multiple of 64; prices beyond are parked")
    max_orders: int = setting(None, low=16, high=2**20, doc="resting orders the book can hold")
    participants: int = setting(1, low=0, high=1024, doc="participants beside the anonymous flow")
    max_own_orders: int = setting(16, low=2, high=4096, doc="working orders of one participant")

    def __post_init__(self) -> None:
        sizes = {**SIZES, **(preset_settings(self.flow) if isinstance(self.flow, str) else {})}
        for name, value in sizes.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        validate(self)
        if 4 * self.initial_depth > self.max_orders:
            raise ConfigError(
                f"max_orders is {self.max_orders}, too few for the opening book: initial_depth {self.initial_depth} "
                f"takes {4 * self.initial_depth} orders"
            )
        if len(self.participant_risk) > self.participants:
            raise ConfigError(
                f"participant_risk has limits of {len(self.participant_risk)} participants; participants is "
                f"{self.participants}"
            )
        if self.levels % 64:
            raise ConfigError(f"levels is {self.levels}; allowed are multiples of 64")

    @classmethod
    def named(cls, name: str | PathLike[str]) -> MarketConfig:
        """The market of a preset's name, or of a TOML file of settings such as ``hft-gym calibrate`` writes.

        Raises:
            ConfigError: no such preset or file, no TOML, or a wrong setting.
        """
        text = fspath(name)
        if text in PRESETS:
            return cls(flow=text)
        if not (text.endswith(".toml") or Path(text).exists()):
            raise ConfigError(f"unknown market {text!r}{did_you_mean(text, list(PRESETS))} (or a market's TOML file)")
        try:
            with open(text, "rb") as file:
                settings = tomllib.load(file)
        except OSError as error:
            raise ConfigError(f"market {text!r} cannot be read ({error.strerror})") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"market {text!r} is no TOML file ({error})") from None
        return build(cls, settings, f"market {text!r}")

    def risk_of(self, participant: int) -> RiskLimits:
        """The limits of participant 1, 2, ...: its own, or those of all."""
        own = self.participant_risk[participant - 1 : participant]
        return own[0] if own and participant > 0 else self.risk

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
        record["risk"] = self.risk.active or any(limits.active for limits in self.participant_risk)
        return param
