"""Configuration of ``HFTModel-v0``: the model, decisions, limits, reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import setting, validate
from hft_gym.envs.model.records import MODEL_PARAM
from hft_gym.envs.model.schema import MAX_PRICE
from hft_gym.errors import ConfigError

_MOST_DECAY = 40.0
"""Of k times the deepest depth: beyond it a rate is no number to calculate with (e^40 is 2e17)."""


@dataclass(frozen=True)
class ModelRewardConfig:
    """Weights of the reward's terms; the reward is their sum."""

    pnl: float = setting(1.0, doc="weight of the change of cash + inventory · mid")
    inventory: float = setting(0.0, low=0.0, doc="phi: penalty per time and squared lot of inventory")
    terminal: float = setting(0.0, low=0.0, doc="alpha: penalty per squared lot at the end")
    utility: float = setting(0.0, low=0.0, doc="weight of the exponential utility of the P&L at the end")
    risk_aversion: float = setting(0.1, above=0.0, doc="gamma of that utility [1 / (price · lots)]")

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class ModelConfig:
    """Everything about ``HFTModel-v0`` that can be chosen; the defaults are Avellaneda and Stoikov's (2008).

    Price, time and lots have no units of their own: volatility is in price per square root of time, rates are per
    time. JSON-able through :func:`hft_gym.config.to_dict`.
    """

    horizon: float = setting(1.0, above=0.0, high=1e9, doc="T, length of an episode [time]")
    steps: int = setting(200, low=1, high=10**9, doc="decisions an episode; a decision's time is horizon / steps")
    clock: Literal["time", "event"] = setting(
        "time", doc="decide every horizon / steps with at most one fill a side, or also at every fill, exactly"
    )
    fills: Literal["linear", "exact"] = setting(
        "linear", doc="fill probability of a step at rate r: min(r dt, 1), or 1 - exp(-r dt)"
    )
    mid: Literal["binomial", "gaussian"] = setting(
        "binomial", doc="moves of the mid in a step: up or down by sigma sqrt(dt), or normal"
    )
    initial_price: float = setting(100.0, low=-MAX_PRICE, high=MAX_PRICE, doc="mid at the start [price]")
    initial_inventory: int = setting(0, low=-(10**6), high=10**6, doc="position at the start [lots]")
    sigma: float = setting(2.0, low=0.0, high=1e6, doc="volatility of the mid [price / sqrt(time)]")
    drift: float = setting(0.0, low=-1e6, high=1e6, doc="of the mid [price / time]")
    arrival_rate: float = setting(140.0, low=0.0, high=1e9, doc="A, market orders a side at depth 0 [1 / time]")
    k: float = setting(1.5, above=0.0, high=1e6, doc="decay of the fill rate A exp(-k depth) with depth [1 / price]")
    adverse_selection: float = setting(
        0.0, low=-1e3, high=1e3, doc="xi, move of the mid against the maker at each of its fills [price]"
    )
    max_inventory: int = setting(
        100, low=1, high=10**6, doc="largest absolute position; at it the growing side is not filled [lots]"
    )
    min_depth: float = setting(-5.0, high=1e6, low=-1e6, doc="lowest depth that can be quoted [price]")
    max_depth: float = setting(5.0, low=-1e6, high=1e6, doc="greatest depth that can be quoted [price]")
    action: Literal["normalized", "depths"] = setting(
        "normalized", doc="actions -1 to 1 for min_depth to max_depth, or the depths themselves"
    )
    reward: ModelRewardConfig = setting(factory=ModelRewardConfig, doc="weights of the reward's terms")

    def __post_init__(self) -> None:
        validate(self)
        if self.clock == "event" and self.mid != "gaussian":
            raise ConfigError(
                f"mid is {self.mid!r}; between events of random times it can only be 'gaussian': set mid='gaussian'"
            )
        if abs(self.initial_inventory) > self.max_inventory:
            raise ConfigError(
                f"initial_inventory is {self.initial_inventory}; allowed are -{self.max_inventory} to "
                f"{self.max_inventory} (max_inventory)"
            )
        if not self.min_depth < self.max_depth:
            raise ConfigError(f"min_depth is {self.min_depth}; it must be below max_depth, {self.max_depth}")
        deepest = self.k * max(abs(self.min_depth), abs(self.max_depth))
        if deepest > _MOST_DECAY:
            raise ConfigError(
                f"k times the deepest depth is {deepest:g}, allowed is {_MOST_DECAY:g}: lower k, min_depth or max_depth"
            )

    @property
    def dt(self) -> float:
        """Time between decisions; with the event clock the longest one."""
        return self.horizon / self.steps

    def compiled(self) -> NDArray[Any]:
        """The parameters as one ``MODEL_PARAM`` record (shape ``(1,)``)."""
        param = np.zeros(1, MODEL_PARAM)
        record = param[0]
        for name in (
            "horizon", "steps", "initial_price", "initial_inventory", "sigma", "drift", "arrival_rate", "k",
            "adverse_selection", "max_inventory", "dt",
        ):
            record[name] = getattr(self, name)
        # An action within its float32 bounds may be a depth a rounding error beyond them.
        margin = 1e-6 * max(abs(self.min_depth), abs(self.max_depth))
        record["min_depth"], record["max_depth"] = self.min_depth - margin, self.max_depth + margin
        record["by_event"] = self.clock == "event"
        record["exact"] = self.fills == "exact"
        record["gaussian"] = self.mid == "gaussian"
        reward = self.reward
        record["pnl_weight"], record["inventory_weight"] = reward.pnl, reward.inventory
        record["terminal_weight"], record["utility_weight"] = reward.terminal, reward.utility
        record["risk_aversion"] = reward.risk_aversion
        return param
