"""The makers of HFTModel-v0 as strategies: by name, bound, single and batched."""

import gymnasium
import numpy as np
import pytest

import baselines
import hft_gym  # noqa: F401  (registers the environments)
from baselines.closed_forms import glft_depths
from hft_gym.errors import ConfigError

NAMES = ["avellaneda-stoikov", "cartea-jaimungal", "glft", "symmetric"]


def model(**settings):
    return gymnasium.make("HFTModel-v0", **settings)


def test_names_are_those_of_the_environment():
    assert baselines.names(model()) == NAMES
    assert {"market-making"} <= set(baselines.names(gymnasium.make("HFTMarket-v0"))) < set(baselines.names())
    for name in NAMES:
        cls = baselines.get(name, model())
        assert cls.name == name and cls.__doc__


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("settings", [{}, {"action": "depths"}, {"clock": "event", "mid": "gaussian"}], ids=str)
def test_a_batch_is_quoted_for_like_its_members(name, settings):
    envs = gymnasium.make_vec("HFTModel-v0", num_envs=5, steps=10, max_inventory=2, **settings)
    env = model(steps=10, max_inventory=2, **settings)
    many, one = baselines.make(name, envs), baselines.make(name, env)
    observations, _ = envs.reset(seed=4)
    observation, _ = env.reset(seed=7)
    for _ in range(10):
        actions, state = many.predict(observations, None, np.zeros(5, bool), deterministic=True)
        action, _ = one.predict(observation)
        assert actions in envs.action_space and action in env.action_space and state.shape == (5, 0)
        np.testing.assert_array_equal(actions[3], action)
        observations, *_ = envs.step(actions)
        observation, _, ended, *_ = env.step(action)
        if ended:
            break


def test_parameters_come_from_the_model_and_may_be_given():
    penalties = {"inventory": 0.3, "terminal": 0.2}
    env = model(sigma=1.0, k=1.2, arrival_rate=50.0, horizon=3.0, max_inventory=7, reward=penalties)
    maker = baselines.make("cartea-jaimungal", env)
    assert (maker.arrival_rate, maker.k, maker.horizon, maker.limit) == (50.0, 1.2, 3.0, 7)
    assert (maker.running, maker.terminal) == (0.3, 0.2)
    assert baselines.make("cartea-jaimungal", env, running=0.0).running == 0.0
    maker = baselines.make("glft", env, exact=False, gamma=0.2)
    bid, ask = maker.depths(np.array([0.0, 7.0]), np.array([3.0, 0.0]))
    known = glft_depths(np.array([0, 7]), 1.0, 50.0, 1.2, 0.2)
    assert bid[0] == known[0][0] and bid[1] == np.inf
    np.testing.assert_array_equal(ask, known[1])
    assert baselines.make("symmetric", env).horizon == 3.0


def test_errors_are_clear():
    with pytest.raises(ConfigError, match="did you mean 'glft'"):
        baselines.make("glfd", model())
    with pytest.raises(ConfigError, match="did you mean 'gamma'"):
        baselines.make("glft", model(), gama=1.0)
    with pytest.raises(ConfigError, match="gamma: must be above 0"):
        baselines.make("glft", model(), gamma=0.0)
    with pytest.raises(ConfigError, match="unknown baseline 'market-making'"):
        baselines.make("market-making", model())
    with pytest.raises(ConfigError, match=r"not a subclass of baselines\.ModelMaker"):
        baselines.make("baselines.market_making:MarketMakingStrategy", model())
    maker = baselines.get("glft", model())()
    with pytest.raises(ConfigError, match="call bind"):
        maker.predict(np.zeros(8))
    with pytest.raises(ConfigError, match="no depths"):
        maker.bind(gymnasium.make("HFTMarket-v0"))
    with pytest.raises(ConfigError, match=r"expected \(8,\)"):
        maker.bind(model()).predict(np.zeros(9))
