import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from hft_gym.errors import ConfigError
from hft_gym.files import replace_file
from hft_gym.report import GROUPS, METRICS, Bootstrap, Evidence, Trials, compare, holm, print_comparison, write
from hft_gym.report.curves import make_curves
from hft_gym.report.picture import SIZE
from hft_gym.report.table import number
from hft_gym.report.writers import to_csv, to_json
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


def test_of_equals_who_did_nothing_comes_first():
    """Nobody is better than do-nothing by never trading."""
    for names in (("glft", "do-nothing", "agent"), ("agent", "glft", "do-nothing")):
        found = compare([from_final_pnl(name, np.zeros(4)) for name in names], ["agent"], FEW)
        assert found.best == found.best_baseline == found.rows[0].name == "do-nothing"
    idle, maker = (from_final_pnl(name, np.zeros(4)) for name in ("idle", "maker"))
    idle = replace(idle, fills=idle.fills[:0], orders=idle.orders[:0])
    assert compare([maker, idle], (), FEW).best == "idle"


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


def flags(episodes, evidence=None, agents=()):
    found = compare([episodes], agents, FEW, evidence=evidence and {episodes.name: evidence})
    return {f.name: f.text for f in found.rows[0].flags}


def test_flags_of_trading():
    quiet = flags(three_episodes("quiet"))
    assert quiet["few-trades"] == "traded in only 67% of the episodes" and "no-trades" not in quiet
    idle = replace(three_episodes(), **_nothing(3))
    assert flags(idle) == {"no-trades": "never traded"}
    busy = flags(from_final_pnl("busy", normal(1)))
    assert busy == {}  # the control: nothing to say
    dice = from_final_pnl("dice", [1.0, 2.0], deterministic=False)
    assert flags(dice) == {"stochastic-actions": "stochastic actions"}


def _nothing(count):
    zero = three_episodes()
    return {
        "equity": np.zeros_like(zero.equity),
        "inventory": np.zeros_like(zero.inventory),
        "fills": zero.fills[:0],
        "orders": zero.orders[:0],
    }


def test_flag_of_an_agent_that_trades_only_when_its_actions_are_drawn():
    idle = replace(three_episodes("agent"), **_nothing(3))
    drawn = three_episodes("agent (drawn)")
    assert "in 67% of the episodes" in flags(idle, Evidence(drawn=drawn))["stochastic-only"]
    assert "stochastic-only" not in flags(idle, Evidence(drawn=idle))
    assert "stochastic-only" not in flags(three_episodes(), Evidence(drawn=drawn))


def test_flag_of_optimistic_fills():
    gain, loss, less = (from_final_pnl("x", normal(m)) for m in (1, -1, 0.8))
    assert "-0.9" in flags(gain, Evidence(pessimistic=loss))["optimistic-fills"]
    assert "optimistic-fills" not in flags(gain, Evidence(pessimistic=less))
    assert "optimistic-fills" not in flags(loss, Evidence(pessimistic=loss))


def test_flag_of_one_episode_that_carries_the_result():
    text = flags(from_final_pnl("lucky", [-1.0, 10.0, -1.0, -1.0], seeds=[5, 6, 7, 8]))["one-episode"]
    assert text == "one episode carries the result: without seed 6 the mean is -1.00"
    assert "one-episode" in flags(from_final_pnl("half", [1.0, 4.0, 1.0]))
    assert "one-episode" not in flags(from_final_pnl("even", [2.0, 3.0, 2.0]))
    assert "one-episode" not in flags(from_final_pnl("losing", [-2.0, -3.0, 1.0]))
    assert "one-episode" not in flags(from_final_pnl("few", [1.0, 3.0]))  # of two, one always has more


def test_flag_of_seeds_seen_before():
    held_out = [10**9 + i for i in range(5)]
    assert "seen-seeds" not in flags(from_final_pnl("x", normal(1, 5), seeds=held_out), agents=["x"])
    seen = flags(from_final_pnl("x", normal(1, 5), seeds=[*held_out[:4], 3]), agents=["x"])
    assert seen["seen-seeds"] == "held-out seeds were seen before: 1 of 5 belong to training, as 3"
    checked = from_final_pnl("x", normal(1, 5), seeds=[*held_out[:4], 500_000_000])
    assert "validation" in flags(checked, Evidence(learned=True))["seen-seeds"]
    assert "seen-seeds" not in flags(checked)  # nothing was chosen: nothing was seen
    assert flags(checked, Evidence(seen="trained on these hours"))["seen-seeds"] == "trained on these hours"


def test_flag_of_a_position_at_its_limit():
    stuck = replace(three_episodes(), config={"max_position": 1})
    # A: 3 of 4 s, C: half of its second: 0.75, 0, 0.5 on average
    assert "at-limit" not in flags(stuck)
    held = replace(from_final_pnl("held", normal(1)), config={"max_position": 1})
    held.fills["time"][~held.fills["closing"]] = 10**8  # from 0.1 s to 1 s
    assert flags(held)["at-limit"] == "position at its limit 90% of the time"


def test_trials_count(comparison):
    """The deflated ratio takes number and spread of the trials, and no policy without trials has one."""
    run = from_final_pnl("tuned", normal(0.25, 60, seed=4))
    none = compare([run], (), FEW).rows[0]
    assert none.undefined["deflated_sharpe_ratio"] == "no trial was logged for this policy"
    rng = np.random.default_rng(0)
    deflated = []
    for n in (1, 10, 100):
        row = compare([run], (), FEW, trials={"tuned": Trials.of(rng.normal(0.0, 1.0, (n, 64)))}).rows[0]
        assert row.metrics["trials"].value == n
        deflated.append(row.metrics["deflated_sharpe_ratio"].value)
    assert none.metrics["probabilistic_sharpe_ratio"].value == pytest.approx(deflated[0])
    assert deflated[0] > deflated[1] > deflated[2]


def test_table_shows_everything_that_decides(comparison):
    console = Console(width=200, record=True, file=io.StringIO())
    print_comparison(comparison, console)
    text = console.export_text()
    assert "★ good agent" in text and "− maker" in text and "best baseline" in text
    assert "LOSES" in text and "after Holm" in text
    assert "markout_5s" not in text  # the full table only where it is asked for


def test_metrics_are_shown_on_demand_by_group_with_intervals(comparison):
    def shown(*words):
        console = Console(width=240, record=True, file=io.StringIO())
        print_comparison(comparison, console, words)
        return console.export_text()

    everything = shown("all")
    assert all(name in everything for name in METRICS) and all(title in everything for title in GROUPS.values())
    drawdowns = shown("drawdown", "net_pnl")
    assert "ulcer_index" in drawdowns and "net_pnl" in drawdowns and "markout_5s" not in drawdowns
    estimate = comparison["maker"].metrics["max_drawdown"]
    assert f"[{number(estimate.low)}, {number(estimate.high)}]" in drawdowns
    with pytest.raises(ConfigError, match=r"no 'drawdwon'; did you mean 'drawdown'.*allowed are 'all', the groups"):
        shown("drawdwon")


def test_what_is_undefined_says_why(comparison):
    row = comparison["maker"]
    assert set(row.undefined) == {n for n, e in row.metrics.items() if np.isnan(e.value)}
    assert row.undefined["markout_5s"] == "no fill 5 s or more before the end"
    assert row.undefined["difference"] == "there is no other policy to compare with"
    assert all(row.undefined.values())


def test_p_values_are_adjusted_for_the_number_of_policies(comparison):
    raw = {r.name: r.metrics["p_value"].value for r in comparison.rows if r.name != "maker"}
    assert {n: comparison[n].p_value for n in raw} == holm(raw)
    assert comparison["good agent"].p_value < 0.01 < comparison["even agent"].p_value
    assert np.isnan(comparison["maker"].p_value)


@pytest.mark.parametrize("width", [60, 80, 100, 160])
@pytest.mark.parametrize("scale", [1.0, 3_000.0])
def test_a_narrow_terminal_cuts_no_figure(width, scale):
    names = ("do-nothing", "market-making", "liquidity-taking", "ppo", "ppo (drawn)")
    runs = [from_final_pnl(name, scale * normal(i) - 40.0 * i) for i, name in enumerate(names)]
    found = compare(runs, names[3:], FEW)
    console = Console(width=width, file=io.StringIO())
    print_comparison(found, console, ("all",))
    text = console.file.getvalue()
    assert "…" not in text and max(map(len, text.splitlines())) <= width
    cells = text.replace("│", " ").replace(",", "").split()
    for row in found.rows:
        for metric in ("net_pnl", "episode_sharpe", "max_drawdown", "mean_abs_inventory", "volume", "avg_win"):
            assert number(row.metrics[metric].value).replace(",", "") in cells, metric
        for estimate in filter(None, (row.metrics["net_pnl"], row.difference)):
            low, high = (number(v).replace(",", "") for v in (estimate.low, estimate.high))
            assert f"[{low} {high}]" in " ".join(cells)


def test_csv_and_json_hold_the_same(comparison):
    rows = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    value = next(float(r["value"]) for r in rows if r["policy"] == "maker" and r["metric"] == "net_pnl")
    document = json.loads(to_json(comparison))
    maker = next(p for p in document["policies"] if p["name"] == "maker")
    assert maker["metrics"]["net_pnl"]["value"] == value
    assert document["meta"]["command"] == "compare --seed 1"
    assert document["metrics"]["fees"]["formula"]
    assert maker["metrics"]["markout_5s"]["value"] is None  # NaN has no place in JSON
    assert maker["undefined"]["markout_5s"] == "no fill 5 s or more before the end"
    agent = next(p for p in document["policies"] if p["name"] == "good agent")
    assert agent["flags"][0]["name"] == "seen-seeds" and "training" in agent["flags"][0]["text"]
    assert 0 < agent["p_value_holm"] < 0.01
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
    replace_file(target, "old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        replace_file(target, "new")
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_symbols_of_one_live_run_are_no_draws_by_seeds():
    names = ["maker", "agent"]
    for count, enough in ((1, False), (2, False), (4, False), (5, True)):
        runs = [from_final_pnl(name, normal(3 - i, count, seed=i)) for i, name in enumerate(names)]
        found = compare(runs, ["agent"], FEW, live=True)
        console = Console(width=200, record=True, file=io.StringIO())
        print_comparison(found, console, ("all",))
        text = console.export_text()
        assert f"{count} symbol{'s' if count > 1 else ''} of one run, no seeds" in text and "same seeds;" not in text
        assert "★" not in text and "net P&L/symbol" in text and found.intervals is enough
        assert ("too few for intervals" in text) is not enough
        assert bool(np.isfinite(found["agent"].difference.low)) is enough
        assert enough or not any(np.isfinite(e.low) for row in found.rows for e in row.metrics.values())
        assert enough or "Too few symbols for an interval: no conclusion." in text
        assert bool(np.isfinite(make_curves(found).curves[0].low).all()) is enough
    alone = compare([from_final_pnl("maker", normal(3, 2))], (), FEW, live=True)
    assert alone.verdicts() == ["Highest net P&L a symbol in this run: maker. One run does not say who is better."]
