"""Batches of markets driven from tests: trades one by one, books looked at in regular intervals."""

from __future__ import annotations

import numpy as np

from hft_gym.flow import FlowConfig
from hft_gym.market.arrays import allocate
from hft_gym.market.config import LatencyConfig, MarketConfig
from hft_gym.market.entries import ADVANCE, OPEN, Markets
from hft_gym.market.records import EVENT_TRADE

SECOND = 10**9
BID, ASK = 0, 1
SIXTY_FOUR = (0.0,) * 63 + (1.0,)
"""Weights of sizes: always 64 lots. A market opened with it and no limit orders has 8,192 lots a side to trade with."""


def opened(flow: FlowConfig, n: int, key: int = 0, **settings) -> Markets:
    """*n* open markets without latency."""
    settings = {"warm_up_ns": 0, "participants": 0, "latency": LatencyConfig(0, 0, 0, 0, 0), **settings}
    markets = Markets(allocate(MarketConfig(flow=flow, **settings), n))
    markets.arrays.state["key"] = np.arange(key, key + n)
    markets.run(OPEN, -1)
    return markets


def touch(markets: Markets):
    """Best bid and ask of each market [ticks]."""
    head = markets.arrays.head
    return -(head["base"] + head["best"])[:, BID], (head["base"] + head["best"])[:, ASK]


def trades(markets: Markets, until: int):
    """Times [ns] and signs of all trades until *until*, a list of two arrays for each market."""
    state = markets.arrays.state
    times, signs, active = [], [], np.ones(markets.n, bool)
    before = state["volume"].copy()
    while active.any():
        active = (markets.run(ADVANCE, until, EVENT_TRADE) & EVENT_TRADE) != 0
        now = state["volume"]
        times.append(np.where(active, state["time"], -1))
        signs.append(np.where(now[:, BID] > before[:, BID], 1, -1))
        before = now.copy()
    times, signs = np.array(times), np.array(signs)
    return [(times[times[:, e] >= 0, e], signs[times[:, e] >= 0, e]) for e in range(markets.n)]


def volume_at(markets: Markets, side: int, price):
    """Lots at *price* (one a market) on *side*; the ladder must show it."""
    head, node = markets.arrays.head, markets.arrays.node["quantity"]
    levels = int(head["levels"][0])
    index = (price if side == ASK else -price) - head["base"][:, side]
    inside = (index >= 0) & (index < levels)
    at = side * (levels + 1) + np.where(inside, index, 0)
    return np.where(inside, np.take_along_axis(node, at[:, None], axis=1)[:, 0], 0)
