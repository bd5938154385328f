"""Icebergs: limit orders that show a part of themselves and put the next part at the back of the queue when it is gone.

These are synthetic icebergs (Zotikov and Antonov 2021, arXiv:1909.09495): the hidden part is not at the exchange; its
owner sends the next part at once, as a new order. A market order that sweeps a level therefore goes on to the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hft_gym._jit import I64, U, inlined, kernel
from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow.random import ALIAS, TABLE_SIZE, draw, fill_alias_table, high_unit, sample
from hft_gym.flow.state import ICEBERG, MAX_PENDING, NEVER

_LOW = np.uint64(0xFFFFFFFF)

ICEBERGS = np.dtype([("share", "f8"), ("parts", ALIAS)], align=True)
"""Share of the flow's limit orders that hide something; law of the number of further parts."""

FIRST_ID = 2**40
"""An order of the flow whose id is at least this one hides further parts: bits 40-49 their number, 50-62 the lots of
each."""


@dataclass(frozen=True)
class IcebergConfig:
    """Limit orders of which only a part shows at a time."""

    share: float = setting(0.05, above=0.0, high=1.0, doc="share of the flow's limit orders that are icebergs")
    parts: tuple[float, ...] = setting(
        (1.0, 1.0, 1.0, 1.0),
        low=0.0,
        min_length=1,
        max_length=TABLE_SIZE,
        doc="weights of 1, 2, ... further parts, each as large as the one that shows",
    )

    def __post_init__(self) -> None:
        validate(self)
        if not sum(self.parts) > 0.0:
            raise ConfigError(f"parts is {self.parts}; at least one weight must be positive")

    def fill(self, record: Any) -> None:
        """Write the compiled form to *record*."""
        record["share"] = self.share
        fill_alias_table(record["parts"], self.parts)


@inlined
def hidden_bits(parts: int, lots: int) -> int:
    """What an order that hides *parts* further parts of *lots* adds to its id; nothing if they do not fit."""
    if parts <= 0 or parts > 1023 or lots > 8191:
        return 0
    return (parts << 40) | (lots << 50)


@kernel
def hide(state: Any, icebergs: Any, lots: int) -> None:
    """Decide whether the limit order of *lots* that is about to enter is an iceberg."""
    word = draw(state["streams"], ICEBERG)
    parts = sample(icebergs["parts"], I64(word & _LOW))
    if high_unit(word) < icebergs["share"]:
        state["hidden"] = hidden_bits(parts, lots)


@kernel
def shown_part_gone(state: Any, side: int, price: int, identity: int) -> None:
    """The part of an iceberg that showed was filled: its owner sends the next one at once."""
    n = state["n_pending"]
    if n == MAX_PENDING:
        state["rejected"] += 1
        return
    state["n_pending"] = n + 1
    at = 4 * n
    state["pending"][U(at)] = side
    state["pending"][U(at + 1)] = price
    state["pending"][U(at + 2)] = identity >> 50
    state["pending"][U(at + 3)] = ((identity >> 40) & 1023) - 1


@kernel
def next_part(state: Any) -> tuple[int, int, int]:
    """Side, price and quantity of the next part to show."""
    pending = state["pending"]
    side, price, lots, parts = pending[U(0)], pending[U(1)], pending[U(2)], pending[U(3)]
    n = state["n_pending"] - 1
    state["n_pending"] = n
    for i in range(4 * n):
        pending[U(i)] = pending[U(i + 4)]
    state["hidden"] = hidden_bits(parts, lots)
    if n == 0:
        state["due"][ICEBERG] = NEVER
    return side, price, lots
