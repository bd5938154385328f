"""`RiskManager`: value at risk by hand and against the normal law, drawdowns, limits used, live and afterwards."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest

from baselines.join_touch import JoinTouch
from hft_gym import ConfigError, ExecutionSimulator, Market, OrderError, OrderSide, Portfolio, RiskError, RiskManager
from hft_gym.market import RiskMode, RiskReason
from hft_gym.portfolio import risk
from hft_gym.portfolio.usage import _most_at_once, _most_within
from hft_gym.report import PerformanceMetrics

BID, ASK = OrderSide.BID, OrderSide.ASK
S = 1_000_000_000


def test_docstring() -> None:
    assert doctest.testmod(risk).failed == 0


def test_value_at_risk_of_two_symbols_by_hand() -> None:
    """What is held now goes through the joint past moves; what was held then plays no part."""
    rng = np.random.default_rng(1)
    a, b = 100 + np.cumsum(rng.normal(0, 1, 201)).round(2), 50 + np.cumsum(rng.normal(0, 2, 201)).round(2)
    book = Portfolio()
    for i in range(201):
        book.mark("A", float(a[i]), i * S)
        book.mark("B", float(b[i]), i * S)
    book.apply_fill("A", BID, 10, float(a[-1]), time=200 * S)
    book.apply_fill("B", ASK, 3, float(b[-1]), time=200 * S)
    state = RiskManager(book, confidence=0.9).state()
    moves = 10 * np.diff(a) - 3 * np.diff(b)
    assert state.observations == 200
    assert state.value_at_risk == pytest.approx(-np.quantile(moves, 0.1))
    assert state.net_exposure == pytest.approx(10 * a[-1] - 3 * b[-1])
    assert state.gross_exposure == pytest.approx(10 * a[-1] + 3 * b[-1]) == state.notional
    assert (state.equity, state.mode, state.limits, state.unit) == (100_000.0, None, (), "currency")
    normal = RiskManager(book, confidence=0.9, method="parametric").state()
    assert normal.value_at_risk == pytest.approx(1.2815515655446004 * moves.std(ddof=1) - moves.mean())
    twice = RiskManager(book, confidence=0.9, horizon_ns=2 * S).state()
    assert twice.observations == 100


def test_historical_agrees_with_the_normal_law() -> None:
    """Of 20,000 normal changes with deviation 3 the 99 % loss is 3 · 2.326; other quantiles are not."""
    steps = np.random.default_rng(2).normal(0, 3, 20_000)
    time = np.arange(20_001) * S
    equity = np.concatenate([[0], np.cumsum(steps)])
    for method in ("historical", "parametric"):
        found = RiskManager.of_series(time, equity, confidence=0.99, method=method).state().pnl_at_risk
        assert found == pytest.approx(3 * 2.3263, rel=0.05)
        other = RiskManager.of_series(time, equity, confidence=0.95, method=method).state().pnl_at_risk
        assert other != pytest.approx(3 * 2.3263, rel=0.05)
    four = RiskManager.of_series(time, equity, confidence=0.99, horizon_ns=4 * S).state()
    assert four.observations == 5_000 and four.pnl_at_risk == pytest.approx(2 * 3 * 2.3263, rel=0.1)


def test_drawdown_and_what_cannot_be_said() -> None:
    watch = RiskManager.of_series([0, 1, 2, 3, 4], [0.0, 5.0, 2.0, 6.0, 5.5], unit="EUR")
    state = watch.state()
    assert (state.drawdown, state.max_drawdown, state.equity, state.time) == (0.5, 3.0, 5.5, 4)
    assert np.isnan([state.value_at_risk, state.pnl_at_risk, state.net_exposure, state.notional]).all()
    assert set(state.reasons) == {"value_at_risk", "pnl_at_risk", "net_exposure", "gross_exposure", "notional"}
    assert "fewer than the 20" in state.reasons["pnl_at_risk"]
    assert list(watch.to_frame()["drawdown"]) == [0, 0, 3, 0, 0.5]
    assert "5.50 EUR" in watch.report() and "fewer than the 20" in watch.report()
    empty = RiskManager.of_series([], []).state()
    assert np.isnan(empty.max_drawdown) and empty.time is None and "nothing was seen" in empty.reasons["drawdown"]
    assert np.isnan(RiskManager(Portfolio()).state().max_drawdown)
    loss = RiskManager(Portfolio(initial_cash=100))  # the fall from the start counts
    loss._watched.portfolio.apply_fill("A", BID, 1, 10, fee=3)  # type: ignore[attr-defined]
    assert (loss.state().drawdown, loss.state().max_drawdown) == (3, 3)


def test_a_market_live() -> None:
    limits = {
        "max_position": 10,
        "max_order_size": 6,
        "max_notional": 100_000.0,
        "max_open_orders": 4,
        "max_order_rate": 5,
        "max_cancel_rate": 4,
        "max_loss": 50.0,
        "max_drawdown": 50.0,
        "on_breach": "reduce-only",
    }
    market = Market({"risk": limits, "fees": {"taker": 1.0}}, seed=4)
    watch = RiskManager(market)
    assert all(use.used == 0 for use in watch.state().limits) and len(watch.state().limits) == 8
    market.submit(1, BID, 4)
    market.run_for(10_000_000)
    far = market.best(BID)
    assert far is not None
    order = market.submit(1, BID, 3, price=far - 50)
    market.submit(1, ASK, 2, price=far + 90)
    market.cancel(1, order)
    state = watch.state()
    account, used = market.account(1), {use.limit: use for use in state.limits}
    assert used["max_position"].used == 7 and used["max_position"].share == 0.7  # a cancel in flight still counts
    assert used["max_order_size"].used == 3 and used["max_open_orders"].used == 2
    assert used["max_order_rate"].used == 3 and used["max_cancel_rate"].used == 1
    assert used["max_notional"].used == 7 * account.mid == state.notional
    assert used["max_loss"].used == -account.equity > 0 and used["max_drawdown"].used >= used["max_loss"].used
    assert state.net_exposure == state.gross_exposure == 4 * account.mid
    assert state.drawdown == -account.equity and state.mode is RiskMode.NORMAL
    with pytest.raises(RiskError):
        market.submit(1, BID, 4, price=far - 50)
    state = watch.state()
    assert state.mode is RiskMode.REDUCE_ONLY and state.breaches == {RiskReason.POSITION: 1}
    assert "REDUCE_ONLY" in watch.report() and "breaches of POSITION" in watch.report()
    market.run_for(S)
    assert {use.limit: use.used for use in watch.state().limits}["max_order_rate"] == 0  # the window has passed
    frame = watch.to_frame()
    assert list(frame["time"]) == sorted(set(frame["time"])) and frame["position SIM"].iloc[-1] == 4


def test_episodes_afterwards() -> None:
    limits: dict[str, Any] = {"max_position": 2, "max_order_size": 5, "max_open_orders": 2, "max_drawdown": 1e6}
    market = {"risk": {**limits, "max_order_rate": 1, "rate_window_ns": 10**8}}
    done = ExecutionSimulator(episode_steps=400, market=market).run(JoinTouch(), seeds=[1, 2])
    state, episodes = done.risk.state(), done.episodes
    used = {use.limit: use for use in state.limits}
    assert used["max_position"].used == np.abs(episodes.inventory).max() <= 2
    assert used["max_order_size"].used == 1 and used["max_open_orders"].share == 1.0 == used["max_order_rate"].share
    assert state.breaches[RiskReason.ORDER_RATE] > 0 and state.mode is RiskMode.NORMAL  # it refuses, no more
    metrics = PerformanceMetrics(episodes)
    assert state.max_drawdown == max(metrics.values_of("max_drawdown"))
    assert state.max_drawdown == used["max_drawdown"].used
    # One second a change, 40 to an episode, as the metric of the report counts them.
    steps = np.concatenate([np.diff(row[::10]) for row in episodes.equity])
    assert state.observations == len(steps) and state.pnl_at_risk == pytest.approx(-np.quantile(steps, 0.05))
    assert np.isnan(state.value_at_risk) and len(done.risk.to_frame()) == 2 * 401
    free = ExecutionSimulator(episode_steps=5).run(JoinTouch(), seeds=[1]).risk.state()
    assert free.limits == () and free.mode is None


def test_counts_of_the_logs() -> None:
    rows = np.zeros(4, [("episode", "i8"), ("time_sent", "i8"), ("time_end", "i8")])
    rows["episode"], rows["time_sent"], rows["time_end"] = [0, 0, 0, 1], [0, 5, 10, 0], [10, 20, 30, 99]
    assert _most_at_once(rows) == 2  # at 10 one ends before another is sent
    assert _most_within(rows["episode"], rows["time_sent"], 5) == 1
    assert _most_within(rows["episode"], rows["time_sent"], 6) == 2
    assert _most_within(rows["episode"], rows["time_sent"], 11) == 3
    assert _most_at_once(rows[:0]) == _most_within(rows["episode"][:0], rows["time_sent"][:0], 5) == 0


def test_bad_input() -> None:
    with pytest.raises(ConfigError, match="allowed are Market, Portfolio, Episodes"):
        RiskManager(3)  # type: ignore[arg-type]
    with pytest.raises(OrderError, match="participant is 2"):
        RiskManager(Market(), 2)
    for bad in ({"confidence": 1.0}, {"horizon_ns": 0}, {"method": "histrical"}, {"confidense": 0.9}):
        with pytest.raises(ConfigError):
            RiskManager.of_series([0], [0.0], **bad)
    for time, equity in (([0, 1], [0.0]), ([1, 0], [0.0, 0.0]), ([0], [np.nan])):
        with pytest.raises(ConfigError):
            RiskManager.of_series(time, equity)
