"""The environments over a recorded day."""

import gymnasium
import numpy as np
import pytest

from hft_gym.envs import HFTMarketEnv, HFTMarketVectorEnv
from hft_gym.errors import ConfigError
from tests.data_files import shared_lobster
from tests.envs.helpers import assert_same, encoded, scripted_orders

HOUR = 3_600 * 10**9
REPLAY = {"episode_steps": 40, "replay": {"start": "10:00", "end": "11:00"}}


@pytest.fixture(scope="module")
def feed() -> str:
    return str(shared_lobster("AMZN", 5))


def test_single_equals_batch_and_sync(feed: str) -> None:
    settings = {"feed": feed, **REPLAY}
    native = gymnasium.make_vec("HFTMarket-v0", num_envs=2, **settings)
    sync = gymnasium.make_vec("HFTMarket-v0", num_envs=2, vectorization_mode="sync", **settings)
    assert_same(sync.reset(seed=4), native.reset(seed=4))
    for step in range(50):
        actions = encoded(native, scripted_orders(step, 2))
        assert_same(sync.step(actions), native.step(actions))


def test_episodes_start_where_they_are_told_to(feed: str) -> None:
    at = 10 * HOUR + HOUR // 4
    single = HFTMarketEnv(feed=feed, **REPLAY)
    first = single.reset(seed=1, options={"start": at})[0]
    np.testing.assert_array_equal(single.reset(seed=2, options={"start": at})[0], first)
    assert not np.array_equal(single.reset(seed=1)[0], first)
    batch = HFTMarketVectorEnv(3, feed=feed, **REPLAY)
    observations = batch.reset(seed=1, options={"starts": np.array([at, -1, at])})[0]
    np.testing.assert_array_equal(observations[[0, 2]], np.stack([first, first]))
    assert not np.array_equal(observations[1], first)
    for bad in (9 * HOUR, 11 * HOUR):
        with pytest.raises(ConfigError, match="allowed are"):
            single.reset(options={"start": bad})


def test_a_start_does_not_outlive_its_episode(feed: str) -> None:
    """Autoreset draws the next start; it does not play the same minutes again."""
    at = 10 * HOUR + HOUR // 4
    batch = HFTMarketVectorEnv(1, autoreset_mode="SameStep", feed=feed, **REPLAY)
    first = batch.reset(seed=1, options={"starts": np.array([at])})[0]
    for step in range(40):
        observations, _, terminated, *_ = batch.step(scripted_orders(step, 1))
    assert terminated.all()
    assert not np.array_equal(observations, first)


def test_doing_nothing_earns_nothing_and_sees_the_recorded_book(feed: str) -> None:
    env = HFTMarketEnv(feed=feed, **REPLAY)
    observation, _ = env.reset(seed=3)
    schema = env.observation_schema
    ended = False
    while not ended:
        assert observation in env.observation_space
        assert (observation[schema["bid_size"]][:5] > 0).all() and (
            observation[schema["ask_size"]][:5] > 0
        ).all()
        assert observation[schema.index("spread")] > 0
        observation, reward, ended, _, info = env.step(env.action_schema.encode())
        assert reward == 0.0 and info["net_pnl"] == 0.0
