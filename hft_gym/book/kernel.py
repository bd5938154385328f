"""The compiled order book: the rules of :mod:`hft_gym.book.rules` on the structure of :mod:`hft_gym.book.ladder`.

It is the twin of :class:`hft_gym.book.reference.OrderBook` and drives :class:`~hft_gym.book.compiled.CompiledOrderBook`
and the market alike; no other compiled code matches orders.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hft_gym._jit import I64, U, inlined, kernel
from hft_gym.book.ladder import (
    ASK,
    BID,
    MAX_LEVEL_VOLUME,
    MAX_PRICE,
    MAX_QUANTITY,
    Book,
    execute,
    is_empty,
    key_of,
    next_level,
    reduce,
    rest,
    sentinel,
    side_of,
    take_out,
    volume_at,
)

FILL = np.dtype(
    [
        ("maker_id", "i8"),
        ("price", "i8"),
        ("quantity", "i8"),
        ("remaining", "i8"),
        ("slot", "u4"),
        ("participant", "u4"),
    ]
)
"""What one match did to one resting order; ``quantity`` 0 marks an order that gave way to self-trade prevention."""

GTC, IOC, FOK, POST_ONLY = 0, 1, 2, 3

ACCEPTED, REJECTED_POST_ONLY, KILLED_FOK = 0, 1, 2
BOOK_FULL, LEVEL_FULL, BAD_PRICE, BAD_QUANTITY = -1, -2, -3, -4
BAD_SIDE, BAD_TIME_IN_FORCE, FILL_BUFFER_SMALL = -5, -6, -7
"""Outcomes of :func:`submit`: negative ones are errors and leave the book as it was."""


@kernel
def available(book: Book, side: int, limit: int, participant: int, wanted: int) -> int:
    """Volume on *side* at keys up to *limit* that *participant* may trade with, counted until it reaches *wanted*."""
    head, node = book.head, book.node
    levels, first = head["levels"], head["first"]
    total = 0
    index = head["best"][side]
    while total < wanted:
        level = sentinel(book, side, index)
        if index < levels and head["base"][side] + index > limit:
            break
        slot = I64(node[U(level)]["next"])
        while slot != level:
            record = book.order[U(slot - first)]
            if key_of(side, record["price"]) <= limit and (participant == 0 or record["participant"] != participant):
                total += I64(node[U(slot)]["quantity"])
            slot = I64(node[U(slot)]["next"])
        if index >= levels:
            break
        index = next_level(book, side, index + 1)
    return total


@inlined
def match(book: Book, fills: Any, opposite: int, limit: int, quantity: int, participant: int) -> tuple[int, int]:
    """Trade *quantity* lots against *opposite* up to key *limit*; return what is left and the number of *fills*."""
    head, node, order = book.head, book.node, book.order
    first = head["first"]
    n = 0
    while quantity > 0:
        index = head["best"][opposite]
        if index == head["levels"] or head["base"][opposite] + index > limit:
            break
        slot = I64(node[U(sentinel(book, opposite, index))]["next"])
        maker = order[U(slot - first)]
        fill = fills[U(n)]
        n += 1
        fill["maker_id"] = maker["id"]
        fill["price"] = maker["price"]
        fill["slot"] = slot
        fill["participant"] = maker["participant"]
        if participant != 0 and maker["participant"] == participant:
            fill["quantity"] = 0
            fill["remaining"] = node[U(slot)]["quantity"]
            take_out(book, slot)
            continue
        traded = min(quantity, I64(node[U(slot)]["quantity"]))
        quantity -= traded
        fill["quantity"] = traded
        fill["remaining"] = execute(book, slot, traded)
    return quantity, n


@inlined
def validate(book: Book, fills: Any, side: int, price: int, quantity: int, time_in_force: int) -> int:
    """Check an incoming order before anything changes: :data:`ACCEPTED` or a negative error."""
    head = book.head
    if side != BID and side != ASK:
        return BAD_SIDE
    if price > MAX_PRICE or price < -MAX_PRICE:
        return BAD_PRICE
    if quantity < 1 or quantity > MAX_QUANTITY:
        return BAD_QUANTITY
    if time_in_force < GTC or time_in_force > POST_ONLY:
        return BAD_TIME_IN_FORCE
    if fills.shape[0] < head["capacity"]:
        return FILL_BUFFER_SMALL
    if time_in_force == GTC or time_in_force == POST_ONLY:
        if head["free"] == 0:
            return BOOK_FULL
        if volume_at(book, side, price) + quantity > MAX_LEVEL_VOLUME:
            return LEVEL_FULL
    return ACCEPTED


@inlined
def submit(
    book: Book, fills: Any, side: int, price: int, quantity: int, participant: int, order_id: int, time_in_force: int
) -> tuple[int, int, int, int]:
    """Process an incoming limit order; return (outcome, fills written, lots not traded, slot where it rests or 0).

    A market order is an IOC at price ``MAX_PRICE`` (buy) or ``-MAX_PRICE`` (sell). *fills* must hold as many records as
    the book holds orders.
    """
    status = validate(book, fills, side, price, quantity, time_in_force)
    if status != ACCEPTED:
        return status, 0, quantity, 0
    head = book.head
    opposite = 1 - side
    limit = key_of(opposite, price)
    n = 0
    remaining = quantity
    if not is_empty(book, opposite) and head["base"][opposite] + head["best"][opposite] <= limit:
        if time_in_force == POST_ONLY:
            return REJECTED_POST_ONLY, 0, quantity, 0
        if time_in_force == FOK and available(book, opposite, limit, participant, quantity) < quantity:
            return KILLED_FOK, 0, quantity, 0
        remaining, n = match(book, fills, opposite, limit, quantity, participant)
    elif time_in_force == FOK:
        return KILLED_FOK, 0, quantity, 0
    if remaining == 0 or time_in_force == IOC or time_in_force == FOK:
        return ACCEPTED, n, remaining, 0
    return ACCEPTED, n, remaining, rest(book, side, price, remaining, participant, order_id)


@kernel
def modify(book: Book, fills: Any, slot: int, price: int, quantity: int) -> tuple[int, int, int, int]:
    """Change the resting order in *slot* to *price* and remaining *quantity*; returns as :func:`submit`.

    At its price and not larger it keeps its place; otherwise it is taken out and enters anew as GTC. An error changes
    nothing.
    """
    record = book.order[U(slot - book.head["first"])]
    side = side_of(book, slot)
    current = I64(book.node[U(slot)]["quantity"])
    if price == record["price"] and 1 <= quantity <= current:
        reduce(book, slot, quantity)
        return ACCEPTED, 0, quantity, slot
    status = validate(book, fills, side, price, quantity, IOC)
    if status != ACCEPTED:
        return status, 0, quantity, slot
    others = volume_at(book, side, price)
    if price == record["price"]:
        others -= current
    if others + quantity > MAX_LEVEL_VOLUME:
        return LEVEL_FULL, 0, quantity, slot
    participant, order_id = I64(record["participant"]), record["id"]
    take_out(book, slot)
    return submit(book, fills, side, price, quantity, participant, order_id, GTC)
