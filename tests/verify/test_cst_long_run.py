"""CST 2010: making the spread (Table 5) against the exact chain, and realised volatility over 370 trades (section
5)."""

import numpy as np
import pytest

from hft_gym.flow import preset
from hft_gym.market.entries import ADVANCE
from hft_gym.market.records import EVENT_TOUCH, EVENT_TRADE
from tests.verify import cst
from tests.verify.harness import SECOND, opened, touch
from tests.verify.making_the_spread import both_filled, p_both_filled

PRICE = 743
"""The stock's price in ticks, at which the moves are taken: left to itself a simulated price wanders."""


def realised_volatility(n, trades=370, key=0):
    """Root of the summed squared log changes of the mid until 370 trades have happened, one a market.

    The price of the sum is the mid at every change of the quotes (CST, section 5), not the price of each trade: those
    bounce between bid and ask (0.0314), and the mid at trades alone misses moves (0.0192).
    """
    markets = opened(preset("cst2010"), n, key, initial_price=PRICE, initial_depth=8)
    markets.run(ADVANCE, 6_000 * SECOND, 0)
    state = markets.arrays.state
    start = state["trades"].copy()
    before = sum(touch(markets)) / 2
    total, active = np.zeros(n), np.ones(n, bool)
    while active.any():
        markets.run(ADVANCE, 10**17, EVENT_TRADE | EVENT_TOUCH)
        active = state["trades"] - start <= trades
        now = sum(touch(markets)) / 2
        total += np.where(active, np.log((PRICE + now - before) / PRICE) ** 2, 0.0)
        before = now
    return np.sqrt(total)


@pytest.fixture(scope="module")
def experiment():
    return cst.Experiment()


def test_the_two_phase_chain():
    exact = p_both_filled()
    assert np.abs(exact - exact.T).max() < 1e-12
    assert np.abs(exact - p_both_filled(18)).max() < 1e-6
    for b, a in ((1, 1), (3, 2)):
        assert exact[b - 1, a - 1] < min(cst.p_bid_filled()[b - 1, a - 1], cst.p_bid_filled()[a - 1, b - 1])


def test_making_the_spread_within_sampling_error(experiment):
    exact = p_both_filled()
    for b, a in ((1, 1), (2, 4), (5, 5)):
        p = exact[b - 1, a - 1]
        ours = both_filled(experiment, b, a, 4_096, 1000 * b + a) / 4_096
        assert abs(ours - p) < 3.5 * np.sqrt(p * (1 - p) / 4_096)


def test_realised_volatility_is_about_right():
    found = realised_volatility(64)
    assert abs(found.mean() - 0.0223) < 3.5 * found.std() / 8


@pytest.mark.verify
def test_table_5(experiment, verified):
    exact = p_both_filled(18)
    for b in cst.SIZES:
        for a in cst.SIZES:
            ours = both_filled(experiment, b, a, 100_000, (10 * b + a) << 40) / 100_000
            verified(f"CST P(both filled | b={b}, a={a})", exact[b - 1, a - 1], ours, 0.005)


@pytest.mark.verify
def test_volatility_over_370_trades(verified):
    found = realised_volatility(2_000, key=10**5).mean()
    verified("CST realised volatility over 370 trades", 0.0223, found, 0.0005)
    verified("CST realised volatility, against the paper's model", 0.0228, found, 0.04 * 0.0228)
