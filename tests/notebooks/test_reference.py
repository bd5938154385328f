"""The notebook that the product grew from: what it does when its imports succeed runs unchanged on our names.

Two things are not as they stand in the file: its imports (``src...``, matplotlib, which it never uses, and the path
that it adds), and one name of a column that no import can mend (`WRONG_COLUMN`).
"""

import ast
import json
import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.data_files import shared_reference

OURS = """
import os
import asyncio
import numpy as np
import pandas as pd
import plotly.graph_objs as go
from IPython.display import HTML
from hft_gym import (
    DataFeedConfig, ExecutionSimulator, MockDataFeed, Order, OrderBook, OrderSide, OrderType, Portfolio,
    PerformanceMetrics, setup_main_logger,
)
from baselines import LiquidityTakingStrategy, MarketMakingStrategy
import plotly.io
plotly.io.renderers.default = "plotly_mimetype"
DEMO_MODE = False
"""
WRONG_COLUMN = "pd.to_datetime(df_results['timestamp'])"
"""The frame's column is called 'timestamps': this is a KeyError whatever is imported."""
SHOWN = """
import json
print(json.dumps({
    "trades": len(market_data), "orders": [sum(strategy_results[k]) for k in ("mm_orders", "lt_orders")],
    "bids": [row["bid"] for row in market_data], "prices": strategy_results["prices"], "mm": mm_stats,
}))
"""


def code_cells():
    """The code of each cell: of what stands between two headings, as many lines as are Python."""
    text = shared_reference("demonstration.txt").read_text()
    cells = {}
    for number, rest in re.findall(r"^In \[(\d+)\]:\n(.*?)(?=^In \[|\Z)", text, re.M | re.S):
        lines = rest.splitlines()
        for end in range(len(lines), 0, -1):
            source = "\n".join(lines[:end])
            try:
                compile(source, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            except (SyntaxError, ValueError):
                continue
            cells[int(number)] = source
            break
    return cells


def adapted(mend=True):
    """The cells as they are run here: ours instead of the first, which is imports; one import within another."""
    cells = code_cells()
    assert sorted(cells) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert all("DEMO_MODE" in cells[n] and "else:" in cells[n] for n in (2, 3, 4, 5, 6))
    sources = [OURS, *(cells[n] for n in range(2, 9))]
    inner = "from src.performance.metrics import PerformanceMetrics"
    assert sum(s.count(inner) for s in sources) == 1 and sum(s.count(WRONG_COLUMN) for s in sources) == 2
    sources = [s.replace(inner, "from hft_gym import PerformanceMetrics") for s in sources]
    assert not any(re.search(r"^\s*(from|import) src", s, re.M) for s in sources[:6])  # the 7th prints such a line
    return [s.replace(WRONG_COLUMN, WRONG_COLUMN.replace("mp']", "mps']")) if mend else s for s in sources]


def run(sources):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    NotebookClient(book, timeout=120, kernel_name="python3").execute()
    return book


def printed(cell):
    return "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")


def test_its_branches_run_on_our_names():
    book = run([*adapted(), SHOWN])
    texts = [printed(cell) for cell in book.cells]
    assert "Created order book for AAPL" in texts[1] and "Best Bid: $ 150.95 x  100" in texts[1]
    assert "Spread: $0.1000 ( 6.6 bps)" in texts[1] and "Total Ask Volume:    700" in texts[1]
    assert "Collected 50 market data points" in texts[2]
    assert "Market Making: Spread=0.1, Max Pos=1000" in texts[3] and "Strategy Simulation Complete!" in texts[3]
    charts = [o for o in book.cells[4].outputs if "application/vnd.plotly.v1+json" in o.get("data", {})]
    assert len(charts) == 1 and len(charts[0]["data"]["application/vnd.plotly.v1+json"]["data"]) == 3
    assert "PERFORMANCE COMPARISON REPORT" in texts[5] and "Sharpe Ratio" in texts[5]
    assert "Simplified" not in "".join(texts)
    found = json.loads(texts[8])
    assert found["trades"] == 50 and found["orders"] == [100, 0]  # two quotes each time; no move of 2 %
    assert all(90 < price < 110 for price in (*found["bids"], *found["prices"]))  # around the market's own 100
    assert found["mm"]["total_pnl"] == 0 and found["mm"]["sharpe_ratio"] == 0  # bids and asks alike: no position


def test_the_column_is_wrong_whatever_is_imported():
    """Why one word of it is not run as it stands."""
    sources = adapted(mend=False)
    with pytest.raises(CellExecutionError) as caught:
        run([sources[0], "strategy_results = {'timestamps': [1], 'prices': [1.0]}", sources[4]])
    assert (caught.value.ename, caught.value.evalue) == ("KeyError", "'timestamp'")
