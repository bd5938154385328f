"""Rows of training: the Stable-Baselines3 adapter, and the share of PPO's time spent in the environment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from hft_gym.bench.harness import Case, Options, Plan, clock, group
from hft_gym.bench.rows_env import _EPISODE, POISSON, _quotes

ENVIRONMENTS = 256


@group("training", "Stable-Baselines3 adapter and PPO, 256 environments")
def training(options: Options) -> Plan:
    """The adapter's own speed, and where PPO's time goes."""
    from hft_gym.cli import load

    agents = load("agents")
    adapter = agents.make_vec_env(num_envs=ENVIRONMENTS, market=POISSON)
    adapter.seed(1)
    adapter.reset()
    actions = _quotes(ENVIRONMENTS)
    steps = options.pick(_EPISODE, 200)

    def play() -> float:
        def work() -> None:
            for _ in range(steps):
                adapter.step(actions)

        return steps * ENVIRONMENTS / clock(work)

    cases = [
        Case("SB3 VecEnv adapter, batch of 256", "env-steps/s", play),
        Case(
            "PPO: share of time in the environment",
            "%",
            _share(agents, options),
            least=("<=", 10.0),
            aim=("<=", 5.0),
            note="256 environments on 2 threads, torch on 1, as train ppo does; rollouts of 64 steps, batches of "
            "2,048, 4 epochs, policy of 2 x 64; preset poisson",
        ),
    ]
    return Plan(cases, close=adapter.close)


def _share(agents: Any, options: Options) -> Callable[[], float]:
    import torch

    rollout = 64
    built: list[tuple[Any, list[float]]] = []

    def run() -> float:
        if not built:
            built.append(_learner(agents, rollout))
        model, spent = built[0]
        spent.clear()
        total = options.pick(4, 1) * rollout * ENVIRONMENTS
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            seconds = clock(lambda: model.learn(total, reset_num_timesteps=False))
        finally:
            torch.set_num_threads(before)
        return 100.0 * float(np.sum(spent)) / seconds

    return run


def _learner(agents: Any, rollout: int) -> tuple[Any, list[float]]:
    """A PPO model that has learnt one rollout, and the list that collects the seconds of its env's steps."""
    from stable_baselines3 import PPO

    env = agents.make_vec_env(num_envs=ENVIRONMENTS, threads=2, market=POISSON)
    spent: list[float] = []
    plain = env.step

    def step(actions: Any) -> Any:
        started = time.perf_counter()
        result = plain(actions)
        spent.append(time.perf_counter() - started)
        return result

    env.step = step
    model = PPO("MlpPolicy", env, n_steps=rollout, batch_size=2048, n_epochs=4, seed=1, device="cpu")
    model.learn(rollout * ENVIRONMENTS)
    return model, spent
