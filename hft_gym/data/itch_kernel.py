"""The compiled ITCH decoder: bytes in, FEED_DTYPE out; offsets come from the specification's table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import I64, U, entry, inlined, kernel
from hft_gym.data.itch import ITCH_MESSAGES
from hft_gym.data.messages import NO_SIDE, FeedFlag, FeedKind, FeedStatus

_LENGTH = np.zeros(256, np.int64)
for _code, _layout in ITCH_MESSAGES.items():
    _LENGTH[ord(_code)] = _layout.itemsize


def _at(code: str, name: str) -> int:
    return int(ITCH_MESSAGES[code].fields[name][1])  # type: ignore[index]


_S, _R, _H, _A, _F, _E, _C, _X, _D, _UU, _P, _Q, _B, _HALT = (ord(c) for c in "SRHAFECXDUPQBh")
_ORDER, _SIDE, _SHARES, _PRICE = (_at("A", n) for n in ("order", "side", "shares", "price"))
_E_SHARES, _E_MATCH = _at("E", "shares"), _at("E", "match")
_C_PRINTABLE, _C_PRICE = _at("C", "printable"), _at("C", "price")
_X_SHARES = _at("X", "shares")
_U_NEW, _U_SHARES, _U_PRICE = _at("U", "new_order"), _at("U", "shares"), _at("U", "price")
_P_MATCH = _at("P", "match")
_Q_SHARES, _Q_PRICE, _Q_MATCH = _at("Q", "shares"), _at("Q", "price"), _at("Q", "match")
_STOCK, _STATE, _EVENT = _at("H", "stock"), _at("H", "state"), _at("S", "event")
_HAS_STOCK = np.zeros(256, np.int64)
for _code, _layout in ITCH_MESSAGES.items():
    if "stock" in (_layout.names or ()):
        _HAS_STOCK[ord(_code)] = _at(_code, "stock")

_ADD, _CANCEL, _DELETE, _EXECUTE, _HIDDEN, _CROSS, _STATUS, _REPLACE, _ADMIN = (
    int(k)
    for k in (
        FeedKind.ADD, FeedKind.CANCEL, FeedKind.DELETE, FeedKind.EXECUTE, FeedKind.HIDDEN, FeedKind.CROSS,
        FeedKind.STATUS, FeedKind.REPLACE, FeedKind.ADMIN,
    )
)  # fmt: skip
_LAST, _UNPRINTED, _NONE = int(FeedFlag.LAST), int(FeedFlag.UNPRINTED), NO_SIDE
_HALTED, _QUOTING, _TRADING, _OPEN, _CLOSE, _OTHER = (int(s) for s in FeedStatus)


@inlined
def _two(b: Any, i: int) -> int:
    return (I64(b[U(i)]) << 8) | I64(b[U(i + 1)])


@inlined
def _four(b: Any, i: int) -> int:
    return (_two(b, i) << 16) | _two(b, i + 2)


@inlined
def _eight(b: Any, i: int) -> int:
    return (_four(b, i) << 32) | _four(b, i + 4)


@inlined
def _side(b: Any, i: int) -> int:
    return 0 if b[U(i)] == 66 else 1 if b[U(i)] == 83 else _NONE


@kernel
def _rest(b: Any, i: int, code: int, r: Any) -> None:
    """The types that do not name an order of the visible book."""
    if code == _P:
        r["kind"] = _HIDDEN
        r["side"] = _side(b, i + _SIDE)
        r["quantity"] = _four(b, i + _SHARES)
        r["price"] = _four(b, i + _PRICE)
        r["reference"] = _eight(b, i + _P_MATCH)
    elif code == _Q:
        r["kind"] = _CROSS
        r["quantity"] = _eight(b, i + _Q_SHARES)
        r["price"] = _four(b, i + _Q_PRICE)
        r["reference"] = _eight(b, i + _Q_MATCH)
    elif code == _H:
        state = I64(b[U(i + _STATE)])
        r["kind"] = _STATUS
        r["reference"] = state
        # H halted, P paused, Q quotation only, T trading.
        r["quantity"] = _TRADING if state == 84 else _QUOTING if state == 81 else _HALTED
    elif code == _S:
        event = I64(b[U(i + _EVENT)])
        r["kind"] = _STATUS
        r["reference"] = event
        r["quantity"] = _OPEN if event == 81 else _CLOSE if event == 77 else _OTHER
    else:
        r["kind"] = _ADMIN
        r["reference"] = code
        stock = _HAS_STOCK[U(code)]
        if stock > 0:
            r["order_id"] = _eight(b, i + stock)
        elif code == _B:
            r["order_id"] = _eight(b, i + 11)


@entry
def decode(
    b: NDArray[np.uint8],
    start: int,
    records: NDArray[Any],
    rows: NDArray[np.int64],
    row: int,
    wanted: NDArray[np.uint8],
    names: NDArray[np.int64],
    counts: NDArray[np.int64],
    bad: NDArray[np.int64],
) -> tuple[int, int, int, int]:
    """Decode from *start*; return (bytes used, records written, next row, bad messages written).

    *wanted* says of each locate whether its messages are wanted; directory messages of the stocks in *names* (as
    integers) switch it on. It stops when *bad* (row, type, length) is full.
    """
    n = 0
    n_bad = 0
    i = start
    end = b.shape[0]
    while i + 2 <= end and n_bad < bad.shape[0]:
        length = _two(b, i)
        if i + 2 + length > end:
            break
        p = i + 2
        i = p + length
        code = I64(b[U(p)]) if length > 0 else 0
        if length < 11 or _LENGTH[U(code)] != length:
            bad[U(n_bad), 0] = row
            bad[U(n_bad), 1] = code
            bad[U(n_bad), 2] = length
            n_bad += 1
            row += 1
            continue
        counts[U(code)] += 1
        locate = _two(b, p + 1)
        if code == _R and names.shape[0] > 0:
            stock = _eight(b, p + _STOCK)
            for k in range(names.shape[0]):
                if names[U(k)] == stock:
                    wanted[U(locate)] = 1
        row += 1
        if wanted[U(locate)] == 0:
            continue
        r = records[U(n)]
        rows[U(n)] = row - 1
        n += 1
        r["time"] = (_two(b, p + 5) << 32) | _four(b, p + 7)
        r["stamp"] = 0
        r["sequence"] = row
        r["instrument"] = locate
        r["flags"] = _LAST
        r["side"] = _NONE
        r["reference"] = 0
        r["price"] = 0
        r["quantity"] = 0
        if code == _A or code == _F:
            r["kind"] = _ADD
            r["order_id"] = _eight(b, p + _ORDER)
            r["side"] = _side(b, p + _SIDE)
            r["quantity"] = _four(b, p + _SHARES)
            r["price"] = _four(b, p + _PRICE)
        elif code == _D:
            r["kind"] = _DELETE
            r["order_id"] = _eight(b, p + _ORDER)
        elif code == _UU:
            r["kind"] = _REPLACE
            r["order_id"] = _eight(b, p + _ORDER)
            r["reference"] = _eight(b, p + _U_NEW)
            r["quantity"] = _four(b, p + _U_SHARES)
            r["price"] = _four(b, p + _U_PRICE)
        elif code == _E or code == _C:
            r["kind"] = _EXECUTE
            r["order_id"] = _eight(b, p + _ORDER)
            r["quantity"] = _four(b, p + _E_SHARES)
            r["reference"] = _eight(b, p + _E_MATCH)
            if code == _C:
                r["price"] = _four(b, p + _C_PRICE)
                if b[U(p + _C_PRINTABLE)] == 78:
                    r["flags"] = _LAST | _UNPRINTED
        elif code == _X:
            r["kind"] = _CANCEL
            r["order_id"] = _eight(b, p + _ORDER)
            r["quantity"] = _four(b, p + _X_SHARES)
        else:
            r["order_id"] = 0
            _rest(b, p, code, r)
    return i, n, row, n_bad
