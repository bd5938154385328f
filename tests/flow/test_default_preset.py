"""The default market is the realistic one, and what its documentation says: quick looks at what `make verify` checks in
full, each with the Poisson preset as the control that must fail."""

from functools import cache

import numpy as np
import pytest

from hft_gym import Market, MarketConfig
from hft_gym.flow import preset
from hft_gym.market.arrays import allocate
from hft_gym.market.entries import ADVANCE, OPEN, Markets
from hft_gym.realism import measure
from hft_gym.realism.checks import check_facts

HOURS = 3
NANOSECONDS = HOURS * 3_600 * 10**9


@cache
def checks(name: str) -> dict[str, bool]:
    tape = Market(name, seed=2, log_capacity=0).record(NANOSECONDS)
    facts = ["spread_impact", "acf_signs", "spread_recovery", "events", "limit_sizes", "market_sizes", "ofi"]
    return {check.name: check.passed for check in check_facts(measure(tape, facts))}


def test_it_is_the_reactive_preset():
    assert MarketConfig().order_flow == preset("default") == preset("reactive")


@pytest.mark.parametrize("name", ["D7 R2", "D7 trades", "D10 cancels", "D10 limit tail", "D10 market tail", "D12"])
def test_the_default_passes(name):
    assert checks("default")[name]


@pytest.mark.parametrize("name", ["D2 exponent", "D10 cancels", "D10 limit tail", "D10 market tail", "D11", "D12"])
def test_the_control_fails(name):
    assert not checks("poisson")[name]


def test_a_liquid_book_in_which_nothing_is_refused_or_parked():
    markets = Markets(allocate(MarketConfig(participants=0), 48))
    markets.arrays.state["key"] = np.arange(48)
    markets.run(OPEN, -1)
    markets.run(ADVANCE, 60 * 10**9, 0)
    before, spreads = markets.arrays.state["messages"].copy(), []
    for second in range(61, 181):
        markets.run(ADVANCE, second * 10**9, 0)
        head = markets.arrays.head
        spreads.append((head["base"] + head["best"]).sum(axis=1))
    assert 60 < (markets.arrays.state["messages"] - before).mean() / 120 < 150
    spread = np.concatenate(spreads)
    assert 0.5 < (spread == 1).mean() < 0.9 and (spread <= 3).mean() > 0.97
    assert not markets.arrays.flow_state["rejected"].any()
    assert not markets.arrays.head["parked"].any()
