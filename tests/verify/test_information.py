"""Informed traders: Glosten and Milgrom's (1985) zero profit, Kyle's (1985) auction, and the law of the fundamental
value."""

import numpy as np
import pytest

from hft_gym.flow import FlowConfig, preset
from hft_gym.flow.population import VALUE
from hft_gym.market.entries import ADVANCE, OPEN, SET_BOOK
from hft_gym.market.records import EVENT_TRADE
from tests.verify.harness import ASK, BID, SECOND, opened

UNIT = 400
"""Ticks to the value 1; the value is 0 or 1 with probability 1/2."""
HOURS_6_5 = 6.5 * 3600


def profit(informed, half_spread, runs, key=0):
    """Profit a trade of a maker who quotes 1/2 -+ *half_spread* to a trader who is informed with probability
    *informed*.

    One trader comes: the first arrival of two Poisson streams, informed and not.
    """
    flow = FlowConfig(
        limit_rates=(0.0,),
        cancel_rates=(0.0,),
        market_rate=(1 - informed) / 2,
        informed_rate=informed,
        informed_edge=0.0,
    )
    n = 2_000
    markets = opened(flow, n, key, initial_price=UNIT // 2, initial_depth=0, levels=512)
    state = markets.arrays.state
    quotes = np.array(
        [(BID, round(UNIT * (0.5 - half_spread)), 1), (ASK, round(UNIT * (0.5 + half_spread)), 1)], np.int64
    )
    random = np.random.default_rng(key)
    profits = []
    for done in range(0, runs, n):
        state["key"] = np.arange(key + done, key + done + n, dtype=np.uint64)
        markets.run(OPEN, -1)
        markets.run(SET_BOOK, table=quotes)
        value = random.integers(2, size=n)
        markets.arrays.flow_state["fundamental"] = UNIT * value
        before = state["volume"].copy()
        markets.run(ADVANCE, 10**6 * SECOND, EVENT_TRADE)
        bought = (state["volume"] - before)[:, BID]
        assert ((state["volume"] - before).sum(axis=1) == 1).all()
        profits.append(np.where(bought == 1, 0.5 + half_spread - value, value - 0.5 + half_spread))
    return np.concatenate(profits)


def kyle(value_sd, noise_sd, rounds=200):
    """Slope of the price in Kyle's one-period equilibrium, found as the fixed point of the two best replies.

    The insider's: beta = 1 / (2 lambda). The market maker's: lambda = cov(v, y) / var(y), y = beta (v - mean) + noise.
    """
    slope = 1.0
    for _ in range(rounds):
        beta = 1 / (2 * slope)
        reply = beta * value_sd**2 / (beta**2 * value_sd**2 + noise_sd**2)
        slope = np.sqrt(slope * reply)  # a mean of the two: the reply alone overshoots for ever
    return slope


def fundamental(n, hours, volatility, reversion, key=0):
    """Change of the value over *hours* in *n* markets, looked at about once a minute."""
    flow = FlowConfig(
        limit_rates=(0.0,), cancel_rates=(0.0,), market_rate=0.0,
        informed_rate=1 / 60, value_volatility=volatility, value_reversion=reversion,
    )  # fmt: skip
    markets = opened(flow, n, key, initial_price=100_000, initial_depth=0)
    markets.run(ADVANCE, int(hours * 3600 * SECOND), 0)
    last = markets.arrays.flow_state["fundamental_time"] / SECOND
    return markets.arrays.flow_state["fundamental"] - 100_000, last


def test_quotes_at_the_expected_value_earn_nothing_and_tighter_ones_lose():
    for informed in (0.1, 0.5):
        earned = profit(informed, informed / 2, 4_000)
        assert abs(earned.mean()) < 3.5 * earned.std() / np.sqrt(len(earned))
    earned = profit(0.5, 0.125, 4_000)
    assert earned.mean() == pytest.approx(-0.125, abs=0.03)


def test_an_ornstein_uhlenbeck_value_has_its_law():
    """Variance s^2 (1 - e^(-2 k t)) / (2 k), whatever the looks in between; normal tails."""
    change, t = fundamental(4_000, 1.0, 2.0, 1 / 1_000)
    expected = np.sqrt(4.0 * (1 - np.exp(-2 * t / 1_000)) / (2 / 1_000))
    z = change / expected
    assert abs(z.mean()) < 3.5 / np.sqrt(4_000)
    assert z.std() == pytest.approx(1, abs=0.04)
    assert (np.abs(z) > 2).mean() == pytest.approx(0.0455, abs=0.012)


@pytest.mark.verify
def test_glosten_and_milgrom(verified):
    for informed in (0.1, 0.3, 0.5):
        earned = profit(informed, informed / 2, 60_000, key=10**6)
        se = earned.std() / np.sqrt(len(earned))
        verified(f"Glosten-Milgrom profit a trade, informed {informed}", 0.0, earned.mean(), 3 * se)
        halved = profit(informed, informed / 4, 60_000, key=2 * 10**6).mean()
        verified(f"Glosten-Milgrom at half the spread, informed {informed}", -informed / 4, halved, 3 * se)
        verified(f"Glosten-Milgrom control: half the spread, informed {informed}", 0.0, halved, at_least=3 * se)


@pytest.mark.verify
def test_kyle(verified):
    for value_sd, noise_sd in ((1.0, 1.0), (2.0, 0.5), (0.3, 3.0)):
        exact = 0.5 * value_sd / noise_sd
        name = f"Kyle lambda, sd of value {value_sd}, of noise {noise_sd}"
        verified(name, exact, kyle(value_sd, noise_sd), 0.01 * exact)


@pytest.mark.verify
def test_fundamental_of_rmsc04(verified):
    """Diffusion 5e-5 cents per root ns and reversion 1.67e-16 a ns: 0.242 % of 100,000 cents in 6.5 hours."""
    change, _ = fundamental(8_000, 6.5, 5e-5 * np.sqrt(1e9), 1.67e-16 * 1e9)
    verified("RMSC04 sd of the fundamental in 6.5 hours [%]", 0.242, change.std() / 1_000, 0.05 * 0.242)


@pytest.mark.verify
def test_value_arrivals(verified):
    markets = opened(preset("rmsc04"), 16, key=100, initial_price=100_000, levels=4096, max_orders=4096)
    agents = markets.arrays.agents
    value = agents["kind"] == VALUE
    wakings, before = 0, agents["last"].copy()
    for t in range(1, 7_201):
        markets.run(ADVANCE, t * SECOND, 0)
        wakings += (agents["last"] != before)[value].sum()
        before = agents["last"].copy()
    verified("RMSC04 arrivals of value traders a second", 0.58, wakings / (16 * 7_200), 0.05 * 0.58)
