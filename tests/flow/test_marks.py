"""Marked excitation: a trade excites by the share of the best queue that it took, a participant's by less."""

from dataclasses import replace

import numpy as np
import pytest

from hft_gym import Market, MarketConfig
from hft_gym.config import build, to_dict
from hft_gym.errors import ConfigError
from hft_gym.flow import FlowConfig, HawkesConfig, preset
from hft_gym.flow.hawkes import LIMIT_BID, MARKET_BUY, MARKET_SELL
from hft_gym.market.entries import ADVANCE, SEND
from tests.audit.play import ASK, BID, SECOND
from tests.verify.harness import SIXTY_FOUR, opened, touch, volume_at

IOC, RATE, DECAY, BRANCHING = 1, 1e-7, 2.0, 0.25
HAWKES = HawkesConfig(
    branching=(((0.0, 0.0), (BRANCHING, 0.0)),),
    decays=(DECAY,),
    kinds=("market_buy", "limit_bid"),
    background=(1.0, 1.0),
)


def excited_by(lots, side=BID, **settings):
    """What a participant's order of *lots* adds to the activity of limit bids, over what an unmarked one adds; the
    queue it meets."""
    flow = FlowConfig(
        limit_rates=(RATE,),
        cancel_rates=(0.0,),
        market_rate=RATE,
        limit_sizes=SIXTY_FOUR,
        hawkes=replace(HAWKES, **settings),
    )
    markets = opened(flow, 1, participants=1, initial_depth=8)
    markets.run(ADVANCE, SECOND, 0)
    queue = int(volume_at(markets, 1 - side, touch(markets)[1 - side])[0])
    before = markets.arrays.flow_state["factor"].copy()
    markets.run(SEND, 1, side, 2**40 if side == BID else -(2**40), lots, IOC, SECOND)
    markets.run(ADVANCE, SECOND, 0)
    added = (markets.arrays.flow_state["factor"] - before)[0]
    assert added[MARKET_BUY] == added[MARKET_SELL] == 0.0
    return added[LIMIT_BID] / (BRANCHING * DECAY / RATE), queue


def test_unmarked_every_trade_excites_alike():
    assert [excited_by(lots)[0] for lots in (1, 7, 1000)] == pytest.approx([1.0] * 3, rel=1e-6)


@pytest.mark.parametrize("lots", [1, 7, 128, 129, 1000])
def test_marked_it_excites_by_the_share_of_the_queue(lots):
    found, queue = excited_by(lots, mean_share=0.4)
    assert queue == 128
    assert found == pytest.approx(min(lots / queue, 1.0) / 0.4, rel=1e-6, abs=1e-6)


def test_a_sale_excites_nothing_here():
    assert excited_by(7, ASK, mean_share=0.4)[0] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("mean_share", [None, 0.4])
def test_a_participants_order_excites_by_less(mean_share):
    full, less = (excited_by(7, mean_share=mean_share, participants=p)[0] for p in (1.0, 0.25))
    assert less == pytest.approx(0.25 * full, rel=1e-6, abs=1e-6)
    assert excited_by(7, mean_share=mean_share, participants=0.0)[0] == pytest.approx(0.0, abs=1e-6)


def test_where_nobody_takes_part_the_weight_of_participants_changes_nothing():
    flow = preset("large-tick")
    assert flow.hawkes.participants < 1.0 and flow.hawkes.mean_share < 1.0
    paths = []
    for weight, share in ((1.0, flow.hawkes.mean_share), (0.25, flow.hawkes.mean_share), (0.25, None)):
        hawkes = replace(flow.hawkes, participants=weight, mean_share=share)
        market = Market(MarketConfig(flow=replace(flow, hawkes=hawkes), initial_price=3100, levels=1024), seed=5)
        paths.append(market.record(20 * SECOND, levels=0).records)
    assert len(paths[0]) > 500 and np.array_equal(paths[0], paths[1])
    assert not np.array_equal(paths[0], paths[2])  # the control


def test_settings_are_kept_and_checked():
    flow = preset("large-tick")
    assert build(FlowConfig, to_dict(flow)) == flow
    for wrong in ({"mean_share": 0.0}, {"mean_share": 1.5}, {"participants": -0.1}, {"participants": 2.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            replace(HAWKES, **wrong)
