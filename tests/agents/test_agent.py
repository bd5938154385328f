"""Agents as files: what is loaded acts as what was saved, and what is damaged is refused by name."""

import json
import zipfile

import gymnasium
import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.vec_env import VecNormalize

import agents
from agents.agent import Normalisation
from agents.policies import MirrorPolicy
from hft_gym.config import build
from hft_gym.envs.config import EnvConfig
from hft_gym.errors import CheckpointError, ConfigError
from hft_gym.evaluation import evaluate

SHORT = {"episode_steps": 30}


def small():
    return {"seed": 0, "device": "cpu", "policy_kwargs": {"net_arch": [8]}}


def markets(normalise=True, **settings):
    env = agents.make_vec_env(4, seed=1, **SHORT, **settings)
    return VecNormalize(env) if normalise else env


MODELS = {
    "PPO": lambda: PPO("MlpPolicy", markets(), n_steps=16, batch_size=32, n_epochs=1, **small()),
    "PPO, mirrored": lambda: PPO(
        MirrorPolicy, VecNormalize(markets(False), norm_obs=False), n_steps=16, batch_size=32, **small()
    ),
    "PPO, not normalised": lambda: PPO("MlpPolicy", markets(False), n_steps=16, batch_size=32, **small()),
    "DQN": lambda: DQN(
        "MlpPolicy", markets(action="discrete"), buffer_size=500, learning_starts=32, **small()
    ),
    "SAC": lambda: SAC(
        "MlpPolicy", markets(action="continuous"), buffer_size=500, learning_starts=32, **small()
    ),
    "RecurrentPPO": lambda: RecurrentPPO("MlpLstmPolicy", markets(), n_steps=16, batch_size=32, **small()),
}


@pytest.fixture(scope="module")
def observations():
    env = agents.make_vec_env(6, seed=7)
    env.reset()
    for _ in range(25):
        last = env.step(np.tile([2, 2, 0], (6, 1)))[0]
    return last


@pytest.mark.parametrize("kind", MODELS)
def test_a_loaded_agent_acts_as_the_saved_one(kind, tmp_path, observations):
    model = MODELS[kind]().learn(96)
    normalise = model.get_vec_normalize_env()
    agent = agents.load(agents.save(tmp_path / "a.zip", model, normalise, {"name": "mine", "note": 3}))
    assert agent.algorithm == type(model).__name__ and agent.name == "mine" and agent.metadata["note"] == 3
    assert build(EnvConfig, agent.config).episode_steps == 30
    seen = observations if normalise is None else normalise.normalize_obs(observations)
    expected, state = model.predict(seen, deterministic=True)
    actions, _ = agent.predict(observations, deterministic=True)
    np.testing.assert_array_equal(actions, expected)
    if kind == "RecurrentPPO":
        start = np.array([True, False] * 3)
        expected, _ = model.predict(seen, state, start, deterministic=True)
        _, mine = agent.predict(observations)
        np.testing.assert_array_equal(agent.predict(observations, mine, start)[0], expected)
    else:
        for row, action in zip(observations, actions, strict=True):
            # A batch and a single row may round differently where an action is a real number.
            np.testing.assert_allclose(agent.predict(row, deterministic=True)[0], action, atol=1e-6)


@pytest.mark.parametrize("norm_obs", [True, False])
def test_normalisation_is_that_of_vecnormalize(norm_obs, observations):
    env = VecNormalize(agents.make_vec_env(4, seed=1), norm_obs=norm_obs, clip_obs=2.0)
    env.reset()
    for _ in range(5):
        env.step(np.ones((4, 3), int))
    mine = Normalisation.of(env)
    expected = env.normalize_obs(observations)
    np.testing.assert_array_equal(mine(observations), expected)
    np.testing.assert_array_equal(mine(observations[0]), expected[0])
    wrapped = mine.wrap(agents.make_vec_env(4, seed=1))
    np.testing.assert_array_equal(wrapped.normalize_obs(observations), expected)
    np.testing.assert_array_equal(
        wrapped.normalize_reward(np.array([0.5, -2.0])), env.normalize_reward(np.array([0.5, -2.0]))
    )
    env.step(np.ones((4, 3), int))
    np.testing.assert_array_equal(mine(observations), expected)  # a copy


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("agents") / "agent.zip"
    agents.save(path, MODELS["PPO"]().learn(96), metadata={"name": "mine"})
    return path


def test_drawn_actions_repeat_after_bind_and_leave_torch_alone(saved, observations):
    agent, env = agents.load(saved), agents.make_vec_env(2)

    def play():
        agent.bind(env)
        return [agent.predict(observations, deterministic=False)[0] for _ in range(3)]

    torch.manual_seed(5)
    first = play()
    drawn = torch.rand(3)
    torch.manual_seed(5)
    torch.testing.assert_close(torch.rand(3), drawn)
    for a, b in zip(first, play(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], first[1])
    other = agents.load(saved, seed=1, env=env).predict(observations, deterministic=False)[0]
    assert not np.array_equal(first[0], other)
    twin = agents.load(saved).stochastic()
    np.testing.assert_array_equal(twin.predict(observations, deterministic=True)[0], first[0])


def test_plays_the_single_environment_and_evaluations(saved):
    agent = agents.load(saved)
    env = gymnasium.make("hft_gym:HFTMarket-v0", **SHORT)
    agent.bind(env)
    observation, _ = env.reset(seed=1)
    for _ in range(5):
        action, _ = agent.predict(observation)
        assert env.action_space.contains(action)
        observation = env.step(action)[0]
    played = evaluate(agent, SHORT, [1, 2, 3])
    assert played.name == "mine" and len(played) == 3


def test_a_run_folder_stands_for_its_agent(saved):
    assert agents.load(saved.parent).name == "mine"


def test_binding_checks_columns_and_actions(saved):
    agent = agents.load(saved)
    with pytest.raises(CheckpointError, match="60 columns, the environment has 40"):
        agent.bind(agents.make_vec_env(1, levels=5))
    with pytest.raises(CheckpointError, match="'multi_discrete', the environment has 'discrete'"):
        agents.load(saved, env=agents.make_vec_env(1, action="discrete"))
    with pytest.raises(CheckpointError, match="cannot check Discrete"):
        agent.bind(gymnasium.spaces.Discrete(2))
    renamed = agents.Agent(agent.name, "PPO", agent.model, None, ("x", *agent.columns[1:]), agent.action)
    with pytest.raises(CheckpointError, match="column 0 'x', which is 'bid_offset_1'"):
        renamed.bind(agents.make_vec_env(1))
    with pytest.raises(ConfigError, match=r"\(2, 59\), expected \(60,\)"):
        agent.predict(np.zeros((2, 59), np.float32))


def edit(source, target, change):
    """A copy of an agent's file with its parts, name -> bytes, changed."""
    with zipfile.ZipFile(source) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return target


def head(**changes):
    def change(parts):
        parts["head.json"] = json.dumps({**json.loads(parts["head.json"]), **changes}).encode()

    return change


def flip(name):
    def change(parts):
        parts[name] = parts[name][:50] + bytes([parts[name][50] ^ 1]) + parts[name][51:]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (flip("model.zip"), "damaged: the part 'model.zip' does not have the checksum"),
        (flip("normalisation.npz"), "damaged: the part 'normalisation.npz' does not have the checksum"),
        (lambda p: p.pop("model.zip"), "damaged: the part 'model.zip' is missing"),
        (lambda p: p.pop("head.json"), "not an agent: it has no head.json"),
        (head(kind="training checkpoint"), "not an agent but 'training checkpoint'"),
        (head(version=7), "agent of format 7; this hft_gym reads format 1"),
        (head(algorithm="PPP"), "unknown algorithm 'PPP'.*did you mean 'PPO'"),
        (head(columns=["a", "b"]), r"takes \(60,\) observations, but 2 columns"),
        (head(algorithm="DQN"), "the model cannot be restored"),
        (head(parts=3), "damaged, or not an agent"),
    ],
)
def test_what_is_wrong_with_a_file(saved, tmp_path, change, message):
    with pytest.raises(CheckpointError, match=message):
        agents.load(edit(saved, tmp_path / "bad.zip", change))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_cut_file_is_refused(saved, tmp_path, share):
    data = saved.read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[: int(share * len(data))])
    with pytest.raises(CheckpointError, match=r"cut\.zip: damaged, or not an agent"):
        agents.load(tmp_path / "cut.zip")


def test_every_flipped_bit_is_noticed(saved, tmp_path, observations):
    data, rng = saved.read_bytes(), np.random.default_rng(0)
    expected = agents.load(saved).predict(observations)[0]
    for at in rng.integers(0, len(data), 60):
        (tmp_path / "bit.zip").write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        try:
            actions = agents.load(tmp_path / "bit.zip").predict(observations)[0]
        except CheckpointError:
            continue
        np.testing.assert_array_equal(actions, expected)  # what no part depends on, as the archive's dates


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="there is no such file"):
        agents.load(tmp_path / "nothing.zip")


def test_an_interrupted_save_leaves_the_old_file(saved, tmp_path, monkeypatch):
    path = tmp_path / "agent.zip"
    path.write_bytes(saved.read_bytes())

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        agents.save(path, MODELS["PPO"]())
    assert path.read_bytes() == saved.read_bytes() and list(tmp_path.iterdir()) == [path]


def test_a_model_without_environment_needs_one(saved, tmp_path):
    model = agents.load(saved).model
    with pytest.raises(ConfigError, match="env="):
        agents.save(tmp_path / "b.zip", model)
    agents.save(tmp_path / "b.zip", model, env=gymnasium.make("hft_gym:HFTMarket-v0"))
    assert agents.load(tmp_path / "b.zip").name == "b"
