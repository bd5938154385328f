"""Rows of the order book: nanoseconds a message on the standard stream, and how that grows with the book."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.bench.c_yardstick import CBook
from hft_gym.bench.harness import Case, Options, Plan, Ratio, clock, group
from hft_gym.bench.plain_book import PlainBook
from hft_gym.bench.stream import Stream, generate
from hft_gym.types import MessageKind

SPARSE = "compiled book, apply, sparse 64-bit ids"
DENSE = "compiled book, apply, dense ids"
REFERENCE = "reference OrderBook, apply"
PLAIN = "plain SortedDict book, no checks"
C = "C yardstick"
_COLUMNS = ("taker_order_id", "maker_order_id", "price", "quantity")
_LIMIT, _CANCEL = int(MessageKind.LIMIT), int(MessageKind.CANCEL)


@group("book", "order book, standard stream (half adds, 40 % cancels, 2,000 to 4,000 live orders)")
def book(options: Options) -> Plan:
    """Both books, the yardsticks in C and plain Python; all must give the same trades."""
    stream = generate(options.pick(2_000_000, 200_000))
    short = Stream(stream.warm_up, stream.messages[: options.pick(100_000, 20_000)], stream.live)
    expected = _trades_of(short)
    stretch = f"on the first {len(short.messages):,} messages"
    cases = [
        Case(SPARSE, "ns/message", _compiled(stream.sparse(), None)),
        Case(DENSE, "ns/message", _compiled(stream, expected, dense=True)),
        Case(REFERENCE, "ns/message", _reference(short, expected), note=stretch),
        Case(PLAIN, "ns/message", _plain(short, expected), note=stretch),
        Case(C, "ns/message", _c_yardstick(stream, expected)),
    ]
    ratios = [
        Ratio("sparse ids, against C", SPARSE, C, ("<=", 2.2), ("<=", 1.5)),
        Ratio("dense ids, against C", DENSE, C, ("<=", 1.5), ("<=", 1.2)),
        Ratio("plain SortedDict book against sparse ids", PLAIN, SPARSE, (">=", 20), (">=", 40)),
        Ratio("reference OrderBook against sparse ids", REFERENCE, SPARSE),
    ]
    return Plan(cases, ratios)


@group("growth", "order book, 100 times more live orders")
def growth(options: Options) -> Plan:
    """The same stream over about 300 and about 30,000 live orders."""
    n = options.pick(1_000_000, 100_000)
    few, many = generate(n, live=(200, 400)), generate(n, live=(20_000, 40_000))
    small, large = "compiled book, 300 live orders", "compiled book, 30,000 live orders"
    cases = [
        Case(small, "ns/message", _compiled(few.sparse(), None)),
        Case(large, "ns/message", _compiled(many.sparse(), None)),
    ]
    return Plan(cases, [Ratio("100 x more live orders", large, small, ("<=", 2.5), ("<=", 1.4))])


def _compiled(stream: Stream, expected: NDArray[Any] | None, dense: bool = False) -> Callable[[], float]:
    from hft_gym import CompiledOrderBook

    def run() -> float:
        extra = {"max_id": stream.ids + 1} if dense else {}
        orders = CompiledOrderBook("BENCH", max_orders=1 << 16, **extra)
        orders.apply(stream.warm_up)
        results: list[Any] = []
        seconds = clock(lambda: results.append(orders.apply(stream.messages)))
        if expected is not None:
            _require_equal(results[0], expected)
        return seconds / len(stream.messages) * 1e9

    return run


def _reference(stream: Stream, expected: NDArray[Any]) -> Callable[[], float]:
    from hft_gym import OrderBook

    def run() -> float:
        orders = OrderBook("BENCH")
        orders.apply(stream.warm_up)
        results: list[Any] = []
        seconds = clock(lambda: results.append(orders.apply(stream.messages)))
        _require_equal(results[0], expected)
        return seconds / len(stream.messages) * 1e9

    return run


def _plain(stream: Stream, expected: NDArray[Any]) -> Callable[[], float]:
    def run() -> float:
        seconds, trades = _play_plain(stream)
        _require_equal(trades, expected)
        return seconds / len(stream.messages) * 1e9

    return run


def _c_yardstick(stream: Stream, expected: NDArray[Any]) -> Callable[[], float]:
    built: list[CBook] = []

    def run() -> float:
        if not built:
            built.append(CBook(stream))
        seconds = built[0].run()
        _require_equal(built[0].trades, expected)
        return seconds / len(stream.messages) * 1e9

    return run


def _trades_of(stream: Stream) -> NDArray[Any]:
    return _play_plain(stream)[1]


def _play_plain(stream: Stream) -> tuple[float, NDArray[Any]]:
    """Seconds and trades, shape (n, 4), of the timed part in the plain book."""
    orders = PlainBook()
    limit, cancel, reduce = orders.limit, orders.cancel, orders.reduce

    def play(rows: list[tuple[int, ...]]) -> None:
        for kind, order_id, side, price, quantity in rows:
            if kind == _LIMIT:
                limit(order_id, side, price, quantity)
            elif kind == _CANCEL:
                cancel(order_id)
            else:
                reduce(order_id, quantity)

    play(_rows(stream.warm_up))
    orders.trades.clear()
    timed = _rows(stream.messages)
    seconds = clock(lambda: play(timed))
    return seconds, np.array(orders.trades, np.int64).reshape(-1, 4)


def _rows(messages: NDArray[Any]) -> list[tuple[int, ...]]:
    names = ("kind", "order_id", "side", "price", "quantity")
    return list(zip(*(messages[name].tolist() for name in names), strict=True))


def _require_equal(trades: NDArray[Any], expected: NDArray[Any]) -> None:
    """A speed is worth nothing if the trades differ (*expected* may be of a shorter stretch)."""
    table = trades if trades.dtype.names is None else np.stack([trades[c] for c in _COLUMNS], axis=1)
    if len(table) < len(expected) or not np.array_equal(table[: len(expected)], expected):
        raise RuntimeError("the trades differ from the plain book's")
