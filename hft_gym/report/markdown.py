"""A comparison as tables of Markdown, made from its summary or from a stored part: the same text from both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hft_gym.report.statistics import Estimate
from hft_gym.report.table import number

__all__ = ["COLUMNS", "comparison_markdown", "grid_markdown", "overview_markdown", "stored_estimate"]

COLUMNS = {
    "episode_sharpe": "Sharpe/episode",
    "volume": "volume",
    "maker_share": "maker share",
    "markout_5s": "5 s markout",
}
"""Metric -> heading, beside net P&L and the paired difference."""
EXECUTION = {
    "parent_shortfall_ticks": "shortfall, ticks/lot",
    "completion": "completion",
    "maker_share": "maker share",
    "episode_sharpe": "Sharpe/episode",
}
"""The same of executions."""


def stored_estimate(policy: Mapping[str, Any], name: str) -> Estimate:
    """A metric of a summary's policy; NaN where it is undefined, or was not known to the version that stored it."""
    return _estimate(policy.get("metrics", {}).get(name))


def _estimate(told: Mapping[str, Any] | None) -> Estimate:
    told = told or {}
    value, low, high = (float("nan") if told.get(k) is None else float(told[k]) for k in ("value", "low", "high"))
    return Estimate(value, low, high, int(told.get("episodes", 0)))


def comparison_markdown(record: Mapping[str, Any]) -> str:
    """One line per policy, best net P&L first, and below the table how it was made.

    Args:
        record: `hft_gym.report.writers.summary` of a comparison, or the record of a stored part.
    """
    execution = record["meta"].get("config", {}).get("task") == "execution"
    columns = EXECUTION if execution else COLUMNS
    level = f"{record['bootstrap']['level']:.0%}".replace("%", " %")
    heads = ["policy", f"net P&L [{level} interval]", "paired difference to the best baseline", *columns.values()]
    lines = [_row(heads), "|" + "---|" * len(heads)]
    for policy in record["policies"]:
        best = policy["name"] == record["best"]
        difference = policy["difference_to_best_baseline"]
        if policy["name"] == record["best_baseline"]:
            against = "best baseline"
        else:
            against = "–" if difference is None else _spanned(_estimate(difference))
        name = policy["name"] + _kind(policy)
        net = _spanned(stored_estimate(policy, "net_pnl"))
        cells = [f"**{name}**" if best else name, f"**{net}**" if best else net, against]
        lines.append(_row([*cells, *(_plain(stored_estimate(policy, metric).value) for metric in columns)]))
    return "\n".join(lines)


def overview_markdown(records: Mapping[str, Mapping[str, Any]]) -> str:
    """One line per policy, one column per comparison: net P&L with its interval, the best of each column bold.

    Args:
        records: heading -> summary or record.
    """
    names = list(dict.fromkeys(p["name"] for record in records.values() for p in record["policies"]))
    lines = [_row(["policy", *records]), "|" + "---|" * (len(records) + 1)]
    for name in names:
        cells = [name]
        for record in records.values():
            policy = next((p for p in record["policies"] if p["name"] == name), None)
            text = "" if policy is None else _spanned(stored_estimate(policy, "net_pnl"))
            cells.append(f"**{text}**" if name == record["best"] else text)
        lines.append(_row(cells))
    return "\n".join(lines)


def grid_markdown(grid: Mapping[str, Any]) -> str:
    """A grid (`hft_gym.report.grids.Grid.records`) as a table: net P&L with interval in each cell."""
    cells = {(c["policy"], c["source"], c["setting"]): _spanned(_estimate(c["net_pnl"])) for c in grid["cells"]}
    players = list(dict.fromkeys((c["policy"], c["source"]) for c in grid["cells"]))
    lines = [_row(["policy", *grid["settings"]]), "|" + "---|" * (len(grid["settings"]) + 1)]
    for policy, source in players:
        name = f"{policy} from {source}" if source else policy
        lines.append(_row([name, *(cells.get((policy, source, s), "") for s in grid["settings"])]))
    if grid.get("note"):
        lines += ["", grid["note"]]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _kind(policy: Mapping[str, Any]) -> str:
    kind = policy["kind"]
    return "" if kind == "baseline" or f"({kind})" in policy["name"] else f" ({kind})"


def _spanned(e: Estimate) -> str:
    """Value and interval with signs; 0 alone where nothing ever differed from it."""
    if e.value == e.low == e.high == 0.0:
        return "0"
    text = _signed(e.value)
    return text if math.isnan(e.low) else f"{text} [{_signed(e.low)}, {_signed(e.high)}]"


def _signed(value: float) -> str:
    if math.isnan(value):
        return "–"
    size = number(abs(value))
    return size if float(size.replace(",", "")) == 0 else ("+" if value > 0 else "−") + size


def _plain(value: float) -> str:
    return "–" if math.isnan(value) else number(value).replace("-", "−")
