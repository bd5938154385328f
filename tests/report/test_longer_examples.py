"""Metrics that the three short episodes leave undefined, on examples of their own; and what the real market says."""

from dataclasses import replace

import numpy as np
import pytest

from hft_gym.errors import ConfigError, DataError
from hft_gym.evaluation.episodes import FILL_DTYPE, MID_DTYPE, ORDER_DTYPE, Episodes
from hft_gym.market.records import EndReason
from hft_gym.report import METRICS, Panel, PerformanceMetrics, Session, attribution_table, evaluate_metrics
from hft_gym.report.trips import round_trips
from tests.report.examples import ASK, BID, S, fill, from_final_pnl, mid, no_episodes_columns, order, three_episodes


def episode(seconds, fills=(), orders=(), mids=((0, 200),), equity=None, **more):
    """One episode of whole seconds with a decision at each."""
    shape = (1, seconds + 1)
    return Episodes(
        name="one",
        seeds=np.array([1]),
        steps=np.array([seconds]),
        time=np.arange(seconds + 1)[None] * S,
        equity=np.zeros(shape) if equity is None else np.array([equity], float),
        inventory=np.zeros(shape, np.int64),
        mid=np.full(shape, 100.0),
        rewards=np.zeros((1, seconds)),
        fills=np.concatenate(fills) if fills else np.zeros(0, FILL_DTYPE),
        orders=np.concatenate(orders) if orders else np.zeros(0, ORDER_DTYPE),
        mids=np.concatenate([mid(0, t, m) for t, m in mids]) if mids else np.zeros(0, MID_DTYPE),
        **more,
    )


def value(name, episodes, **companions):
    return METRICS[name].values(Panel(episodes, **companions))[0]


# -- markouts and impact -------------------------------------------------------------------------------------


def test_markouts_at_long_horizons_and_against_the_micro_price():
    """Bought 2 at 101 when the mid was 100; the mid is 102 from 8 s on and 99 from 20 s on."""
    one = episode(
        70, [fill(0, 4, BID, 2, 101, 200, maker=False, order_id=1)], mids=[(0, 200), (8, 204), (20, 198)],
        spread=np.full((1, 71), 2.0), imbalance=np.full((1, 71), 0.5),
    )  # fmt: skip
    assert value("markout_100ms", one) == -1.0  # a millisecond label, 100 at 4.1 s
    assert value("markout_5s", one) == 1.0
    assert value("markout_15s", one) == 1.0
    assert value("markout_60s", one) == -2.0
    assert value("markout_close", one) == -2.0
    # At 9 s the decision grid has the mid 100 (the example's flat path), weighted by 0.5 of half a spread of 2.
    assert value("markout_micro_5s", one) == value("markout_micro_60s", one) == 100.5 - 101
    assert np.isnan(value("markout_300s", one))
    long = episode(310, [fill(0, 4, BID, 2, 101, 200, maker=False, order_id=1)], mids=[(0, 200), (300, 210)])
    assert value("markout_300s", long) == 4.0


def test_effective_spread_is_realised_spread_and_impact_to_the_last_bit():
    rng = np.random.default_rng(0)
    rows = [
        fill(0, t, rng.integers(0, 2), rng.integers(1, 5), rng.integers(95, 105), rng.integers(195, 205), order_id=1)
        for t in np.sort(rng.uniform(0, 60, 200))
    ]
    moves = [(t, rng.integers(190, 210)) for t in np.sort(rng.uniform(0, 60, 300))]
    one = episode(60, rows, mids=[(0, 200), *moves])
    found = evaluate_metrics(one, ["effective_spread", "realised_spread_5s", "price_impact_5s"])
    assert found["effective_spread"][0] == pytest.approx(
        found["realised_spread_5s"][0] + found["price_impact_5s"][0], abs=1e-12
    )
    assert abs(found["price_impact_5s"][0]) > 0.01


def test_own_impact_is_what_the_same_seed_does_without_the_strategy():
    """With the strategy's purchase the mid goes to 102, without it to 100.5; at the end both stand at 101."""
    one = episode(20, [fill(0, 4, BID, 3, 101, 200, maker=False, order_id=1)], mids=[(0, 200), (4, 204), (15, 202)])
    idle = episode(20, mids=[(0, 200), (6, 201), (16, 202)])
    assert value("own_impact_5s", one, counterfactual=idle) == (102 - 100) - (100.5 - 100)
    assert value("own_impact_close", one, counterfactual=idle) == (101 - 100) - (101 - 100)
    assert value("own_impact_5s", one, counterfactual=one) == (102 - 100) - (102 - 100)
    with pytest.raises(ConfigError, match="played different seeds"):
        Panel(one, counterfactual=replace(idle, seeds=np.array([2])))


def test_timing_is_own_impact_and_drift():
    """Bought 3: the mid is 100 when the order arrives and 102 before its fill; without it 100.5 by then."""
    sent = order(0, 1, BID, 3, 3, 103, 2.0, 2.2, 6, EndReason.FILLED)
    one = episode(20, [fill(0, 6, BID, 3, 103, 204, maker=False, order_id=1)], [sent], mids=[(0, 200), (4, 204)])
    idle = episode(20, mids=[(0, 200), (5, 201)])
    assert value("shortfall_timing", one) == 3 * 2
    assert value("shortfall_impact", one, counterfactual=idle) == 3 * (2 - 0.5)
    assert value("shortfall_drift", one, counterfactual=idle) == 3 * 0.5
    assert np.isnan(value("shortfall_impact", one))


def test_a_level_that_is_gone_a_second_later():
    """Bought 3 at 99 and 1 at 98: a second later the bid is 98. Sold 2 at 101: the ask still is there."""
    fills = [
        fill(0, 3.5, BID, 3, 99, 200, order_id=1), fill(0, 3.6, BID, 1, 98, 200, order_id=2),
        fill(0, 3.7, ASK, 2, 101, 200, order_id=3),
    ]  # fmt: skip
    one = episode(8, fills, spread=np.array([[2, 2, 2, 2, 3.0, 9, 9, 9, 9]]))
    one = replace(one, mid=np.array([[100, 100, 100, 100, 99.5, 90, 90, 90, 90.0]]))
    assert value("depleted_fill_share", one) == 3 / 6


def test_adverse_fills():
    """Bought 3, and the mid fell within a second; sold 1, and it fell as well, which is to the good."""
    one = episode(
        20, [fill(0, 4, BID, 3, 99, 200, order_id=1), fill(0, 8, ASK, 1, 101, 199, order_id=2)],
        mids=[(0, 200), (4.5, 199), (8.5, 198)],
    )  # fmt: skip
    assert value("adverse_fill_share", one) == 3 / 4


# -- inventory -----------------------------------------------------------------------------------------------


def inventory(seconds, *changes, mids=((0, 200),)):
    """(time, signed lots) at price 100, without spread or fee."""
    rows = [fill(0, t, BID if q > 0 else ASK, abs(q), 100, 200, order_id=1) for t, q in changes]
    one_order = order(0, 1, BID, 100, 100, 100, 0, 0, seconds, EndReason.FILLED)
    return episode(seconds, rows, [one_order], mids=mids)


def test_zero_crossings_ignore_the_time_at_zero():
    one = inventory(1800, (1, 2), (2, -2), (3, -1), (4, 3), (5, -1), (6, 1))  # 2, 0, -1, 2, 1, 2
    assert value("zero_crossings", one) == 2 / 0.5  # twice in half an hour


def test_half_life_is_that_of_the_autoregression():
    positions = [4, 2, 1, 1, -2, -1, 0, 3, 2, 1]
    changes = [(t + 0.5, q) for t, q in enumerate(np.diff([0, *positions])) if q]
    one = inventory(10, *changes)
    path = np.array([0, *positions], float)
    rho = np.corrcoef(path[:-1], path[1:])[0, 1]
    assert 0 < rho < 1
    assert value("inventory_half_life", one) == pytest.approx(-np.log(2) / np.log(rho))
    back_and_forth = inventory(4, (0.5, 1), (1.5, -2), (2.5, 2), (3.5, -2))
    assert METRICS["inventory_half_life"].reasons(Panel(back_and_forth)) == ["the position does not revert to a mean"]


def test_foresight_is_the_correlation_with_the_move_to_come():
    rng = np.random.default_rng(1)
    steps = rng.integers(-1, 2, 40)
    moves = 200 + np.concatenate([[0], np.cumsum(rng.integers(-3, 4, 40))])
    changes = [(t + 0.5, int(q)) for t, q in enumerate(steps) if q]
    one = inventory(40, *changes, mids=[(t, m) for t, m in enumerate(moves)])
    held = np.concatenate([[0], np.cumsum(steps)])
    expected = np.corrcoef(held[:-5], moves[5:] - moves[:-5])[0, 1]
    assert value("inventory_foresight", one) == pytest.approx(expected)


# -- drawdown ------------------------------------------------------------------------------------------------


def test_recovery_time_and_longest_drawdown():
    """Peak 3 at 2 s, deepest at 4 s, back at 7 s; a second, shallower fall of a peak of 4 lasts 3 s."""
    equity = [0, 1, 3, 2, 0, 1, 2.5, 3, 4, 3.5, 3.5, 4.5]
    fills = [fill(0, 0.5, BID, 1, 100, 200, order_id=1), fill(0, 11, ASK, 1, 100, 200, fee=-45_000, closing=True)]
    one = episode(11, fills, equity=equity)
    assert value("recovery_time", one) == 3.0
    assert value("max_drawdown_duration", one) == 5.0
    assert value("max_drawdown", one) == 3.0
    assert value("time_under_water", one) == 6 / 11
    lost = episode(3, equity=[0, 2, 0, 1])
    assert "did not come back" in METRICS["recovery_time"].reasons(Panel(lost))[0]
    assert value("max_drawdown_duration", lost) == 2.0


# -- round trips ---------------------------------------------------------------------------------------------


def by_queue(fills):
    """First in, first out with a queue, lot by lot: (lots held long or short, bought at, sold at, held ns)."""
    open_lots, done = [], []
    for row in fills:
        side, price, time = int(row["side"]), int(row["price"]), int(row["time"])
        for _ in range(int(row["quantity"])):
            if open_lots and open_lots[0][0] != side:
                _, other_price, since = open_lots.pop(0)
                bought, sold = (price, other_price) if side == BID else (other_price, price)
                done.append((bought, sold, time - since))
            else:
                open_lots.append((side, price, time))
    return sorted(done)


@pytest.mark.parametrize("seed", range(5))
def test_round_trips_are_those_of_a_queue(seed):
    rng = np.random.default_rng(seed)
    rows = [
        fill(e, t, rng.integers(0, 2), rng.integers(1, 6), rng.integers(90, 110), 200)
        for e in range(4)
        for t in np.sort(rng.uniform(0, 1, rng.integers(0, 30)))
    ]
    base = from_final_pnl("x", np.zeros(4))
    episodes = replace(base, fills=np.concatenate(rows))
    trips = round_trips(Panel(episodes))
    for e in range(4):
        mine = trips.episode == e
        found = [
            (int(b), int(s), int(h))
            for n, b, s, h in zip(*(c[mine] for c in trips[1:]), strict=True)
            for _ in range(int(n))
        ]
        assert sorted(found) == by_queue(episodes.fills[episodes.fills["episode"] == e])


# -- survival ------------------------------------------------------------------------------------------------


def test_survival_treats_cancels_as_censored():
    """The example of Kaplan & Meier: without censoring it is the share filled; with it, cancels leave the risk set."""

    def fills_at(*ages, cancelled=()):
        rows = [order(0, i + 1, BID, 1, 1, 99, 0, 0, a, EndReason.FILLED, 5) for i, a in enumerate(ages)]
        rows += [
            order(0, 50 + i, BID, 1, 0, 99, 0, 0, a, EndReason.CANCELLED, 5, True) for i, a in enumerate(cancelled)
        ]
        return episode(60, orders=rows)

    assert value("fill_probability_1s", fills_at(0.2, 0.4, 3, 20)) == pytest.approx(0.5)
    assert value("fill_probability_10s", fills_at(0.2, 0.4, 3, 20)) == pytest.approx(0.75)
    # Two cancels at 0.3 leave 3 at risk at 0.4: 1 - (5/6)(2/3); counted as unfilled they would give 2/6.
    censored = fills_at(0.2, 0.4, 3, 20, cancelled=(0.3, 0.3))
    assert value("fill_probability_1s", censored) == pytest.approx(1 - 5 / 6 * 2 / 3)
    assert value("time_to_fill", censored) == 3.0  # (5/6)(2/3)(1/2) < 1/2
    # Fills come before cancels of the same age.
    assert value("fill_probability_1s", fills_at(0.5, cancelled=(0.5, 2))) == pytest.approx(1 / 3)
    never = fills_at(cancelled=(0.5, 2))
    assert value("fill_probability_1s", never) == 0.0
    # Quotes that never rest 10 s say nothing of 10 s, unless all have filled by then.
    assert METRICS["fill_probability_10s"].reasons(Panel(never)) == ["no order rested longer than 10 s"]
    assert value("fill_probability_10s", fills_at(0.5, 2)) == 1.0
    assert METRICS["time_to_fill"].reasons(Panel(never)) == ["fewer than half of the resting orders fill"]


# -- reasons -------------------------------------------------------------------------------------------------


def cases():
    yield from (three_episodes(), from_final_pnl("up", [1, 2, 3]), from_final_pnl("flat", [0, 0, 0]))
    yield from (no_episodes_columns(c, n) for c, n in [(0, 2), (1, 2), (0, 0), (1, 0), (5, 2)])
    yield inventory(10, (1, 2), (4, -2))
    yield episode(3, equity=[0, 2, 0, 1])
    yield replace(three_episodes(), spread=None, imbalance=None, market_volume=None, capital=float("nan"), config={})


@pytest.mark.parametrize("i", range(11))
def test_every_nan_has_its_reason_and_nothing_else_has_one(i):
    panel = Panel(list(cases())[i])
    for name, m in METRICS.items():
        values, why = m.values(panel), m.reasons(panel)
        assert not np.isinf(values).any(), name
        for v, reason in zip(values, why, strict=True):
            assert bool(reason) == bool(np.isnan(v)), (name, v, reason)


def test_reasons_of_whole_sets():
    metrics = PerformanceMetrics(three_episodes())
    assert metrics.reason("net_pnl") is None
    assert metrics.reason("markout_5s") == "no fill 5 s or more before the end"
    assert metrics.reason("sharpe_ratio", 1) == "P&L is the same in every clock interval"
    assert metrics.reason("sharpe_ratio", 2) == "fewer than two clock intervals"
    assert metrics.reason("sharpe_ratio", 0) is None
    assert metrics.reason("own_impact_5s") == "no counterfactual was played (the same seeds without own orders)"
    assert metrics.reason("pnl_per_share", 1) == "no ordinary fill"
    same = PerformanceMetrics(from_final_pnl("same", [2.0] * 4))
    assert same.reason("episode_sharpe") == "net P&L is the same in every episode"
    assert same.reason("probabilistic_sharpe_ratio") == "net P&L is the same in every episode"
    assert PerformanceMetrics(from_final_pnl("one", [2.0])).reason("episode_sharpe") == "fewer than two episodes"
    assert "not above zero" in PerformanceMetrics(from_final_pnl("down", [-1, -2, -3])).reason(
        "minimum_track_record_length"
    )
    for name, found in metrics.items():
        assert bool(metrics.reason(name)) == bool(np.isnan(found.value)), name


def test_logs_that_do_not_fit_together_are_an_error():
    broken = three_episodes()
    broken.fills["order_id"][0] = 77
    with pytest.raises(DataError, match="a fill of order 77, which is not in the order log"):
        evaluate_metrics(broken, ["shortfall_delay"])
    with pytest.raises(DataError, match="no record of the mid"):
        evaluate_metrics(replace(three_episodes(), mids=np.zeros(0, MID_DTYPE)), ["markout_1s"])


# -- the class, the session, the tables ----------------------------------------------------------------------


def test_performance_metrics_is_a_mapping():
    import hft_gym

    assert hft_gym.PerformanceMetrics is PerformanceMetrics and hft_gym.METRICS is METRICS
    metrics = PerformanceMetrics().of(three_episodes())
    assert list(metrics) == list(METRICS) and len(metrics) == len(METRICS) and "net_pnl" in metrics
    assert metrics["net_pnl"].value == pytest.approx(1.25 / 3)
    np.testing.assert_array_equal(metrics.values_of("net_pnl"), [4.25, 0, -3])
    frame = metrics.to_frame(["execution", "net_pnl"])
    assert frame.loc["markout_5s", "reason"] and frame.loc["net_pnl", "reason"] == ""
    assert set(frame["group"]) == {"returns", "execution"}
    with pytest.raises(ConfigError, match="did you mean 'net_pnl'"):
        metrics["net_pnll"]
    with pytest.raises(DataError, match="no episodes yet"):
        PerformanceMetrics()["net_pnl"]
    with pytest.raises(ConfigError, match="interval_s: must be above 0, got 0"):
        PerformanceMetrics(three_episodes(), interval_s=0)


def test_annual_figures_know_the_session():
    crypto = Session(86_400, 365)
    usual, always = (PerformanceMetrics(three_episodes(), session=s) for s in (None, crypto))
    ratio = np.sqrt(365 * 86_400 / (252 * 23_400))
    for name in ("sharpe_ratio", "sortino_ratio", "sharpe_newey_west"):
        assert always.values_of(name)[0] == pytest.approx(usual.values_of(name)[0] * ratio)
    assert always.values_of("calmar_ratio")[0] == pytest.approx(usual.values_of("calmar_ratio")[0] * 86_400 / 23_400)
    with pytest.raises(ConfigError, match="session seconds: must be above 0, got 0"):
        Session(0)


def test_attribution_by_policy_symbol_and_seed():
    runs = [three_episodes("a"), replace(three_episodes("a"), symbol="X"), replace(three_episodes("b"), symbol="X")]
    for by in (["policy"], ["symbol"], ["policy", "symbol"], ["seed"], ["policy", "seed"]):
        table = attribution_table(runs, by)
        assert (table.dtypes == np.int64).all()
        parts = table["spread_captured"] + table["adverse_selection"] + table["position_pnl"]
        parts += table["rebates"] - table["fees_paid"] + table["liquidation"]
        assert (parts == table["net_pnl"]).all() and table["net_pnl"].sum() == 3 * 12_500
    assert attribution_table(runs, ["symbol"]).loc["X", "episodes"] == 6
    assert attribution_table(runs, ["seed"]).loc[7, "net_pnl"] == 3 * 42_500
    with pytest.raises(ConfigError, match="did you mean 'symbol'"):
        attribution_table(runs, ["symbols"])
