"""Liquidity that comes back after trades.

Each lot traded calls for new limit orders on the side that was hit, at a rate that decays after the trade, at or behind
the price that the trade began at (Bouchaud, Farmer and Lillo 2009, arXiv:0809.0822, section 6, on the refill that makes
impact concave and temporary; Large 2007, J. Financial Markets 10:1, on its times).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hft_gym._jit import I64, U, inlined, kernel
from hft_gym.book.ladder import ASK, BID, Book, best_price, is_empty
from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow.informed import is_known_bad
from hft_gym.flow.random import ALIAS, TABLE_SIZE, decay, draw, fill_alias_table, low_unit, sample
from hft_gym.flow.state import REPLENISHMENT, set_clock, wind

_LOW = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)

REPLENISH = np.dtype([("share", "f8"), ("decay", "f8"), ("offset", ALIAS)], align=True)
"""Orders that follow a lot traded (0: none); decay of their rate [1/ns]; law of the distance behind, plus 1 [ticks]."""


@dataclass(frozen=True)
class ReplenishmentConfig:
    """Limit orders that follow trades."""

    share: float = setting(0.5, above=0.0, high=100.0, doc="lots of new limit orders for each lot traded, on average")
    decay: float = setting(
        1.0, low=1e-6, high=1e6, doc="rate at which the reaction dies out [1/s]; its mean delay is 1/decay"
    )
    offsets: tuple[float, ...] = setting(
        (1.0,),
        low=0.0,
        min_length=1,
        max_length=TABLE_SIZE,
        doc="weights of 0, 1, ... ticks behind the best price before the trade",
    )

    def __post_init__(self) -> None:
        validate(self)
        if not sum(self.offsets) > 0.0:
            raise ConfigError(f"offsets is {self.offsets}; at least one weight must be positive")

    def fill(self, record: Any, mean_size: float) -> None:
        """Write the compiled form to *record*; *mean_size* is that of a limit order [lots]."""
        record["share"], record["decay"] = self.share / mean_size, self.decay * 1e-9
        fill_alias_table(record["offset"], self.offsets)


@inlined
def relax(state: Any, replenish: Any, now: int) -> None:
    """Let the reaction to past trades decay until *now*."""
    share = decay(np.float64(now - state["pressure_time"]) * replenish["decay"])
    state["pressure"][0] *= share
    state["pressure"][1] *= share
    state["pressure_time"] = now


@kernel
def call_for_liquidity(state: Any, replenish: Any, now: int, side: int, lots: int, price: int) -> None:
    """*lots* resting on *side* were taken, the first of them at *price*."""
    relax(state, replenish, now)
    state["pressure"][U(side)] += replenish["share"] * lots
    state["level"][U(side)] = price
    pace(state, replenish, now)


@inlined
def pace(state: Any, replenish: Any, now: int) -> None:
    """Let the clock run at the present rate; it only falls until the next trade."""
    total = state["pressure"][0] + state["pressure"][1]
    if now < state["halted_until"]:
        total = 0.0
    set_clock(state, REPLENISHMENT, now, 1.0 / (total * replenish["decay"]) if total > 1e-9 else 0.0)


@kernel
def new_liquidity(book: Book, state: Any, flow: Any, now: int) -> tuple[int, int, int]:
    """Side, price and quantity (0: none) of the limit order due now."""
    replenish = flow["replenish"]
    wind(state, REPLENISHMENT, now)
    choice, word = draw(state["streams"], REPLENISHMENT), draw(state["streams"], REPLENISHMENT)
    offset = sample(replenish["offset"], I64(word & _LOW)) - 1
    quantity = I64(flow["limit_lots"][U(sample(flow["limit_size"], I64(word >> _S32)) - 1)])
    relax(state, replenish, now)
    # The clock ran at the rate of when it was set; the true one has fallen since.
    mark = low_unit(choice) / (state["stretch"][REPLENISHMENT] * replenish["decay"])
    bids = state["pressure"][BID]
    all_ = bids + state["pressure"][ASK]
    pace(state, replenish, now)
    if mark >= all_:
        return BID, 0, 0
    if mark < bids:
        side, price = BID, state["level"][BID] - offset
        if not is_empty(book, ASK):
            price = min(price, best_price(book, ASK) - 1)
    else:
        side, price = ASK, state["level"][ASK] + offset
        if not is_empty(book, BID):
            price = max(price, best_price(book, BID) + 1)
    if is_known_bad(state, flow, side, price, choice):
        quantity = 0
    return side, price, quantity
