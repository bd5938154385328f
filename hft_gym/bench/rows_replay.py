"""Rows of the replay of a real day, where the sample files are present."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import gymnasium

from hft_gym.bench.harness import Case, Options, Plan, Unavailable, clock, group
from hft_gym.bench.machine import ROOT
from hft_gym.bench.rows_env import ENV_ID, _close, _messages, _quotes, _run_steps, _step_single


@group("replay", "replay of a LOBSTER day (AMZN, 5 levels)")
def replay(options: Options) -> Plan:
    """Loading a day, and stepping through it with a quoting agent."""
    path = sample()
    single = gymnasium.make(ENV_ID, feed=str(path))
    batch = gymnasium.make_vec(ENV_ID, num_envs=64, feed=str(path))
    for env in (single, batch):
        env.reset(seed=1)
    steps = options.pick(20_000, 2_000)
    cases = [
        Case(
            "single environment on a replayed day",
            "steps/s",
            partial(_step_single, single, _quotes(), steps),
            partial(_messages, single),
        ),
        Case(
            "batch of 64 on a replayed day",
            "env-steps/s",
            partial(_run_steps, batch, _quotes(64), 64, options.pick(1_001, 200)),
            partial(_messages, batch, 64),
        ),
        Case("make and reset on a day already read", "ms", partial(_make, path)),
    ]
    return Plan(cases, close=lambda: _close([single, batch]))


def sample() -> Path:
    """The AMZN message file: in $HFT_GYM_SHARED_DATA, else in ``shared/data`` beside the checkout.

    Raises:
        Unavailable: the files are not here.
    """
    folder = Path(os.environ.get("HFT_GYM_SHARED_DATA") or ROOT.parent / "shared" / "data")
    found = sorted(folder.glob("**/AMZN_2012-06-21_*_message_5.csv*"))
    if not found:
        raise Unavailable(
            "the LOBSTER sample files are not here (the variable HFT_GYM_SHARED_DATA names their folder)"
        )
    return found[0]


def _make(path: Path) -> float:
    return 1e3 * clock(lambda: gymnasium.make(ENV_ID, feed=str(path)).reset(seed=1))
