from typing import Any

import numpy as np
import pytest
from gymnasium.vector.utils import batch_space
from hypothesis import given
from hypothesis import strategies as st

from hft_gym.envs.actions import QUOTE_OPTIONS, TAKE_OPTIONS, ActionSchema
from hft_gym.errors import ActionError, ConfigError
from tests.envs.helpers import ACTION_KINDS

ALL_ORDERS = np.stack(np.unravel_index(np.arange(192), (8, 8, 3)), axis=1)


@pytest.mark.parametrize("kind", ACTION_KINDS)
def test_every_combination_survives_encoding_and_decoding(kind: Any) -> None:
    schema = ActionSchema(kind)
    batch = schema.encode(*ALL_ORDERS.T)
    assert batch in batch_space(schema.space(), 192)
    np.testing.assert_array_equal(schema.decode_batch(batch, 192), ALL_ORDERS)
    for action, orders in zip(batch, ALL_ORDERS, strict=True):
        assert action in schema.space()
        assert schema.decode(action) == tuple(orders)


def test_options_by_name() -> None:
    schema = ActionSchema()
    assert QUOTE_OPTIONS == (
        "none",
        "improve",
        "join",
        "behind_1",
        "behind_2",
        "behind_3",
        "behind_5",
        "behind_10",
    )
    assert TAKE_OPTIONS == ("none", "buy", "sell")
    assert schema.encode(bid="join", ask="behind_10", take="sell").tolist() == [2, 7, 2]
    assert schema.encode().tolist() == [0, 0, 0]
    assert schema.encode(bid=np.array([1, 2]), ask="join").tolist() == [[1, 2, 0], [2, 2, 0]]
    with pytest.raises(KeyError, match="did you mean 'behind_1'"):
        schema.encode(bid="behind1")
    with pytest.raises(ActionError, match="ask quote 8 is out of range; allowed 0 to 7"):
        schema.encode(ask=8)
    with pytest.raises(ActionError, match="integer"):
        schema.encode(ask=0.5)


def test_discrete_is_ravel_multi_index() -> None:
    schema = ActionSchema("discrete")
    for a in range(192):
        assert schema.decode(a) == np.unravel_index(a, (8, 8, 3))


def test_continuous_bins() -> None:
    schema = ActionSchema("continuous")

    def quotes(x: float) -> str:
        return QUOTE_OPTIONS[schema.decode(np.array([x, 0, 0], dtype=np.float32))[0]]

    assert quotes(-1.0) == "improve" and quotes(1.0) == "none" and quotes(0.74) == "behind_10"
    order = [quotes(x) for x in np.linspace(-0.99, 0.99, 8)]
    assert order == [*QUOTE_OPTIONS[1:], "none"]
    takes = [schema.decode(np.array([0, 0, z]))[2] for z in (-1, -0.81, -0.8, 0, 0.8, 0.81, 1)]
    assert takes == [2, 2, 0, 0, 0, 1, 1]


@given(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3))
def test_continuous_single_and_batch_agree(values: list[float]) -> None:
    schema = ActionSchema("continuous")
    action = np.array(values, dtype=np.float32)
    assert schema.decode(action) == tuple(schema.decode_batch(action[None], 1)[0])


GOOD = {
    "multi_discrete": [[2, 3, 1], (2, 3, 1), np.array([2, 3, 1], np.int8), np.array([2, 3, 1], np.uint64)],
    "discrete": [5, np.int32(5), np.array(5)],
    "continuous": [[0.0, 1, -1.0], np.array([0.0, 1.0, -1.0]), np.array([0, 1, -1])],
}
BAD: dict[str, list[tuple[Any, str]]] = {
    "multi_discrete": [
        (None, "dtype object"),
        ("buy", "dtype"),
        (np.array([2.0, 3.0, 1.0]), "dtype float64"),
        (np.array([True, True, True]), "dtype bool"),
        ([2, 3], r"shape \(2,\)"),
        (np.array([[2, 3, 1]]), r"shape \(1, 3\)"),
        (4, r"shape \(\)"),
        ([[2], 3, 1], "not an array"),
        (np.array([8, 0, 0]), "bid quote 8 is out of range; allowed 0 to 7"),
        (np.array([0, -1, 0]), "ask quote -1 is out of range"),
        (np.array([0, 0, 3]), r"take 3 is out of range; allowed 0 to 2 \(none, buy, sell\)"),
        (np.array([0, 0, 2**63], np.uint64), "take 9223372036854775808 is out of range"),
    ],
    "discrete": [
        (192, "192 is out of range; allowed 0 to 191"),
        (-1, "-1 is out of range"),
        (2**70, "dtype object"),
        (5.0, "dtype float64"),
        (True, "dtype bool"),
        (np.array([5]), r"shape \(1,\)"),
        (None, "dtype object"),
    ],
    "continuous": [
        (np.array([np.nan, 0, 0]), "bid quote nan is out of range"),
        (np.array([0, np.inf, 0]), "ask quote inf is out of range"),
        (np.array([0, 0, 1.0001]), "take 1.0001 is out of range; allowed -1.0 to 1.0"),
        (np.array([True, False, True]), "dtype bool"),
        (np.zeros(4), r"shape \(4,\)"),
        (0.5, r"shape \(\)"),
    ],
}


@pytest.mark.parametrize("kind", ACTION_KINDS)
def test_equivalent_forms_are_accepted(kind: Any) -> None:
    schema = ActionSchema(kind)
    assert len({schema.decode(action) for action in GOOD[kind]}) == 1


@pytest.mark.parametrize(
    ("kind", "action", "message"), [(k, a, m) for k, cases in BAD.items() for a, m in cases]
)
def test_bad_actions_name_value_and_range(kind: Any, action: Any, message: str) -> None:
    with pytest.raises(ActionError, match=message):
        ActionSchema(kind).decode(action)


@pytest.mark.parametrize("kind", ACTION_KINDS)
def test_bad_batches_name_the_environment(kind: Any) -> None:
    schema = ActionSchema(kind)
    good = schema.encode(*ALL_ORDERS[:5].T)
    bad = good.copy()
    bad[3] = 999
    with pytest.raises(ActionError, match=r"actions\[3\].*999.*out of range"):
        schema.decode_batch(bad, 5)
    with pytest.raises(ActionError, match="shape"):
        schema.decode_batch(good[:4], 5)
    with pytest.raises(ActionError, match="dtype"):
        schema.decode_batch(good.astype(bool), 5)


def test_a_batch_is_passed_on_without_a_copy() -> None:
    actions = np.ascontiguousarray(ALL_ORDERS)
    assert np.shares_memory(ActionSchema().decode_batch(actions, 192), actions)
    strided = np.asfortranarray(ALL_ORDERS)
    assert ActionSchema().decode_batch(strided, 192).flags.c_contiguous


def test_unknown_encoding() -> None:
    with pytest.raises(ConfigError, match="did you mean 'multi_discrete'"):
        ActionSchema("multidiscrete")  # type: ignore[arg-type]
