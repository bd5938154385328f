"""The comparison's page in a browser: drawn without an error, and without asking anybody for anything."""

import numpy as np
import pytest

pytest.importorskip("plotly")

from dataclasses import replace

from hft_gym.report import Bootstrap, compare, write
from hft_gym.report.figures import SECTIONS
from hft_gym.report.grids import Player, make_grid
from tests.report.examples import from_final_pnl, three_episodes

pytestmark = pytest.mark.browser
MANY = 12


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    runs = [three_episodes("maker <1>"), three_episodes("agent")]
    runs += [from_final_pnl(f"other {i}", [i, 2.0 * i, -1.0], [7, 8, 9]) for i in range(MANY)]
    made = compare(runs, ["agent"], Bootstrap(100), {"command": "hft-gym compare"})
    played = {Player("agent"): {"a": np.arange(3.0), "b": np.ones(3)}}
    grids = tuple(make_grid(name, "Grid", "all", played, {}, Bootstrap(50)) for name in ("latency", "matrix"))
    return write(replace(made, grids=grids), tmp_path_factory.mktemp("page"))["html"]


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_drawn_without_an_error_or_a_request(visit, path, width):
    visited = visit(path, width)
    assert visited.problems == []
    assert visited.page.locator(".plotly-graph-div .main-svg:first-child").count() == 1 + len(SECTIONS) + 2
    # Nothing is wider than the window: tables scroll by themselves.
    assert visited.page.evaluate("document.documentElement.scrollWidth") == width
    assert visited.page.locator("h1").inner_text() == "Comparison"
    assert visited.page.locator("body").evaluate("b => getComputedStyle(b).backgroundColor") == "rgb(13, 17, 23)"


def test_a_click_on_the_legend_shows_a_policy_that_was_one_too_many(visit, path):
    visited = visit(path)
    figure = visited.page.locator(".plotly-graph-div").first
    hidden = figure.evaluate("d => d.data.filter(t => t.visible === 'legendonly').map(t => t.name)")
    assert hidden and "agent" not in hidden
    visited.page.evaluate(
        "name => { const d = document.querySelector('.plotly-graph-div');"
        " const all = [...d.querySelectorAll('.legendtext')].find(t => t.textContent === name);"
        " all.closest('.traces').querySelector('.legendtoggle').dispatchEvent(new MouseEvent('mousedown'));"
        " all.closest('.traces').querySelector('.legendtoggle').dispatchEvent(new MouseEvent('mouseup')); }",
        hidden[0],
    )
    visited.page.wait_for_timeout(800)
    assert hidden[0] not in figure.evaluate("d => d.data.filter(t => t.visible === 'legendonly').map(t => t.name)")
    assert visited.problems == []


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ('<img src="http://127.0.0.1:9/x.png">', "request: http://127.0.0.1:9/x.png"),
        ("<script>console.error('odd')</script>", "error: odd"),
        ("<script>nothing()</script>", "exception: nothing is not defined"),
    ],
)
def test_what_is_wrong_is_seen(visit, path, tmp_path, wrong, problem):
    broken = tmp_path / "broken.html"
    broken.write_text(path.read_text().replace("</h1>", "</h1>" + wrong))
    assert problem in visit(broken).problems
