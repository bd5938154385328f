"""The checks that one message allows by itself, or with the one before: compiled, for every format."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import I64, U, entry, kernel
from hft_gym.data import follow_state as c
from hft_gym.data.messages import FeedFlag, FeedKind

_ADD, _CANCEL, _DELETE, _EXECUTE, _HIDDEN, _CROSS, _STATUS, _REPLACE, _MODIFY, _FILL, _TRADE, _CLEAR, _LEVEL, _QUOTE = (
    int(k) for k in list(FeedKind)[:14]
)
_LAST = int(FeedFlag.LAST)
SLOTS = 65_536
"""Instruments share what is remembered of them by their number modulo this."""
JUMP = 10
"""A trade at this many times the price of the one before, or a fraction of it, has the wrong scale."""


def memory() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What :func:`screen` remembers: latest time and trade price of each instrument."""
    return np.full(SLOTS, np.iinfo(np.int64).min, np.int64), np.zeros(SLOTS, np.int64)


@kernel
def _note(issues: Any, n: int, code: int, row: int, value: int, other: int) -> None:
    issue = issues[U(n)]
    issue["code"] = code
    issue["row"] = row
    issue["value"] = value
    issue["other"] = other


@entry
def screen(
    records: Any,
    rows: Any,
    keep: Any,
    issues: Any,
    start: int,
    times: Any,
    prices: Any,
    largest: int,
    lowest: int,
    unfollowed: bool,
) -> tuple[int, int]:
    """Check records from *start*; mend times in place, mark in *keep* what stays. Return (next record, issues).

    It stops early when *issues* is nearly full. *largest* is the largest quantity, *lowest* the least price allowed.
    Executions are of known orders, whose prices were checked, unless the book is *unfollowed*.
    """
    n = 0
    i = start
    kept = -1
    while i < records.shape[0] and n + 4 <= issues.shape[0]:
        r = records[U(i)]
        kind = I64(r["kind"])
        place = I64(r["instrument"]) & (SLOTS - 1)
        row = rows[U(i)]
        keep[U(i)] = True
        if r["time"] < times[U(place)]:
            _note(issues, n, c.ISSUE_TIME, row, r["time"], times[U(place)])
            n += 1
            r["time"] = times[U(place)]
        else:
            times[U(place)] = r["time"]
        quantity, price = r["quantity"], r["price"]
        bad = -1
        value = quantity
        ordered = (
            kind == _ADD or kind == _CANCEL or kind == _EXECUTE or kind == _HIDDEN or kind == _TRADE
            or kind == _REPLACE or kind == _MODIFY or kind == _FILL
        )  # fmt: skip
        levelled = kind == _LEVEL or kind == _QUOTE or kind == _CROSS
        if (ordered and quantity < 1) or (levelled and quantity < 0) or ((ordered or levelled) and quantity > largest):
            bad = c.ISSUE_SIZE
        elif (
            kind == _ADD or kind == _REPLACE or kind == _LEVEL or kind == _HIDDEN or kind == _TRADE
            or (kind == _QUOTE and quantity > 0) or (kind == _MODIFY and price != 0)
        ) and (price < lowest or price == 0):  # fmt: skip
            bad = c.ISSUE_PRICE
            value = price
        elif (kind == _ADD or kind == _LEVEL or kind == _QUOTE) and r["side"] > 1:
            bad = c.ISSUE_SIDE
            value = I64(r["side"])
        elif (kind == _TRADE or kind == _HIDDEN or (kind == _EXECUTE and unfollowed)) and price > 0:
            before = prices[U(place)]
            if before > 0 and (price >= JUMP * before or before >= JUMP * price):
                bad = c.ISSUE_SCALE
                value = price
            else:
                prices[U(place)] = price
        if bad >= 0:
            other = prices[U(place)] if bad == c.ISSUE_SCALE else 0
            _note(issues, n, bad, row, value, other)
            n += 1
            keep[U(i)] = False
            if r["flags"] & _LAST != 0 and kept >= 0:
                records[U(kept)]["flags"] |= _LAST
        else:
            kept = i
        i += 1
    return i, n
