"""The named scenarios do what their names say, against the market that they vary."""

from functools import cache

import numpy as np
import pytest

from hft_gym import MarketConfig
from hft_gym.market.arrays import allocate
from hft_gym.market.entries import ADVANCE, MID, OPEN, Markets

SECOND = 10**9
N, SECONDS, WARM_UP = 24, 200, 20


@cache
def figures(name: str) -> dict[str, float]:
    markets = Markets(allocate(MarketConfig(flow=name, warm_up_ns=0, participants=0), N))
    markets.arrays.state["key"] = np.arange(N)
    markets.run(OPEN, -1)
    mids, orders, halted = [], 0.0, 0.0
    for second in range(1, SECONDS + 1):
        markets.run(ADVANCE, second * SECOND, 0)
        mids.append(markets.run(MID, 0) / 2.0)
        flow = markets.arrays.flow_state
        orders += flow["n_live"].mean() / SECONDS
        halted += float((flow["halted_until"] > second * SECOND).mean()) / SECONDS
    assert not markets.arrays.flow_state["rejected"].any()
    path = np.array(mids)[WARM_UP:]
    long = path[30::30] - path[:-30:30]
    return {
        "volatility": float(np.diff(path, axis=0).std()),
        "trend": float(long.var() / (30.0 * np.diff(path, axis=0).var())),
        "range": float((path.max(axis=0) - path.min(axis=0)).mean()),
        "orders": orders,
        "halted": halted,
    }


@pytest.mark.parametrize(
    ("scenario", "figure", "least", "most"),
    [
        ("calm", "range", 0.0, 0.8),
        ("volatile", "volatility", 1.5, 6.0),
        ("trending", "trend", 1.4, 9.0),
        ("thin", "orders", 0.1, 0.5),
        ("flash-crash", "range", 3.0, 30.0),
    ],
)
def test_a_scenario_is_what_it_is_called(scenario, figure, least, most):
    assert least < figures(scenario)[figure] / figures("reactive")[figure] < most


def test_only_the_halting_market_halts():
    assert 0.05 < figures("halt")["halted"] < 0.6
    assert figures("volatile")["halted"] == 0.0
