"""The settings of a live session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.market.config import FeeConfig, LatencyConfig, MarketConfig
from hft_gym.market.limits import RiskLimits

__all__ = ["SessionConfig", "StrategySlot"]


@dataclass(frozen=True)
class StrategySlot:
    """Who trades: a baseline by its name (``my_module:MyStrategy`` is one too), or a trained agent by its path."""

    name: str = setting("do-nothing", min_length=1, doc="name of a baseline, or path of a trained agent")
    parameters: Mapping[str, Any] = setting(
        factory=dict, doc="of a baseline; none: those tuned for the market's preset where there are, else its defaults"
    )

    def __post_init__(self) -> None:
        validate(self)
        object.__setattr__(self, "parameters", dict(self.parameters))

    @classmethod
    def named(cls, text: str) -> StrategySlot:
        """``"market-making:skew=2"``, as on the command line.

        Raises:
            ConfigError: a parameter without a value.
        """
        import baselines

        return cls(*baselines.parse(str(text)))


@dataclass(frozen=True)
class SessionConfig:
    """Everything that makes a `LiveSession`; JSON-able by `hft_gym.config.to_dict`.

    Strategies decide every ``step_ns`` and play without end: after ``horizon_steps`` decisions their horizon begins
    anew, and neither their orders nor their position are touched. A trained agent keeps the settings that it was
    trained with (its own decisions' interval, horizon, order size, position limit), unless they are given here.
    """

    symbols: tuple[str, ...] = setting(("AAPL",), min_length=1, max_length=64, doc="one market each")
    feed: str = setting("", doc="a recorded file (docs/data.md) to replay instead of simulating; or, of paper trading, "
                        "the address of a live feed")
    queue_model: Literal["back", "front", "proportional"] = setting(
        "back", doc="of level-2 data: which part of a queue unexplained decreases come from"
    )
    tick_size: float | None = setting(None, above=0.0, doc="of a feed, in currency; None: found from its prices")
    lot_size: float | None = setting(None, above=0.0, doc="of one lot of a feed; None: found from its sizes")
    market: MarketConfig = setting(factory=MarketConfig, doc="the market: a preset's name, or its settings")
    latency: LatencyConfig | None = setting(None, doc="instead of the market's")
    fees: FeeConfig | None = setting(None, doc="instead of the market's")
    risk: RiskLimits | None = setting(None, doc="limits of each participant, instead of the market's")
    seed: int = setting(0, low=0, high=2**63 - 1, doc="of all markets; each symbol's is derived from it")
    strategies: tuple[StrategySlot, ...] = setting((), max_length=16, doc="who trades, side by side")
    step_ns: int | None = setting(None, low=1_000_000, high=10**12, doc="time between decisions; None: 100 ms [ns]")
    horizon_steps: int | None = setting(None, low=1, high=10**9, doc="decisions to a horizon; None: 1000")
    order_size: int | None = setting(None, low=1, high=10**6, doc="of the strategies' orders; None: 1 [lots]")
    max_position: int | None = setting(
        None, low=1, high=2**24, doc="largest absolute position of a strategy, working orders included; None: 10 [lots]"
    )
    initial_cash: float = setting(100_000.0, above=0.0, high=1e15, doc="of each participant's portfolio [currency]")
    log_capacity: int = setting(65_536, low=1024, high=2**24, doc="records that a market logs between two looks")

    def __post_init__(self) -> None:
        validate(self)
        twice = sorted({s for s in self.symbols if self.symbols.count(s) > 1})
        if twice:
            raise ConfigError(f"symbols: {', '.join(twice)} is there more than once")
        if "" in self.symbols:
            raise ConfigError("symbols: got an empty name; allowed are names of at least one character")
        if self.market.participants != 1:
            raise ConfigError(
                f"market.participants is {self.market.participants}; leave it out: a session counts its own"
            )

    def check_simulated(self) -> None:
        """See to it that nothing is told of a feed, where the market is simulated.

        Raises:
            ConfigError: a setting that only a feed has a use for.
        """
        for name, plain in (("queue_model", "back"), ("tick_size", None), ("lot_size", None)):
            value = getattr(self, name)
            if value != plain:
                instead = "; set market.tick_size" if name == "tick_size" else ": leave it out"
                raise ConfigError(f"{name} is {value!r}, but the market is simulated, and {name} is of a feed{instead}")

    @property
    def exchange(self) -> MarketConfig:
        """The market with the latency, fees and limits that are given beside it."""
        given: dict[str, Any] = {"latency": self.latency, "fees": self.fees, "risk": self.risk}
        return replace(self.market, **{name: value for name, value in given.items() if value is not None})

    @property
    def interval(self) -> int:
        """Time between two decisions of a scripted strategy, and between two points of a person's path [ns]."""
        return 100_000_000 if self.step_ns is None else self.step_ns
