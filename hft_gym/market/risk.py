"""Risk limits, compiled: what is checked before a participant's message counts, and what becomes of a breach."""

from __future__ import annotations

from typing import Any

from hft_gym._jit import I64, U, cold, inlined, kernel
from hft_gym.book.kernel import FOK, IOC
from hft_gym.book.ladder import ASK, BID, MAX_PRICE
from hft_gym.market.accounts import equity2, mid_of
from hft_gym.market.exchange import Exchange
from hft_gym.market.records import MAX_RATE, NO_LIMIT, SUBUNITS, EndReason, RiskMode, RiskReason

_POSITION = int(RiskReason.POSITION)
_ORDER_SIZE = int(RiskReason.ORDER_SIZE)
_NOTIONAL = int(RiskReason.NOTIONAL)
_OPEN_ORDERS = int(RiskReason.OPEN_ORDERS)
_ORDER_RATE = int(RiskReason.ORDER_RATE)
_CANCEL_RATE = int(RiskReason.CANCEL_RATE)
_PRICE_COLLAR = int(RiskReason.PRICE_COLLAR)
_LOSS = int(RiskReason.LOSS)
_DRAWDOWN = int(RiskReason.DRAWDOWN)
_SELF_TRADE = int(RiskReason.SELF_TRADE)
_REDUCE_ONLY = int(RiskReason.REDUCE_ONLY)
_KILLED = int(RiskReason.KILLED)
_RISK = int(EndReason.RISK_POSITION)  # the others follow in the order of RiskReason
_MODE_REDUCE_ONLY, _MODE_KILLED = int(RiskMode.REDUCE_ONLY), int(RiskMode.KILLED)
ORDERS, CANCELS = 0, 1
"""The two kinds of messages whose rates are limited."""


@kernel
def reset_risk(account: Any) -> None:
    """Forget what a participant has done; its limits stay."""
    risk = account["risk"]
    risk["mode"] = 0
    risk["passed"] = -1
    risk["last"] = -1
    risk["peak2"] = 0
    for kind in range(2):
        risk["n_sent"][kind] = 0
        risk["last_sent"][kind] = -(2**62)
    for reason in range(risk["breaches"].shape[0]):
        risk["breaches"][reason] = 0


@kernel
def release(account: Any, mid2: int) -> None:
    """Let a participant trade again; its drawdown counts from here."""
    risk = account["risk"]
    risk["mode"] = 0
    risk["passed"] = -1
    risk["peak2"] = equity2(account, mid2)


@kernel
def breach(ex: Exchange, p: int, reason: int, side: int, price: int, quantity: int, now: int) -> None:
    """Count and log that *p* broke the limit *reason*, and change its mode as its limits say."""
    state, risk = ex.state, ex.account[U(p)]["risk"]
    risk["breaches"][reason] += 1
    risk["last"] = reason
    if reason < _REDUCE_ONLY:
        risk["mode"] = max(risk["mode"], risk["on_breach"])
    n = state["n_orders"]
    if ex.param["log_orders"] == 0:
        return
    if n >= ex.order_log.shape[0]:
        state["lost"] += 1
        return
    state["n_orders"] = n + 1
    record = ex.order_log[U(n)]
    record["env"] = state["env"]
    record["episode"] = state["episode"]
    record["participant"] = p
    record["side"] = side
    record["time_in_force"] = 0
    record["end_reason"] = _RISK + reason
    record["cancel_sent"] = 0
    record["order_id"] = -1
    record["price"] = price
    record["quantity"] = quantity
    record["filled"] = 0
    record["time_sent"] = now
    record["time_entry"] = -1
    record["time_end"] = now
    record["queue_ahead_entry"] = -1


@inlined
def within_collar(ex: Exchange, p: int, side: int, price: int) -> int:
    """The price nearest to *price* that *p*'s collar allows."""
    collar2 = ex.account[U(p)]["risk"]["collar2"]
    mid2 = mid_of(ex, p)
    if collar2 == NO_LIMIT or abs(2 * price - mid2) <= collar2:
        return price
    if 2 * price > mid2:
        return (mid2 + collar2) // 2
    return -((collar2 - mid2) // 2)


@kernel
def crosses_itself(ex: Exchange, p: int, side: int, price: int) -> bool:
    """True if an order of *p* at *price* would meet one of its own, should both be in the book."""
    per = ex.own.shape[0] // max(ex.account.shape[0] - 1, 1)
    for o in range((p - 1) * per, p * per):
        own = ex.own[U(o)]
        if own["state"] == 0 or own["side"] == side:
            continue
        if (side == BID and own["price"] <= price) or (side == ASK and own["price"] >= price):
            return True
    return False


@kernel
def broken_limit(ex: Exchange, p: int, side: int, price: int, quantity: int, before: int) -> int:
    """The limit that *p*'s order would break (or its change of a working order of *before* lots), -1 if none.

    The rates are not looked at.
    """
    account = ex.account[U(p)]
    risk = account["risk"]
    if risk["mode"] == _MODE_KILLED:
        return _KILLED
    position = account["position"] if side == BID else -account["position"]
    exposure = position + account["open"][side] + quantity - before
    adds = quantity > before and exposure > 0
    if risk["mode"] == _MODE_REDUCE_ONLY and adds:
        return _REDUCE_ONLY
    if quantity > risk["max_order_size"]:
        return _ORDER_SIZE
    if before == 0 and account["n_open"] >= risk["max_open_orders"]:
        return _OPEN_ORDERS
    if adds and exposure > risk["max_position"]:
        return _POSITION
    if adds and exposure * abs(mid_of(ex, p)) * SUBUNITS > risk["max_notional"]:
        return _NOTIONAL
    if adds and risk["passed"] >= 0:
        return I64(risk["passed"])
    if within_collar(ex, p, side, price) != price:
        return _PRICE_COLLAR
    if risk["no_self_trade"] != 0 and crosses_itself(ex, p, side, price):
        return _SELF_TRADE
    return -1


@kernel
def too_fast(account: Any, kind: int, now: int) -> bool:
    """True if one more message of *kind* at *now* [ns] exceeds a participant's rate; otherwise it is counted.

    A message counts at the time of the one before it if that is later: what is sent passes the check in order.
    """
    risk = account["risk"]
    limit = risk["max_order_rate"] if kind == ORDERS else risk["max_cancel_rate"]
    if limit == NO_LIMIT:
        return False
    n = risk["n_sent"][kind]
    now = max(now, risk["last_sent"][kind])
    at = kind * MAX_RATE + n % limit
    if n >= limit and now - risk["sent"][at] < risk["rate_window"]:
        return True
    risk["sent"][at] = now
    risk["n_sent"][kind] = n + 1
    risk["last_sent"][kind] = now
    return False


@cold
def cancel_refused(ex: Exchange, p: int, o: int, now: int) -> bool:
    """True if *p* may not cancel its order in entry *o* now: a breach then."""
    own = ex.own[U(o)]
    if not too_fast(ex.account[U(p)], CANCELS, now):
        return False
    breach(ex, p, _CANCEL_RATE, I64(own["side"]), own["price"], own["remaining"], now)
    return True


@cold
def change_refused(ex: Exchange, p: int, side: int, price: int, quantity: int, before: int) -> bool:
    """True if *p*'s limits forbid a change that has arrived, of an order with *before* lots: a breach then."""
    reason = broken_limit(ex, p, side, price, quantity, before)
    if reason < 0:
        return False
    breach(ex, p, reason, side, price, quantity, ex.state["time"])
    return True


@cold
def refused(ex: Exchange, p: int, side: int, price: int, quantity: int, before: int, now: int) -> bool:
    """True if *p*'s limits forbid to send this order, or this change of one of *before* lots: a breach then."""
    reason = broken_limit(ex, p, side, price, quantity, before)
    if reason < 0:
        if not too_fast(ex.account[U(p)], ORDERS, now):
            return False
        reason = _ORDER_RATE
    breach(ex, p, reason, side, price, quantity, now)
    return True


@kernel
def collared(ex: Exchange, p: int, side: int, price: int) -> int:
    """What *p*'s market order becomes: a limit order at the collar."""
    if price == MAX_PRICE or price == -MAX_PRICE:
        return within_collar(ex, p, side, price)
    return price


@cold
def refused_on_arrival(ex: Exchange, p: int, o: int) -> bool:
    """True if the new order in entry *o* of *p* is beyond the collar by the mid of its arrival: a breach.

    What cannot rest is held to the collar instead.
    """
    own = ex.own[U(o)]
    side = I64(own["side"])
    price = within_collar(ex, p, side, own["price"])
    if price == own["price"]:
        return False
    if own["time_in_force"] == IOC or own["time_in_force"] == FOK:
        own["price"] = price
        return False
    breach(ex, p, _PRICE_COLLAR, side, own["price"], own["quantity"], ex.state["time"])
    return True


@kernel
def look_at_equity(ex: Exchange, p: int) -> None:
    """After an event: does *p* hold more, or has it lost more, than its limits allow?"""
    account = ex.account[U(p)]
    risk = account["risk"]
    mid2 = mid_of(ex, p)
    equity = equity2(account, mid2)
    risk["peak2"] = max(risk["peak2"], equity)
    exposure = max(account["position"] + account["open"][BID], account["open"][ASK] - account["position"])
    reason = -1
    if -equity >= risk["max_loss"]:
        reason = _LOSS
    elif risk["peak2"] - equity >= risk["max_drawdown"]:
        reason = _DRAWDOWN
    elif exposure * abs(mid2) * SUBUNITS > risk["max_notional"]:
        reason = _NOTIONAL
    if reason != risk["passed"]:
        risk["passed"] = reason
        if reason >= 0:
            breach(ex, p, reason, BID, 0, 0, ex.state["time"])
