import warnings

import numpy as np
import pytest

from hft_gym.errors import ConfigError, DataError
from hft_gym.report import METRICS, Bootstrap, Panel, evaluate_metrics, metric, summarise
from hft_gym.report.metrics import GROUPS, get
from tests.report.examples import from_final_pnl, no_episodes_columns, three_episodes

NAN = float("nan")
YEAR = np.sqrt(252 * 23_400)
LOSS_RMS = np.sqrt((0.25 + 1.0) / 4)

# Metric -> its value in episodes A, B and C, each worked out in examples.py or by the formula beside it.
EXPECTED = {
    "net_pnl": (4.25, 0.0, -3.0),
    "total_pnl": (4.25, 0.0, -3.0),
    "max_pnl": (5.75, 0.0, 0.0),
    "min_pnl": (0.0, 0.0, -3.0),
    "pnl_per_share": (4.25 / 3, NAN, -3.0),
    "hit_rate": (1.0, 0.0, 0.0),
    "volatility": (2.125, 0.0, NAN),  # of 2.5, 3.25, -0.5, -1; C has a single interval
    "sharpe_ratio": (1.0625 / 2.125 * YEAR, NAN, NAN),
    "sortino_ratio": (1.0625 / LOSS_RMS * YEAR, NAN, -1.0 * YEAR),
    "win_rate": (0.5, NAN, 0.0),
    "avg_win": (2.875, NAN, NAN),
    "avg_loss": (-0.75, NAN, -3.0),
    "profit_factor": (5.75 / 1.5, NAN, 0.0),
    "max_drawdown": (1.5, 0.0, 3.0),
    "max_drawdown_pct": (100 * 1.5 / 105.75, 0.0, 3.0),
    "traded": (1.0, 0.0, 1.0),
    "orders": (3.0, 0.0, 1.0),
    "fills": (2.0, 0.0, 1.0),
    "volume": (3.0, 0.0, 1.0),
    "turnover": ((2 * 99 + 102) / 100, 0.0, 1.0),
    "fill_rate": (0.5, NAN, 1.0),
    "maker_share": (1.0, NAN, 0.0),
    "markout_1s": ((2 * 2 + 1.5) / 3, NAN, NAN),  # mids 101 at 2 s and 100.5 at 3 s; C ends too early
    "markout_5s": (NAN, NAN, NAN),
    "mean_abs_inventory": (1.0, 0.0, 0.5),  # A: 0, 2, 1, 1 over its four seconds
    "max_abs_inventory": (2.0, 0.0, 1.0),
    "final_position": (1.0, 0.0, -1.0),
    "max_position": (2.0, 0.0, 0.0),
    "min_position": (0.0, 0.0, -1.0),
    "spread_captured": (3.0, 0.0, -1.0),
    "inventory_pnl": (1.5, 0.0, -2.0),
    "liquidation": (-0.5, 0.0, 0.0),
    "fees": (-0.25, 0.0, 0.0),
    "episode_sharpe": (NAN, NAN, NAN),
}


@pytest.mark.parametrize("name", list(METRICS))
def test_hand_computed_example(name):
    values = evaluate_metrics(three_episodes(), [name])[name]
    np.testing.assert_allclose(values, EXPECTED[name], rtol=1e-12, atol=1e-12)


def test_every_metric_is_data():
    for name, m in METRICS.items():
        assert m.name == name and m.function.__name__ == name
        assert m.group in GROUPS and m.unit and m.formula and m.source and m.label
        assert m.function.__doc__ and m.sign in (-1, 0, 1)


def test_names_that_the_report_promises():
    promised = """total_pnl max_pnl min_pnl max_drawdown max_drawdown_pct sharpe_ratio sortino_ratio
        volatility win_rate avg_win avg_loss profit_factor final_position max_position min_position"""
    assert set(promised.split()) <= set(METRICS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("net_pnl", (4.25 + 0 - 3) / 3),
        ("pnl_per_share", (4.25 - 3) / 4),
        ("fill_rate", 4 / 7),
        ("maker_share", 3 / 4),
        ("win_rate", 2 / 5),
        ("profit_factor", 5.75 / 4.5),
        ("markout_1s", 5.5 / 3),
        ("markout_5s", NAN),
        ("episode_sharpe", np.mean([4.25, 0, -3]) / np.std([4.25, 0, -3], ddof=1)),
    ],
)
def test_pooling_over_episodes(name, expected):
    m, panel = METRICS[name], Panel(three_episodes())
    assert float(m.combine(m.parts(panel).sum(axis=0))) == pytest.approx(expected, nan_ok=True)


def test_attribution_sums_exactly():
    panel = Panel(three_episodes())
    parts = panel.attribution
    assert all(p.dtype == np.int64 for p in parts.values())
    total = parts["spread_captured"] + parts["inventory"] + parts["liquidation"] - parts["fees"]
    np.testing.assert_array_equal(total, [42_500, 0, -30_000])
    panel.check_attribution()


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
        for n in ("seeds", "steps", "time", "equity", "inventory", "mid", "rewards")
    }
    return replace(
        episodes,
        **paths,
        terms={},
        fills=rows(episodes.fills),
        orders=rows(episodes.orders),
        mids=rows(episodes.mids),
    )


def test_thousand_episodes_are_quick():
    """1,000 episodes of 1,000 decisions with 100 fills each: every metric well below two seconds."""
    import time
    from dataclasses import replace

    rng = np.random.default_rng(1)
    n, t, f = 1000, 1000, 100
    base = from_final_pnl("many", np.zeros(n))
    fills = np.repeat(base.fills[::2], f)
    fills["time"] = np.sort(rng.integers(0, 100 * 10**9, (n, f)), axis=1).ravel()
    fills["side"] = np.tile([0, 1], n * f // 2)
    fills["fee"] = 0
    grid = np.tile(np.arange(t + 1) * 100_000_000, (n, 1))
    many = replace(
        base,
        time=grid,
        equity=np.zeros((n, t + 1)),
        inventory=np.zeros((n, t + 1), np.int64),
        mid=np.full((n, t + 1), 100.0),
        rewards=np.zeros((n, t)),
        fills=fills,
    )
    start = time.perf_counter()
    evaluate_metrics(many)
    assert time.perf_counter() - start < 2.0


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
