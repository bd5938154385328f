import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from hft_gym.errors import ConfigError
from hft_gym.report import Bootstrap, compare, print_comparison, write
from hft_gym.report.curves import make_curves
from hft_gym.report.picture import SIZE
from hft_gym.report.writers import to_csv, to_json, write_atomically
from tests.report.examples import from_final_pnl, three_episodes

FEW = Bootstrap(500)


def normal(mean, n=60, seed=0):
    return np.round(np.random.default_rng(seed).normal(mean, 1.0, n), 4)


@pytest.fixture(scope="module")
def comparison():
    runs = [
        from_final_pnl("do-nothing", normal(0)),
        from_final_pnl("maker", normal(2, seed=1)),
        from_final_pnl("good agent", normal(4, seed=2)),
        from_final_pnl("bad agent", normal(-1, seed=3)),
        from_final_pnl("even agent", normal(2, seed=1) + np.tile([0.5, -0.5], 30)),
    ]
    return compare(runs, ["good agent", "bad agent", "even agent"], FEW, {"command": "compare --seed 1"})


def test_ranked_and_paired(comparison):
    assert comparison.rows[0].name == comparison.best == "good agent"
    assert comparison.best_baseline == "maker"
    assert comparison["maker"].difference is None
    good = comparison["good agent"].difference
    assert 1.2 < good.low < good.value < good.high < 2.8
    assert comparison["even agent"].difference.low < 0 < comparison["even agent"].difference.high
    with pytest.raises(KeyError, match="good agent"):
        comparison["other"]


def test_words_are_honest(comparison):
    good, bad, even = (
        next(v for v in comparison.verdicts() if v.startswith(name)) for name in ("good", "bad", "even")
    )
    assert "beats the best baseline" in good and "above zero" in good
    assert "LOSES" in bad and "below zero" in bad
    assert "Not distinguishable" in even


def test_a_winner_that_loses_money_is_told_so():
    runs = [from_final_pnl("maker", normal(-5)), from_final_pnl("agent", normal(-2, seed=1))]
    assert "still loses money" in compare(runs, ["agent"], FEW).verdicts()[0]


def test_without_agents_or_baselines():
    only = compare([from_final_pnl("maker", normal(1))], (), FEW)
    assert "Best baseline" in only.verdicts()[0]
    alone = compare([from_final_pnl("agent", normal(1))], ["agent"], FEW)
    assert alone.best_baseline is None and "No baseline" in alone.verdicts()[0]
    single = compare([from_final_pnl("b", [1.0]), from_final_pnl("a", [2.0])], ["a"], FEW)
    assert "no conclusion" in single.verdicts()[0]


def test_refused():
    one = from_final_pnl("one", [1.0, 2.0])
    with pytest.raises(ConfigError, match="at least one"):
        compare([])
    with pytest.raises(ConfigError, match="two policies are called 'one'"):
        compare([one, one])
    with pytest.raises(ConfigError, match="different seeds"):
        compare([one, from_final_pnl("two", [1.0, 2.0], seeds=[5, 6])])
    with pytest.raises(ConfigError, match="agent 'x'"):
        compare([one], ["x"])


def test_flags():
    quiet = three_episodes("quiet")
    row = compare([quiet], (), FEW).rows[0]
    assert row.flags == ("traded in only 67% of the episodes",)
    dice = from_final_pnl("dice", [1.0, 2.0], deterministic=False)
    assert "stochastic actions" in compare([dice], (), FEW).rows[0].flags


def test_table_shows_everything_that_decides(comparison):
    console = Console(width=200, record=True, file=io.StringIO())
    print_comparison(comparison, console)
    text = console.export_text()
    assert "★ good agent" in text and "− maker" in text and "best baseline" in text
    for name in ("markout_5s", "spread_captured", "max_drawdown_pct"):
        assert name in text
    assert "LOSES" in text


def test_csv_and_json_hold_the_same(comparison):
    rows = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    value = next(float(r["value"]) for r in rows if r["policy"] == "maker" and r["metric"] == "net_pnl")
    document = json.loads(to_json(comparison))
    maker = next(p for p in document["policies"] if p["name"] == "maker")
    assert maker["metrics"]["net_pnl"]["value"] == value
    assert document["meta"]["command"] == "compare --seed 1"
    assert document["metrics"]["fees"]["formula"]
    assert maker["metrics"]["markout_5s"]["value"] is None  # NaN has no place in JSON
    frame = comparison.to_frame()
    assert len(frame) == len(rows)


def test_files_and_picture(comparison, tmp_path):
    written = write(comparison, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {p.name for p in written.values()}
    with Image.open(written["png"]) as image:
        assert image.size == SIZE and len(image.getcolors(1 << 24)) > 50
    if "html" in written:
        page = written["html"].read_text()
        assert (
            "good agent" in page
            and "<script src" not in page
            and "cdn.plot.ly" not in page.split("plotly.js")[0]
        )


def test_picture_names_what_is_off_its_scale():
    runs = [
        from_final_pnl("a", normal(1)),
        from_final_pnl("b", normal(2)),
        from_final_pnl("random", normal(-900)),
    ]
    curves = make_curves(compare(runs, (), FEW))
    assert [c.name for c in curves.curves if c.off_scale] == ["random"]
    assert curves.market == "b"  # the best, not what happens to come first
    low, high = curves.limits("mean")
    assert -10 < low < 0 < 2 < high < 10


def test_picture_of_a_single_episode(tmp_path):
    from hft_gym.report.picture import png

    assert png(make_curves(compare([from_final_pnl("x", [1.0])], (), FEW)))[:4] == b"\x89PNG"


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "file.txt"
    write_atomically(target, "old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(target, "new")
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]
