"""Making environments the ways users do it: fresh processes, workers, with and without the import."""

from collections.abc import Callable
from subprocess import CompletedProcess

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from tests.envs.helpers import SHORT, assert_same, encoded, scripted_orders

Python = Callable[..., "CompletedProcess[str]"]

MAKE = {
    "import": "import hft_gym; name = 'HFTMarket-v0'",
    "no import": "name = 'hft_gym:HFTMarket-v0'",
}
USE = """
from gymnasium import make, make_vec as vec
env = make(name, episode_steps=5)
env.reset(seed=1)
env.step(env.action_space.sample())
envs = vec(name, num_envs=2, episode_steps=5)
assert type(envs.unwrapped).__name__ == "HFTMarketVectorEnv", envs
envs.reset(seed=1)
envs.step(envs.action_space.sample())
again = vec(name, num_envs=2, vectorization_mode="sync", episode_steps=5)
again.reset(seed=1)
print("made")
"""


@pytest.mark.parametrize("how", MAKE)
def test_fresh_process(python: Python, how: str) -> None:
    result = python("import warnings; warnings.simplefilter('error'); " + MAKE[how] + USE, timeout=300)
    assert result.stdout.strip() == "made", result.stderr
    assert "Warning" not in result.stderr  # that it compiles, it may say


def make_single() -> gymnasium.Env:  # type: ignore[type-arg]
    return gymnasium.make("hft_gym:HFTMarket-v0", **SHORT)


def test_spawned_workers_equal_the_native_batch() -> None:
    workers = AsyncVectorEnv([make_single, make_single], context="spawn")
    here = SyncVectorEnv([make_single, make_single])
    native = gymnasium.make_vec("hft_gym:HFTMarket-v0", num_envs=2, **SHORT)
    try:
        results = [envs.reset(seed=3) for envs in (workers, here, native)]
        for step in range(30):
            assert_same(results[0], results[2])
            assert_same(results[1], results[2])
            results = [
                envs.step(encoded(native, scripted_orders(step, 2))) for envs in (workers, here, native)
            ]
    finally:
        workers.close()


def test_time_limit_wrapper_truncates() -> None:
    env = gymnasium.make("HFTMarket-v0", max_episode_steps=4)
    env.reset(seed=0)
    ends = [env.step(np.zeros(3, dtype=np.int64))[2:4] for _ in range(4)]
    assert ends == [(False, False)] * 3 + [(False, True)]


def test_registering_twice_is_silent(python: Python) -> None:
    result = python("import importlib, hft_gym; importlib.reload(hft_gym); print('fine')")
    assert result.stdout.strip() == "fine" and result.stderr == ""
