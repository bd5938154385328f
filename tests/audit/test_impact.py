"""E5: nobody makes a market pay by pushing its price.

Huberman and Stanzl 2004 (Econometrica 72:1247), Gatheral 2010 (Quantitative Finance 10:749): a market in which buying N
lots one way and selling them another way earns on average from its own impact can be milked for ever.
"""

from dataclasses import replace

import numpy as np
import pytest

from hft_gym.flow import preset
from hft_gym.market.entries import ADVANCE, CLOSE, SEND
from tests.audit.play import BID, MARKETS, SECOND, SUBUNITS, standard_error
from tests.verify.harness import opened, touch, volume_at

IOC = 1
ANY_PRICE = 2**40
SLICES = ((1, 1), (5, 5), (20, 20), (20, 1), (1, 20))
"""Orders to go in, orders to come out."""
CALIBRATED = ("large-tick", "small-tick")
"""Presets fitted to data. Their lots are small: prices move by a tick for hundreds of them, or for dozens."""


def named(flow):
    return preset(flow) if isinstance(flow, str) else flow


def without_marks(name):
    """The calibrated preset *name* as if every trade excited alike, whatever it took and whoever sent it."""
    flow = preset(name)
    return replace(flow, hawkes=replace(flow.hawkes, mean_share=None, participants=1.0))


def round_trip(flow, n, lots, slices, gap_ns, key=0):
    """P&L [ticks·lots] of going in with *lots* in slices[0] equal market orders and out in slices[1], *gap_ns* apart.

    The mean of first buying and first selling on the same seed: what the market does by itself drops out.
    """
    earned = np.zeros(n)
    for first in (0, 1):
        now = 10 * SECOND
        markets = opened(named(flow), n, key, participants=1, max_own_orders=64)
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
@pytest.mark.parametrize("flow", (*MARKETS, *CALIBRATED))
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
    """The control: excitation that counts trades instead of what they take. Twenty single lots push the price further
    than one order of twenty pulls it back."""
    earned = round_trip(without_marks("large-tick"), 150, 20, (20, 1), SECOND)
    assert earned.mean() > 3 * standard_error(earned)


def thin_queues(flow, n, lots, thin, orders=20, key=0):
    """P&L [ticks·lots] of buying *lots* whenever the best offer is of at most *thin* lots, once a second until *orders*
    are sent, and selling all of it in one order; the mean of this and its mirror."""
    earned = np.zeros(n)
    for first in (BID, 1 - BID):
        far = 2**40 if first == BID else -(2**40)
        now, sent = 10 * SECOND, np.zeros(n, np.int64)
        markets = opened(named(flow), n, key, participants=1, max_own_orders=64)
        markets.run(ADVANCE, now, 0)
        while (sent < orders).any() and now < 6_000 * SECOND:
            due = (sent < orders) & (volume_at(markets, 1 - first, touch(markets)[1 - first]) <= thin)
            if due.any():  # the others send an order that no price suits
                markets.run(SEND, 1, first, np.where(due, far, -far), lots, IOC, now)
            sent += due
            now += SECOND
            markets.run(ADVANCE, now, 0)
        held = np.abs(markets.arrays.account["position"][:, 1])
        markets.run(SEND, 1, 1 - first, np.where(held > 0, -far, far), np.maximum(held, 1), IOC, now)
        now += SECOND
        markets.run(ADVANCE, now, 0)
        markets.run(CLOSE, 1)
        earned += markets.arrays.account[:, 1]["cash"] / SUBUNITS / 2
    return earned


@pytest.mark.verify
@pytest.mark.parametrize(("flow", "lots", "thin"), [("large-tick", 1, 2), ("small-tick", 100, 100)])
def test_thin_queues_do_not_pay(flow, lots, thin, verified):
    """The control: participants whose orders excite as those of the flow, of which some know something."""
    earned = thin_queues(flow, 100, lots, thin)
    t = earned.mean() / standard_error(earned)
    verified(f"E5 {flow}: t of buying thin queues and selling at once, above 0", 0.0, max(t, 0.0), 3.0)
    market = preset(flow)
    control = thin_queues(replace(market, hawkes=replace(market.hawkes, participants=1.0)), 100, lots, thin)
    assert control.mean() > 3 * standard_error(control)


@pytest.mark.verify
@pytest.mark.parametrize("flow", (*MARKETS, *CALIBRATED))
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
