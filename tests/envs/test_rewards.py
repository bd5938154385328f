"""Rewards and accounts as the environments report them: exact sums, and nothing for doing nothing."""

from typing import Any

import numpy as np
import pytest

from hft_gym.envs import HFTMarketVectorEnv
from hft_gym.market.records import SUBUNITS
from tests.envs.helpers import encoded, scripted_orders

N = 6
FEES = {"market": {"fees": {"unit": "per_lot", "maker": -0.0013, "taker": 0.0037}}}
BPS = {"market": {"fees": {"unit": "bps", "maker": -0.1, "taker": 0.3}}}


def episodes(steps: int, **settings: Any) -> tuple[Any, list[Any]]:
    """One scripted episode in each of N environments: these, and the results of all steps."""
    envs = HFTMarketVectorEnv(N, autoreset_mode="SameStep", episode_steps=steps, **settings)
    envs.reset(seed=21)
    results = [envs.step(encoded(envs, scripted_orders(step, N))) for step in range(steps)]
    assert results[-1][2].all() and not any(r[2].any() for r in results[:-1])
    return envs, results


def infos_of(results: list[Any], key: str) -> np.ndarray:
    """(steps, N) values of an info key, those of the last step from the final info."""
    last = results[-1][4]["final_info"]
    return np.array([r[4][key] for r in results[:-1]] + [last[key]])


def subunits(ticks: np.ndarray) -> np.ndarray:
    """Whole sub-units; fails if the value is not one."""
    scaled = np.asarray(ticks) * SUBUNITS
    whole = np.rint(scaled)
    np.testing.assert_allclose(scaled, whole, atol=1e-5)
    return whole.astype(np.int64)


@pytest.mark.parametrize("settings", [{}, FEES, BPS], ids=["free", "per_lot", "bps"])
def test_sums_are_exact(settings: dict[str, Any]) -> None:
    _, results = episodes(300, **settings, reward={"inventory": 0.07})
    rewards = np.array([r[1] for r in results])
    terms = [infos_of(results, key) for key in results[0][4] if key.startswith("reward_")]
    assert len(terms) == 2
    np.testing.assert_array_equal(rewards, sum(terms[1:], terms[0]))
    pnl = infos_of(results, "reward_pnl")
    net = infos_of(results, "net_pnl")
    assert (net[-1] != 0).all()  # they did trade
    np.testing.assert_array_equal(np.cumsum(subunits(pnl), axis=0), subunits(net))
    assert (infos_of(results, "reward_inventory") <= 0).all()


def test_weights_scale_their_terms() -> None:
    settings = {"pnl": 2.0, "inventory": 0.0}
    _, plain = episodes(100, reward={"inventory": 0.0})
    _, twice = episodes(100, reward=settings)
    np.testing.assert_array_equal([2 * r[1] for r in plain], [r[1] for r in twice])


def test_the_position_is_closed_at_the_end() -> None:
    _, results = episodes(200)
    assert (infos_of(results, "inventory")[:-1] != 0).any()
    assert (infos_of(results, "inventory")[-1] == 0).all()
    final = np.stack(results[-1][4]["final_obs"])
    envs = HFTMarketVectorEnv(1)
    schema = envs.observation_schema
    assert (final[:, schema.index("inventory")] == 0).all()
    assert (final[:, schema.index("time_left")] == 0).all()


def test_doing_nothing_earns_exactly_nothing() -> None:
    envs = HFTMarketVectorEnv(N, autoreset_mode="SameStep", episode_steps=200, **FEES)
    envs.reset(seed=3)
    idle = envs.action_schema.encode(bid=np.zeros(N, dtype=np.int64))
    own = envs.observation_schema["own"]
    for _ in range(200):
        observations, rewards, *_, infos = envs.step(idle)
        assert (rewards == 0.0).all() and (infos["net_pnl"] == 0.0).all() and (infos["inventory"] == 0).all()
        assert (observations[:, own][:, :-1] == 0.0).all()  # all but time_left


def test_info_agrees_with_the_observation() -> None:
    envs, results = episodes(150)
    at = envs.observation_schema.index
    mid = infos_of(results, "mid")
    for step in range(1, 149):
        observation, *_, infos = results[step]
        np.testing.assert_array_equal(observation[:, at("inventory")], infos["inventory"])
        np.testing.assert_array_equal(observation[:, at("mid_change")], mid[step] - mid[step - 1])
        change = observation[:, at("bought")] - observation[:, at("sold")]
        np.testing.assert_array_equal(
            change, results[step][4]["inventory"] - results[step - 1][4]["inventory"]
        )


def test_fills_of_the_log_add_up_to_the_account() -> None:
    envs = HFTMarketVectorEnv(N, autoreset_mode="Disabled", episode_steps=200, log_capacity=2000, **FEES)
    envs.reset(seed=8)
    for step in range(200):
        *_, infos = envs.step(encoded(envs, scripted_orders(step, N)))
    fills = envs.drain_logs().fills
    assert len(fills) > 0
    for i in range(N):
        own = fills[fills["env"] == i]
        signed = np.where(own["side"] == 0, own["quantity"], -own["quantity"])
        assert signed.sum() == 0  # closed
        cash = -(signed * own["price"]).sum() * SUBUNITS - own["fee"].sum()
        assert cash == subunits(infos["net_pnl"])[i]
