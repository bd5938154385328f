"""Wandering activity, and quotes of those who know it."""

from dataclasses import replace

import numpy as np
import pytest

from hft_gym import Market, MarketConfig, OrderSide
from hft_gym.errors import ConfigError
from hft_gym.flow import VolatilityConfig, preset
from hft_gym.market.arrays import allocate
from hft_gym.market.entries import ADVANCE, OPEN, Markets

SECOND = 10**9
BASE = preset("cst2010")


def markets(flow, n):
    made = Markets(allocate(MarketConfig(flow=flow, warm_up_ns=0, participants=0), n))
    made.arrays.state["key"] = np.arange(n)
    made.run(OPEN, -1)
    return made


def jumps(flow, n, seconds):
    """Distance of the value from its start after *seconds*, in ticks: every jump is one tick up or down."""
    made = markets(flow, n)
    made.run(ADVANCE, seconds * SECOND, 0)
    return made.arrays.flow_state["fundamental"] - 10_000


def test_activity_keeps_its_mean_and_spreads_the_number_of_jumps():
    """Jumps at rate 1 over 20 s: with and without wandering activity the mean square is 20; its spread differs."""
    plain = replace(BASE, jump_rate=1.0, jump_sizes=(1.0,), market_reach=10)
    wandering = replace(plain, volatility=VolatilityConfig(components=4, depth=0.6, fastest_s=100.0, slowest_s=1000.0))
    square = {name: jumps(flow, 6000, 20) ** 2.0 for name, flow in (("plain", plain), ("wandering", wandering))}
    for values in square.values():
        assert abs(values.mean() - 20.0) < 4.0 * values.std() / np.sqrt(len(values))
    kurtosis = {name: (v**2).mean() / v.mean() ** 2 for name, v in square.items()}
    # A mixture of normals: 3 E[a^2], and E[a^2] = (1 + depth^2)^4 while no component switches.
    assert abs(kurtosis["plain"] - 3.0) < 0.4
    assert 6.0 < kurtosis["wandering"] < 3.0 * 1.36**4 * 1.2


def test_who_knows_the_value_does_not_quote_beyond_it():
    flow = replace(preset("cst2010"), informed_quotes=1.0, informed_edge=2.0, market_rate=0.0, jump_rate=1e-9)
    made = markets(flow, 1)
    made.run(ADVANCE, 2000 * SECOND, 0)
    market = Market(MarketConfig(flow=flow, warm_up_ns=2000 * SECOND, initial_depth=0), seed=0)
    assert market.best(OrderSide.BID) <= 9_998
    assert market.best(OrderSide.ASK) >= 10_002
    everybody = Market(MarketConfig(flow=replace(flow, informed_quotes=0.0), warm_up_ns=2000 * SECOND), seed=0)
    assert everybody.best(OrderSide.ASK) - everybody.best(OrderSide.BID) < 4


def test_settings_that_cannot_be_are_named():
    with pytest.raises(ConfigError, match=r"slowest_s is 1.0; it must be at least fastest_s, 2.0"):
        VolatilityConfig(fastest_s=2.0, slowest_s=1.0)
    with pytest.raises(ConfigError, match=r"depth: must be above 0.0 and below 1.0, got 1.0"):
        VolatilityConfig(depth=1.0)
    with pytest.raises(ConfigError, match=r"informed_quotes: must be at least 0.0 and at most 1.0, got 2"):
        replace(BASE, informed_quotes=2.0)
