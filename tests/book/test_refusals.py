"""Bad input: a typed error that names the value and what is allowed, and a book exactly as before."""

import math

import numpy as np
import pytest

from hft_gym import CompiledOrderBook, OrderBook, OrderStatus, OrderType, errors
from tests.book.helpers import (
    ASK,
    BID,
    BOOKS,
    CANCEL,
    FOK,
    LIMIT,
    MARKET,
    MODIFY,
    POST_ONLY,
    REDUCE,
    SYMBOL,
    fills,
    limit,
    market,
    message,
    state,
)


@pytest.fixture
def filled(book):
    """A book with two orders a side."""
    for order in (limit(BID, 5, 99, 1), limit(BID, 6, 98, 2), limit(ASK, 7, 101, 3), limit(ASK, 8, 102, 4)):
        book.add_order(order)
    return book


def changed(order, **fields):
    for name, value in fields.items():
        setattr(order, name, value)
    return order


BAD_ORDERS = [
    ({"price": 0.955}, errors.PriceError, "0.955.*0.95 and 0.96"),
    ({"price": math.nan}, errors.PriceError, "nan"),
    ({"price": math.inf}, errors.PriceError, "inf"),
    ({"price": -math.inf}, errors.PriceError, "inf"),
    ({"price": None}, errors.PriceError, "None"),
    ({"price": "1.00"}, errors.PriceError, "'1.00'"),
    ({"price": True}, errors.PriceError, "True"),
    ({"price": 1e300}, errors.PriceError, "1e\\+300"),
    ({"price": 2.0**40}, errors.PriceError, "from -10995116277.76 to 10995116277.76"),
    ({"volume": 0}, errors.QuantityError, "0 lots.*from 1 to 2147483647"),
    ({"volume": -3}, errors.QuantityError, "-3"),
    ({"volume": math.nan}, errors.QuantityError, "nan"),
    ({"volume": math.inf}, errors.QuantityError, "inf"),
    ({"volume": 2.5}, errors.QuantityError, "2.5"),
    ({"volume": 2**31}, errors.QuantityError, "2147483648"),
    ({"volume": 2**70}, errors.QuantityError, "1180591620717411303424"),
    ({"volume": None}, errors.QuantityError, "None"),
    ({"volume": "5"}, errors.QuantityError, "'5'"),
    ({"volume": True}, errors.QuantityError, "True"),
    ({"order_id": 1}, errors.DuplicateOrderError, "order_id is 1"),
    ({"order_id": 2**63}, errors.OrderError, "9223372036854775808"),
    ({"order_id": 1.5}, errors.OrderError, "1.5"),
    ({"order_id": "x"}, errors.OrderError, "'x'"),
    ({"symbol": "XYZ"}, errors.SymbolError, "'XYZ'.*'ABC'"),
    ({"side": 2}, errors.SideError, "2.*0 \\(BID\\), 1 \\(ASK\\)"),
    ({"side": "bid"}, errors.SideError, "'bid'"),
    ({"side": None}, errors.SideError, "None"),
    ({"time_in_force": 4}, errors.OrderError, "4.*0 \\(GTC\\)"),
    ({"participant": -1}, errors.OrderError, "-1"),
    ({"participant": 2**32}, errors.OrderError, "4294967296"),
    ({"participant": math.nan}, errors.OrderError, "nan"),
    ({"order_type": 2}, errors.OrderError, "order_type is 2"),
    ({"order_type": OrderType.MARKET}, errors.PriceError, "market order has no price"),
    ({"status": OrderStatus.FILLED}, errors.OrderError, "FILLED"),
]


@pytest.mark.parametrize(("fields", "error", "text"), BAD_ORDERS, ids=[str(fields) for fields, _, _ in BAD_ORDERS])
def test_bad_order(filled, fields, error, text):
    before = state(filled)
    order = changed(limit(BID, 5, 97, 9), **fields)
    with pytest.raises(errors.OrderError, match=text) as caught:
        filled.add_order(order)
    assert type(caught.value) is error
    assert state(filled) == before
    assert order.status == fields.get("status", OrderStatus.NEW)


def test_not_an_order(filled):
    with pytest.raises(errors.OrderError, match="None"):
        filled.add_order(None)


def test_a_refused_order_takes_no_id(book):
    with pytest.raises(errors.QuantityError):
        book.add_order(limit(BID, 0, 97))
    order = limit(BID, 1, 97)
    book.add_order(order)
    assert order.order_id == 1


@pytest.mark.parametrize("bad", [9, -1, 2**63, 2**80, math.nan, 1.5, None, "1"])
def test_unknown_id(filled, bad):
    before = state(filled)
    for call in (filled.cancel_order, filled.get_order, filled.queue_position, filled.modify_order):
        with pytest.raises(errors.UnknownOrderError) as caught:
            call(bad)
        assert repr(bad) in str(caught.value)
        assert isinstance(caught.value, KeyError)
    assert bad not in filled
    assert state(filled) == before


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"volume": 0}, errors.QuantityError),
        ({"volume": math.nan}, errors.QuantityError),
        ({"price": 0.955}, errors.PriceError),
        ({"price": math.nan}, errors.PriceError),
        ({"price": 1e200}, errors.PriceError),
        ({"price": 1.0, "volume": 2**31}, errors.QuantityError),
    ],
)
def test_bad_modification(filled, arguments, error):
    before = state(filled)
    with pytest.raises(error):
        filled.modify_order(1, **arguments)
    assert state(filled) == before


@pytest.mark.parametrize("levels", [-1, 1.5, None])
def test_bad_levels(filled, levels):
    with pytest.raises(errors.ConfigError, match=str(levels)):
        filled.get_snapshot(levels)
    with pytest.raises(errors.ConfigError):
        filled.get_depth(BID, levels)


def test_bad_side_of_a_query(filled):
    with pytest.raises(errors.SideError):
        filled.get_depth(2)
    with pytest.raises(errors.SideError):
        filled.get_orders("bid")


BAD_MESSAGES = [
    (message(5, 9), errors.OrderError, "kind is 5"),
    (message(255, 1), errors.OrderError, "kind is 255"),
    (message(LIMIT, 1, BID, 97, 5), errors.DuplicateOrderError, "order_id is 1"),
    (message(MARKET, 1, BID, 97, 5), errors.DuplicateOrderError, "order_id is 1"),
    (message(LIMIT, 9, 2, 97, 5), errors.SideError, "side is 2"),
    (message(MARKET, 9, 255, 97, 5), errors.SideError, "side is 255"),
    (message(LIMIT, 9, BID, 2**40 + 1, 5), errors.PriceError, "1099511627777 ticks"),
    (message(LIMIT, 9, ASK, -(2**40) - 1, 5), errors.PriceError, "-1099511627777"),
    (message(LIMIT, 9, ASK, 2**63 - 1, 5), errors.PriceError, "9223372036854775807"),
    (message(LIMIT, 9, BID, -(2**63), 5), errors.PriceError, "-9223372036854775808"),
    (message(LIMIT, 9, BID, 97, 0), errors.QuantityError, "0 lots"),
    (message(LIMIT, 9, BID, 97, -(2**63)), errors.QuantityError, "-9223372036854775808"),
    (message(MARKET, 9, BID, 97, 2**31), errors.QuantityError, "2147483648"),
    (message(LIMIT, 9, BID, 97, 5, 4), errors.OrderError, "time_in_force is 4"),
    (message(MARKET, 9, BID, 97, 5, 255), errors.OrderError, "time_in_force is 255"),
    (message(MARKET, 9, BID, 97, 5, POST_ONLY), errors.OrderError, "POST_ONLY; a market order"),
    (message(CANCEL, 9), errors.UnknownOrderError, "order_id is 9"),
    (message(CANCEL, -(2**63)), errors.UnknownOrderError, "-9223372036854775808"),
    (message(REDUCE, 9, quantity=1), errors.UnknownOrderError, "order_id is 9"),
    (message(MODIFY, 9, price=97, quantity=1), errors.UnknownOrderError, "order_id is 9"),
    (message(REDUCE, 1, quantity=6), errors.QuantityError, "6 lots; a reduction allows 1 to the 5"),
    (message(REDUCE, 1, quantity=0), errors.QuantityError, "0 lots"),
    (message(REDUCE, 1, quantity=2**40), errors.QuantityError, "1099511627776"),
    (message(MODIFY, 1, price=2**41, quantity=1), errors.PriceError, "2199023255552"),
    (message(MODIFY, 1, price=99, quantity=0), errors.QuantityError, "0 lots"),
]


@pytest.mark.parametrize("bad", BAD_MESSAGES, ids=[text for _, _, text in BAD_MESSAGES])
def test_bad_message(filled, bad):
    row, error, text = bad
    before = state(filled)
    with pytest.raises(errors.MessageError, match=text) as caught:
        filled.apply(row)
    assert type(caught.value.cause) is error
    assert caught.value.__cause__ is caught.value.cause
    assert (caught.value.index, len(caught.value.trades)) == (0, 0)
    assert state(filled) == before


def test_first_fault_counts_in_the_order_of_r1():
    """Everything is wrong; faults mended one by one show in the order of R1."""
    expected = ["kind", "order_id", "side", "price", "quantity", "time_in_force"]
    for make in BOOKS.values():
        book = make(SYMBOL)
        book.add_order(limit(BID, 5, 99, 1))
        row = message(77, 1, 9, 2**50, -1, 9)
        good = {"kind": LIMIT, "order_id": 2, "side": ASK, "price": 50, "quantity": 5, "time_in_force": FOK}
        found = []
        for name in expected:
            with pytest.raises(errors.MessageError) as caught:
                book.apply(row)
            found.append(str(caught.value.cause).split()[0])
            row[name] = good[name]
        assert found == expected
        assert fills(book.apply(row)) == [(2, 1, 99, 5)]


def test_r13_the_messages_before_a_bad_one_stay_applied(filled):
    rows = np.concatenate(
        [
            message(MARKET, 8, BID, quantity=3),
            message(CANCEL, 1),
            message(CANCEL, 1),
            message(CANCEL, 2),
        ]
    )
    with pytest.raises(errors.MessageError, match=r"^message 2: order_id is 1") as caught:
        filled.apply(rows)
    assert caught.value.index == 2
    assert fills(caught.value.trades) == [(8, 3, 101, 3)]
    assert 1 not in filled and 2 in filled and filled.get_order(3).remaining == 4


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        np.zeros(3),
        np.zeros((2, 2), message(0, 0).dtype),
        np.zeros((), message(0, 0).dtype),
        message(LIMIT, 1)[["order_id", "price"]],
    ],
    ids=["None", "list", "floats", "2-d", "0-d", "fields missing"],
)
def test_not_a_message_array(filled, bad):
    with pytest.raises(errors.OrderError, match="MESSAGE_DTYPE"):
        filled.apply(bad)


@pytest.mark.parametrize("make", [OrderBook, CompiledOrderBook])
@pytest.mark.parametrize(
    "arguments",
    [
        {"symbol": ""},
        {"symbol": None},
        {"tick_size": 0},
        {"tick_size": -0.01},
        {"tick_size": math.nan},
        {"tick_size": math.inf},
        {"tick_size": "0.01"},
        {"tick_size": 1e-13},
        {"max_orders": 0},
        {"max_orders": 1.5},
        {"max_orders": 2**31},
    ],
)
def test_bad_arguments_of_a_book(make, arguments):
    [(name, value)] = arguments.items()
    with pytest.raises(errors.ConfigError, match=f"{name} is {value!r}"):
        make(**{"symbol": SYMBOL, **arguments})


@pytest.mark.parametrize("arguments", [{"levels": 0}, {"levels": 2**18 + 1}, {"max_id": 0}, {"max_id": -1}])
def test_bad_arguments_of_the_compiled_book(arguments):
    [(name, value)] = arguments.items()
    with pytest.raises(errors.ConfigError, match=f"{name} is {value!r}"):
        CompiledOrderBook(SYMBOL, **arguments)


@pytest.mark.parametrize("bad", [-1, 10, 2**40, -(2**63)])
def test_an_id_beyond_max_id(bad):
    book = CompiledOrderBook(SYMBOL, max_id=10)
    for order in (limit(BID, 5, 99, bad), market(BID, 5, bad)):
        with pytest.raises(errors.OrderError, match=f"order_id is {bad}; .* from 0 to 9"):
            book.add_order(order)
    for kind in (LIMIT, MARKET):
        with pytest.raises(errors.MessageError, match=f"order_id is {bad}; .* from 0 to 9"):
            book.apply(message(kind, bad, BID, 99, 5))
    for kind in (CANCEL, REDUCE, MODIFY):
        with pytest.raises(errors.MessageError, match=f"order_id is {bad}: no order"):
            book.apply(message(kind, bad, BID, 99, 5))
    assert len(book) == 0
    book.check()


def test_ids_given_by_a_dense_book_run_out():
    book = CompiledOrderBook(SYMBOL, max_id=3)
    for _ in range(2):
        book.add_order(limit(BID, 5, 99))
    with pytest.raises(errors.OrderError, match="order_id is 3"):
        book.add_order(limit(BID, 5, 99))
    assert len(book) == 2
