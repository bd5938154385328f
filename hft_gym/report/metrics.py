"""The registry of metrics: each one is data (name, group, unit, formula, source) and one function of a
`Panel`.

A metric has a value per episode and one for a set of episodes. How the second follows from the first is its
`Pooling` (`hft_gym.report.pooling`). What a metric needs of an episode is data too (`hft_gym.report.needs`):
where it is missing the value is NaN, and the need says why. A new metric is one decorated function in one of
the modules named in `load`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.evaluation.episodes import Episodes
from hft_gym.report.needs import LENGTH, Need, Undefined, first_unmet
from hft_gym.report.panel import Floats, Panel
from hft_gym.report.pooling import POOLINGS, SET
from hft_gym.report.statistics import Bootstrap, Estimate

__all__ = ["GROUPS", "METRICS", "Metric", "chosen", "evaluate_metrics", "get", "metric"]

GROUPS = {
    "returns": "returns and risk",
    "drawdown": "drawdown",
    "activity": "activity",
    "execution": "execution quality",
    "inventory": "inventory",
    "attribution": "attribution",
    "significance": "significance",
}
"""Group -> what a report calls it, in the order in which it shows them."""

MODULES = (
    "returns", "risk", "drawdown", "activity", "execution", "quotes", "markouts", "shortfall", "parent", "inventory",
    "attribution", "regimes", "significance",
)
"""Modules of this package that define metrics."""

NO_TWO = "fewer than two episodes"


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: its public name.
        label: what a table prints.
        group: one of `GROUPS`.
        unit: the unit of the value.
        formula: the definition.
        source: where the definition comes from.
        number: its number in the list of 72 of docs/metrics.md; None for one that is not in the list.
        pooling: how a set of episodes gets one value: a name in `hft_gym.report.pooling.POOLINGS`, or ``"set"``
            for a metric that only a set of episodes has.
        sign: +1 where more is better, -1 where less is better, 0 where it is neither.
        needs: what an episode must have for a value, most basic first.
        function: Panel -> what the pooling takes; for ``"set"`` (Panel, Bootstrap) -> Estimate.
    """

    name: str
    label: str
    group: str
    unit: str
    formula: str
    source: str
    number: int | None
    pooling: str
    sign: int
    needs: tuple[Need, ...]
    function: Callable[..., Any]

    def values(self, panel: Panel) -> Floats:
        """(E,) the metric of each episode alone; all NaN where only a set has one."""
        if self.pooling == SET:
            return np.full(panel.count, np.nan)
        return POOLINGS[self.pooling].alone(self.function(panel))

    def parts(self, panel: Panel) -> Floats:
        """(E, C) what is summed over episodes before `combine`."""
        return POOLINGS[self.pooling].parts(self.function(panel))

    def combine(self, sums: Floats) -> Floats:
        """(...) values from (..., C) sums of `parts` over episodes."""
        return POOLINGS[self.pooling].combine(sums)

    def estimate(self, panel: Panel, bootstrap: Bootstrap) -> Estimate:
        """The value of all episodes together, with its interval; NaN where undefined (`reason` says why)."""
        if self.pooling != SET:
            return bootstrap.estimate(self.parts(panel), self.combine)
        try:
            found: Estimate = self.function(panel, bootstrap)
        except Undefined:
            return Estimate(float("nan"), float("nan"), float("nan"), panel.count)
        return found

    def reasons(self, panel: Panel) -> list[str | None]:
        """Why each episode alone has no value; None where it has one."""
        missing = np.isnan(self.values(panel))
        if self.pooling == SET or POOLINGS[self.pooling].several:
            return [f"only a set of episodes has {self.label}"] * panel.count
        why = first_unmet(self.needs, panel)
        return [why[e] if missing[e] else None for e in range(panel.count)]

    def reason(self, panel: Panel, bootstrap: Bootstrap) -> str | None:
        """Why all episodes together have no value; None if they have one."""
        if not np.isnan(self.estimate(panel, bootstrap).value):
            return None
        if panel.count == 0:
            return "no episodes"
        if self.pooling == SET:
            try:
                self.function(panel, bootstrap)
            except Undefined as why:
                return str(why)
        why_each = first_unmet(self.needs, panel)
        common = next((w for w in why_each if w is not None), None)
        if common is not None and all(w is not None for w in why_each):
            return common
        several = panel.count > 1
        return POOLINGS[self.pooling].unvaried if several and POOLINGS[self.pooling].several else NO_TWO


METRICS: dict[str, Metric] = {}
"""Every metric by name, in the order of reports. Filled when `hft_gym.report` is imported."""


def metric(
    label: str,
    group: str,
    unit: str,
    formula: str,
    source: str,
    *,
    number: int | None = None,
    pooling: str = "mean",
    sign: int = 0,
    needs: Sequence[Need] = (LENGTH,),
    name: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as the metric of its name, or of *name*; its docstring gets formula, unit and
    source.

    Raises:
        ConfigError: the name is taken, or the group or the pooling unknown.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        called = name or function.__name__
        if called in METRICS:
            raise ConfigError(f"metric {called!r} is registered twice")
        if group not in GROUPS:
            raise ConfigError(f"metric {called!r}: group {group!r}{did_you_mean(group, list(GROUPS))}")
        if pooling not in (*POOLINGS, SET):
            raise ConfigError(f"metric {called!r}: pooling {pooling!r}{did_you_mean(pooling, (*POOLINGS, SET))}")
        METRICS[called] = Metric(
            called, label, group, unit, formula, source, number, pooling, sign, tuple(needs), function
        )
        about = f"Formula: {formula}\n\nUnit: {unit}\n\nSource: {source}"
        function.__doc__ = f"{inspect.getdoc(function) or label}\n\n{about}"
        return function

    return register


def load() -> None:
    """Import the modules that define the metrics, and bring the registry into their order, group by group."""
    homes = [import_module(f"hft_gym.report.{module}").__name__ for module in MODULES]
    groups = list(GROUPS)

    def place(item: tuple[str, Metric]) -> tuple[int, int]:
        return groups.index(item[1].group), homes.index(item[1].function.__module__)

    in_order = sorted(METRICS.items(), key=place)
    METRICS.clear()
    METRICS.update(in_order)


def get(name: str) -> Metric:
    """The metric of this name.

    Raises:
        ConfigError: there is none.
    """
    if name not in METRICS:
        raise ConfigError(f"unknown metric {name!r}{did_you_mean(name, list(METRICS))}")
    return METRICS[name]


def chosen(words: Sequence[str]) -> list[Metric]:
    """The metrics that words ask for: ``"all"``, names of groups, names of metrics; in the registry's order.

    Raises:
        ConfigError: a word that is none of these.
    """
    wanted: set[str] = set()
    for word in words:
        if word == "all":
            wanted.update(METRICS)
        elif word in GROUPS:
            wanted.update(m.name for m in METRICS.values() if m.group == word)
        elif word in METRICS:
            wanted.add(word)
        else:
            allowed = ["all", *GROUPS, *METRICS]
            hint = did_you_mean(word, allowed).split(" Allowed:")[0].rstrip(".;,: ")
            raise ConfigError(
                f"metrics: there is no {word!r}{hint}; allowed are 'all', the groups {', '.join(GROUPS)}, "
                "and the names in docs/metrics.md"
            )
    return [m for m in METRICS.values() if m.name in wanted]


def evaluate_metrics(
    episodes: Episodes,
    names: Sequence[str] | None = None,
    interval_s: float = 1.0,
    counterfactual: Episodes | None = None,
) -> dict[str, Floats]:
    """Name -> (E,) values of each episode, for all metrics or those named; see `Panel` for the counterfactual."""
    panel = Panel(episodes, interval_s, counterfactual=counterfactual)
    wanted = list(METRICS.values()) if names is None else [get(n) for n in names]
    return {m.name: m.values(panel) for m in wanted}
