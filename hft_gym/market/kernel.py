"""The market's event loop: the mechanisms of the flow and the participants' messages, one book, one clock.

:func:`advance` is the loop. Each turn finds the earliest event, turns it into at most one order or one
cancellation, and hands it to the book; :func:`hft_gym.market.entering.enter` does what follows from the fills.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hft_gym._jit import I64, U, inlined, kernel
from hft_gym.book.kernel import GTC, IOC
from hft_gym.book.ladder import (
    ASK,
    BID,
    MAX_PRICE,
    Book,
    best_price,
    clear_book,
    is_empty,
    remove,
    rest,
)
from hft_gym.flow import informed, poisson
from hft_gym.flow.random import derive, draw, sample
from hft_gym.flow.state import CANCEL as CANCELLATION
from hft_gym.flow.state import (
    EXTRA,
    INFORMED,
    JUMP,
    LIMIT,
    MARKET,
    MECHANISMS,
    NEVER,
    REPLAY,
    restart_cancel_clock,
    start_clocks,
)
from hft_gym.market.accounts import (
    NO_KEY,
    others_best,
    participant_fill,
    refresh_mid,
    settle_account,
    withdraw,
)
from hft_gym.market.entering import arrive, enter, enter_once
from hft_gym.market.exchange import Exchange
from hft_gym.market.kill_switch import watch_limits
from hft_gym.market.live import remember, strike_off
from hft_gym.market.messages import drop_messages, entries_per_participant, hold_message
from hft_gym.market.reactive import due_event, open_reactive, settle
from hft_gym.market.records import (
    EVENT_ANY,
    EVENT_TOUCH,
    EndReason,
)
from hft_gym.market.replay import next_operation
from hft_gym.market.risk import reset_risk

_EPISODE_END = int(EndReason.EPISODE_END)
_LOW = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)
ARRIVAL = MECHANISMS
"""The event of a participant's message reaching the exchange, beside the flow's mechanisms."""


@kernel
def log_mids(ex: Exchange, always: bool) -> None:
    """Log the mid of each participant that changed since it was logged (or of *always* every one).

    Nothing but the log changes: a market runs the same with and without logs.
    """
    state = ex.state
    for p in range(1, ex.account.shape[0]):
        account = ex.account[U(p)]
        bid, ask = others_best(ex, p, BID), others_best(ex, p, ASK)
        now = account["mid2"] if always else account["logged_mid2"]
        if bid != NO_KEY and ask != NO_KEY:
            now = ask - bid
        if now == account["logged_mid2"] and not always:
            continue
        account["logged_mid2"] = now
        n = state["n_mids"]
        if n >= ex.mid_log.shape[0]:
            state["lost"] += 1
            continue
        state["n_mids"] = n + 1
        record = ex.mid_log[U(n)]
        record["env"] = state["env"]
        record["episode"] = state["episode"]
        record["participant"] = p
        record["time"] = state["time"]
        record["mid2"] = now


@kernel
def touch_moved(ex: Exchange) -> bool:
    """True if the best bid or ask differs from the last look, which this look replaces."""
    book: Book = ex.book
    touch = ex.state["touch"]
    moved = False
    for side in range(2):
        price = NEVER if is_empty(book, side) else best_price(book, side)
        if price != touch[side]:
            touch[side] = price
            moved = True
    return moved


@inlined
def earliest_rare(ex: Exchange) -> int:
    """Time of the next event that is neither a limit order nor a market order nor a cancellation of the flow [ns].

    Only such an event changes it, but for a reactive flow.
    """
    due = ex.flow_state["due"]
    earliest = ex.state["next_arrival"]
    for k in range(CANCELLATION + 1, MECHANISMS):
        earliest = min(earliest, due[U(k)])
    return earliest


@inlined
def advance(ex: Exchange, until: int, stop: int) -> int:
    """Process every event up to and including time *until* [ns], or to the first whose kind is in *stop*.

    Afterwards the clock stands at *until*, or at the event that stopped it; returns the ``EVENT_*`` bits that occurred.
    """
    book: Book = ex.book
    state, flow_state, flow = ex.state, ex.flow_state, ex.flow
    due = flow_state["due"]
    reactive = flow["reactive"] != 0
    watch = (stop & EVENT_TOUCH) != 0
    risky = ex.param["risk"] != 0
    log = ex.param["log_mids"] != 0 and state["muted"] == 0
    if watch:
        touch_moved(ex)
    state["events"] = stop & EVENT_ANY
    rare = earliest_rare(ex)
    while True:
        # The cancellation clock comes last because it is known last: nearly every event sets it anew.
        kind = LIMIT
        now = due[LIMIT]
        if due[MARKET] < now:
            now = due[MARKET]
            kind = MARKET
        if rare < now:
            now = rare
            kind = ARRIVAL
        if due[CANCELLATION] < now:
            now = due[CANCELLATION]
            kind = CANCELLATION
        if now > until:
            state["time"] = max(state["time"], until)
            break
        now = max(now, state["time"])
        state["time"] = now
        n_before = flow_state["n_live"]
        side, price, quantity, tif, taker, o, handle, place = 0, 0, 0, IOC, 0, -1, -1, -1
        if kind == ARRIVAL:
            for k in range(ARRIVAL - 1, CANCELLATION, -1):
                if due[U(k)] <= rare:
                    kind = k
        if reactive and (kind <= CANCELLATION or kind == EXTRA):
            side, price, quantity, tif, place = due_event(ex, kind, now)
        elif kind == LIMIT:
            tif = GTC
            side, price, quantity = poisson.limit_order(book, flow_state, flow, now)
        elif kind == CANCELLATION:
            place = poisson.cancellation(book, ex.live, flow_state, flow)
            flow_state["hazard_time"] = now
        elif kind == MARKET:
            side, quantity = poisson.market_order(flow_state, flow, now)
            price = MAX_PRICE if side == BID else -MAX_PRICE
        elif kind == JUMP:
            informed.jump(flow_state, flow, now)
        elif kind == INFORMED:
            side, price, quantity = informed.informed_order(book, flow_state, flow, now)
        elif kind == REPLAY:
            tif = GTC
            side, price, quantity, handle = next_operation(ex)
        elif reactive and now < flow_state["halted_until"]:
            hold_message(ex, flow_state["halted_until"])
        else:
            o = arrive(ex)
            if o >= 0:
                own = ex.own[U(o)]
                taker = 1 + o // entries_per_participant(ex)
                side, price, quantity = I64(own["side"]), own["price"], own["quantity"]
                tif = I64(own["time_in_force"])
        if place >= 0:
            remove(book, I64(ex.live[U(place)]))
            strike_off(ex, place)
            state["messages"] += 1
        if quantity > 0:
            enter(ex, side, price, quantity, tif, taker, o, handle)
        if risky:
            watch_limits(ex)
        if reactive:
            flow_state["hidden"] = 0
            settle(ex, kind, now)
        elif flow_state["n_live"] != n_before or kind == CANCELLATION:
            restart_cancel_clock(flow_state, flow, now, n_before)
        if reactive or kind > CANCELLATION:
            rare = earliest_rare(ex)
        if log:
            log_mids(ex, False)
        if watch and touch_moved(ex):
            state["events"] |= EVENT_TOUCH
        if (state["events"] & stop) != 0 and due[REPLAY] != now:
            # A row of a recorded day is several operations of one time: never stop between them.
            break
    return state["events"]


@kernel
def open_market(ex: Exchange, key: Any) -> None:
    """Start the market anew from random *key*: empty accounts, a seeded book, clocks at zero; no warm-up yet."""
    state, flow_state, param, flow = ex.state, ex.flow_state, ex.param, ex.flow
    clear_book(ex.book)
    state["time"] = 0
    state["key"] = key
    state["messages"] = 0
    state["trades"] = 0
    state["volume"][0] = 0
    state["volume"][1] = 0
    state["hidden_volume"] = 0
    state["fees"] = 0
    state["next_arrival"] = NEVER
    state["n_messages"] = 0
    state["sequence"] = 0
    state["events"] = 0
    state["touch"][0] = NEVER
    state["touch"][1] = NEVER
    state["closing"] = 0
    state["own_resting"] = 0
    price = param["initial_price"]
    for p in range(ex.account.shape[0]):
        reset_account(ex.account[U(p)], derive(key, 64 + p), 2 * price)
        reset_risk(ex.account[U(p)])
    for o in range(ex.own.shape[0]):
        ex.own[U(o)]["state"] = 0
        ex.own[U(o)]["remaining"] = 0
    flow_state["touch"][BID] = price - 1
    flow_state["touch"][ASK] = price + 1
    flow_state["fundamental"] = np.float64(price)
    flow_state["fundamental_mean"] = np.float64(price)
    flow_state["fundamental_time"] = 0
    flow_state["reference"] = price - 1
    flow_state["hidden"] = 0
    flow_state["n_live"] = 0
    flow_state["rejected"] = 0
    flow_state["cursor"] = 0
    flow_state["displaced"] = 0
    flow_state["replaying"] = 0
    start_clocks(flow_state, flow, key, 0)
    streams = ex.account[0]["stream"]
    for distance in range(1, param["initial_depth"] + 1):
        for side in range(2):
            word = draw(streams, 0)
            at = price + (distance if side == ASK else -distance)
            for size in (sample(flow["limit_size"], I64(word & _LOW)), sample(flow["limit_size"], I64(word >> _S32))):
                remember(ex, rest(ex.book, side, at, size, 0, 0), -1)
    if flow["reactive"] != 0:
        open_reactive(ex)
    else:
        restart_cancel_clock(flow_state, flow, 0, 0)


@kernel
def reset_account(account: Any, stream: Any, mid2: int) -> None:
    """Empty one account."""
    account["cash"] = 0
    account["position"] = 0
    account["cost"] = 0
    account["fees"] = 0
    account["bought"] = 0
    account["sold"] = 0
    account["maker_volume"] = 0
    account["taken"][0] = 0
    account["taken"][1] = 0
    account["open"][0] = 0
    account["open"][1] = 0
    account["n_open"] = 0
    account["n_resting"] = 0
    account["in_flight"] = 0
    account["orders_sent"] = 0
    account["cancels_sent"] = 0
    account["refused"] = 0
    account["mid2"] = mid2
    account["logged_mid2"] = mid2
    account["stream"][0] = stream
    account["unclosed"] = 0


@kernel
def close_position(ex: Exchange, p: int) -> None:
    """End *p*'s trading now: withdraw every order, forget its messages, and close the position against the book.

    What an emptied book cannot take is settled at the last mid of the others and counted in ``unclosed``.
    """
    account, state = ex.account[U(p)], ex.state
    drop_messages(ex, p)
    per = entries_per_participant(ex)
    for o in range((p - 1) * per, p * per):
        withdraw(ex, p, o, _EPISODE_END)
    refresh_mid(ex, p)
    position = account["position"]
    if position == 0:
        return
    state["closing"] = 1
    side = ASK if position > 0 else BID
    enter_once(ex, side, MAX_PRICE if side == BID else -MAX_PRICE, abs(position), IOC, p)
    left = abs(account["position"])
    if left > 0:
        price = (account["mid2"] + (1 if side == BID else 0)) // 2
        participant_fill(ex, p, side, price, left, False, -1, 0)
        settle_account(ex.account[0], 1 - side, price, left, 0)
        account["unclosed"] += left
        state["volume"][side] += left
    state["closing"] = 0
