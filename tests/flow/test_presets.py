"""Presets are found by the name of their file; the laws of placement reach beyond the table."""

import numpy as np
import pytest

from hft_gym.config import build, to_dict
from hft_gym.errors import ConfigError
from hft_gym.flow import PRESETS, FlowConfig, preset
from hft_gym.market.arrays import allocate
from hft_gym.market.config import MarketConfig
from hft_gym.market.entries import ADVANCE, OPEN, Markets


def test_every_preset_is_a_flow_that_survives_being_written():
    assert {"default", "cst2010"} <= set(PRESETS)
    for name in PRESETS:
        flow = preset(name)
        assert preset(name.replace("-", "_")) is flow
        assert build(FlowConfig, to_dict(flow)) == flow


def test_an_unknown_preset_is_named():
    with pytest.raises(ConfigError, match="unknown flow preset 'cst2011'; did you mean 'cst2010'"):
        preset("cst2011")


def test_a_wide_entry_spreads_its_rate_over_its_ticks():
    """Two entries of 1,000 ticks, weights 3 to 1, uniform within each."""
    flow = FlowConfig(limit_rates=(3.0, 1.0), distance_width=1000, cancel_rates=(0.0,), market_rate=0.0)
    config = MarketConfig(flow=flow, levels=4096, max_orders=16_384, initial_depth=1, warm_up_ns=0, participants=0)
    markets = Markets(allocate(config, 1))
    markets.run(OPEN, -1)
    markets.run(ADVANCE, 1_500 * 10**9, 0)
    head, node = markets.arrays.head[0], markets.arrays.node["quantity"][0]
    ladder = head["levels"]
    found = np.array([node[side * (ladder + 1) : side * (ladder + 1) + ladder] for side in (0, 1)]).sum(axis=0)
    assert found.sum() > 11_000
    found = found[head["best"].min() :]
    share = found[:1000].sum() / found.sum()
    assert abs(share - 0.75) < 0.02
    assert abs(found[:500].sum() / found[:1000].sum() - 0.5) < 0.03
    assert found[2010:].sum() == 0


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_makes_a_market_that_trades(name):
    markets = Markets(allocate(MarketConfig(flow=name, warm_up_ns=0, participants=0), 4))
    markets.arrays.state["key"] = np.arange(4)
    markets.run(OPEN, -1)
    markets.run(ADVANCE, (600 if name in ("cst2010", "rmsc04") else 60) * 10**9, 0)
    assert (markets.arrays.state["trades"] > 5).all()
    assert not markets.arrays.flow_state["rejected"].any()
