"""Metrics of executions, on the market itself: parts that sum, and what the environment says of its own."""

import numpy as np
import pytest

import baselines
from hft_gym.envs import HFTMarketVectorEnv
from hft_gym.evaluation import Episodes, evaluate
from hft_gym.report import METRICS, Panel, evaluate_metrics, summarise
from hft_gym.report.attribution import attribution

CONFIG = {
    "task": "execution",
    "execution": {"quantity": 20, "max_quantity": 30},
    "episode_steps": 80,
    "market": {"fees": {"taker": 0.05, "maker": -0.01}},
}


def played(name: str) -> Episodes:
    strategy = baselines.make(name, HFTMarketVectorEnv(1, CONFIG))
    return evaluate(strategy, CONFIG, range(12), num_envs=6)


@pytest.fixture(scope="module")
def passive() -> Episodes:
    return played("passive-then-cross")


def test_the_parts_sum_to_the_shortfall(passive: Episodes) -> None:
    panel = Panel(passive)
    summarise(passive)  # holds the attribution against the accounts, to the last sub-unit
    parts = panel.once(attribution)
    assert (parts["spread_captured"] != 0).any() and (parts["inventory_pnl"] != 0).any()
    assert (panel.last_position == 0).all() and (np.abs(panel.start_position) >= 20).all()


def test_values(passive: Episodes) -> None:
    found = evaluate_metrics(passive, ["parent_shortfall", "parent_shortfall_ticks", "completion", "max_abs_inventory"])
    lots = np.abs(passive.inventory[:, 0])
    np.testing.assert_allclose(found["parent_shortfall_ticks"], -passive.net_pnl / lots)
    np.testing.assert_allclose(found["parent_shortfall"], -1e4 * passive.net_pnl / (lots * passive.mid[:, 0]))
    np.testing.assert_array_equal(found["completion"], 1.0)
    np.testing.assert_array_equal(found["max_abs_inventory"], lots)


def test_idling() -> None:
    idle = played("do-nothing")
    found = evaluate_metrics(idle, ["completion", "mean_abs_inventory", "final_position"])
    np.testing.assert_array_equal(found["completion"], 0.0)
    np.testing.assert_allclose(found["mean_abs_inventory"], np.abs(idle.inventory[:, 0]))
    np.testing.assert_array_equal(found["final_position"], idle.inventory[:, 0])


def test_other_tasks_have_none() -> None:
    market = evaluate(baselines.make("do-nothing", HFTMarketVectorEnv(1)), seeds=range(2), episode_steps=10)
    assert METRICS["completion"].reasons(Panel(market)) == ["there is no parent order"] * 2
