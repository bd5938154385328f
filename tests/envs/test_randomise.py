"""Domain randomisation: every episode in a market of its own, and the same one for the same seed."""

import json
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from hft_gym.config import build, to_dict
from hft_gym.envs import EnvConfig, HFTMarketEnv, HFTMarketVectorEnv
from hft_gym.envs.core import EnvCore
from hft_gym.errors import ConfigError
from hft_gym.market.config import MarketConfig
from tests.envs.helpers import digest, encoded, scripted_orders

SCENARIOS = ("calm", "volatile", "trending", "thin", "flash-crash", "halt")
MIXED: dict[str, Any] = {
    "flows": [*SCENARIOS, "default"],
    "factors": [("flow.limit_rates", 0.5, 2.0)],
    "ranges": [("latency.order_ns", 0, 5_000_000), ("fees.taker", 0.0, 0.5), ("latency.market_data_ns", 0, 10**8)],
    "variants": 14,
}
COUNT, STEPS = 6, 50


def batch(threads: int = 1, **settings: Any) -> tuple[str, np.ndarray]:
    """Digest of all that a batch returns over three episodes each, and the variants that it played."""
    envs = HFTMarketVectorEnv(COUNT, threads=threads, episode_steps=20, **settings)
    observations, infos = envs.reset(seed=5)
    rows, played = [observations], [infos["variant"]]
    for step in range(STEPS):
        observations, rewards, terminated, _, infos = envs.step(encoded(envs, scripted_orders(step, COUNT)))
        rows += [observations, rewards, terminated, infos["net_pnl"]]
        played.append(infos["variant"])
    return digest(*rows), np.array(played)


def test_one_seed_is_one_episode_single_or_batched_on_any_number_of_threads() -> None:
    expected, played = batch(randomise=MIXED)
    assert len(np.unique(played)) > 5
    assert (np.diff(played, axis=0) != 0).any(axis=0).all(), "an environment's next episode is another market"
    for threads in (2, 3):
        again, also = batch(threads, randomise=MIXED)
        assert again == expected
        np.testing.assert_array_equal(also, played)
    for i in range(COUNT):
        env = HFTMarketEnv(episode_steps=20, randomise=MIXED)
        _, info = env.reset(seed=5 + i)
        variants, ended = [info["variant"]], False
        for step in range(STEPS):
            if ended:
                _, info = env.reset()
                ended = False
            else:
                _, _, ended, _, info = env.step(encoded(env, scripted_orders(step, COUNT)[i : i + 1])[0])
            variants.append(info["variant"])
        np.testing.assert_array_equal(variants, played[:, i])


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_an_episode_is_that_of_its_market_alone(mode: str) -> None:
    """Whatever variant is drawn: the same key in an environment of that market only gives the same bits."""
    mixed = EnvCore(build(EnvConfig, {"episode_steps": 12, "randomise": MIXED}), 32)
    mixed.reset(np.arange(32, dtype=np.uint64))
    orders = [scripted_orders(step, 32) for step in range(20)]
    for step in range(20):  # into the second episode
        mixed.step(orders[step], {"NextStep": 1, "SameStep": 2}[mode])
    for e in range(0, 32, 3):
        market = mixed.config.variants[int(mixed.info[8, e])].market
        alone = EnvCore(EnvConfig(market=market, episode_steps=12), 1)
        alone.reset(mixed.env["key"][e : e + 1])
        for step in range(13 if mode == "NextStep" else 12, 20):
            alone.step(orders[step][e : e + 1])
        np.testing.assert_array_equal(alone.obs[0], mixed.obs[e])
        assert alone.info[2, 0] == mixed.info[2, e]


def test_what_is_drawn_is_what_was_asked_for() -> None:
    config = build(EnvConfig, {"randomise": {**MIXED, "variants": 140}})
    variants = config.variants
    assert len(variants) == 140
    names = [v.drawn["flow"] for v in variants]
    assert {names.count(f) for f in MIXED["flows"]} == {20}
    orders = np.array([v.drawn["latency.order_ns"] for v in variants])
    assert all(isinstance(v.drawn["latency.order_ns"], int) for v in variants)
    np.testing.assert_array_equal(np.sort(orders * 140 // 5_000_001), np.arange(140))  # one in each stratum
    factors = np.array([v.drawn["flow.limit_rates"] for v in variants])
    assert factors.min() >= 0.5 and factors.max() <= 2.0
    assert abs(np.log(factors).mean()) < 0.02
    for v in variants:
        plain = MarketConfig(flow=str(v.drawn["flow"])).order_flow
        expected = np.array(plain.limit_rates) * v.drawn["flow.limit_rates"]
        np.testing.assert_allclose(v.market.order_flow.limit_rates, expected)
        assert v.market.fees.taker == v.drawn["fees.taker"]
    other = build(EnvConfig, {"randomise": {**MIXED, "variants": 140, "seed": 1}})
    assert [v.drawn for v in other.variants] != [v.drawn for v in variants]


def test_variants_are_played_equally_often_and_the_drawn_settings_hold() -> None:
    core = EnvCore(build(EnvConfig, {"randomise": MIXED, "episode_steps": 2}), 2000)
    core.reset(np.arange(2000, dtype=np.uint64))
    played = core.info[8].astype(int)
    counts = np.bincount(played, minlength=14)
    assert ((counts - 2000 / 14) ** 2 / (2000 / 14)).sum() < 34.5  # chi-square, 13 degrees of freedom, p = 0.001
    late = [v.market.latency.market_data_ns for v in core.config.variants]
    np.testing.assert_array_equal(core.env["decision_time"] - core.arrays.state["time"], np.array(late)[played])
    core.step(np.tile((0, 0, 1), (2000, 1)))
    core.step(np.zeros((2000, 3), np.int64))
    lots = core.arrays.account["bought"][:, 1]
    fee = np.array([v.market.fees.taker for v in core.config.variants])[played]
    known = core.info[3] == 0  # bought and, at the end, sold again
    np.testing.assert_allclose(core.info[5][known], (2 * lots * fee)[known], atol=1e-9)


def test_nothing_drawn_is_the_market_itself() -> None:
    assert batch()[0] == batch(randomise={"variants": 7})[0]
    assert not batch()[1].any()


def test_the_configuration_survives_json_and_makes_the_same_markets() -> None:
    config = build(EnvConfig, {"randomise": MIXED})
    again = build(EnvConfig, json.loads(json.dumps(to_dict(config))))
    assert again == config
    assert [v.drawn for v in again.variants] == [v.drawn for v in config.variants]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_is_an_environment(scenario: str) -> None:
    env = gymnasium.make("HFTMarket-v0", market={"flow": scenario}, episode_steps=20)
    check_env(env.unwrapped, skip_render_check=True)


def test_so_is_their_mixture() -> None:
    env = gymnasium.make("HFTMarket-v0", randomise=MIXED, episode_steps=20)
    check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"flows": ["clam"]}, "did you mean 'calm'"),
        ({"ranges": [("flow.market_rat", 0, 1)]}, "did you mean 'market_rate'"),
        ({"ranges": [("episode_steps", 1, 2)]}, "names begin with flow., latency., fees."),
        ({"ranges": [("latency.order_ns", 5, 1)]}, "lower bound"),
        ({"ranges": [("latency.order_ns", -5, -1)]}, "latency.order_ns"),
        ({"ranges": [("flow.limit_rates", 1, 2)]}, "only a number can be drawn"),
        ({"factors": [("flow.market_rate", 0, 1)]}, "factors are above 0"),
        ({"factors": [("flow.metaorders.rate", 1, 2)]}, "metaorders is not set"),
        ({"factors": [("fees.unit", 1, 2)]}, "can be drawn"),
        ({"factors": [("fees.maker", 1, 2)], "ranges": [("fees.maker", 0, 1)]}, "drawn twice"),
        ({"flows": ["calm", "thin"], "variants": 1}, "there are 2 flows"),
        ({"flows": ["calm", "rmsc04"]}, "populations"),
        ({"factor": []}, "did you mean 'factors'"),
    ],
    ids=str,
)
def test_wrong_settings_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        HFTMarketEnv(market="poisson", randomise=wrong)


def test_a_recorded_day_has_no_flow_to_draw() -> None:
    with pytest.raises(ConfigError, match="no order flow to draw"):
        HFTMarketEnv(feed="day.csv", randomise={"flows": ["calm"]})
