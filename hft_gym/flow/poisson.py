"""Limit orders, market orders and cancellations of Cont, Stoikov and Talreja (2010), section 2."""

from __future__ import annotations

from typing import Any

import numpy as np

from hft_gym._jit import I64, U, inlined
from hft_gym.book.ladder import ASK, BID, Book, best_price, is_empty, price_of, side_of
from hft_gym.flow.random import draw, mix, sample
from hft_gym.flow.state import CANCEL, LIMIT, MARKET, next_due, wind_cancel_clock

_LOW = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)
_ONE = np.uint64(1)


@inlined
def touch(book: Book, state: Any, side: int) -> int:
    """The best price of *side*, or the last one known while the side is empty [ticks]."""
    if not is_empty(book, side):
        state["touch"][side] = best_price(book, side)
    return state["touch"][side]


@inlined
def limit_distance(flow: Any, word: Any) -> int:
    """Distance of a limit order from the opposite best [ticks], by the low bits of *word*."""
    distance = sample(flow["distance"], I64(word & _LOW))
    width = flow["distance_width"]
    if width > 1:
        # Which tick of the entry: other bits than those that chose it, and no further draw.
        inner = I64(((mix(word) & _LOW) * np.uint64(width)) >> _S32)
        return (distance - 1) * width + 1 + inner
    return distance


@inlined
def limit_order(book: Book, state: Any, flow: Any, now: int) -> tuple[int, int, int]:
    """Side, price and quantity of the limit order due now; draws the time of the next."""
    word = next_due(state, LIMIT, now, flow["limit_mean"])
    side = I64(word & _ONE)
    word = draw(state["streams"], LIMIT)
    distance = limit_distance(flow, word)
    quantity = sample(flow["limit_size"], I64(word >> _S32))
    if side == BID:
        return side, touch(book, state, ASK) - distance, quantity
    return side, touch(book, state, BID) + distance, quantity


@inlined
def market_order(state: Any, flow: Any, now: int) -> tuple[int, int]:
    """Side and quantity of the market order due now; draws the time of the next."""
    word = next_due(state, MARKET, now, flow["market_mean"])
    side = I64(word & _ONE)
    word = draw(state["streams"], MARKET)
    return side, sample(flow["market_size"], I64(word & _LOW))


@inlined
def cancellation(book: Book, live: Any, state: Any, flow: Any) -> int:
    """Place in the list *live* of the order that the event due now cancels, -1 if it cancels none; draws the time
    to the next.

    Every resting order is asked at the largest cancel rate and accepts with its own rate's share (thinning).
    """
    wind_cancel_clock(state, flow)
    word = draw(state["streams"], CANCEL)
    pick = I64(((word & _LOW) * np.uint64(state["n_live"])) >> _S32)
    slot = I64(live[U(pick)])
    price = price_of(book, slot)
    distance = touch(book, state, ASK) - price if side_of(book, slot) == BID else price - touch(book, state, BID)
    accept = flow["cancel_accept"][U(min(max(distance, 1), 64) - 1)]
    if I64(word >> _S32) < accept:
        return pick
    return -1
