"""Parameter search for scripted baselines: every trial on the same training seeds, every trial kept.

A baseline that an agent is measured against deserves the same effort. `tune` searches the ranges that the strategy
declares with Optuna's tree-structured Parzen estimator and returns the trial with the best mean net P&L; held-out
seeds are refused. ``python -m train.tune_baseline`` stores what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import baselines
from baselines.ranges import Range, SearchSpace
from hft_gym.config import build
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.vector import HFTMarketVectorEnv
from hft_gym.errors import ConfigError
from hft_gym.evaluation import evaluate, training_seeds
from hft_gym.evaluation.seeds import purpose, whole_seeds
from hft_gym.extras import needing_extras
from hft_gym.report import Bootstrap, Estimate, mean_interval
from train.trials import TrialLog, market_key

__all__ = ["Trial", "Tuning", "tune"]


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
        sampler: how settings were chosen.
    """

    name: str
    trials: tuple[Trial, ...]
    seeds: int
    sampler: str = "given"

    @property
    def best(self) -> Trial:
        """The trial with the highest mean net P&L; the earlier of two equals."""
        return max(self.trials, key=lambda t: t.net_pnl.value)

    def record(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "baseline": self.name,
            "training_seeds": self.seeds,
            "sampler": self.sampler,
            "best": dict(self.best.parameters),
            "trials": [{"parameters": dict(t.parameters), **t.net_pnl._asdict()} for t in self.trials],
        }


def tune(
    name: str,
    trials: int | Sequence[Mapping[str, Any]] = 24,
    config: EnvConfig | Mapping[str, Any] | None = None,
    *,
    seeds: Sequence[int] | None = None,
    seed: int = 0,
    num_envs: int = 128,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
    log: TrialLog | None = None,
) -> Tuning:
    """Find good parameters of a baseline on training seeds.

    Args:
        name: the baseline, or ``"my_module:MyStrategy"``.
        trials: the settings to try, or how many: the defaults, then what the search proposes.
        config: the environment. Of a replay the training part of the window is used.
        seeds: training seeds; default: the first 64.
        seed: of the search; equal seeds give equal trials.
        num_envs: episodes played side by side; the result does not depend on it.
        threads: of the compiled step; neither on these.
        progress: called with (trials done, trials in all).
        log: where every trial is written down as soon as it is played.

    Raises:
        ConfigError: a held-out seed, no trials, or a wrong parameter.
    """
    config = build(EnvConfig, config)
    if config.feed is not None and config.replay.split == "held-out":
        raise ConfigError("tuning on the held-out part of a replay: use replay.split='train'")
    if isinstance(trials, int) and trials < 1:
        raise ConfigError(f"tuning {name}: no trials: must be at least 1, got {trials}")
    chosen = training_seeds(64) if seeds is None else whole_seeds(seeds)
    wrong = [int(s) for s in chosen if purpose(int(s)) != "training"]
    if wrong:
        raise ConfigError(f"tuning uses training seeds only (below 1,000,000), got {wrong[0]}")
    scale = HFTMarketVectorEnv(1, config)
    space = baselines.get(name).search_space(scale)
    search: _Given | _Search
    if isinstance(trials, int):
        search = _Search(space, _defaults(name, scale, space), trials if space else min(trials, 1), seed)
    else:
        search = _Given(trials)
    if not len(search):
        raise ConfigError(f"tuning {name}: no trials")
    done: list[Trial] = []
    for parameters in search:
        strategy = baselines.make(name, scale, **parameters)
        played = evaluate(strategy, config, chosen, num_envs=num_envs, threads=threads, log_capacity=0, name=name)
        net = played.net_pnl
        if log is not None:
            log.add("tune", name, market_key(config), parameters, chosen, net)
        done.append(Trial(parameters, mean_interval(net, Bootstrap(1000)), tuple(net.tolist())))
        search.tell(done[-1].net_pnl.value)
        if progress is not None:
            progress(len(done), len(search))
    return Tuning(name, tuple(done), len(chosen), search.kind)


def _defaults(name: str, env: Any, space: SearchSpace) -> dict[str, Any]:
    """What the parameters of the space are when nothing is given."""
    strategy = baselines.make(name, env)
    return {parameter: getattr(strategy, parameter) for parameter in space}


class _Given:
    """Settings given one by one."""

    kind = "given"

    def __init__(self, settings: Sequence[Mapping[str, Any]]) -> None:
        self.settings = settings

    def __len__(self) -> int:
        return len(self.settings)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(s) for s in self.settings)

    def tell(self, value: float) -> None:
        """Nothing is learnt from it."""


class _Search:
    """The defaults, then what Optuna proposes from the results so far."""

    def __init__(self, space: SearchSpace, defaults: Mapping[str, Any], count: int, seed: int) -> None:
        with needing_extras():
            import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.count, self.defaults = count, dict(defaults)
        self.kind = f"Optuna {optuna.__version__} TPE, seed {seed}"
        self.inside = bool(space) and all(space[p].holds(v) for p, v in defaults.items())
        self.space = {parameter: _distribution(values) for parameter, values in space.items()}
        self.study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        self.asked: Any = None

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for i in range(self.count):
            self.asked = self.study.ask(self.space) if i else None
            yield dict(self.asked.params) if self.asked else {}

    def tell(self, value: float) -> None:
        """What the last setting earned."""
        from optuna.trial import create_trial

        if self.asked is not None:
            self.study.tell(self.asked, value)
        elif self.inside:  # the search learns from the defaults, too
            self.study.add_trial(create_trial(params=self.defaults, distributions=self.space, value=value))


def _distribution(values: Any) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(values, Range):
        return CategoricalDistribution(values.values)
    low, high = values.ends()
    return (IntDistribution if values.whole else FloatDistribution)(low, high, log=values.log)
