"""The mirror policy: symmetric, and the same model through every method."""

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

import agents
from agents.policies import MirrorPolicy, mirror, schema_of
from hft_gym.envs.schema import ObservationSchema
from hft_gym.errors import ConfigError


@pytest.fixture(scope="module")
def model():
    env = agents.make_vec_env(8, seed=1, episode_steps=40, levels=4)
    built = PPO(
        MirrorPolicy, env, n_steps=16, batch_size=64, n_epochs=2, seed=0, learning_rate=0.01, device="cpu"
    )
    return built.learn(512)


@pytest.fixture(scope="module")
def observations(model):
    env = agents.make_vec_env(32, seed=9, levels=4)
    env.reset()
    for _ in range(20):
        last = env.step(np.tile([2, 3, 0], (32, 1)))[0]
    assert (last[:, env.observation_schema.index("inventory")] != 0).any()
    return last


def test_the_mirror_is_its_own_inverse_and_swaps_every_side():
    schema = ObservationSchema(3)
    columns, signs = mirror(schema)
    assert sorted(columns) == list(range(len(schema)))
    np.testing.assert_array_equal(columns[columns], np.arange(len(schema)))
    np.testing.assert_array_equal(signs[columns], signs)
    swapped = {n: schema.names[c] for n, c in zip(schema.names, columns, strict=True) if schema.names[c] != n}
    assert swapped["bid_size_2"] == "ask_size_2" and swapped["bought"] == "sold"
    assert swapped["buy_volume"] == "sell_volume" and swapped["own_bid_ahead"] == "own_ask_ahead"
    odd = {n for n, s in zip(schema.names, signs, strict=True) if s < 0}
    offsets = {n for n in schema.names if "offset" in n}
    assert odd == offsets | {"imbalance", "mid_change", "inventory"}


def test_a_mirrored_market_is_valid():
    env = agents.make_vec_env(64, seed=2)
    env.reset()
    for _ in range(30):
        obs = env.step(np.tile([2, 2, 0], (64, 1)))[0]
    columns, signs = mirror(env.observation_schema)
    turned = obs[:, columns] * signs
    i = env.observation_schema.index
    # What holds between columns of a market holds in its image.
    for x in (obs, turned):
        np.testing.assert_array_equal(x[:, i("ask_offset_1")] - x[:, i("bid_offset_1")], x[:, i("spread")])
        bid, ask = x[:, i("bid_size_1")], x[:, i("ask_size_1")]
        np.testing.assert_allclose(x[:, i("imbalance")], (bid - ask) / (bid + ask), rtol=1e-6)


def test_the_policy_is_symmetric(model, observations):
    policy = model.policy
    columns, signs = mirror(ObservationSchema(4))
    with torch.no_grad():
        one = policy._look(torch.as_tensor(observations))
        other = policy._look(torch.as_tensor(observations[:, columns] * signs))
    torch.testing.assert_close(one[0], other[1])
    torch.testing.assert_close(one[1], other[0])
    torch.testing.assert_close(one[2], other[2][:, [0, 2, 1]])
    torch.testing.assert_close(one[3], other[3])
    assert not torch.allclose(one[0], one[1])


def test_all_methods_are_of_one_model(model, observations):
    policy, x = model.policy, torch.as_tensor(observations)
    torch.manual_seed(0)
    with torch.no_grad():
        actions, values, log_prob = policy(x)
        again, log_prob_again, entropy = policy.evaluate_actions(x, actions)
        distribution = policy.get_distribution(x)
        torch.testing.assert_close(values, again)
        torch.testing.assert_close(values, policy.predict_values(x))
        torch.testing.assert_close(log_prob, log_prob_again)
        torch.testing.assert_close(log_prob, distribution.log_prob(actions))
        torch.testing.assert_close(entropy, distribution.entropy())
        best = policy(x, deterministic=True)[0]
    np.testing.assert_array_equal(model.predict(observations, deterministic=True)[0], best.numpy())


def test_draws_follow_the_probabilities(model, observations):
    policy, n = model.policy, 20_000
    x = torch.as_tensor(np.repeat(observations[:1], n, axis=0))
    torch.manual_seed(1)
    with torch.no_grad():
        actions, _, _ = policy(x)
        parts = policy.get_distribution(x[:1]).distribution
    for column, part in zip(actions.T, parts, strict=True):
        shares = torch.bincount(column, minlength=part.probs.shape[1]) / n
        assert (shares - part.probs[0]).abs().max() < 4 * 0.5 / n**0.5


def test_refuses_what_it_cannot_mirror():
    env = agents.make_vec_env(2, action="discrete")
    with pytest.raises(ConfigError, match="multi_discrete"):
        PPO(MirrorPolicy, env, n_steps=16, batch_size=32, device="cpu")


def test_executions_are_told_by_their_columns():
    env = agents.make_vec_env(4, task="execution", levels=4, episode_steps=30)
    assert schema_of(env.observation_space) == env.observation_schema == ObservationSchema(4, execution=True)
    assert schema_of(ObservationSchema(5).space()) == ObservationSchema(5)
    columns, signs = mirror(env.observation_schema)
    at = env.observation_schema.index("quantity_left")
    assert columns[at] == at and signs[at] == -1.0
    PPO(MirrorPolicy, env, n_steps=16, batch_size=32, n_epochs=1, seed=0, device="cpu").learn(64)
