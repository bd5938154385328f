"""E5: nobody makes a market pay by pushing its price.

Huberman and Stanzl 2004 (Econometrica 72:1247), Gatheral 2010 (Quantitative Finance 10:749): a market in which buying N
lots one way and selling them another way earns on average from its own impact can be milked for ever.
"""

import numpy as np
import pytest

from hft_gym.flow import preset
from hft_gym.market.entries import ADVANCE, CLOSE, SEND
from tests.audit.play import BID, MARKETS, SECOND, SUBUNITS, standard_error
from tests.verify.harness import opened

IOC = 1
ANY_PRICE = 2**40
SLICES = ((1, 1), (5, 5), (20, 20), (20, 1), (1, 20))
"""Orders to go in, orders to come out."""


def round_trip(flow, n, lots, slices, gap_ns, key=0):
    """P&L [ticks·lots] of going in with *lots* in slices[0] equal market orders and out in slices[1], *gap_ns* apart.

    The mean of first buying and first selling on the same seed: what the market does by itself drops out.
    """
    earned = np.zeros(n)
    for first in (0, 1):
        now = 10 * SECOND
        markets = opened(preset(flow), n, key, participants=1, max_own_orders=64)
        markets.run(ADVANCE, now, 0)
        for side, count in ((first, slices[0]), (1 - first, slices[1])):
            for _ in range(count):
                markets.run(SEND, 1, side, ANY_PRICE if side == BID else -ANY_PRICE, lots // count, IOC, now)
                now += gap_ns
                markets.run(ADVANCE, now, 0)
        markets.run(CLOSE, 1)
        account = markets.arrays.account[:, 1]
        assert not account["position"].any()
        earned += account["cash"] / SUBUNITS / 2
    return earned


@pytest.mark.parametrize("gap_ns", [SECOND // 10, SECOND])
@pytest.mark.parametrize("lots", [20, 60])
@pytest.mark.parametrize("flow", MARKETS)
def test_no_round_trip_earns(flow, lots, gap_ns):
    for slices in SLICES:
        earned = round_trip(flow, 150, lots, slices, gap_ns)
        assert earned.mean() + 3 * standard_error(earned) < 0, slices


@pytest.mark.parametrize("flow", MARKETS)
def test_nor_one_of_a_few_lots(flow):
    for lots, slices in ((1, (1, 1)), (5, (5, 1)), (5, (1, 5))):
        earned = round_trip(flow, 300, lots, slices, SECOND // 2)
        assert earned.mean() + 3 * standard_error(earned) < 0, (lots, slices)


def test_the_check_finds_a_market_that_can_be_milked():
    """The control: `large-tick`'s excitation counts trades, not lots. Twenty single lots push its price further than
    one order of twenty pulls it back, and its user should know (docs/limits.md)."""
    earned = round_trip("large-tick", 150, 20, (20, 1), SECOND)
    assert earned.mean() > 3 * standard_error(earned)


@pytest.mark.verify
@pytest.mark.parametrize("flow", MARKETS)
def test_round_trips(flow, verified):
    """All sizes, shapes and speeds; the dearest bound of what the best of them could earn."""
    best = -np.inf
    for lots in (5, 20, 100):
        for slices in ((1, 1), (5, 5), (5, 1), (1, 5), (20, 20), (20, 1), (1, 20)):
            if lots % max(slices) == 0:
                for gap_ns in (SECOND // 10, 2 * SECOND):
                    earned = round_trip(flow, 300, lots, slices, gap_ns)
                    best = max(best, (earned.mean() + 3 * standard_error(earned)) / lots)
    verified(f"E5 {flow}: best round trip, upper bound [ticks a lot]", 0.0, max(best, 0.0), 0.0)
