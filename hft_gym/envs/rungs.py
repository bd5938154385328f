"""The ladder of own orders, compiled: a wanted volume at each of several price levels a side.

What is wanted at a price and what works there are brought together without giving up a place in the queue: too much is
taken off the orders that joined last, by reductions that keep the place of what remains; too little is added by a new
order, which joins at the end; orders at prices where nothing is wanted are cancelled. Messages on their way count as
carried out, so that no step asks for the same twice.
"""

from __future__ import annotations

from typing import Any

from hft_gym._jit import I64, U, inlined, kernel
from hft_gym.book.kernel import GTC, IOC
from hft_gym.book.ladder import ASK, BID, MAX_PRICE, key_of, queue_ahead
from hft_gym.envs.observe import MAX_LOTS, Seat, observed_touch, ticks
from hft_gym.market.accounts import NO_KEY
from hft_gym.market.exchange import Exchange
from hft_gym.market.messages import SENT, send_change, send_order
from hft_gym.market.records import CANCEL, REDUCE, RESTING


@inlined
def rung_price(param: Any, side: int, k: int, bid: int, ask: int) -> int:
    """Price of level *k* of *side*; inside the spread it stops short of the other side."""
    offset = param["offset"][U(k)]
    if side == BID:
        return min(bid - offset, ask - 1) if offset < 0 else bid - offset
    return max(ask + offset, bid + 1) if offset < 0 else ask + offset


@kernel
def working(ex: Exchange, seat: Seat, o: int, side: int) -> int:
    """Lots of entry *o* that will stay on *side* once the messages on their way have arrived."""
    own = ex.own[U(o)]
    if own["state"] == 0 or own["side"] != side or own["time_in_force"] != GTC or own["cancel_sent"] != 0:
        return 0
    lots = own["remaining"]
    if ex.account[U(seat.participant)]["in_flight"] > 0:
        for i in range(ex.state["n_messages"]):
            message = ex.message[U(i)]
            if message["own"] == o and message["kind"] == REDUCE and message["order_id"] == own["id"]:
                lots -= message["quantity"]
    return max(lots, 0)


@inlined
def room(ex: Exchange, seat: Seat, param: Any, side: int) -> int:
    """Lots that the position limit leaves on *side*, working orders counted as filled."""
    account = ex.account[U(seat.participant)]
    signed = account["position"] if side == BID else -account["position"]
    return param["max_position"] - signed - account["open"][side]


@inlined
def take(ex: Exchange, seat: Seat, env: Any, param: Any, side: int, lots: int) -> None:
    """Send a market order of *lots* on *side*, as far as the position limit lets it."""
    quantity = min(lots, room(ex, seat, param, side))
    if quantity > 0:
        price = MAX_PRICE if side == BID else -MAX_PRICE
        send_order(ex, seat.participant, side, price, quantity, IOC, env["decision_time"])


@kernel
def place_rungs(ex: Exchange, seat: Seat, env: Any, param: Any, side: int, wanted: Any, bid: int, ask: int) -> None:
    """Bring the agent's orders on *side* to the *wanted* order sizes, bids first, then asks."""
    own, now, rungs = ex.own, env["decision_time"], param["rungs"]
    column = rungs * side
    for o in range(seat.first, seat.last):
        if working(ex, seat, o, side) > 0:
            k = 0
            while k < rungs and rung_price(param, side, k, bid, ask) != own[U(o)]["price"]:
                k += 1
            if k == rungs:
                send_change(ex, seat.participant, o, CANCEL, 0, 0, now)
    for k in range(rungs):
        price = rung_price(param, side, k, bid, ask)
        # Levels inside the spread can come to lie on one price: their volumes add up at the first of them.
        seen = False
        lots = 0
        for j in range(rungs):
            if rung_price(param, side, j, bid, ask) == price:
                seen |= j < k
                lots += wanted[U(column + j)] * param["order_size"]
        if seen:
            continue
        have = 0
        for o in range(seat.first, seat.last):
            if own[U(o)]["price"] == price:
                have += working(ex, seat, o, side)
        while have > lots:
            last = -1
            for o in range(seat.first, seat.last):
                behind = last < 0 or own[U(o)]["id"] > own[U(last)]["id"]
                if behind and own[U(o)]["price"] == price and working(ex, seat, o, side) > 0:
                    last = o
            excess = have - lots
            stays = working(ex, seat, last, side)
            if stays <= excess:
                done = send_change(ex, seat.participant, last, CANCEL, 0, 0, now)
            else:
                done = send_change(ex, seat.participant, last, REDUCE, 0, excess, now)
            if done != SENT:
                break
            have -= min(stays, excess)
        quantity = min(lots - have, room(ex, seat, param, side))
        if quantity > 0:
            send_order(ex, seat.participant, side, price, quantity, GTC, now)


@kernel
def act_ladder(ex: Exchange, seat: Seat, env: Any, param: Any, wanted: Any) -> None:
    """Send what the decision asks for: order sizes at each level of the bids, of the asks, and the take."""
    bid, ask = observed_touch(ex, seat, env, BID), observed_touch(ex, seat, env, ASK)
    for side in range(2):
        place_rungs(ex, seat, env, param, side, wanted, bid, ask)
    size = wanted[U(2 * param["rungs"])]
    if size > 0:
        side = BID if size <= param["most"] else ASK
        if side == ASK:
            size -= param["most"]
        take(ex, seat, env, param, side, size * param["order_size"])


@kernel
def at_price(ex: Exchange, seat: Seat, side: int, price: int) -> tuple[int, int]:
    """Own lots working on *side* at *price*, and the lots ahead of the first of them (-1: none has arrived yet)."""
    own = ex.own
    lots, ahead, arrived = 0, 0, False
    for o in range(seat.first, seat.last):
        order = own[U(o)]
        if order["state"] == 0 or order["side"] != side or order["price"] != price or order["time_in_force"] != GTC:
            continue
        lots += order["remaining"]
        if order["state"] == RESTING:
            volume, _ = queue_ahead(ex.book, I64(order["slot"]))
            ahead = min(ahead, volume) if arrived else volume
            arrived = True
    return lots, ahead if arrived or lots == 0 else -1


@kernel
def write_rungs(ex: Exchange, seat: Seat, env: Any, param: Any, mid2: int, row: Any, best_column: int, c: int) -> None:
    """Write the best own order of each side at *best_column*, and own lots and lots ahead at each level from *c* on."""
    own, rungs = ex.own, param["rungs"]
    bid, ask = observed_touch(ex, seat, env, BID), observed_touch(ex, seat, env, ASK)
    for side in range(2):
        best, total = NO_KEY, 0
        for o in range(seat.first, seat.last):
            order = own[U(o)]
            if order["state"] != 0 and order["side"] == side and order["time_in_force"] == GTC:
                total += order["remaining"]
                best = min(best, key_of(side, order["price"]))
        column = best_column + 3 * side
        for i in range(3):
            row[U(column + i)] = 0.0
        if total > 0:
            price = best if side == ASK else -best
            _, ahead = at_price(ex, seat, side, price)
            row[U(column)] = ticks(2 * price - mid2)
            row[U(column + 1)] = min(total, MAX_LOTS)
            row[U(column + 2)] = min(ahead, MAX_LOTS)
        for k in range(rungs):
            lots, ahead = at_price(ex, seat, side, rung_price(param, side, k, bid, ask))
            column = c + 2 * rungs * side + k
            row[U(column)] = min(lots, MAX_LOTS)
            row[U(column + rungs)] = min(ahead, MAX_LOTS)
