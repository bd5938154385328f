"""The environment step, compiled: decide, send, run the market, observe, reward, reset.

The market's clock lags the agent's by the market-data latency: at decision time t the market stands at t minus that
latency, so all that is observed (book, fills, acknowledgements) is of that moment, and what the agent sends at t
arrives at t plus the entry latency. No history of snapshots is needed, and either latency may exceed the time
between decisions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hft_gym._jit import I64, U, entry, inlined, kernel
from hft_gym.book.kernel import FILL, GTC
from hft_gym.book.ladder import ASK, BID, HEAD, NODE, ORDER, Book
from hft_gym.data.ops import CHECKPOINT_DTYPE, REPLAY_DTYPE
from hft_gym.envs.ahead import prefetch_book, prefetch_records
from hft_gym.envs.execution import (
    begin_execution,
    between,
    follow_execution,
    write_execution,
    write_execution_info,
)
from hft_gym.envs.observe import AGENT, COMMON_COLUMNS, OWN_QUOTES, Seat, observe, observed_touch
from hft_gym.envs.orders import (
    COLLECT,
    NEXT_STEP,
    RESET,
    SAME_STEP,
    SERVE,
    carried_out,
    collect,
    mode_of,
    next_order,
    next_part,
)
from hft_gym.envs.packed import array_at
from hft_gym.envs.records import ENV_PARAM, ENV_STATE, INFO_KEYS
from hft_gym.envs.rungs import act_ladder, room, take, write_rungs
from hft_gym.flow.config import FLOW
from hft_gym.flow.population import AGENT as AGENT_DTYPE
from hft_gym.flow.random import derive
from hft_gym.flow.state import FLOW_STATE
from hft_gym.market.accounts import equity2, refresh_mid
from hft_gym.market.exchange import Exchange
from hft_gym.market.kernel import advance, close_position, log_mids, open_market
from hft_gym.market.messages import SENT, send_change, send_order
from hft_gym.market.records import (
    ACCOUNT,
    CANCEL,
    EVENT_END,
    FILL_LOG,
    MARKET_PARAM,
    MARKET_STATE,
    MESSAGE,
    MID_LOG,
    ORDER_LOG,
    OWN,
    SUBUNITS,
)
from hft_gym.market.replay import Replay, open_replay

NONE, IMPROVE, JOIN = 0, 1, 2
BEHIND = np.array([0, 0, 0, 1, 2, 3, 5, 10])
"""Ticks behind the touch of each quote option."""
N_TAKE_OPTIONS = 3
N_INFO = len(INFO_KEYS)
_S33 = np.uint64(33)


@inlined
def place_quote(ex: Exchange, seat: Seat, env: Any, param: Any, side: int, option: int, bid: int, ask: int) -> None:
    """Bring the agent's quote on *side* to what *option* asks for: keep it, or cancel it and send another."""
    now = env["decision_time"]
    if side == BID:
        price = min(bid + 1, ask - 1) if option == IMPROVE else bid - BEHIND[U(option)]
    else:
        price = max(ask - 1, bid + 1) if option == IMPROVE else ask + BEHIND[U(option)]
    o = env["quote"][side]
    if o >= 0:
        own = ex.own[U(o)]
        if own["state"] != 0 and own["id"] == env["quote_id"][side]:
            if option != NONE and own["price"] == price:
                return
            if send_change(ex, seat.participant, o, CANCEL, 0, 0, now) != SENT:
                return
        env["quote"][side] = -1
    if option == NONE:
        return
    quantity = min(param["order_size"], room(ex, seat, param, side))
    if quantity <= 0:
        return
    o = send_order(ex, seat.participant, side, price, quantity, GTC, now)
    env["quote"][side] = o
    if o >= 0:
        env["quote_id"][side] = ex.own[U(o)]["id"]


@kernel
def first_bad(actions: Any, param: Any) -> int:
    """The first environment whose action is out of range, -1 if there is none."""
    takes = actions.shape[1] - 1
    quotes, take_options = param["quotes"], N_TAKE_OPTIONS
    if param["ladder"] != 0:
        quotes, take_options = param["most"] + 1, 2 * param["most"] + 1
    for e in range(actions.shape[0]):
        for k in range(takes):
            if actions[e, k] < 0 or actions[e, k] >= quotes:
                return e
        if actions[e, takes] < 0 or actions[e, takes] >= take_options:
            return e
    return -1


@inlined
def variance_rate(change2: int, elapsed: int) -> float:
    """Squared mid change [half-ticks] over *elapsed* ns as a variance rate [ticks²/s]."""
    return 0.25 * change2 * change2 / (elapsed * 1e-9) if elapsed > 0 else 0.0


@kernel
def random_variant(key: Any, n: int) -> int:
    """One of *n* variants of the market, each as likely."""
    return I64((derive(key, 1001) >> _S33) * np.uint64(n) >> np.uint64(31))


@kernel
def open_episode(ex: Exchange, seat: Seat, env: Any, key: Any) -> None:
    """Open the market from *key*; the warm-up up to ``start_time`` remains to be run."""
    ex.state["muted"] = 1
    replay: Replay = ex.replay
    open_market(ex, key)
    begin = ex.param["warm_up"]
    if replay.ops.shape[0] > 0:
        begin = env["requested_start"]
        if begin < 0:
            begin = between(derive(key, 1000), env["window"][0], env["window"][1])
        open_replay(ex, max(begin - ex.param["warm_up"], replay.times[0]))
    env["start_time"] = begin
    env["step"] = 0
    env["variance"] = 0.0
    env["mid2"] = refresh_mid(ex, seat.participant)


@inlined
def warm_up_change(env: Any, param: Any, mid2: int, elapsed: int) -> None:
    """Fold a slice of the warm-up into the volatility: a plain mean at first, so that it does not start from
    nothing."""
    n = env["step"] + 1
    weight = max(1.0 / n, 1.0 - param["volatility_decay"])
    env["variance"] += weight * (variance_rate(mid2 - env["mid2"], elapsed) - env["variance"])
    env["step"] = n
    env["mid2"] = mid2


@kernel
def begin_episode(ex: Exchange, seat: Seat, env: Any, param: Any) -> None:
    """The warm-up is over: the first decision is due."""
    take_seat(ex, seat, env, param)
    ex.state["muted"] = 0
    ex.state["episode"] += 1
    if ex.param["log_mids"] != 0:
        log_mids(ex, True)


@inlined
def take_seat(ex: Exchange, seat: Seat, env: Any, param: Any) -> None:
    """The agent's first decision is due at ``start_time``, when the market has come there."""
    state = ex.state
    env["start_time"] += param["data_latency"]
    env["decision_time"] = env["start_time"]
    env["step"] = 0
    env["done"] = 0
    env["equity2"] = 0
    env["bought"] = 0
    env["sold"] = 0
    env["volume"][BID] = state["volume"][BID]
    env["volume"][ASK] = state["volume"][ASK]
    env["trades"] = state["trades"]
    for side in range(2):
        # Looked at without the flow's own function, which remembers what it saw: an agent leaves no trace.
        env["touch"][side] = ex.flow_state["touch"][side]
        observed_touch(ex, seat, env, side)
    env["quote"][BID] = -1
    env["quote"][ASK] = -1
    if param["execution"] != 0:
        begin_execution(ex, seat, env, param)


@inlined
def act(ex: Exchange, seat: Seat, env: Any, param: Any, bid_option: int, ask_option: int, take_option: int) -> None:
    """Send what the decision asks for; offsets count from the others' best prices as observed."""
    bid, ask = observed_touch(ex, seat, env, BID), observed_touch(ex, seat, env, ASK)
    place_quote(ex, seat, env, param, BID, bid_option, bid, ask)
    place_quote(ex, seat, env, param, ASK, ask_option, bid, ask)
    if take_option == 1:
        take(ex, seat, env, param, BID, param["order_size"])
    elif take_option == 2:
        take(ex, seat, env, param, ASK, param["order_size"])


@inlined
def keep_time(ex: Exchange, env: Any, param: Any, mid2: int, elapsed: int) -> None:
    """A step of *elapsed* ns is over: the next decision is due, and the volatility knows of the mid's change."""
    env["decision_time"] = ex.state["time"] + param["data_latency"]
    env["step"] += 1
    decay = param["volatility_decay"]
    env["variance"] = decay * env["variance"] + (1.0 - decay) * variance_rate(mid2 - env["mid2"], elapsed)


@inlined
def finish_step(
    ex: Exchange, seat: Seat, env: Any, param: Any, mid2: int, elapsed: int, held: int, events: int, terms: Any
) -> tuple[float, bool]:
    """Mark to the market after a step of *elapsed* ns in which *held* lots were carried; return the reward and
    whether it ended."""
    account = ex.account[U(seat.participant)]
    keep_time(ex, env, param, mid2, elapsed)
    equity = equity2(account, mid2)
    ended = env["step"] >= param["episode_steps"] or (events & EVENT_END) != 0 or equity <= -2 * param["loss_limit"]
    if param["execution"] != 0 and follow_execution(ex, seat, env, mid2, held):
        ended = True
    if ended:
        close_position(ex, seat.participant)
        equity = equity2(account, mid2)
        env["done"] = 1
    pnl = param["pnl_weight"] * ((equity - env["equity2"]) * (0.5 / SUBUNITS))
    penalty = -param["inventory_weight"] * (held * held) * (elapsed * 1e-9)
    env["equity2"] = equity
    terms[0] = pnl
    terms[1] = penalty
    return pnl + penalty, ended


@inlined
def look(ex: Exchange, seat: Seat, env: Any, param: Any, mid2: int, elapsed: int, row: Any) -> None:
    """Write the observation: what every task sees, then what is of the ladder and of an execution."""
    observe(ex, seat, env, param, mid2, elapsed, row)
    c = 4 * param["levels"] + COMMON_COLUMNS
    if param["ladder"] != 0:
        write_rungs(ex, seat, env, param, mid2, row, c - COMMON_COLUMNS + OWN_QUOTES, c)
        c += 4 * param["rungs"]
    if param["execution"] != 0:
        write_execution(ex, seat, env, mid2, row, c)


@inlined
def write_info(ex: Exchange, seat: Seat, env: Any, param: Any, terms: Any, info: Any, e: int) -> None:
    """Write the info values of environment *e* that a step can change."""
    if param["execution"] != 0:
        write_execution_info(ex, seat, env, param, info, e, N_INFO)
    account = ex.account[U(seat.participant)]
    info[0, e] = terms[0]
    info[1, e] = terms[1]
    info[2, e] = env["equity2"] * (0.5 / SUBUNITS)
    info[3, e] = account["position"]
    info[4, e] = 0.5 * env["mid2"]
    info[5, e] = account["fees"] * (1.0 / SUBUNITS)
    info[6, e] = (env["decision_time"] - env["start_time"]) * 1e-9
    info[7, e] = account["unclosed"]


_U8, _U32, _U64, _I64 = np.dtype(np.uint8), np.dtype(np.uint32), np.dtype(np.uint64), np.dtype(np.int64)
_F32, _F64, _BOOL = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.bool_)
TABLE_DTYPES: tuple[np.dtype[Any], ...] = (
    _U64, _U8, ENV_STATE, ENV_PARAM, _F32, _F32, _F64, _F64, _BOOL, _F64, _F64, MARKET_STATE, MARKET_PARAM,
    FLOW_STATE, FLOW, _U32, ACCOUNT, OWN, MESSAGE, FILL, HEAD, NODE, ORDER, _U64, FILL_LOG, ORDER_LOG, MID_LOG,
    AGENT_DTYPE, REPLAY_DTYPE, _I64, _I64, _I64, CHECKPOINT_DTYPE, _I64,
)
"""What :func:`run_batch` takes the rows of its table for, in order: the environment's arrays (:class:`EnvCore`), then
those of the markets (:class:`~hft_gym.market.arrays.MarketArrays`), then a replay's."""


@kernel
def run_range(lo: int, hi: int, scratch: int, mode: int, actions: Any, t: Any) -> None:
    """Reset or step environments lo..hi-1, with row *scratch* of the fill buffer.

    Mode RESET starts an episode where *reset_mask* is 1 (from the current key's successor) or 2 (from *keys*); the
    other modes step. *t* is the :func:`~hft_gym.envs.packed.table_of` the arrays.
    """
    keys = array_at(t[0, 0], (t[0, 1],), _U64)
    reset_mask = array_at(t[1, 0], (t[1, 1],), _U8)
    env = array_at(t[2, 0], (t[2, 1],), ENV_STATE)
    env_param = array_at(t[3, 0], (t[3, 1],), ENV_PARAM)
    obs = array_at(t[4, 0], (t[4, 1], t[4, 2]), _F32)
    final_obs = array_at(t[5, 0], (t[5, 1], t[5, 2]), _F32)
    reward = array_at(t[6, 0], (t[6, 1],), _F64)
    terms = array_at(t[7, 0], (t[7, 1], t[7, 2]), _F64)
    terminated = array_at(t[8, 0], (t[8, 1],), _BOOL)
    info = array_at(t[9, 0], (t[9, 1], t[9, 2]), _F64)
    final_info = array_at(t[10, 0], (t[10, 1], t[10, 2]), _F64)
    state = array_at(t[11, 0], (t[11, 1],), MARKET_STATE)
    param = array_at(t[12, 0], (t[12, 1],), MARKET_PARAM)
    flow_state = array_at(t[13, 0], (t[13, 1],), FLOW_STATE)
    flow = array_at(t[14, 0], (t[14, 1],), FLOW)
    live = array_at(t[15, 0], (t[15, 1], t[15, 2]), _U32)
    account = array_at(t[16, 0], (t[16, 1], t[16, 2]), ACCOUNT)
    own = array_at(t[17, 0], (t[17, 1], t[17, 2]), OWN)
    message = array_at(t[18, 0], (t[18, 1], t[18, 2]), MESSAGE)
    fills = array_at(t[19, 0], (t[19, 1], t[19, 2]), FILL)
    head = array_at(t[20, 0], (t[20, 1],), HEAD)
    node = array_at(t[21, 0], (t[21, 1], t[21, 2]), NODE)
    order = array_at(t[22, 0], (t[22, 1], t[22, 2]), ORDER)
    words = array_at(t[23, 0], (t[23, 1], t[23, 2]), _U64)
    fill_log = array_at(t[24, 0], (t[24, 1], t[24, 2]), FILL_LOG)
    order_log = array_at(t[25, 0], (t[25, 1], t[25, 2]), ORDER_LOG)
    mid_log = array_at(t[26, 0], (t[26, 1], t[26, 2]), MID_LOG)
    agents = array_at(t[27, 0], (t[27, 1], t[27, 2]), AGENT_DTYPE)
    ops = array_at(t[28, 0], (t[28, 1],), REPLAY_DTYPE)
    op_row_start = array_at(t[29, 0], (t[29, 1],), _I64)
    times = array_at(t[30, 0], (t[30, 1],), _I64)
    checkpoint_start = array_at(t[31, 0], (t[31, 1],), _I64)
    checkpoint_orders = array_at(t[32, 0], (t[32, 1],), CHECKPOINT_DTYPE)
    checkpoint_rows = array_at(t[33, 0], (t[33, 1],), _I64)
    replay = Replay(ops, op_row_start, times, checkpoint_start, checkpoint_orders, checkpoint_rows)
    reactive = flow[0]["reactive"] != 0 or flow.shape[0] > 1
    seat = Seat(AGENT, 0, own.shape[1])
    for e in range(lo, hi):
        agent, term = env[e], terms[e]
        starting = False
        if mode == RESET:
            if reset_mask[e] == 0:
                continue
            starting = True
        elif agent["done"] != 0:
            starting = mode == NEXT_STEP
        if starting or agent["done"] != 0:
            reward[e] = 0.0
            terminated[e] = False
            term[0] = 0.0
            term[1] = 0.0
            if not starting:
                continue
        if e + 2 < hi:
            prefetch_records(state, flow_state, reactive, env, head, account, own, message, words, obs, e + 2)
        if e + 1 < hi:
            prefetch_book(flow_state, live, head, node, order, e + 1)
        while True:  # twice where an episode ends and the next begins in the same step
            if starting:
                agent["key"] = keys[e] if mode == RESET and reset_mask[e] == 2 else derive(agent["key"], 1)
                agent["variant"] = random_variant(agent["key"], flow.shape[0])
            v = U(agent["variant"])
            p = env_param[v]
            ex = Exchange(
                Book(head[e], node[e], order[e], words[e]), fills[scratch], state[e], param[v], flow_state[e], flow[v],
                live[e], account[e], own[e], message[e], fill_log[e], order_log[e], mid_log[e], agents[e], replay,
            )
            if starting:
                open_episode(ex, seat, agent, agent["key"])
            ended = False
            # Each turn runs the market once, for a step or for a slice of the warm-up: the event loop is large, and
            # calls that pass all of a market's arrays are dear.
            while True:
                before, held = state[e]["time"], account[e, AGENT]["position"]
                if starting:
                    until, stop = min(before + p["step_ns"], agent["start_time"]), 0
                else:
                    if p["ladder"] != 0:
                        act_ladder(ex, seat, agent, p, actions[e])
                    else:
                        act(ex, seat, agent, p, actions[e, 0], actions[e, 1], actions[e, 2])
                    until, stop = agent["decision_time"] + p["step_ns"] - p["data_latency"], p["stop"] | EVENT_END
                events = advance(ex, until, stop)
                elapsed = state[e]["time"] - before
                mid2 = refresh_mid(ex, seat.participant)
                if starting:
                    warm_up_change(agent, p, mid2, elapsed)
                    if state[e]["time"] < agent["start_time"]:
                        continue
                    begin_episode(ex, seat, agent, p)
                    elapsed = 0
                else:
                    reward[e], ended = finish_step(ex, seat, agent, p, mid2, elapsed, held, events, term)
                    terminated[e] = ended
                break
            look(ex, seat, agent, p, mid2, elapsed, obs[e])
            write_info(ex, seat, agent, p, term, info, e)
            if starting:
                info[0, e] = 0.0
                info[1, e] = 0.0
                info[8, e] = v
                break
            if not ended or mode != SAME_STEP:
                break
            for c in range(obs.shape[1]):
                final_obs[e, c] = obs[e, c]
            for k in range(info.shape[0]):
                final_info[k, e] = info[k, e]
            starting = True


@entry
def run_batch(worker: int, mode: int, actions: Any, t: Any, control: Any, spins: int) -> int:
    """Reset or step all environments, alone or as one of several threads (:class:`hft_gym.envs.threads.Workers`).

    *control* is empty for a thread alone. Else worker 0 publishes an order with its own *mode*, takes part in it, and
    waits for the others (mode COLLECT: waits on, having been told NOT_YET). The others call with mode SERVE: they take
    part in one order after the other until none comes for *spins* looks (NOT_YET) or they are told to STOP. All
    modes share one entry, because each entry compiles the whole market.

    Returns -1, or the first environment whose action is out of range (then nothing happened).
    """
    param = array_at(t[3, 0], (t[3, 1],), ENV_PARAM)[0]
    if control.shape[0] == 0:
        bad = -1 if mode == RESET else first_bad(actions, param)
        if bad < 0:
            run_range(0, actions.shape[0], worker, mode, actions, t)
        return bad
    while mode != COLLECT:
        order = next_order(worker, mode, control, spins)
        if order < 0:
            return order
        bad = -1 if mode_of(order) == RESET else first_bad(actions, param)
        while bad < 0:
            lo, hi = next_part(worker, control)
            if lo == hi:
                break
            run_range(lo, hi, worker, mode_of(order), actions, t)
        carried_out(worker, order, bad, control)
        if mode != SERVE:
            break
    return collect(control, spins)
