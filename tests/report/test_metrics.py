import warnings

import numpy as np
import pytest

from hft_gym.errors import ConfigError, DataError
from hft_gym.report import METRICS, Bootstrap, Panel, evaluate_metrics, metric, summarise
from hft_gym.report.attribution import PARTS, attribution
from hft_gym.report.metrics import GROUPS, get
from tests.report.examples import from_final_pnl, no_episodes_columns, three_episodes

NAN = float("nan")
YEAR = np.sqrt(252 * 23_400)
LOSS_RMS = np.sqrt((0.25 + 1.0) / 4)

NONE = (NAN, NAN, NAN)
DEVIATIONS = np.array([2.5, 3.25, -0.5, -1.0]) - 1.0625  # of A's intervals from their mean
VARIANCE = np.sum(DEVIATIONS**2) / 4
RHO = np.sum(DEVIATIONS[1:] * DEVIATIONS[:-1]) / np.sum(DEVIATIONS**2)

# Metric -> its value in episodes A, B and C, each worked out in examples.py or by the formula beside it.
EXPECTED = {
    # returns: A's intervals are 2.5, 3.25, -0.5, -1; C has a single one, -3
    "net_pnl": (4.25, 0.0, -3.0),
    "total_pnl": (4.25, 0.0, -3.0),
    "max_pnl": (5.75, 0.0, 0.0),
    "min_pnl": (0.0, 0.0, -3.0),
    "pnl_per_share": (4.25 / 3, NAN, -3.0),
    "pnl_per_hour": (4.25 * 900, 0.0, -3.0 * 3600),
    "pnl_in_spreads": (4.25 / (8 / 3), 0.0, -1.5),  # A: 2, 2, 4 for a second each, then a side is empty
    "pnl_bps": (1e4 * 4.25 / 300, NAN, -300.0),
    "return_on_capital": (2.125, NAN, -300 / 103),  # A: 2 lots at 100; C: 1 lot, at 103 in the end
    "episode_sharpe": NONE,
    "hit_rate": (1.0, 0.0, 0.0),
    "volatility": (2.125, 0.0, NAN),
    "sharpe_ratio": (0.5 * YEAR, NAN, NAN),
    "sharpe_interval": (1.0625 / 2.125, NAN, NAN),
    "sharpe_newey_west": (0.5 * YEAR / np.sqrt(1 + 2 * 0.5 * RHO), NAN, NAN),  # four intervals: one lag
    "sortino_ratio": (1.0625 / LOSS_RMS * YEAR, NAN, -1.0 * YEAR),
    "downside_deviation": (LOSS_RMS, 0.0, 3.0),
    "win_rate": (0.5, NAN, 0.0),
    "round_trip_hit_rate": (1.0, NAN, NAN),  # bought at 99, sold at 102 and at 100
    "avg_win": (2.875, NAN, NAN),
    "avg_loss": (-0.75, NAN, -3.0),
    "profit_factor": (5.75 / 1.5, NAN, 0.0),
    "skewness": (np.mean(DEVIATIONS**3) / VARIANCE**1.5, NAN, NAN),
    "kurtosis": (np.mean(DEVIATIONS**4) / VARIANCE**2, NAN, NAN),
    "value_at_risk_95": (0.925, 0.0, 3.0),  # 0.15 of the way from -1 to -0.5
    "expected_shortfall_95": (1.0, 0.0, 3.0),
    "omega_ratio": (5.75 / 1.5, NAN, 0.0),
    "tail_ratio": ((2.5 + 0.85 * 0.75) / 0.925, NAN, 1.0),
    "certainty_equivalent": (4.25, 0.0, -3.0),
    # drawdown: A is 0.5 below its peak from 3 s on, 1.5 at 4 s
    "max_drawdown": (1.5, 0.0, 3.0),
    "max_drawdown_pct": (100 * 1.5 / 105.75, 0.0, 3.0),
    "mean_drawdown": (0.125, 0.0, 0.0),
    "ulcer_index": (0.25, 0.0, 0.0),
    "time_under_water": (0.25, 0.0, 0.0),
    "max_drawdown_duration": (2.0, 0.0, 1.0),
    "recovery_time": NONE,
    "calmar_ratio": (4.25 / 4 * 23_400 / 1.5, NAN, -23_400.0),
    # activity
    "traded": (1.0, 0.0, 1.0),
    "orders": (4.0, 0.0, 1.0),
    "cancels": (2.0, 0.0, 0.0),
    "fills": (2.0, 0.0, 1.0),
    "order_to_trade": (3.0, NAN, 1.0),
    "cancel_ratio": (0.5, NAN, 0.0),
    "message_rate": (1.5, 0.0, 1.0),
    "message_peak": (2.0, 0.0, 1.0),  # A: entries at 0.2, 0.6 | 1.1, 1.7 |  | a cancel at 3.5
    "volume": (3.0, 0.0, 1.0),
    "participation": (3 / 12, NAN, 1 / 4),  # C takes its lot beside the others' 3
    "participation_deviation": (np.std([0.5, 0.5, 0.0], ddof=1), NAN, NAN),  # A: 2 of 4, 1 of 2, 0 of 6
    "holding_time": (2.0, NAN, NAN),  # one lot for 1 s, one for 3 s
    "turnover": ((2 * 99 + 102) / 100, 0.0, 1.0),
    "quote_lifetime": (0.8, NAN, NAN),  # ends at 0.3, 0.8, 2.9; censored at 2.9: 3/4 · 2/3 = 1/2 at 0.8
    "quoting_presence": (0.5, 0.0, 0.0),  # at 2 and 3 s both the bid at 98 and the ask at 104 rest
    # execution
    "fill_rate": (3 / 7, NAN, 1.0),
    "maker_share": (1.0, NAN, 0.0),
    "fill_probability_1s": (0.5, NAN, NAN),  # fills at 0.3 (of 4 at risk) and 0.8 (of 3)
    "fill_probability_10s": NONE,  # no quote rested so long
    "time_to_fill": (0.8, NAN, NAN),
    "queue_ahead_entry": (15 / 4, NAN, NAN),
    "queue_ahead_fill": (0.5, NAN, NAN),
    "markout_100ms": (1.0, NAN, -1.0),
    "markout_1s": ((2 * 2 + 1.5) / 3, NAN, NAN),  # mids 101 at 2 s and 100.5 at 3 s; C ends too early
    "markout_5s": NONE,
    "markout_15s": NONE,
    "markout_60s": NONE,
    "markout_300s": NONE,
    "markout_close": (4.5 / 3, NAN, -3.0),  # mids 100.5 and 103
    "markout_micro_100ms": ((2 * 1.5 + 2) / 3, NAN, -1.0),  # A: 100 + 0.25 · 2 at 1 s, 101 - 0.25 · 4 at 2 s; C: 101
    "markout_micro_1s": (1.0, NAN, NAN),  # A: the same 100 at 2 s; at 3 s there is no spread
    "markout_micro_5s": NONE,
    "markout_micro_15s": NONE,
    "markout_micro_60s": NONE,
    "markout_micro_300s": NONE,
    "effective_spread": (-2.0, NAN, 2.0),
    "realised_spread_5s": (-3.0, NAN, 6.0),
    "price_impact_5s": (1.0, NAN, -4.0),
    "adverse_fill_share": (0.0, NAN, NAN),
    "depleted_fill_share": (0.0, NAN, NAN),  # bought at 99: at 2 s the bid is 101 - 2; at 3 s there is no spread
    "quoted_spread_captured": (3 / 4, NAN, -1.0),  # A: 2 lots of a spread of 2, 1 of 4
    "drift_asymmetry": (0.5, NAN, NAN),  # filled: 0.5 and 0.5; cancelled: 0
    "pick_offs": (1.0, 0.0, 0.0),
    "pick_off_cost": (-1.5, 0.0, 0.0),  # it sold at 102, and the mid was 100.5 one second later
    "own_impact_5s": NONE,
    "own_impact_close": NONE,
    "slippage_twap": ((2 * (99 - 100.375) - (102 - 100.375)) / 3, NAN, 1.0),
    "slippage_vwap": ((2 * 99 - 102 - 1205 / 12) / 3, NAN, 3.0),  # A: 4 lots at 100, 2 at 101, 6 at 100.5; C: 3 at 103
    "slippage_pov": ((2 * 99 - 102 - 602 / 6) / 3, NAN, 3.0),  # A: the steps that end at 1 s and at 2 s
    "queue_left_fill": (1 / 6, NAN, NAN),  # 1 of 4 and 0 of 2
    "shortfall_impact": NONE,
    "shortfall_drift": NONE,
    # the ask at 102 was decided at 100 (seen at 1.4 s), arrived at 101, was filled at 101
    "shortfall_delay": (-1.0, 0.0, 0.0),
    "shortfall_timing": (0.0, 0.0, 0.0),
    "shortfall_spread": (-3.0, 0.0, 1.0),
    "shortfall_opportunity": (3 * 0.5 - 0.5, 0.0, 0.0),
    "parent_shortfall": NONE,  # no parent order: tests/report/test_parent.py
    "parent_shortfall_ticks": NONE,
    "completion": NONE,
    "implementation_shortfall": (1e4 * (-1 - 3 + 1 - 0.75) / 700, NAN, 1e4 / 101),
    "latency_cost": (-1 / 7, NAN, 0.0),
    # inventory: A holds 0, 2, 1, 1 over its four seconds
    "mean_abs_inventory": (1.0, 0.0, 0.5),
    "inventory_deviation": (np.sqrt(0.5), 0.0, 0.5),
    "max_abs_inventory": (2.0, 0.0, 1.0),
    "final_position": (1.0, 0.0, -1.0),
    "max_position": (2.0, 0.0, 0.0),
    "min_position": (0.0, 0.0, -1.0),
    "inventory_half_life": NONE,
    "zero_crossings": (0.0, 0.0, 0.0),
    "time_at_limit": (0.25, 0.0, 0.0),
    "inventory_risk": ((1 + 0.25) / 4 * 6, 0.0, 4 * 0.5),
    "inventory_foresight": NONE,
    # attribution
    "spread_captured": (3.0, 0.0, -1.0),
    "inventory_pnl": (1.5, 0.0, -2.0),
    "adverse_selection": (2 * 0.5 + 0.5, 0.0, -2.0),
    "position_pnl": (0.0, 0.0, 0.0),
    "liquidation": (-0.5, 0.0, 0.0),
    "fees": (-0.25, 0.0, 0.0),
    "fees_paid": (0.5, 0.0, 0.0),
    "rebates": (0.75, 0.0, 0.0),
    "pnl_low_volatility": (5.75, 0.0, NAN),
    "pnl_middle_volatility": (-0.5, 0.0, NAN),
    "pnl_high_volatility": (-1.0, 0.0, NAN),
    "pnl_tight_spread": (4.75, 0.0, -3.0),
    "pnl_wide_spread": (-0.5, 0.0, 0.0),  # the third second begins with a spread of 4
    "pnl_first_third": (5.75, 0.0, NAN),
    "pnl_second_third": (-0.5, 0.0, NAN),
    "pnl_last_third": (-1.0, 0.0, NAN),
    # significance: of sets only, but for one
    "iqm_pnl": NONE,
    "improvement": NONE,
    "difference": NONE,
    "p_value": NONE,
    "probabilistic_sharpe_ratio": NONE,
    "deflated_sharpe_ratio": NONE,
    "trials": NONE,
    "overfitting": NONE,
    "minimum_track_record_length": NONE,
    "effective_sample": (4 / (1 + 2 * RHO), 4.0, 1.0),
}


@pytest.mark.parametrize("name", list(METRICS))
def test_hand_computed_example(name):
    values = evaluate_metrics(three_episodes(), [name])[name]
    np.testing.assert_allclose(values, EXPECTED[name], rtol=1e-12, atol=1e-12)


def test_every_metric_is_data():
    assert set(EXPECTED) == set(METRICS)
    for name, m in METRICS.items():
        assert m.name == name
        assert m.group in GROUPS and m.unit and m.formula and m.source and m.label
        assert m.sign in (-1, 0, 1)
        text = m.function.__doc__
        assert text.count("Formula: ") == 1 and text.index("Formula: ") > 10  # what it says in words comes first
        assert text.endswith(f"Formula: {m.formula}\n\nUnit: {m.unit}\n\nSource: {m.source}")


def test_names_that_the_report_promises():
    promised = """total_pnl max_pnl min_pnl max_drawdown max_drawdown_pct sharpe_ratio sortino_ratio
        volatility win_rate avg_win avg_loss profit_factor final_position max_position min_position"""
    assert set(promised.split()) <= set(METRICS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("net_pnl", (4.25 + 0 - 3) / 3),
        ("pnl_per_share", (4.25 - 3) / 4),
        ("fill_rate", 4 / 8),
        ("maker_share", 3 / 4),
        ("win_rate", 2 / 5),
        ("profit_factor", 5.75 / 4.5),
        ("markout_1s", 5.5 / 3),
        ("markout_5s", NAN),
        ("drift_asymmetry", 0.5),
        ("certainty_equivalent", -100 * np.log(np.mean(np.exp(-0.01 * np.array([4.25, 0, -3]))))),
        ("episode_sharpe", np.mean([4.25, 0, -3]) / np.std([4.25, 0, -3], ddof=1)),
    ],
)
def test_pooling_over_episodes(name, expected):
    m, panel = METRICS[name], Panel(three_episodes())
    assert float(m.combine(m.parts(panel).sum(axis=0))) == pytest.approx(expected, nan_ok=True)


def test_attribution_sums_exactly():
    parts = attribution(Panel(three_episodes()))
    assert all(p.dtype == np.int64 for p in parts.values())
    total = sum(-parts[n] if n == "fees_paid" else parts[n] for n in PARTS)
    np.testing.assert_array_equal(total, [42_500, 0, -30_000])
    np.testing.assert_array_equal(parts["adverse_selection"] + parts["position_pnl"], parts["inventory_pnl"])


def test_attribution_that_does_not_sum_is_an_error():
    episodes = three_episodes()
    episodes.fills["fee"][0] += 1
    with pytest.raises(DataError, match=r"1 of 3 episodes.*seed 7"):
        summarise(episodes)


@pytest.mark.parametrize(("columns", "count"), [(0, 2), (1, 2), (0, 0), (1, 0), (5, 0)])
def test_empty_input_is_nan_and_never_an_error(columns, count):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, values in evaluate_metrics(no_episodes_columns(columns, count)).items():
            assert values.shape == (count,), name
            assert not np.isinf(values).any(), name
        summary = summarise(no_episodes_columns(columns, count))
    assert np.isnan(summary["sharpe_ratio"].value)
    assert np.isnan(summary["fill_rate"].value)


def test_no_infinity_in_any_estimate():
    for episodes in (three_episodes(), from_final_pnl("up", [1, 2, 3]), from_final_pnl("flat", [0, 0, 0])):
        for name, estimate in summarise(episodes, Bootstrap(200)).items():
            assert not np.isinf(estimate[:3]).any(), name


def test_equal_episodes_have_no_sharpe():
    assert np.isnan(summarise(from_final_pnl("same", [2.1] * 5), Bootstrap(50))["episode_sharpe"].value)


def test_interval_grid_follows_the_clock_not_the_decisions():
    """Decisions at irregular times: the increments are those of whole seconds, the last ends with the
    episode."""
    episodes = from_final_pnl("irregular", [3.0])
    object.__setattr__(episodes, "time", np.array([[0, 2_500_000_000]]))
    np.testing.assert_allclose(Panel(episodes).increments, [[0.0, 0.0, 3.0]])
    np.testing.assert_allclose(Panel(episodes, interval_s=10.0).increments, [[3.0]])


def test_annualisation_does_not_take_a_second_for_a_day():
    """The Sharpe ratio of one P&L path is about the same whether it is cut into seconds or half-seconds."""
    rng = np.random.default_rng(0)
    seconds = 5000
    path = np.concatenate([[0.0], np.cumsum(rng.normal(0.01, 1.0, 2 * seconds))])
    grid = np.arange(2 * seconds + 1) * 500_000_000
    episodes = from_final_pnl("long", [0.0])
    for name, value in (("time", grid[None]), ("equity", path[None])):
        object.__setattr__(episodes, name, value)
    fine, coarse = (METRICS["sharpe_ratio"].values(Panel(episodes, s))[0] for s in (0.5, 1.0))
    assert fine == pytest.approx(coarse, rel=0.1)
    daily = path[::2]
    expected = np.diff(daily).mean() / np.diff(daily).std(ddof=1) * np.sqrt(252 * 23_400)
    assert coarse == pytest.approx(expected)


def test_vectorised_equals_one_by_one():
    whole = evaluate_metrics(three_episodes())
    parts = three_episodes()
    for e in range(3):
        one = _only(parts, e)
        for name, values in evaluate_metrics(one).items():
            np.testing.assert_allclose(values[0], whole[name][e], rtol=1e-12, err_msg=name)


def _only(episodes, e):
    from dataclasses import replace

    def rows(log):
        mine = log[log["episode"] == e].copy()
        mine["episode"] = 0
        return mine

    paths = {
        n: getattr(episodes, n)[e : e + 1]
        for n in ("seeds", "steps", "time", "equity", "inventory", "mid", "rewards", "spread")
    }
    for name in ("imbalance", "market_volume"):
        paths[name] = getattr(episodes, name)[e : e + 1]
    return replace(
        episodes,
        **paths,
        terms={},
        fills=rows(episodes.fills),
        orders=rows(episodes.orders),
        mids=rows(episodes.mids),
    )


def test_unknown_and_double_names():
    with pytest.raises(ConfigError, match="did you mean 'sharpe_ratio'"):
        get("sharp_ratio")
    with pytest.raises(ConfigError, match="twice"):

        @metric("again", "returns", "1", "x", "y")
        def net_pnl(panel):
            return panel.net

    with pytest.raises(ConfigError, match="group"):

        @metric("odd", "return", "1", "x", "y")
        def odd(panel):
            return panel.net
