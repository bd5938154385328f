"""``HFTLiquidityTaking-v0``: takes only."""

import gymnasium
import numpy as np
import pytest

from hft_gym.envs import HFTLiquidityTakingEnv, HFTMarketEnv, TakeSchema
from hft_gym.errors import ActionError, ConfigError
from tests.envs.helpers import ACTION_KINDS, assert_same, digest

SHORT = {"episode_steps": 40}


@pytest.mark.parametrize("kind", ACTION_KINDS)
def test_it_is_the_market_without_quotes(kind: str) -> None:
    """The same takes in both environments give the same trajectory."""
    taker, market = HFTLiquidityTakingEnv(action=kind, **SHORT), HFTMarketEnv(**SHORT)
    assert_same(taker.reset(seed=3), market.reset(seed=3))
    for step in range(40):
        take = ("none", "buy", "sell")[step * 7 % 3]
        left = taker.step(taker.action_schema.encode(take=take))
        assert_same(left, market.step(market.action_schema.encode(take=take)))
        assert left[0][taker.observation_schema.index("own_bid_size")] == 0


def test_faces_and_threads() -> None:
    runs = []
    for settings in ({"threads": 1}, {"threads": 2}, {"threads": 4}, {"vectorization_mode": "sync"}):
        envs = gymnasium.make_vec("HFTLiquidityTaking-v0", num_envs=5, **SHORT, **settings)
        envs.reset(seed=6)
        envs.action_space.seed(2)
        results = [envs.step(envs.action_space.sample()) for _ in range(90)]
        runs.append(digest(*(a for r in results for a in r[:4])))
    assert len(set(runs)) == 1


def test_the_position_limit() -> None:
    env = HFTLiquidityTakingEnv(max_position=3, **SHORT)
    env.reset(seed=0)
    for _ in range(20):
        *_, info = env.step(env.action_schema.encode(take="sell"))
        assert info["inventory"] >= -3
    assert info["inventory"] == -3


@pytest.mark.parametrize("kind", ACTION_KINDS)
def test_encoding(kind: str) -> None:
    schema = TakeSchema(kind)
    space = schema.space()
    for i, take in enumerate(("none", "buy", "sell")):
        action = schema.encode(take=take)
        assert space.contains(action) and schema.decode(action) == (0, 0, i)
    batch = schema.encode(take=np.array([0, 1, 2, 1]))
    np.testing.assert_array_equal(schema.decode_batch(batch, 4)[:, 2], [0, 1, 2, 1])
    with pytest.raises(ActionError, match="takes no quotes"):
        schema.encode(bid="join")
    with pytest.raises(ActionError, match="shape"):
        schema.decode(np.zeros(3, np.int64))
    bad = np.float32(2.0) if kind == "continuous" else np.int64(3)
    with pytest.raises(ActionError, match="out of range; allowed"):
        schema.decode_batch(np.full(batch.shape, bad), 4)


def test_refused() -> None:
    with pytest.raises(ConfigError, match="this environment's is 'liquidity-taking'"):
        HFTLiquidityTakingEnv(task="execution")
