"""Rows beside another simulator: lumina-lob, if installed, at the same number of book messages a step."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium

from hft_gym.bench.harness import Case, Options, Plan, Ratio, group
from hft_gym.bench.rows_env import ENV_ID, POISSON, _close, _messages, _quotes, _run_steps, _step_single
from hft_gym.extras import optional


@group("peers", "beside lumina-lob, at equal message density")
def peers(options: Options) -> Plan:
    """lumina-lob's market-maker environment against ours with decisions as far apart as its messages are."""
    MarketMakerEnv = optional("lumina_lob.rl.env").MarketMakerEnv
    peer = MarketMakerEnv(seed=1)
    action = peer.action_space.sample() * 0
    density = _peer_messages(MarketMakerEnv(seed=1), action, options.pick(2_000, 200))
    step_ns = _step_for(density)
    ours = gymnasium.make(ENV_ID, step_ns=step_ns, market=POISSON)
    batch = gymnasium.make_vec(ENV_ID, num_envs=256, threads=options.threads, step_ns=step_ns, market=POISSON)
    for env in (peer, ours, batch):
        env.reset(seed=1)
    steps = options.pick(10_000, 1_000)
    theirs, single = "lumina-lob, single environment", "hft_gym, single environment"
    many = f"hft_gym, batch of 256, {options.threads} threads"
    own_density = partial(_messages, ours)
    batched = partial(_run_steps, batch, _quotes(256), 256, options.pick(1_001, 200))
    cases = [
        Case(theirs, "steps/s", partial(_step_single, peer, action, steps), lambda: density),
        Case(single, "steps/s", partial(_step_single, ours, _quotes(), steps), own_density),
        Case(many, "env-steps/s", batched, partial(_messages, batch, 256)),
    ]
    ratios = [
        Ratio("single environment against lumina-lob", single, theirs),
        Ratio("batch against lumina-lob", many, theirs),
    ]
    return Plan(cases, ratios, close=lambda: _close([ours, batch]))


def _peer_messages(env: Any, action: Any, steps: int) -> float:
    """Orders submitted and cancelled per step of the peer."""
    counted = 0

    def count(method: Any) -> Any:
        def wrapped(*arguments: Any) -> Any:
            nonlocal counted
            counted += 1
            return method(*arguments)

        return wrapped

    def watch() -> None:
        env.reset()
        env.simulation.engine.process = count(env.simulation.engine.process)
        env.simulation.book.cancel = count(env.simulation.book.cancel)

    watch()
    counted = 0
    for _ in range(steps):
        if env.step(action)[3]:
            watch()
    return counted / steps


def _step_for(density: float) -> int:
    """The decision interval, in ns, at which our Poisson market carries *density* messages a step."""
    env = gymnasium.make(ENV_ID, market=POISSON)
    base = _messages(env)
    step_ns: int = env.unwrapped.config.step_ns  # type: ignore[attr-defined]
    env.close()
    return round(step_ns * density / base)
