"""The native batch against Gymnasium's SyncVectorEnv, and Gymnasium's vector conventions."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from hft_gym.envs import HFTMarketVectorEnv
from hft_gym.errors import ActionError, ConfigError
from tests.envs.helpers import ACTION_KINDS, ENV_IDS, SHORT, assert_same, encoded, scripted_orders

N = 5
MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)


def pair(mode: AutoresetMode = AutoresetMode.NEXT_STEP, **settings: Any) -> tuple[Any, Any]:
    """SyncVectorEnv and the native batch with the same settings, not yet reset."""
    settings = {**SHORT, **settings}
    sync = SyncVectorEnv(
        [lambda: gymnasium.make("HFTMarket-v0", **settings) for _ in range(N)], autoreset_mode=mode
    )
    native = gymnasium.make_vec("HFTMarket-v0", num_envs=N, autoreset_mode=mode.value, **settings)
    return sync, native


def assert_steps_alike(sync: Any, native: Any, steps: range) -> None:
    schema = native.unwrapped.action_schema
    for step in steps:
        orders = scripted_orders(step, N)
        actions = schema.encode(*orders.T)
        assert_same(sync.step(actions), native.step(actions), f"step {step}")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ACTION_KINDS)
def test_equals_sync_vector_env(mode: AutoresetMode, kind: str) -> None:
    sync, native = pair(mode, action=kind)
    assert_same(sync.reset(seed=11), native.reset(seed=11))
    assert_steps_alike(sync, native, range(70))  # three episodes and more
    assert_same(sync.reset(), native.reset())  # unseeded: the next episodes of the same seeds
    assert_steps_alike(sync, native, range(70, 95))
    assert_same(sync.reset(seed=[3, 1, 4, 1, 5]), native.reset(seed=[3, 1, 4, 1, 5]))
    assert_steps_alike(sync, native, range(95, 120))


@pytest.mark.parametrize("mode", MODES)
def test_equals_sync_vector_env_where_episodes_end_at_different_times(mode: AutoresetMode) -> None:
    """Partial resets put the environments out of step."""
    sync, native = pair(mode)
    assert_same(sync.reset(seed=2), native.reset(seed=2))
    for round_ in range(6):
        assert_steps_alike(sync, native, range(7 * round_, 7 * round_ + 7))
        mask = (np.arange(N) + round_) % 3 == 0
        # SyncVectorEnv takes the mask out of the caller's dict: each gets its own
        left = sync.reset(options={"reset_mask": mask})
        options = {"reset_mask": mask}
        assert_same(left, native.reset(options=options))
        assert options == {"reset_mask": mask}
    seeds = [None, 8, None, 9, None]
    assert_same(sync.reset(seed=seeds), native.reset(seed=seeds))
    assert_steps_alike(sync, native, range(25))


def test_disabled_autoreset_equals_sync_vector_env() -> None:
    sync, native = pair(AutoresetMode.DISABLED)
    assert_same(sync.reset(seed=4), native.reset(seed=4))
    for step in range(50):
        actions = encoded(native, scripted_orders(step, N))
        left, right = sync.step(actions), native.step(actions)
        assert_same(left, right)
        ended = right[2] | right[3]
        if ended.any():
            with pytest.raises(ResetNeeded, match="reset_mask"):
                native.step(actions)
            assert_same(
                sync.reset(options={"reset_mask": ended}), native.reset(options={"reset_mask": ended})
            )


@pytest.mark.parametrize("offset", [0, 3])
def test_environment_i_is_the_single_environment_of_seed_plus_i(offset: int) -> None:
    native = gymnasium.make_vec("HFTMarket-v0", num_envs=N, **SHORT)
    single = gymnasium.make("HFTMarket-v0", **SHORT)
    observations, _ = native.reset(seed=100)
    observation, _ = single.reset(seed=100 + offset)
    for step in range(15):
        np.testing.assert_array_equal(observations[offset], observation)
        orders = scripted_orders(step, N)
        observations, rewards, *_ = native.step(encoded(native, orders))
        observation, reward, *_ = single.step(encoded(single, orders[offset][None])[0])
        assert rewards[offset] == reward


def test_threads_change_nothing() -> None:
    results = []
    for threads in (1, 2, 3):
        envs = HFTMarketVectorEnv(7, threads=threads, **SHORT)
        run = [envs.reset(seed=5)]
        run += [envs.step(encoded(envs, scripted_orders(step, 7))) for step in range(45)]
        results.append(run)
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])


def test_unseeded_resets_differ_and_seeded_ones_agree() -> None:
    envs = HFTMarketVectorEnv(N, **SHORT)
    first = envs.reset()[0]
    assert len(np.unique(first, axis=0)) == N
    assert not np.array_equal(envs.reset()[0], first)
    assert not np.array_equal(HFTMarketVectorEnv(N, **SHORT).reset()[0], first)
    seeded = [envs.reset(seed=1)[0], envs.reset()[0], envs.reset(seed=1)[0], envs.reset()[0]]
    np.testing.assert_array_equal(seeded[0], seeded[2])
    np.testing.assert_array_equal(seeded[1], seeded[3])
    assert not np.array_equal(seeded[0], seeded[1])
    overlap = envs.reset(seed=3)[0]  # seeds 3, 4, ... against 1, 2, 3, ...
    np.testing.assert_array_equal(overlap[0], seeded[0][2])


def test_returned_arrays_are_never_touched_again() -> None:
    envs = HFTMarketVectorEnv(N, autoreset_mode="SameStep", **SHORT)
    returned = [envs.reset(seed=1)]
    returned += [envs.step(encoded(envs, scripted_orders(step, N))) for step in range(25)]
    arrays = [a for result in returned for a in _arrays(result)]
    for i, a in enumerate(arrays):
        assert not any(np.shares_memory(a, b) for b in arrays[:i])
    internal = [a for a in vars(envs._core).values() if isinstance(a, np.ndarray)]
    assert not any(np.shares_memory(a, b) for a in arrays for b in internal)


def _arrays(value: Any) -> list[np.ndarray]:
    if isinstance(value, dict):
        return [a for v in value.values() for a in _arrays(v)]
    if isinstance(value, tuple):
        return [a for v in value for a in _arrays(v)]
    if isinstance(value, np.ndarray):
        return [a for v in value if v is not None for a in _arrays(v)] if value.dtype == object else [value]
    return []


def test_a_bad_action_changes_no_environment() -> None:
    left, right = HFTMarketVectorEnv(N, **SHORT), HFTMarketVectorEnv(N, **SHORT)
    left.reset(seed=9), right.reset(seed=9)
    actions = scripted_orders(0, N)
    for row in range(N):
        bad = actions.copy()
        bad[row, row % 3] = 8
        with pytest.raises(ActionError, match=rf"actions\[{row}\].*8"):
            left.step(bad)
    for bad in (actions[:-1], actions.astype(np.float64), actions[:, :2], None):
        with pytest.raises(ActionError):
            left.step(bad)
    assert_same(left.step(actions), right.step(actions))


@pytest.mark.parametrize("env_id", ENV_IDS)
@pytest.mark.parametrize("kind", ACTION_KINDS)
def test_vector_conventions(env_id: str, kind: str) -> None:
    envs = gymnasium.make_vec(env_id, num_envs=3, action=kind, **SHORT)
    assert isinstance(envs.unwrapped, HFTMarketVectorEnv)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert envs.spec is not None and envs.spec.id == env_id
    observations, infos = envs.reset(seed=0)
    assert observations in envs.observation_space
    for _ in range(25):
        observations, rewards, terminated, truncated, infos = envs.step(envs.action_space.sample())
        assert observations in envs.observation_space
        assert (rewards.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
        assert rewards.shape == terminated.shape == truncated.shape == (3,)
        for key, value in infos.items():
            assert value.shape == (3,)
            if not key.startswith("_"):
                assert infos[f"_{key}"].dtype == np.bool_
    envs.close()
    envs.close()


def test_wrappers_of_gymnasium_work() -> None:
    from gymnasium.wrappers import vector

    envs = gymnasium.make_vec("HFTMarket-v0", num_envs=3, **SHORT)
    wrapped = vector.NormalizeObservation(vector.RecordEpisodeStatistics(vector.ClipReward(envs, -1, 1)))
    wrapped.reset(seed=0)
    seen = 0
    for _ in range(25):
        *_, infos = wrapped.step(wrapped.action_space.sample())
        seen += "episode" in infos
    assert seen


def test_errors_are_clear() -> None:
    envs = HFTMarketVectorEnv(N, **SHORT)
    for call in (lambda: envs.step(envs.action_space.sample()), envs.render):
        with pytest.raises(ResetNeeded, match="before `reset"):
            call()
    with pytest.raises(ResetNeeded, match="mask"):
        envs.reset(options={"reset_mask": np.arange(N) == 0})
    envs.reset(seed=0)
    with pytest.raises(TypeError, match="bool"):
        envs.reset(options={"reset_mask": [True] * N})
    with pytest.raises(TypeError, match="int64"):
        envs.reset(options={"reset_mask": np.ones(N, dtype=np.int64)})
    with pytest.raises(ValueError, match="shape"):
        envs.reset(options={"reset_mask": np.ones(N + 1, dtype=bool)})
    with pytest.raises(ValueError, match="at least one"):
        envs.reset(options={"reset_mask": np.zeros(N, dtype=bool)})
    with pytest.raises(ConfigError, match="did you mean 'reset_mask'"):
        envs.reset(options={"resetmask": None})
    with pytest.raises(ConfigError, match="simulated"):
        envs.reset(options={"starts": np.full(N, 34_200_000_000_000)})
    with pytest.raises(TypeError, match="float64"):
        envs.reset(options={"starts": np.full(N, 0.5)})
    with pytest.raises(ValueError, match="shape"):
        envs.reset(options={"starts": np.array([1, 2])})
    with pytest.raises(ValueError, match="one seed for each of 5"):
        envs.reset(seed=[1, 2])
    with pytest.raises(ConfigError, match="did you mean 'SameStep'"):
        HFTMarketVectorEnv(2, autoreset_mode="samestep")
    with pytest.raises(ConfigError, match="num_envs"):
        HFTMarketVectorEnv(0)
    with pytest.raises(ConfigError, match="threads"):
        HFTMarketVectorEnv(1, threads=0)
    with pytest.raises(ConfigError, match="did you mean 'episode_steps'"):
        HFTMarketVectorEnv(1, episode_step=3)
