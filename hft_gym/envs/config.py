"""Configuration of the environments: market, decisions, observation, reward, limits, replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import setting, to_dict, validate
from hft_gym.envs.randomise import RandomisationConfig, Variant, draw_variants
from hft_gym.envs.records import ENV_PARAM
from hft_gym.errors import ConfigError
from hft_gym.market.config import MarketConfig
from hft_gym.market.records import EVENT_FILL, EVENT_TOUCH, EVENT_TRADE, SUBUNITS


@dataclass(frozen=True)
class RewardConfig:
    """Weights of the reward's terms; the reward is their sum, in ticks·lots."""

    pnl: float = setting(1.0, doc="weight of the change of equity marked at the mid")
    inventory: float = setting(0.0, low=0.0, doc="penalty per second and squared lot of inventory")

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class ReplayConfig:
    """Which part of a recorded day episodes are taken from."""

    start: str | float | None = setting(
        None, doc='start of the window, "HH:MM" or seconds since midnight; None: the file\'s'
    )
    end: str | float | None = setting(None, doc="end of the window; None: the file's")
    split: Literal["all", "train", "held-out"] = setting("all", doc="which part of the window")
    train_share: float = setting(2.0 / 3.0, above=0.0, below=1.0, doc="share of the window that is for training")
    symbol: str | None = setting(None, doc="the instrument, if the file has several")
    queue_model: Literal["back", "front", "proportional"] = setting(
        "back", doc="of level-2 files: which part of a queue unexplained decreases come from"
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class EnvConfig:
    """Everything about ``HFTMarket-v0`` that can be chosen; JSON-able through :func:`hft_gym.config.to_dict`."""

    market: MarketConfig = setting(
        factory=MarketConfig, doc="the market: a preset's name, a TOML file of settings, or its settings"
    )
    feed: str | None = setting(None, doc="recorded file to replay instead of simulating the flow (docs/data.md)")
    replay: ReplayConfig = setting(factory=ReplayConfig, doc="part of the recorded day")
    episode_steps: int = setting(1000, low=1, high=10**9, doc="decisions an episode")
    clock: Literal["time", "event"] = setting("time", doc="decide every step_ns, or at the next event")
    step_ns: int = setting(
        100_000_000, low=1_000, high=10**12, doc="time between decisions; the time-out of the event clock [ns]"
    )
    events: tuple[Literal["fill", "trade", "touch"], ...] = setting(
        ("fill", "trade", "touch"), min_length=1, doc="events that end a step of the event clock"
    )
    levels: int = setting(10, low=1, high=64, doc="book levels a side in the observation")
    order_size: int = setting(1, low=1, high=10**6, doc="lots of every quote and take")
    max_position: int = setting(10, low=1, high=2**24, doc="largest absolute position, working orders included [lots]")
    capital: float = setting(
        100_000.0, above=0.0, high=1e14, doc="loss that ends the episode as bankruptcy [ticks·lots]"
    )
    loss_limit: float | None = setting(
        None, above=0.0, doc="loss that ends the episode [ticks·lots]; None: the capital"
    )
    volatility_decay: float = setting(
        0.98, low=0.0, below=1.0, doc="decay per decision of the observed volatility's average"
    )
    action: Literal["multi_discrete", "continuous", "discrete"] = setting("multi_discrete", doc="encoding of actions")
    reward: RewardConfig = setting(factory=RewardConfig, doc="weights of the reward's terms")
    randomise: RandomisationConfig = setting(
        factory=RandomisationConfig, doc="what each episode draws of its market: domain randomisation"
    )

    def __post_init__(self) -> None:
        validate(self)
        if self.market.participants != 1:
            raise ConfigError(f"market.participants is {self.market.participants}; this environment has exactly 1")
        if self.market.max_own_orders < 6:
            raise ConfigError(f"market.max_own_orders is {self.market.max_own_orders}; an agent needs at least 6")
        if self.order_size > self.max_position:
            raise ConfigError(
                f"order_size is {self.order_size}, more than max_position, {self.max_position}: no order could be sent "
                "whole; raise max_position or lower order_size"
            )
        if self.feed is None:
            plain = to_dict(self.replay)
            given = [f"replay.{k}={plain[k]!r}" for k, v in to_dict(ReplayConfig()).items() if plain[k] != v]
            if given:
                raise ConfigError(f"{', '.join(given)}: there is nothing to replay; give feed, the recorded file")
        elif self.market.flow != MarketConfig().flow:
            flow = self.market.flow if isinstance(self.market.flow, str) else "a FlowConfig"
            raise ConfigError(
                f"market.flow is {flow!r} and feed is {self.feed!r}: a recorded day is the whole flow; leave one out"
            )
        if self.feed is not None and self.randomise.changes_flow:
            raise ConfigError("randomise: a replayed day has no order flow to draw; only latency and fees can be")
        for variant in self.variants:
            self._check_money(variant.market)

    def _check_money(self, market: MarketConfig) -> None:
        fees = market.fees
        rate = max(abs(fees.maker), abs(fees.taker)) * SUBUNITS if fees.unit == "bps" else 1.0
        worth = 2 * self.max_position * market.initial_price * max(SUBUNITS, rate)
        if worth >= 2**62:
            raise ConfigError(
                f"max_position {self.max_position} at market.initial_price {market.initial_price} does not fit "
                "into 64-bit money; lower one of them"
            )

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The markets of which each episode plays one; without randomisation there is one."""
        return draw_variants(self.market, self.randomise)

    def compiled(self) -> NDArray[Any]:
        """The environment's parameters, an ``ENV_PARAM`` record for each of :attr:`variants`."""
        param = np.zeros(1, ENV_PARAM)
        record = param[0]
        bits = {"fill": EVENT_FILL, "trade": EVENT_TRADE, "touch": EVENT_TOUCH}
        for name in ("episode_steps", "step_ns", "levels", "order_size", "max_position", "volatility_decay"):
            record[name] = getattr(self, name)
        record["stop"] = sum({bits[e] for e in self.events}) if self.clock == "event" else 0
        limit = self.capital if self.loss_limit is None else min(self.capital, self.loss_limit)
        record["loss_limit"] = round(limit * SUBUNITS)
        record["pnl_weight"], record["inventory_weight"] = self.reward.pnl, self.reward.inventory
        param = np.repeat(param, len(self.variants))
        param["data_latency"] = [v.market.latency.market_data_ns for v in self.variants]
        return param
