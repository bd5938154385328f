"""One seed, one trajectory: however it is run."""

import platform
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import gymnasium
import numpy as np
import pytest

from hft_gym.envs import HFTMarketEnv, HFTMarketVectorEnv
from tests.envs.helpers import digest, encoded, scripted_orders

SEED, COUNT, STEPS = 2024, 4, 250
SETTINGS: dict[str, Any] = {"episode_steps": 100}  # two ends and two resets within the run

GOLDEN = {"poisson": "230c027eaa8079c8", "default": "70e2242ad85620d3"}

SCRIPT = """
import sys; sys.path.insert(0, sys.argv[1])
from tests.envs.test_determinism import batch
print(batch(threads=int(sys.argv[2])))
"""


def batch(threads: int = 1, **settings: Any) -> str:
    """Digest of all that a batch returns."""
    envs = HFTMarketVectorEnv(COUNT, threads=threads, **SETTINGS, **settings)
    rows = [envs.reset(seed=SEED)[0]]
    for step in range(STEPS):
        observations, rewards, terminated, _, infos = envs.step(encoded(envs, scripted_orders(step, COUNT)))
        rows += [observations, rewards, terminated, infos["net_pnl"], infos["mid"]]
    return digest(*rows)


def singles() -> str:
    """The same digest from single environments, reset by hand where the batch resets by itself."""
    runs = []
    for i in range(COUNT):
        env = gymnasium.make("HFTMarket-v0", **SETTINGS)
        rows: list[Any] = [env.reset(seed=SEED + i)[0]]
        ended = False
        for step in range(STEPS):
            if ended:
                observation, info = env.reset()
                rows += [observation, 0.0, False, info["net_pnl"], info["mid"]]
                ended = False
            else:
                action = encoded(env, scripted_orders(step, COUNT)[i : i + 1])[0]
                observation, reward, ended, _, info = env.step(action)
                rows += [observation, reward, ended, info["net_pnl"], info["mid"]]
        runs.append(rows)
    return digest(*(np.stack(column) for column in zip(*runs, strict=True)))


@pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="the last bit of a logarithm differs between platforms",
)
@pytest.mark.parametrize("flow", sorted(GOLDEN))
def test_golden(flow: str) -> None:
    """This version's trajectories. A deliberate change of the market changes them: `batch(...)` is the new one."""
    assert batch(market={"flow": flow}) == GOLDEN[flow]


def test_single_and_batch() -> None:
    assert singles() == batch()


@pytest.mark.parametrize("threads", [2, 4])
def test_threads(threads: int) -> None:
    assert batch(threads=threads) == batch()


@pytest.mark.parametrize("threads", ["1", "2"])
def test_processes(
    python: Callable[..., "CompletedProcess[str]"], pytestconfig: pytest.Config, threads: str
) -> None:
    result = python(SCRIPT, str(pytestconfig.rootpath), threads)
    assert result.stdout.strip() == batch(), result.stderr


def test_resuming_a_copy_gives_the_same_digest() -> None:
    import pickle

    envs, results = HFTMarketVectorEnv(COUNT, threads=2, **SETTINGS), []
    envs.reset(seed=SEED)
    for step in range(STEPS):
        if step % 60 == 30:
            envs = pickle.loads(pickle.dumps(envs))
        results.append(envs.step(encoded(envs, scripted_orders(step, COUNT))))
    other = HFTMarketVectorEnv(COUNT, **SETTINGS)
    other.reset(seed=SEED)
    for step, result in enumerate(results):
        expected = other.step(encoded(other, scripted_orders(step, COUNT)))
        assert digest(*result[:4]) == digest(*expected[:4]), step


@pytest.mark.parametrize(
    "change",
    [
        {"step_ns": 99_000_000},
        {"market": {"fees": {"maker": 0.1}}},
        {"market": {"latency": {"order_ns": 2_000_000}}},
        {"order_size": 2},
        {"reward": {"inventory": 0.1}},
    ],
    ids=str,
)
def test_settings_reach_the_market(change: dict[str, Any]) -> None:
    """A setting that changed nothing would be a setting that is ignored."""
    assert batch(**change) != batch()


def test_logging_and_rendering_change_nothing() -> None:
    assert batch(log_capacity=4096) == batch(render_mode="ansi") == batch()


def test_two_environments_do_not_share_anything() -> None:
    left, right = HFTMarketEnv(**SETTINGS), HFTMarketEnv(**SETTINGS)
    left.reset(seed=1)
    right.reset(seed=2)
    alone = HFTMarketEnv(**SETTINGS)
    alone.reset(seed=1)
    for step in range(40):
        action = scripted_orders(step, 1)[0]
        mine = left.step(action)
        right.step(action[[1, 0, 2]])
        assert digest(mine[0], mine[1]) == digest(*alone.step(action)[:2])
