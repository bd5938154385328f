"""The environment step, compiled: decide, send, run the market, observe, reward, reset.

The market's clock lags the agent's by the market-data latency: at decision time t the market stands at t minus that latency, so
all that is observed (book, fills, acknowledgements) is of that moment, and what the agent sends at t arrives at t plus the
entry latency. No history of snapshots is needed, and either latency may exceed the time between decisions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hft_gym._jit import U, entry, inlined, kernel
from hft_gym.book.kernel import ASK, BID, IOC, GTC, MAX_PRICE, Book
from hft_gym.envs.observe import AGENT, observe
from hft_gym.flow.poisson import touch
from hft_gym.flow.random import derive
from hft_gym.market.accounts import NO_KEY, others_best, refresh_mid
from hft_gym.market.exchange import Exchange
from hft_gym.market.kernel import advance, close_position, log_mids, open_market
from hft_gym.market.messages import send_change, send_order
from hft_gym.market.records import CANCEL, EVENT_END, SUBUNITS
from hft_gym.market.replay import Replay, open_replay

NONE, IMPROVE, JOIN = 0, 1, 2
BEHIND = np.array([0, 0, 0, 1, 2, 3, 5, 10])
"""Ticks behind the touch of each quote option."""
N_QUOTE_OPTIONS, N_TAKE_OPTIONS = 8, 3
NO_AUTORESET, NEXT_STEP, SAME_STEP, RESET = 0, 1, 2, 3
_S33 = np.uint64(33)


@inlined
def observed_touch(ex: Exchange, side: int) -> int:
    """Best price of the others on *side*, or the last known one while there is none."""
    key = others_best(ex, AGENT, side)
    if key == NO_KEY:
        return touch(ex.book, ex.flow_state, side)
    return key if side == ASK else -key


@inlined
def place_quote(ex: Exchange, env: Any, param: Any, side: int, option: int, bid: int, ask: int) -> None:
    """Bring the agent's quote on *side* to what *option* asks for: keep it, or cancel it and send another."""
    account = ex.account[AGENT]
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
            send_change(ex, AGENT, o, CANCEL, 0, 0, now)
        env["quote"][side] = -1
    if option == NONE:
        return
    signed = account["position"] if side == BID else -account["position"]
    quantity = min(param["order_size"], param["max_position"] - signed - account["open"][side])
    if quantity <= 0:
        return
    o = send_order(ex, AGENT, side, price, quantity, GTC, now)
    env["quote"][side] = o
    if o >= 0:
        env["quote_id"][side] = ex.own[U(o)]["id"]


@inlined
def take(ex: Exchange, env: Any, param: Any, side: int) -> None:
    """Send a market order on *side*, as far as the position limit lets it."""
    account = ex.account[AGENT]
    signed = account["position"] if side == BID else -account["position"]
    quantity = min(param["order_size"], param["max_position"] - signed - account["open"][side])
    if quantity > 0:
        price = MAX_PRICE if side == BID else -MAX_PRICE
        send_order(ex, AGENT, side, price, quantity, IOC, env["decision_time"])


@inlined
def equity2(account: Any, mid2: int) -> int:
    """Twice the equity marked at the mid [sub-units]."""
    return 2 * account["cash"] + account["position"] * mid2 * SUBUNITS


@inlined
def update_variance(env: Any, param: Any, change2: int, elapsed: int) -> None:
    """Fold one mid change [half-ticks] over *elapsed* ns into the exponentially weighted variance rate."""
    if elapsed > 0:
        decay = param["volatility_decay"]
        rate = 0.25 * change2 * change2 / (elapsed * 1e-9)
        env["variance"] = decay * env["variance"] + (1.0 - decay) * rate


@kernel
def start_episode(ex: Exchange, env: Any, param: Any, key: Any, row: Any) -> None:
    """Open the market from *key*, warm it up, and write the first observation."""
    env["key"] = key
    ex.state["muted"] = 1
    replay: Replay = ex.replay
    open_market(ex, key)
    begin = ex.param["warm_up"]
    if replay.ops.shape[0] > 0:
        begin = env["requested_start"]
        if begin < 0:
            first, last = env["window"][0], env["window"][1]
            span = np.uint64(last - first + 1)
            # The product of two 62-bit numbers would overflow: scale 31 random bits, then add the rest.
            word = derive(key, 1000) >> _S33
            begin = first + np.int64((span >> np.uint64(16)) * word >> np.uint64(15)) + np.int64(
                ((span & np.uint64(0xFFFF)) * word) >> np.uint64(31)
            )
        open_replay(ex, max(begin - ex.param["warm_up"], replay.times[0]))
    env["variance"] = 0.0
    env["mid2"] = refresh_mid(ex, AGENT)
    step = param["step_ns"]
    slices = 0
    while ex.state["time"] < begin:
        before = ex.state["time"]
        advance(ex, min(before + step, begin), 0)
        mid2 = refresh_mid(ex, AGENT)
        change, elapsed = mid2 - env["mid2"], ex.state["time"] - before
        if slices < 10 and slices > 0:
            # A plain mean first, so that the average does not start from an arbitrary value.
            rate = 0.25 * change * change / (elapsed * 1e-9)
            env["variance"] += (rate - env["variance"]) / slices
        elif slices > 0:
            update_variance(env, param, change, elapsed)
        env["mid2"] = mid2
        slices += 1
    ex.state["muted"] = 0
    env["start_time"] = begin + param["data_latency"]
    env["decision_time"] = env["start_time"]
    env["step"] = 0
    env["done"] = 0
    env["equity2"] = 0
    env["bought"] = 0
    env["sold"] = 0
    env["volume"][BID] = ex.state["volume"][BID]
    env["volume"][ASK] = ex.state["volume"][ASK]
    env["trades"] = ex.state["trades"]
    env["quote"][BID] = -1
    env["quote"][ASK] = -1
    ex.state["episode"] += 1
    if ex.param["log_mids"] != 0:
        log_mids(ex, True)
    observe(ex, env, param, env["mid2"], 0, row)


@kernel
def act(ex: Exchange, env: Any, param: Any, bid_option: int, ask_option: int, take_option: int) -> None:
    """Send what the decision asks for; offsets count from the others' best prices as observed."""
    bid, ask = observed_touch(ex, BID), observed_touch(ex, ASK)
    place_quote(ex, env, param, BID, bid_option, bid, ask)
    place_quote(ex, env, param, ASK, ask_option, bid, ask)
    if take_option == 1:
        take(ex, env, param, BID)
    elif take_option == 2:
        take(ex, env, param, ASK)


@kernel
def step_one(ex: Exchange, env: Any, param: Any, action: Any, row: Any, terms: Any) -> tuple[float, bool]:
    """One decision and its consequences; return the reward and whether the episode ended."""
    state, account = ex.state, ex.account[AGENT]
    before = state["time"]
    held = account["position"]
    act(ex, env, param, action[0], action[1], action[2])
    until = env["decision_time"] + param["step_ns"] - param["data_latency"]
    events = advance(ex, until, param["stop"] | EVENT_END)
    elapsed = state["time"] - before
    env["decision_time"] = state["time"] + param["data_latency"]
    env["step"] += 1
    mid2 = refresh_mid(ex, AGENT)
    update_variance(env, param, mid2 - env["mid2"], elapsed)
    equity = equity2(account, mid2)
    ended = env["step"] >= param["episode_steps"] or (events & EVENT_END) != 0 or equity <= -2 * param["loss_limit"]
    if ended:
        close_position(ex, AGENT)
        equity = equity2(account, mid2)
        env["done"] = 1
    pnl = param["pnl_weight"] * ((equity - env["equity2"]) * (0.5 / SUBUNITS))
    penalty = -param["inventory_weight"] * (held * held) * (elapsed * 1e-9)
    env["equity2"] = equity
    terms[0] = pnl
    terms[1] = penalty
    observe(ex, env, param, mid2, elapsed, row)
    return pnl + penalty, ended


@inlined
def write_info(ex: Exchange, env: Any, terms: Any, info: Any, e: int) -> None:
    """Write the info values of environment *e*."""
    account = ex.account[AGENT]
    info[0, e] = terms[0]
    info[1, e] = terms[1]
    info[2, e] = env["equity2"] * (0.5 / SUBUNITS)
    info[3, e] = account["position"]
    info[4, e] = 0.5 * env["mid2"]
    info[5, e] = account["fees"] * (1.0 / SUBUNITS)
    info[6, e] = (env["decision_time"] - env["start_time"]) * 1e-9
    info[7, e] = account["unclosed"]


@entry
def run_batch(
    lo: int, hi: int, scratch: int, mode: int, actions: Any, keys: Any, reset_mask: Any, env: Any, env_param: Any, obs: Any,
    final_obs: Any, reward: Any, terms: Any, terminated: Any, info: Any, final_info: Any,
    state: Any, param: Any, flow_state: Any, flow: Any, live: Any, account: Any, own: Any, message: Any, fills: Any,
    head: Any, node: Any, order: Any, words: Any, fill_log: Any, order_log: Any, mid_log: Any,
    ops: Any, op_row_start: Any, times: Any, checkpoint_start: Any, checkpoint_orders: Any, checkpoint_rows: Any,
) -> int:
    """Reset or step environments lo..hi-1, with row *scratch* of the fill buffer.

    Mode RESET starts an episode where *reset_mask* is 1 (from the current key's successor) or 2 (from *keys*); the other modes
    step. Returns -1, or the first environment whose action is out of range (then nothing happened). One entry for both,
    because each entry compiles the whole market.
    """
    if mode != RESET:
        for e in range(actions.shape[0]):
            for k in range(2):
                if actions[e, k] < 0 or actions[e, k] >= N_QUOTE_OPTIONS:
                    return e
            if actions[e, 2] < 0 or actions[e, 2] >= N_TAKE_OPTIONS:
                return e
    replay = Replay(ops, op_row_start, times, checkpoint_start, checkpoint_orders, checkpoint_rows)
    for e in range(lo, hi):
        ex = Exchange(
            Book(head[e], node[e], order[e], words[e]), fills[scratch], state[e], param[0], flow_state[e], flow[0],
            live[e], account[e], own[e], message[e], fill_log[e], order_log[e], mid_log[e], replay,
        )
        start = mode == RESET and reset_mask[e] != 0
        if mode != RESET:
            if env[e]["done"] == 0:
                value, ended = step_one(ex, env[e], env_param[0], actions[e], obs[e], terms[e])
                reward[e] = value
                terminated[e] = ended
                write_info(ex, env[e], terms[e], info, e)
                if ended and mode == SAME_STEP:
                    for c in range(obs.shape[1]):
                        final_obs[e, c] = obs[e, c]
                    for k in range(info.shape[0]):
                        final_info[k, e] = info[k, e]
                    start = True
            else:
                start = mode == NEXT_STEP
                reward[e] = 0.0
                terminated[e] = False
        if start:
            key = keys[e] if mode == RESET and reset_mask[e] == 2 else derive(env[e]["key"], 1)
            start_episode(ex, env[e], env_param[0], key, obs[e])
            write_info(ex, env[e], terms[e], info, e)
            info[0, e] = 0.0
            info[1, e] = 0.0
            if mode != SAME_STEP:
                reward[e] = 0.0
                terminated[e] = False
                terms[e, 0] = 0.0
                terms[e, 1] = 0.0
    return -1
