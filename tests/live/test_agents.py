"""A trained agent plays a live session as it plays its environment, beside a baseline; its memory is saved too."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from hft_gym.errors import ConfigError
from hft_gym.live import LiveSession

pytestmark = pytest.mark.skipif(not find_spec("sb3_contrib"), reason="needs the extra train")
SECOND = 1_000_000_000
MARKET = {"flow": "poisson", "warm_up_ns": SECOND}


def _save(folder, recurrent: bool, **settings):
    import torch
    from sb3_contrib import RecurrentPPO
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecNormalize

    import agents

    torch.set_num_threads(1)  # on a busy machine torch's threads wait for each other for most of the time
    small = {"seed": 0, "device": "cpu", "n_steps": 16, "batch_size": 32, "n_epochs": 1}
    env = VecNormalize(agents.make_vec_env(4, seed=1, episode_steps=30, market=MARKET, **settings))
    if recurrent:
        model = RecurrentPPO("MlpLstmPolicy", env, policy_kwargs={"net_arch": [8], "lstm_hidden_size": 8}, **small)
    else:
        model = PPO("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, **small)
    folder.mkdir()
    agents.save(folder / "agent.zip", model.learn(64), env, env=env)
    return folder


@pytest.mark.parametrize("recurrent", [False, True])
def test_an_agent_does_what_it_does_in_its_environment(tmp_path, recurrent: bool) -> None:
    import agents
    from hft_gym.envs.core import EnvCore
    from hft_gym.feed.mock import market_seed

    run = _save(tmp_path / "mine", recurrent, order_size=2, levels=4)
    session = LiveSession({"market": MARKET, "strategies": [{"name": str(run)}], "seed": 5})
    config = session.players[0].env
    assert (config.order_size, config.levels, config.episode_steps) == (2, 4, 30)
    core = EnvCore(config, 1)
    core.reset(np.array([market_seed(5, "AAPL")], np.uint64))
    agent, memory, equity = agents.load(run), None, []
    schema = session.floors["AAPL"].traders[0].seat.action_schema
    for step in range(29):
        action, memory = agent.predict(core.obs, memory, np.array([step == 0]), True)
        core.step(schema.decode_batch(action, 1))
        equity.append(core.info[core.INFO_KEYS.index("net_pnl"), 0])
    session.advance(29 * config.step_ns)
    (found,) = session.episodes()
    assert found.name == "mine" and found.deterministic
    np.testing.assert_array_equal(found.equity[0, 1:], equity)


def test_beside_a_baseline_beyond_its_horizon_and_across_a_save(tmp_path) -> None:
    run = _save(tmp_path / "mine", True)
    config = {"market": MARKET, "strategies": [{"name": str(run)}, {"name": "join-touch"}], "seed": 1}
    session = LiveSession(config)
    session.advance(5 * SECOND)  # 50 decisions, the horizon is 30
    session.save(tmp_path / "state")
    other = LiveSession.load(tmp_path / "state")
    for each in (session, other):
        each.advance(2 * SECOND)
    for one, two in zip(session.episodes(), other.episodes(), strict=True):
        assert one.steps[0] == 70
        np.testing.assert_array_equal(one.equity, two.equity)
        np.testing.assert_array_equal(one.fills, two.fills)
    assert session.players[0].kind == "agent" and session.view("AAPL").traders[0]["kind"] == "agent"


def test_what_an_agent_cannot_do_is_refused(tmp_path) -> None:
    run = _save(tmp_path / "mine:2", False, clock="event")  # a path, not a module's class
    with pytest.raises(ConfigError, match="clock"):
        LiveSession({"strategies": [{"name": str(run)}]})
    with pytest.raises(ConfigError, match="parameters"):
        LiveSession({"strategies": [{"name": str(run), "parameters": {"skew": 1}}]})
