"""A comparison as text: rich tables, the verdicts and the flags."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from hft_gym.report.comparison import Comparison, Row
from hft_gym.report.metrics import GROUPS, METRICS, chosen
from hft_gym.report.statistics import Estimate

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["details_tables", "interval_text", "natural_width", "number", "print_comparison", "summary_tables"]

T = TypeVar("T")

HEADLINE = ("episode_sharpe", "fills", "hit_rate", "max_drawdown", "pnl_per_share", "mean_abs_inventory")
"""Metrics shown beside net P&L and the paired difference."""


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


def interval_text(estimate: Estimate) -> str:
    """A value and, on a second line, its interval, for a table of rich."""
    if math.isnan(estimate.low):
        return number(estimate.value)
    return f"{number(estimate.value)}\n[dim][{number(estimate.low)}, {number(estimate.high)}][/dim]"


def natural_width(table: Table, console: Console) -> int:
    """Characters that a table takes where there is room for all of it."""
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(width=10_000), table).maximum


def _fitting(
    make: Callable[[Sequence[T], bool], Table], columns: Sequence[T], console: Console, least: int = 1
) -> Iterator[Table]:
    """Tables that hold all *columns*, each as many as the console is wide enough for, the first at least *least*.

    *make* builds one from some of the columns; it is told whether it is the first.
    """
    left, first = list(columns), True
    while left:
        count = len(left)
        while count > (least if first else 1) and natural_width(make(left[:count], first), console) > console.width:
            count -= 1
        yield make(left[:count], first)
        left, first = left[count:], False


def summary_tables(comparison: Comparison, console: Console) -> Iterator[Table]:
    """One line per policy, best net P&L first: the figures that decide, with intervals; then the headline metrics, in
    further tables where the console is too narrow for one.
    """
    from rich.table import Table

    reference = comparison.best_baseline

    def deciding(row: Row) -> tuple[str, str]:
        return interval_text(row.metrics["net_pnl"]), _difference(row, comparison)

    def make(names: Sequence[str], first: bool) -> Table:
        table = Table(title=comparison.basis if first else None, title_justify="left", header_style="bold")
        table.add_column("policy", overflow="fold")
        net = f"net P&L/{comparison.each.split()[1]}"
        heads = [net, f"− {reference}" if reference else "difference"] if first else []
        for head in heads + [METRICS[name].label.replace("/", "/\n").replace(" ", "\n", 1) for name in names]:
            table.add_column(head, justify="right", no_wrap=True)
        for row in comparison.rows:
            table.add_row(
                _title(row, comparison),
                *(deciding(row) if first else ()),
                *(number(row.metrics[name].value) for name in names),
                style="bold green" if row.name == comparison.starred else None,
            )
        return table

    return _fitting(make, HEADLINE, console, least=0)


def _title(row: Row, comparison: Comparison) -> str:
    from rich.markup import escape

    mark = "★ " if row.name == comparison.starred else "  "
    return mark + escape(row.name) + (" [cyan](agent)[/cyan]" if row.kind == "agent" else "")


def _difference(row: Row, comparison: Comparison) -> str:
    if row.difference is None:
        return "best baseline" if row.name == comparison.best_baseline else "—"
    return interval_text(row.difference)


def details_tables(comparison: Comparison, console: Console, words: Sequence[str] = ("all",)) -> Iterator[Table]:
    """A metric in a line, a column per policy, with intervals, in groups; in several tables where the console is
    narrow.

    Args:
        comparison: what to show.
        console: where.
        words: ``"all"``, names of groups, names of metrics.

    Raises:
        ConfigError: a word that is none of these.
    """
    from rich.markup import escape
    from rich.table import Table

    title = f"Metrics with {comparison.bootstrap.level:.0%} intervals (docs/metrics.md defines them)"
    wanted = chosen(words)

    def make(rows: Sequence[Row], first: bool) -> Table:
        table = Table(title=title if first else None, title_justify="left")
        table.add_column("metric", overflow="fold")
        table.add_column("unit", style="dim", max_width=16)
        for row in rows:
            table.add_column(escape(row.name).replace("-", "-\n"), justify="right", no_wrap=True)
        for group, heading in GROUPS.items():
            members = [m for m in wanted if m.group == group]
            if members:
                table.add_row(f"[bold]{heading}[/bold]")
            for i, metric in enumerate(members):
                values = (interval_text(row.metrics[metric.name]) for row in rows)
                table.add_row(metric.name, metric.unit, *values, end_section=i == len(members) - 1)
        return table

    return _fitting(make, comparison.rows, console)


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

    from hft_gym.report.grids import tables as grid_tables

    console = console or Console()
    if metrics:
        for table in details_tables(comparison, console, metrics):
            console.print(table)
    for table in summary_tables(comparison, console):
        console.print(table)
    for grid in comparison.grids:
        console.print(escape(f"{grid.heading}: {grid.text}"), highlight=False)
        for table in grid_tables(grid, console):
            console.print(table)
        if grid.note:
            console.print(escape(grid.note), highlight=False)
    for sentence in comparison.verdicts():
        console.print(escape(sentence), highlight=False)
    for row in comparison.rows:
        for flag in row.flags:
            console.print(f"[yellow]note[/yellow] {escape(row.name)}: {escape(flag.text)}", highlight=False)
