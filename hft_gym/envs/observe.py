"""What an agent sees: one row of the observation, written from the market as it stands (see ``envs.schema`` for the
columns)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from hft_gym._jit import I64, U, ctz, inlined, kernel
from hft_gym.book.ladder import ASK, BID, Book, key_of, next_level, queue_ahead, sentinel, word_behind
from hft_gym.market.accounts import NO_KEY, others_best, own_volume
from hft_gym.market.exchange import Exchange
from hft_gym.market.records import IN_FLIGHT, RESTING, SUBUNITS

AGENT = 1
"""The agent's participant number where there is one agent."""


class Seat(NamedTuple):
    """Whose eyes a market is seen with, and whose hands act in it: the participant's number, and where its part of the
    order table begins and ends."""

    participant: Any
    first: Any
    last: Any


COMMON_COLUMNS, OWN_QUOTES = 20, 9
"""Columns behind the book's that every task has, and where among them the own bid's begin."""

_NO_BITS, _ONE = np.uint64(0), np.uint64(1)

MAX_OFFSET = 2.0**23
MAX_LOTS = 2**24
"""Bounds of the observation space (:mod:`hft_gym.envs.schema`): half-ticks and lots up to here are exact in float32."""


@inlined
def ticks(half: int) -> float:
    """Half-ticks as ticks, within the bounds of the observation."""
    return min(max(0.5 * half, -MAX_OFFSET), MAX_OFFSET)


@inlined
def observed_touch(ex: Exchange, seat: Seat, env: Any, side: int) -> int:
    """Best price of the others on *side*, or the last one seen while there is none."""
    key = others_best(ex, seat.participant, side)
    if key != NO_KEY:
        env["touch"][side] = key if side == ASK else -key
    return env["touch"][side]


@kernel
def own_range(own: Any, seat: Seat, resting: int, side: int) -> tuple[int, int]:
    """Smallest and largest key at which the agent's *resting* orders stand on *side* (an empty range if none does)."""
    low, high = 2**62, -(2**62)
    seen, o = 0, seat.first
    while seen < resting and o < seat.last:
        order = own[U(o)]
        if order["state"] == RESTING:
            seen += 1
            if order["side"] == side:
                key = key_of(side, order["price"])
                low, high = min(low, key), max(high, key)
        o += 1
    return low, high


@inlined
def write_levels(ex: Exchange, seat: Seat, side: int, levels: int, mid2: int, row: Any, offsets: int) -> int:
    """Write the others' best *levels* of *side*: offsets from the mid at *offsets*, sizes behind them; return the
    best size."""
    book: Book = ex.book
    head, node = book.head, book.node
    depth, base = head["levels"], head["base"][side]
    resting = ex.account[U(seat.participant)]["n_resting"]
    low, high = own_range(ex.own, seat, resting, side)
    index = head["best"][side]
    touch = 0
    k = 0
    word = _NO_BITS
    if index < depth:
        word = word_behind(book, side, index)
    while k < levels and index < depth:
        key = base + index
        volume = I64(node[U(sentinel(book, side, index))]["quantity"])
        price = key if side == ASK else -key
        if low <= key <= high:
            volume -= own_volume(ex.own, seat.first, seat.last, resting, side, price)
        if volume > 0:
            if k == 0:
                touch = volume
            row[U(offsets + k)] = ticks(2 * price - mid2)
            row[U(offsets + levels + k)] = min(volume, MAX_LOTS)
            k += 1
        if word != _NO_BITS:
            index = (index & ~63) + ctz(U(word))
            word &= word - _ONE
        else:
            index = next_level(book, side, (index | 63) + 1)
            if index < depth:
                word = word_behind(book, side, index)
    while k < levels:
        row[U(offsets + k)] = 0.0
        row[U(offsets + levels + k)] = 0.0
        k += 1
    return touch


@inlined
def write_quote(ex: Exchange, seat: Seat, env: Any, side: int, mid2: int, row: Any, column: int) -> None:
    """Write offset, remaining quantity and queue ahead of the agent's working quote on *side*."""
    row[U(column)] = 0.0
    row[U(column + 1)] = 0.0
    row[U(column + 2)] = 0.0
    o = env["quote"][side]
    if o < 0:
        return
    own = ex.own[U(o)]
    if own["state"] == 0 or own["id"] != env["quote_id"][side]:
        env["quote"][side] = -1
        return
    row[U(column)] = ticks(2 * own["price"] - mid2)
    row[U(column + 1)] = own["remaining"]
    if own["state"] == IN_FLIGHT:
        row[U(column + 2)] = -1.0
    else:
        ahead, _ = queue_ahead(ex.book, I64(own["slot"]))
        row[U(column + 2)] = min(ahead, MAX_LOTS)


@inlined
def observe(ex: Exchange, seat: Seat, env: Any, param: Any, mid2: int, elapsed: int, row: Any) -> None:
    """Write the observation of the market as it stands, *elapsed* ns after the last one, marked at *mid2*."""
    account, state = ex.account[U(seat.participant)], ex.state
    n = param["levels"]
    bid_size = write_levels(ex, seat, BID, n, mid2, row, 0)
    ask_size = write_levels(ex, seat, ASK, n, mid2, row, 2 * n)
    c = 4 * n
    total = bid_size + ask_size
    row[U(c)] = min(row[U(2 * n)] - row[U(0)], MAX_OFFSET) if bid_size > 0 and ask_size > 0 else 0.0
    row[U(c + 1)] = (bid_size - ask_size) / total if total > 0 else 0.0
    row[U(c + 2)] = ticks(mid2 - env["mid2"])
    bought = state["volume"][BID] - account["taken"][BID]
    sold = state["volume"][ASK] - account["taken"][ASK]
    row[U(c + 3)] = min(bought - env["volume"][BID], MAX_LOTS)
    row[U(c + 4)] = min(sold - env["volume"][ASK], MAX_LOTS)
    row[U(c + 5)] = state["trades"] - env["trades"]
    row[U(c + 6)] = elapsed * 1e-9
    row[U(c + 7)] = math.sqrt(env["variance"])
    row[U(c + 8)] = account["position"]
    write_quote(ex, seat, env, BID, mid2, row, c + 9)
    write_quote(ex, seat, env, ASK, mid2, row, c + 12)
    row[U(c + 15)] = account["bought"] - env["bought"]
    row[U(c + 16)] = account["sold"] - env["sold"]
    row[U(c + 17)] = account["in_flight"]
    unrealised2 = account["position"] * mid2 * SUBUNITS - 2 * account["cost"]
    row[U(c + 18)] = unrealised2 * (0.5 / SUBUNITS)
    left = 1.0 - env["step"] / param["episode_steps"]
    row[U(c + 19)] = max(left, 0.0)
    env["mid2"] = mid2
    env["volume"][BID] = bought
    env["volume"][ASK] = sold
    env["trades"] = state["trades"]
    env["bought"] = account["bought"]
    env["sold"] = account["sold"]
