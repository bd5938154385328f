"""Several policies on the same episodes: estimates, paired differences, and what may honestly be said of
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hft_gym.errors import ConfigError
from hft_gym.evaluation.episodes import Episodes
from hft_gym.report.metrics import METRICS
from hft_gym.report.panel import Panel
from hft_gym.report.statistics import Bootstrap, Estimate, paired_difference

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "Row", "compare", "summarise"]


@dataclass(frozen=True)
class Row:
    """One policy in a comparison.

    Attributes:
        name: the policy.
        kind: ``"baseline"`` or ``"agent"``.
        episodes: what it did.
        metrics: metric name -> estimate over the episodes.
        difference: paired difference of net P&L to the best baseline (None for the best baseline itself).
        flags: short remarks the reader must see.
    """

    name: str
    kind: str
    episodes: Episodes
    metrics: Mapping[str, Estimate]
    difference: Estimate | None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Policies compared on common seeds.

    Attributes:
        rows: best net P&L first.
        best: name of the policy with the highest mean net P&L.
        best_baseline: name of the best baseline (None where none took part).
        bootstrap: how the intervals were made.
        meta: command, versions, configuration: whatever the record needs.
    """

    rows: tuple[Row, ...]
    best: str
    best_baseline: str | None
    bootstrap: Bootstrap
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Row:
        """The row of a policy.

        Raises:
            KeyError: it took no part.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(
            f"no policy {name!r} in this comparison; there are {', '.join(r.name for r in self.rows)}"
        )

    @property
    def episodes(self) -> int:
        """Number of episodes of each policy."""
        return len(self.rows[0].episodes)

    def verdicts(self) -> list[str]:
        """One sentence per agent (or, without agents, on the best baseline), in plain words."""
        agents = [r for r in self.rows if r.kind == "agent"]
        if not agents:
            return [f"Best baseline by mean net P&L: {self.best_baseline}. No trained agent took part."]
        return [_verdict(row, self.best_baseline, self.bootstrap.level) for row in agents]

    def to_frame(self) -> pd.DataFrame:
        """Long form: one row per policy and metric, with value, low, high, unit, and the paired difference as
        ``net_pnl_difference``.
        """
        import pandas as pd

        return pd.DataFrame(self.records())

    def records(self) -> list[dict[str, Any]]:
        """The rows of `to_frame` as plain data."""
        out: list[dict[str, Any]] = []
        for row in self.rows:
            for name, estimate in row.metrics.items():
                out.append(_record(row, name, METRICS[name].unit, estimate))
            if row.difference is not None:
                out.append(_record(row, "net_pnl_difference", "ticks·lots", row.difference))
        return out


def _record(row: Row, metric: str, unit: str, estimate: Estimate) -> dict[str, Any]:
    return {
        "policy": row.name,
        "kind": row.kind,
        "metric": metric,
        "unit": unit,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "episodes": estimate.episodes,
    }


def summarise(
    episodes: Episodes, bootstrap: Bootstrap | None = None, interval_s: float = 1.0
) -> dict[str, Estimate]:
    """Every metric of one policy, with intervals over its episodes.

    Raises:
        DataError: the fills do not explain the net P&L of some episode.
    """
    panel = Panel(episodes, interval_s)
    panel.check_attribution()
    chosen = bootstrap or Bootstrap()
    return {m.name: chosen.estimate(m.parts(panel), m.combine) for m in METRICS.values()}


def compare(
    runs: Sequence[Episodes],
    agents: Sequence[str] = (),
    bootstrap: Bootstrap | None = None,
    meta: Mapping[str, Any] | None = None,
) -> Comparison:
    """Compare policies that played the same seeds.

    Args:
        runs: one `Episodes` per policy, names distinct.
        agents: names of the trained ones; the others are baselines.
        bootstrap: how to make intervals.
        meta: kept with the comparison.

    Raises:
        ConfigError: no runs, two of the same name, an unknown agent, or different seeds.
        DataError: fills that do not explain a net P&L.
    """
    if not runs:
        raise ConfigError("nothing to compare: give at least one policy")
    names = [r.name for r in runs]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ConfigError(f"two policies are called {twice[0]!r}; names must differ")
    unknown = sorted(set(agents) - set(names))
    if unknown:
        raise ConfigError(f"agent {unknown[0]!r} is not among the policies {', '.join(names)}")
    for run in runs[1:]:
        if not np.array_equal(run.seeds, runs[0].seeds):
            raise ConfigError(
                f"{run.name!r} and {runs[0].name!r} played different seeds; a comparison needs the same"
            )
    chosen = bootstrap or Bootstrap()
    ranked = sorted(runs, key=_mean_net, reverse=True)
    reference = next((r for r in ranked if r.name not in agents), None)
    rows = []
    for run in ranked:
        difference = None
        if reference is not None and run is not reference:
            difference = paired_difference(run.net_pnl, reference.net_pnl, chosen)
        metrics = summarise(run, chosen)
        kind = "agent" if run.name in agents else "baseline"
        rows.append(Row(run.name, kind, run, metrics, difference, _flags(run, metrics)))
    return Comparison(
        tuple(rows), ranked[0].name, reference.name if reference else None, chosen, dict(meta or {})
    )


def _mean_net(run: Episodes) -> float:
    known = run.net_pnl[~np.isnan(run.net_pnl)]
    return float(known.mean()) if len(known) else -np.inf


def _flags(run: Episodes, metrics: Mapping[str, Estimate]) -> tuple[str, ...]:
    flags = []
    traded = metrics["traded"].value
    if traded == 0.0:
        flags.append("never traded")
    elif traded < 0.95:
        flags.append(f"traded in only {traded:.0%} of the episodes")
    if not run.deterministic:
        flags.append("stochastic actions")
    return tuple(flags)


def _verdict(row: Row, reference: str | None, level: float) -> str:
    net, difference = row.metrics["net_pnl"], row.difference
    money = f"{row.name} makes {_span(net)} ticks·lots an episode"
    if difference is None or reference is None:
        return f"{money}. No baseline took part: this says nothing about its worth."
    versus = f"{_span(difference)} against the best baseline, {reference}"
    interval = f"{level:.0%} interval of the paired difference"
    if np.isnan(difference.low):
        return f"{money}, {versus}. Too few episodes for an interval: no conclusion."
    if difference.low > 0:
        text = f"{money}, {versus}. It beats the best baseline: the {interval} lies above zero."
        if net.high < 0:
            text += " It still loses money."
        return text
    if difference.high < 0:
        return f"{money}, {versus}. It LOSES to the best baseline: the {interval} lies below zero."
    return f"{money}, {versus}. Not distinguishable from the best baseline: the {interval} contains zero."


def _span(estimate: Estimate) -> str:
    if np.isnan(estimate.low):
        return f"{estimate.value:+.2f}"
    return f"{estimate.value:+.2f} [{estimate.low:+.2f}, {estimate.high:+.2f}]"
