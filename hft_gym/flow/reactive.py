"""Limit orders, market orders and cancellations of :mod:`hft_gym.flow.poisson` under changing activity, by thinning."""

from __future__ import annotations

from typing import Any

import numpy as np

from hft_gym._jit import I64, U, inlined, kernel
from hft_gym.book.ladder import ASK, BID, Book, is_empty, price_of, side_of
from hft_gym.flow.hawkes import CANCEL_BID, LIMIT_BID, MARKET_BUY
from hft_gym.flow.informed import is_known_bad
from hft_gym.flow.metaorders import reach_of
from hft_gym.flow.placement import cancel_share, drawn_distance, newest, spread_class
from hft_gym.flow.poisson import limit_distance, touch
from hft_gym.flow.random import draw, high_unit, low_unit, mix, sample
from hft_gym.flow.state import CANCEL, LIMIT, MARKET, wind

_LOW = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)


@inlined
def side_by_activity(state: Any, kind: int, first: int, choice: Any) -> int:
    """Side of a candidate on clock *kind*, by the activities of the kinds *first* and the next; -1: it does not
    happen."""
    mark = low_unit(choice) * 2.0 * state["ceiling"][U(kind)]
    one, two = state["factor"][U(first)], state["factor"][U(first + 1)]
    if mark >= one + two:
        return -1
    return 0 if mark < one else 1


@kernel
def limit_order(book: Book, state: Any, flow: Any, now: int) -> tuple[int, int, int]:
    """Side, price and quantity (0: none) of the limit order due now."""
    wind(state, LIMIT, now)
    word, choice = draw(state["streams"], LIMIT), draw(state["streams"], LIMIT)
    side = side_by_activity(state, LIMIT, LIMIT_BID, choice)
    if side < 0:
        return BID, 0, 0
    placement = flow["placement"]
    if placement["classes"] > 0:
        c, spread = spread_class(book, state, placement)
        if high_unit(mix(choice)) >= placement["limit"][U(c)]:
            return side, 0, 0
        distance = drawn_distance(placement, c, spread, word)
    else:
        distance = limit_distance(flow, word)
    state["happened"] = LIMIT_BID + side
    quantity = I64(flow["limit_lots"][U(sample(flow["limit_size"], I64(word >> _S32)) - 1)])
    price = touch(book, state, ASK) - distance if side == BID else touch(book, state, BID) + distance
    if is_known_bad(state, flow, side, price, choice):
        quantity = 0
    return side, price, quantity


@kernel
def market_order(book: Book, state: Any, flow: Any, now: int) -> tuple[int, int, int]:
    """Side, limit price and quantity (0: none) of the market order due now."""
    wind(state, MARKET, now)
    word, choice = draw(state["streams"], MARKET), draw(state["streams"], MARKET)
    side = side_by_activity(state, MARKET, MARKET_BUY, choice)
    if side < 0:
        return BID, 0, 0
    placement = flow["placement"]
    if placement["classes"] > 0:
        c, _ = spread_class(book, state, placement)
        if high_unit(word) >= placement["market"][U(c)]:
            return side, 0, 0
    state["happened"] = MARKET_BUY + side
    if is_empty(book, 1 - side):
        return side, 0, 0
    quantity = I64(flow["market_lots"][U(sample(flow["market_size"], I64(word & _LOW)) - 1)])
    return side, reach_of(book, side, flow["market_reach"]), quantity


@kernel
def cancellation(book: Book, live: Any, state: Any, flow: Any, now: int) -> int:
    """Place in the list *live* of the order that the candidate due now cancels, -1 if none."""
    wind(state, CANCEL, now)
    word, choice = draw(state["streams"], CANCEL), draw(state["streams"], CANCEL)
    n = state["n_live"]
    if n == 0:
        return -1
    pick = I64(((word & _LOW) * np.uint64(n)) >> _S32)
    slot = I64(live[U(pick)])
    price, side = price_of(book, slot), side_of(book, slot)
    distance = touch(book, state, ASK) - price if side == BID else price - touch(book, state, BID)
    placement = flow["placement"]
    if placement["classes"] > 0:
        c, spread = spread_class(book, state, placement)
        accept = cancel_share(placement, c, distance - spread)
    else:
        accept = np.float64(flow["cancel_accept"][U(min(max(distance, 1), 64) - 1)]) / 2.0**32
    if high_unit(choice) * state["ceiling"][CANCEL] >= accept * state["factor"][U(CANCEL_BID + side)]:
        return -1
    state["happened"] = CANCEL_BID + side
    if high_unit(mix(choice)) < placement["newest"]:
        return newest(book, live, n, side, pick)
    return pick
