"""Message arrays (R13): any layout, any size, any bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hft_gym import MESSAGE_DTYPE, TRADE_DTYPE, CompiledOrderBook, MessageKind, OrderBook, errors
from hft_gym.bench.stream import generate
from hft_gym.book import compiled
from tests.book.helpers import (
    ASK,
    BID,
    BOOKS,
    CANCEL,
    FEW,
    LIMIT,
    MARKET,
    MODIFY,
    REDUCE,
    SYMBOL,
    examples,
    fills,
    limit,
    message,
    queue,
    state,
)


def test_record_layout():
    assert (MESSAGE_DTYPE.itemsize, TRADE_DTYPE.itemsize) == (32, 40)
    wanted = {"kind", "order_id", "participant", "side", "price", "quantity", "time_in_force"}
    assert wanted <= set(MESSAGE_DTYPE.names)
    trade = {"taker_order_id", "maker_order_id", "price", "quantity", "aggressor_side"}
    assert trade <= set(TRADE_DTYPE.names)
    assert [kind.name for kind in MessageKind] == ["LIMIT", "MARKET", "CANCEL", "REDUCE", "MODIFY"]


def test_one_of_each_kind(book):
    rows = np.concatenate(
        [
            message(LIMIT, 1, BID, 99, 5, owner=3),
            message(LIMIT, 2, ASK, 101, 6),
            message(LIMIT, 3, ASK, 102, 7),
            message(REDUCE, 2, quantity=4),
            message(MODIFY, 3, price=100, quantity=9),
            message(MARKET, 4, BID, quantity=10),
            message(CANCEL, 1),
            message(MARKET, 5, ASK, quantity=1),
        ]
    )
    trades = book.apply(rows)
    assert trades.dtype == TRADE_DTYPE
    assert fills(trades) == [(4, 3, 100, 9), (4, 2, 101, 1)]
    assert trades["aggressor_side"].tolist() == [BID, BID]
    assert not trades["pad"].any()
    assert (queue(book, BID), queue(book, ASK)) == ([], [(2, 101, 3, 0)])


def test_unused_fields_are_ignored(book):
    book.add_order(limit(BID, 5, 99, 1, owner=3))
    for kind in (MODIFY, REDUCE, CANCEL):
        row = message(kind, 1, 200, 99, 5, 200, 77)
        if kind != MODIFY:
            row["price"] = 2**60
        if kind == CANCEL:
            row["quantity"] = -1
        row["pad"] = 9
        book.apply(row)
    assert len(book) == 0
    book.add_order(limit(ASK, 5, 99, 1))
    row = message(MARKET, 2, BID, 2**60, 5)
    assert fills(book.apply(row)) == [(2, 1, 99, 5)]


def test_sparse_ids():
    ids = [0, -1, 2**63 - 1, -(2**63), 2**62, 2**32, 1 << 40, 3 << 50]
    for make in (OrderBook, CompiledOrderBook):
        book = make(SYMBOL)
        book.apply(np.concatenate([message(LIMIT, n, BID, 99, 1 + k) for k, n in enumerate(ids)]))
        book.check()
        assert [order[0] for order in queue(book, BID)] == ids
        book.apply(np.concatenate([message(CANCEL, n) for n in ids[::2]]))
        assert [order[0] for order in queue(book, BID)] == ids[1::2]
        trades = book.apply(message(MARKET, 5, ASK, quantity=100))
        assert trades["maker_order_id"].tolist() == ids[1::2]
        book.check()


def test_no_messages(book):
    assert book.apply(np.zeros(0, MESSAGE_DTYPE)).shape == (0,)


def _strided(rows):
    wide = np.zeros(2 * len(rows), MESSAGE_DTYPE)
    wide[::2] = rows
    return wide[::2]


def _read_only(rows):
    rows = rows.copy()
    rows.setflags(write=False)
    return rows


def _unaligned(rows):
    buffer = np.zeros(rows.nbytes + 1, np.uint8)
    view = buffer[1:].view(MESSAGE_DTYPE)
    view[:] = rows
    return view


@pytest.mark.parametrize("layout", [_strided, _read_only, _unaligned])
def test_any_memory_layout(layout):
    stream = generate(300, seed=3, live=(20, 40))
    rows = np.concatenate([stream.warm_up, stream.messages])
    expected, found = CompiledOrderBook(SYMBOL), CompiledOrderBook(SYMBOL)
    before = rows.copy()
    trades = expected.apply(rows)
    assert np.array_equal(found.apply(layout(rows)), trades)
    assert state(found) == state(expected)
    assert np.array_equal(rows, before), "apply wrote to its input"


def test_results_are_not_overwritten_by_later_calls(book):
    book.apply(np.concatenate([message(LIMIT, n, ASK, 100, 1) for n in range(5)]))
    first = book.apply(message(MARKET, 10, BID, quantity=2))
    kept = first.copy()
    book.apply(message(MARKET, 11, BID, quantity=3))
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("kind", [MARKET, MODIFY])
@pytest.mark.parametrize("few", [1, 4, 1_024])
@pytest.mark.parametrize("rounds", [1, 5])
def test_more_trades_than_any_guess(rounds, few, kind, monkeypatch):
    """Orders that each take many resting ones: the trades of one call come in several parts."""
    monkeypatch.setattr(compiled, "_FEW", few)
    makers = 60 if FEW else 3_000
    rows = []
    for k in range(rounds):
        resting = np.zeros(makers, MESSAGE_DTYPE)
        resting["order_id"], resting["side"] = k * 10_000 + np.arange(makers), ASK
        resting["price"], resting["quantity"] = 100, 1
        taker = k * 10_000 + 9_999
        if kind == MODIFY:
            rows.append(message(LIMIT, taker, BID, 1, 1))
        rows += [resting, message(kind, taker, BID, 100, makers)]
    rows = np.concatenate(rows)
    book = CompiledOrderBook(SYMBOL, max_orders=makers + 1)
    trades = book.apply(rows)
    assert np.array_equal(trades, OrderBook(SYMBOL).apply(rows))
    assert len(trades) == rounds * makers and len(book) == 0
    book.check()


def test_trades_of_a_long_run_before_an_error():
    stream = generate(300 if FEW else 3_000, live=(20, 40))
    rows = np.concatenate([stream.warm_up, stream.messages, message(CANCEL, 10**9), stream.messages])
    caught = []
    for make in (OrderBook, CompiledOrderBook):
        with pytest.raises(errors.MessageError) as error:
            make(SYMBOL).apply(rows)
        caught.append(error.value)
    assert caught[0].index == caught[1].index == len(stream.warm_up) + len(stream.messages)
    assert np.array_equal(caught[0].trades, caught[1].trades) and len(caught[0].trades)
    assert str(caught[0]) == str(caught[1])


def apply_all(book, rows):
    """Apply rows, skipping the bad ones; return the trades and what was said of each bad one."""
    trades, said, start = [], [], 0
    while start < len(rows):
        try:
            trades += fills(book.apply(rows[start:]))
            break
        except errors.MessageError as error:
            trades += fills(error.trades)
            said.append((start + error.index, type(error.cause).__name__, str(error.cause)))
            start += error.index + 1
    return trades, said


@examples(60, 5)
@given(st.binary(max_size=32 * 40), st.sampled_from(["compiled", "short ladder"]))
def test_any_bytes(content, name):
    """Random bytes as messages: refused as by the reference, nothing broken, nothing out of bounds."""
    rows = np.frombuffer(content[: len(content) // 32 * 32], MESSAGE_DTYPE)
    reference, book = OrderBook(SYMBOL, max_orders=8), BOOKS[name](SYMBOL, max_orders=8)
    assert apply_all(book, rows) == apply_all(reference, rows)
    book.check()
    assert state(book) == state(reference)


NASTY = [0, 1, 2, 3, -1, 2**31 - 1, 2**31, 2**32, 2**40, 2**40 + 1, -(2**40), 2**62, 2**63 - 1, -(2**63)]


@examples(100, 5)
@given(st.randoms(use_true_random=False), st.sampled_from(["compiled", "short ladder"]))
def test_any_mixture_of_nasty_values(random, name):
    """Nearly good messages: each field is mostly good and sometimes an extreme."""
    rows = np.zeros(80, MESSAGE_DTYPE)
    for row in rows:
        row["kind"] = random.choice([0, 0, 0, 0, 0, 1, 2, 3, 4, 4, 5, 255])
        row["order_id"] = random.choice([random.randrange(20)] * 9 + [random.choice(NASTY)])
        row["side"] = random.choice([0, 1] * 6 + [2, 255])
        row["price"] = random.choice([random.randrange(-10, 10)] * 6 + [random.choice(NASTY)])
        row["quantity"] = random.choice([random.randrange(1, 9)] * 4 + [random.choice(NASTY)])
        row["time_in_force"] = random.choice([0, 0, 0, 1, 2, 3, 4, 255])
        row["participant"] = random.choice([0, 1, 2, 2**32 - 1])
    reference, book = OrderBook(SYMBOL, max_orders=12), BOOKS[name](SYMBOL, max_orders=12)
    assert apply_all(book, rows) == apply_all(reference, rows)
    book.check()
    reference.check()
    assert state(book) == state(reference)


@pytest.mark.parametrize("kind", [LIMIT, MARKET, MODIFY])
def test_the_kernel_stops_where_trades_might_not_fit(kind):
    """One message can trade with every resting order: with less room it waits, and nothing has happened."""
    book = CompiledOrderBook(SYMBOL)
    for number, ticks in enumerate((100, 101, 102), 1):
        book.add_order(limit(ASK, 5, ticks, number))
    book.add_order(limit(BID, 5, 1, 4))
    rows = message(kind, 4 if kind == MODIFY else 5, BID, 102, 15)
    before = state(book)
    for room in range(4):
        assert book._run(rows, 0, np.zeros(room, TRADE_DTYPE)) == 0
        assert book._report["trades"][0] == 0 and book._report["outcome"][0] == 0
    assert state(book) == before
    assert book._run(rows, 0, np.zeros(4, TRADE_DTYPE)) == 1
    assert book._report["trades"][0] == 3
