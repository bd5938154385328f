"""The Stable-Baselines3 adapter: the native batch, step by step, and what Stable-Baselines3 expects of it."""

import copy
import pickle

import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecFrameStack, VecMonitor, VecNormalize

import agents
from agents.vec_env import EPISODE_KEYS
from hft_gym.envs.vector import HFTMarketVectorEnv
from hft_gym.errors import ActionError, ConfigError

SHORT = {"episode_steps": 12}


def draw(space, rng, n):
    return np.stack([rng.integers(0, high, n) for high in space.nvec], axis=1)


@pytest.mark.parametrize("threads", [1, 2])
def test_equals_the_native_batch_step_by_step(threads):
    n, rng = 7, np.random.default_rng(0)
    native = HFTMarketVectorEnv(n, autoreset_mode="SameStep", **SHORT)
    adapter = agents.make_vec_env(n, seed=3, threads=threads, **SHORT)
    expected, _ = native.reset(seed=3)
    np.testing.assert_array_equal(adapter.reset(), expected)
    returns, pnl = np.zeros(n), []
    for _ in range(40):
        actions = draw(adapter.action_space, rng, n)
        obs, rewards, terminated, truncated, infos = native.step(actions)
        got, got_rewards, dones, got_infos = adapter.step(actions)
        np.testing.assert_array_equal(got, obs)
        np.testing.assert_array_equal(got_rewards, rewards.astype(np.float32))
        np.testing.assert_array_equal(dones, terminated | truncated)
        returns += rewards
        for i in np.flatnonzero(dones):
            info = got_infos[i]
            np.testing.assert_array_equal(info["terminal_observation"], infos["final_obs"][i])
            for key in native._core.INFO_KEYS:
                assert info[key] == infos["final_info"][key][i]
            assert info["TimeLimit.truncated"] is False
            assert info["episode"]["r"] == pytest.approx(returns[i])
            assert info["episode"]["l"] == SHORT["episode_steps"]
            assert info["episode"]["pnl"] == info["net_pnl"]
            pnl.append(info["net_pnl"])
            returns[i] = 0.0
        for key, values in adapter.infos.items():
            np.testing.assert_array_equal(values, infos[key])
            assert values.dtype == infos[key].dtype
    assert len(pnl) == 3 * n and len(set(pnl)) > 3


def test_infos_of_running_episodes_are_empty_and_those_of_ended_ones_complete():
    env = agents.make_vec_env(3, seed=1, **SHORT)
    env.reset()
    kept = []
    for step in range(1, 13):
        _, _, dones, infos = env.step(np.tile([3, 3, 1 if step == 2 else 0], (3, 1)))
        if step < 12:
            assert not dones.any() and infos == [{}, {}, {}]
        kept.append(infos)
    assert dones.all()
    for info in infos:
        assert tuple(info["episode"]) == EPISODE_KEYS
        assert {"terminal_observation", "TimeLimit.truncated", "net_pnl", "inventory"} <= set(info)
        assert info["episode"]["volume"] >= 2.0  # bought one lot, and closed the position at the end
        assert 0.0 < info["episode"]["inventory"] <= 2.0
        assert isinstance(info["inventory"], int)
    # The list of an earlier step is not touched by a later one.
    assert kept[0] == [{}, {}, {}]
    assert all(info["episode"]["l"] == 12 for info in kept[-1])


def test_step_infos_on_demand():
    env = agents.make_vec_env(2, seed=1, step_infos=True, **SHORT)
    env.reset()
    assert set(env.reset_infos[0]) == set(env.core.INFO_KEYS)
    _, _, _, infos = env.step(np.zeros((2, 3), int))
    assert [set(i) for i in infos] == [set(env.core.INFO_KEYS)] * 2
    assert infos[0]["mid"] == env.infos["mid"][0]


def test_observations_are_not_reused():
    env = agents.make_vec_env(2, seed=1)
    first = env.reset()
    kept = first.copy()
    second = env.step(np.ones((2, 3), int))[0]
    np.testing.assert_array_equal(first, kept)
    assert not np.shares_memory(first, second)


def test_seeds():
    env = agents.make_vec_env(2)
    assert env.seed(5) == [5, 6]
    first = env.reset()
    again = env.reset()  # without a seed: the next episodes
    assert not np.array_equal(first, again)
    env.seed(5)
    np.testing.assert_array_equal(env.reset(), first)
    np.testing.assert_array_equal(env.reset(), again)
    assert not np.array_equal(agents.make_vec_env(2).reset(), agents.make_vec_env(2).reset())


def test_attributes_of_the_environments():
    env = agents.make_vec_env(3, levels=5)
    env.reset()
    assert env.get_attr("config") == [env.config] * 3
    assert env.get_attr("observation_schema", 1) == [env.observation_schema]
    assert env.get_attr("market_time", [0, 2]) == [0, 0]
    assert env.has_attr("reference_price") and not env.has_attr("action_masks")
    with pytest.raises(AttributeError, match="'market_time'"):
        env.get_attr("market_tim")
    env.set_attr("difficulty", 3, indices=[1])
    assert env.get_attr("difficulty", 1) == [3] and not env.has_attr("difficulty")
    with pytest.raises(AttributeError, match="fixed"):
        env.set_attr("config", None)
    env.set_attr("shout", lambda word: word.upper())
    assert env.env_method("shout", "buy", indices=[0, 2]) == ["BUY", "BUY"]
    with pytest.raises(AttributeError, match="one by one"):
        env.env_method("reset")
    assert env.env_is_wrapped(Monitor) == [True] * 3
    assert env.env_is_wrapped(VecMonitor, 0) == [False]


def test_wrong_use_says_so():
    env = agents.make_vec_env(2, seed=1)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(np.zeros((2, 3), int))
    before = env.reset()
    with pytest.raises(ActionError, match=r"actions\[1\]: bid quote 8"):
        env.step(np.array([[0, 0, 0], [8, 0, 0]]))
    with pytest.raises(ActionError, match="shape"):
        env.step(np.zeros((3, 3), int))
    np.testing.assert_array_equal(env.core.obs, before)  # nothing has happened
    env.set_options({"start": 3})
    with pytest.raises(ConfigError, match="start"):
        env.reset()
    with pytest.raises(ConfigError, match="levels"):
        agents.make_vec_env(2, levls=3)
    env.close()
    env.close()


def test_stagger_spreads_the_ends_and_reports_only_whole_episodes():
    env = agents.make_vec_env(4, seed=1, stagger=True, **SHORT)
    left = env.reset()[:, env.observation_schema.index("time_left")]
    np.testing.assert_allclose(left, [1.0, 0.75, 0.5, 0.25])
    ends, lengths = [], []
    for _ in range(24):
        _, _, dones, infos = env.step(np.zeros((4, 3), int))
        ends.append(dones)
        lengths += [i["episode"]["l"] for i in infos if "episode" in i]
    assert [np.flatnonzero(e).tolist() for e in ends[2::3]] == [[3], [2], [1], [0]] * 2
    assert lengths == [12] * 5


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_copies_go_on_alike(how):
    env, rng = agents.make_vec_env(3, seed=1, stagger=True, **SHORT), np.random.default_rng(1)
    env.reset()
    for _ in range(5):
        env.step(draw(env.action_space, rng, 3))
    twin = pickle.loads(pickle.dumps(env)) if how == "pickle" else copy.deepcopy(env)
    for _ in range(20):
        actions = draw(env.action_space, rng, 3)
        mine, his = env.step(actions), twin.step(actions)
        for a, b in zip(mine[:3], his[:3], strict=True):
            np.testing.assert_array_equal(a, b)
        assert [i.get("net_pnl") for i in mine[3]] == [i.get("net_pnl") for i in his[3]]


@pytest.mark.parametrize("action", ["multi_discrete", "discrete", "continuous"])
def test_stable_baselines_learns_in_it(action):
    env = VecNormalize(agents.make_vec_env(8, seed=1, action=action, **SHORT))
    model = PPO("MlpPolicy", env, n_steps=16, batch_size=64, n_epochs=1, seed=0, device="cpu")
    model.learn(256)
    episodes = list(model.ep_info_buffer)
    assert len(episodes) == 16 and {"r", "l", "pnl"} <= set(episodes[0])


@pytest.mark.filterwarnings("error")
def test_evaluate_policy_needs_no_monitor():
    env = agents.make_vec_env(2, seed=1, **SHORT)
    model = PPO("MlpPolicy", env, n_steps=16, batch_size=32, device="cpu")
    rewards, lengths = evaluate_policy(model, env, n_eval_episodes=3, return_episode_rewards=True)
    assert lengths == [12] * 3 and len(rewards) == 3


@pytest.mark.filterwarnings("ignore:The environment is already wrapped with a `Monitor`")
def test_wrappers_of_stable_baselines():
    env = VecFrameStack(VecMonitor(agents.make_vec_env(2, seed=1, **SHORT)), 3)
    assert env.reset().shape == (2, 180)
    for _ in range(12):
        _, _, dones, infos = env.step(np.zeros((2, 3), int))
    assert dones.all() and infos[0]["terminal_observation"].shape == (180,)
    # A wrapper has changed the info of that one episode, and nothing that will be handed out again.
    assert env.step(np.zeros((2, 3), int))[3] == [{}, {}]


def test_render():
    env = agents.make_vec_env(2, seed=1, render_mode="rgb_array")
    env.reset()
    env.step(np.ones((2, 3), int))
    images = env.get_images()
    assert len(images) == 2 and images[0].dtype == np.uint8
    assert env.render().ndim == 3
    words = agents.make_vec_env(1, seed=1, render_mode="ansi")
    words.reset()
    assert isinstance(words.env_method("render")[0], str)
