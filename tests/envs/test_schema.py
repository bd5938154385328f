import doctest
import inspect
import re

import numpy as np
import pytest

from hft_gym.envs import actions, schema
from hft_gym.envs.schema import ObservationSchema


def test_order_of_the_columns() -> None:
    names = ObservationSchema(2).names
    assert names == (
        *("bid_offset_1", "bid_offset_2", "bid_size_1", "bid_size_2"),
        *("ask_offset_1", "ask_offset_2", "ask_size_1", "ask_size_2"),
        *(
            "spread",
            "imbalance",
            "mid_change",
            "buy_volume",
            "sell_volume",
            "trades",
            "elapsed",
            "volatility",
        ),
        *("inventory", "own_bid_offset", "own_bid_size", "own_bid_ahead"),
        *("own_ask_offset", "own_ask_size", "own_ask_ahead"),
        *("bought", "sold", "in_flight", "unrealised_pnl", "time_left"),
    )


@pytest.mark.parametrize("levels", [1, 5, 10, 20])
def test_every_column_and_group_is_addressable(levels: int) -> None:
    s = ObservationSchema(levels)
    assert len(s) == len(s.names) == len(set(s.names)) == 4 * levels + 20
    for i, column in enumerate(s):
        assert s.index(column.name) == s[column.name] == i
        assert column.name in s and column.unit and column.description
    observation = np.arange(len(s), dtype=np.float32)
    assert observation[s["ask_size"]].tolist() == [s.index(f"ask_size_{k}") for k in range(1, levels + 1)]
    parts = [observation[s[g]] for g in ("bid_offset", "bid_size", "ask_offset", "ask_size", "market", "own")]
    np.testing.assert_array_equal(np.concatenate(parts), observation)
    assert s.as_dict(observation)["inventory"] == s.index("inventory")


def test_the_space_is_finite_and_exact() -> None:
    space = ObservationSchema(10).space()
    assert space.dtype == np.float32
    assert np.isfinite(space.low).all() and np.isfinite(space.high).all()
    assert (space.low < space.high).all()


def test_unknown_names_get_a_hint() -> None:
    s = ObservationSchema(10)
    with pytest.raises(KeyError, match="did you mean 'inventory'"):
        s.index("inventry")
    with pytest.raises(KeyError, match="did you mean 'bid_size'"):
        s["bid_sizes"]
    assert "nothing" not in s


def test_schemas_compare_by_their_columns() -> None:
    assert ObservationSchema(5) == ObservationSchema(5) != ObservationSchema(6)
    assert hash(ObservationSchema(5)) == hash(ObservationSchema(5))


def test_the_data_sheet_holds_this_table() -> None:
    """One fact, one home: the docstring's table is the schema's."""
    from hft_gym.envs.single import HFTMarketEnv

    sheet = inspect.getdoc(HFTMarketEnv) or ""
    table = ObservationSchema(10).table()
    squeeze = re.compile(r"\s+")
    assert squeeze.sub(" ", table) in squeeze.sub(" ", sheet)


@pytest.mark.parametrize("module", [schema, actions])
def test_doctests(module: object) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0
