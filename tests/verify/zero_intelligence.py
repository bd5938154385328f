"""The zero-intelligence book of Smith, Farmer, Gillemot and Krishnamurthy (2003, Quantitative Finance 3:481).

Market orders at a total rate mu, limit orders alpha per price and time on each side over the prices up to the opposite
best, cancellations delta per order, unit size. Characteristic price p_c = mu / (2 alpha), eps = 2 delta / mu. The
figures are those of two independent simulations with p_c = 100 ticks and a window of 15 p_c.
"""

import numpy as np

from hft_gym.flow import FlowConfig
from hft_gym.market.entries import ADVANCE
from tests.verify.harness import ASK, BID, SECOND, opened, touch, volume_at

SPREADS = {0.01: 0.472, 0.05: 0.554, 0.1: 0.631, 0.5: 1.108}
"""s / p_c by eps."""
ENTRIES, WIDTH = 60, 25
"""1,500 ticks: 15 characteristic prices of 100."""


def flow(eps, mu=2.0, characteristic=100.0, width=WIDTH):
    alpha = mu / (2 * characteristic)
    return FlowConfig(
        limit_rates=(alpha * width,) * ENTRIES,
        distance_width=width,
        market_rate=mu / 2,
        cancel_rates=(eps * mu / 2,),
    )


def measure(eps, n=64, samples=200, key=0, **settings):
    """Mean spread [ticks] and mean lots per tick far from the best prices."""
    made = flow(eps, **settings)
    lifetime = 1 / made.cancel_rates[0]
    depth = 2 * made.limit_rates[0] / made.distance_width * ENTRIES * made.distance_width * lifetime
    orders = 2 ** int(np.ceil(np.log2(2 * depth + 200)))
    markets = opened(made, n, key, initial_depth=8, levels=4096, max_orders=orders, initial_price=10**6)
    start, apart = int(8 * lifetime * SECOND), int(max(0.3 * lifetime, 5.0) * SECOND)
    markets.run(ADVANCE, start, 0)
    spread, far = [], []
    ticks = made.distance_width * ENTRIES
    for k in range(1, samples + 1):
        markets.run(ADVANCE, start + k * apart, 0)
        bid, ask = touch(markets)
        spread.append(ask - bid)
        if k % 10 == 0:
            for at in range(ticks // 2, ticks // 2 + 100):
                far.append(volume_at(markets, BID, ask - at) + volume_at(markets, ASK, bid + at))
    assert not markets.arrays.flow_state["rejected"].any()
    assert not markets.arrays.head["parked"].any()
    return float(np.mean(spread)), float(np.mean(far)) / 2
