"""A stand-in for an environment: schemas and configuration, no market. And observations made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

import baselines
from hft_gym.envs.actions import ActionSchema
from hft_gym.envs.schema import ObservationSchema


class FakeEnv:
    def __init__(
        self, action="multi_discrete", levels=2, order_size=1, max_position=10, price=10_000, tick=0.01
    ):
        self.observation_schema = ObservationSchema(levels)
        self.action_schema = ActionSchema(action)
        market = SimpleNamespace(tick_size=tick, initial_price=price)
        self.config = SimpleNamespace(
            id="HFTMarket-v0",
            task="market-making",
            market=market,
            order_size=order_size,
            max_position=max_position,
            episode_steps=1000,
            step_ns=100_000_000,
        )


def observation(schema, bid=-0.5, ask=0.5, bid_size=5, ask_size=5, **columns):
    """One observation with the given touch; other columns by name, zero by default, elapsed 0.1 s, all time left."""
    row = np.zeros(len(schema), np.float32)
    values = {"bid_offset_1": bid, "ask_offset_1": ask, "bid_size_1": bid_size, "ask_size_1": ask_size}
    for name, value in {"elapsed": 0.1, "time_left": 1.0, **values, **columns}.items():
        row[schema.index(name)] = value
    return row


MARKET_NAMES = baselines.names(FakeEnv())
"""The strategies that fit it."""
