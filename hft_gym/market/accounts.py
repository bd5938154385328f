"""Accounts: what a fill does to cash, position and cost, and what it leaves in the logs. Integers throughout."""

from __future__ import annotations

from typing import Any

from hft_gym._jit import I64, U, inlined, kernel
from hft_gym.book.ladder import ASK, BID, Book, key_of, next_level, sentinel, take_out
from hft_gym.market.exchange import Exchange
from hft_gym.market.records import IN_FLIGHT, RESTING, SUBUNITS, EndReason

NO_KEY = 2**62
"""Key of a side on which nobody else rests."""

_FILLED = int(EndReason.FILLED)


@inlined
def fee_of(param: Any, price: int, quantity: int, is_maker: bool) -> int:
    """The fee of one fill [sub-units], negative for a rebate; basis points round half away from zero."""
    rate = param["maker_fee"] if is_maker else param["taker_fee"]
    if param["fee_in_bps"] == 0:
        return rate * quantity
    scaled = abs(price) * quantity * rate
    if scaled >= 0:
        return (scaled + 5_000) // 10_000
    return -((5_000 - scaled) // 10_000)


@kernel
def settle_account(account: Any, side: int, price: int, quantity: int, fee: int) -> None:
    """Book a fill of *quantity* on *side* at *price*: cash, position, fees and the cost of the position (average
    cost)."""
    sign = 1 if side == BID else -1
    value = price * quantity * SUBUNITS
    position, cost = account["position"], account["cost"]
    account["cash"] -= sign * value + fee
    account["fees"] += fee
    account["position"] = position + sign * quantity
    if side == BID:
        account["bought"] += quantity
    else:
        account["sold"] += quantity
    if position * sign >= 0:
        account["cost"] = cost + sign * value
        return
    held = abs(position)
    if quantity >= held:
        account["cost"] = sign * (quantity - held) * price * SUBUNITS
    else:
        account["cost"] = cost - (cost // held) * quantity - (cost % held) * quantity // held


@kernel
def own_volume(own: Any, lo: int, hi: int, resting: int, side: int, price: int) -> int:
    """Lots that the *resting* orders in entries lo..hi-1 show on *side* at *price*."""
    volume, seen = 0, 0
    for o in range(lo, hi):
        if seen == resting:
            break
        order = own[U(o)]
        if order["state"] == RESTING:
            seen += 1
            if order["side"] == side and order["price"] == price:
                volume += order["remaining"]
    return volume


@kernel
def others_best_beside(book: Book, own: Any, lo: int, hi: int, resting: int, p: int, side: int) -> int:
    """:func:`others_best` when *p* has *resting* orders, in entries lo..hi-1."""
    head, node = book.head, book.node
    levels, base = head["levels"], head["base"][side]
    index = head["best"][side]
    while index < levels:
        key = base + index
        price = key if side == ASK else -key
        volume = I64(node[U(sentinel(book, side, index))]["quantity"])
        if volume > own_volume(own, lo, hi, resting, side, price):
            return key
        index = next_level(book, side, index + 1)
    best = NO_KEY
    if head["parked"][side] > 0:
        level = sentinel(book, side, levels)
        slot = I64(node[U(level)]["next"])
        while slot != level:
            record = book.order[U(slot - head["first"])]
            if record["participant"] != p:
                best = min(best, key_of(side, record["price"]))
            slot = I64(node[U(slot)]["next"])
    return best


@inlined
def others_best(ex: Exchange, p: int, side: int) -> int:
    """Key of the best price of *side* at which anyone but *p* rests, :data:`NO_KEY` if there is none."""
    book: Book = ex.book
    resting = ex.account[U(p)]["n_resting"]
    if resting == 0:
        index = book.head["best"][side]
        return NO_KEY if index == book.head["levels"] else book.head["base"][side] + index
    per = ex.own.shape[0] // max(ex.account.shape[0] - 1, 1)
    return others_best_beside(book, ex.own, (p - 1) * per, p * per, resting, p, side)


@inlined
def equity2(account: Any, mid2: int) -> int:
    """Twice the equity marked at the mid [sub-units]."""
    return 2 * account["cash"] + account["position"] * mid2 * SUBUNITS


@kernel
def mid_of(ex: Exchange, p: int) -> int:
    """What *p* is marked at [half-ticks]; unlike :func:`refresh_mid` this changes nothing."""
    bid, ask = others_best(ex, p, BID), others_best(ex, p, ASK)
    if bid != NO_KEY and ask != NO_KEY:
        return ask - bid
    return ex.account[U(p)]["mid2"]


@kernel
def refresh_mid(ex: Exchange, p: int) -> int:
    """Update and return the mid that *p* is marked at: others' best bid + ask [half-ticks], kept while a side is
    empty."""
    account = ex.account[U(p)]
    bid, ask = others_best(ex, p, BID), others_best(ex, p, ASK)
    if bid != NO_KEY and ask != NO_KEY:
        account["mid2"] = ask - bid
    return account["mid2"]


@kernel
def log_fill(
    ex: Exchange, p: int, side: int, price: int, quantity: int, is_maker: bool, o: int, ahead: int, fee: int
) -> None:
    """Write one fill of *p* (its order in entry *o*, -1 for a closing trade) to the log."""
    state = ex.state
    if ex.param["log_fills"] == 0:
        return
    n = state["n_fills"]
    if n >= ex.fill_log.shape[0]:
        state["lost"] += 1
        return
    state["n_fills"] = n + 1
    fill = ex.fill_log[U(n)]
    fill["env"] = state["env"]
    fill["episode"] = state["episode"]
    fill["participant"] = p
    fill["side"] = side
    fill["maker"] = is_maker
    fill["closing"] = state["closing"]
    fill["time"] = state["time"]
    fill["price"] = price
    fill["quantity"] = quantity
    fill["mid2"] = ex.account[U(p)]["mid2"]
    fill["queue_ahead_fill"] = ahead
    fill["fee"] = fee
    fill["order_id"] = -1
    fill["queue_ahead_entry"] = -1
    fill["order_age"] = 0
    fill["cancel_sent"] = 0
    if o >= 0:
        own = ex.own[U(o)]
        fill["order_id"] = own["id"]
        fill["queue_ahead_entry"] = own["queue_entry"]
        fill["order_age"] = state["time"] - own["time_sent"]
        fill["cancel_sent"] = own["cancel_sent"]


@kernel
def end_order(ex: Exchange, p: int, o: int, reason: int) -> None:
    """Free entry *o* of *p* and log the order's life; it must no longer rest in the book."""
    state, own, account = ex.state, ex.own[U(o)], ex.account[U(p)]
    account["open"][own["side"]] -= own["remaining"]
    account["n_open"] -= 1
    if own["state"] == RESTING:
        account["n_resting"] -= 1
        state["own_resting"] -= 1
    if ex.param["log_orders"] != 0:
        n = state["n_orders"]
        if n >= ex.order_log.shape[0]:
            state["lost"] += 1
        else:
            state["n_orders"] = n + 1
            record = ex.order_log[U(n)]
            record["env"] = state["env"]
            record["episode"] = state["episode"]
            record["participant"] = p
            record["side"] = own["side"]
            record["time_in_force"] = own["time_in_force"]
            record["end_reason"] = reason
            record["cancel_sent"] = own["cancel_sent"]
            record["order_id"] = own["id"]
            record["price"] = own["price"]
            record["quantity"] = own["quantity"]
            record["filled"] = own["quantity"] - own["remaining"]
            record["time_sent"] = own["time_sent"]
            record["time_entry"] = own["time_entry"]
            record["time_end"] = state["time"]
            record["queue_ahead_entry"] = own["queue_entry"]
    own["state"] = 0
    own["remaining"] = 0


@kernel
def participant_fill(
    ex: Exchange, p: int, side: int, price: int, quantity: int, is_maker: bool, o: int, ahead: int
) -> None:
    """Everything a fill means for participant *p* (its order in entry *o*, -1 for none)."""
    account = ex.account[U(p)]
    fee = fee_of(ex.param, price, quantity, is_maker)
    settle_account(account, side, price, quantity, fee)
    ex.state["fees"] += fee
    if is_maker:
        account["maker_volume"] += quantity
    else:
        account["taken"][side] += quantity
    log_fill(ex, p, side, price, quantity, is_maker, o, ahead, fee)
    if o >= 0:
        own = ex.own[U(o)]
        own["remaining"] -= quantity
        account["open"][side] -= quantity
        if is_maker and own["remaining"] == 0:
            end_order(ex, p, o, _FILLED)


@kernel
def withdraw(ex: Exchange, p: int, o: int, reason: int) -> None:
    """Take the working order in entry *o* of *p* out of the book (if it rests there) and end it."""
    own = ex.own[U(o)]
    if own["state"] == RESTING:
        take_out(ex.book, I64(own["slot"]))
        ex.state["messages"] += 1
    if own["state"] == RESTING or own["state"] == IN_FLIGHT:
        end_order(ex, p, o, reason)
