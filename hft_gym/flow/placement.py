"""Placement by the spread: where limit orders go, and how fast everything happens, in books of each spread.

Intensities that depend on the spread (Muni Toke and Yoshida 2017, Quantitative Finance 17:683; Large 2007, J. Financial
Markets 10:1): a wide spread is closed by orders inside it, a narrow one is joined. Orders are placed relative to the
best price of their *own* side (Mike and Farmer 2008, J. Economic Dynamics and Control 32:200), not the opposite one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from hft_gym._jit import I64, U, kernel
from hft_gym.book.ladder import ASK, BID, Book, side_of
from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow.icebergs import FIRST_ID
from hft_gym.flow.poisson import touch
from hft_gym.flow.random import ALIAS, TABLE_SIZE, fill_alias_table, mix, sample

MAX_CLASSES = 8
FARTHEST = 256
NEAR = 16
"""Orders at the end of the list of resting ones among which the newest is looked for."""
_IDENTITY = FIRST_ID - 1
_LOW = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)

PLACEMENT = np.dtype(
    [
        ("classes", "i8"),
        ("spread", "i8", (MAX_CLASSES,)),
        ("offset", ALIAS, (MAX_CLASSES,)),
        ("edge", "i8", (TABLE_SIZE + 1,)),
        ("limit", "f8", (MAX_CLASSES,)),
        ("market", "f8", (MAX_CLASSES,)),
        ("bin", "i8", (FARTHEST,)),
        ("cancel", "f8", (MAX_CLASSES * TABLE_SIZE,)),
        ("newest", "f8"),
    ],
    align=True,
)
"""Number of classes (0: none); the widest spread of each; law of the place of a limit order, in entries; lowest offset
of each entry; share of the candidates that happen, limit and market orders; entry of the cancel rates by offset; rates
of the classes' entries as shares of the largest; share of the cancellations that withdraw the newest order."""


@dataclass(frozen=True)
class PlacementConfig:
    """Limit orders by their distance from the best price of their own side, all rates by the class of the spread.

    Replaces where ``limit_rates`` puts limit orders (their sum remains the rate) and ``cancel_rates``. Class ``c``
    holds the spreads up to ``spreads[c]``, the last one all wider ones. An *offset* counts in ticks behind the own best
    price; negative ones are inside the spread, at least a tick from the opposite best. Orders that are withdrawn at
    once (fleeting ones: Hasbrouck and Saar 2009, J. Financial Markets 12:143) are ``newest_share`` of all withdrawn.
    """

    spreads: tuple[int, ...] = setting(
        (1,),
        low=1,
        high=2**20,
        min_length=1,
        max_length=MAX_CLASSES - 1,
        doc="widest spread of each class but the last",
    )
    offsets: tuple[int, ...] = setting(
        (-1, 0), low=-(2**20), high=2**20, min_length=1, max_length=TABLE_SIZE,
        doc="lowest offset of each entry, ascending; an entry covers all up to the next, uniformly",
    )  # fmt: skip
    weights: tuple[tuple[float, ...], ...] = setting(
        ((0.0, 1.0), (1.0, 1.0)), low=0.0, doc="weights of the entries of limit orders, [class][entry]"
    )
    limit_factors: tuple[float, ...] = setting((1.0, 1.0), low=0.0, doc="factor on the rate of limit orders, by class")
    market_factors: tuple[float, ...] = setting(
        (1.0, 1.0), low=0.0, doc="factor on the rate of market orders of the flow, by class"
    )
    cancel_offsets: tuple[int, ...] = setting(
        (0,), low=0, high=FARTHEST - 1, min_length=1, max_length=TABLE_SIZE,
        doc="lowest offset of each entry of cancel_rates, ascending from 0; the last holds beyond",
    )  # fmt: skip
    cancel_rates: tuple[tuple[float, ...], ...] = setting(
        ((0.1,), (0.1,)), low=0.0, doc="cancellations per second of each resting order, [class][entry]"
    )
    newest_share: float = setting(
        0.0, low=0.0, high=1.0, doc="share of the cancellations that withdraw the newest order of their side instead"
    )

    def __post_init__(self) -> None:
        validate(self)
        n = len(self.spreads) + 1
        for name, columns in (("weights", len(self.offsets)), ("cancel_rates", len(self.cancel_offsets))):
            table = getattr(self, name)
            if len(table) != n or any(len(row) != columns for row in table):
                raise ConfigError(f"{name}: must hold {n} rows, one a class of the spread, of {columns} values")
        for name in ("limit_factors", "market_factors"):
            factors = getattr(self, name)
            if len(factors) != n or not max(factors) > 0.0:
                raise ConfigError(f"{name} is {factors}; it must be {n} values, one a class, one of them above 0")
        for name in ("spreads", "offsets", "cancel_offsets"):
            values = getattr(self, name)
            if any(b <= a for a, b in pairwise(values)):
                raise ConfigError(f"{name} is {values}; it must ascend")
        if self.cancel_offsets[0] != 0:
            raise ConfigError(f"cancel_offsets is {self.cancel_offsets}; it must begin at 0")
        if any(not sum(row) > 0.0 for row in self.weights):
            raise ConfigError("weights: every class needs a positive one")

    @property
    def busiest(self) -> tuple[float, float, float]:
        """Largest factors on limit and market orders, and the largest cancel rate [1/s]."""
        return max(self.limit_factors), max(self.market_factors), max(max(row) for row in self.cancel_rates)

    def fill(self, record: Any) -> None:
        """Write the compiled form to *record*."""
        n = len(self.spreads) + 1
        record["classes"], record["newest"] = n, self.newest_share
        record["spread"] = 2**40
        record["spread"][: n - 1] = self.spreads
        edges = np.array([*self.offsets, self.offsets[-1] + 1])
        record["edge"] = edges[-1]
        record["edge"][: len(edges)] = edges
        limit, market, cancel = self.busiest
        record["limit"][:n] = np.array(self.limit_factors) / limit
        record["market"][:n] = np.array(self.market_factors) / market
        record["bin"] = np.searchsorted(self.cancel_offsets, np.arange(FARTHEST), side="right") - 1
        for c in range(n):
            fill_alias_table(record["offset"][c], self.weights[c])
            if cancel > 0.0:
                at = c * TABLE_SIZE
                record["cancel"][at : at + len(self.cancel_offsets)] = np.array(self.cancel_rates[c]) / cancel


@kernel
def spread_class(book: Book, state: Any, placement: Any) -> tuple[int, int]:
    """The class of the spread as it is, or was when a side ran empty, and the spread [ticks]."""
    spread = max(touch(book, state, ASK) - touch(book, state, BID), 1)
    c = 0
    while placement["spread"][U(c)] < spread:
        c += 1
    return c, spread


@kernel
def drawn_distance(placement: Any, c: int, spread: int, word: Any) -> int:
    """Distance of a limit order from the opposite best [ticks] in class *c*, by the low bits of *word*."""
    j = sample(placement["offset"][U(c)], I64(word & _LOW)) - 1
    low, high = placement["edge"][U(j)], placement["edge"][U(j + 1)]
    # Which tick of the entry: other bits than those that chose it, and no further draw.
    inner = I64(((mix(word) & _LOW) * np.uint64(high - low)) >> _S32)
    return max(spread + low + inner, 1)


@kernel
def cancel_share(placement: Any, c: int, offset: int) -> float:
    """The cancel rate of an order *offset* ticks behind its best price, as a share of the largest."""
    at = placement["bin"][U(min(max(offset, 0), FARTHEST - 1))]
    return placement["cancel"][U(c * TABLE_SIZE + at)]


@kernel
def newest(book: Book, live: Any, n: int, side: int, place: int) -> int:
    """Place in the list *live* of the newest of the flow's orders on *side*; *place* if it is not near the end.

    A new order goes to the end of the list, and one from the end takes the place of an order that left.
    """
    latest = -1
    for i in range(n - 1, max(n - 1 - NEAR, -1), -1):
        slot = I64(live[U(i)])
        if side_of(book, slot) == side:
            identity = I64(book.order[U(slot - book.head["first"])]["id"]) & _IDENTITY
            if identity > latest:
                latest = identity
                place = i
    return place
