"""The model environment for Stable-Baselines3, against the Gymnasium batch."""

import numpy as np
import pytest

from agents.model_vec_env import ModelVecEnv
from hft_gym.envs.model import HFTModelVectorEnv
from hft_gym.errors import ActionError, ConfigError

N = 7
SETTINGS = {"steps": 12, "reward": {"inventory": 0.1}}


def actions(env, step):
    i = np.arange(N)
    return env.action_schema.encode(((step + 3 * i) % 7) * 0.2, ((2 * step + i) % 5) * 0.3)


@pytest.mark.parametrize("threads", [1, 2])
def test_plays_what_the_gymnasium_batch_plays(threads):
    theirs = HFTModelVectorEnv(N, autoreset_mode="SameStep", **SETTINGS)
    ours = ModelVecEnv(N, threads=threads, **SETTINGS)
    ours.seed(5)
    np.testing.assert_array_equal(ours.reset(), theirs.reset(seed=5)[0])
    ended = 0
    for step in range(40):
        observations, rewards, dones, infos = ours.step(actions(ours, step))
        known, known_rewards, terminated, _, known_infos = theirs.step(actions(theirs, step))
        np.testing.assert_array_equal(observations, known)
        np.testing.assert_array_equal(rewards, known_rewards.astype(np.float32))
        np.testing.assert_array_equal(dones, terminated)
        for i in np.flatnonzero(dones):
            ended += 1
            np.testing.assert_array_equal(infos[i]["terminal_observation"], known_infos["final_obs"][i])
            assert infos[i]["net_pnl"] == known_infos["final_info"]["net_pnl"][i]
            assert infos[i]["TimeLimit.truncated"] is False
        assert not any(infos[i] for i in np.flatnonzero(~dones))
    assert ended == 3 * N
    np.testing.assert_array_equal(ours.reset(), theirs.reset()[0])


def test_seeds_hold_for_one_reset_and_unseeded_ones_differ():
    env = ModelVecEnv(N, mid="gaussian", **SETTINGS)

    def first_mids():
        env.reset()
        return env.step(actions(env, 0))[0][:, 2]

    env.seed(3)
    a, b = first_mids(), first_mids()
    env.seed(3)
    np.testing.assert_array_equal(first_mids(), a)
    assert not np.isclose(a, b).all() and len(np.unique(a)) == N
    other = ModelVecEnv(N, mid="gaussian", **SETTINGS)
    other.reset()
    assert not np.array_equal(other.step(actions(other, 0))[0][:, 2], a)


def test_errors_are_clear():
    env = ModelVecEnv(2)
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        env.step(np.zeros((2, 2)))
    env.reset()
    with pytest.raises(ActionError, match=r"actions\[1\]"):
        env.step(np.array([[0.0, 0.0], [0.0, 2.0]]))
    with pytest.raises(ConfigError, match="did you mean 'steps'"):
        ModelVecEnv(2, step=3)
    with pytest.raises(ConfigError, match="num_envs"):
        ModelVecEnv(0)
    with pytest.raises(AttributeError, match="did you mean 'config'"):
        env.get_attr("confg")
    assert env.get_attr("config")[1] is env.config
    for call in (lambda: env.set_attr("config", None), lambda: env.env_method("reset")):
        with pytest.raises(AttributeError):
            call()
