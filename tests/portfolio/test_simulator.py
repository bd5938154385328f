"""`ExecutionSimulator`: both faces get the same fills from the same market; portfolios tie out with the episodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines import get, make, names
from baselines.join_touch import JoinTouch
from hft_gym import (
    ConfigError,
    EnvConfig,
    ExecutionSimulator,
    Order,
    OrderError,
    OrderSide,
    OrderType,
    PriceError,
    QuantityError,
    SymbolError,
)
from hft_gym.envs.vector import HFTMarketVectorEnv
from hft_gym.evaluation import evaluate
from hft_gym.feed import BinanceDataFeed, DataFeedConfig, MockDataFeed
from tests.data_files import shared_lobster

BID, ASK = OrderSide.BID, OrderSide.ASK
SETTINGS: dict[str, Any] = {
    "episode_steps": 150,
    "market": {"fees": {"maker": -0.1, "taker": 0.3}, "latency": {"order_ns": 2_000_000, "market_data_ns": 1_000_000}},
}


def same(a: Any, b: Any) -> None:
    for name in ("steps", "time", "inventory", "fills", "orders", "mids"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    for name in ("equity", "mid", "spread", "imbalance", "rewards"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-9, err_msg=name)


@pytest.mark.parametrize("clock", ["time", "event"])
def test_both_faces_get_the_same_fills(clock: str) -> None:
    simulator = ExecutionSimulator(SETTINGS, clock=clock, max_position=3)
    seen = simulator.run(JoinTouch(), seeds=[3, 4], face="predict").episodes
    told = simulator.run(JoinTouch(), seeds=[3, 4], face="snapshots").episodes
    assert len(seen.fills) > 15 and not seen.fills["maker"].all()  # the close takes
    same(seen, told)


@pytest.mark.parametrize("name", [n for n in names() if "market-making" in get(n).tasks and n != "do-nothing"])
def test_every_baseline_trades_by_either_face(name: str) -> None:
    """Takers want the same orders by both. Makers' prices are not all on the environment's menu of quotes, and the
    draws of ``random`` are over it.
    """
    simulator = ExecutionSimulator({**SETTINGS, "episode_steps": 200})
    scale = HFTMarketVectorEnv(1, simulator.config)
    seen, told = (
        simulator.run(make(name, scale), seeds=[3, 4], face=face).episodes  # type: ignore[arg-type]
        for face in ("predict", "snapshots")
    )
    for episodes in (seen, told):
        assert not episodes.fills["closing"].all() and len(episodes.fills)
    if "liquidity-taking" in get(name).tasks and name != "random":
        same(seen, told)


def test_the_comparison_above_can_fail() -> None:
    simulator = ExecutionSimulator(SETTINGS)
    seen = simulator.run(JoinTouch(), seeds=[3], face="predict").episodes
    late = ExecutionSimulator(SETTINGS, market={"latency": {"order_ns": 3_000_000}})
    with pytest.raises(AssertionError):
        same(seen, late.run(JoinTouch(), seeds=[3], face="snapshots").episodes)


def test_predict_is_evaluate() -> None:
    config = EnvConfig(**SETTINGS)
    same(ExecutionSimulator(config).run(JoinTouch(), seeds=[3]).episodes, evaluate(JoinTouch(), config, [3]))


@pytest.mark.parametrize("face", ["predict", "snapshots"])
def test_the_portfolio_ties_out_with_the_episode(face: Any) -> None:
    done = ExecutionSimulator(SETTINGS, initial_cash=5_000.0).run(JoinTouch(), seeds=[3, 4], face=face)
    for e in range(2):
        book = done.portfolio_of(e)
        assert book.positions == {} and book.fees != 0
        assert book.equity - 5_000 == pytest.approx(done.episodes.net_pnl[e] * 0.01, abs=1e-9)
        marks = book.history().query("event == 'mark'")
        path = done.episodes.equity[e] * 0.01
        np.testing.assert_allclose(marks["equity"].to_numpy()[:-1] - 5_000, path[:-1], atol=1e-9)
    assert len(done.fills()) == len(done.portfolio.trades()) + len(done.portfolio_of(1).trades())
    assert done.metrics["net_pnl"].value == pytest.approx(done.episodes.net_pnl.mean())


def test_a_parent_order_is_a_position_at_the_start() -> None:
    simulator = ExecutionSimulator(task="execution", episode_steps=60)
    done = simulator.run(make("twap"), seeds=[1])
    assert abs(done.episodes.inventory[0, 0]) == 50
    gain = done.portfolio.equity - done.portfolio.initial_cash
    assert gain == pytest.approx(done.episodes.net_pnl[0] * 0.01, abs=1e-9) != 0


class Once:
    """Buys three at market first, then quotes one bid and one ask far away."""

    symbol = "XYZ"

    def __init__(self) -> None:
        self.calls, self.filled, self.others = 0, 0, 0

    def on_fill(self, side: OrderSide, volume: int) -> None:
        self.filled += volume if side == BID else -volume

    def on_trade(self, side: OrderSide, volume: int) -> None:
        self.others += volume

    def on_market_update(self, snapshot: Any, timestamp: int) -> list[Order]:
        self.calls += 1
        if self.calls == 1:
            return [Order.create_market_order("XYZ", BID, 3)]
        bid, ask = round(snapshot.mid_price - 0.5, 2), round(snapshot.mid_price + 0.5, 2)
        return [Order.create_limit_order("XYZ", s, 1, p) for s, p in ((BID, bid), (ASK, ask))]


def test_a_strategy_of_ones_own() -> None:
    strategy = Once()
    done = ExecutionSimulator(episode_steps=100).run(strategy, seeds=[5])
    assert done.episodes.name == "Once" and done.episodes.symbol == "XYZ" and strategy.calls == 100
    assert strategy.filled == 3 and strategy.others > 0  # of the close it is not told: all is over
    assert done.portfolio.trades()["quantity"].sum() == 6
    assert (done.episodes.inventory[0, 3:-1] == 3).all()


def test_the_position_limit_cuts_and_the_risk_limits_refuse() -> None:
    done = ExecutionSimulator(episode_steps=5, max_position=2).run(Once(), seeds=[5])
    assert done.episodes.inventory.max() == 2
    done = ExecutionSimulator(episode_steps=5, market={"risk": {"max_order_size": 2}}).run(Once(), seeds=[5])
    assert done.episodes.inventory.max() == 0 and len(done.fills()) == 0
    assert (done.episodes.orders["order_id"] == -1).sum() == 1


class Planned:
    """Wants what a plan says: at each update some orders, at market or so many ticks from the mid."""

    symbol = "XYZ"

    def __init__(self, plan: list[list[tuple[OrderSide, int, int | None]]]) -> None:
        self.plan, self.told, self.calls = plan, 0, 0

    def on_fill(self, side: OrderSide, volume: int) -> None:
        self.told += volume if side == BID else -volume

    def on_market_update(self, snapshot: Any, timestamp: int) -> list[Order]:
        wanted = self.plan[self.calls % len(self.plan)]
        self.calls += 1
        if snapshot.mid_price is None:
            return []
        return [
            Order.create_market_order("XYZ", side, lots)
            if ticks is None
            else Order.create_limit_order("XYZ", side, lots, round(snapshot.mid_price, 2) + ticks / 100)
            for side, lots, ticks in wanted
        ]


WANTED = st.tuples(st.sampled_from([BID, ASK]), st.integers(1, 9), st.one_of(st.none(), st.integers(-4, 4)))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(WANTED, max_size=3, unique_by=lambda w: (w[0], w[2])), min_size=1, max_size=6),
    st.integers(0, 1000), st.sampled_from([0, 2_000_000, 150_000_000]), st.integers(3, 12),
)  # fmt: skip
def test_whatever_is_wanted_money_is_kept_and_the_limit_holds(plan: Any, seed: int, latency: int, limit: int) -> None:
    market = {"fees": {"maker": -0.1, "taker": 0.3}, "latency": {"order_ns": latency, "cancel_ns": latency}}
    strategy = Planned(plan)
    simulator = ExecutionSimulator(episode_steps=60, max_position=limit, market=market)
    done = simulator.run(strategy, seeds=[seed])
    played, book, fills = done.episodes, done.portfolio, done.episodes.fills
    assert np.abs(played.inventory).max() <= limit
    assert played.inventory[0, -2] == strategy.told  # as it last saw it
    # Sub-units of cash that the fills alone explain; what an emptied book could not take was settled at the mid.
    signs = np.where(fills["side"] == BID, 1, -1)
    assert (signs * fills["quantity"]).sum() == 0
    cash = -int((signs * fills["quantity"] * fills["price"] * 10_000 + fills["fee"]).sum())
    assert played.net_pnl[0] == pytest.approx(cash / 10_000, abs=1e-9)
    assert book.positions == {} and float(book.cash - book.initial_cash) == pytest.approx(cash / 1e6, abs=1e-9)
    assert (fills["quantity"] > 0).all() and (np.diff(fills["time"]) >= 0).all()


def test_feeds() -> None:
    config = DataFeedConfig(url="mock://", symbols=["AAPL"], market={"flow": "calm"})
    for feed in (config, MockDataFeed(config)):
        assert ExecutionSimulator(feed=feed).config.market.flow == "calm"
    # What the feed says wins over the configuration, single settings over both; the rest stays.
    layered = ExecutionSimulator({"market": {"flow": "thin"}}, feed=config, market={"max_orders": 4096})
    assert (layered.config.market.flow, layered.config.market.max_orders) == ("calm", 4096)
    path = __file__  # not opened before a run
    day = DataFeedConfig(url=f"replay:{path}", tick_size=0.05, symbols=["B"], start=5 * 10**9)
    kept = ExecutionSimulator(SETTINGS, feed=day)
    assert kept.config.market.fees.taker == 0.3 and kept.config.market.tick_size == 0.05 and kept.config.feed == path
    assert (kept.config.replay.symbol, kept.config.replay.start) == ("B", 5.0)
    with pytest.raises(ConfigError, match="no orders to trade with"):
        ExecutionSimulator(feed=BinanceDataFeed({"url": "binance://spot", "symbols": ["BTCUSDT"]}))
    with pytest.raises(ConfigError, match="no orders to trade with"):
        ExecutionSimulator(feed="ws://127.0.0.1:1")


def test_a_recorded_file() -> None:
    path = str(shared_lobster("AMZN", 5))
    for face in ("predict", "snapshots"):
        simulator = ExecutionSimulator(feed=f"replay:{path}", episode_steps=2000, order_size=100, max_position=500)
        strategy = JoinTouch(symbol="AMZN", order_size=100, max_position=500)
        done = simulator.run(strategy, seeds=[2, 3], face=face)  # type: ignore[arg-type]
        if face == "predict":
            first = done.episodes
            assert first.symbol == "AMZN" and len(first.fills)
    same(first, done.episodes)


def test_bad_input() -> None:
    simulator = ExecutionSimulator(episode_steps=5)
    with pytest.raises(ConfigError, match="no method predict or on_market_update"):
        simulator.run(object())
    with pytest.raises(ConfigError, match="no method predict"):
        simulator.run(Once(), face="predict")
    with pytest.raises(ConfigError, match="face is 'live'"):
        simulator.run(Once(), face="live")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least one"):
        simulator.run(Once(), seeds=[])
    for face in ("predict", "snapshots"):
        with pytest.raises(ConfigError, match=r"seeds: expected whole numbers below 2\^63, got 1\.7"):
            simulator.run(JoinTouch(), seeds=[1.7], face=face)
    with pytest.raises(ConfigError, match="simulated"):
        simulator.run(Once(), starts=[1])
    with pytest.raises(ConfigError, match="tick_size"):
        simulator.run(JoinTouch(tick_size=0.05), face="snapshots")
    with pytest.raises(ConfigError, match="episode is 1"):
        simulator.run(Once()).portfolio_of(1)
    with pytest.raises(ConfigError, match="episode_step"):
        ExecutionSimulator(episode_step=5)
    with pytest.raises(ConfigError, match="initial_cash"):
        ExecutionSimulator(initial_cash=float("nan"))

    class Wrong(Once):
        def __init__(self, order: Any) -> None:
            self.order = order

        def on_market_update(self, snapshot: Any, timestamp: int) -> list[Order]:
            return [self.order]

    for order, error in (
        (Order.create_market_order("ABC", BID, 1), SymbolError),
        (Order.create_limit_order("XYZ", BID, 1, 100.005), PriceError),
        (Order("XYZ", BID, OrderType.MARKET, 0), QuantityError),
        ("buy", OrderError),
    ):
        with pytest.raises(error):
            simulator.run(Wrong(order))
