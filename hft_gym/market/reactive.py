"""The events of a reactive flow: what is due, and what every event of the market does to its rates.

:func:`due_event` is the dispatch of the mechanisms beyond plain Poisson flow; :func:`settle` runs after every event.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hft_gym._jit import I64, U, cold, inlined, kernel
from hft_gym.book.kernel import GTC, IOC
from hft_gym.book.ladder import ASK, BID, Book, best_price, is_empty, rest, take_out, volume_at
from hft_gym.flow.hawkes import MARKET_BUY, activity, calm, catch_up, excite, excite_by
from hft_gym.flow.icebergs import hide, next_part
from hft_gym.flow.informed import diffuse
from hft_gym.flow.learning import MAX_MEMORIES, learn
from hft_gym.flow.metaorders import child_order, take_parents
from hft_gym.flow.population import MAKER, MAX_ORDERS, VALUE, next_agent, set_population_due, start_agents, wake
from hft_gym.flow.queue_reactive import drawn_size, flow_order_at, queue_event, queue_price
from hft_gym.flow.random import draw, high_unit
from hft_gym.flow.reactive import cancellation, limit_order, market_order
from hft_gym.flow.replenishment import call_for_liquidity, new_liquidity, pace
from hft_gym.flow.session import begin_halt, begin_session, halt_event, moved_too_far, set_shape
from hft_gym.flow.state import (
    CANCEL,
    EXTRA,
    HALT,
    ICEBERG,
    INFORMED,
    JUMP,
    LIMIT,
    MARKET,
    METAORDER,
    NEVER,
    POPULATION,
    REPLENISHMENT,
    SESSION,
    VOLATILITY,
    set_cancel_clock,
    set_clock,
    set_extra_due,
)
from hft_gym.flow.volatility import begin_volatility, switch_component
from hft_gym.market.exchange import Exchange
from hft_gym.market.live import remember, strike_off

SLACK = 1.1
"""A clock's ceiling over its activity when it is set: fewer candidates are refused near 1, fewer settings at more."""
REACTIVE_CLOCKS = (LIMIT, MARKET, CANCEL, JUMP, INFORMED, METAORDER)


@kernel
def open_reactive(ex: Exchange) -> None:
    """Start the clocks of a reactive flow at time 0."""
    state, flow = ex.flow_state, ex.flow
    hawkes = flow["hawkes"]
    state["happened"] = -1
    state["seen_volume"][0] = 0
    state["seen_volume"][1] = 0
    state["seen_mid2"] = NEVER
    state["seen_live"] = -1
    state["pressure"][0] = 0.0
    state["pressure"][1] = 0.0
    state["pressure_time"] = 0
    state["n_pending"] = 0
    for k in range(MAX_MEMORIES):
        state["memory"][k] = 0.0
    calm(state, hawkes, 0)
    begin_session(state, flow["session"], 0)
    begin_volatility(state, flow["volatility"], 0)
    if flow["queue_reactive"] != 0:
        draw_book(ex)
    if flow["metaorders"]["mean"] > 0.0:
        state["left"][METAORDER] = state["gap"][METAORDER]
        take_parents(state, flow["metaorders"])
    start_agents(state, flow, ex.agents, 0)
    for k in REACTIVE_CLOCKS:
        state["stretch"][k] = 0.0
        state["ceiling"][k] = ceiling_of(state, flow, k)
    retime(ex, 0)
    set_extra_due(state)


@kernel
def ceiling_of(state: Any, flow: Any, k: int) -> float:
    """A new ceiling for clock *k*."""
    if flow["hawkes"]["n_decays"] == 0:
        return 1.0
    return SLACK * activity(state, flow["hawkes"], k)


@kernel
def mean_of(flow: Any, k: int) -> float:
    """Mean time between the events of clock *k* at activity 1 [ns]; 0: none."""
    if k == LIMIT:
        return flow["limit_mean"]
    if k == MARKET:
        return flow["market_mean"]
    if k == JUMP:
        return flow["jump_mean"]
    if k == INFORMED:
        return flow["informed_mean"]
    return flow["metaorders"]["mean"]


@kernel
def set_rate(state: Any, flow: Any, k: int, now: int) -> None:
    """Set clock *k* to its present ceiling, the time of day, and a halt."""
    if k == CANCEL:
        if flow["cancel_mean"] > 0.0:
            set_cancel_clock(state, flow, now)
        return
    rate = state["ceiling"][k] * (1.0 if k == JUMP else state["shape"]) * state["climate"][0 if k == LIMIT else 1]
    if now < state["halted_until"] and k != JUMP:
        rate = 0.0
    set_clock(state, k, now, mean_of(flow, k) / rate if rate > 0.0 else 0.0)


@kernel
def retime(ex: Exchange, now: int) -> None:
    """Set every clock anew: the time of day or a halt changed all rates."""
    for k in REACTIVE_CLOCKS:
        set_rate(ex.flow_state, ex.flow, k, now)
    if ex.flow["replenish"]["share"] > 0.0:
        pace(ex.flow_state, ex.flow["replenish"], now)


@kernel
def due_event(ex: Exchange, kind: int, now: int) -> tuple[int, int, int, int, int]:
    """Side, price, quantity (0: none) and time in force of the order due now on clock *kind*, and the place in the list
    of live orders of the order that is cancelled (-1: none)."""
    book: Book = ex.book
    state, flow = ex.flow_state, ex.flow
    side, price, quantity, tif, place = BID, 0, 0, GTC, -1
    catch_up(state, flow["hawkes"], now)
    if kind <= CANCEL:
        if flow["queue_reactive"] != 0:
            side, price, quantity, place = queue_event(book, state, flow, kind, now)
            if kind == MARKET:
                tif = IOC
        elif kind == LIMIT:
            side, price, quantity = limit_order(book, state, flow, now)
        elif kind == MARKET:
            side, price, quantity = market_order(book, state, flow, now)
            tif = IOC
        else:
            place = cancellation(book, ex.live, state, flow, now)
        if kind == LIMIT and quantity > 0 and flow["icebergs"]["share"] > 0.0:
            hide(state, flow["icebergs"], quantity)
    else:
        due = state["due"]
        if due[METAORDER] <= now:
            side, price, quantity, tif = child_order(book, state, flow["metaorders"], now)
            if quantity > 0:
                quantity = I64(flow["market_lots"][U(quantity - 1)])
        elif due[REPLENISHMENT] <= now:
            side, price, quantity = new_liquidity(book, state, flow, now)
        elif due[POPULATION] <= now:
            side, price, quantity = population_event(ex, now)
        elif due[ICEBERG] <= now:
            side, price, quantity = next_part(state)
        elif due[SESSION] <= now:
            set_shape(state, flow["session"], now)
            retime(ex, now)
        elif due[VOLATILITY] <= now:
            switch_component(state, flow["volatility"], now)
            retime(ex, now)
        elif due[HALT] <= now:
            halt_event(state, flow["session"], now, mid2_of(ex))
            retime(ex, now)
    return side, price, quantity, tif, place


@kernel
def mid2_of(ex: Exchange) -> int:
    """Best bid plus best ask [half-ticks], or the last one known while a side is empty."""
    if is_empty(ex.book, BID) or is_empty(ex.book, ASK):
        return ex.flow_state["seen_mid2"]
    return best_price(ex.book, BID) + best_price(ex.book, ASK)


@inlined
def adapt(state: Any, flow: Any, k: int, now: int, needed: float) -> None:
    """Set clock *k* anew if its ceiling is below, or far above, the activity *needed*."""
    ceiling = state["ceiling"][U(k)]
    if needed > ceiling or needed < 0.75 * ceiling:
        state["ceiling"][U(k)] = SLACK * needed
        set_rate(state, flow, k, now)


@kernel
def settle(ex: Exchange, kind: int, now: int) -> None:
    """Bring the rates up to date after an event on clock *kind*, whosesoever it was."""
    state, flow = ex.flow_state, ex.flow
    hawkes = flow["hawkes"]
    happened = I64(state["happened"])
    state["happened"] = -1
    mark = 1.0
    for side in range(2):
        lots = ex.state["volume"][side] - state["seen_volume"][side]
        if lots > 0:
            state["seen_volume"][side] += lots
            if happened < MARKET_BUY:
                happened = MARKET_BUY + side
            if hawkes["mean_share"] > 0.0:
                mark = share_taken(ex, 1 - side, lots) / hawkes["mean_share"]
            if kind > EXTRA:
                mark *= hawkes["participants"]
            if flow["learning"]["impact"] > 0.0 and kind != INFORMED:
                if flow["value_reversion"] > 0.0:
                    diffuse(state, flow, now)
                learn(state, flow["learning"], 1.0 if side == BID else -1.0, lots)
            if flow["replenish"]["share"] > 0.0:
                call_for_liquidity(state, flow["replenish"], now, 1 - side, lots, ex.fills[U(0)]["price"])
    if kind == JUMP or kind == INFORMED:
        state["since"][kind] = now
        wait = state["left"][kind] * state["stretch"][kind]
        state["due"][kind] = now + 1 + I64(wait) if wait < 4e18 else NEVER
    if state["agent"] >= 0:
        note_order(ex)
    recount = state["n_live"] != state["seen_live"]
    if hawkes["n_decays"] > 0:
        if happened >= 0:
            catch_up(state, hawkes, now)
            if mark == 1.0:
                excite(state, hawkes, happened)
            else:
                excite_by(state, hawkes, happened, mark)
        factor = state["factor"]
        one, two = factor[U(MARKET_BUY)], factor[U(MARKET_BUY + 1)]
        adapt(state, flow, LIMIT, now, 0.5 * (factor[U(0)] + factor[U(1)]))
        adapt(state, flow, CANCEL, now, max(factor[U(2)], factor[U(3)]))
        adapt(state, flow, MARKET, now, 0.5 * (one + two))
        adapt(state, flow, METAORDER, now, max(one, two))
        if hawkes["scales_informed"] != 0:
            adapt(state, flow, INFORMED, now, 0.5 * (one + two))
        if hawkes["scales_jumps"] != 0:
            adapt(state, flow, JUMP, now, 0.5 * (one + two))
    if flow["queue_reactive"] != 0:
        follow_mid(ex)
    elif recount and flow["cancel_mean"] > 0.0:
        set_cancel_clock(state, flow, now)
    state["seen_live"] = state["n_live"]
    table = flow["session"]
    if table["halt_move"] > 0 and now >= state["halted_until"]:
        mid2 = mid2_of(ex)
        if mid2 != NEVER and moved_too_far(state, table, now, mid2):
            begin_halt(state, table, now)
            retime(ex, now)
        state["seen_mid2"] = mid2
    if state["n_pending"] > 0:
        state["due"][ICEBERG] = now
    set_extra_due(state)


@cold
def share_taken(ex: Exchange, side: int, lots: int) -> float:
    """Share of the best queue of *side* that the order which just traded *lots* took, 1 if it went beyond."""
    return lots / np.float64(lots + volume_at(ex.book, side, ex.fills[U(0)]["price"]))


# -- the population of agents ------------------------------------------------------------------------------


@cold
def population_event(ex: Exchange, now: int) -> tuple[int, int, int]:
    """Side, price and quantity (0: none) of the next order of the agent that wakes, or is awake."""
    state, agents = ex.flow_state, ex.agents
    if now < state["halted_until"]:
        state["due"][POPULATION] = state["halted_until"]
        return BID, 0, 0
    if state["agent"] < 0:
        a = next_agent(agents)
        withdraw_agent(ex, a)
        wake(ex.book, state, ex.flow, agents[U(a)], ex.state["volume"][0] + ex.state["volume"][1], now)
        state["agent"] = a
    agent = agents[U(state["agent"])]
    n = agent["n_planned"] - 1
    if n < 0:
        state["agent"] = -1
        set_population_due(state, agents)
        return BID, 0, 0
    agent["n_planned"] = n
    state["due"][POPULATION] = now
    return agent["side"][U(n)], agent["price"][U(n)], agent["quantity"][U(n)]


@kernel
def withdraw_agent(ex: Exchange, a: int) -> None:
    """Cancel the orders of agent *a* that still rest."""
    agent, book = ex.agents[U(a)], ex.book
    for i in range(agent["n_orders"]):
        slot = agent["slot"][U(i)]
        order = book.order[U(slot - book.head["first"])]
        place = I64(order["tag"])
        if place < ex.flow_state["n_live"] and I64(ex.live[U(place)]) == slot and order["id"] == agent["id"][U(i)]:
            take_out(book, slot)
            strike_off(ex, place)
            ex.state["messages"] += 1
    agent["n_orders"] = 0


@kernel
def note_order(ex: Exchange) -> None:
    """Let the agent that is awake remember the order that it just sent, if that rests and it is of those who cancel."""
    state, book = ex.flow_state, ex.book
    agent = ex.agents[U(state["agent"])]
    n, last = agent["n_orders"], state["n_live"] - 1
    if (agent["kind"] != VALUE and agent["kind"] != MAKER) or n == MAX_ORDERS or last < 0:
        return
    slot = I64(ex.live[U(last)])
    identity = book.order[U(slot - book.head["first"])]["id"]
    if identity == ex.state["messages"] - 1 and (n == 0 or agent["id"][U(n - 1)] != identity):
        agent["slot"][U(n)] = slot
        agent["id"][U(n)] = identity
        agent["n_orders"] = n + 1


# -- the queue-reactive book -------------------------------------------------------------------------------


@kernel
def follow_mid(ex: Exchange) -> None:
    """Let the reference price follow a move of the mid, with probability theta, and draw the book anew with
    theta_reinit."""
    state, queues = ex.flow_state, ex.flow["queues"]
    mid2, before = queues_mid2(ex), I64(state["seen_mid2"])
    state["seen_mid2"] = mid2
    if mid2 == before or before == NEVER or queues["theta"] <= 0.0:
        return
    word = draw(state["streams"], EXTRA)
    follows, anew = high_unit(word) < queues["theta"], high_unit(draw(state["streams"], EXTRA)) < queues["theta_reinit"]
    side = ASK if mid2 > before else BID
    if not follows or volume_at(ex.book, side, queue_price(state, side, 1)) > 0:
        return
    last = queues["queues"]
    state["reference"] += 1 if side == ASK else -1
    if anew:
        draw_book(ex)
    else:
        clear_queue(ex, 1 - side, last + 1)
        fill_queue(ex, side, last)
    state["seen_mid2"] = queues_mid2(ex)


@kernel
def queues_mid2(ex: Exchange) -> int:
    """Best bid plus best ask [half-ticks]; an empty side counts as if it began behind its last queue."""
    state, book, behind = ex.flow_state, ex.book, ex.flow["queues"]["queues"] + 1
    bid = queue_price(state, BID, behind) if is_empty(book, BID) else best_price(book, BID)
    ask = queue_price(state, ASK, behind) if is_empty(book, ASK) else best_price(book, ASK)
    return bid + ask


@kernel
def clear_queue(ex: Exchange, side: int, i: int) -> None:
    """Withdraw the flow's orders of queue *i*."""
    while True:
        place = flow_order_at(ex.book, side, queue_price(ex.flow_state, side, i), 0.0)
        if place < 0:
            return
        take_out(ex.book, I64(ex.live[U(place)]))
        strike_off(ex, place)


@kernel
def fill_queue(ex: Exchange, side: int, i: int) -> None:
    """Add orders to queue *i* as many as its law gives; none that would trade."""
    state, queues, book = ex.flow_state, ex.flow["queues"], ex.book
    price = queue_price(state, side, i)
    n = drawn_size(state, queues, i)
    if not is_empty(book, 1 - side):
        opposite = best_price(book, 1 - side)
        if (side == BID and opposite <= price) or (side == ASK and opposite >= price):
            return
    for _ in range(n):
        if book.head["free"] == 0:
            state["rejected"] += 1
            return
        remember(ex, rest(book, side, price, queues["aes"], 0, ex.state["messages"]), -1)
        ex.state["messages"] += 1


@kernel
def draw_book(ex: Exchange) -> None:
    """Draw all queues anew from their law: orders of the flow only; a participant's stay where they are."""
    state, book = ex.flow_state, ex.book
    for place in range(state["n_live"]):
        take_out(book, I64(ex.live[U(place)]))
    state["n_live"] = 0
    for i in range(1, ex.flow["queues"]["queues"] + 1):
        for side in range(2):
            fill_queue(ex, side, i)
