"""A comparison as text: two rich tables, the verdicts and the flags."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hft_gym.report.comparison import Comparison, Row
from hft_gym.report.metrics import GROUPS, METRICS, chosen
from hft_gym.report.statistics import Estimate

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["details_table", "number", "print_comparison", "summary_table"]

HEADLINE = ("episode_sharpe", "fills", "hit_rate", "max_drawdown", "pnl_per_share", "mean_abs_inventory")
"""Metrics of the first table, beside net P&L and the paired difference."""


def number(value: float) -> str:
    """A number in at most about seven characters; an em dash where it is undefined.

    >>> number(1234.567), number(0.01234), number(float("nan"))
    ('1,235', '0.0123', '—')
    """
    if math.isnan(value):
        return "—"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 100:
        return f"{value:.1f}"
    if size >= 0.1 or size == 0.0:
        return f"{value:.2f}"
    return f"{value:.3g}"


def _interval(estimate: Estimate) -> str:
    if math.isnan(estimate.low):
        return number(estimate.value)
    return f"{number(estimate.value)}\n[dim][{number(estimate.low)}, {number(estimate.high)}][/dim]"


def summary_table(comparison: Comparison, width: int = 160) -> Table:
    """One line per policy, best net P&L first: the figures that decide, with intervals.

    Args:
        comparison: what to show.
        width: characters there are; where they are few, the less important columns stay out.
    """
    from rich.table import Table

    level = f"{comparison.bootstrap.level:.0%}"
    title = (
        f"{comparison.episodes} episodes on the same seeds; {level} bootstrap intervals; money in ticks·lots"
    )
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("policy", no_wrap=True)
    table.add_column("net P&L/episode", justify="right")
    reference = comparison.best_baseline
    table.add_column(f"− {reference}" if reference else "difference", justify="right")
    # The first three columns need about 65 characters, each further one about 13.
    shown = HEADLINE[: max(1, (width - 65) // 13)]
    for name in shown:
        table.add_column(METRICS[name].label, justify="right")
    for row in comparison.rows:
        style = "bold green" if row.name == comparison.best else None
        table.add_row(
            _title(row, comparison),
            _interval(row.metrics["net_pnl"]),
            _difference(row, comparison),
            *(number(row.metrics[name].value) for name in shown),
            style=style,
        )
    return table


def _title(row: Row, comparison: Comparison) -> str:
    from rich.markup import escape

    mark = "★ " if row.name == comparison.best else "  "
    return mark + escape(row.name) + (" [cyan](agent)[/cyan]" if row.kind == "agent" else "")


def _difference(row: Row, comparison: Comparison) -> str:
    if row.difference is None:
        return "best baseline" if row.name == comparison.best_baseline else "—"
    return _interval(row.difference)


def details_table(comparison: Comparison, words: Sequence[str] = ("all",)) -> Table:
    """A metric in a line, a column per policy, with intervals, in groups.

    Args:
        comparison: what to show.
        words: ``"all"``, names of groups, names of metrics.

    Raises:
        ConfigError: a word that is none of these.
    """
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=f"Metrics with {comparison.bootstrap.level:.0%} intervals (docs/metrics.md defines them)",
        title_justify="left",
    )
    table.add_column("metric", no_wrap=True)
    table.add_column("unit", style="dim")
    for row in comparison.rows:
        table.add_column(escape(row.name), justify="right")
    wanted = chosen(words)
    for group, title in GROUPS.items():
        members = [m for m in wanted if m.group == group]
        if members:
            table.add_row(f"[bold]{title}[/bold]")
        for i, metric in enumerate(members):
            table.add_row(
                metric.name,
                metric.unit,
                *(_interval(row.metrics[metric.name]) for row in comparison.rows),
                end_section=i == len(members) - 1,
            )
    return table


def print_comparison(
    comparison: Comparison, console: Console | None = None, metrics: Sequence[str] = ()
) -> None:
    """Print the headline table, the verdicts and the flags; before them, where asked for, a table of metrics.

    Args:
        comparison: what to show.
        console: where.
        metrics: ``"all"``, names of groups, names of metrics; nothing: the headline alone.

    Raises:
        ConfigError: a word that is none of these.
    """
    from rich.console import Console
    from rich.markup import escape

    console = console or Console()
    if metrics:
        console.print(details_table(comparison, metrics))
    console.print(summary_table(comparison, console.width))
    for sentence in comparison.verdicts():
        console.print(escape(sentence), highlight=False)
    for row in comparison.rows:
        for flag in row.flags:
            console.print(f"[yellow]note[/yellow] {escape(row.name)}: {escape(flag.text)}", highlight=False)
