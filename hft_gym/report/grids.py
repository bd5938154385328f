"""The same policies played in several settings: what latency, fees and fills cost them, and how they do in markets that
they were not made for. All settings share their random numbers, so changes are paired by episode.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hft_gym.errors import ConfigError
from hft_gym.extras import optional
from hft_gym.report.curves import GREY, off_scale
from hft_gym.report.document import DARK, MARGIN, error_bars
from hft_gym.report.statistics import Bootstrap, Estimate, mean_interval, paired_difference
from hft_gym.report.table import interval_text, natural_width, number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["Cell", "Grid", "Player", "figure", "make_grid", "tables"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, order=True)
class Player:
    """A row: a policy, and the market that it was tuned or trained for (empty: not told)."""

    policy: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.policy} from {self.source}" if self.source else self.policy


@dataclass(frozen=True)
class Cell:
    """A policy in one setting: net P&L an episode, and its paired change against the row's or column's base (None for
    the base itself, or where there is none), ticks·lots.
    """

    net: Estimate
    change: Estimate | None = None


@dataclass(frozen=True)
class Grid:
    """Players by settings.

    Attributes:
        name: ``"latency"``, ``"fees"``, ``"fill"`` or ``"matrix"``.
        heading: of table and figure.
        text: what the settings are, and what a change is measured against.
        settings: the columns.
        players: the rows.
        cells: of each player, one for each setting; None where the player does not fit it.
        episodes: of each cell.
        note: what else must be known of the settings, to stand under the table; mostly nothing.
    """

    name: str
    heading: str
    text: str
    settings: tuple[str, ...]
    players: tuple[Player, ...]
    cells: Mapping[Player, tuple[Cell | None, ...]]
    episodes: int
    note: str = ""

    def records(self) -> dict[str, Any]:
        """All of it as plain data."""

        def told(player: Player, setting: str, cell: Cell) -> dict[str, Any]:
            change = None if cell.change is None else cell.change._asdict()
            who = {"policy": player.policy, "source": player.source, "setting": setting}
            return {**who, "net_pnl": cell.net._asdict(), "change": change}

        cells = [
            told(player, setting, cell)
            for player in self.players
            for setting, cell in zip(self.settings, self.cells[player], strict=True)
            if cell is not None
        ]
        about = {"name": self.name, "heading": self.heading, "text": self.text, "note": self.note}
        return {**about, "settings": list(self.settings), "episodes": self.episodes, "cells": cells}


def make_grid(
    name: str,
    heading: str,
    text: str,
    played: Mapping[Player, Mapping[str, Floats]],
    base: Mapping[tuple[Player, str], tuple[Player, str]],
    bootstrap: Bootstrap | None = None,
    note: str = "",
) -> Grid:
    """A grid from the net P&L of its episodes.

    Args:
        name: of it.
        heading: of table and figure.
        text: what was changed.
        played: player -> setting -> (E,) net P&L, ticks·lots; the settings in the order of the columns.
        base: cell -> the cell that its change is measured against; none: no change is told.
        bootstrap: how intervals are made.
        note: to stand under the table.

    Raises:
        ConfigError: nothing was played.
    """
    settings = tuple(dict.fromkeys(setting for cells in played.values() for setting in cells))
    if not settings:
        raise ConfigError(f"{name}: nothing to compare")
    rows = {}
    for player, cells in played.items():
        row: list[Cell | None] = []
        for setting in settings:
            net = cells.get(setting)
            if net is None:
                row.append(None)
                continue
            other, where = base.get((player, setting), (player, ""))
            against = None if (other, where) == (player, setting) else played.get(other, {}).get(where)
            change = None if against is None else paired_difference(net, against, bootstrap)
            row.append(Cell(mean_interval(net, bootstrap), change))
        rows[player] = tuple(row)
    count = max(len(net) for cells in played.values() for net in cells.values())
    return Grid(name, heading, text, settings, tuple(rows), rows, count, note)


def tables(grid: Grid, console: Console) -> Iterator[Table]:
    """The grid for a terminal, in as many tables as its width asks for: net P&L with interval in each cell."""
    from rich.markup import escape
    from rich.table import Table

    def make(settings: Sequence[str]) -> Table:
        table = Table(title=grid.heading, title_justify="left", header_style="bold")
        table.add_column("policy", overflow="fold")
        for setting in settings:
            table.add_column(escape(setting), justify="right", no_wrap=True)
        for player in grid.players:
            cells = dict(zip(grid.settings, grid.cells[player], strict=True))
            shown = ("" if (cell := cells[s]) is None else interval_text(cell.net) for s in settings)
            table.add_row(escape(str(player)), *shown)
        return table

    left = list(grid.settings)
    while left:
        count = len(left)
        while count > 1 and natural_width(make(left[:count]), console) > max(console.width, 1):
            count -= 1
        yield make(left[:count])
        left = left[count:]


def figure(grid: Grid, colours: Mapping[str, str], hidden: Collection[str] = ()) -> Any:
    """The grid as a figure of Plotly: lines over the settings, or for a matrix a map of colours.

    Args:
        grid: what to draw.
        colours: policy -> colour.
        hidden: policies whose lines are a click away.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    drawn = _map(grid) if grid.name == "matrix" else _lines(grid, colours, hidden)
    drawn.update_layout(**DARK, margin=MARGIN)
    return drawn


def _lines(grid: Grid, colours: Mapping[str, str], hidden: Collection[str]) -> Any:
    go = optional("plotly.graph_objects")
    drawn, far = go.Figure(), _off_scale(grid)
    for player in grid.players:
        cells = grid.cells[player]
        known = [(s, c.net) for s, c in zip(grid.settings, cells, strict=True) if c is not None]
        trace = go.Scatter(
            x=[s for s, _ in known], y=[e.value for _, e in known], error_y=error_bars([e for _, e in known]),
            name=str(player), mode="lines+markers", line={"color": colours.get(player.policy, GREY), "width": 2},
            visible="legendonly" if player in far or player.policy in hidden else True,
        )  # fmt: skip
        drawn.add_trace(trace)
    drawn.update_yaxes(title_text="net P&L, ticks·lots an episode")
    drawn.update_xaxes(type="category")
    drawn.update_layout(height=420)
    return drawn


def _off_scale(grid: Grid) -> set[Player]:
    sizes = [max((abs(c.net.value) for c in cells if c is not None), default=0.0) for cells in grid.cells.values()]
    return {player for player, off in zip(grid.cells, off_scale(sizes), strict=True) if off}


def _map(grid: Grid) -> Any:
    go = optional("plotly.graph_objects")
    far = _off_scale(grid)
    rows = [p for p in grid.players if p not in far] or list(grid.players)
    values = [[None if c is None else c.net.value for c in grid.cells[p]] for p in rows]
    size = max((abs(v) for row in values for v in row if v is not None), default=1.0) or 1.0
    heat = go.Heatmap(
        z=values, x=list(grid.settings), y=[str(p) for p in rows], zmin=-size, zmax=size, xgap=2, ygap=2,
        text=[["" if v is None else number(v) for v in row] for row in values], texttemplate="%{text}",
        colorscale=[[0, "#da3633"], [0.5, "#161b22"], [1, "#238636"]],
        colorbar={"title": {"text": "ticks·lots"}},
    )  # fmt: skip
    drawn = go.Figure(heat)
    drawn.update_yaxes(autorange="reversed", automargin=True)
    drawn.update_xaxes(side="top", type="category")
    drawn.update_layout(height=110 + 28 * len(rows))
    return drawn
