"""docs/notebooks/demonstration.ipynb: runs from top to bottom, equals its script, and keeps its promises of form."""

import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

from tests.data_files import ROOT

FOLDER = ROOT / "docs" / "notebooks"
NAMES = (
    "OrderBook", "Order", "OrderSide", "OrderType", "ExecutionSimulator", "MarketMakingStrategy",
    "LiquidityTakingStrategy", "MockDataFeed", "DataFeedConfig", "Portfolio", "PerformanceMetrics", "setup_main_logger",
)  # fmt: skip


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(FOLDER / "demonstration.ipynb", as_version=4)


def essence(book):
    return [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in book.cells]


def test_the_notebook_is_its_script(notebook):
    """`jupytext --sync docs/notebooks/demonstration.py` mends a difference."""
    assert essence(notebook) == essence(jupytext.read(FOLDER / "demonstration.py"))
    assert all(c.cell_type != "code" or (not c.outputs and c.execution_count is None) for c in notebook.cells)


def test_every_section_teaches(notebook):
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    sections = re.split(r"^## ", text, flags=re.M)[1:]
    titles = [s.splitlines()[0] for s in sections]
    assert [t[:2] for t in titles] == [f"{n}." for n in range(1, len(titles) + 1)] and len(titles) == 6
    for number, section in enumerate(sections[:-1], 1):
        assert "**Notice**" in section and f"**Exercise {number}.**" in section, titles[number - 1]
        assert section.index("**Exercise") < section.index("*Solution"), titles[number - 1]


def test_it_runs_and_computes_what_it_shows(notebook, tmp_path):
    client = NotebookClient(notebook, timeout=180, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    client.execute()
    code = [c for c in notebook.cells if c.cell_type == "code"]
    whole = "\n".join(c.source for c in code)
    assert all(re.search(rf"\b{name}\b", whole.split("setup_main_logger,\n)", 1)[1]) for name in NAMES)
    told = "".join(o.text for c in code for o in c.outputs if o.output_type == "stream" and o.name == "stderr")
    assert "hft_gym is ready" in told and "Warning" not in told
    charts = [o for c in code for o in c.outputs if "application/vnd.plotly.v1+json" in o.get("data", {})]
    assert len(charts) >= 6
    for chart in charts:
        assert all(len(t.get("x", t.get("y", ()))) for t in chart["data"]["application/vnd.plotly.v1+json"]["data"])
    last = code[-1].outputs[0]["data"]["text/plain"]
    assert "0.0875" in last and "nan" not in last.lower()
    assert list(Path(tmp_path).iterdir()) == []
