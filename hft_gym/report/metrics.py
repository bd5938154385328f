"""The registry of metrics: each one is data (name, group, unit, formula, source) and one function of a
`Panel`.

A metric has a value per episode and one for a set of episodes. How the second follows from the first is its
*pooling*:

``mean``
    the mean over the episodes where it is defined.
``ratio``
    Σ numerators / Σ denominators, so that an episode with one fill does not weigh as much as one with a
    hundred.
``sharpe``
    mean / standard deviation (n - 1) over the episodes; it has no value for a single one.

Undefined is NaN: no fills, no losses, no time. A new metric is one decorated function in one of the modules
named in `load`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.evaluation.episodes import Episodes
from hft_gym.report.panel import Floats, Panel, ratio

__all__ = ["METRICS", "Metric", "evaluate_metrics", "get", "metric"]

Pooling = Literal["mean", "ratio", "sharpe"]

GROUPS = ("returns", "drawdown", "activity", "execution", "inventory", "attribution")
"""The order in which a report shows the groups."""


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
        pooling: how a set of episodes gets one value (see the module).
        sign: +1 where more is better, -1 where less is better, 0 where it is neither.
        function: Panel -> (E,) values; for ``ratio`` a pair of (E,) numerators and denominators.
    """

    name: str
    label: str
    group: str
    unit: str
    formula: str
    source: str
    pooling: Pooling
    sign: int
    function: Callable[[Panel], Any]

    def parts(self, panel: Panel) -> Floats:
        """(E, C) what is summed over episodes before `combine`: C is 2, or 3 for ``sharpe``."""
        if self.pooling == "ratio":
            top, bottom = (np.asarray(v, np.float64) for v in self.function(panel))
            known = ~(np.isnan(top) | np.isnan(bottom))
            return np.stack([np.where(known, top, 0.0), np.where(known, bottom, 0.0)], axis=1)
        value = np.asarray(self.function(panel), np.float64)
        known = ~np.isnan(value)
        kept = np.where(known, value, 0.0)
        if self.pooling == "mean":
            return np.stack([kept, known.astype(np.float64)], axis=1)
        return np.stack([kept, known.astype(np.float64), kept**2], axis=1)

    def combine(self, sums: Floats) -> Floats:
        """(...) values from (..., C) sums of `parts` over episodes."""
        mean = ratio(sums[..., 0], sums[..., 1])
        if self.pooling != "sharpe":
            return mean
        count, squares = sums[..., 1], sums[..., 2]
        spread = squares - count * np.nan_to_num(mean) ** 2
        # Rounding leaves a speck where all episodes are equal: no spread, no ratio.
        usable = (count > 1.5) & (spread > 1e-12 * squares)
        return mean / np.sqrt(ratio(np.where(usable, spread, np.nan), count - 1))

    def values(self, panel: Panel) -> Floats:
        """(E,) the metric of each episode alone; all NaN for ``sharpe``."""
        if self.pooling == "ratio":
            top, bottom = (np.asarray(v, np.float64) for v in self.function(panel))
            return ratio(top, bottom)
        if self.pooling == "sharpe":
            return np.full(panel.count, np.nan)
        return np.asarray(self.function(panel), np.float64)


METRICS: dict[str, Metric] = {}
"""Every metric by name, in the order of reports. Filled when `hft_gym.report` is imported."""


def metric(
    label: str, group: str, unit: str, formula: str, source: str, pooling: Pooling = "mean", sign: int = 0
) -> Callable[[Callable[[Panel], Any]], Callable[[Panel], Any]]:
    """Register the decorated function as the metric of its name.

    Raises:
        ConfigError: the name is taken, or the group unknown.
    """

    def register(function: Callable[[Panel], Any]) -> Callable[[Panel], Any]:
        name = function.__name__
        if name in METRICS:
            raise ConfigError(f"metric {name!r} is registered twice")
        if group not in GROUPS:
            raise ConfigError(f"metric {name!r}: group {group!r}{did_you_mean(group, GROUPS)}")
        METRICS[name] = Metric(name, label, group, unit, formula, source, pooling, sign, function)
        return function

    return register


def load() -> None:
    """Import the modules that define the metrics."""
    for module in ("returns", "activity", "attribution"):
        import_module(f"hft_gym.report.{module}")


def get(name: str) -> Metric:
    """The metric of this name.

    Raises:
        ConfigError: there is none.
    """
    if name not in METRICS:
        raise ConfigError(f"unknown metric {name!r}{did_you_mean(name, list(METRICS))}")
    return METRICS[name]


def evaluate_metrics(
    episodes: Episodes, names: list[str] | None = None, interval_s: float = 1.0
) -> dict[str, Floats]:
    """Name -> (E,) values of each episode, for all metrics or those named."""
    panel = Panel(episodes, interval_s)
    chosen = METRICS.values() if names is None else [get(n) for n in names]
    return {m.name: m.values(panel) for m in chosen}
