import numpy as np
import pytest

import baselines
from baselines import LiquidityTakingStrategy, MarketMakingStrategy
from hft_gym.errors import ConfigError
from tests.baselines.fakes import MARKET_NAMES, FakeEnv, observation

NONE, IMPROVE, JOIN, B1, B2, B3, B5, B10 = range(8)


def act(strategy, env, **columns):
    """(bid, ask, take) of one decision on one handmade observation."""
    action, _ = strategy.predict(observation(env.observation_schema, **columns))
    return tuple(int(a) for a in action)


@pytest.fixture
def env():
    return FakeEnv()


@pytest.mark.parametrize(
    ("target", "touch", "expected"),
    [
        (0.01, (-0.5, 0.5), (JOIN, JOIN)),  # wants ±0.5, the touch
        (0.02, (-0.5, 0.5), (B1, B1)),  # wants ±1: between join and one behind, the more cautious
        (0.03, (-0.5, 0.5), (B1, B1)),
        (0.05, (-0.5, 0.5), (B2, B2)),
        (0.01, (-1.0, 1.0), (JOIN, JOIN)),  # wants ±0.5: as near to improving (0) as to joining
        (0.01, (-1.5, 1.5), (IMPROVE, IMPROVE)),
        (0.01, (-0.5, 0.5), (JOIN, JOIN)),  # a spread of one tick cannot be improved
        (0.08, (-0.5, 0.5), (B3, B3)),  # wants ±4
        (0.16, (-1.0, 1.0), (B10, B10)),  # wants ±8: 7 behind, nearer to 5 (-6) or 10 (-11)? to 5
        (9.00, (-0.5, 0.5), (B10, B10)),  # farther than any option
        (0.01, (-20.0, 20.0), (IMPROVE, IMPROVE)),  # nearer than any option
    ],
)
def test_maker_takes_the_nearest_offset(env, target, touch, expected):
    maker = MarketMakingStrategy("X", target, 10, 1).bind(env)
    if target == 0.16:
        expected = (B5, B5)
    assert act(maker, env, bid=touch[0], ask=touch[1]) == (*expected, 0)


def test_maker_leans_against_its_inventory(env):
    maker = MarketMakingStrategy("X", 0.04, 10, 1).bind(env)  # ±2 around the mid when flat
    assert act(maker, env, inventory=0) == (B2, B2, 0)
    assert act(maker, env, inventory=5) == (
        B3,
        B1,
        0,
    )  # shifted down by 1: bid -3 (tie of 2.5 and 3.5), ask 1
    assert act(maker, env, inventory=-5) == (B1, B3, 0)
    assert act(MarketMakingStrategy("X", 0.04, 10, 1, skew=0).bind(env), env, inventory=5) == (B2, B2, 0)


def test_maker_stops_the_growing_side_at_its_limit(env):
    maker = MarketMakingStrategy("X", 0.02, 3, 1, skew=0).bind(env)
    assert act(maker, env, inventory=3) == (NONE, B1, 0)
    assert act(maker, env, inventory=-3) == (B1, NONE, 0)
    assert act(maker, env, inventory=7) == (NONE, B1, 0)
    assert act(maker, env, inventory=2) == (B1, B1, 0)


def test_maker_never_sends_an_order_that_could_pass_its_limit():
    env = FakeEnv(order_size=4)
    maker = MarketMakingStrategy("X", 0.02, 10, 4, skew=0).bind(env)
    assert act(maker, env, inventory=6) == (B1, B1, 0)
    assert act(maker, env, inventory=7) == (NONE, B1, 0)


def test_empty_sides_are_not_quoted(env):
    maker = MarketMakingStrategy("X", 0.02, 10, 1).bind(env)
    assert act(maker, env, bid=0, bid_size=0) == (NONE, B1, 0)
    assert act(maker, env, ask=0, ask_size=0) == (B1, NONE, 0)


def test_taker_follows_a_move(env):
    taker = LiquidityTakingStrategy("X", 0.0002, 10, 1).bind(env)  # two ticks at 10,000
    assert act(taker, env, mid_change=2.5) == (NONE, NONE, 1)
    assert act(taker, env, mid_change=-2.5) == (NONE, NONE, 2)
    assert act(taker, env, mid_change=2.0) == (NONE, NONE, 0)  # beyond, not at
    assert act(taker, env, mid_change=2.5, inventory=10) == (NONE, NONE, 0)
    assert act(taker, env, mid_change=-2.5, inventory=10) == (NONE, NONE, 2)  # closes, then reverses
    assert act(taker, env, mid_change=-2.5, inventory=-10) == (NONE, NONE, 0)


def test_taker_remembers_moves_and_lets_them_fade(env):
    taker = LiquidityTakingStrategy("X", 0.0002, 10, 1, horizon_s=1.0).bind(env)
    schema, state, takes = env.observation_schema, None, []
    for change in (1.5, 1.0, 0.0, 0.0, 0.0, 0.0):
        action, state = taker.predict(observation(schema, mid_change=change, elapsed=0.1), state, False)
        takes.append(int(action[2]))
    # 1.5; 1.36 + 1 = 2.36; 2.13; 1.93 ...
    assert takes == [0, 1, 1, 0, 0, 0]
    action, state = taker.predict(observation(schema, mid_change=1.0, elapsed=10.0), state, False)
    assert int(action[2]) == 0


def test_a_new_episode_forgets(env):
    taker = LiquidityTakingStrategy("X", 0.0002, 10, 1).bind(env)
    rows = np.stack([observation(env.observation_schema, mid_change=1.5)] * 2)
    _, state = taker.predict(rows, None, np.array([True, True]))
    before = state.copy()
    actions, state = taker.predict(rows, state, np.array([False, True]))
    assert actions[:, 2].tolist() == [1, 0]
    np.testing.assert_array_equal(before, [[1.5], [1.5]])  # the state given is not written to


def test_taker_on_the_imbalance(env):
    taker = LiquidityTakingStrategy("X", 1.0, 10, 1, imbalance_threshold=0.6).bind(env)
    assert act(taker, env, bid_size=9, ask_size=1) == (NONE, NONE, 1)
    assert act(taker, env, bid_size=1, ask_size=9) == (NONE, NONE, 2)
    assert act(taker, env, bid_size=6, ask_size=4) == (NONE, NONE, 0)
    both = LiquidityTakingStrategy("X", 0.0, 10, 1, imbalance_threshold=0.6).bind(env)
    assert act(both, env, bid_size=9, ask_size=1, mid_change=-1.0) == (NONE, NONE, 0)  # they disagree


def test_random_is_uniform_and_its_own_twin(env):
    rng = np.random.default_rng(0)
    rows = np.stack([observation(env.observation_schema, bid=-1.5, ask=1.5)] * 4000)
    rows[:, 4] = rng.integers(1, 1000, 4000)  # different markets
    agent = baselines.make("random", env)
    actions, state = agent.predict(rows, None, np.ones(4000, bool))
    for part, options in ((0, 8), (1, 8), (2, 3)):
        counts = np.bincount(actions[:, part], minlength=options)
        assert counts.min() > 0.8 * 4000 / options
    again, _ = agent.predict(rows, None, np.ones(4000, bool))
    np.testing.assert_array_equal(actions, again)
    later, _ = agent.predict(rows, state, np.zeros(4000, bool))
    assert (later != actions).any(axis=1).mean() > 0.9
    other, _ = baselines.make("random", env, seed=1).predict(rows, None, np.ones(4000, bool))
    assert (other != actions).any(axis=1).mean() > 0.9


def test_do_nothing(env):
    assert act(baselines.make("do-nothing", env), env) == (NONE, NONE, 0)


@pytest.mark.parametrize("kind", ["multi_discrete", "continuous", "discrete"])
@pytest.mark.parametrize("name", MARKET_NAMES)
def test_batched_equals_single_in_every_encoding(kind, name):
    env = FakeEnv(kind)
    rng = np.random.default_rng(1)
    half = rng.integers(1, 6, 40) / 2
    rows = np.stack(
        [
            observation(
                env.observation_schema,
                bid=-half[i],
                ask=half[i],
                bid_size=rng.integers(0, 9),
                ask_size=rng.integers(0, 9),
                inventory=rng.integers(-10, 11),
                mid_change=rng.integers(-6, 7) / 2,
            )
            for i in range(40)
        ]
    )
    strategy = baselines.make(name, env)
    batch, states = strategy.predict(rows, None, np.ones(40, bool))
    decoded = env.action_schema.decode_batch(batch, 40)
    for i, row in enumerate(rows):
        single, state = strategy.predict(row, None, True)
        assert env.action_schema.space().contains(single)
        assert env.action_schema.decode(single) == tuple(decoded[i])
        np.testing.assert_array_equal(state, states[i : i + 1])


def test_all_encodings_mean_the_same():
    decisions = set()
    for kind in ("multi_discrete", "continuous", "discrete"):
        env = FakeEnv(kind)
        maker = baselines.make("market-making", env)
        action, _ = maker.predict(observation(env.observation_schema, inventory=4))
        decisions.add(env.action_schema.decode(action))
    assert len(decisions) == 1


def test_wrong_use_is_told(env):
    with pytest.raises(ConfigError, match=r"bind\(env\) before predict"):
        MarketMakingStrategy("X").predict(np.zeros(28, np.float32))
    with pytest.raises(ConfigError, match=r"shape \(3, 5\), expected"):
        baselines.make("market-making", env).predict(np.zeros((3, 5), np.float32))
    with pytest.raises(ConfigError, match="no observation_schema"):
        MarketMakingStrategy("X").bind(object())
