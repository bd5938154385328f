"""The compiled entry of :class:`~hft_gym.market.Market`: one command, carried out in a range of markets.

There is one entry with a command number instead of one entry for each command because an entry compiles
everything that it can reach, which is the whole market.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import U, entry, kernel
from hft_gym.book.ladder import (
    ASK,
    BID,
    Book,
    best_price,
    clear_book,
    is_empty,
    key_of,
    next_level,
    queue_ahead,
    rest,
    sentinel,
)
from hft_gym.flow.state import EXTRA, restart_cancel_clock
from hft_gym.market.accounts import NO_KEY, mid_of, own_volume, refresh_mid, withdraw
from hft_gym.market.arrays import MarketArrays, no_replay
from hft_gym.market.exchange import Exchange
from hft_gym.market.kernel import advance, close_position, log_mids, open_market
from hft_gym.market.live import remember
from hft_gym.market.messages import drop_messages, entries_per_participant, send_change, send_order
from hft_gym.market.reactive import settle
from hft_gym.market.recorder import Recorder, allocate_recorder, finish_recording, record_event, start_recording
from hft_gym.market.records import EVENT_ANY, RESTING, EndReason
from hft_gym.market.replay import Replay, open_replay
from hft_gym.market.risk import release

(
    OPEN, BEGIN, ADVANCE, SEND, CHANGE, CLOSE, WITHDRAW, SET_BOOK, DEPTH, QUEUES, MID, START_TAPE, RECORD, RELEASE,
) = range(14)  # fmt: skip
"""The commands; the functions below say what they read from their arguments and the table."""

N_ARGUMENTS = 6
TABLE_COLUMNS = 3
_CANCELLED = int(EndReason.CANCELLED)
_int64: Any = np.int64  # to mypy an integer like any other


@kernel
def open_(ex: Exchange, begin: int) -> int:
    """OPEN the market from its key, a replay at *begin* [ns since midnight]; return the end of the warm-up."""
    open_market(ex, ex.state["key"])
    ex.state["muted"] = 1
    replay: Replay = ex.replay
    if replay.ops.shape[0] == 0:
        return ex.param["warm_up"]
    open_replay(ex, begin)
    return begin


@kernel
def begin(ex: Exchange) -> int:
    """BEGIN logging, after the warm-up."""
    ex.state["muted"] = 0
    ex.state["episode"] = 0
    if ex.param["log_mids"] != 0:
        log_mids(ex, True)
    return 0


@kernel
def refresh_mids(ex: Exchange) -> None:
    """Bring every account's mid up to date, so that it is the last one known when a side runs empty."""
    for p in range(ex.account.shape[0]):
        refresh_mid(ex, p)


@kernel
def withdraw_all(ex: Exchange, p: int) -> int:
    """WITHDRAW: end every order of *p* now, and forget its messages; its position stays."""
    n_before = ex.flow_state["n_live"]
    drop_messages(ex, p)
    per = entries_per_participant(ex)
    for o in range((p - 1) * per, p * per):
        withdraw(ex, p, o, _CANCELLED)
    return after_withdrawal(ex, n_before)


@kernel
def set_book(ex: Exchange, table: Any) -> int:
    """SET_BOOK: replace the flow's orders by the (side, price, quantity) of *table*, in order of arrival."""
    flow_state, state = ex.flow_state, ex.state
    n_before = flow_state["n_live"]
    clear_book(ex.book)
    flow_state["n_live"] = 0
    for i in range(table.shape[0]):
        slot = rest(ex.book, table[U(i), 0], table[U(i), 1], table[U(i), 2], 0, state["messages"])
        remember(ex, slot, -1)
        state["messages"] += 1
    if ex.flow["reactive"] != 0:
        if not is_empty(ex.book, BID):
            flow_state["reference"] = best_price(ex.book, BID)
        settle(ex, EXTRA, state["time"])
    else:
        restart_cancel_clock(flow_state, ex.flow, state["time"], n_before)
    refresh_mids(ex)
    if ex.param["log_mids"] != 0:
        log_mids(ex, False)
    return 0


@kernel
def close(ex: Exchange, p: int) -> int:
    """CLOSE: end *p*'s trading now; the market goes on."""
    n_before = ex.flow_state["n_live"]
    close_position(ex, p)
    return after_withdrawal(ex, n_before)


@kernel
def after_withdrawal(ex: Exchange, n_before: int) -> int:
    """Let the flow see a book that was changed between two events; the flow had *n_before* orders."""
    if ex.flow["reactive"] != 0:
        settle(ex, EXTRA, ex.state["time"])
    elif ex.flow_state["replaying"] == 0:
        restart_cancel_clock(ex.flow_state, ex.flow, ex.state["time"], n_before)
    if ex.param["log_mids"] != 0:
        log_mids(ex, False)
    return 0


@kernel
def queues(ex: Exchange, p: int, table: Any) -> int:
    """QUEUES: write volume and orders ahead of each resting order of *p* by entry; -1 where none rests."""
    per = entries_per_participant(ex)
    for i in range(per):
        own = ex.own[U((p - 1) * per + i)]
        table[U(i), 0] = -1
        table[U(i), 1] = -1
        if own["state"] == RESTING:
            volume, count = queue_ahead(ex.book, _int64(own["slot"]))
            table[U(i), 0] = volume
            table[U(i), 1] = count
    return 0


@kernel
def depth(ex: Exchange, side: int, p: int, levels: int, table: Any) -> int:
    """DEPTH: write (price, volume) of the best *levels* of *side*, without *p* > 0; return how many."""
    book: Book = ex.book
    head, node = book.head, book.node
    ladder, base = head["levels"], head["base"][side]
    per = entries_per_participant(ex)
    resting = ex.account[U(p)]["n_resting"] if p > 0 else 0
    n = 0
    index = head["best"][side]
    while n < levels and index < ladder:
        key = base + index
        price = key if side == ASK else -key
        volume = _int64(node[U(sentinel(book, side, index))]["quantity"])
        if resting > 0:
            volume -= own_volume(ex.own, (p - 1) * per, p * per, resting, side, price)
        if volume > 0:
            table[U(n), 0] = price
            table[U(n), 1] = volume
            n += 1
        index = next_level(book, side, index + 1)
    # Parked orders stand in order of arrival: look for the next best price again and again.
    last = -NO_KEY
    parked = sentinel(book, side, ladder)
    while n < levels and head["parked"][side] > 0:
        best, volume = NO_KEY, 0
        slot = _int64(node[U(parked)]["next"])
        while slot != parked:
            order = book.order[U(slot - head["first"])]
            key = key_of(side, order["price"])
            if key > last and key <= best and (p == 0 or order["participant"] != p):
                if key < best:
                    best, volume = key, 0
                volume += _int64(node[U(slot)]["quantity"])
            slot = _int64(node[U(slot)]["next"])
        if best == NO_KEY:
            break
        table[U(n), 0] = best if side == ASK else -best
        table[U(n), 1] = volume
        n += 1
        last = best
    return n


@entry
def run_markets(
    lo: int, hi: int, scratch: int, command: int, arguments: Any, table: Any, result: Any,
    state: Any, param: Any, flow_state: Any, flow: Any, live: Any, account: Any, own: Any, message: Any,
    fills: Any, head: Any, node: Any, order: Any, words: Any, fill_log: Any, order_log: Any, mid_log: Any, agents: Any,
    ops: Any, op_rows: Any, times: Any, checkpoints: Any, checkpoint_orders: Any, checkpoint_rows: Any,
    tape: Any, tape_book: Any, seen: Any, found: Any, level: Any, maker_volume: Any, recorder_state: Any,
) -> None:
    """Carry out *command* with ``arguments[e]`` in markets *lo* to *hi* - 1; results go to ``result[e]``."""
    replay = Replay(ops, op_rows, times, checkpoints, checkpoint_orders, checkpoint_rows)
    recorder = Recorder(tape, tape_book, seen, found, level, maker_volume, recorder_state)
    for e in range(lo, hi):
        book = Book(head[e], node[e], order[e], words[e])
        ex = Exchange(
            book, fills[scratch], state[e], param[0], flow_state[e], flow[0], live[e], account[e], own[e],
            message[e], fill_log[e], order_log[e], mid_log[e], agents[e], replay,
        )
        a = arguments[e]
        # Branches in place, and the event loop called in one of them only: it is inlined, and large.
        if command == ADVANCE or command == RECORD:
            # RECORD stops after each event, and once more at its end for those that fall together there.
            stop = EVENT_ANY if command == RECORD else a[1]
            while True:
                result[e] = advance(ex, a[0], stop)
                if command == ADVANCE:
                    refresh_mids(ex)
                    break
                room = record_event(ex, recorder)
                if stop == 0:
                    finish_recording(ex, recorder)
                    refresh_mids(ex)
                    result[e] = 1
                    break
                if not room:
                    result[e] = 0
                    break
                if ex.state["time"] >= a[0]:
                    stop = 0
        elif command == START_TAPE:
            start_recording(ex, recorder)
        elif command == SEND:
            result[e] = send_order(ex, a[0], a[1], a[2], a[3], a[4], a[5])
        elif command == CHANGE:
            p = a[1] // entries_per_participant(ex) + 1
            result[e] = send_change(ex, p, a[1], a[0], a[2], a[3], a[4])
        elif command == DEPTH:
            result[e] = depth(ex, a[0], a[1], a[2], table)
        elif command == QUEUES:
            result[e] = queues(ex, a[0], table)
        elif command == MID:
            result[e] = mid_of(ex, a[0])
        elif command == SET_BOOK:
            result[e] = set_book(ex, table)
        elif command == CLOSE:
            result[e] = close(ex, a[0])
        elif command == WITHDRAW:
            result[e] = withdraw_all(ex, a[0])
        elif command == OPEN:
            result[e] = open_(ex, a[0])
        elif command == RELEASE:
            release(ex.account[U(a[0])], mid_of(ex, a[0]))
        elif command == BEGIN:
            result[e] = begin(ex)


_NO_TABLE = np.zeros((0, TABLE_COLUMNS), np.int64)
_NO_RECORDER = allocate_recorder(0, 0, 0, 0)


class Markets:
    """N markets in arrays and the commands on them, unchecked; a :class:`~hft_gym.market.Market` has N = 1.

    ``tail`` is what kernels take of the markets: their arrays and the replay's, in order.

    :param arrays: see :func:`hft_gym.market.arrays.allocate`.
    :param replay: the arrays of a replay; None: simulated flow.
    """

    def __init__(self, arrays: MarketArrays, replay: tuple[NDArray[Any], ...] | None = None) -> None:
        self.arrays = arrays
        self.n = len(arrays.state)
        self._arguments = np.zeros((self.n, N_ARGUMENTS), np.int64)
        self._result = np.zeros(self.n, np.int64)
        self.tail = (*arrays.as_tuple(), *(no_replay() if replay is None else replay))

    def run(
        self,
        command: int,
        *arguments: Any,
        table: NDArray[np.int64] = _NO_TABLE,
        recorder: Recorder = _NO_RECORDER,
    ) -> NDArray[np.int64]:
        """Carry out *command* in every market; an argument is one integer for all or an array of N.

        :param table: ``(rows, 3)`` int64, read or written by some commands, shared by all markets.
        :param recorder: what START_TAPE and RECORD write to; they are for one market.
        :returns: what each returned, ``(N,)``; overwritten by the next call.
        """
        for column, value in enumerate(arguments):
            self._arguments[:, column] = value
        rest: tuple[Any, ...] = (*self.tail, *recorder)
        run_markets(0, self.n, 0, command, self._arguments, table, self._result, *rest)
        return self._result
