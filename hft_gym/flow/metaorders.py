"""Metaorders: large orders that are split, so that the signs of trades have long memory.

Lillo, Mike and Farmer (2005, Phys. Rev. E 71:066122): a fixed number of traders, each working off a parent order of
Pareto(alpha) size, one picked at random for each child. The autocorrelation of signs then falls like lag^-(alpha - 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hft_gym._jit import I64, U, inlined, kernel
from hft_gym.book.ladder import ASK, BID, Book, best_price, is_empty
from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow.hawkes import MARKET_BUY
from hft_gym.flow.random import (
    ALIAS,
    TABLE_SIZE,
    decay,
    draw,
    exponential,
    fill_alias_table,
    high_unit,
    low_unit,
    sample,
)
from hft_gym.flow.state import MAX_TRADERS, METAORDER, wind

_LOW = np.uint64(0xFFFFFFFF)
_ONE = np.uint64(1)

METAORDERS = np.dtype(
    [
        ("mean", "f8"),
        ("traders", "i8"),
        ("inverse_alpha", "f8"),
        ("longest", "f8"),
        ("limit_share", "f8"),
        ("reach", "i8"),
        ("size", ALIAS),
    ],
    align=True,
)
"""Mean time between children [ns] (0: none); traders; 1/alpha; most children of a parent; share of children that are
limit orders; ticks beyond the best price that a child may trade at; law of the children's sizes."""

FAR = 2**40


@dataclass(frozen=True)
class MetaorderConfig:
    """Traders who split Pareto-sized parent orders into children, at random times and in one direction each."""

    rate: float = setting(1.0, above=0.0, high=1e6, doc="children per second, all traders together, at activity 1")
    traders: int = setting(20, low=1, high=MAX_TRADERS, doc="parents worked off at a time")
    alpha: float = setting(
        1.5, low=0.1, high=50.0, doc="tail exponent of the number n of children: P(N >= n) = n^-alpha"
    )
    longest: int = setting(100_000, low=1, high=2**30, doc="most children of one parent")
    limit_share: float = setting(
        0.0, low=0.0, high=1.0, doc="share of children that are limit orders at the own best price"
    )
    reach: int | None = setting(
        None, low=0, high=2**20, doc="ticks beyond the opposite best up to which a child trades; None: any price"
    )
    sizes: tuple[float, ...] = setting(
        (1.0,), low=0.0, min_length=1, max_length=TABLE_SIZE, doc="weights of child sizes 1, 2, ... lots"
    )

    def __post_init__(self) -> None:
        validate(self)
        if not sum(self.sizes) > 0.0:
            raise ConfigError(f"sizes is {self.sizes}; at least one weight must be positive")

    def fill(self, record: Any) -> None:
        """Write the compiled form to *record*."""
        record["mean"], record["traders"] = 1e9 / self.rate, self.traders
        record["inverse_alpha"], record["longest"] = 1.0 / self.alpha, self.longest
        record["limit_share"] = self.limit_share
        record["reach"] = FAR if self.reach is None else self.reach
        fill_alias_table(record["size"], self.sizes)


@inlined
def parent(meta: Any, word: Any) -> int:
    """Signed number of children of a new parent: by the high bits of *word* its size, by the lowest its sign."""
    share = decay(min(exponential(word) * meta["inverse_alpha"], 30.0))
    children = I64(min(1.0 / share, meta["longest"]))
    return -children if (word & _ONE) == _ONE else children


@kernel
def take_parents(state: Any, meta: Any) -> None:
    """Give every trader a first parent."""
    for k in range(meta["traders"]):
        state["parents"][k] = parent(meta, draw(state["streams"], METAORDER))


@inlined
def reach_of(book: Book, side: int, reach: int) -> int:
    """Limit price of an order on *side* that takes up to *reach* ticks beyond the opposite best, which exists."""
    if side == BID:
        return best_price(book, ASK) + reach if reach < FAR else FAR
    return best_price(book, BID) - reach if reach < FAR else -FAR


@kernel
def child_order(book: Book, state: Any, meta: Any, now: int) -> tuple[int, int, int, int]:
    """Side, price, quantity (0: none) and time in force (0: GTC, 1: IOC) of the child order due now."""
    wind(state, METAORDER, now)
    choice, size, fresh = (
        draw(state["streams"], METAORDER),
        draw(state["streams"], METAORDER),
        draw(state["streams"], METAORDER),
    )
    k = I64(low_unit(choice) * meta["traders"])
    children = I64(state["parents"][U(k)])
    side = BID if children > 0 else ASK
    # The clock runs at the larger activity of the two sides, and more than that after a decay.
    if high_unit(choice) * state["ceiling"][METAORDER] >= state["factor"][U(MARKET_BUY + side)]:
        return side, 0, 0, 1
    left = children - 1 if children > 0 else children + 1
    state["parents"][U(k)] = left if left != 0 else parent(meta, fresh)
    quantity = sample(meta["size"], I64(size & _LOW))
    if high_unit(size) < meta["limit_share"]:
        if is_empty(book, side):
            return side, 0, 0, 0
        return side, best_price(book, side), quantity, 0
    if is_empty(book, 1 - side):
        return side, 0, 0, 1
    return side, reach_of(book, side, meta["reach"]), quantity, 1
