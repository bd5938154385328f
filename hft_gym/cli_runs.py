"""``hft-gym runs``: the evaluations that are stored."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hft_gym.config import no_effect
from hft_gym.errors import ConfigError
from hft_gym.report.aggregate import improvement_probability
from hft_gym.report.markdown import comparison_markdown, overview_markdown, stored_estimate
from hft_gym.report.metrics import METRICS, chosen
from hft_gym.report.parts import Part
from hft_gym.report.seeds import Scored, markets_of, runs_of, score_runs
from hft_gym.report.statistics import Bootstrap, paired_difference
from hft_gym.report.store import Store
from hft_gym.report.table import HEADLINE, interval_text, number
from hft_gym.terminal import make_console, parse_options

ROWS = 1000
"""Rows of a query that are shown."""


@dataclass(frozen=True)
class _Stored:
    """Options of everything that reads the store."""

    parts: Path = Path("runs/parts")
    """The store."""


@dataclass(frozen=True)
class ListArgs(_Stored):
    """List the evaluations that are stored, oldest first.

    A damaged part is named on stderr and left out; the exit status is 1 if there is any.

    Example: hft-gym runs list
    """


@dataclass(frozen=True)
class ShowArgs(_Stored):
    """Show one evaluation: results with intervals, flags, configuration, versions and the command that made it.

    Example: hft-gym runs show 20260102-1530 --metrics execution
    """

    run: Annotated[str, tyro.conf.Positional] = ""
    """Its identifier, or the beginning of it."""
    metrics: tuple[str, ...] = ()
    """Metrics beside the headline: all, groups, or names of docs/metrics.md."""
    json: bool = False
    """Print all that is stored of it as JSON instead."""
    markdown: bool = False
    """Print its results as a table of Markdown instead."""

    def __post_init__(self) -> None:
        if self.json:
            no_effect(self, ("markdown", "metrics"), "with json, which has all of it")
        if self.markdown:
            no_effect(self, ("metrics",), "with markdown, whose columns are those of the documentation")


@dataclass(frozen=True)
class CompareArgs(_Stored):
    """Hold two evaluations side by side: settings and versions that differ, and the results of common policies.

    Where both have the same seeds, the difference in net P&L is paired by episode, with its interval. Of any number:
    --markdown makes the tables of the documentation, --across-seeds says what training runs say of their learner.

    Example: hft-gym runs compare 20260102-1530 20260103-0915
    """

    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Identifiers, or the beginnings of them; all: every one that is stored."""
    metrics: tuple[str, ...] = ()
    """Metrics beside the headline: all, groups, or names of docs/metrics.md."""
    markdown: bool = False
    """Print the results of each as a table of Markdown; of several, first one of them all."""
    across_seeds: bool = False
    """Print interquartile mean, probability of improvement and optimality gap over training runs, with stratified
    bootstrap intervals: the unit is the run, not the episode."""
    learners: tuple[str, ...] = ("*",)
    """For --across-seeds: one pattern of agents' names for each learner, such as ppo-*."""
    score: Scored = "difference"
    """For --across-seeds: what a run scores in a market: its mean net P&L less the best baseline's, or (gain) in units
    of what the best baseline gains."""

    def __post_init__(self) -> None:
        if not self.across_seeds:
            no_effect(self, ("learners", "score"), "without across_seeds")
        if self.across_seeds or self.markdown:
            no_effect(self, ("metrics",), "with markdown or across_seeds, which have their own columns")


@dataclass(frozen=True)
class SqlArgs(_Stored):
    """Ask all evaluations in SQL (DuckDB). Nothing that a query makes is kept: only the parts are.

    Tables: runs (run, time, market, episodes, best, best_baseline, command, version, git, config); metrics (run,
    policy, kind, metric, unit, value, low, high, episodes); episodes (run, policy, kind, episode, seed, decisions,
    and a column for each metric). Undefined is NULL. A damaged part is named on stderr and left out; the exit status
    is then 1.

    Example: hft-gym runs sql "SELECT policy, avg(net_pnl) FROM episodes GROUP BY 1"
    """

    query: Annotated[str, tyro.conf.Positional] = ""
    """A DuckDB query."""


def show_list() -> int:
    """Entry of ``hft-gym runs list``; 1 if a part is damaged."""
    args: ListArgs = parse_options(ListArgs)
    store = Store(args.parts)
    console = make_console(160)
    if store.parts:
        table = Table(box=None, padding=(0, 2), header_style="bold")
        for head in ("run", "market", "policies", "episodes", "best", "net P&L/episode", "hft_gym"):
            table.add_column(head, justify="right" if head in ("episodes", "net P&L/episode") else "left")
        for part in store.parts:
            record = part.record
            best = part.policy(record["best"]) or {}
            versions = record["meta"].get("versions", {})
            market = escape(part.market) + (" (stopped early)" if part.stopped else "")
            table.add_row(
                part.id, market, str(len(record["policies"])), str(record["episodes"]),
                escape(record["best"]), number(stored_estimate(best, "net_pnl").value),
                str(versions.get("git", versions.get("hft_gym", ""))),
            )  # fmt: skip
        console.print(table)
    else:
        console.print(f"no evaluation in {args.parts}; hft-gym compare adds one", markup=False)
    for folder in store.unfinished:
        console.print(f"unfinished: {folder} (its writer is at work, or was killed)", markup=False, soft_wrap=True)
    return _warn(store)


def show_run() -> int:
    """Entry of ``hft-gym runs show``."""
    args: ShowArgs = parse_options(ShowArgs)
    names = _names(args.metrics)
    part = Store(args.parts).find(args.run)
    if args.json:
        print(json.dumps(part.record, indent=1))
        return 0
    if args.markdown:
        _print_markdown([part])
        return 0
    record, console = part.record, make_console(160)
    basis = f"{record['episodes']} episodes, seeds {record['seeds'][0]} ... {record['seeds'][-1]}"
    if part.live:
        basis = f"{', '.join(record['meta']['paper']['symbols'])} in one run, no seeds"
    console.print(f"{part.id}: {record['time']}, market {part.market}, {basis}", markup=False, soft_wrap=True)
    if part.stopped:
        console.print(
            f"stopped early, after {record['meta']['paper']['seconds']:.1f} s: positions were open", markup=False
        )
    table = Table(box=None, padding=(0, 2), header_style="bold")
    table.add_column("metric")
    for policy in record["policies"]:
        mark = "★ " if policy["name"] == record["best"] and not part.live else ""
        table.add_column(f"{mark}{escape(policy['name'])}", justify="right")
    for name in names:
        table.add_row(name, *(interval_text(stored_estimate(policy, name)) for policy in record["policies"]))
    console.print(table)
    for sentence in record["verdicts"]:
        console.print(sentence, markup=False, soft_wrap=True)
    for policy in record["policies"]:
        for flag in policy["flags"]:
            console.print(f"note {policy['name']}: {flag['text']}", markup=False, soft_wrap=True)
    meta = record["meta"]
    versions = ", ".join(f"{name} {version}" for name, version in meta.get("versions", {}).items())
    console.print(f"versions: {versions or 'unknown'}", markup=False, soft_wrap=True)
    if meta.get("command"):
        console.print(f"made by: {meta['command']}", markup=False, soft_wrap=True)
    console.print(f"stored in {part.folder}", markup=False, soft_wrap=True)
    return 0


def compare_runs() -> int:
    """Entry of ``hft-gym runs compare``."""
    args: CompareArgs = parse_options(CompareArgs)
    names = _names(args.metrics)
    store = Store(args.parts)
    several = args.markdown or args.across_seeds
    if not several and len(args.runs) != 2:
        raise ConfigError(f"runs: two are compared, got {len(args.runs)}; --markdown and --across-seeds take others")
    parts = list(store.parts) if args.runs == ("all",) else [store.find(run) for run in args.runs]
    if not parts:
        raise ConfigError("runs: which? hft-gym runs list shows them; all takes every one")
    console = make_console(160)
    if args.markdown:
        _print_markdown(parts)
    if args.across_seeds:
        _print_across_seeds(parts, args, console)
    if several:
        return 0
    first, second = parts
    _differences(console, first, second)
    theirs = {policy["name"]: policy for policy in second.record["policies"]}
    common = [policy for policy in first.record["policies"] if policy["name"] in theirs]
    if not common:
        console.print(
            f"no policy took part in both: {', '.join(p['name'] for p in first.record['policies'])} against "
            f"{', '.join(theirs)}", markup=False, soft_wrap=True,
        )  # fmt: skip
        return 0
    paired = first.record["seeds"] == second.record["seeds"] and not (first.live or second.live)
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for head in ("policy", "metric", first.id, second.id, "second − first"):
        table.add_column(escape(head), justify="left" if head in ("policy", "metric") else "right")
    for policy in common:
        other = theirs[policy["name"]]
        for name in names:
            ours, its = stored_estimate(policy, name), stored_estimate(other, name)
            change = number(its.value - ours.value)
            if paired and name == "net_pnl":
                change = interval_text(paired_difference(_pnl(other), _pnl(policy), _bootstrap(first)))
            shown = escape(policy["name"]) if name == names[0] else ""
            table.add_row(shown, name, interval_text(ours), interval_text(its), change)
    console.print(table)
    if not paired:
        console.print("not the same seeds: the differences are not paired, and have no interval", markup=False)
    return 0


def _print_markdown(parts: Sequence[Part]) -> None:
    if len(parts) > 1:
        print(overview_markdown({f"{part.market} {part.id}": part.record for part in parts}) + "\n")
    for part in parts:
        print(comparison_markdown(part.record) + "\n")
        command = part.record["meta"].get("command")
        made = f"; made by `{command}`" if command else ""
        print(f"{part.record['episodes']} episodes; run {part.id}{made}\n")


def _print_across_seeds(parts: Sequence[Part], args: CompareArgs, console: Console) -> None:
    markets = markets_of(parts)
    runs = runs_of(markets, args.learners)
    bootstrap = _bootstrap(parts[0])
    found = score_runs(markets, runs, bootstrap, args.score)
    table = Table(box=None, padding=(0, 2), header_style="bold")
    heads = ("learner", "runs", "markets", "IQM", "mean", "P(better than the best baseline)", "optimality gap")
    for head in heads:
        table.add_column(head, justify="left" if head == "learner" else "right")
    for name, learner in found.items():
        shown = (learner.iqm, learner.mean, learner.improvement, learner.optimality_gap)
        count, some = learner.scores.shape
        table.add_row(escape(name), str(count), str(some), *(interval_text(e) for e in shown))
    console.print(table)
    for market in markets:
        name, value = market.best_baseline or ("none", float("nan"))
        console.print(f"{market.market}: best baseline {name}, {value:+.2f}", markup=False, soft_wrap=True)
    for ours, theirs in permutations(found.values(), 2):
        chance = improvement_probability(ours.scores, theirs.scores, bootstrap)
        words = interval_text(chance).replace("\n[dim]", " ").replace("[/dim]", "")
        console.print(f"P(a run of {ours.name} beats one of {theirs.name}): {words}", markup=False, soft_wrap=True)
    what = "mean net P&L less the best baseline's, ticks·lots" if args.score == "difference" else "gains"
    console.print(
        f"scores: {what}; {bootstrap.level:.0%} intervals, training runs resampled within each market", markup=False
    )


def ask() -> int:
    """Entry of ``hft-gym runs sql``; 1 if a part is damaged and so left out."""
    args: SqlArgs = parse_options(SqlArgs)
    if not args.query:
        raise ConfigError('no query; for instance "SELECT run, policy, value FROM metrics WHERE metric = \'net_pnl\'"')
    store = Store(args.parts)
    columns, rows = store.query(args.query)
    table = Table(*(escape(c) for c in columns), box=None, padding=(0, 2))
    for row in rows[:ROWS]:
        table.add_row(*(escape(str(value)) for value in row))
    console = make_console(160)
    console.print(table)
    if len(rows) > ROWS:
        console.print(f"... {len(rows) - ROWS:,} rows more")
    return _warn(store)


def _warn(store: Store) -> int:
    for error in store.damaged.values():
        print(f"left out: {error}", file=sys.stderr)
    return int(bool(store.damaged))


def _names(words: Sequence[str]) -> list[str]:
    """The metrics to show: net P&L, the headline, and those asked for."""
    wanted = ["net_pnl", *HEADLINE, *(metric.name for metric in chosen(words))]
    return list(dict.fromkeys(name for name in wanted if name in METRICS))


def _pnl(policy: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if value is None else float(value) for value in policy["net_pnl"]])


def _bootstrap(part: Part) -> Bootstrap:
    said = part.record["bootstrap"]
    return Bootstrap(said["resamples"], said["level"], said["seed"])


def _differences(console: Console, first: Part, second: Part) -> None:
    """Print the settings and versions in which two parts differ."""
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for head in ("differs", first.id, second.id):
        table.add_column(escape(head), overflow="fold")
    for where in ("config", "versions", "seeds", "parameters"):
        ours, theirs = (dict(_flat(part.record["meta"].get(where, {}), where)) for part in (first, second))
        for name in [*ours, *(n for n in theirs if n not in ours)]:
            if ours.get(name) != theirs.get(name):
                table.add_row(escape(name), *(escape(str(side.get(name, "—"))) for side in (ours, theirs)))
    if table.row_count:
        console.print(table)
    else:
        console.print("same configuration, versions, seeds and parameters", markup=False)


def _flat(value: Any, name: str) -> list[tuple[str, Any]]:
    """Nested settings as (dotted name, value)."""
    if isinstance(value, Mapping) and value:
        return [pair for key, inner in value.items() for pair in _flat(inner, f"{name}.{key}")]
    return [(name, value)]
