"""What clients say: everything wrong is one typed error, whatever it is."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hft_gym.dashboard import schema
from hft_gym.dashboard.schema import MESSAGES, parse
from hft_gym.errors import DataError

LIMIT = 16_384
EXAMPLES = {
    "attach": {"session": "a" * 32},
    "watch": {"symbol": "AAPL", "levels": 5, "ladder_hz": 10, "chart_hz": 2},
    "start": {},
    "pause": {},
    "step": {"count": 3},
    "speed": {"value": 10},
    "reset": {"seed": 7},
    "market": {"preset": "calm"},
    "strategy": {"slot": 1, "name": "market-making", "parameters": {"skew": 2.0, "max_position": 5}},
    "order": {"symbol": "AAPL", "side": "buy", "quantity": 3, "price": 99.5, "time_in_force": "POST_ONLY"},
    "modify": {"symbol": "AAPL", "order": 4, "quantity": 2, "price": 99.49},
    "cancel": {"symbol": "AAPL", "order": 4},
    "cancel-all": {"symbol": "AAPL"},
    "risk": {"max_position": 10, "max_loss": None, "on_breach": "kill-switch"},
    "release": {"trader": 1},
    "costs": {"order_ms": 1.5, "market_data_ms": 0, "maker": -0.1, "taker": 0.3},
    "record": {},
}


def text(kind, **fields):
    return json.dumps({"v": 1, "type": kind, **fields})


def test_every_message_has_an_example():
    assert EXAMPLES.keys() == MESSAGES.keys()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_examples_are_understood(kind):
    number, message = parse(text(kind, id=12, **EXAMPLES[kind]), LIMIT)
    assert number == 12 and type(message) is MESSAGES[kind]
    for name, value in EXAMPLES[kind].items():
        assert getattr(message, name) == value


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_field_too_many_is_an_error(kind):
    with pytest.raises(DataError, match="unknown setting 'evil'"):
        parse(text(kind, evil=1, **EXAMPLES[kind]), LIMIT)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('{"v": 2, "type": "start"}', "this server speaks 1"),
        ('{"v": true, "type": "start"}', "v is True"),
        ('{"type": "start"}', "v is None"),
        ('{"v": 1}', "type is None"),
        ('{"v": 1, "type": "paus"}', "did you mean 'pause'"),
        ('{"v": 1, "type": ["start"]}', "type is"),
        ('{"v": 1, "type": "start", "id": -1}', "id is -1"),
        ('{"v": 1, "type": "start", "id": true}', "id is True"),
        ("[]", "expected an object"),
        ("", "no JSON"),
        ("{", "no JSON"),
        ('{"v": 1, "type": "speed", "value": NaN}', "NaN is no JSON"),
        ('{"v": 1, "type": "speed", "value": 1e999}', "finite"),
        ('{"v": 1, "type": "speed", "value": 0.01}', "at least 0.1"),
        ('{"v": 1, "type": "reset", "seed": ' + "9" * 400 + "}", "too large"),
        ('{"v": 1, "type": "reset", "seed": 1.5}', "whole number"),
        ("[" * 5000, "no JSON"),
        ('{"v": 1, "type": "order", "symbol": "AAPL", "side": "hold", "quantity": 1}', "Allowed: buy, sell"),
        ('{"v": 1, "type": "order", "symbol": "AAPL", "side": "buy", "quantity": 0}', "at least 1"),
        ('{"v": 1, "type": "strategy", "slot": 1, "name": "x", "parameters": {"a": [1]}}', "parameters.a"),
        ('{"v": 1, "type": "strategy", "slot": 1, "name": "' + "x" * 300 + '"}', "name"),
    ],
)
def test_what_is_wrong_is_named(wrong, said):
    with pytest.raises(DataError, match=said.replace("[", r"\[")):
        parse(wrong, LIMIT)


def test_size_counts_in_bytes():
    long = text("attach", session="ä" * 60)
    assert parse(json.dumps(json.loads(long), ensure_ascii=False), LIMIT)
    with pytest.raises(DataError, match="allowed are 100"):
        parse(json.dumps(json.loads(long), ensure_ascii=False), 100)


def test_parameters_are_few_and_short():
    with pytest.raises(DataError, match="allowed are 32"):
        parse(text("strategy", slot=1, name="x", parameters={f"p{i}": 1 for i in range(33)}), LIMIT)
    with pytest.raises(DataError, match="longer than"):
        parse(text("strategy", slot=1, name="x", parameters={"p": "y" * 65}), LIMIT)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200) | json_values.map(json.dumps))
def test_no_text_does_anything_but_raise_a_data_error(garbage):
    with pytest.raises(DataError):
        parse(garbage, LIMIT)


@st.composite
def near_misses(draw):
    """A right message with some of its values replaced."""
    kind = draw(st.sampled_from(sorted(EXAMPLES)))
    fields = {"v": 1, "type": kind, **EXAMPLES[kind]}
    for name in draw(st.lists(st.sampled_from(sorted(fields)), max_size=3)):
        fields[name] = draw(json_values)
    return json.dumps(fields)


@settings(max_examples=200, deadline=None)
@given(near_misses())
def test_near_misses_are_understood_or_refused(wrong):
    try:
        _, message = parse(wrong, LIMIT)
    except DataError as error:
        assert 0 < len(str(error)) <= 1100
    else:
        assert isinstance(message, schema.Message)
