"""Each strategy on observations made by hand: which way quotes lean, when they widen, which side is taken."""

import dataclasses

import numpy as np
import pytest

import baselines
from baselines.strategy import View
from hft_gym.errors import ConfigError
from tests.baselines.fakes import MARKET_NAMES, FakeEnv, observation

MAKERS = ("market-making", "inventory-skew", "join-touch", "microprice-maker")
TAKERS = ("liquidity-taking", "momentum", "order-flow-imbalance", "queue-imbalance", "microprice-taker")
NONE, IMPROVE, JOIN, B1, B2, B3, B5, B10 = range(8)


def look(count=1, bid=-0.5, ask=0.5, bid_size=5, ask_size=5, **columns):
    """A view of ``count`` markets that all look the same."""
    names = ("mid_change", "inventory", "buy_volume", "sell_volume", "bought", "sold")
    values = {**dict.fromkeys(names, 0.0), "elapsed": 0.1, "time_left": 1.0, **columns}
    values |= {"bid": bid, "ask": ask, "bid_size": bid_size, "ask_size": ask_size}
    arrays = {name: np.full(count, float(value)) for name, value in values.items()}
    ladder = np.arange(5.0)
    book = {
        "bid_offsets": np.tile(bid - ladder, (count, 1)),
        "ask_offsets": np.tile(ask + ladder, (count, 1)),
        "bid_sizes": np.full((count, 5), float(bid_size)),
        "ask_sizes": np.full((count, 5), float(ask_size)),
    }
    return View(**arrays, **book, price=10_000.0, lot=1, tick_size=0.01, raw=np.zeros((count, 1), np.float32))


def play(strategy, views, memory=None):
    """The last wish, and the memory after it."""
    for view in views:
        memory = strategy.begin(view) if memory is None else memory
        wish, memory = strategy.decide(view, memory)
    return wish, memory


def depths(strategy, *views):
    wish, _ = play(strategy, views)
    return -wish.bid[0], wish.ask[0]


def act(strategy, env, **columns):
    action, _ = strategy.predict(observation(env.observation_schema, **columns))
    return tuple(int(a) for a in action)


@pytest.fixture
def env():
    return FakeEnv()


# --- makers ---


@pytest.mark.parametrize("name", [m for m in MAKERS if m != "join-touch"])
def test_long_makers_quote_lower_and_short_ones_higher(name, env):
    maker = baselines.make(name, env)
    flat, long, short = (depths(maker, look(inventory=q)) for q in (0, 6, -6))
    assert flat[0] == pytest.approx(flat[1]) and flat[0] > 0
    assert long[0] > flat[0] and long[1] < flat[1]
    assert short == pytest.approx(long[::-1])  # the mirror image


@pytest.mark.parametrize("name", MAKERS)
def test_makers_stop_the_growing_side_at_their_limit(name, env):
    maker = baselines.make(name, env, max_position=4)
    wish, _ = play(maker, [look(inventory=4)])
    assert wish.bid_size[0] == 0 and wish.ask_size[0] == 1
    wish, _ = play(maker, [look(inventory=-4)])
    assert wish.bid_size[0] == 1 and wish.ask_size[0] == 0


def test_join_touch(env):
    maker = baselines.make("join-touch", env)
    assert act(maker, env) == (JOIN, JOIN, 0) == act(maker, env, bid=-1.5, ask=1.5, inventory=9)
    assert act(maker, env, inventory=10) == (NONE, JOIN, 0)
    patient = baselines.make("join-touch", env, min_spread=2)
    assert act(patient, env) == (B1, B1, 0)
    assert act(patient, env, bid=-1.0, ask=1.0) == (JOIN, JOIN, 0)


def test_the_ladder_of_inventory_skew(env):
    maker = baselines.make("inventory-skew", env, behind=1, lots_per_rung=3)
    wide = {"bid": -2.0, "ask": 2.0}
    assert act(maker, env, **wide) == (B1, B1, 0)
    assert act(maker, env, **wide, inventory=2) == (B1, B1, 0)  # not a whole rung yet
    assert act(maker, env, **wide, inventory=3) == (B2, JOIN, 0)
    assert act(maker, env, **wide, inventory=-3) == (JOIN, B2, 0)
    assert act(maker, env, **wide, inventory=6) == (B3, IMPROVE, 0)
    assert act(maker, env, inventory=6) == (B3, JOIN, 0)  # no room inside a spread of one tick


def test_the_micro_price_moves_both_quotes(env):
    maker = baselines.make("microprice-maker", env)
    flat = depths(maker, look())
    up = depths(maker, look(bid_size=9, ask_size=1))
    assert up[0] < flat[0] and up[1] > flat[1]
    assert up[0] + up[1] == pytest.approx(2.0 * maker.half_spread)
    assert depths(baselines.make("microprice-maker", env, weight=0.0), look(bid_size=9, ask_size=1)) == flat


# --- takers ---


def side(strategy, *views):
    """+1 buys, -1 sells, 0 does nothing at the last of the views; quotes are never wanted."""
    wish, _ = play(strategy, views)
    assert np.isnan(wish.bid).all() and np.isnan(wish.ask).all()
    return int(wish.take[0])


def test_momentum_waits_until_its_average_is_full_and_follows_it(env):
    taker = baselines.make("momentum", env, fast=2, slow=5, sample_s=0.1, threshold=0.5)
    rise = [look(mid_change=0.5)] * 6
    assert side(taker, *rise[:4]) == 0
    assert side(taker, *rise[:5]) == 1  # 0, -.5, -1, -1.5, -2: means -.25 and -1
    assert side(taker, *[look(mid_change=-0.5)] * 5) == -1
    assert side(taker, *[look(mid_change=0.5 * (-1) ** i) for i in range(20)]) == 0
    slow = baselines.make("momentum", env, fast=2, slow=5, sample_s=0.2, threshold=0.5)
    assert side(slow, *rise) == 0 and side(slow, *rise, *rise) == 1  # every other mid is a sample
    with pytest.raises(ConfigError, match="fast must be below slow"):
        baselines.make("momentum", env, fast=50)


def test_moving_averages_are_those_of_the_mids(env):
    rng = np.random.default_rng(0)
    changes = rng.integers(-3, 4, 200) / 2
    taker = baselines.make("momentum", env, sample_s=0.1, threshold=1.0)
    mids, memory = np.cumsum(changes), None
    for i, change in enumerate(changes):
        wish, memory = play(taker, [look(mid_change=change)], memory)
        if i >= 49:
            distance = mids[i - 19 : i + 1].mean() - mids[i - 49 : i + 1].mean()
            assert wish.take[0] == int(distance > 1.0) - int(distance < -1.0)


def test_flow_into_the_bid_is_bought(env):
    taker = baselines.make("order-flow-imbalance", env, threshold=0.4)
    calm = look(bid_size=10, ask_size=10)
    assert side(taker, calm) == 0
    assert side(taker, calm, look(bid_size=22, ask_size=10)) == 1
    assert side(taker, calm, look(bid_size=10, ask_size=22)) == -1
    assert side(taker, calm, look(bid_size=22, ask_size=22)) == 0
    assert side(taker, calm, look(bid_size=10, ask_size=10, mid_change=1.0)) == 1  # the whole book a tick higher
    assert side(taker, calm, look(bid_size=22, ask_size=10), *[look(bid_size=22, ask_size=10)] * 10) == 0  # faded


@pytest.mark.parametrize("name", ["queue-imbalance", "microprice-taker"])
def test_the_heavier_side_is_followed(name, env):
    taker = baselines.make(name, env)
    easy = {"queue-imbalance": {"probability": 0.7}, "microprice-taker": {"threshold": 0.5}}[name]
    taker = baselines.make(name, env, **easy)
    assert side(taker, look(bid_size=9, ask_size=1)) == 1
    assert side(taker, look(bid_size=1, ask_size=9)) == -1
    assert side(taker, look()) == 0
    assert side(taker, look(bid_size=9, ask_size=1, inventory=10)) == 0  # at the limit
    assert side(taker, look(bid_size=9, ask_size=1, inventory=-10)) == 1


def test_takers_close_when_the_signal_has_gone(env):
    stubborn = baselines.make("queue-imbalance", env, probability=0.7)
    nervous = baselines.make("queue-imbalance", env, probability=0.7, exit_level=0.0)
    for held in (3, -3):
        assert side(stubborn, look(inventory=held)) == 0
        assert side(nervous, look(inventory=held)) == -np.sign(held)
    assert side(nervous, look(inventory=3, bid_size=6, ask_size=5)) == 0  # still a little in favour
    assert side(nervous, look(inventory=3, bid_size=5, ask_size=6)) == -1


def test_buy_and_hold(env):
    hold = baselines.make("buy-and-hold", env, max_position=3)
    assert [side(hold, look(inventory=q)) for q in (0, 2, 3, 4)] == [1, 1, 0, 0]
    short = baselines.make("buy-and-hold", env, max_position=3, side="sell")
    assert [side(short, look(inventory=q)) for q in (0, -2, -3)] == [-1, -1, 0]


# --- all of them ---


def random_rows(env, steps, count, seed):
    """(steps, count, C) plausible observations, the first of an episode without a past."""
    rng = np.random.default_rng(seed)
    rows = np.empty((steps, count, len(env.observation_schema)), np.float32)
    for t in range(steps):
        for i in range(count):
            half = rng.integers(1, 5) / 2
            past = t > 0
            rows[t, i] = observation(
                env.observation_schema,
                bid=-half,
                ask=half,
                bid_size=rng.integers(0, 12),
                ask_size=rng.integers(0, 12),
                inventory=rng.integers(-10, 11),
                mid_change=past * rng.integers(-6, 7) / 2,
                elapsed=past * rng.choice([0.1, 0.4]),
                buy_volume=past * rng.integers(0, 20),
                sell_volume=past * rng.integers(0, 20),
                bought=past * rng.integers(0, 2),
                sold=past * rng.integers(0, 2),
                time_left=1.0 - t / steps,
            )
    return rows


@pytest.mark.parametrize("name", MARKET_NAMES)
def test_a_batch_is_many_singles_and_the_state_given_is_not_written_to(name, env):
    rows = random_rows(env, 70, 4, seed=6)
    strategy = baselines.make(name, env)
    twin = baselines.make(name, env)
    singles, state, alone = [], None, [None] * 4
    for t, row in enumerate(rows):
        before = None if state is None else state.copy()
        actions, later = strategy.predict(row, state, np.full(4, t == 0))
        if before is not None:
            np.testing.assert_array_equal(before, state)
        state = later
        for i in range(4):
            action, alone[i] = twin.predict(row[i], alone[i], t == 0)
            singles.append(action)
            np.testing.assert_array_equal(action, actions[i])
        np.testing.assert_allclose(np.concatenate(alone), state, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", MARKET_NAMES)
def test_an_episode_does_not_know_the_one_before(name, env):
    first, second = random_rows(env, 30, 3, seed=7), random_rows(env, 30, 3, seed=8)
    strategy = baselines.make(name, env)
    state = None
    for t, row in enumerate(first):
        _, state = strategy.predict(row, state, np.full(3, t == 0))
    fresh = None
    for t, row in enumerate(second):
        start = np.full(3, t == 0)
        actions, state = strategy.predict(row, state, start)
        again, fresh = strategy.predict(row, fresh, start)
        np.testing.assert_array_equal(actions, again)


@pytest.mark.parametrize("name", [n for n in MARKET_NAMES if n not in ("random", "do-nothing")])
def test_parameters_are_checked(name, env):
    assert dataclasses.is_dataclass(baselines.get(name))
    with pytest.raises(ConfigError, match=f"{name}: max_position: must be at least 1"):
        baselines.make(name, env, max_position=0)
