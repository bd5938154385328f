"""The same policies under other latencies, fees and fills, and in other markets."""

import numpy as np
import pytest

from baselines import tuned
from hft_gym.envs.config import EnvConfig
from hft_gym.errors import ConfigError
from hft_gym.market import MarketConfig
from hft_gym.report import Bootstrap, Panel
from hft_gym.report.grids import Player
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
