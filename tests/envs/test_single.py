import copy
import doctest
import inspect
import pickle
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from hft_gym.envs import EnvConfig, HFTMarketEnv, single, vector
from hft_gym.errors import ActionError, ConfigError
from tests.envs.helpers import ACTION_KINDS, ENV_IDS, SHORT, assert_same, encoded, scripted_orders
from tests.envs.sheet import settings_table

FORBIDDEN_INFO = {"episode", "final_obs", "final_info", "terminal_observation", "TimeLimit.truncated"}


@pytest.mark.parametrize("env_id", ENV_IDS)
@pytest.mark.parametrize("kind", ACTION_KINDS)
def test_both_checkers_find_nothing(env_id: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    from stable_baselines3.common.env_checker import check_env as check_env_sb3

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(env_id, action=kind).unwrapped)
        check_env_sb3(gymnasium.make(env_id, action=kind).unwrapped)


def run(env: Any, seed: int, steps: int) -> list[Any]:
    results: list[Any] = [env.reset(seed=seed)]
    for step in range(steps):
        results.append(env.step(encoded(env, scripted_orders(step, 1))[0]))
        if results[-1][2]:
            results.append(env.reset())
    return results


def test_types_of_what_is_returned() -> None:
    env = gymnasium.make("HFTMarket-v0", **SHORT)
    results = run(env, 0, 30)
    info = results[0][1]
    keys = {k: type(v) for k, v in info.items()}
    assert not keys.keys() & FORBIDDEN_INFO and not any(k.startswith("_") for k in keys)
    for result in results:
        assert result[0].dtype == np.float32 and result[0] in env.observation_space
        assert {k: type(v) for k, v in result[-1].items()} == keys
        if len(result) == 5:
            assert (type(result[1]), type(result[2]), type(result[3])) == (float, bool, bool)
    assert sum(r[2] for r in results if len(r) == 5) == 1


def test_one_seed_one_trajectory() -> None:
    left, right = gymnasium.make("HFTMarket-v0", **SHORT), gymnasium.make("HFTMarket-v0", **SHORT)
    first = run(left, 5, 70)
    assert_same(first, run(right, 5, 70))
    assert_same(first, run(left, 5, 70))
    assert not np.array_equal(run(left, 6, 0)[0][0], first[0][0])


def test_unseeded_resets_differ() -> None:
    env = HFTMarketEnv(**SHORT)
    observations = [env.reset()[0] for _ in range(3)] + [HFTMarketEnv(**SHORT).reset()[0]]
    for i, a in enumerate(observations):
        assert not any(np.array_equal(a, b) for b in observations[:i])


def test_no_aliasing() -> None:
    """Writing into what was returned changes nothing, and nothing returned changes later."""
    left, right = HFTMarketEnv(**SHORT), HFTMarketEnv(**SHORT)
    results = run(left, 3, 15)
    kept = copy.deepcopy(results)
    expected = run(right, 3, 25)
    for result in results:
        result[0][:] = np.nan
        result[-1].clear()
    for step in range(15, 19):
        left.step(encoded(left, scripted_orders(step, 1))[0])
    assert_same(kept, expected[:16])


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_bit_for_bit(clone: Any) -> None:
    env = HFTMarketEnv(**SHORT)
    run(env, 3, 7)
    other = clone(env)
    for step in range(7, 60):
        action = encoded(env, scripted_orders(step, 1))[0]
        left, right = env.step(action), other.step(action)
        assert_same(left, right)
        if left[2]:
            assert_same(env.reset(), other.reset())


@pytest.mark.parametrize("bad", [None, 3, [1, 2], [0.0, 0.0, 0.0], [8, 0, 0], [0, -1, 0], [0, 0, 3]])
def test_a_bad_action_changes_nothing(bad: Any) -> None:
    left, right = HFTMarketEnv(**SHORT), HFTMarketEnv(**SHORT)
    run(left, 2, 5), run(right, 2, 5)
    with pytest.raises(ActionError, match="allowed"):
        left.step(bad)
    action = scripted_orders(5, 1)[0]
    assert_same(left.step(action), right.step(action))


def test_calls_out_of_order_say_what_to_do() -> None:
    for env in (
        HFTMarketEnv(render_mode="ansi", **SHORT),
        gymnasium.make("HFTMarket-v0", render_mode="ansi", **SHORT),
    ):
        with pytest.raises(ResetNeeded, match="reset"):
            env.step(env.action_space.sample())
        with pytest.raises(ResetNeeded, match="reset"):
            env.render()
        env.reset(seed=0)
        ended = False
        while not ended:
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            ended = terminated or truncated
        with pytest.raises(ResetNeeded, match="after the end of an episode"):
            env.step(env.action_space.sample())
        env.close()
        env.close()


def test_settings_are_fields_of_the_configuration() -> None:
    env = HFTMarketEnv(levels=5, market={"latency": {"order_ns": 7}}, reward={"inventory": 0.5})
    assert env.config.levels == 5 and len(env.observation_schema) == 40 == env.observation_space.shape[0]
    assert env.config.market.latency.order_ns == 7
    assert env.config.market.latency.cancel_ns == EnvConfig().market.latency.cancel_ns
    assert env.config.reward.inventory == 0.5
    both = HFTMarketEnv(env.config, episode_steps=3, market={"latency": {"cancel_ns": 9}})
    assert (both.config.levels, both.config.episode_steps) == (5, 3)
    assert (both.config.market.latency.order_ns, both.config.market.latency.cancel_ns) == (7, 9)


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"episode_step": 3}, "did you mean 'episode_steps'"),
        ({"tick_size": 3}, "did you mean 'market.tick_size'"),
        ({"market": {"latency": {"orderns": 3}}}, "did you mean 'order_ns'"),
        ({"action": "multidiscrete"}, "did you mean 'multi_discrete'"),
        ({"render_mode": "asci"}, "did you mean 'ansi'"),
        ({"episode_steps": 0}, "at least 1"),
        ({"episode_steps": "many"}, "whole number"),
        ({"order_size": 11}, "order_size is 11, more than max_position, 10"),
        ({"replay": {"split": "train"}}, "replay.split='train': there is nothing to replay; give feed"),
        ({"feed": "x.csv", "market": "calm"}, "market.flow is 'calm' and feed is 'x.csv'"),
        ({"feed": "x.csv", "market": {"flow": {}}}, "market.flow is 'a FlowConfig' and feed"),
    ],
)
def test_typos_are_refused(settings: dict[str, Any], hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        HFTMarketEnv(**settings)


def test_unknown_reset_options_are_refused() -> None:
    env = HFTMarketEnv(**SHORT)
    with pytest.raises(ConfigError, match="unknown option 'strat'; did you mean 'start'"):
        env.reset(options={"strat": 3})
    with pytest.raises(ConfigError, match="simulated"):
        env.reset(options={"start": 34_200_000_000_000})
    with pytest.raises(ConfigError, match="whole number"):
        env.reset(options={"start": 0.5})


@pytest.mark.parametrize(
    "settings",
    [{"episode_steps": 7}, {"config": EnvConfig(episode_steps=7)}, {"market": {"fees": {"maker": -0.1}}}],
)
def test_the_spec_is_json_and_makes_the_same_environment(settings: dict[str, Any]) -> None:
    env = gymnasium.make("HFTMarket-v0", **settings)
    assert env.spec is not None
    for spec in (EnvSpec.from_json(env.spec.to_json()), pickle.loads(pickle.dumps(env.spec))):
        again = gymnasium.make(spec)
        assert again.unwrapped.config == env.unwrapped.config  # type: ignore[attr-defined]


def test_the_data_sheet_holds_every_setting_and_info_key() -> None:
    sheet = inspect.getdoc(HFTMarketEnv) or ""
    assert settings_table() in sheet
    for key in HFTMarketEnv(**SHORT).reset(seed=0)[1]:
        assert f"``{key}``" in sheet, key


def test_doctests() -> None:
    for module in (single, vector):
        result = doctest.testmod(module)
        assert result.attempted > 0 and result.failed == 0
