"""Parameter search for scripted baselines: every setting on the same training seeds, every trial kept.

A baseline that an agent is measured against deserves the same effort. `tune` tries settings from the
strategy's own search space and returns the one with the best mean net P&L; held-out seeds are refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import baselines
from hft_gym.config import build
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.vector import HFTMarketVectorEnv
from hft_gym.errors import ConfigError
from hft_gym.evaluation import evaluate, training_seeds
from hft_gym.evaluation.seeds import purpose
from hft_gym.report import Bootstrap, Estimate, mean_interval
from train.trials import TrialLog, market_key

__all__ = ["Trial", "Tuning", "settings_of", "tune"]


@dataclass(frozen=True)
class Trial:
    """One setting, its mean net P&L an episode (ticks·lots) with interval, and the net P&L of each episode."""

    parameters: Mapping[str, Any]
    net_pnl: Estimate
    episodes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Tuning:
    """A finished search.

    Attributes:
        name: the baseline.
        trials: every setting tried, in order; the first is the default.
        seeds: how many training seeds each played.
    """

    name: str
    trials: tuple[Trial, ...]
    seeds: int

    @property
    def best(self) -> Trial:
        """The trial with the highest mean net P&L; the earlier of two equals."""
        return max(self.trials, key=lambda t: t.net_pnl.value)

    def record(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "baseline": self.name,
            "training_seeds": self.seeds,
            "best": dict(self.best.parameters),
            "trials": [{"parameters": dict(t.parameters), **t.net_pnl._asdict()} for t in self.trials],
        }


def settings_of(name: str, count: int, env: Any, seed: int = 0) -> list[dict[str, Any]]:
    """``count`` settings of a baseline: its defaults, then combinations of its search space in a seeded
    order.

    A smaller space is returned whole. A strategy without a space has one setting, the default.
    """
    space = baselines.get(name).search_space(env)
    if not space:
        return [{}]
    grid = [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]
    order = np.random.default_rng(seed).permutation(len(grid))
    return [{}, *(grid[i] for i in order[: count - 1])]


def tune(
    name: str,
    grid: int | Sequence[Mapping[str, Any]] = 24,
    config: EnvConfig | Mapping[str, Any] | None = None,
    *,
    seeds: Sequence[int] | None = None,
    num_envs: int = 128,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
    log: TrialLog | None = None,
) -> Tuning:
    """Find good parameters of a baseline on training seeds.

    Args:
        name: the baseline, or ``"my_module:MyStrategy"``.
        grid: the settings to try, or how many to draw from the strategy's search space.
        config: the environment. Of a replay the training part of the window is used.
        seeds: training seeds; default: the first 64.
        num_envs: episodes played side by side.
        threads: of the compiled step.
        progress: called with (settings tried, settings in all).
        log: where every trial is written down as soon as it is played.

    Raises:
        ConfigError: a held-out seed, an empty grid, or a wrong parameter.
    """
    config = build(EnvConfig, config)
    if config.feed is not None and config.replay.split == "held-out":
        raise ConfigError("tuning on the held-out part of a replay: use replay.split='train'")
    chosen = training_seeds(64) if seeds is None else np.asarray(seeds, np.int64)
    wrong = [int(s) for s in chosen if purpose(int(s)) != "training"]
    if wrong:
        raise ConfigError(f"tuning uses training seeds only (below 1,000,000), got {wrong[0]}")
    scale = HFTMarketVectorEnv(1, config)
    settings = settings_of(name, grid, scale) if isinstance(grid, int) else [dict(g) for g in grid]
    if not settings:
        raise ConfigError(f"tuning {name}: the grid is empty")
    trials = []
    for i, parameters in enumerate(settings):
        strategy = baselines.make(name, scale, **parameters)
        played = evaluate(
            strategy, config, chosen, num_envs=num_envs, threads=threads, log_capacity=0, name=name
        )
        net = played.net_pnl
        if log is not None:
            log.add("tune", name, market_key(config), parameters, chosen, net)
        trials.append(Trial(parameters, mean_interval(net, Bootstrap(1000)), tuple(net.tolist())))
        if progress is not None:
            progress(i + 1, len(settings))
    return Tuning(name, tuple(trials), len(chosen))
