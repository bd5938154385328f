"""Tapes made by hand, from a book kept in two dictionaries."""

from __future__ import annotations

import numpy as np

from hft_gym.market import TAPE, Tape, TapeKind
from hft_gym.types import OrderSide

BID, ASK = OrderSide
LIMIT, REDUCE, CANCEL, EXECUTE, HIDDEN = TapeKind
NS = 1_000_000_000


def make_tape(bids, asks, rows, end, levels=3, start=0.0):
    """A tape of (time [s], kind, side, price, quantity, order id) *rows*, on a book of {price: volume}."""
    book = [dict(bids), dict(asks)]

    def best(n):
        found = np.zeros((n, 4), np.int64)
        for k, (price, volume) in enumerate(sorted(book[ASK].items())[:n]):
            found[k, :2] = price, volume
        for k, (price, volume) in enumerate(sorted(book[BID].items(), reverse=True)[:n]):
            found[k, 2:] = price, volume
        return found

    opening = best(levels)
    records, books = np.zeros(len(rows), TAPE), np.zeros((len(rows), levels, 4), np.int64)
    for i, (time, kind, side, price, quantity, order_id) in enumerate(rows):
        if kind != HIDDEN:
            left = book[side].get(price, 0) + quantity * (1 if kind == LIMIT else -1)
            assert left >= 0, "more taken than there is"
            book[side].pop(price, None)
            if left:
                book[side][price] = left
        books[i] = best(levels)
        row = records[i]
        row["time"], row["kind"], row["side"] = round(time * NS), kind, side
        row["price"], row["quantity"], row["order_id"] = price, quantity, order_id
        row["ask"], row["ask_volume"], row["bid"], row["bid_volume"] = books[i, 0]
    return Tape(records, books, opening, round(start * NS), round(end * NS))


def tape_of_quotes(time, bid, ask, bid_volume=None, ask_volume=None, end=None):
    """A tape of which only the best quotes are of interest; the first ones are the opening."""
    n = len(time)
    columns = [np.broadcast_to(np.asarray(1 if c is None else c), n) for c in (ask, ask_volume, bid, bid_volume)]
    records = np.zeros(n - 1, TAPE)
    records["time"] = np.round(np.asarray(time[1:]) * NS)
    records["kind"] = LIMIT
    for name, column in zip(("ask", "ask_volume", "bid", "bid_volume"), columns, strict=True):
        records[name] = column[1:]
    opening = np.array([[int(c[0]) for c in columns]], np.int64)
    stop = time[-1] if end is None else end
    return Tape(records, np.zeros((n - 1, 0, 4), np.int64), opening, round(time[0] * NS), round(stop * NS))
