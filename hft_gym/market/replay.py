"""Replay of a recorded day in the same book: the operations of :mod:`hft_gym.data.ops`, with own orders in the way.

The rules, in the order in which they apply:

1. A historic order that arrives is entered like any other; it can only trade with participants' orders.
2. A historic execution first fills participants' orders that have priority over the executed order: a better price,
or the same
   price and an earlier place in the queue. A hidden execution fills those at its price or better.
3. The historic order then takes its historic state all the same; the volume that participants took in its stead is
cancelled and
   counted as *displaced*.
4. A historic order of which participants took some never grows back: it keeps the smaller of what is left and what
history says.

So the book without the participants' orders equals the file's row, except for what they took.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hft_gym._jit import I64, U, kernel
from hft_gym.book.ladder import (
    ASK,
    BID,
    Book,
    best_price,
    clear_book,
    execute,
    is_empty,
    key_of,
    move_to_front,
    queue_ahead,
    reduce,
    rest,
    take_out,
)
from hft_gym.data.ops import OP_ADD, OP_ADOPT, OP_DELETE, OP_EXECUTE, OP_FORGET, OP_HIDDEN, OP_REDUCE
from hft_gym.flow.state import MECHANISMS, NEVER, REPLAY
from hft_gym.market.accounts import participant_fill, settle_account
from hft_gym.market.exchange import Exchange
from hft_gym.market.live import forget, mark_participants, remember
from hft_gym.market.records import EVENT_END, EVENT_FILL, EVENT_TRADE, RESTING


class Replay(NamedTuple):
    """A day's arrays (see :class:`hft_gym.data.replay.ReplayFeed`); all empty when the market is simulated."""

    ops: Any
    op_row_start: Any
    times: Any
    checkpoint_start: Any
    checkpoint_orders: Any
    checkpoint_rows: Any


@kernel
def next_operation(ex: Exchange) -> tuple[int, int, int, int]:
    """Apply the operation due now; return side, price, quantity and handle of an order to enter (quantity 0: none)."""
    book: Book = ex.book
    flow_state = ex.flow_state
    ops = ex.replay.ops
    op = ops[U(flow_state["cursor"])]
    cursor = flow_state["cursor"] + 1
    flow_state["cursor"] = cursor
    if cursor < ops.shape[0]:
        flow_state["due"][REPLAY] = ops[U(cursor)]["time"]
    else:
        flow_state["due"][REPLAY] = NEVER
        ex.state["events"] |= EVENT_END
    code, side, price, quantity = I64(op["op"]), I64(op["side"]), op["price"], op["quantity"]
    handle = I64(op["handle"])
    if code == OP_ADD or code == OP_ADOPT:
        ex.live[U(handle)] = 0
        opposite = 1 - side
        crosses = not is_empty(book, opposite) and key_of(opposite, best_price(book, opposite)) <= key_of(
            opposite, price
        )
        if code == OP_ADD or crosses:
            return side, price, quantity, handle
        if book.head["free"] == 0:
            flow_state["rejected"] += 1
            return side, price, 0, handle
        slot = rest(book, side, price, quantity, 0, ex.state["messages"])
        remember(ex, slot, handle)
        move_to_front(book, slot)
        ex.state["messages"] += 1
    elif code == OP_REDUCE or code == OP_DELETE or code == OP_FORGET:
        take_state(ex, handle, op["remaining"])
        ex.state["messages"] += 1
    elif code == OP_EXECUTE:
        slot = I64(ex.live[U(handle)])
        taken = fill_participants(ex, side, price, quantity, slot, False)
        take_state(ex, handle, op["remaining"])
        flow_state["displaced"] += taken
        traded(ex, 1 - side, quantity)
    elif code == OP_HIDDEN:
        flow_state["displaced"] += fill_participants(ex, side, price, quantity, 0, True)
        ex.state["hidden_volume"] += quantity
        traded(ex, 1 - side, quantity)
    return side, price, 0, handle


@kernel
def traded(ex: Exchange, side: int, quantity: int) -> None:
    """Count a historic trade with aggressor *side*."""
    state = ex.state
    state["trades"] += 1
    state["messages"] += 1
    state["volume"][side] += quantity
    state["events"] |= EVENT_TRADE


@kernel
def take_state(ex: Exchange, handle: int, remaining: int) -> None:
    """Bring the order of *handle* to its historic *remaining* lots, unless participants left less of it."""
    slot = I64(ex.live[U(handle)])
    if slot == 0:
        return
    if remaining == 0:
        take_out(ex.book, slot)
        forget(ex, slot)
    elif I64(ex.book.node[U(slot)]["quantity"]) > remaining:
        reduce(ex.book, slot, remaining)


@kernel
def fill_participants(ex: Exchange, side: int, price: int, quantity: int, historic: int, hidden: bool) -> int:
    """Fill participants' orders on *side* that come before a historic execution at *price*; return the lots taken.

    *historic* is the executed order's slot (0 if participants had taken it); against a *hidden* execution every visible
    order at its price has priority.
    """
    book: Book = ex.book
    state = ex.state
    if state["own_resting"] == 0:
        return 0
    mark_participants(ex, 0)
    per = ex.own.shape[0] // max(ex.account.shape[0] - 1, 1)
    key = key_of(side, price)
    ahead_of_historic = 0
    if historic != 0:
        ahead_of_historic, _ = queue_ahead(book, historic)
    taken = 0
    while taken < quantity:
        best, best_key, best_ahead = -1, NEVER, 0
        for o in range(ex.own.shape[0]):
            own = ex.own[U(o)]
            if own["state"] != RESTING or own["side"] != side:
                continue
            own_key = key_of(side, own["price"])
            if own_key > key:
                continue
            ahead, _ = queue_ahead(book, I64(own["slot"]))
            if own_key == key and not hidden and ahead > (ahead_of_historic if historic != 0 else 0):
                continue
            if own_key < best_key or (own_key == best_key and ahead < best_ahead):
                best, best_key, best_ahead = o, own_key, ahead
        if best < 0:
            break
        own = ex.own[U(best)]
        p = 1 + best // per
        lots = min(quantity - taken, own["remaining"])
        own_price = own["price"]
        execute(book, I64(own["slot"]), lots)
        participant_fill(ex, p, side, own_price, lots, True, best, best_ahead)
        settle_account(ex.account[0], 1 - side, own_price, lots, 0)
        state["events"] |= EVENT_FILL
        taken += lots
        if historic != 0:
            ahead_of_historic, _ = queue_ahead(book, historic)
    return taken


@kernel
def open_replay(ex: Exchange, start: int) -> None:
    """Load the historic book as it stood at *start* [ns since midnight], which becomes the market's clock."""
    book: Book = ex.book
    replay: Replay = ex.replay
    flow_state, state = ex.flow_state, ex.state
    times = replay.times
    low, high = 0, times.shape[0]
    while low < high:
        middle = (low + high) >> 1
        if times[U(middle)] <= start:
            low = middle + 1
        else:
            high = middle
    row = max(low - 1, 0)
    every = replay.checkpoint_rows[0]
    c = row // every
    flow_state["replaying"] = 1
    # open_market has seeded a book and set clocks for the simulated flow.
    clear_book(book)
    flow_state["n_live"] = 0
    for k in range(MECHANISMS):
        flow_state["due"][k] = NEVER
    for i in range(ex.live.shape[0]):
        ex.live[U(i)] = 0
    for i in range(replay.checkpoint_start[U(c)], replay.checkpoint_start[U(c + 1)]):
        order = replay.checkpoint_orders[U(i)]
        if book.head["free"] == 0:
            flow_state["rejected"] += 1
            continue
        slot = rest(book, I64(order["side"]), order["price"], order["quantity"], 0, i)
        remember(ex, slot, I64(order["handle"]))
    flow_state["cursor"] = replay.op_row_start[U(c * every + 1)]
    if flow_state["cursor"] < replay.ops.shape[0]:
        flow_state["due"][REPLAY] = replay.ops[U(flow_state["cursor"])]["time"]
    if not is_empty(book, BID) and not is_empty(book, ASK):
        flow_state["touch"][BID], flow_state["touch"][ASK] = best_price(book, BID), best_price(book, ASK)
        for p in range(ex.account.shape[0]):
            ex.account[U(p)]["mid2"] = best_price(book, BID) + best_price(book, ASK)
    state["time"] = times[U(c * every)]
