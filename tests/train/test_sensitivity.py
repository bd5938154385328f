"""The same policies under other latencies, fees and fills, and in other markets."""

import io

import numpy as np
import pytest
from rich.console import Console

from baselines import tuned
from hft_gym.envs.config import EnvConfig
from hft_gym.errors import ConfigError
from hft_gym.market import MarketConfig
from hft_gym.report import Bootstrap, Panel, print_comparison
from hft_gym.report.grids import Player
from hft_gym.report.markdown import grid_markdown
from hft_gym.report.writers import summary
from tests.data.feeds import binance_lines
from train.compare import compare_policies
from train.sensitivity import FEES, LATENCY, through

SHORT = {"episode_steps": 60, "market": "poisson"}
FEW = Bootstrap(100)


@pytest.fixture(scope="module")
def comparison():
    names = ["do-nothing", "join-touch", "liquidity-taking"]
    return compare_policies(
        names, SHORT, episodes=6, bootstrap=FEW, sensitivity=["latency", "fees", "fill"], matrix=["reactive", "poisson"]
    )


def test_fees_cost_what_was_traded(comparison):
    fees = comparison.grids[1]
    assert fees.settings == tuple(f"+ {f:g}" for f in FEES)
    idle = fees.cells[Player("do-nothing")]
    assert all(cell.net.value == 0 for cell in idle)
    # The touch is joined whatever it costs: the same trades, forced close included, and of each lot the fee is gone.
    row = comparison["join-touch"]
    lots = row.panel.fill_sum(row.panel.quantity).mean()
    cells = fees.cells[Player("join-touch")]
    assert cells[0].net == row.metrics["net_pnl"] and lots > 1
    for fee, cell in zip(FEES[1:], cells[1:], strict=True):
        assert cell.change.value == pytest.approx(-fee * lots)


def test_latency_is_scaled(comparison):
    latency = comparison.grids[0]
    assert latency.settings == tuple(f"× {f:g}" for f in LATENCY)
    for name in ("join-touch", "liquidity-taking"):
        cells = latency.cells[Player(name)]
        assert cells[1].net == comparison[name].metrics["net_pnl"] and cells[1].change is None
        assert len({cell.net.value for cell in cells}) > 2


def test_without_the_fills_that_the_price_did_not_go_through(comparison):
    run = comparison["join-touch"].episodes
    panel, kept = Panel(run), run.net_pnl.copy()
    for fill in run.fills[panel.ordinary & run.fills["maker"]]:
        sign = 1 if fill["side"] == 0 else -1
        episode = int(fill["episode"])
        end = int(run.time[episode, -1])
        later, last = panel.mid2_at(np.array([episode] * 2), np.array([min(fill["time"] + 10**9, end), end])) / 2
        if not sign * (later - fill["price"]) < 0:
            kept[episode] -= sign * fill["quantity"] * (last - fill["price"]) - fill["fee"] / 10_000
    np.testing.assert_allclose(through(run), kept)
    assert kept.mean() < run.net_pnl.mean()
    simulated, hard = comparison.grids[2].cells[Player("join-touch")]
    assert (simulated.net.value, hard.net.value) == pytest.approx((run.net_pnl.mean(), kept.mean()))


def test_the_matrix_brings_the_parameters_of_each_market(comparison):
    grid = comparison.grids[3]
    assert grid.settings == ("reactive", "poisson")
    assert [str(p) for p in grid.players] == [
        "do-nothing", "join-touch from reactive", "join-touch from poisson",
        "liquidity-taking from reactive", "liquidity-taking from poisson",
    ]  # fmt: skip
    home = grid.cells[Player("join-touch", "poisson")][1]
    assert home.net == comparison["join-touch"].metrics["net_pnl"] and home.change is None
    away = grid.cells[Player("join-touch", "reactive")][1]
    given = tuned.tuned_parameters("join-touch", EnvConfig(market=MarketConfig.named("reactive")))
    words = ",".join(f"{k}={v}" for k, v in given.items())
    alone = compare_policies([f"join-touch:{words}"], SHORT, episodes=6, bootstrap=FEW).rows[0]
    assert away.net == alone.metrics["net_pnl"]
    assert away.change.value == pytest.approx(away.net.value - home.net.value)


def test_grids_are_in_the_record(comparison):
    assert [g["name"] for g in summary(comparison)["grids"]] == ["latency", "fees", "fill", "matrix"]


def test_a_recording_of_levels_has_queue_models(tmp_path):
    path = tmp_path / "capture.txt"
    path.write_text("\n".join(binance_lines(seed=2, n=1500)[0]) + "\n")
    config = {"feed": str(path), "market": {"tick_size": 0.1, "warm_up_ns": 0}, "episode_steps": 100}
    found = compare_policies(
        ["join-touch"], config, episodes=4, bootstrap=FEW, sensitivity=["fill"], parameters="default"
    )
    assert found.grids[0].settings == ("front", "proportional", "back")
    assert found.grids[0].cells[Player("join-touch")][2].net == found["join-touch"].metrics["net_pnl"]


def test_what_cannot_be_played_is_refused_at_once():
    still = {"latency": dict.fromkeys(("order_ns", "order_jitter_ns", "cancel_ns", "cancel_jitter_ns"), 0)}
    still["latency"]["market_data_ns"] = 0
    with pytest.raises(ConfigError, match="every latency of this market is 0"):
        compare_policies(["do-nothing"], {"market": still}, sensitivity=["latency"])
    with pytest.raises(ConfigError, match="unknown 'fee'; did you mean 'fees'"):
        compare_policies(["do-nothing"], sensitivity=["fee"])
    with pytest.raises(ConfigError, match="did you mean 'reactive'"):
        compare_policies(["do-nothing"], matrix=["reactiv"])
    with pytest.raises(ConfigError, match="recorded day"):
        compare_policies(["do-nothing"], {"feed": "day.csv"}, matrix=["reactive"])


def test_the_matrix_changes_the_flow_and_keeps_the_fees_and_latencies():
    """The column of the comparison's own market is the main table; another market pays the same fees."""
    costly = {**SHORT, "market": {"flow": "poisson", "fees": {"taker": 0.7}, "latency": {"order_ns": 40_000_000}}}
    names = ["liquidity-taking:signal_threshold=1e-5"]
    found = compare_policies(names, costly, episodes=4, bootstrap=FEW, matrix=["poisson", "calm"])
    home, away = found.grids[0].cells[Player(names[0])]
    assert home.net == found.rows[0].metrics["net_pnl"]
    there = {**costly, "market": {**costly["market"], "flow": "calm"}}
    assert away.net == compare_policies(names, there, episodes=4, bootstrap=FEW).rows[0].metrics["net_pnl"]
    free = compare_policies(names, {**SHORT, "market": "calm"}, episodes=4, bootstrap=FEW).rows[0]
    assert away.net.value < free.metrics["net_pnl"].value
    assert found.grids[0].note == ""


def test_a_market_that_brings_its_own_settings_says_so(tmp_path):
    path = tmp_path / "market.toml"
    path.write_text('flow = "calm"\n[fees]\ntaker = 0.1\n')
    costly = {**SHORT, "market": {"flow": "poisson", "fees": {"taker": 0.7}, "max_own_orders": 20}}
    found = compare_policies(
        ["buy-and-hold"], costly, episodes=2, bootstrap=FEW, matrix=["poisson", str(path), "small-tick"]
    )
    assert found.grids[0].note == f"in place of what is set: {path} brings its own fees"
    console = Console(width=300, file=io.StringIO())
    print_comparison(found, console)
    assert found.grids[0].note in console.file.getvalue()
    assert found.grids[0].note in grid_markdown(found.grids[0].records())
    there = {**SHORT, "market": {"flow": "calm", "fees": {"taker": 0.1}, "max_own_orders": 20}}
    alone = compare_policies(["buy-and-hold"], there, episodes=2, bootstrap=FEW).rows[0]
    assert found.grids[0].cells[Player("buy-and-hold")][1].net == alone.metrics["net_pnl"]


@pytest.mark.parametrize(
    ("randomise", "asked", "said"),
    [
        ({"flows": ["poisson", "thin"]}, {"matrix": ["volatile"]}, r"randomise: poisson, thin\), so none of volatile"),
        ({"ranges": [("flow.market_rate", 1, 2)]}, {"matrix": ["volatile"]}, "flow.market_rate"),
        ({"ranges": [("fees.taker", 0, 1)]}, {"sensitivity": ["fees"]}, "sensitivity: fees.taker is drawn anew"),
        ({"factors": [("fees.taker", 1, 2)]}, {"sensitivity": ["fees"]}, "sensitivity: fees.taker is drawn anew"),
        ({"ranges": [("latency.order_ns", 0, 9)]}, {"sensitivity": ["latency"]}, "latency.order_ns is drawn anew"),
    ],
)
def test_what_each_episode_draws_is_not_played_under_another_name(randomise, asked, said):
    with pytest.raises(ConfigError, match=said):
        compare_policies(["do-nothing"], {**SHORT, "randomise": randomise}, episodes=2, bootstrap=FEW, **asked)


def test_a_factor_on_a_drawn_latency_is_played():
    """Factors commute: times 0 there is no latency, whatever is drawn."""
    drawn = {**SHORT, "randomise": {"factors": [("latency.order_ns", 0.5, 2.0)], "variants": 4}}
    found = compare_policies(["join-touch"], drawn, episodes=4, bootstrap=FEW, sensitivity=["latency"])
    assert len({cell.net.value for cell in found.grids[0].cells[Player("join-touch")]}) > 2
