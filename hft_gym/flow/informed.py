"""The latent fundamental value and the traders who know it (Glosten and Milgrom 1985; Budish, Cramton and Shim
2015)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hft_gym._jit import I64, inlined
from hft_gym.book.ladder import ASK, BID, Book, best_price, is_empty
from hft_gym.flow.random import draw, sample
from hft_gym.flow.state import INFORMED, JUMP, next_due

_LOW = np.uint64(0xFFFFFFFF)
_ONE = np.uint64(1)


@inlined
def jump(state: Any, flow: Any, now: int) -> None:
    """Move the fundamental value by the jump due now; draws the time of the next."""
    word = next_due(state, JUMP, now, flow["jump_mean"])
    size = sample(flow["jump_size"], I64(draw(state["streams"], JUMP) & _LOW))
    state["fundamental"] += size if (word & _ONE) == _ONE else -size


@inlined
def informed_order(book: Book, state: Any, flow: Any, now: int) -> tuple[int, int, int]:
    """Side, limit price and quantity of the informed (IOC) order due now, quantity 0 if no price is wrong enough."""
    next_due(state, INFORMED, now, flow["informed_mean"])
    quantity = sample(flow["market_size"], I64(draw(state["streams"], INFORMED) & _LOW))
    highest = I64(math.floor(state["fundamental"] - flow["informed_edge"]))
    if not is_empty(book, ASK) and best_price(book, ASK) <= highest:
        return BID, highest, quantity
    lowest = I64(math.ceil(state["fundamental"] + flow["informed_edge"]))
    if not is_empty(book, BID) and best_price(book, BID) >= lowest:
        return ASK, lowest, quantity
    return BID, highest, 0
