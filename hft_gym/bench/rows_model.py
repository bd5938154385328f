"""Rows of the model environment, beside NumPy's way of doing the same and beside mbt_gym, if installed."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import Any

import gymnasium
import numpy as np

from hft_gym.bench.harness import Case, Options, Plan, Ratio, Unavailable, clock, group
from hft_gym.bench.rows_env import _close

MODEL_ID = "hft_gym:HFTModel-v0"
COUNT = 10_000
_EPISODE = 201
"""Calls of step from one automatic reset to the next (200 decisions and the reset)."""
DEPTH = 0.7


@group("model", "the model environment: 10,000 markets without a book, in one process")
def model(options: Options) -> Plan:
    """``VectorEnv.step`` with automatic resets, whole episodes; fills of rate · dt and normal moves for all."""
    envs, names, cases = [], [], []
    for threads in sorted({1, options.threads}):
        env = gymnasium.make_vec(MODEL_ID, num_envs=COUNT, threads=threads, mid="gaussian")
        env.reset(seed=1)
        envs.append(env)
        names.append(f"model environment, batch of 10,000, {threads} thread{'s' if threads > 1 else ''}")
        least = {1: (">=", 10.6e6), 2: (">=", 20.9e6)}.get(threads)
        run = partial(_run_model, env, options.pick(5, 1) * _EPISODE)
        cases.append(Case(names[-1], "env-steps/s", run, least=least))
    bare, peer = "the same in a bare NumPy loop (no resets, infos, checks)", "mbt_gym, batch of 10,000"
    steps = options.pick(_EPISODE, 40)
    cases.append(Case(bare, "env-steps/s", partial(_run_numpy, steps)))
    cases.append(Case(peer, "env-steps/s", partial(_run_peer, {}, steps)))
    ratios = [
        Ratio("model environment, one thread, against the bare loop", names[0], bare),
        Ratio("model environment, one thread, against mbt_gym", names[0], peer, (">=", 1.0)),
    ]
    return Plan(cases, ratios, close=lambda: _close(envs))


def _run_model(env: Any, steps: int) -> float:
    step = env.step
    actions = env.unwrapped.action_schema.encode(np.full(COUNT, DEPTH), DEPTH)

    def work() -> None:
        for _ in range(steps):
            step(actions)

    return steps * COUNT / clock(work)


def _run_numpy(steps: int) -> float:
    """Fills, mid, cash, inventory, reward and a new observation of four columns, one array operation at a time."""
    random = np.random.default_rng(1)
    mid, cash, inventory = np.full(COUNT, 100.0), np.zeros(COUNT), np.zeros(COUNT)
    depths, scale = np.full((COUNT, 2), DEPTH), 2.0 * np.sqrt(0.005)
    time_left = np.empty(COUNT)

    def work() -> None:
        worth = cash + inventory * mid
        for step in range(steps):
            chance = 0.7 * np.exp(-1.5 * depths)
            bought, sold = (random.random((COUNT, 2)) < chance).T
            cash[:] += sold * (mid + depths[:, 1]) - bought * (mid - depths[:, 0])
            inventory[:] += bought
            inventory[:] -= sold
            mid[:] += scale * random.standard_normal(COUNT)
            now = cash + inventory * mid
            rewards, worth = now - worth, now
            time_left[:] = 1.0 - step / steps
            observations = np.stack([time_left, inventory, mid, cash], axis=1)
        assert observations.shape == (COUNT, 4) and rewards.shape == (COUNT,)

    return steps * COUNT / clock(work)


def _run_peer(kept: dict[str, Any], steps: int) -> float:
    """The environment of mbt_gym with Poisson arrivals, exponential fills and a Brownian mid."""
    if find_spec("mbt_gym") is None:
        raise Unavailable("mbt_gym is not installed; it is not on the package index, only a repository")
    if "env" not in kept:
        kept["env"] = _peer()
    env, actions = kept["env"], np.full((COUNT, 2), DEPTH)

    def work() -> None:
        env.reset()
        for step in range(1, steps + 1):
            env.step(actions)
            if step % 200 == 0:
                env.reset()

    return steps * COUNT / clock(work)


def _peer() -> Any:
    from mbt_gym.gym.ModelDynamics import LimitOrderModelDynamics
    from mbt_gym.gym.TradingEnvironment import TradingEnvironment
    from mbt_gym.stochastic_processes.arrival_models import PoissonArrivalModel
    from mbt_gym.stochastic_processes.fill_probability_models import ExponentialFillFunction
    from mbt_gym.stochastic_processes.midprice_models import BrownianMotionMidpriceModel

    common = {"step_size": 0.005, "num_trajectories": COUNT}
    dynamics = LimitOrderModelDynamics(
        midprice_model=BrownianMotionMidpriceModel(**common),
        arrival_model=PoissonArrivalModel(intensity=np.array([140.0, 140.0]), **common),
        fill_probability_model=ExponentialFillFunction(fill_exponent=1.5, **common),
        num_trajectories=COUNT,
    )
    return TradingEnvironment(terminal_time=1.0, n_steps=200, model_dynamics=dynamics, num_trajectories=COUNT)
