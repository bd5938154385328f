"""Rows of the environments: steps a second, with the book messages that a step carries.

They run the Poisson preset, which changes least from version to version; the default market has rows of its own.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium
import numpy as np

from hft_gym.bench.harness import Case, Options, Plan, Ratio, clock, group
from hft_gym.envs.actions import ActionSchema

ENV_ID = "hft_gym:HFTMarket-v0"
POISSON = {"flow": "poisson"}
"""The market of all rows but those that name another."""
QUOTE_BOTH = ("join", "join", "none")
"""The agent of all rows: it joins the touch on both sides, so it requotes whenever the touch moves."""
_EPISODE = 1_001
"""Calls of step from one automatic reset to the next (1,000 decisions and the reset)."""


@group("single", "one environment")
def single(options: Options) -> Plan:
    """Bare and through ``gymnasium.make``, whole episodes with their resets."""
    action = _quotes()
    made = gymnasium.make(ENV_ID, market=POISSON)
    bare = gymnasium.make(ENV_ID, market=POISSON).unwrapped
    steps = options.pick(100_000, 10_000)
    for env in (made, bare):
        env.reset(seed=1)
    through, direct = "single environment through gymnasium.make", "single environment, bare"
    per_step = partial(_messages, bare)
    cases = [
        Case(direct, "steps/s", partial(_step_single, bare, action, steps), per_step),
        Case(
            through,
            "steps/s",
            partial(_step_single, made, action, steps),
            per_step,
            least=(">=", 150_000),
            aim=(">=", 300_000),
        ),
        Case("reset of a single environment", "us", partial(_reset, bare, options.pick(500, 50))),
    ]
    return Plan(cases, close=lambda: _close([made, bare]))


@group("batch", "native batches of 1 to 4,096, one thread and more")
def batch(options: Options) -> Plan:
    """``VectorEnv.step`` with automatic resets; a run is at least one whole episode of every environment."""
    sizes = (1, 16, 256, 1024) if options.quick else (1, 4, 16, 64, 256, 1024, 4096)
    cases, ratios = [], []
    envs = []
    for size in sizes:
        names = []
        for threads in sorted({1, options.threads}):
            env = gymnasium.make_vec(ENV_ID, num_envs=size, threads=threads, market=POISSON)
            env.reset(seed=1)
            envs.append(env)
            name = f"batch of {size:,}, {threads} thread{'s' if threads > 1 else ''}"
            names.append(name)
            headline = size == 256 and threads == 1
            cases.append(
                Case(
                    name,
                    "env-steps/s",
                    partial(_step_batch, env, size, options),
                    partial(_messages, env, size),
                    least=(">=", 1_200_000) if headline else None,
                    aim=(">=", 2_000_000) if headline else None,
                )
            )
        if size == 256 and len(names) == 2:
            goals = ((">=", 1.7), (">=", 1.9)) if options.threads == 2 else (None, None)
            ratios.append(
                Ratio(f"batch of 256: {options.threads} threads against 1", names[1], names[0], *goals)
            )
    return Plan(cases, ratios, close=lambda: _close(envs))


@group("default", "the default market: one environment, and 256")
def default(options: Options) -> Plan:
    """The market that ``HFTMarket-v0`` has unless told otherwise."""
    bare = gymnasium.make(ENV_ID).unwrapped
    bare.reset(seed=1)
    steps = options.pick(50_000, 5_000)
    cases = [
        Case(
            "default market, single environment, bare",
            "steps/s",
            partial(_step_single, bare, _quotes(), steps),
            partial(_messages, bare),
        )
    ]
    envs: list[Any] = [bare]
    for threads in sorted({1, options.threads}):
        env = gymnasium.make_vec(ENV_ID, num_envs=256, threads=threads)
        env.reset(seed=1)
        envs.append(env)
        cases.append(
            Case(
                f"default market, batch of 256, {threads} thread{'s' if threads > 1 else ''}",
                "env-steps/s",
                partial(_step_batch, env, 256, options),
                partial(_messages, env, 256),
                least=(">=", 500_000) if threads == 1 else None,
                aim=(">=", 1_000_000) if threads == 1 else None,
            )
        )
    return Plan(cases, close=lambda: _close(envs))


@group("sync", "native batch against gymnasium's SyncVectorEnv, 64 environments")
def sync(options: Options) -> Plan:
    """The same 64 markets, stepped one by one by gymnasium or as one batch."""
    count = 64
    native = gymnasium.make_vec(ENV_ID, num_envs=count, market=POISSON)
    looped = gymnasium.make_vec(ENV_ID, num_envs=count, vectorization_mode="sync", market=POISSON)
    actions = _quotes(count)
    for env in (native, looped):
        env.reset(seed=1)
    fast, slow = "native batch of 64", "SyncVectorEnv of 64"
    steps = options.pick(_EPISODE, 200)
    cases = [
        Case(
            fast,
            "env-steps/s",
            partial(_run_steps, native, actions, count, steps),
            partial(_messages, native, count),
        ),
        Case(slow, "env-steps/s", partial(_run_steps, looped, actions, count, steps)),
    ]
    ratio = Ratio("native batch against SyncVectorEnv of 64", fast, slow, (">=", 6))
    return Plan(cases, [ratio], close=lambda: _close([native, looped]))


def _quotes(count: int | None = None) -> Any:
    """The quoting agent's action for one environment, or for *count* of them."""
    one = ActionSchema("multi_discrete").encode(*QUOTE_BOTH)
    return one if count is None else np.tile(one, (count, 1))


def _step_single(env: Any, action: Any, steps: int) -> float:
    step, reset = env.step, env.reset

    def work() -> None:
        for _ in range(steps):
            _, _, terminated, truncated, _ = step(action)
            if terminated or truncated:
                reset()

    return steps / clock(work)


def _step_batch(env: Any, count: int, options: Options) -> float:
    # Small batches need many episodes for a run of a tenth of a second.
    episodes = max(1, (32 if options.quick else 128) // count)
    return _run_steps(env, _quotes(count), count, episodes * _EPISODE)


def _run_steps(env: Any, actions: Any, count: int, steps: int) -> float:
    step = env.step

    def work() -> None:
        for _ in range(steps):
            step(actions)

    return steps * count / clock(work)


def _reset(env: Any, times: int) -> float:
    def work() -> None:
        for _ in range(times):
            env.reset()

    return clock(work) / times * 1e6


def _messages(env: Any, count: int | None = None, steps: int = 500) -> float:
    """Book messages per step, those of the flow and of the agent, over the first half of an episode."""
    actions = _quotes(count)
    env.reset(seed=1)
    state = env.unwrapped._core.arrays.state
    before = int(state["messages"].sum())
    for _ in range(steps):
        env.step(actions)
    return (int(state["messages"].sum()) - before) / (steps * (count or 1))


def _close(envs: list[Any]) -> None:
    for env in envs:
        env.close()
