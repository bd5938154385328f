"""Messages on the wire: back and forth unchanged, and nothing else is taken for one."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hft_gym.errors import DataError
from hft_gym.feed import DataKind, MarketDataMessage
from hft_gym.feed.messages import from_wire, to_wire
from hft_gym.types import OrderSide

NUMBERS = st.one_of(st.integers(0, 10**9), st.floats(0, 1e9))
LEVELS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=3).map(tuple)
MESSAGES = st.builds(
    MarketDataMessage,
    symbol=st.text(min_size=1, max_size=8),
    timestamp=st.integers(0, 2**62),
    price=st.none() | NUMBERS,
    bid_price=st.none() | NUMBERS,
    ask_price=st.none() | NUMBERS,
    bid_size=NUMBERS,
    ask_size=NUMBERS,
    volume=NUMBERS,
    sequence=st.integers(0, 2**62),
    kind=st.sampled_from(DataKind),
    side=st.sampled_from([None, *OrderSide]),
    bids=LEVELS,
    asks=LEVELS,
    snapshot=st.booleans(),
    conflated=st.integers(0, 100),
)


@settings(max_examples=100, deadline=None)
@given(MESSAGES)
def test_there_and_back(message):
    back = from_wire(json.loads(json.dumps(to_wire(message))))
    assert back == message and back.kind is message.kind and back.side is message.side


_MESSAGE = MarketDataMessage("A", 1, 10.0, 9.9, 10.1, 5, 6, 0, 1, bids=((9.9, 5),), asks=((10.1, 6),))
GOOD = json.loads(json.dumps(to_wire(_MESSAGE)))


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": 3}, {"timestamp": 1.5}, {"timestamp": True}, {"price": "10"}, {"price": math.nan},
        {"bid_size": -1}, {"bid_size": None}, {"type": "hello"}, {"side": "buy"}, {"bids": [[1]]}, {"bids": {}},
        {"asks": [[1, -2]]}, {"snapshot": 1}, {"conflated": "0"}, {"sequence": None},
    ],
    ids=str,
)  # fmt: skip
def test_anything_else_is_refused(change):
    assert from_wire(GOOD).symbol == "A"
    with pytest.raises(DataError, match="no message of schema 1"):
        from_wire({**GOOD, **change})


@pytest.mark.parametrize("field", GOOD)
def test_every_field_is_needed(field):
    with pytest.raises(DataError):
        from_wire({name: value for name, value in GOOD.items() if name != field})


def test_mid_and_spread_need_both_sides():
    message = from_wire(GOOD)
    assert message.mid_price == 10.0 and message.spread == pytest.approx(0.2)
    assert message._replace(bid_price=None).mid_price is None and message._replace(ask_price=None).spread is None
