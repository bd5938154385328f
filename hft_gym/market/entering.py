"""Orders entering the book, from the flow or a participant, and what follows from their fills.

The common case (flow meets flow) is inlined into the event loop; whatever concerns a participant lives in functions of
its own.
"""

from __future__ import annotations

from typing import Any

from hft_gym._jit import I64, U, cold, inlined, kernel
from hft_gym.book.kernel import ACCEPTED, KILLED_FOK, modify, submit
from hft_gym.book.ladder import Book, is_empty, key_of, queue_ahead
from hft_gym.flow.icebergs import FIRST_ID, shown_part_gone
from hft_gym.market.accounts import end_order, participant_fill, settle_account, withdraw
from hft_gym.market.exchange import Exchange
from hft_gym.market.live import forget, mark_participants, remember
from hft_gym.market.messages import take_message
from hft_gym.market.records import CANCEL, EVENT_FILL, EVENT_TRADE, IN_FLIGHT, NEW, REDUCE, RESTING, EndReason
from hft_gym.market.risk import change_refused, refused_on_arrival

_FILLED = int(EndReason.FILLED)
_CANCELLED = int(EndReason.CANCELLED)
_REJECTED = int(EndReason.REJECTED)
_EXPIRED = int(EndReason.EXPIRED)
_SELF_TRADE = int(EndReason.SELF_TRADE)
_RISK = int(EndReason.RISK_PRICE_COLLAR)


@kernel
def settle_participants(ex: Exchange, n: int, side: int, taker: int, o: int) -> None:
    """Book the first *n* fills of a message by *taker* (table entry *o*) on *side* wherever a participant is
    involved."""
    ahead, price = 0, 0
    for i in range(n):
        fill = ex.fills[U(i)]
        maker, quantity = I64(fill["participant"]), fill["quantity"]
        if fill["price"] != price:
            ahead, price = 0, fill["price"]
        entry = -1
        if maker > 0:
            entry = I64(ex.book.order[U(I64(fill["slot"]) - ex.book.head["first"])]["tag"])
        if quantity == 0:
            end_order(ex, maker, entry, _SELF_TRADE)
            continue
        if maker > 0:
            participant_fill(ex, maker, 1 - side, price, quantity, True, entry, ahead)
        elif taker > 0:
            settle_account(ex.account[0], 1 - side, price, quantity, 0)
        if taker > 0:
            participant_fill(ex, taker, side, price, quantity, False, o, -1)
        elif maker > 0:
            settle_account(ex.account[0], side, price, quantity, 0)
        if maker > 0 or taker > 0:
            ex.state["events"] |= EVENT_FILL
        ahead += quantity


@inlined
def flow_order_gone(ex: Exchange, side: int, fill: Any) -> None:
    """An order of the flow on *side* was filled to its end."""
    if fill["maker_id"] >= FIRST_ID:
        shown_part_gone(ex.flow_state, side, fill["price"], fill["maker_id"])
    forget(ex, I64(fill["slot"]))


@inlined
def enter(ex: Exchange, side: int, price: int, quantity: int, tif: int, taker: int, o: int, handle: int) -> None:
    """Process an order of *taker* (0: the flow) in the book and everything that follows from it.

    *o* is the taker's table entry (-1: none), *handle* the replay's handle (-1: none).
    """
    book: Book = ex.book
    state, flow_state = ex.state, ex.flow_state
    opposite = 1 - side
    crosses = (
        not is_empty(book, opposite)
        and book.head["base"][opposite] + book.head["best"][opposite] <= key_of(opposite, price)
    )
    concerned = taker > 0 or state["own_resting"] > 0
    if crosses and concerned:
        mark_participants(ex, taker)
    order_id = ex.own[U(o)]["id"] if o >= 0 else state["messages"] | flow_state["hidden"]
    status, n, remaining, slot = submit(book, ex.fills, side, price, quantity, taker, order_id, tif)
    state["messages"] += 1
    if n > 0:
        traded = 0
        for i in range(n):
            fill = ex.fills[U(i)]
            if fill["quantity"] > 0:
                traded += fill["quantity"]
                state["trades"] += 1
                state["events"] |= EVENT_TRADE
                if fill["participant"] == 0 and fill["remaining"] == 0:
                    flow_order_gone(ex, 1 - side, fill)
        state["volume"][side] += traded
        if concerned:
            settle_participants(ex, n, side, taker, o)
    if taker == 0:
        if slot != 0:
            remember(ex, slot, handle)
        elif status < 0:
            flow_state["rejected"] += 1
    elif o >= 0:
        rest_or_end(ex, taker, o, status, remaining, slot)


@kernel
def enter_once(ex: Exchange, side: int, price: int, quantity: int, tif: int, taker: int) -> None:
    """:func:`enter` outside the event loop, for an order without table entry."""
    enter(ex, side, price, quantity, tif, taker, -1, -1)


@kernel
def rest_or_end(ex: Exchange, p: int, o: int, status: int, remaining: int, slot: int) -> None:
    """Note in *p*'s table what became of its order after it entered the book."""
    state, own = ex.state, ex.own[U(o)]
    if slot != 0:
        own["slot"] = slot
        own["time_entry"] = state["time"]
        ahead, _ = queue_ahead(ex.book, slot)
        own["queue_entry"] = ahead
        ex.book.order[U(slot - ex.book.head["first"])]["tag"] = o
        if own["state"] != RESTING:
            own["state"] = RESTING
            ex.account[U(p)]["n_resting"] += 1
            state["own_resting"] += 1
        return
    if status != ACCEPTED:
        end_order(ex, p, o, _EXPIRED if status == KILLED_FOK else _REJECTED)
        return
    if own["state"] == IN_FLIGHT:
        own["time_entry"] = state["time"]
    end_order(ex, p, o, _FILLED if remaining == 0 else _EXPIRED)


@cold
def change_order(ex: Exchange, p: int, o: int, price: int, quantity: int) -> None:
    """A modification reached the resting order in entry *o* of *p*; it may trade at its new price (rule of MODIFY)."""
    own, account, state = ex.own[U(o)], ex.account[U(p)], ex.state
    side = I64(own["side"])
    mark_participants(ex, p)
    before = own["remaining"]
    kept_place = price == own["price"] and quantity <= before
    if ex.param["risk"] != 0 and not kept_place and change_refused(ex, p, side, price, quantity, before):
        account["refused"] += 1
        return
    own_slot = I64(own["slot"])
    status, n, remaining, slot = modify(ex.book, ex.fills, own_slot, price, quantity)
    state["messages"] += 1
    if status != ACCEPTED:
        account["refused"] += 1
        return
    account["open"][side] += quantity - before
    own["quantity"] += quantity - before
    own["remaining"] = quantity
    own["price"] = price
    for i in range(n):
        fill = ex.fills[U(i)]
        if fill["quantity"] > 0:
            state["trades"] += 1
            state["volume"][side] += fill["quantity"]
            state["events"] |= EVENT_TRADE
            if fill["participant"] == 0 and fill["remaining"] == 0:
                flow_order_gone(ex, 1 - side, fill)
    settle_participants(ex, n, side, p, o)
    if not kept_place:
        rest_or_end(ex, p, o, status, remaining, slot)


@kernel
def arrive(ex: Exchange) -> int:
    """The next message reaches the exchange; return the table entry of a new order to enter, -1 if it was handled."""
    message = ex.message[U(take_message(ex))]
    p, o = I64(message["participant"]), I64(message["own"])
    own = ex.own[U(o)]
    if own["state"] == 0 or own["id"] != message["order_id"]:
        return -1
    kind = message["kind"]
    if kind == NEW:
        if ex.param["risk"] == 0 or not refused_on_arrival(ex, p, o):
            return o
        end_order(ex, p, o, _RISK)
        return -1
    price, quantity = message["price"], message["quantity"]
    if kind == REDUCE:
        price, quantity = own["price"], own["remaining"] - quantity
        if quantity <= 0:
            kind = CANCEL
    if kind == CANCEL:
        withdraw(ex, p, o, _CANCELLED)
    elif own["state"] == RESTING:
        change_order(ex, p, o, price, quantity)
    return -1
