"""The standard message stream through both books: equal trades, equal books."""

import numpy as np
import pytest

from hft_gym import CompiledOrderBook, MessageKind, OrderBook, errors
from hft_gym.bench.stream import generate
from tests.book.helpers import FEW, GTC, IOC, POST_ONLY, SYMBOL, state


def compare(stream, books):
    """Run the stream through all books, the first one being right."""
    warm_up = [book.apply(stream.warm_up) for book in books]
    trades = [book.apply(stream.messages) for book in books]
    for book, before, after in zip(books[1:], warm_up[1:], trades[1:], strict=True):
        assert np.array_equal(before, warm_up[0])
        assert np.array_equal(after, trades[0])
        assert state(book) == state(books[0])
        book.check()
    return trades[0]


def all_books(stream):
    return [
        OrderBook(SYMBOL),
        CompiledOrderBook(SYMBOL),
        CompiledOrderBook(SYMBOL, max_id=stream.ids + 1),
        CompiledOrderBook(SYMBOL, levels=64),
    ]


def test_short_stream():
    n = 1_000 if FEW else 100_000
    stream = generate(n, seed=2, live=(100, 200) if FEW else (2_000, 4_000))
    kinds = np.bincount(stream.messages["kind"], minlength=5) / n
    assert 0.5 < kinds[MessageKind.LIMIT] < 0.64 and 0.3 < kinds[MessageKind.CANCEL] < 0.45
    trades = compare(stream, all_books(stream))
    assert len(trades) > 0.1 * n


def test_short_stream_with_participants_and_times_in_force():
    """The same stream with owners, so that self-trade prevention bites, and every time in force.

    Orders that a participant's own order displaced are cancelled in vain: those messages are left out.
    """
    stream = generate(1_000 if FEW else 50_000, seed=3, live=(100, 200))
    rng = np.random.default_rng(3)
    messages = np.concatenate([stream.warm_up, stream.messages])
    messages["participant"] = rng.integers(0, 4, len(messages))
    new = messages["kind"] == MessageKind.LIMIT
    messages["time_in_force"][new] = rng.choice([GTC] * 17 + [IOC, POST_ONLY, 2], new.sum())
    books = [OrderBook(SYMBOL), CompiledOrderBook(SYMBOL), CompiledOrderBook(SYMBOL, levels=64)]
    traded = refused = 0
    while len(messages):
        results = []
        for book in books:
            try:
                results.append((len(messages), book.apply(messages), ""))
            except errors.MessageError as error:
                results.append((error.index, error.trades, str(error)))
        for other in results[1:]:
            assert other[0] == results[0][0] and other[2] == results[0][2]
            assert np.array_equal(other[1], results[0][1])
        traded += len(results[0][1])
        refused += bool(results[0][2])
        messages = messages[results[0][0] + 1 :]
    assert traded and refused
    for book in books[1:]:
        assert state(book) == state(books[0])
        book.check()


@pytest.mark.slow
def test_two_million_messages():
    stream = generate(2_000_000)
    trades = compare(stream, all_books(stream))
    sparse = stream.sparse()
    book = CompiledOrderBook(SYMBOL)
    book.apply(sparse.warm_up)
    scattered = book.apply(sparse.messages)
    for name in ("price", "quantity", "aggressor_side"):
        assert np.array_equal(scattered[name], trades[name])
    book.check()
