"""What the reader of a comparison must be told about a policy besides its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hft_gym.evaluation.episodes import Episodes
from hft_gym.evaluation.seeds import purpose
from hft_gym.report.statistics import Estimate

__all__ = ["FLAGS", "Evidence", "Flag", "find_flags"]

FLAGS = {
    "hindsight": "it was shown the future",
    "no-trades": "no own order ever traded",
    "few-trades": "own orders traded in fewer than 95 % of the episodes",
    "stochastic-only": "the agent trades when its actions are drawn, and not when it gives its most likely ones",
    "stochastic-actions": "the figures are those of drawn actions",
    "optimistic-fills": "it gains with the fill model chosen and not with the least favourable one",
    "one-episode": "one episode makes more than half of the gain of all",
    "seen-seeds": "it learned, or was chosen, on episodes that it is measured on",
    "at-limit": "its position is at the limit for most of the time",
}
"""Flag -> when it is raised."""

USUAL = 0.95
"""Share of episodes with a trade from which on nothing is said."""
MOST = 0.5
HINDSIGHT = (
    "shown the future; what hindsight plans bounds a taker who moves nothing, what it earns here in the book is no "
    "bound, and may be a loss (docs/baselines.md)"
)


class Flag(NamedTuple):
    """A remark: one of `FLAGS`, and the sentence with its figures."""

    name: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Evidence:
    """What was found out about a policy beyond its episodes.

    Attributes:
        drawn: the same policy with drawn actions, on some or all of the seeds.
        pessimistic: the same policy on the same seeds under the least favourable fill model.
        seen: why its episodes are not new to it; empty: nothing is known against them.
        learned: whether it was trained, or its parameters chosen: then its seeds must be held out.
        hindsight: whether it was shown the future.
    """

    drawn: Episodes | None = None
    pessimistic: Episodes | None = None
    seen: str = ""
    learned: bool = False
    hindsight: bool = False


def find_flags(run: Episodes, metrics: Mapping[str, Estimate], evidence: Evidence | None = None) -> tuple[Flag, ...]:
    """The flags of a policy, in the order of `FLAGS`."""
    found = evidence or Evidence()
    texts = {
        "hindsight": HINDSIGHT if found.hindsight else "",
        "no-trades": _no_trades(metrics),
        "few-trades": _few_trades(metrics),
        "stochastic-only": _stochastic_only(metrics, found.drawn),
        "stochastic-actions": "" if run.deterministic else "stochastic actions",
        "optimistic-fills": _optimistic(run, found.pessimistic),
        "one-episode": _one_episode(run),
        "seen-seeds": found.seen or (_seen(run) if found.learned else ""),
        "at-limit": _at_limit(metrics),
    }
    return tuple(Flag(name, texts[name]) for name in FLAGS if texts[name])


def _no_trades(metrics: Mapping[str, Estimate]) -> str:
    return "never traded" if metrics["traded"].value == 0.0 else ""


def _few_trades(metrics: Mapping[str, Estimate]) -> str:
    traded = metrics["traded"].value
    return f"traded in only {traded:.0%} of the episodes" if 0.0 < traded < USUAL else ""


def _stochastic_only(metrics: Mapping[str, Estimate], drawn: Episodes | None) -> str:
    if drawn is None or metrics["traded"].value > 0.0:
        return ""
    fills = drawn.fills[~drawn.fills["closing"]]
    share = len(np.unique(fills["episode"])) / max(len(drawn), 1)
    return f"trades only when its actions are drawn (then in {share:.0%} of the episodes)" if share else ""


def _optimistic(run: Episodes, pessimistic: Episodes | None) -> str:
    if pessimistic is None:
        return ""
    ours, theirs = float(np.nanmean(run.net_pnl)), float(np.nanmean(pessimistic.net_pnl))
    if not (ours > 0.0 >= theirs):
        return ""
    return f"profit only with optimistic fills: {theirs:+.2f} an episode with the least favourable ones"


def _one_episode(run: Episodes) -> str:
    net = run.net_pnl[~np.isnan(run.net_pnl)]
    total = net.sum()
    if len(net) < 3 or not total > 0 or not net.max() > MOST * total:
        return ""
    rest = (total - net.max()) / (len(net) - 1)
    seed = int(run.seeds[int(np.nanargmax(run.net_pnl))])
    return f"one episode carries the result: without seed {seed} the mean is {rest:+.2f}"


def _seen(run: Episodes) -> str:
    wrong = [int(s) for s in run.seeds if purpose(int(s)) in ("training", "validation")]
    if not wrong:
        return ""
    return f"held-out seeds were seen before: {len(wrong)} of {len(run)} belong to {purpose(wrong[0])}, as {wrong[0]}"


def _at_limit(metrics: Mapping[str, Estimate]) -> str:
    share = metrics["time_at_limit"].value
    return f"position at its limit {share:.0%} of the time" if share > MOST else ""
