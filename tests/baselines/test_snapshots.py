"""The face on book snapshots: orders out of the same rules."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

import baselines
from baselines import LiquidityTakingStrategy, MarketMakingStrategy
from baselines.live import seconds_of
from hft_gym import Order, OrderBook, OrderSide, OrderType
from hft_gym.errors import ConfigError, SymbolError
from tests.baselines.fakes import FakeEnv, observation


def snapshot(bid=99.99, ask=100.01, bid_size=5, ask_size=5, symbol="ABC"):
    book = OrderBook(symbol)
    if bid is not None:
        book.add_order(Order.create_limit_order(symbol, OrderSide.BID, bid_size, bid))
    if ask is not None:
        book.add_order(Order.create_limit_order(symbol, OrderSide.ASK, ask_size, ask))
    return book.get_snapshot()


def shape(orders):
    return [(o.side.name, o.order_type.name, o.volume, o.price) for o in orders]


def test_maker_quotes_around_the_mid():
    maker = MarketMakingStrategy(symbol="ABC", spread_target=0.10, max_position=1000, order_size=100)
    assert shape(maker.on_market_update(snapshot(99.90, 100.10), 0.0)) == [
        ("BID", "LIMIT", 100, 99.95),
        ("ASK", "LIMIT", 100, 100.05),
    ]


def test_maker_rounds_outwards_and_never_crosses():
    maker = MarketMakingStrategy("ABC", 0.02, 1000, 100)
    assert [o.price for o in maker.on_market_update(snapshot(99.99, 100.00), 0.0)] == [99.98, 100.01]
    maker = MarketMakingStrategy("ABC", 0.02, 10, 1, skew=8.0)
    maker.position = 9
    bid, ask = maker.on_market_update(snapshot(99.99, 100.01), 0.0)
    assert bid.price < ask.price and ask.price == 100.00  # as near as it gets without taking the bid


def test_maker_with_inventory():
    maker = MarketMakingStrategy("ABC", 0.04, 10, 4)
    maker.on_fill(OrderSide.BID, 5)
    bid, ask = maker.on_market_update(snapshot(), 0.0)
    assert (bid.price, ask.price) == (99.97, 100.01)
    maker.on_fill(OrderSide.BID, 3)
    bid, ask = maker.on_market_update(snapshot(), 1.0)
    assert (bid.volume, ask.volume) == (2, 4)  # only as much as the limit leaves
    maker.on_fill(OrderSide.BID, 2)
    assert [o.side for o in maker.on_market_update(snapshot(), 2.0)] == [OrderSide.ASK]
    assert maker.position == 10
    maker.on_fill(OrderSide.ASK, 20)
    assert [o.side for o in maker.on_market_update(snapshot(), 3.0)] == [OrderSide.BID]


def test_taker_sends_market_orders():
    taker = LiquidityTakingStrategy("ABC", signal_threshold=0.02, max_position=500, order_size=50)
    assert taker.on_market_update(snapshot(99.99, 100.01), 0.0) == []
    assert shape(taker.on_market_update(snapshot(102.99, 103.01), 1.0)) == [("BID", "MARKET", 50, None)]
    taker.position = 480
    assert taker.on_market_update(snapshot(106.99, 107.01), 2.0)[0].volume == 20
    taker.position = 500
    assert taker.on_market_update(snapshot(111.99, 112.01), 3.0) == []
    (order,) = taker.on_market_update(snapshot(99.99, 100.01), 60.0)
    assert (order.side, order.volume, order.order_type) == (OrderSide.ASK, 50, OrderType.MARKET)


def test_one_sided_and_empty_books_give_no_orders():
    for name in baselines.names():
        strategy = baselines.make(name, symbol="ABC")
        for bid, ask in ((None, 100.0), (100.0, None), (None, None)):
            assert strategy.on_market_update(snapshot(bid, ask), 0.0) == []


def test_do_nothing_and_random():
    assert baselines.make("do-nothing", symbol="ABC").on_market_update(snapshot(), 0.0) == []
    agent = baselines.make("random", symbol="ABC", order_size=7)
    seen = [agent.on_market_update(snapshot(), float(i)) for i in range(200)]
    kinds = {(o.side, o.order_type) for orders in seen for o in orders}
    assert len(kinds) == 4 and all(o.volume == 7 for orders in seen for o in orders)
    twin = baselines.make("random", symbol="ABC", order_size=7)
    assert [shape(twin.on_market_update(snapshot(), float(i))) for i in range(200)] == [
        shape(s) for s in seen
    ]


def test_both_faces_follow_one_rule():
    """The same market in both faces: the same quotes where the environment offers that price, and the same
    takes."""
    env = FakeEnv()
    maker = MarketMakingStrategy("ABC", 0.05, 10, 1)
    taker = LiquidityTakingStrategy("ABC", 0.0002, 10, 1, imbalance_threshold=0.7)
    maker.bind(env), taker.bind(env)
    rng = np.random.default_rng(4)
    state, best_bid = None, 10_000
    for step in range(200):
        change = int(rng.integers(-3, 4)) if step else 0
        best_bid += change
        inventory = int(rng.integers(-10, 11))
        sizes = rng.integers(1, 9, 2)
        now = snapshot(best_bid / 100, (best_bid + 1) / 100, int(sizes[0]), int(sizes[1]))
        columns = {"bid_size": sizes[0], "ask_size": sizes[1], "inventory": inventory, "mid_change": change}
        row = observation(env.observation_schema, elapsed=0.1 if step else 0.0, **columns)
        maker.position = taker.position = inventory
        (bid, ask, _), _ = maker.predict(row)
        orders = {o.side: o.price for o in maker.on_market_update(now, step * 0.1)}
        for side, option, touch, away in ((OrderSide.BID, bid, 0, -1), (OrderSide.ASK, ask, 1, 1)):
            assert (option == 0) == (side not in orders)
            if option:
                offered = best_bid + touch + away * (-1, 0, 1, 2, 3, 5, 10)[option - 1]
                # The environment offers some ticks, the other face all: not more than a tick apart here.
                assert abs(orders[side] * 100 - offered) < 1.0 + 1e-6
        (_, _, take), state = taker.predict(row, state, step == 0)
        sent = taker.on_market_update(now, step * 0.1)
        assert [None, OrderSide.BID, OrderSide.ASK][take] == (sent[0].side if sent else None)


@pytest.mark.parametrize(
    ("timestamp", "seconds"),
    [
        (1_500_000_000, 1.5),
        (1.5, 1.5),
        (np.int64(2_000_000_000), 2.0),
        (np.datetime64("1970-01-01T00:00:03"), 3.0),
        (pd.Timestamp("1970-01-01T00:00:04", tz="UTC"), 4.0),
        (datetime(2020, 1, 1) + timedelta(seconds=1), datetime(2020, 1, 1).timestamp() + 1),
    ],
)
def test_timestamps(timestamp, seconds):
    assert seconds_of(timestamp) == seconds


def test_refused():
    maker = MarketMakingStrategy("ABC")
    with pytest.raises(SymbolError, match=r"'XYZ'.*'ABC'"):
        maker.on_market_update(snapshot(symbol="XYZ"), 0.0)
    maker.on_market_update(snapshot(), 10.0)
    with pytest.raises(ConfigError, match="before the last"):
        maker.on_market_update(snapshot(), 9.0)
    with pytest.raises(ConfigError, match="allowed: int"):
        maker.on_market_update(snapshot(), "noon")
    maker.on_market_update(snapshot())  # no timestamp: one second later
    maker.reset()
    maker.on_market_update(snapshot(), 1.0)


def test_what_is_told_between_updates_is_seen_once():
    """Fills and trades of others reach the rule with the next snapshot; untold volumes are unknown, not zero."""

    class Watcher(baselines.Strategy):
        horizon_s = 10.0

        def decide(self, view, memory):
            self.view = view
            return baselines.no_quotes(np.zeros(1)), memory

    watcher = Watcher()
    watcher.symbol = "ABC"
    watcher.on_market_update(snapshot(), 5.0)
    assert np.isnan(watcher.view.buy_volume[0]) and watcher.view.time_left[0] == 1.0
    watcher.on_trade(OrderSide.BID, 7)
    watcher.on_fill(OrderSide.ASK, 2)
    watcher.on_market_update(snapshot(99.99, 100.02, 3, 4), 10.0)
    seen = watcher.view
    assert (seen.buy_volume[0], seen.sell_volume[0], seen.bought[0], seen.sold[0]) == (7.0, 0.0, 0.0, 2.0)
    assert seen.inventory[0] == -2.0 and seen.time_left[0] == 0.5
    np.testing.assert_allclose([seen.bid_offsets, seen.ask_offsets], [[[-1.5]], [[1.5]]], atol=1e-9)
    assert (seen.bid_sizes[0, 0], seen.ask_sizes[0, 0]) == (3.0, 4.0)
    watcher.on_market_update(snapshot(), 30.0)
    assert watcher.view.buy_volume[0] == 0.0 and watcher.view.sold[0] == 0.0 and watcher.view.time_left[0] == 0.0
