"""Grids of settings: paired changes, and the same figures in the table, the figure and the record."""

import io

import numpy as np
import pytest
from rich.console import Console

from hft_gym.errors import ConfigError
from hft_gym.report import Bootstrap, mean_interval, paired_difference
from hft_gym.report.grids import Player, figure, make_grid, tables

FEW = Bootstrap(200)
A, B, FAR = Player("a"), Player("b", "poisson"), Player("far")


@pytest.fixture(scope="module")
def played():
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 50, 40)
    return {
        A: {"× 1": luck, "× 10": luck - 1 + rng.normal(0, 0.1, 40)},
        B: {"× 1": 2 * luck + 3},
        FAR: {"× 1": luck - 1e4, "× 10": luck - 1e4},
    }


@pytest.fixture(scope="module")
def grid(played):
    base = {(A, s): (A, "× 1") for s in ("× 1", "× 10")}
    return make_grid("latency", "Latency", "factors", played, base, FEW)


def test_changes_are_paired_by_episode(grid, played):
    own, other = grid.cells[A]
    assert own.net == mean_interval(played[A]["× 1"], FEW) and own.change is None
    assert other.change == paired_difference(played[A]["× 10"], played[A]["× 1"], FEW)
    # Unpaired the luck would drown a change of one tick·lot.
    assert other.change.high < -0.9 and other.net.low < own.net.value < other.net.high
    assert grid.cells[B][1] is None and grid.cells[FAR][1].change is None
    with pytest.raises(ConfigError, match="nothing to compare"):
        make_grid("fees", "Fees", "", {A: {}}, {})


def test_the_record_has_every_cell(grid):
    record = grid.records()
    assert record["settings"] == ["× 1", "× 10"] and record["episodes"] == 40
    assert [(c["policy"], c["source"], c["setting"]) for c in record["cells"]] == [
        ("a", "", "× 1"), ("a", "", "× 10"), ("b", "poisson", "× 1"), ("far", "", "× 1"), ("far", "", "× 10"),
    ]  # fmt: skip
    assert record["cells"][1]["change"]["value"] == grid.cells[A][1].change.value


@pytest.mark.parametrize("width", [40, 120])
def test_the_table_holds_all_settings_at_any_width(grid, width):
    console = Console(width=width, file=io.StringIO())
    made = list(tables(grid, console))
    assert len(made) == (2 if width == 40 else 1)
    for table in made:
        console.print(table)
    text = console.file.getvalue()
    assert "× 1 " in text and "× 10 " in text and "b from poisson" in text and "…" not in text


def test_the_figures_show_the_values(grid):
    pytest.importorskip("plotly")
    lines = figure(grid, {"a": "#123456"}).data
    np.testing.assert_equal(lines[0].y, [c.net.value for c in grid.cells[A]])
    assert lines[0].line.color == "#123456" and list(lines[1].x) == ["× 1"]
    assert [t.visible for t in lines] == [True, True, "legendonly"]  # what is far off sets no axis
    (heat,) = figure(make_grid("matrix", "", "", {A: {"x": np.ones(3), "y": -np.ones(3)}}, {}, FEW), {}).data
    np.testing.assert_equal(heat.z, [[1.0, -1.0]])
    assert (heat.zmin, heat.zmax) == (-1, 1)
