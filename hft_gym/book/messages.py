"""The loop behind ``CompiledOrderBook.apply``: message arrays through the kernel (rule R13)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hft_gym._jit import I64, U, entry, inlined, kernel, prefetch
from hft_gym.book.idmap import erase, forget, likely_slot, locate, make_room, prefetch_word, put, slot_at
from hft_gym.book.kernel import ACCEPTED, BAD_QUANTITY, GTC, IOC, POST_ONLY, modify, submit
from hft_gym.book.ladder import BID, MAX_PRICE, MAX_QUANTITY, Book, reduce, remove, side_of

LIMIT, MARKET, CANCEL, REDUCE, MODIFY = 0, 1, 2, 3, 4  # MessageKind, as plain integers for numba

BAD_KIND, BAD_ID, DUPLICATE_ID, UNKNOWN_ID, BAD_REDUCTION = -21, -22, -23, -24, -25
"""Errors found here rather than in the kernel of the book."""

REPORT = np.dtype([("trades", "i8"), ("outcome", "i8"), ("remaining", "i8"), ("slot", "i8")])
"""What a run of `apply` did: trades written; and of the last message its outcome (negative: the error that stopped
the run), the lots not traded, and the slot where it rests (0: it does not)."""

TRADE_ROW = np.dtype(
    [
        ("taker_order_id", "i8"),
        ("maker_order_id", "i8"),
        ("price", "i8"),
        ("quantity", "i8"),
        ("aggressor_side", "i8"),
    ]
)
"""``TRADE_DTYPE`` with the side and its padding as one little-endian integer, so that both are written."""

MANY = 100_000
"""Above this many resting orders they no longer fit into a core's cache, and `look_ahead` pays."""


@kernel
def look_ahead(book: Book, messages: Any, i: Any, direct: Any, table: Any) -> None:
    """Fetch what the messages after *i* will touch: the id's word, later its order, then the neighbours."""
    if i + 15 < messages.shape[0]:
        prefetch_word(direct, table, messages[U(i + 15)]["order_id"])
        slot = likely_slot(direct, table, messages[U(i + 10)]["order_id"])
        if slot != 0:
            prefetch(book.node, slot, 0)
            prefetch(book.order, slot - book.head["first"], 0)
        slot = likely_slot(direct, table, messages[U(i + 5)]["order_id"])
        if slot != 0:
            prefetch(book.node, I64(book.node[U(slot)]["prev"]), 0)
            prefetch(book.node, I64(book.node[U(slot)]["next"]), 0)


@inlined
def record(fills: Any, n: Any, taker: Any, side: Any, direct: Any, table: Any, trades: Any, written: Any) -> Any:
    """Write the trades among the first *n* fills, forget the makers that left; return the trades written."""
    for k in range(n):
        fill = fills[U(k)]
        if fill["quantity"] != 0:  # else it gave way to self-trade prevention (R11)
            trade = trades[U(written)]
            trade["taker_order_id"] = taker
            trade["maker_order_id"] = fill["maker_id"]
            trade["price"] = fill["price"]
            trade["quantity"] = fill["quantity"]
            trade["aggressor_side"] = side
            written += 1
            if fill["remaining"] != 0:
                continue
        forget(direct, table, fill["maker_id"], np.int64(fill["slot"]))
    return written


@entry
def apply(
    messages: Any,
    start: Any,
    head: Any,
    node: Any,
    order: Any,
    words: Any,
    direct: Any,
    table: Any,
    fills: Any,
    trades: Any,
    report: Any,
) -> Any:
    """Apply ``messages[start:]`` to book 0 of the arrays and return the index of the first one not applied.

    The run ends early at an error (``report["outcome"] < 0``) or where *trades* (`TRADE_ROW`) might
    overflow: one message can trade with every resting order.
    """
    book = Book(head[0], node[0], order[0], words[0])
    first = book.head["first"]
    room = trades.shape[0]
    written = 0
    outcome, remaining, slot = ACCEPTED, 0, 0
    i = start
    while i < messages.shape[0]:
        message = messages[U(i)]
        kind = message["kind"]
        order_id = message["order_id"]
        if table is not None and i + 1 < messages.shape[0]:
            # A branch mispredicted in this message would otherwise expose the next one's first cache miss.
            prefetch_word(direct, table, messages[U(i + 1)]["order_id"])
        if book.head["n_live"] > MANY:
            look_ahead(book, messages, i, direct, table)
        if kind <= MARKET:
            if room - written < book.head["n_live"]:
                break
            make_room(direct, table, book.head["n_live"])
            position = locate(direct, table, book.order, first, order_id)
            if position < 0:
                outcome = BAD_ID
                break
            if slot_at(direct, table, position) != 0:
                outcome = DUPLICATE_ID
                break
            side: Any = np.int64(message["side"])
            time_in_force: Any = np.int64(message["time_in_force"])
            price = message["price"]
            participant: Any = np.int64(message["participant"])
            if kind == MARKET:
                price = MAX_PRICE if side == BID else -MAX_PRICE
                if time_in_force == GTC:
                    time_in_force = IOC  # R5
                elif time_in_force == POST_ONLY:
                    time_in_force = POST_ONLY + 1  # R10: refused, as an unknown one is
            outcome, n, remaining, slot = submit(
                book,
                fills,
                side,
                price,
                message["quantity"],
                participant,
                order_id,
                time_in_force,
            )
            if outcome < 0:
                break
            if n > 0:
                written = record(fills, n, order_id, side, direct, table, trades, written)
                position = locate(direct, table, book.order, first, order_id)
            if slot != 0:
                put(direct, table, position, order_id, slot)
        elif kind <= MODIFY:
            position = locate(direct, table, book.order, first, order_id)
            slot = slot_at(direct, table, position) if position >= 0 else 0
            if slot == 0:
                outcome = UNKNOWN_ID
                break
            if kind == CANCEL:
                erase(direct, table, position)
                remove(book, slot)
            elif kind == REDUCE:
                quantity = message["quantity"]
                if quantity < 1 or quantity > MAX_QUANTITY:
                    outcome = BAD_QUANTITY
                    break
                if quantity > np.int64(book.node[U(slot)]["quantity"]):
                    outcome = BAD_REDUCTION
                    break
                reduce(book, slot, quantity)
            else:
                if room - written < book.head["n_live"]:
                    break
                side = side_of(book, slot)
                outcome, n, remaining, slot = modify(book, fills, slot, message["price"], message["quantity"])
                if outcome < 0:
                    break
                # The order may have gone, or rest in another slot.
                erase(direct, table, position)
                written = record(fills, n, order_id, side, direct, table, trades, written)
                if slot != 0:
                    position = locate(direct, table, book.order, first, order_id)
                    put(direct, table, position, order_id, slot)
        else:
            outcome = BAD_KIND
            break
        i += 1
    report[0]["trades"] = written
    report[0]["outcome"] = outcome
    report[0]["remaining"] = remaining
    report[0]["slot"] = slot
    return i


@entry
def find_slot(direct: Any, table: Any, head: Any, order: Any, order_id: Any) -> Any:
    """The slot of a resting order of book 0; 0 for none."""
    position = locate(direct, table, order[0], head[0]["first"], order_id)
    return slot_at(direct, table, position) if position >= 0 else 0
