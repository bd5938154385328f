"""The tables of the documentation: the same text from a comparison and from what is stored of it."""

import re
from pathlib import Path

import numpy as np
import pytest

from hft_gym import cli
from hft_gym.report import Bootstrap, compare, write
from hft_gym.report.markdown import comparison_markdown, overview_markdown
from hft_gym.report.parts import read_part, write_part
from hft_gym.report.writers import summary
from tests.report.examples import from_final_pnl, three_episodes


@pytest.fixture(scope="module")
def comparison():
    rng = np.random.default_rng(1)
    runs = [from_final_pnl("do-nothing", np.zeros(30)), from_final_pnl("maker", rng.normal(900, 2000, 30))]
    runs.append(from_final_pnl("mine", rng.normal(-50, 5, 30)))
    return compare(runs, ["mine"], Bootstrap(200), {"command": "hft-gym compare --policies maker | mine"})


def test_the_table_is_rebuilt_from_the_part(comparison, tmp_path, capsys):
    table = comparison_markdown(summary(comparison))
    part = write_part(comparison, tmp_path / "parts", parquet=False)
    assert comparison_markdown(read_part(part.folder).record) == table
    assert write(comparison, tmp_path)["markdown"].read_text() == table + "\n"
    words = ["--parts", str(tmp_path / "parts")]
    for command in (["show", part.id, "--markdown"], ["compare", part.id, "--markdown"]):
        assert cli.main(["runs", *command, *words]) == 0
        assert capsys.readouterr().out.startswith(table + "\n")


def test_the_table_says_what_the_comparison_says(comparison):
    table = comparison_markdown(summary(comparison)).splitlines()
    assert len(table) == 2 + 3 and len({line.count("|") for line in table}) == 1
    cells = {line.split(" | ")[0].strip("|* "): line.split(" | ")[1:] for line in table[2:]}
    assert list(cells) == ["maker", "do-nothing", "mine (agent)"]
    net = comparison["maker"].metrics["net_pnl"]
    shown = [f"{v:+.1f}".replace("-", "−") if abs(v) < 1000 else f"{v:+,.0f}" for v in (net.value, net.low, net.high)]
    assert cells["maker"][0] == f"**{shown[0]} [{shown[1]}, {shown[2]}]**" and cells["maker"][1] == "best baseline"
    assert cells["do-nothing"][0] == "0" and cells["do-nothing"][2] == "–"
    assert cells["mine (agent)"][1].startswith("−")


def test_several_in_one_table(comparison):
    other = compare([three_episodes("maker"), three_episodes("taker")], (), Bootstrap(50))
    lines = overview_markdown({"one": summary(comparison), "two": summary(other)}).splitlines()
    assert lines[0] == "| policy | one | two |"
    assert {line.split(" | ")[0]: line.count("|") for line in lines[2:]} == {
        "| maker": 4, "| do-nothing": 4, "| mine": 4, "| taker": 4,
    }  # fmt: skip


def test_executions_have_columns_of_their_own(comparison):
    told = {**summary(comparison), "meta": {"config": {"task": "execution"}}}
    assert "shortfall" in comparison_markdown(told).splitlines()[0]


ROOT = Path(__file__).resolve().parents[2]


def test_the_tables_of_the_pages_are_those_of_the_stored_runs():
    """Where a page says ``<!-- table NAME, run ID -->``, the table that follows is the one of the stored part."""
    found = 0
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for mark in re.finditer(r"<!-- table \S+, run (\S+) -->\n((?:\|.*\n)+)", page.read_text()):
            part = read_part(ROOT / "docs" / "results" / "parts" / mark[1])
            assert mark[2] == comparison_markdown(part.record) + "\n", f"{page}: run {mark[1]}"
            found += 1
    assert found or not (ROOT / "docs" / "results" / "parts").exists()
