"""The benchmark's two outputs: a rich table for people, JSON for the record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hft_gym.bench import machine
from hft_gym.bench.harness import GROUPS, Goal, Options, Row

_STYLE = {"aim": "green", "least": "yellow", "missed": "red", "": ""}
_WORD = {"aim": "aim reached", "least": "reached", "missed": "MISSED", "": ""}


def table(rows: list[Row], title: str = "") -> Table:
    """The rows as a table, a section for each group."""
    sheet = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    sheet.add_column("what", overflow="fold")
    sheet.add_column("median", justify="right", no_wrap=True)
    sheet.add_column("unit", no_wrap=True)
    sheet.add_column("range of runs", justify="right", no_wrap=True)
    sheet.add_column("messages\n/ step", justify="right", no_wrap=True)
    sheet.add_column("at least", justify="right", no_wrap=True)
    sheet.add_column("aim", justify="right", no_wrap=True)
    sheet.add_column("", no_wrap=True)
    before = None
    for row in rows:
        if before is not None and row.group != before:
            sheet.add_section()
        before = row.group
        if row.value is None:
            sheet.add_row(row.name, row.status, "", style="red" if row.status == "failed" else "dim")
            continue
        spread = "" if row.low == row.high else f"{number(row.low)} ... {number(row.high)}"
        sheet.add_row(
            row.name,
            number(row.value),
            row.unit,
            spread,
            "" if row.messages_per_step is None else f"{row.messages_per_step:.1f}",
            goal(row.least),
            goal(row.aim),
            _WORD[row.met],
            style=_STYLE[row.met],
        )
    return sheet


def print_notes(rows: list[Row], console: Console) -> None:
    """Print below the table what the rows have to say."""
    for row in rows:
        if row.note:
            label = row.name if row.status == "measured" else f"{row.name} ({row.status})"
            console.print(f"- {label}: {row.note}", markup=False, highlight=False, soft_wrap=True)


def to_json(rows: list[Row], options: Options) -> dict[str, Any]:
    """The record of a run: rows, options, machine, versions, commit, date (UTC)."""
    return {
        "schema": 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **machine.describe(),
        "options": {"quick": options.quick, "repeats": options.repeats, "threads": options.threads},
        "rows": [row.to_dict() for row in rows],
    }


def write_json(path: Path, rows: list[Row], options: Options) -> None:
    """Write :func:`to_json` to *path*, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(to_json(rows, options), indent=1) + "\n", encoding="utf-8")


def markdown(rows: list[Row]) -> str:
    """The rows as a Markdown table, for the README."""
    lines = ["| what | median | messages a step | at least | aim |", "|---|---:|---:|---:|---:|"]
    for row in rows:
        figure = row.status if row.value is None else f"{number(row.value)} {row.unit}"
        messages = "" if row.messages_per_step is None else f"{row.messages_per_step:.1f}"
        lines.append(f"| {row.name} | {figure} | {messages} | {goal(row.least)} | {goal(row.aim)} |")
    return "\n".join(lines)


def number(value: float | None) -> str:
    """About three significant digits, thousands separated."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def goal(target: Goal | None) -> str:
    """A target as people write it."""
    if target is None:
        return ""
    relation, bound = target
    return f"{relation} {bound:,.0f}" if bound >= 1000 else f"{relation} {bound:g}"


def titles() -> str:
    """One line for each group: name and title."""
    width = max(map(len, GROUPS), default=0)
    return "\n".join(f"  {name:<{width}}  {title}" for name, (title, _) in GROUPS.items())
