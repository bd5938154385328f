"""What a comparison finds out about its policies beyond their episodes, for the report's flags and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hft_gym.config import build, to_dict
from hft_gym.data.window import ReplayWindow
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.core import EnvCore
from hft_gym.evaluation import Episodes, Policy
from hft_gym.report import Evidence

__all__ = ["gather", "overlap", "training_part"]

PROBE = 32
"""Episodes that are enough to see whether an agent trades when its actions are drawn."""

Play = Callable[[Policy, EnvConfig, npt.NDArray[np.int64], bool], Episodes]
"""(policy, environment, seeds, deterministic) -> episodes."""


def gather(
    runs: Sequence[Episodes],
    policies: Mapping[str, Policy],
    agents: Sequence[str],
    tuned: Sequence[str],
    config: EnvConfig,
    play: Play,
) -> dict[str, Evidence]:
    """The evidence on every policy; plays a few episodes more where something must be found out.

    Args:
        runs: what was played.
        policies: by the names of the runs.
        agents: names of the trained ones.
        tuned: names of scripted ones whose parameters were chosen on training episodes.
        config: the environment of the comparison.
        play: plays a policy on seeds, in that environment or another.
    """
    by_name = {r.name: r for r in runs}
    found = {}
    for run in runs:
        policy, is_agent = policies[run.name], run.name in agents
        drawn = _drawn(run, policy, config, play, by_name) if is_agent and run.deterministic else None
        found[run.name] = Evidence(
            drawn=drawn,
            pessimistic=_pessimistic(run, policy, config, play),
            seen=_seen(policy, config) if is_agent else overlap(training_part(config), config, run.name in tuned),
            learned=is_agent or run.name in tuned,
        )
    return found


def _drawn(
    run: Episodes, policy: Policy, config: EnvConfig, play: Play, by_name: Mapping[str, Episodes]
) -> Episodes | None:
    """The agent with drawn actions, if with its most likely ones it never traded."""
    if np.any(~run.fills["closing"]):
        return None
    twin = by_name.get(f"{run.name} (drawn)")
    return twin if twin is not None else play(policy, config, run.seeds[:PROBE], False)


def _pessimistic(run: Episodes, policy: Policy, config: EnvConfig, play: Play) -> Episodes | None:
    """A gain on a level-2 replay, once more from the back of every queue; a simulated market's queues are exact."""
    if config.feed is None or config.replay.queue_model == "back" or not np.nanmean(run.net_pnl) > 0:
        return None
    plain = to_dict(config)
    plain["replay"]["queue_model"] = "back"
    return play(policy, build(EnvConfig, plain), run.seeds, run.deterministic)


def training_part(config: EnvConfig) -> EnvConfig:
    """The environment to tune in: of a replay, the training part of the window."""
    if config.feed is None:
        return config
    plain = to_dict(config)
    plain["replay"]["split"] = "train"
    return build(EnvConfig, plain)


def _seen(agent: Policy, config: EnvConfig) -> str:
    """Why the hours that an agent is measured on are not new to it."""
    trained_in = getattr(agent, "config", None)
    if not isinstance(trained_in, Mapping) or config.feed is None or not trained_in.get("feed"):
        return ""
    if _file(trained_in["feed"]) != _file(config.feed):
        return ""
    plain = to_dict(config)
    plain["replay"] = {**plain["replay"], **trained_in.get("replay", {})}
    return overlap(build(EnvConfig, plain), config, True)


def overlap(learned: EnvConfig, measured: EnvConfig, learns: bool) -> str:
    """What the hours of a recorded day have in common that was learned from and measured on; empty: nothing."""
    if not learns or measured.feed is None:
        return ""
    first, second = _hours(learned), _hours(measured)
    if first is None or second is None or not (first.start_ns < second.end_ns and second.start_ns < first.end_ns):
        return ""
    return f"hours seen before: learned from {first}, measured on {second} of the same day"


def _hours(config: EnvConfig) -> ReplayWindow | None:
    return EnvCore(config, 1).window()


def _file(path: Any) -> str:
    return str(path).replace("\\", "/").rsplit("/", 1)[-1]
