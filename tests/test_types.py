"""The common words: enums as plain integers, records, orders."""

import dataclasses
import json
import pickle

import numpy as np
import pytest

from hft_gym import (
    MESSAGE_DTYPE,
    TRADE_DTYPE,
    BookSnapshot,
    MessageKind,
    Order,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
    Trade,
    errors,
)


@pytest.mark.parametrize("enum", [OrderSide, OrderType, TimeInForce, MessageKind, OrderStatus])
def test_enums_are_integers_from_zero(enum):
    assert [int(member) for member in enum] == list(range(len(enum)))
    assert json.dumps(list(enum)) == json.dumps(list(range(len(enum))))


def test_sides_have_an_opposite():
    assert OrderSide.BID.opposite is OrderSide.ASK and OrderSide.ASK.opposite is OrderSide.BID


def test_enums_go_into_records():
    row = np.zeros(1, MESSAGE_DTYPE)
    row["kind"], row["side"], row["time_in_force"] = MessageKind.MODIFY, OrderSide.ASK, TimeInForce.POST_ONLY
    assert row[0][["kind", "side", "time_in_force"]].tolist() == (4, 1, 3)
    assert np.zeros(1, TRADE_DTYPE)["pad"].shape == (1, 7)


def test_records_have_no_gaps():
    for dtype in (MESSAGE_DTYPE, TRADE_DTYPE):
        ends = [offset + field.itemsize for field, offset in (dtype.fields[name][:2] for name in dtype.names)]
        assert ends[-1] == dtype.itemsize and not dtype.isalignedstruct
        starts = [dtype.fields[name][1] for name in dtype.names]
        assert starts == [0, *ends[:-1]]


def test_orders_count_what_is_filled():
    order = Order("ABC", OrderSide.BID, OrderType.LIMIT, 10, 1.0)
    assert (order.remaining, order.filled, order.status) == (10, 0, OrderStatus.NEW)
    order.remaining = 4
    assert order.filled == 6


@pytest.mark.parametrize("frozen", [Trade, BookSnapshot])
def test_reports_are_frozen(frozen):
    values = dict.fromkeys((field.name for field in dataclasses.fields(frozen)), 1)
    report = frozen(**values)
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.symbol = "X"
    assert pickle.loads(pickle.dumps(report)) == report


def test_trade_volume_is_its_quantity():
    assert Trade("ABC", 1, 2, 1.0, 100, 7, OrderSide.BID).volume == 7


ERRORS = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("error", ERRORS)
def test_errors_have_one_base_and_a_builtin_one(error):
    assert issubclass(error, errors.HFTGymError)
    assert error is errors.HFTGymError or issubclass(error, (ValueError, RuntimeError, ModuleNotFoundError))
    assert error.__doc__


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.UnknownOrderError("order_id is 7"), "order_id is 7"),
        (errors.ConfigError("levels is 0"), "levels is 0"),
        (
            errors.MessageError(3, np.zeros(2, TRADE_DTYPE), errors.SideError("side is 9")),
            "message 3: side is 9",
        ),
        (errors.DataError("price is -1", "day.csv", 7, -1), "day.csv, row 7: price is -1"),
        (errors.DataError("empty", "day.csv"), "day.csv: empty"),
        (errors.DataError("bad", row=4), "row 4: bad"),
        (errors.DataError("bad"), "bad"),
    ],
)
def test_messages_of_errors_survive_pickling(error, text):
    assert str(error) == text
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == text


def test_attributes_of_errors():
    cause = errors.SideError("x")
    trades = np.zeros(2, TRADE_DTYPE)
    error = errors.MessageError(3, trades, cause)
    assert (error.index, error.trades, error.cause) == (3, trades, cause)
    data = errors.DataError("bad", "f", 2, 9)
    assert (data.file, data.row, data.value) == ("f", 2, 9)
    assert isinstance(errors.UnknownOrderError("x"), KeyError)
