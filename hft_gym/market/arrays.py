"""Allocation of a batch of markets: every array that the kernels run on. State is these values and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.book import ladder
from hft_gym.book.kernel import FILL
from hft_gym.data.ops import CHECKPOINT_DTYPE, REPLAY_DTYPE
from hft_gym.flow.population import allocate_agents
from hft_gym.flow.state import FLOW_STATE
from hft_gym.market.config import MarketConfig
from hft_gym.market.records import ACCOUNT, FILL_LOG, MARKET_STATE, MESSAGE, MID_LOG, ORDER_LOG, OWN

Array = NDArray[Any]


@dataclass
class MarketArrays:
    """The arrays of N markets, in the order in which the kernels take them.

    The first axis is the market, except for ``param``, ``flow`` (one record for all, or one for each variant of the
    market) and ``fills`` (one scratch row a thread).
    """

    state: Array
    param: Array
    flow_state: Array
    flow: Array
    live: Array
    account: Array
    own: Array
    message: Array
    fills: Array
    head: Array
    node: Array
    order: Array
    words: Array
    fill_log: Array
    order_log: Array
    mid_log: Array
    agents: Array

    def as_tuple(self) -> tuple[Array, ...]:
        """The arrays, in order."""
        return tuple(getattr(self, f.name) for f in fields(self))

    def copy(self) -> MarketArrays:
        """Independent copies of all arrays."""
        return MarketArrays(*(a.copy() for a in self.as_tuple()))

    def assign(self, other: MarketArrays) -> None:
        """Overwrite the contents in place with those of *other*, which must have the same shapes."""
        for mine, theirs in zip(self.as_tuple(), other.as_tuple(), strict=True):
            mine[...] = theirs


def allocate(
    config: MarketConfig, n: int, threads: int = 1, log_capacity: int = 0, handles: int = 0,
    variants: Sequence[MarketConfig] = (),
) -> MarketArrays:
    """Arrays of *n* empty markets.

    :param log_capacity: records of each kind of log that a market holds between two drains; 0 switches logging off.
    :param handles: length of a replay's table of handles (0: simulated flow).
    :param variants: markets that take turns, which may differ in flow, latencies and fees; none: *config* alone.
    """
    people = config.participants
    played = variants or (config,)
    param = np.concatenate([c.compiled() for c in played])
    param["log_fills"] = param["log_orders"] = param["log_mids"] = log_capacity > 0
    state = np.zeros(n, MARKET_STATE)
    state["env"], state["episode"] = np.arange(n), -1
    account = np.zeros((n, people + 1), ACCOUNT)
    account["risk"] = config.risk.compiled()
    for p, limits in enumerate(config.participant_risk, start=1):
        account["risk"][:, p] = limits.compiled()
    room = max(log_capacity, 1)
    return MarketArrays(
        state,
        param,
        np.zeros(n, FLOW_STATE),
        np.concatenate([c.order_flow.compiled() for c in played]),
        np.zeros((n, max(config.max_orders, handles)), np.uint32),
        account,
        np.zeros((n, max(people, 1) * config.max_own_orders), OWN),
        np.zeros((n, config.max_messages), MESSAGE),
        np.zeros((threads, config.max_orders), FILL),
        *ladder.allocate(n, config.levels, config.max_orders),
        np.zeros((n, room), FILL_LOG),
        np.zeros((n, room), ORDER_LOG),
        np.zeros((n, room), MID_LOG),
        allocate_agents(played[0].order_flow.population if handles == 0 else None, n),
    )


def no_replay() -> tuple[Array, ...]:
    """The replay arrays of a simulated market: empty ones."""
    none = np.zeros(0, np.int64)
    return np.zeros(0, REPLAY_DTYPE), none, none, none, np.zeros(0, CHECKPOINT_DTYPE), np.ones(1, np.int64)
