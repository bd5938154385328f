"""The preset ``cst2010`` left alone: spread, profile and mid moves, against an independent simulation.

See also Cont, Stoikov and Talreja (2010), section 5, for the hump of the profile.
"""

import numpy as np
import pytest

from hft_gym.market.arrays import allocate
from hft_gym.market.config import MarketConfig
from hft_gym.market.entries import ADVANCE, OPEN, Markets
from hft_gym.market.records import EVENT_TOUCH
from tests.verify.cst import ASK, BID, MINUTE

SPREAD = (0.743, 0.187, 0.050, 0.0147)
PROFILE = (1.578, 1.637, 1.569, 1.567, 1.585, 1.561, 1.478, 1.390, 1.321, 1.250)
"""Mean number of orders at distance 1, 2, ... from the opposite best."""


def opened(n):
    config = MarketConfig(flow="cst2010", initial_depth=8, warm_up_ns=0, participants=0)
    markets = Markets(allocate(config, n))
    markets.arrays.state["key"] = np.arange(n)
    markets.run(OPEN, -1)
    markets.run(ADVANCE, 100 * MINUTE, 0)
    return markets


def touch(markets):
    head = markets.arrays.head
    return -(head["base"] + head["best"])[:, BID], (head["base"] + head["best"])[:, ASK]


def sizes(markets, distances):
    """Volume by side and distance from the opposite best, summed over the markets."""
    head, node = markets.arrays.head, markets.arrays.node["quantity"]
    levels = int(head["levels"][0])
    found = np.zeros(distances)
    best = touch(markets)
    for side in (BID, ASK):
        for i in range(distances):
            key = best[1] - (i + 1) if side == BID else best[0] + i + 1
            index = (key if side == ASK else -key) - head["base"][:, side]
            inside = (index >= 0) & (index < levels)
            at = side * (levels + 1) + np.where(inside, index, 0)
            found[i] += np.where(inside, np.take_along_axis(node, at[:, None], axis=1)[:, 0], 0).sum()
    return found


def stationary(n, samples):
    """Spread distribution and profile from *samples* looks, a minute apart, at each of *n* markets."""
    markets = opened(n)
    spreads, profile = np.zeros(200), np.zeros(len(PROFILE))
    start = int(markets.arrays.state["time"][0])
    for k in range(1, samples + 1):
        markets.run(ADVANCE, start + k * MINUTE, 0)
        bid, ask = touch(markets)
        spreads += np.bincount(ask - bid, minlength=200)
        profile += sizes(markets, len(PROFILE))
    assert not markets.arrays.flow_state["rejected"].any()
    return spreads / (n * samples), profile / (2 * n * samples)


def mid_moves(n, minutes):
    """Mid changes a minute, and the fraction of them in the direction of the one before."""
    markets = opened(n)
    until = int(markets.arrays.state["time"][0]) + minutes * MINUTE
    before = sum(touch(markets))
    last = np.zeros(n, np.int64)
    moves = same = pairs = 0
    while (markets.run(ADVANCE, until, EVENT_TOUCH) & EVENT_TOUCH).any():
        now = sum(touch(markets))
        direction = np.sign(now - before)
        moved = direction != 0
        moves += moved.sum()
        pairs += (moved & (last != 0)).sum()
        same += (moved & (direction == last)).sum()
        last, before = np.where(moved, direction, last), now
    return moves / (n * minutes), same / pairs


def test_the_spread_is_mostly_one_tick_and_the_profile_has_its_hump():
    spreads, profile = stationary(n=64, samples=200)
    assert spreads[1] == pytest.approx(SPREAD[0], abs=0.02)
    assert profile[1] > profile[0] and profile[1] > profile[-1]


@pytest.mark.verify
def test_spread_and_profile(verified):
    spreads, profile = stationary(n=256, samples=1_500)
    for i, expected in enumerate(SPREAD, 1):
        verified(f"CST stationary P(spread = {i})", expected, spreads[i], 0.005)
    verified("CST stationary mean spread [ticks]", 1.354, float(spreads @ np.arange(200)), 0.01)
    for i, expected in enumerate(PROFILE):
        verified(f"CST mean orders at distance {i + 1}", expected, profile[i], 0.02)
    verified("CST hump: orders at distance 2 less those at distance 1", 0.0, profile[1] - profile[0], at_least=0.02)


@pytest.mark.verify
def test_mid_moves(verified):
    rate, continuing = mid_moves(n=256, minutes=1_000)
    verified("CST mid changes a minute", 2.54, rate, 0.05)
    verified("CST mid changes that continue the last", 0.447, continuing, 0.005)
