"""``action="ladder"``: volumes per level, places kept in the queue, limits, and the columns that show it."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from hft_gym.envs import (
    ContinuousLadderSchema,
    HFTLiquidityTakingEnv,
    HFTMarketEnv,
    HFTMarketVectorEnv,
    LadderSchema,
    ObservationSchema,
)
from hft_gym.errors import ActionError, ConfigError
from hft_gym.market.records import RESTING
from tests.envs.helpers import ENV_IDS, assert_same

MS = 1_000_000
LATENCIES = ("order_ns", "order_jitter_ns", "cancel_ns", "cancel_jitter_ns", "market_data_ns")
QUICK = {"market": {"latency": dict.fromkeys(LATENCIES, 0)}}


def working(env: Any) -> list[tuple[int, int, int, int]]:
    """(side, price, remaining, id) of the working orders, by id."""
    own = env._core.arrays.own[0]
    rows = [(int(o["side"]), int(o["price"]), int(o["remaining"]), int(o["id"])) for o in own if o["state"] == RESTING]
    return sorted(rows, key=lambda r: r[3])


def make(**settings: Any) -> HFTMarketEnv:
    env = HFTMarketEnv(action="ladder", **{"max_position": 100, "step_ns": MS, **QUICK, **settings})
    env.reset(seed=3)
    return env


def touches(env: HFTMarketEnv) -> tuple[int, int]:
    return tuple(env._core.env["touch"][0].tolist())  # type: ignore[return-value]


def test_a_ladder_is_placed_reduced_and_topped_up() -> None:
    env = make(step_ns=1000)  # a microsecond: hardly anything else happens
    encode = env.action_schema.encode
    env.step(encode(bid=[3, 0, 2, 0, 0], ask=[0, 4, 0, 0, 0]))
    bid, ask = touches(env)
    env.step(encode(bid=[3, 0, 2, 0, 0], ask=[0, 4, 0, 0, 0]))
    first = working(env)
    assert [r[:3] for r in first] == [(0, bid, 3), (0, bid - 2, 2), (1, ask + 1, 4)]
    ahead = env._core.arrays.own[0]["queue_entry"].copy()
    env.step(encode(bid=[1, 0, 2, 0, 0], ask=[0, 4, 0, 0, 0]))  # less at the touch: the order is reduced in its place
    env.step(encode(bid=[1, 0, 2, 0, 0], ask=[0, 4, 0, 0, 0]))
    now = working(env)
    assert now[0] == (0, bid, 1, first[0][3]) and now[1:] == first[1:]
    assert (env._core.arrays.own[0]["queue_entry"] == ahead).all()
    env.step(encode(bid=[4, 0, 2, 0, 0], ask=[0, 4, 0, 0, 0]))  # more: a second order behind
    env.step(encode(bid=[4, 0, 2, 0, 0], ask=[0, 4, 0, 0, 0]))
    now = working(env)
    assert now[0] == (0, bid, 1, first[0][3]) and now[-1][:3] == (0, bid, 3) and len(now) == 4
    env.step(encode(bid=[2, 0, 2, 0, 0], ask=[0, 4, 0, 0, 0]))  # the one that joined last gives way
    env.step(encode(bid=[2, 0, 2, 0, 0], ask=[0, 4, 0, 0, 0]))
    now = working(env)
    assert now[0] == (0, bid, 1, first[0][3]) and now[-1][:3] == (0, bid, 1)
    env.step(encode(bid=[0, 0, 2, 0, 0]))
    env.step(encode(bid=[0, 0, 2, 0, 0]))
    assert working(env) == [first[1]]


def test_what_is_wanted_is_kept_for_a_whole_episode() -> None:
    """While nothing changes nothing is sent: as many orders as there were prices to quote."""
    env = make(step_ns=10 * MS, episode_steps=300, log_capacity=4096)
    action = env.action_schema.encode(bid=[0, 0, 0, 1, 0])
    prices = set()
    for _ in range(299):
        env.step(action)
        prices |= {r[1] for r in working(env)}
        assert len(working(env)) <= 1
    assert env._core.arrays.account[0, 1]["orders_sent"] <= 3 * len(prices) + 60


def test_levels_inside_the_spread_stop_at_the_other_side() -> None:
    env = make(ladder={"offsets": [-3, -2, -1, 0]}, step_ns=1000)
    action = env.action_schema.encode(bid=[1, 1, 1, 1])
    env.step(action)
    bid, ask = touches(env)
    env.step(action)
    want: dict[int, int] = {}
    for offset in (-3, -2, -1, 0):
        price = min(bid - offset, ask - 1)
        want[price] = want.get(price, 0) + 1
    have: dict[int, int] = {}
    for _, price, lots, _ in working(env):
        have[price] = have.get(price, 0) + lots
    assert have == want


@pytest.mark.parametrize("latency", [0, 3 * MS, 250 * MS])
def test_limits_hold_whatever_is_on_its_way(latency: int) -> None:
    """Random ladders and takes: position and working orders together never exceed the limit, and tables suffice."""
    slow = dict.fromkeys(LATENCIES[:4:2], latency) | dict.fromkeys(LATENCIES[1:4:2], latency // 3)
    env = HFTMarketEnv(action="ladder", max_position=13, order_size=2, market={"latency": slow}, episode_steps=400)
    env.action_space.seed(1)
    for seed in range(2):
        env.reset(seed=seed)
        ended = False
        while not ended:
            ended = env.step(env.action_space.sample())[2]
            account = env._core.arrays.account[0, 1]
            assert account["position"] + account["open"][0] <= 13 and account["position"] - account["open"][1] >= -13
            own = env._core.arrays.own[0]
            alive = own[own["state"] != 0]
            for side in (0, 1):
                assert alive["remaining"][alive["side"] == side].sum() == account["open"][side]


def test_columns_show_own_volume_and_place() -> None:
    env = make(step_ns=20 * MS, episode_steps=400)
    schema = env.observation_schema
    assert schema == ObservationSchema(10, rungs=(0, 1, 2, 3, 4)) and len(schema) == 80
    env.action_space.seed(3)
    seen = 0
    for _ in range(300):
        observation, *_ = env.step(env.action_space.sample())
        assert observation in env.observation_space
        bid, ask = touches(env)
        rows = working(env)
        for side, best, away in ((0, bid, -1), (1, ask, 1)):
            name = ("bid", "ask")[side]
            sizes = observation[schema[f"{name}_rung_size"]]
            for k in range(5):
                lots = sum(r[2] for r in rows if r[0] == side and r[1] == best + away * k)
                assert sizes[k] >= lots  # orders in flight count too
                seen += lots > 0
            assert ((observation[schema[f"{name}_rung_ahead"]] >= 0) | (sizes > 0)).all()
    assert seen > 100


def test_takes_have_sizes() -> None:
    env = make(step_ns=1000)
    encode = env.action_schema.encode
    env.step(encode(take=4))
    *_, info = env.step(encode())
    assert info["inventory"] == 4
    env.step(encode(take=-3))
    *_, info = env.step(encode())
    assert info["inventory"] == 1
    taker = HFTLiquidityTakingEnv(action="ladder", step_ns=1000, **QUICK)
    taker.reset(seed=0)
    assert taker.action_space == gymnasium.spaces.MultiDiscrete([11]) and taker.observation_space.shape == (60,)
    taker.step(taker.action_schema.encode(take=5))
    assert taker.step(taker.action_schema.encode())[4]["inventory"] == 5


@pytest.mark.parametrize("action", ["ladder", "ladder_continuous"])
@pytest.mark.parametrize("env_id", ENV_IDS)
def test_checkers_faces_and_threads(env_id: str, action: str) -> None:
    import warnings

    from gymnasium.utils.env_checker import check_env
    from stable_baselines3.common.env_checker import check_env as check_env_sb3

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(env_id, action=action).unwrapped)
        check_env_sb3(gymnasium.make(env_id, action=action).unwrapped)
    settings = {"action": action, "episode_steps": 20, "max_position": 40}
    runs = []
    for threads in (1, 2, 4):
        envs = gymnasium.make_vec(env_id, num_envs=5, threads=threads, **settings)
        envs.action_space.seed(0)
        runs.append([envs.reset(seed=1), *(envs.step(envs.action_space.sample()) for _ in range(45))])
    sync = gymnasium.make_vec(env_id, num_envs=5, vectorization_mode="sync", **settings)
    sync.action_space.seed(0)
    runs.append([sync.reset(seed=1), *(sync.step(sync.action_space.sample()) for _ in range(45))])
    for run in runs[1:]:
        assert_same(runs[0], run)


def test_the_ladder_in_the_ansi_picture() -> None:
    env = make(render_mode="ansi", step_ns=1000)
    for _ in range(3):
        env.step(env.action_schema.encode(bid=[2, 0, 1, 0, 0]))
    text = str(env.render())
    assert text.count("own bid") == 2 and "own bid 2" in text and "own bid 1" in text


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"action": "laddr"}, "did you mean 'ladder'"),
        ({"action": "ladder", "ladder": {"offsets": [0, 0]}}, "ascend"),
        ({"action": "ladder", "ladder": {"offsets": []}}, "between 1 and 16"),
        ({"action": "ladder", "ladder": {"offset": [0]}}, "did you mean 'offsets'"),
        ({"action": "ladder", "ladder": {"max_size": 0}}, "at least 1"),
        ({"ladder": {"max_size": 3}}, 'takes action="ladder"'),
    ],
)
def test_refused(settings: dict[str, Any], hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        HFTMarketEnv(**settings)


def test_bad_actions_change_nothing() -> None:
    envs, twin = (HFTMarketVectorEnv(2, action="ladder") for _ in range(2))
    envs.reset(seed=1), twin.reset(seed=1)
    good = np.zeros((2, 11), np.int64)
    for column, value, words in ((0, 6, "bid level 1 6"), (9, -1, "ask level 5 -1"), (10, 11, "take 11")):
        bad = good.copy()
        bad[1, column] = value
        with pytest.raises(ActionError, match=rf"actions\[1\]: {words} is out of range"):
            envs.step(bad)
    with pytest.raises(ActionError, match="shape"):
        envs.step(good[:, :3])
    assert_same(envs.step(good), twin.step(good))
    schema = LadderSchema((0, 1), 3)
    with pytest.raises(ActionError, match="2 levels"):
        schema.encode(bid=[1, 2, 3])
    with pytest.raises(ActionError, match="-3 to 3"):
        schema.encode(take=4)
    with pytest.raises(ActionError, match="whole numbers"):
        schema.encode(bid=0.5)
    assert schema.decode(schema.encode(bid=[1, 2], ask=3, take=-1)) == (1, 2, 3, 3, 4)


CONTINUOUS = ContinuousLadderSchema((0, 1), max_size=3)


def test_bins_of_the_continuous_ladder() -> None:
    edges = [-1.0, -0.51, -0.5, -0.01, 0.0, 0.49, 0.5, 1.0]
    assert [CONTINUOUS.decode([x, -1, -1, -1, 0])[0] for x in edges] == [0, 0, 1, 1, 2, 2, 3, 3]
    takes = [-1.0, -0.94, -0.9, -0.81, -0.8, 0.0, 0.8, 0.81, 0.9, 0.94, 1.0]
    assert [CONTINUOUS.decode([-1, -1, -1, -1, x])[4] for x in takes] == [6, 6, 5, 4, 0, 0, 0, 1, 2, 3, 3]
    twin = LadderSchema((0, 1), max_size=3)
    for take in range(-3, 4):
        wanted = {"bid": [take % 4, 0], "ask": [3, 1], "take": take}
        assert CONTINUOUS.decode(CONTINUOUS.encode(**wanted)) == twin.decode(twin.encode(**wanted))
        assert CONTINUOUS.space().contains(CONTINUOUS.encode(**wanted))
    batch = CONTINUOUS.space().sample()[None].repeat(4, 0)
    assert (CONTINUOUS.decode_batch(batch, 4) == CONTINUOUS.decode(batch[0])).all()
    assert twin != CONTINUOUS and repr(CONTINUOUS) == "ContinuousLadderSchema((0, 1), max_size=3)"


def test_both_ladders_are_one_market() -> None:
    """Equal volumes in either encoding give equal trajectories."""
    kinds = ("ladder", "ladder_continuous")
    envs = [HFTMarketVectorEnv(3, action=kind, max_position=30, episode_steps=50) for kind in kinds]
    runs = [[env.reset(seed=5)] for env in envs]
    rng = np.random.default_rng(0)
    for _ in range(60):
        wanted = [rng.integers(0, 6, (3, 5)), rng.integers(0, 6, (3, 5)), rng.integers(-2, 3, 3)]
        for env, run in zip(envs, runs, strict=True):
            run.append(env.step(env.action_schema.encode(*wanted)))
    assert_same(runs[0], runs[1])


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ([0, 0, 0, 1.01, 0], "ask level 2 1.01 is out of range; allowed -1.0 to 1.0"),
        ([0, 0, 0, 0, np.nan], "take nan is out of range"),
        ([0, 0, 0, 0], "shape"),
        (["a"] * 5, "numbers"),
    ],
)
def test_the_continuous_ladder_refuses(action: list[Any], words: str) -> None:
    with pytest.raises(ActionError, match=words):
        CONTINUOUS.decode(action)
