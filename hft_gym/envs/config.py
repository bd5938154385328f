"""Configuration of the environments: market, decisions, observation, reward, limits, replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import setting, to_dict, validate
from hft_gym.envs.actions import QUOTE_OPTIONS
from hft_gym.envs.randomise import RandomisationConfig, Variant, draw_variants
from hft_gym.envs.records import ENV_PARAM, MAX_RUNGS
from hft_gym.errors import ConfigError
from hft_gym.market.config import MarketConfig
from hft_gym.market.records import EVENT_FILL, EVENT_TOUCH, EVENT_TRADE, SUBUNITS
from hft_gym.types import OrderSide


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


TASK_IDS = {
    "market-making": "HFTMarket-v0",
    "execution": "HFTExecution-v0",
    "liquidity-taking": "HFTLiquidityTaking-v0",
}
"""The environment that a task is registered as."""
_SIDES = {"buy": int(OrderSide.BID), "sell": int(OrderSide.ASK), "drawn": -1}


@dataclass(frozen=True)
class ExecutionConfig:
    """The parent order of ``task="execution"``; its deadline is the end of the episode."""

    side: Literal["buy", "sell", "drawn"] = setting("drawn", doc="of the parent order; drawn: by each episode's key")
    quantity: int = setting(50, low=1, high=2**24, doc="of the parent order [lots]")
    max_quantity: int | None = setting(
        None, low=1, high=2**24, doc="if given, each episode draws from quantity to this [lots]"
    )

    def __post_init__(self) -> None:
        validate(self)
        if self.max_quantity is not None and self.max_quantity < self.quantity:
            raise ConfigError(f"max_quantity is {self.max_quantity}; it must be at least quantity, {self.quantity}")

    @property
    def largest(self) -> int:
        """The largest quantity that an episode can have [lots]."""
        return self.quantity if self.max_quantity is None else self.max_quantity


@dataclass(frozen=True)
class LadderConfig:
    """The price levels and sizes of ``action="ladder"`` and ``"ladder_continuous"``."""

    offsets: tuple[int, ...] = setting(
        (0, 1, 2, 3, 4),
        low=-1000,
        high=1000,
        min_length=1,
        max_length=MAX_RUNGS,
        doc="ticks behind the touch of each level, ascending; negative: inside the spread",
    )
    max_size: int = setting(5, low=1, high=1000, doc="largest volume at a level, and of a take [order_size]")

    def __post_init__(self) -> None:
        validate(self)
        if any(a >= b for a, b in zip(self.offsets, self.offsets[1:], strict=False)):
            raise ConfigError(f"offsets are {self.offsets}; they must ascend")


@dataclass(frozen=True)
class EnvConfig:
    """Everything about the market's environments that can be chosen; JSON-able by :func:`hft_gym.config.to_dict`."""

    market: MarketConfig = setting(
        factory=MarketConfig, doc="the market: a preset's name, a TOML file of settings, or its settings"
    )
    feed: str | None = setting(None, doc="recorded file to replay instead of simulating the flow (docs/data.md)")
    replay: ReplayConfig = setting(factory=ReplayConfig, doc="part of the recorded day")
    task: Literal["market-making", "execution", "liquidity-taking"] = setting(
        "market-making", doc="what is to be done: quote and take, trade a parent order, or only take"
    )
    execution: ExecutionConfig = setting(factory=ExecutionConfig, doc="the parent order of an execution")
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
    action: Literal["multi_discrete", "continuous", "discrete", "ladder", "ladder_continuous"] = setting(
        "multi_discrete", doc="encoding of actions"
    )
    ladder: LadderConfig = setting(factory=LadderConfig, doc="levels and sizes of the ladder")
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
        if self.task != "execution" and self.order_size > self.max_position:
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
        if self.task != "execution" and self.execution != ExecutionConfig():
            raise ConfigError(f'execution is given, but the task is {self.task!r}; it takes task="execution"')
        if not self.has_ladder and self.ladder != LadderConfig():
            raise ConfigError(f'ladder is given, but the action is {self.action!r}; it takes action="ladder"')
        if self.order_size * self.ladder.max_size > 2**24:
            raise ConfigError(
                f"order_size {self.order_size} times ladder.max_size {self.ladder.max_size} is above {2**24} lots"
            )
        for variant in self.variants:
            self._check_money(variant.market)

    def _check_money(self, market: MarketConfig) -> None:
        fees = market.fees
        rate = max(abs(fees.maker), abs(fees.taker)) * SUBUNITS if fees.unit == "bps" else 1.0
        lots = self.execution.largest if self.task == "execution" else self.max_position
        worth = 2 * lots * market.initial_price * max(SUBUNITS, rate)
        if worth >= 2**62:
            raise ConfigError(
                f"a position of {lots} lots at market.initial_price {market.initial_price} does not fit "
                "into 64-bit money; lower one of them"
            )

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The markets of which each episode plays one; without randomisation there is one."""
        return draw_variants(self.market, self.randomise)

    @property
    def id(self) -> str:
        """The id under which the task's environment is registered."""
        return TASK_IDS[self.task]

    @property
    def rungs(self) -> tuple[int, ...]:
        """Ticks behind the touch of the ladder's levels; none where there is no ladder or no quote."""
        return self.ladder.offsets if self.has_ladder and self.task != "liquidity-taking" else ()

    @property
    def has_ladder(self) -> bool:
        """Whether actions are volumes at several price levels, in whichever encoding."""
        return self.action in ("ladder", "ladder_continuous")

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
        record["tick_size"] = self.market.tick_size
        record["quotes"] = 1 if self.task == "liquidity-taking" else len(QUOTE_OPTIONS)
        record["ladder"] = self.has_ladder
        record["rungs"] = len(self.rungs)
        record["offset"][: len(self.rungs)] = self.rungs
        record["most"] = self.ladder.max_size
        if self.task == "execution":
            record["execution"] = 1
            record["max_position"] = 0
            record["parent_side"] = _SIDES[self.execution.side]
            record["parent_low"], record["parent_high"] = self.execution.quantity, self.execution.largest
        param = np.repeat(param, len(self.variants))
        param["data_latency"] = [v.market.latency.market_data_ns for v in self.variants]
        return param
