"""Several policies on the same episodes: estimates, paired differences, and what may honestly be said of
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hft_gym.errors import ConfigError
from hft_gym.evaluation.episodes import Episodes
from hft_gym.report.aggregate import holm
from hft_gym.report.attribution import check_attribution
from hft_gym.report.flags import Evidence, Flag, find_flags
from hft_gym.report.metrics import METRICS
from hft_gym.report.overfitting import Trials
from hft_gym.report.panel import Panel, Session
from hft_gym.report.statistics import Bootstrap, Estimate

if TYPE_CHECKING:
    import pandas as pd

    from hft_gym.report.grids import Grid

__all__ = ["Comparison", "Row", "compare", "summarise"]


FEWEST = 5
"""Symbols of a live run that an interval takes at least."""
_OF_SEEDS = ("one-episode", "seen-seeds")
"""Flags that speak of episodes as drawn by seeds."""


@dataclass(frozen=True)
class Row:
    """One policy in a comparison.

    Attributes:
        name: the policy.
        kind: ``"baseline"``, ``"agent"``, or ``"hindsight"`` for one that was shown the future.
        episodes: what it did.
        panel: the same with what the metrics share.
        metrics: metric name -> estimate over the episodes.
        difference: paired difference of net P&L to the best baseline (None for the best baseline itself).
        flags: remarks the reader must see.
        undefined: metric name -> why it has no value, for those that have none.
        p_value: of the paired difference, two-sided, adjusted after Holm for all differences of the comparison; NaN
            without one.
    """

    name: str
    kind: str
    episodes: Episodes
    panel: Panel
    metrics: Mapping[str, Estimate]
    difference: Estimate | None
    flags: tuple[Flag, ...] = ()
    undefined: Mapping[str, str] = field(default_factory=dict)
    p_value: float = float("nan")


@dataclass(frozen=True)
class Comparison:
    """Policies compared on common seeds.

    Attributes:
        rows: best net P&L first, of equals whoever sent fewer orders.
        best: name of the policy with the highest mean net P&L.
        best_baseline: name of the best baseline (None where none took part).
        bootstrap: how the intervals were made.
        meta: command, versions, configuration: whatever the record needs.
        grids: the same policies in other settings and markets, where they were asked for.
        live: whether the episodes are the symbols of one live run. No seed has drawn them, and one run shows no winner.
    """

    rows: tuple[Row, ...]
    best: str
    best_baseline: str | None
    bootstrap: Bootstrap
    meta: Mapping[str, Any] = field(default_factory=dict)
    grids: tuple[Grid, ...] = ()
    live: bool = False

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

    @property
    def each(self) -> str:
        """What a mean is over, for texts."""
        return "a symbol" if self.live else "an episode"

    @property
    def starred(self) -> str | None:
        """Who is marked as the best: of one live run nobody."""
        return None if self.live else self.best

    @property
    def intervals(self) -> bool:
        """Whether there are enough results for intervals."""
        return self.episodes >= (FEWEST if self.live else 2)

    @property
    def basis(self) -> str:
        """What the figures are made from, for headings."""
        level = f"{self.bootstrap.level:.0%}"
        if not self.live:
            return f"{self.episodes} episodes on the same seeds; {level} bootstrap intervals; money in ticks·lots"
        count = f"{self.episodes} symbol{'s' if self.episodes != 1 else ''} of one run, no seeds"
        about = f"{level} bootstrap intervals over symbols" if self.intervals else "too few for intervals"
        return f"{count}; {about}; money in ticks·lots"

    def verdicts(self) -> list[str]:
        """One sentence per agent (or, without agents, on the best baseline), in plain words."""
        agents = [r for r in self.rows if r.kind == "agent"]
        if not agents and self.live:
            return [f"Highest net P&L a symbol in this run: {self.best_baseline}. One run does not say who is better."]
        if not agents:
            return [f"Best baseline by mean net P&L: {self.best_baseline}. No trained agent took part."]
        return [_verdict(row, self.best_baseline, self.bootstrap.level, self.each) for row in agents]

    def to_frame(self) -> pd.DataFrame:
        """Long form: one row per policy and metric, with value, low, high, unit, and the paired difference as
        ``net_pnl_difference``, its adjusted p-value as ``p_value_holm``.
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
                adjusted = Estimate(row.p_value, float("nan"), float("nan"), row.difference.episodes)
                out.append(_record(row, "p_value_holm", "probability", adjusted))
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
    episodes: Episodes | Panel, bootstrap: Bootstrap | None = None, interval_s: float = 1.0
) -> dict[str, Estimate]:
    """Every metric of one policy, with intervals over its episodes.

    Raises:
        DataError: the fills do not explain the net P&L of some episode.
    """
    panel = episodes if isinstance(episodes, Panel) else Panel(episodes, interval_s)
    check_attribution(panel)
    chosen = bootstrap or Bootstrap()
    return {m.name: m.estimate(panel, chosen) for m in METRICS.values()}


def undefined(panel: Panel, metrics: Mapping[str, Estimate], bootstrap: Bootstrap) -> dict[str, str]:
    """Metric name -> why it has no value, for those of *metrics* that are NaN."""
    names = [name for name, estimate in metrics.items() if np.isnan(estimate.value)]
    return {name: METRICS[name].reason(panel, bootstrap) or "" for name in names}


def compare(
    runs: Sequence[Episodes],
    agents: Sequence[str] = (),
    bootstrap: Bootstrap | None = None,
    meta: Mapping[str, Any] | None = None,
    *,
    hindsight: Sequence[str] = (),
    interval_s: float = 1.0,
    session: Session | None = None,
    counterfactual: Episodes | None = None,
    trials: Mapping[str, Trials] | None = None,
    evidence: Mapping[str, Evidence] | None = None,
    live: bool = False,
) -> Comparison:
    """Compare policies that played the same seeds.

    Args:
        runs: one `Episodes` per policy, names distinct.
        agents: names of the trained ones; the others are baselines.
        bootstrap: how to make intervals.
        meta: kept with the comparison.
        hindsight: names of those that were shown the future: nobody is measured by them.
        interval_s: clock grid of the interval metrics, seconds.
        session: trading hours that annualised figures count.
        counterfactual: the same seeds without any own order; default: a policy among *runs* that sent none.
        trials: policy -> what was tried before it was chosen.
        evidence: policy -> what else its flags follow from.
        live: the episodes are the symbols of one live run, not of seeds: fewer than `FEWEST` give no intervals.

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
    ranked = sorted(runs, key=_rank)
    fair = [r for r in ranked if r.name not in hindsight]
    reference = next((r for r in fair if r.name not in agents), None)
    idle = counterfactual or next((r for r in runs if not len(r.orders) and len(r.mids)), None)
    rows = []
    for run in ranked:
        against = None if run is reference else reference
        panel = Panel(
            run,
            interval_s,
            session=session,
            reference=against,
            counterfactual=idle,
            trials=(trials or {}).get(run.name),
        )
        metrics = summarise(panel, chosen)
        if live and panel.count < FEWEST:
            metrics = {name: e._replace(low=float("nan"), high=float("nan")) for name, e in metrics.items()}
        known = (evidence or {}).get(run.name) or Evidence(learned=run.name in agents)
        known = replace(known, hindsight=run.name in hindsight)
        rows.append(
            Row(
                run.name,
                "hindsight" if run.name in hindsight else "agent" if run.name in agents else "baseline",
                run,
                panel,
                metrics,
                None if against is None else metrics["difference"],
                tuple(f for f in find_flags(run, metrics, known) if not (live and f.name in _OF_SEEDS)),
                undefined(panel, metrics, chosen),
            )
        )
    adjusted = holm({row.name: row.metrics["p_value"].value for row in rows})
    assert isinstance(adjusted, dict)
    rows = [replace(row, p_value=adjusted[row.name]) for row in rows]
    best = (fair or ranked)[0].name
    return Comparison(
        tuple(rows), best, reference.name if reference else None, chosen, dict(meta or {}), live=live
    )


def _rank(run: Episodes) -> tuple[float, int, bool]:
    """Highest mean net P&L first; of equals whoever sent fewer orders, for nobody is better than who did nothing."""
    known = run.net_pnl[~np.isnan(run.net_pnl)]
    return -float(known.mean()) if len(known) else np.inf, len(run.orders), run.name != "do-nothing"


def _verdict(row: Row, reference: str | None, level: float, each: str) -> str:
    net, difference = row.metrics["net_pnl"], row.difference
    money = f"{row.name} makes {_span(net)} ticks·lots {each}"
    if difference is None or reference is None:
        return f"{money}. No baseline took part: this says nothing about its worth."
    versus = f"{_span(difference)} against the best baseline, {reference}"
    interval = f"{level:.0%} interval of the paired difference"
    chance = "" if np.isnan(row.p_value) else f" (p = {row.p_value:.2g} after Holm)"
    if np.isnan(difference.low):
        return f"{money}, {versus}. Too few {each.split()[1]}s for an interval: no conclusion."
    if difference.low > 0:
        text = f"{money}, {versus}. It beats the best baseline: the {interval} lies above zero{chance}."
        if net.high < 0:
            text += " It still loses money."
        return text
    if difference.high < 0:
        return f"{money}, {versus}. It LOSES to the best baseline: the {interval} lies below zero{chance}."
    return f"{money}, {versus}. Not distinguishable from the best baseline: the {interval} contains zero{chance}."


def _span(estimate: Estimate) -> str:
    if np.isnan(estimate.low):
        return f"{estimate.value:+.2f}"
    return f"{estimate.value:+.2f} [{estimate.low:+.2f}, {estimate.high:+.2f}]"
