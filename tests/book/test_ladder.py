"""The compiled book's ladder: prices far apart, ladders that move, orders that are parked and come back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hft_gym import CompiledOrderBook, OrderBook
from hft_gym.book import ladder
from tests.book.helpers import (
    ASK,
    BID,
    CANCEL,
    FEW,
    LIMIT,
    SYMBOL,
    examples,
    fills,
    limit,
    market,
    message,
    queue,
    state,
)


def pair(levels=64, **arguments):
    return OrderBook(SYMBOL, **arguments), CompiledOrderBook(SYMBOL, levels=levels, **arguments)


def head(book, name):
    return book._arrays[0][name][0]


@pytest.mark.parametrize("side", [BID, ASK])
def test_a_far_price_is_parked_and_comes_back(side):
    book = CompiledOrderBook(SYMBOL, levels=64)
    sign = -1 if side == BID else 1
    book.add_order(limit(side, 5, 1_000, 1))
    for number, distance in enumerate((2**39, 500, 500, 10**6), 2):
        book.add_order(limit(side, number, 1_000 + sign * distance, number))
    assert head(book, "parked")[side] == 4
    assert [order[0] for order in queue(book, side)] == [1, 3, 4, 5, 2]
    assert book.queue_position(4) == (3, 1)
    assert [volume for _, volume in book.get_depth(side)] == [5, 7, 5, 2]
    assert [volume for _, volume in book.get_depth(side, 2)] == [5, 7]
    book.check()
    book.cancel_order(1)
    book.check()
    assert head(book, "parked")[side] == 2
    assert [order[0] for order in queue(book, side)] == [3, 4, 5, 2]
    taker = market(ASK if side == BID else BID, 100, 9)
    assert [trade.maker_order_id for trade in book.add_order(taker)] == [3, 4, 5, 2]
    assert len(book) == 0


@pytest.mark.parametrize("side", [BID, ASK])
def test_the_ladder_follows_the_price_to_either_end(side):
    reference, book = pair()
    order_id = 0
    for ticks in [*range(0, 600, 7), *range(600, -600, -11), 2**40, -(2**40), 0]:
        order_id += 1
        for each in (reference, book):
            each.add_order(limit(side, 1 + order_id % 5, ticks, order_id))
    book.check()
    assert state(book) == state(reference)
    assert head(book, "rebases") > 3
    while len(book):
        order_id += 1
        taker = [market(side.opposite, 11, order_id) for _ in range(2)]
        assert fills(book.add_order(taker[0])) == fills(reference.add_order(taker[1]))
        book.check()
    assert len(reference) == 0


def test_steady_trading_seldom_moves_the_ladder():
    """A walk within the ladder's margin costs no move: only the first order of each side does."""
    book = CompiledOrderBook(SYMBOL)
    order_id = 0
    for step in range(100 if FEW else 2_000):
        mid = 10_000 + step % 300
        for side, ticks in ((BID, mid - 1), (ASK, mid + 1)):
            order_id += 1
            book.apply(message(LIMIT, order_id, side, ticks, 1))
    assert head(book, "rebases") <= 4


@pytest.mark.parametrize("levels", [64, 128, 4_096, 8_192, 2**18])
def test_bitmaps_of_every_depth(levels):
    """Single orders at both ends and around the borders of words, alone and together."""
    reference, book = pair(levels)
    borders = [0, 1, 63, 64, 65, 4_095, 4_096, 4_097, levels - 2, levels - 1]
    base = 10**6
    anchor = limit(ASK, 1, base, 1)
    for each in (reference, book):
        each.add_order(anchor if each is book else limit(ASK, 1, base, 1))
    for number, distance in enumerate(sorted(set(borders)), 2):
        for each in (reference, book):
            each.add_order(limit(ASK, 1, base + distance, number))
    if levels < 2**18:
        book.check()
    assert state(book) == state(reference)
    for number in (1, 2, 3, 5, 4):
        for each in (reference, book):
            each.cancel_order(number)
        assert book.get_snapshot(20) == reference.get_snapshot(20)
    assert fills(book.add_order(market(BID, 20, 99))) == fills(reference.add_order(market(BID, 20, 99)))


@examples(150, 5)
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from([0, 40, 64, 100, 1_000, -70, -1_000]),
            st.integers(-3, 3),
            st.integers(0, 3),
        ),
        max_size=60,
    )
)
def test_jumping_prices(steps):
    """Bids below, asks above a price that jumps by about the length of the ladder."""
    reference, book = pair(max_orders=40)
    mid = 0
    for number, (buys, jump, ticks, owner) in enumerate(steps):
        mid += jump if number % 3 == 0 else 0
        order = limit(BID if buys else ASK, 1 + number % 4, mid + ticks + (-2 if buys else 2), number, owner=owner)
        again = limit(order.side, order.volume, mid + ticks + (-2 if buys else 2), number, owner=owner)
        if len(reference) == 40:
            break
        assert fills(book.add_order(order)) == fills(reference.add_order(again))
        book.check()
    assert state(book) == state(reference)


def test_levels_are_rounded_up_to_whole_words():
    assert CompiledOrderBook(SYMBOL, levels=1).levels == 64
    assert CompiledOrderBook(SYMBOL, levels=65).levels == 128


@pytest.mark.parametrize(("levels", "capacity"), [(0, 1), (63, 1), (65, 1), (2**18 + 64, 1), (64, 0)])
def test_allocation_refuses_bad_sizes(levels, capacity):
    with pytest.raises(ValueError, match="allowed"):
        ladder.allocate(1, levels, capacity)


def test_every_slot_is_used_again():
    reference, book = pair(max_orders=5)
    for start in range(0, 200, 5):
        rows = [message(LIMIT, start + k, BID, 90 + (start * 7 + k * 3) % 9, 1 + k) for k in range(5)]
        rows += [message(CANCEL, start + k) for k in (3, 0, 4)] + [message(1, 1_000, ASK, quantity=100)]
        rows = np.concatenate(rows)
        assert np.array_equal(book.apply(rows), reference.apply(rows))
        book.check()
    assert len(book) == 0
