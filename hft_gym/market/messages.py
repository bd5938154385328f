"""Messages between participants and the exchange: sending with latency, arriving in order."""

from __future__ import annotations

from typing import Any

from hft_gym._jit import I64, U, cold, inlined, kernel
from hft_gym.flow.random import draw, exponential
from hft_gym.flow.state import NEVER
from hft_gym.market.exchange import Exchange
from hft_gym.market.records import CANCEL, IN_FLIGHT, MODIFY, NEW
from hft_gym.market.risk import cancel_refused, collared, refused

SENT, NO_ROOM, REFUSED = 0, -1, -2


@inlined
def entries_per_participant(ex: Exchange) -> int:
    """Length of one participant's part of the order table."""
    return ex.own.shape[0] // max(ex.account.shape[0] - 1, 1)


@inlined
def latency(account: Any, constant: int, jitter: int) -> int:
    """One latency of a participant [ns]: *constant* plus an exponential part of mean *jitter*; always one draw."""
    word = draw(account["stream"], 0)
    return constant + I64(exponential(word) * jitter)


@kernel
def enqueue(ex: Exchange, p: int, kind: int, o: int, arrival: int, price: int, quantity: int) -> bool:
    """Put a message in flight; False if the queue is full."""
    state = ex.state
    n = state["n_messages"]
    if n >= ex.message.shape[0]:
        return False
    message = ex.message[U(n)]
    message["arrival"] = arrival
    message["sequence"] = state["sequence"]
    message["order_id"] = ex.own[U(o)]["id"]
    message["price"] = price
    message["quantity"] = quantity
    message["participant"] = p
    message["own"] = o
    message["kind"] = kind
    state["sequence"] += 1
    state["n_messages"] = n + 1
    state["next_arrival"] = min(state["next_arrival"], arrival)
    ex.account[U(p)]["in_flight"] += 1
    return True


@kernel
def send_order(ex: Exchange, p: int, side: int, price: int, quantity: int, time_in_force: int, now: int) -> int:
    """Send a new order of participant *p* at time *now* [ns]; return its table entry, -1 if a table is full
    (counted), REFUSED if its limits forbid it."""
    account = ex.account[U(p)]
    per = entries_per_participant(ex)
    o = (p - 1) * per
    while o < p * per and ex.own[U(o)]["state"] != 0:
        o += 1
    arrival = now + latency(account, ex.param["order_latency"], ex.param["order_jitter"])
    if o == p * per:
        account["refused"] += 1
        return -1
    if ex.param["risk"] != 0:
        price = collared(ex, p, side, price)
        if refused(ex, p, side, price, quantity, 0, now):
            return REFUSED
    own = ex.own[U(o)]
    account["orders_sent"] += 1
    own["id"] = account["orders_sent"]
    if not enqueue(ex, p, NEW, o, arrival, price, quantity):
        account["refused"] += 1
        return -1
    own["price"] = price
    own["time_sent"] = now
    own["time_arrival"] = arrival
    own["time_entry"] = -1
    own["queue_entry"] = -1
    own["quantity"] = quantity
    own["remaining"] = quantity
    own["slot"] = 0
    own["state"] = IN_FLIGHT
    own["side"] = side
    own["time_in_force"] = time_in_force
    own["cancel_sent"] = 0
    account["open"][side] += quantity
    account["n_open"] += 1
    return o


@kernel
def send_change(ex: Exchange, p: int, o: int, kind: int, price: int, quantity: int, now: int) -> int:
    """Send a cancel, modification or reduction of the working order in entry *o*; it never overtakes the order's
    earlier messages. Returns SENT, or why not: NO_ROOM or REFUSED by a limit."""
    account, own = ex.account[U(p)], ex.own[U(o)]
    if own["cancel_sent"] != 0:
        return SENT
    arrival = now + latency(account, ex.param["cancel_latency"], ex.param["cancel_jitter"])
    arrival = max(arrival, own["time_arrival"])
    if ex.param["risk"] != 0:
        if kind != MODIFY or (price == own["price"] and quantity <= own["remaining"]):
            if cancel_refused(ex, p, o, now):
                return REFUSED
        elif refused(ex, p, I64(own["side"]), price, quantity, own["remaining"], now):
            return REFUSED
    if not enqueue(ex, p, kind, o, arrival, price, quantity):
        account["refused"] += 1
        return NO_ROOM
    own["time_arrival"] = arrival
    if kind == CANCEL:
        own["cancel_sent"] = 1
        account["cancels_sent"] += 1
    return SENT


@kernel
def take_message(ex: Exchange) -> int:
    """Move the next message to arrive to the end of the queue's array, shorten the queue, and return its index."""
    state, message = ex.state, ex.message
    n = state["n_messages"]
    first = 0
    for i in range(1, n):
        a, b = message[U(i)], message[U(first)]
        if a["arrival"] < b["arrival"] or (a["arrival"] == b["arrival"] and a["sequence"] < b["sequence"]):
            first = i
    swap(message, first, n - 1)
    state["n_messages"] = n - 1
    earliest = NEVER
    for i in range(n - 1):
        earliest = min(earliest, message[U(i)]["arrival"])
    state["next_arrival"] = earliest
    ex.account[U(I64(message[U(n - 1)]["participant"]))]["in_flight"] -= 1
    return n - 1


@cold
def hold_message(ex: Exchange, until: int) -> None:
    """Let every message that has arrived wait until *until*, when they are processed in the order of arrival."""
    state, message = ex.state, ex.message
    first = state["next_arrival"]
    earliest = NEVER
    for i in range(state["n_messages"]):
        if message[U(i)]["arrival"] <= first:
            message[U(i)]["arrival"] = until
        earliest = min(earliest, message[U(i)]["arrival"])
    state["next_arrival"] = earliest


@kernel
def swap(message: Any, i: int, j: int) -> None:
    """Exchange two message records."""
    a, b = message[U(i)], message[U(j)]
    a["arrival"], b["arrival"] = b["arrival"], a["arrival"]
    a["sequence"], b["sequence"] = b["sequence"], a["sequence"]
    a["order_id"], b["order_id"] = b["order_id"], a["order_id"]
    a["price"], b["price"] = b["price"], a["price"]
    a["quantity"], b["quantity"] = b["quantity"], a["quantity"]
    a["participant"], b["participant"] = b["participant"], a["participant"]
    a["own"], b["own"] = b["own"], a["own"]
    a["kind"], b["kind"] = b["kind"], a["kind"]


@kernel
def drop_messages(ex: Exchange, p: int) -> None:
    """Forget every message of *p* in flight."""
    state, message = ex.state, ex.message
    i, n, earliest = 0, state["n_messages"], NEVER
    while i < n:
        if message[U(i)]["participant"] == p:
            n -= 1
            swap(message, i, n)
        else:
            earliest = min(earliest, message[U(i)]["arrival"])
            i += 1
    state["n_messages"] = n
    state["next_arrival"] = earliest
    ex.account[U(p)]["in_flight"] = 0
