"""Several training seeds of one learner on one or several markets: what may be said of the learner, not of one agent.

The unit is the training run. Its *score* on a market comes from its mean net P&L over the held-out episodes:

- ``"gain"``: in units of the best baseline's gain over doing nothing (0): 1 is as good as the best baseline. It needs a
  baseline that gains.
- ``"difference"``: less the best baseline's, ticks·lots: 0 is as good as the best baseline. Markets whose P&L are of
  different sizes do not weigh the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.report.aggregate import performance_profile, stratified_estimate
from hft_gym.report.comparison import Comparison
from hft_gym.report.statistics import Bootstrap, Estimate

__all__ = ["Learner", "Scored", "Standing", "across_seeds", "markets_of", "runs_of", "score_runs"]

Floats = npt.NDArray[np.float64]

Scored: TypeAlias = Literal["gain", "difference"]
AS_GOOD = {"gain": 1.0, "difference": 0.0}
"""The score of who is as good as the best baseline."""
THRESHOLDS = tuple(round(0.1 * i, 1) for i in range(-5, 21))
"""Scores at which the performance profile is taken."""


@dataclass(frozen=True)
class Standing:
    """What a market's comparisons say of everybody: mean net P&L an episode, ticks·lots.

    Attributes:
        market: its name.
        net: policy -> mean net P&L.
        agents: the trained ones that gave their most likely actions.
        best_baseline: the baseline with the highest, and its figure; None where there was none.
    """

    market: str
    net: Mapping[str, float]
    agents: tuple[str, ...]
    best_baseline: tuple[str, float] | None

    @classmethod
    def of(cls, comparison: Comparison) -> Standing:
        """Of one comparison."""
        net = {row.name: row.metrics["net_pnl"].value for row in comparison.rows}
        agents = tuple(r.name for r in comparison.rows if r.kind == "agent" and r.episodes.deterministic)
        best = comparison.best_baseline
        return cls("", net, agents, None if best is None else (best, net[best]))

    def unit(self, score: Scored) -> tuple[float, float]:
        """What is subtracted from a mean net P&L, and what the rest is divided by.

        Raises:
            ConfigError: there is no baseline, or for ``"gain"`` none that gains.
        """
        name, value = self.best_baseline or ("none", float("nan"))
        if score == "difference" and value == value:
            return value, 1.0
        if not value > 0:
            raise ConfigError(
                f"across seeds: the best baseline, {name}, makes {value:+.2f} an episode; scores need one that gains "
                "(or the score 'difference')"
            )
        return 0.0, value


@dataclass(frozen=True)
class Learner:
    """What the runs of one learner say together.

    Attributes:
        name: of the learner.
        scores: (R, M) score of each run on each market.
        iqm: interquartile mean of the scores; runs are resampled within each market.
        mean: their mean, likewise.
        improvement: probability that a run beats the best baseline on a market.
        optimality_gap: mean of max(1 - score, 0), or max(-score, 0) of differences: how far short of the best baseline.
        profile: score -> share of the runs above it.
    """

    name: str
    scores: Floats
    iqm: Estimate
    mean: Estimate
    improvement: Estimate
    optimality_gap: Estimate
    profile: Mapping[float, float]


def across_seeds(
    comparisons: Comparison | Sequence[Comparison],
    learners: Mapping[str, Sequence[str]],
    bootstrap: Bootstrap | None = None,
) -> dict[str, Learner]:
    """Interquartile mean, probability of improvement and performance profile of learners with several training runs.

    Args:
        comparisons: one for each market; each holds every run.
        learners: name -> names of its runs (policies of the comparisons), one for each training seed.
        bootstrap: how intervals are made.

    Raises:
        ConfigError: nothing to look at, a run that took no part, or a market in which no baseline gains anything:
            there is no unit then.
    """
    markets = [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
    if not markets or not learners:
        raise ConfigError("across seeds: give at least one comparison and one learner")
    standings = [Standing.of(c) for c in markets]
    return score_runs(standings, {name: [runs] * len(markets) for name, runs in learners.items()}, bootstrap)


def score_runs(
    markets: Sequence[Standing],
    learners: Mapping[str, Sequence[Sequence[str]]],
    bootstrap: Bootstrap | None = None,
    score: Scored = "gain",
) -> dict[str, Learner]:
    """`across_seeds` from standings: agents that were trained for one market each take part in that one.

    Args:
        markets: one for each market.
        learners: name -> for each market the names of the learner's runs there, equally many in all.
        bootstrap: how intervals are made; runs are resampled within each market.
        score: what a run scores, see above.

    Raises:
        ConfigError: an unknown score, a learner without runs or with more in one market than in another, a run that
            took no part, or a market without a unit.
    """
    if score not in get_args(Scored):
        raise ConfigError(f"score: {score!r}{did_you_mean(score, get_args(Scored))}")
    units, aim = [market.unit(score) for market in markets], AS_GOOD[score]
    found = {}
    for name, runs in learners.items():
        counts = {len(some) for some in runs}
        if counts == {0} or not counts:
            raise ConfigError(f"across seeds: learner {name!r} has no runs")
        if len(counts) > 1:
            sizes = sorted((m.market, len(some)) for some, m in zip(runs, markets, strict=True))
            told = ", ".join(f"{count} in {market}" for market, count in sizes)
            raise ConfigError(f"across seeds: learner {name!r} has {told}; each market needs equally many runs")
        nets = np.array([[_net(m, run) for run in some] for some, m in zip(runs, markets, strict=True)]).T
        scores = (nets - np.array([less for less, _ in units])) / np.array([unit for _, unit in units])
        found[name] = Learner(
            name,
            scores,
            stratified_estimate(scores, None, bootstrap),
            stratified_estimate(scores, _mean, bootstrap),
            stratified_estimate(0.5 + 0.5 * np.sign(scores - aim), _mean, bootstrap),
            stratified_estimate(np.maximum(aim - scores, 0.0), _mean, bootstrap),
            dict(zip(THRESHOLDS, performance_profile(scores, THRESHOLDS).tolist(), strict=True)),
        )
    return found


def markets_of(parts: Sequence[Any]) -> list[Standing]:
    """The standings of stored evaluations (`hft_gym.report.parts.Part`), those of one market put together.

    One market is one configuration and one set of seeds. Where its evaluations had different baselines, the best of
    them all counts.

    Raises:
        ConfigError: an agent is in two evaluations of one market.
    """
    together: dict[str, list[Any]] = {}
    for part in parts:
        key = json.dumps([part.record["meta"].get("config", {}).get(k) for k in ("market", "feed", "task", "replay")])
        together.setdefault(key + json.dumps(part.record["seeds"]), []).append(part)
    found = []
    for group in together.values():
        net: dict[str, float] = {}
        where: dict[str, str] = {}
        agents: list[str] = []
        best: tuple[str, float] | None = None
        for part in group:
            for policy in part.record["policies"]:
                name, value = policy["name"], policy["metrics"]["net_pnl"]["value"]
                value = float("nan") if value is None else float(value)
                if policy["kind"] == "agent":
                    if name in where:
                        raise ConfigError(
                            f"agent {name!r} is in two evaluations of one market, {where[name]} and {part.id}; leave "
                            "one out"
                        )
                    where[name] = part.id
                    if policy["deterministic"]:
                        agents.append(name)
                elif policy["kind"] == "baseline" and (best is None or value > best[1]):
                    best = (name, value)
                net[name] = value
        found.append(Standing(group[0].market, net, tuple(agents), best))
    return found


def runs_of(markets: Sequence[Standing], patterns: Sequence[str]) -> dict[str, list[list[str]]]:
    """The runs of learners: each is a pattern of names of agents, such as ``ppo-*``.

    Raises:
        ConfigError: a pattern that no agent's name fits.
    """
    found = {}
    for pattern in patterns:
        runs = [sorted(name for name in market.agents if fnmatchcase(name, pattern)) for market in markets]
        if not any(runs):
            names = sorted({name for market in markets for name in market.agents})
            raise ConfigError(f"across seeds: no agent fits {pattern!r}; there are {', '.join(names) or 'none'}")
        found[pattern] = runs
    return found


def _mean(scores: Floats) -> Floats:
    return np.asarray(scores.mean(axis=(-2, -1)))


def _net(market: Standing, run: str) -> float:
    if run not in market.net:
        raise ConfigError(f"across seeds: no run {run!r} in a comparison{did_you_mean(run, list(market.net))}")
    return market.net[run]
