"""The population of agents: who wakes how often, what they send, and that they follow the value."""

from dataclasses import replace

import numpy as np
import pytest

from hft_gym.errors import ConfigError
from hft_gym.flow import PopulationConfig, preset
from hft_gym.flow.population import MAKER, MOMENTUM, NOISE, VALUE
from hft_gym.market.entries import ADVANCE
from tests.verify.harness import SECOND, opened, touch

SETTINGS = {"initial_price": 100_000, "levels": 4096, "max_orders": 4096}


@pytest.fixture(scope="module")
def hour():
    """16 markets run for an hour in steps of a second; wakings seen by kind."""
    markets = opened(preset("rmsc04"), 16, **SETTINGS)
    agents = markets.arrays.agents
    wakings = np.zeros(4)
    before = agents["last"].copy()
    for t in range(1, 3601):
        markets.run(ADVANCE, t * SECOND, 0)
        woke = agents["last"] != before
        before = agents["last"].copy()
        wakings += np.bincount(agents["kind"][woke], minlength=4)
    return markets, wakings / (16 * 3600)


def test_who_wakes_how_often(hour):
    _, rates = hour
    noise = (1000 * 6.5 / 7) / 23_400
    expected = {VALUE: 102 * 5.7e-3, MOMENTUM: 12 / 37, MAKER: 2 / 60, NOISE: noise}
    for kind, rate in expected.items():
        # Two wakings of one agent within a second count as one.
        assert rates[kind] == pytest.approx(rate, rel=0.08 if kind != MAKER else 0.15)


def test_agents_replace_their_orders(hour):
    markets, _ = hour
    arrays = markets.arrays
    assert not arrays.flow_state["rejected"].any()
    kind, count = arrays.agents["kind"], arrays.agents["n_orders"]
    assert (count[kind == VALUE] <= 1).all() and (count[kind == MAKER] <= 20).all()
    assert (count[(kind == NOISE) | (kind == MOMENTUM)] == 0).all()
    assert (arrays.flow_state["n_live"] < 400).all()  # of some 3,000 orders sent


def test_the_price_follows_the_value(hour):
    markets, _ = hour
    bid, ask = touch(markets)
    value = markets.arrays.flow_state["fundamental"]
    error = (bid + ask) / 2 - value
    assert np.abs(error).mean() < 0.7 * np.abs(value - 100_000).mean()
    assert np.corrcoef((bid + ask) / 2, value)[0, 1] > 0.8


def test_a_population_of_value_traders_alone_quotes_both_sides():
    flow = replace(preset("rmsc04"), population=PopulationConfig(noise=0, momentum=0, market_makers=0))
    markets = opened(flow, 4, **SETTINGS)
    markets.run(ADVANCE, 1800 * SECOND, 0)
    bid, ask = touch(markets)
    assert (bid < ask).all() and (markets.arrays.state["trades"] > 50).all()


def test_nobody_is_an_error():
    with pytest.raises(ConfigError, match="no agent"):
        PopulationConfig(0, 0, 0, 0)
