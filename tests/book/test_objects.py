"""The face for people: orders, depth, queue positions, snapshots, copies."""

import copy
import pickle

import pytest

from hft_gym import CompiledOrderBook, Order, OrderBook, OrderSide, OrderStatus
from hft_gym.types import DepthLevel, QueuePosition
from tests.book.helpers import ASK, BID, GTC, SYMBOL, fills, limit, market, message, queue, state


def test_prices_come_in_currency_and_go_out_as_the_same_double(book):
    for number, price in enumerate((150.95, 0.07, 0.29, 1.1, 2.675e3, 4.35, 1.15)):
        order = Order.create_limit_order(SYMBOL, OrderSide.BID, 1, price, order_id=number)
        book.add_order(order)
        assert book.get_order(number).price == price
        assert DepthLevel(price, 1) in book.get_depth(BID)


def test_creation_of_orders():
    order = Order.create_limit_order(SYMBOL, BID, 10, 1.5)
    assert (order.price, order.volume, order.remaining, order.filled, order.quantity) == (1.5, 10, 10, 0, 10)
    assert (order.status, order.time_in_force, order.participant, order.order_id) == (
        OrderStatus.NEW,
        GTC,
        0,
        None,
    )
    assert Order.create_market_order(SYMBOL, ASK, 10).price is None


def test_whole_floats_are_quantities(book):
    book.add_order(limit(BID, 5.0, 99, 1))
    assert queue(book, BID) == [(1, 99, 5, 0)]


def test_ids_are_given_where_none_is_named(book):
    orders = [limit(BID, 1, 99), limit(BID, 1, 99, 3), limit(BID, 1, 99), limit(BID, 1, 99)]
    for order in orders:
        book.add_order(order)
    assert [order.order_id for order in orders] == [1, 3, 2, 4]


def test_depth(book):
    for number, (volume, ticks) in enumerate([(5, 100), (6, 98), (7, 100), (8, 95), (9, 3)]):
        book.add_order(limit(BID, volume, ticks, number))
    assert book.get_depth(BID) == [(1.0, 12), (0.98, 6), (0.95, 8), (0.03, 9)]
    assert book.get_depth(BID, 2) == [(1.0, 12), (0.98, 6)]
    assert book.get_depth(BID, 0) == [] == book.get_depth(ASK)
    assert book.get_depth(0, 1) == [DepthLevel(price=1.0, volume=12)]


def test_queue_position(book):
    for number, ticks in enumerate([100, 100, 99, 100, 100, 2]):
        book.add_order(limit(BID, 10 + number, ticks, number))
    assert [book.queue_position(n) for n in range(6)] == [(0, 0), (10, 1), (0, 0), (21, 2), (34, 3), (0, 0)]
    assert book.queue_position(4) == QueuePosition(volume_ahead=34, orders_ahead=3)
    book.add_order(market(ASK, 15))
    assert book.queue_position(4) == (6 + 13, 2)
    book.cancel_order(3)
    assert book.queue_position(4) == (6, 1)


def test_get_orders_is_in_order_of_priority(book):
    for number, ticks in enumerate([100, 101, 99, 100, 1]):
        book.add_order(limit(BID, 5, ticks, number, owner=number))
    assert [o.order_id for o in book.get_orders(BID)] == [1, 0, 3, 2, 4]
    order = book.get_orders(BID)[-1]
    assert (order.price, order.participant, order.status, order.symbol) == (
        0.01,
        4,
        OrderStatus.RESTING,
        SYMBOL,
    )
    assert order == book.get_order(4)


def test_snapshot(book):
    for order in (limit(BID, 30, 99, 1), limit(BID, 5, 98, 2), limit(ASK, 10, 102, 3), limit(ASK, 7, 500, 4)):
        book.add_order(order)
    snapshot = book.get_snapshot()
    assert (snapshot.best_bid, snapshot.best_ask) == (0.99, 1.02)
    assert (snapshot.best_bid_volume, snapshot.best_ask_volume) == (30, 10)
    assert (snapshot.mid_price, snapshot.spread) == (1.005, 0.03)
    assert snapshot.spread_bps == pytest.approx(0.03 / 1.005 * 1e4)
    assert snapshot.microprice == pytest.approx((1.02 * 30 + 0.99 * 10) / 40)
    assert snapshot.imbalance == 0.5
    assert (snapshot.total_bid_volume, snapshot.total_ask_volume) == (35, 17)
    assert snapshot.bids == ((0.99, 30), (0.98, 5))
    assert snapshot.asks == ((1.02, 10), (5.0, 7))
    one = book.get_snapshot(levels=1)
    assert (one.bids, one.asks, one.total_bid_volume) == (((0.99, 30),), ((1.02, 10),), 35)
    assert book.get_snapshot(0).bids == () and book.get_snapshot(0).best_bid == 0.99
    with pytest.raises(AttributeError):
        snapshot.best_bid = 1.0


def test_snapshot_of_an_empty_side(book):
    empty = book.get_snapshot()
    prices = ("best_bid", "best_ask", "mid_price", "spread", "spread_bps", "microprice")
    assert [getattr(empty, name) for name in prices] == [None] * 6
    assert (empty.imbalance, empty.bids, empty.total_bid_volume, empty.best_ask_volume) == (0.0, (), 0, 0)
    book.add_order(limit(BID, 5, 99, 1))
    half = book.get_snapshot()
    assert [getattr(half, name) for name in prices] == [0.99, None, None, None, None, None]
    assert (half.imbalance, half.best_bid_volume) == (1.0, 5)


def test_no_spread_in_basis_points_of_a_mid_that_is_not_positive(book):
    book.add_order(limit(BID, 5, -2, 1))
    book.add_order(limit(ASK, 5, 2, 2))
    snapshot = book.get_snapshot()
    assert (snapshot.mid_price, snapshot.spread, snapshot.spread_bps) == (0.0, 0.04, None)


@pytest.mark.parametrize("tick_size", [0.05, 0.25, 1, 5, 1e-6, 0.0001, 3.0])
@pytest.mark.parametrize("make", [OrderBook, CompiledOrderBook])
def test_other_ticks(make, tick_size):
    book = make(SYMBOL, tick_size)
    for n in (1, 3, 7, 12_345):
        price = round(n * tick_size, 10)
        book.add_order(Order.create_limit_order(SYMBOL, BID, n, price, order_id=n))
        assert book.get_order(n).price == price
    assert book.tick_size == tick_size


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, lambda b: b.copy(), lambda b: pickle.loads(pickle.dumps(b))]
)
def test_copies_continue_alike_and_apart(new_book, twin):
    book = new_book(max_orders=50)
    for n in range(30):
        book.add_order(limit(BID if n % 2 else ASK, 5 + n, 100 - n % 5 if n % 2 else 110 + n % 7, owner=n % 3))
    book.cancel_order(7)
    before = state(book)
    other = twin(book)
    assert type(other) is type(book) and state(other) == before
    book.check()
    other.check()
    steps = [limit(ASK, 40, 97), market(BID, 33, owner=1), limit(BID, 9, 140), limit(BID, 9, 20)]
    done = [fills(other.add_order(copy.copy(order))) for order in steps]
    assert state(book) == before, "the copy shares state with the original"
    assert [fills(book.add_order(copy.copy(order))) for order in steps] == done
    assert state(other) == state(book)
    assert fills(other.apply(message(1, 900, BID, quantity=7))) == fills(book.apply(message(1, 900, BID, quantity=7)))
    other.check()
