"""The page of a comparison: whole, by itself, and true to the tables."""

import json
import re
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest

pytest.importorskip("plotly")

from hft_gym.report import METRICS, Bootstrap, compare, write
from hft_gym.report import page as page_module
from hft_gym.report.attribution import PARTS
from hft_gym.report.curves import make_curves
from hft_gym.report.figures import REGIMES, SECTIONS
from hft_gym.report.page import html
from hft_gym.report.quotes import to_fill
from tests.report.examples import from_final_pnl, no_episodes_columns, three_episodes


@pytest.fixture(scope="module")
def comparison():
    return compare([three_episodes("maker <1>"), three_episodes("taker")], ["taker"], Bootstrap(100),
                   {"command": "hft-gym compare --seed 1"})  # fmt: skip


@pytest.fixture(scope="module")
def page(comparison):
    return html(comparison, page_module.figures(comparison, make_curves(comparison)))


class Reader(HTMLParser):
    """Every address in an attribute, the text of styles, the headings."""

    def __init__(self):
        super().__init__()
        self.addresses, self.styles, self.headings, self.within = [], [], [], ""

    def handle_starttag(self, tag, attributes):
        self.within = tag
        self.addresses += [v for k, v in attributes if k in ("src", "href", "srcset", "action", "data", "poster")]
        self.styles += [v for k, v in attributes if k == "style"]

    def handle_endtag(self, tag):
        self.within = ""

    def handle_data(self, data):
        {"style": self.styles, "h2": self.headings}.get(self.within, []).append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    return reader


def figures(page):
    """Data and layout of every figure of a page, strictly JSON: NaN would be an error."""

    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    decoder, found = json.JSONDecoder(parse_constant=refuse), []
    for call in re.finditer(r'Plotly\.newPlot\(\s*"[0-9a-f-]{36}",\s*', page):
        data, end = decoder.raw_decode(page, call.end())
        layout, _ = decoder.raw_decode(page, re.compile(r",\s*").match(page, end).end())
        found.append((data, layout))
    return found


def test_the_page_loads_nothing(page):
    reader = read(page)
    assert reader.addresses == []
    assert not re.search(r"@import|url\(", "".join(reader.styles))
    assert read('<img src="http://x/y">').addresses == ["http://x/y"]  # the reader does see them


def test_every_figure_is_there_and_json(page):
    assert read(page).headings == [*(s.heading for s in SECTIONS), "Metrics"]
    found = figures(page)
    assert len(found) == 1 + len(SECTIONS)
    for data, _ in found:
        assert data and any(trace.get("y") for trace in data)


def test_metrics_flags_and_the_command_are_there(page, comparison):
    assert all(f"<td>{name} <span" in page for name in METRICS)
    assert "hft-gym compare --seed 1" in page and "maker &lt;1&gt;" in page
    flags = [flag.text for row in comparison.rows for flag in row.flags]
    assert flags and all(escape(text) in page for text in flags)


def drawn(comparison, heading):
    section = next(s for s in SECTIONS if s.heading == heading)
    return section.figure(comparison, make_curves(comparison))


def named(figure, name, kind="scatter"):
    return [t for t in figure.data if t.name == name and t.type == kind]


def test_figures_show_the_values_of_the_example(comparison):
    """A: net 4.25, drawdown 1.5 at its end; C: net -3 after one second; B never trades."""
    below = named(drawn(comparison, "Drawdown"), "taker")[0]
    np.testing.assert_allclose(below.y[-1], -(1.5 + 0 + 3) / 3)
    held = named(drawn(comparison, "Inventory"), "taker")[0]
    np.testing.assert_allclose(held.y[-1], (1 + 0 - 1) / 3, atol=1e-12)
    where = drawn(comparison, "Where the P&L came from")
    bars = [t for t in where.data if t.type == "bar"]
    assert len(bars) == len(PARTS)
    np.testing.assert_allclose(sum(t.y[0] for t in bars), (4.25 - 3) / 3)
    np.testing.assert_allclose(named(where, "net P&L")[0].y, (4.25 - 3) / 3)
    for metric, bar in zip(REGIMES["spread"], named(drawn(comparison, "Regimes"), "taker", "bar")[1].y, strict=True):
        np.testing.assert_equal(bar, comparison["taker"].metrics[metric].value)
    markout = named(drawn(comparison, "Markouts"), "taker")[0]
    np.testing.assert_equal(markout.y[1], comparison["taker"].metrics["markout_1s"].value)


def test_fill_probability_counts_cancels_as_censored(comparison):
    """Four orders rest: filled at ages 0.3 and 0.8 s, cancelled at 2.9 s, at the end after 2.9 s."""
    curve = named(drawn(comparison, "Fill probability"), "taker")[0]
    np.testing.assert_allclose(curve.x[:3], [0, 0.3, 0.8])
    np.testing.assert_allclose(curve.y, [0, 0.25, 0.5, 0.5, 0.5])
    survival = to_fill(comparison["taker"].panel, together=True)
    np.testing.assert_allclose(survival.at(1.0), [0.5])


def test_queue_position(comparison):
    """Ahead at entry 4, 2, 6, 3 (the first two filled); at the passive fills 1 and 0."""
    entry, fills, filled = named(drawn(comparison, "Queue position"), "taker")
    np.testing.assert_allclose(entry.x, [2, 3, 4, 6])
    np.testing.assert_allclose(entry.y, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose((fills.x, fills.y), ([0, 1], [0.5, 1]))
    np.testing.assert_allclose(np.average(filled.y), 0.5)


def test_returns_show_every_episode(comparison):
    figure = drawn(comparison, "Distribution of returns")
    assert sorted(named(figure, "taker", "box")[0].y) == [-3, 0, 4.25]
    shares = np.array(named(figure, "taker")[0].y, float)
    np.testing.assert_allclose(np.nansum(shares), 1)


@pytest.mark.parametrize(
    "runs",
    [
        [from_final_pnl("x", [1.0])],
        [from_final_pnl("a", [1.0, 2.0]), from_final_pnl("far", [900.0, -5000.0]), from_final_pnl("b", [2.0, 1.0])],
        [no_episodes_columns(1)],
    ],
    ids=["one episode", "off scale", "no decision"],
)
def test_pages_of_poor_comparisons(runs):
    found = compare(runs, (), Bootstrap(50))
    assert len(figures(html(found, page_module.figures(found, make_curves(found))))) == 1 + len(SECTIONS)


def test_what_the_figures_show_is_written_as_data(comparison, tmp_path, page):
    """In JSON and in Parquet the same, and that of the page: every figure, every point, bands and intervals."""
    written = write(comparison, tmp_path)
    rows = json.loads(written["figures"].read_text())
    assert list(dict.fromkeys(row["figure"] for row in rows)) == [page_module.OVERVIEW, *(s.heading for s in SECTIONS)]
    assert len(rows) == sum(len(data) for data, _ in figures(page))
    assert {row["part"] for row in rows} == {"value", "low", "high"}
    mine = [r for r in rows if r["series"] == "taker"]
    markout = next(r for r in mine if r["figure"] == "Markouts")
    at = markout["x"].index("1 s")
    assert [markout[k][at] for k in ("y", "low", "high")] == [
        None if np.isnan(v) else pytest.approx(v) for v in comparison["taker"].metrics["markout_1s"][:3]
    ]
    below, low, high = (
        next(r["y"] for r in mine if r["figure"] == "Drawdown" and r["part"] == part)
        for part in ("value", "low", "high")
    )
    assert below[-1] == pytest.approx(-(1.5 + 0 + 3) / 3) and low[-1] <= below[-1] <= high[-1]
    assert {r["panel"] for r in mine if r["figure"] == "Regimes"} == set(REGIMES)
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(written["figures, Parquet"])
    assert table.num_rows == sum(len(row["y"]) for row in rows)
    assert table["y"].to_pylist() == pytest.approx([v for row in rows for v in row["y"]])
    first = [v for row in rows for v in (row["x"] or [None] * len(row["y"]))]
    both = zip(table["x"].to_pylist(), table["label"].to_pylist(), strict=True)
    assert [x if label is None else label for x, label in both] == pytest.approx(first)
