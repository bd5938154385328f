"""The matching rules by example, on both books. The numbers are those of hft_gym.book.rules."""

import re

import pytest

import hft_gym.book.rules
from hft_gym import OrderStatus, errors
from tests.book.helpers import (
    ASK,
    BID,
    FOK,
    GTC,
    IOC,
    POST_ONLY,
    fills,
    limit,
    market,
    message,
    queue,
)
from tests.book.helpers import (
    MODIFY as MODIFY_KIND,
)


def add(book, *orders):
    """Add resting orders; none of them may trade."""
    for order in orders:
        assert book.add_order(order) == []
    return orders


def test_rules_are_numbered_without_gaps():
    numbers = [int(n) for n in re.findall(r"^\*\*R(\d+) ", hft_gym.book.rules.__doc__, re.MULTILINE)]
    assert numbers == list(range(1, 14))


# R2: ids


def test_r2_an_id_is_free_again_once_its_order_has_left(book):
    add(book, limit(ASK, 5, 100, 7))
    with pytest.raises(errors.DuplicateOrderError):
        book.add_order(limit(ASK, 5, 101, 7))
    book.cancel_order(7)
    add(book, limit(ASK, 5, 101, 7))
    assert fills(book.add_order(market(BID, 5, 8))) == [(8, 7, 101, 5)]
    add(book, limit(BID, 5, 90, 7))


def test_r2_the_id_of_an_order_that_did_not_rest_stays_free(book):
    add(book, limit(BID, 5, 90, 1, IOC))
    add(book, limit(BID, 5, 90, 1))
    assert 1 in book and len(book) == 1


# R3: priority, R4: trades


def test_r3_best_price_first_whatever_the_time(book):
    add(book, limit(ASK, 5, 102, 1), limit(ASK, 5, 101, 2), limit(ASK, 5, 103, 3))
    assert fills(book.add_order(limit(BID, 15, 103, 9))) == [(9, 2, 101, 5), (9, 1, 102, 5), (9, 3, 103, 5)]


def test_r3_best_bid_is_the_highest(book):
    add(book, limit(BID, 5, 99, 1), limit(BID, 5, 101, 2), limit(BID, 5, 100, 3))
    assert fills(book.add_order(market(ASK, 12, 9))) == [(9, 2, 101, 5), (9, 3, 100, 5), (9, 1, 99, 2)]


def test_r3_oldest_first_at_one_price(book):
    add(book, limit(ASK, 5, 100, 3), limit(ASK, 5, 100, 1), limit(ASK, 5, 100, 2))
    assert fills(book.add_order(market(BID, 12, 9))) == [(9, 3, 100, 5), (9, 1, 100, 5), (9, 2, 100, 2)]
    assert queue(book, ASK) == [(2, 100, 3, 0)]


def test_r3_a_partial_fill_keeps_its_place(book):
    add(book, limit(ASK, 5, 100, 1), limit(ASK, 5, 100, 2))
    book.add_order(market(BID, 2, 8))
    assert fills(book.add_order(market(BID, 4, 9))) == [(9, 1, 100, 3), (9, 2, 100, 1)]


def test_r4_trades_at_the_makers_price(book):
    add(book, limit(ASK, 5, 100, 1))
    [trade] = book.add_order(limit(BID, 5, 110, 2))
    assert (trade.price, trade.price_ticks, trade.quantity, trade.aggressor_side) == (1.0, 100, 5, BID)
    assert (trade.taker_order_id, trade.maker_order_id, trade.symbol) == (2, 1, "ABC")


def test_r4_a_limit_is_a_limit(book):
    add(book, limit(ASK, 5, 100, 1), limit(ASK, 5, 102, 2))
    assert fills(book.add_order(limit(BID, 10, 101, 3))) == [(3, 1, 100, 5)]
    assert queue(book, BID) == [(3, 101, 5, 0)]


def test_r4_equal_prices_trade(book):
    add(book, limit(BID, 5, 100, 1))
    assert fills(book.add_order(limit(ASK, 5, 100, 2))) == [(2, 1, 100, 5)]
    assert len(book) == 0


def test_r4_negative_prices_and_zero(book):
    add(book, limit(BID, 5, -3, 1), limit(ASK, 5, 0, 2))
    assert fills(book.add_order(limit(ASK, 7, -3, 3))) == [(3, 1, -3, 5)]
    assert queue(book, ASK) == [(3, -3, 2, 0), (2, 0, 5, 0)]


# R5: the remainder


def test_r5_gtc_rests_at_the_back(book):
    first, _ = add(book, limit(BID, 5, 100, 1), limit(BID, 6, 100, 2))
    assert queue(book, BID) == [(1, 100, 5, 0), (2, 100, 6, 0)]
    assert (first.status, first.remaining, first.filled) == (OrderStatus.RESTING, 5, 0)
    order = limit(ASK, 20, 100, 3)
    book.add_order(order)
    assert (order.status, order.remaining, order.filled) == (OrderStatus.PARTIALLY_FILLED, 9, 11)
    assert queue(book, ASK) == [(3, 100, 9, 0)]
    order = limit(BID, 9, 100, 4)
    book.add_order(order)
    assert (order.status, order.remaining) == (OrderStatus.FILLED, 0)


@pytest.mark.parametrize("tif", [GTC, IOC])
def test_r5_a_market_order_never_rests(book, tif):
    add(book, limit(ASK, 5, 100, 1))
    order = market(BID, 8, 2, tif)
    assert fills(book.add_order(order)) == [(2, 1, 100, 5)]
    assert (order.status, order.remaining, len(book)) == (OrderStatus.CANCELLED, 3, 0)
    empty = market(BID, 8, 3, tif)
    assert book.add_order(empty) == []
    assert (empty.status, empty.remaining) == (OrderStatus.CANCELLED, 8)


def test_r5_ioc_is_cancelled_at_its_limit(book):
    add(book, limit(BID, 5, 100, 1), limit(BID, 5, 98, 2))
    order = limit(ASK, 8, 99, 3, IOC)
    assert fills(book.add_order(order)) == [(3, 1, 100, 5)]
    assert (order.status, order.remaining, len(book)) == (OrderStatus.CANCELLED, 3, 1)


# R6: cancel, R7: reduce


def test_r6_cancel(book):
    add(book, limit(BID, 5, 100, 1, owner=3), limit(BID, 6, 100, 2), limit(BID, 7, 100, 3))
    cancelled = book.cancel_order(2)
    assert (cancelled.order_id, cancelled.remaining, cancelled.price) == (2, 6, 1.0)
    assert cancelled.status is OrderStatus.CANCELLED
    assert queue(book, BID) == [(1, 100, 5, 3), (3, 100, 7, 0)]
    assert book.cancel_order(1).participant == 3
    book.cancel_order(3)
    assert book.get_snapshot().best_bid is None
    with pytest.raises(errors.UnknownOrderError):
        book.cancel_order(3)


@pytest.mark.parametrize("quantity", [1, 4, 5])
def test_r7_reduce_keeps_the_place(book, quantity):
    add(book, limit(BID, 5, 100, 1), limit(BID, 6, 100, 2))
    assert len(book.apply(message(3, 1, quantity=quantity))) == 0
    assert queue(book, BID) == [(1, 100, quantity, 0), (2, 100, 6, 0)]


# R8: modify


@pytest.mark.parametrize("arguments", [{"volume": 3}, {"volume": 5}, {"price": 1.0}, {"volume": 4, "price": 1.0}])
def test_r8_not_larger_at_its_price_keeps_the_place(book, arguments):
    add(book, limit(BID, 5, 100, 1), limit(BID, 6, 100, 2))
    assert book.modify_order(1, **arguments) == []
    assert [order[0] for order in queue(book, BID)] == [1, 2]
    assert book.get_order(1).remaining == arguments.get("volume", 5)


def test_r8_an_increase_loses_the_place(book):
    add(book, limit(BID, 5, 100, 1, owner=4), limit(BID, 6, 100, 2))
    assert book.modify_order(1, volume=6) == []
    assert queue(book, BID) == [(2, 100, 6, 0), (1, 100, 6, 4)]


def test_r8_a_new_price_loses_the_place(book):
    add(book, limit(BID, 5, 100, 1), limit(BID, 6, 101, 2))
    assert book.modify_order(1, price=1.01) == []
    assert queue(book, BID) == [(2, 101, 6, 0), (1, 101, 5, 0)]
    book.modify_order(1, price=1.0)
    book.modify_order(1, price=1.01)
    assert [order[0] for order in queue(book, BID)] == [2, 1]


def test_r8_a_modified_order_may_trade_and_keeps_id_and_owner(book):
    add(book, limit(BID, 5, 100, 1, owner=4), limit(ASK, 3, 102, 2))
    assert fills(book.modify_order(1, volume=10, price=1.02)) == [(1, 2, 102, 3)]
    assert queue(book, BID) == [(1, 102, 7, 4)]
    add(book, limit(ASK, 20, 103, 3))
    assert fills(book.modify_order(1, price=1.03)) == [(1, 3, 103, 7)]
    assert 1 not in book


def test_r8_reaches_the_slot_it_left(book):
    add(book, limit(BID, 5, 100, 1), limit(ASK, 5, 110, 2), limit(ASK, 5, 110, 3))
    assert fills(book.modify_order(1, volume=11, price=1.10)) == [(1, 2, 110, 5), (1, 3, 110, 5)]
    assert queue(book, BID) == [(1, 110, 1, 0)]
    assert book.get_order(1).remaining == 1 and 2 not in book and 3 not in book


@pytest.mark.parametrize(
    ("price", "quantity", "error"),
    [
        (100, 0, errors.QuantityError),
        (100, -1, errors.QuantityError),
        (101, 2**31, errors.QuantityError),
        (2**40 + 1, 5, errors.PriceError),
        (-(2**63), 5, errors.PriceError),
    ],
)
def test_r8_a_refused_modification_changes_nothing(book, price, quantity, error):
    add(book, limit(BID, 5, 100, 1), limit(BID, 6, 100, 2))
    before = queue(book, BID)
    with pytest.raises(errors.MessageError) as caught:
        book.apply(message(MODIFY_KIND, 1, price=price, quantity=quantity))
    assert type(caught.value.cause) is error
    assert queue(book, BID) == before


# R9: fill-or-kill


def test_r9_all_or_nothing(book):
    add(book, limit(ASK, 5, 100, 1), limit(ASK, 5, 101, 2), limit(ASK, 5, 102, 3))
    before = queue(book, ASK)
    order = limit(BID, 11, 101, 8, FOK)
    assert book.add_order(order) == []
    assert (order.status, order.remaining, queue(book, ASK)) == (OrderStatus.CANCELLED, 11, before)
    order = limit(BID, 10, 101, 9, FOK)
    assert fills(book.add_order(order)) == [(9, 1, 100, 5), (9, 2, 101, 5)]
    assert order.status is OrderStatus.FILLED


def test_r9_against_an_empty_side(book):
    order = limit(BID, 1, 100, 1, FOK)
    assert book.add_order(order) == [] and order.status is OrderStatus.CANCELLED and len(book) == 0


def test_r9_a_market_order_may_be_fok(book):
    add(book, limit(ASK, 5, 100, 1))
    killed, filled = market(BID, 6, 2, FOK), market(BID, 5, 3, FOK)
    assert book.add_order(killed) == [] and killed.status is OrderStatus.CANCELLED
    assert fills(book.add_order(filled)) == [(3, 1, 100, 5)]


def test_r9_own_volume_does_not_count_and_stays_if_killed(book):
    add(book, limit(ASK, 5, 100, 1, owner=7), limit(ASK, 5, 100, 2))
    before = queue(book, ASK)
    killed = limit(BID, 6, 100, 8, FOK, owner=7)
    assert book.add_order(killed) == [] and killed.status is OrderStatus.CANCELLED
    assert queue(book, ASK) == before
    assert fills(book.add_order(limit(BID, 5, 100, 9, FOK, owner=7))) == [(9, 2, 100, 5)]
    assert len(book) == 0


# R10: post-only


@pytest.mark.parametrize("owner", [0, 7, 8])
def test_r10_rejected_if_it_could_meet_the_best_price_whoever_owns_it(book, owner):
    add(book, limit(ASK, 5, 100, 1, owner=7))
    order = limit(BID, 5, 100, 2, POST_ONLY, owner=owner)
    assert book.add_order(order) == []
    assert (order.status, order.remaining, len(book)) == (OrderStatus.REJECTED, 5, 1)


def test_r10_otherwise_it_rests(book):
    add(book, limit(ASK, 5, 100, 1))
    order = limit(BID, 5, 99, 2, POST_ONLY)
    assert book.add_order(order) == []
    assert order.status is OrderStatus.RESTING
    assert fills(book.add_order(limit(ASK, 2, 99, 3))) == [(3, 2, 99, 2)]


def test_r10_a_post_only_market_order_is_an_error(book):
    with pytest.raises(errors.OrderError, match="POST_ONLY"):
        book.add_order(market(BID, 5, 1, POST_ONLY))


# R11: self-trade prevention


def test_r11_the_resting_order_gives_way_and_the_incoming_one_goes_on(book):
    add(book, limit(ASK, 5, 100, 1), limit(ASK, 5, 100, 2, owner=7), limit(ASK, 5, 100, 3))
    assert fills(book.add_order(limit(BID, 8, 100, 9, owner=7))) == [(9, 1, 100, 5), (9, 3, 100, 3)]
    assert 2 not in book
    assert queue(book, ASK) == [(3, 100, 2, 0)]


def test_r11_only_where_they_would_trade(book):
    add(book, limit(ASK, 5, 100, 1), limit(ASK, 5, 100, 2, owner=7), limit(ASK, 5, 101, 3, owner=7))
    assert fills(book.add_order(limit(BID, 5, 101, 9, owner=7))) == [(9, 1, 100, 5)]
    assert 2 in book and 3 in book


def test_r11_the_remainder_rests_after_its_own_gave_way(book):
    add(book, limit(ASK, 5, 100, 1, owner=7), limit(ASK, 5, 101, 2, owner=7))
    order = limit(BID, 4, 101, 3, owner=7)
    assert book.add_order(order) == []
    assert order.status is OrderStatus.RESTING and len(book) == 1
    assert queue(book, BID) == [(3, 101, 4, 7)]


def test_r11_participant_0_is_anonymous(book):
    add(book, limit(ASK, 5, 100, 1))
    assert fills(book.add_order(limit(BID, 5, 100, 2))) == [(2, 1, 100, 5)]


def test_r11_holds_for_a_modified_order(book):
    add(book, limit(BID, 5, 99, 1, owner=7), limit(ASK, 5, 100, 2, owner=7), limit(ASK, 5, 101, 3))
    assert fills(book.modify_order(1, price=1.01)) == [(1, 3, 101, 5)]
    assert len(book) == 0


# R12: room


def test_r12_a_full_book_refuses_what_may_rest(new_book):
    book = new_book(max_orders=2)
    add(book, limit(BID, 5, 99, 1), limit(ASK, 5, 101, 2))
    for order in (limit(BID, 5, 98, 3), limit(BID, 5, 101, 3), limit(BID, 5, 98, 3, POST_ONLY)):
        with pytest.raises(errors.BookFullError, match="max_orders is 2"):
            book.add_order(order)
        assert order.status is OrderStatus.NEW
    assert book.modify_order(1, volume=9) == []
    assert fills(book.add_order(limit(BID, 1, 101, 3, IOC))) == [(3, 2, 101, 1)]
    assert fills(book.add_order(limit(BID, 2, 101, 3, FOK))) == [(3, 2, 101, 2)]
    assert fills(book.add_order(market(ASK, 9, 3))) == [(3, 1, 99, 9)]
    add(book, limit(BID, 5, 98, 4))
    assert len(book) == 2
    book.check()


# Plain Python warns where the volumes of parked prices, added up, wrap around; nothing reads that sum.
@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("ticks", [100, 90, -(2**40)])
def test_r12_volume_at_one_price(book, ticks):
    largest = 2**31 - 1
    add(book, limit(BID, 1, 100, 9))
    add(book, limit(BID, largest, ticks, 1), limit(BID, largest, ticks, 2))
    room = 2**32 - 1 - 2 * largest - (ticks == 100)
    # Another price has room, whichever it is.
    add(book, limit(BID, largest, ticks + 1 if ticks < 0 else ticks - 1, 5))
    for volume in (room + 1, largest):
        with pytest.raises(errors.BookFullError, match="4294967295"):
            book.add_order(limit(BID, volume, ticks, 3))
    if room:
        add(book, limit(BID, room, ticks, 3))
        with pytest.raises(errors.BookFullError):
            book.modify_order(3, volume=room + 1)
        with pytest.raises(errors.BookFullError):
            book.modify_order(9 if ticks != 100 else 5, volume=1, price=ticks / 100)
    book.check()


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("ticks", [100, 90, -(2**40)])
def test_r12_a_modified_order_may_use_its_own_room(book, ticks):
    largest = 2**31 - 1
    add(book, limit(BID, 1, 100, 9))
    add(book, limit(BID, largest, ticks, 1), limit(BID, largest, ticks, 2))
    book.modify_order(2, volume=10)
    assert book.modify_order(2, volume=largest) == []
    assert book.queue_position(2) == (largest + (ticks == 100), 1 + (ticks == 100))
    book.modify_order(1, price=0.95)
    assert book.modify_order(1, price=ticks / 100) == []
    assert [order[0] for order in queue(book, BID)] == [9, 2, 1]
