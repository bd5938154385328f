"""The model environment's step, compiled: fills, mid, reward, observation, reset.

A step takes one draw from each of three streams (mid, fills of the bid, fills of the ask), whatever is quoted. With the
event clock each side's fills follow a clock of unit rate that runs at the current fill rate (Kurtz's random time
change), so the k-th fill of a side uses the same random number in every run of a seed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hft_gym._jit import I64, U, entry, inlined, kernel
from hft_gym.envs.model.records import MODEL_PARAM, MODEL_STATE
from hft_gym.envs.model.schema import MAX_PRICE
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
from hft_gym.envs.schema import MAX_LOTS, MAX_SECONDS, MAX_VALUE
from hft_gym.flow.random import decay, derive, draw, exponential, normal, unit

MID, BID, ASK = 0, 1, 2
"""Streams; the clocks of the sides are BID - 1 and ASK - 1."""
_TOP_BIT = np.uint64(63)
_SMALL = 1e-9
_MOST_LOSS = 50.0
"""Of risk aversion times loss: the utility is cut there (e^50 is 5e21)."""


@inlined
def fill_rate(arrival_rate: float, k: float, depth: float) -> float:
    """A exp(-k depth)."""
    x = k * depth
    power = decay(abs(x))
    return arrival_rate * (power if x >= 0.0 else 1.0 / power)


@kernel
def prepare(lo: int, hi: int, param: Any, actions: Any, envs: Any, luck: Any) -> None:
    """Write to *luck* what the quotes of lo..hi-1 are filled with (bid, ask: rates with the event clock, else
    probabilities) and the mid's next move in standard deviations.

    In loops of their own: the processor works on several environments at once only while each takes little.
    """
    arrival_rate, k, dt = param["arrival_rate"], param["k"], param["dt"]
    for e in range(lo, hi):
        for side in range(2):
            luck[e, side] = fill_rate(arrival_rate, k, actions[e, side])
    if param["by_event"] == 0:
        for e in range(lo, hi):
            for side in range(2):
                luck[e, side] *= dt
        if param["exact"] != 0:
            for e in range(lo, hi):
                for side in range(2):
                    luck[e, side] = 1.0 - decay(luck[e, side])
    if param["gaussian"] != 0:
        for e in range(lo, hi):
            luck[e, 2] = normal(draw(envs[e]["streams"], MID))
    else:
        for e in range(lo, hi):
            luck[e, 2] = 1.0 if (draw(envs[e]["streams"], MID) >> _TOP_BIT) != 0 else -1.0


@inlined
def move_mid(env: Any, param: Any, elapsed: float, z: float) -> None:
    """Let the mid diffuse for *elapsed*, by *z* standard deviations."""
    env["mid"] += param["drift"] * elapsed + param["sigma"] * math.sqrt(elapsed) * z


@inlined
def settle(env: Any, param: Any, bid: float, ask: float, bought: int, sold: int) -> None:
    """Book fills at the depths *bid* and *ask* of the current mid, which then moves against the maker."""
    env["cash"] += sold * (env["mid"] + ask) - bought * (env["mid"] - bid)
    env["inventory"] += bought - sold
    env["mid"] += param["adverse_selection"] * (sold - bought)


@inlined
def step_by_time(env: Any, param: Any, bid: float, ask: float, luck: Any) -> tuple[int, int, float]:
    """One interval of the paper's discretisation: at most one fill a side, with the probabilities *luck* (1 if above),
    at the mid of its start; then the mid moves."""
    # Products instead of branches that nobody could predict.
    bought = I64(unit(draw(env["streams"], BID)) < luck[0]) * I64(env["inventory"] < param["max_inventory"])
    sold = I64(unit(draw(env["streams"], ASK)) < luck[1]) * I64(env["inventory"] > -param["max_inventory"])
    settle(env, param, bid, ask, bought, sold)
    move_mid(env, param, param["dt"], luck[2])
    return bought, sold, param["dt"]


@inlined
def step_by_event(env: Any, param: Any, bid: float, ask: float, luck: Any) -> tuple[int, int, float]:
    """Until the next fill, at the rates *luck*, or for an interval if none comes: exact in law for depths that are
    kept meanwhile."""
    left = param["horizon"] - env["time"]
    elapsed = min(param["dt"], left)
    clock = env["clock"]
    bid_rate = luck[0] if env["inventory"] < param["max_inventory"] else 0.0
    ask_rate = luck[1] if env["inventory"] > -param["max_inventory"] else 0.0
    bought, sold = 0, 0
    if bid_rate > 0.0 and clock[U(0)] <= bid_rate * elapsed:
        elapsed, bought = clock[U(0)] / bid_rate, 1
    if ask_rate > 0.0 and clock[U(1)] <= ask_rate * elapsed:
        elapsed, bought, sold = clock[U(1)] / ask_rate, 0, 1
    clock[U(0)] = max(clock[U(0)] - bid_rate * elapsed, 0.0)
    clock[U(1)] = max(clock[U(1)] - ask_rate * elapsed, 0.0)
    if bought != 0:
        clock[U(0)] = exponential(draw(env["streams"], BID))
    if sold != 0:
        clock[U(1)] = exponential(draw(env["streams"], ASK))
    move_mid(env, param, elapsed, luck[2])
    settle(env, param, bid, ask, bought, sold)
    return bought, sold, elapsed


@inlined
def begin(env: Any, param: Any, key: Any) -> None:
    """Start an episode from *key*."""
    env["key"] = key
    for s in range(3):
        env["streams"][U(s)] = derive(key, 2 + s)
    env["clock"][U(0)] = exponential(draw(env["streams"], BID))
    env["clock"][U(1)] = exponential(draw(env["streams"], ASK))
    env["time"] = 0.0
    env["mid"] = param["initial_price"]
    env["cash"] = 0.0
    env["inventory"] = param["initial_inventory"]
    env["start_equity"] = env["inventory"] * env["mid"]
    env["step"] = 0
    env["done"] = 0


@inlined
def within(x: float, bound: float) -> float:
    """*x* cut to -bound..bound."""
    return min(max(x, -bound), bound)


@inlined
def write(env: Any, param: Any, change: float, elapsed: float, bought: int, sold: int, obs: Any) -> None:
    """Write an observation."""
    obs[0] = min(max(1.0 - env["time"] / param["horizon"], 0.0), 1.0)
    obs[1] = within(env["inventory"], MAX_LOTS)
    obs[2] = within(env["mid"], MAX_PRICE)
    obs[3] = within(env["cash"], MAX_VALUE)
    obs[4] = within(change, MAX_PRICE)
    obs[5] = min(elapsed, MAX_SECONDS)
    obs[6] = bought
    obs[7] = sold


@inlined
def write_info(env: Any, info: Any, e: int) -> None:
    """Write the infos that are no reward terms."""
    info[4, e] = env["cash"] + env["inventory"] * env["mid"] - env["start_equity"]
    info[5, e] = env["inventory"]
    info[6, e] = env["mid"]
    info[7, e] = env["time"]


@inlined
def utility(param: Any, pnl: float) -> float:
    """(1 - exp(-gamma pnl)) / gamma, the exponential utility, scaled to be 0 and of slope 1 at 0."""
    x = param["risk_aversion"] * pnl
    power = decay(x) if x >= 0.0 else 1.0 / decay(min(-x, _MOST_LOSS))
    return (1.0 - power) / param["risk_aversion"]


_U8, _U64, _F32, _F64 = np.dtype(np.uint8), np.dtype(np.uint64), np.dtype(np.float32), np.dtype(np.float64)
_BOOL = np.dtype(np.bool_)
TABLE_DTYPES: tuple[np.dtype[Any], ...] = (
    _U64, _U8, MODEL_STATE, MODEL_PARAM, _F32, _F32, _F64, _BOOL, _F64, _F64, _F64,
)  # fmt: skip
"""What :func:`run_models` takes the rows of its table for, in order."""


@kernel
def first_bad(actions: Any, param: Any) -> int:
    """The first environment whose action is out of range, -1 if there is none."""
    low, high = param["min_depth"], param["max_depth"]
    for e in range(actions.shape[0]):
        for k in range(2):
            if not (low <= actions[e, k] <= high):
                return e
    return -1


@kernel
def run_range(lo: int, hi: int, mode: int, actions: Any, t: Any) -> None:
    """Reset or step environments lo..hi-1; see :func:`hft_gym.envs.kernel.run_range`, whose conventions these are."""
    keys = array_at(t[0, 0], (t[0, 1],), _U64)
    reset_mask = array_at(t[1, 0], (t[1, 1],), _U8)
    envs = array_at(t[2, 0], (t[2, 1],), MODEL_STATE)
    params = array_at(t[3, 0], (t[3, 1],), MODEL_PARAM)
    obs = array_at(t[4, 0], (t[4, 1], t[4, 2]), _F32)
    final_obs = array_at(t[5, 0], (t[5, 1], t[5, 2]), _F32)
    reward = array_at(t[6, 0], (t[6, 1],), _F64)
    terminated = array_at(t[7, 0], (t[7, 1],), _BOOL)
    info = array_at(t[8, 0], (t[8, 1], t[8, 2]), _F64)
    final_info = array_at(t[9, 0], (t[9, 1], t[9, 2]), _F64)
    luck = array_at(t[10, 0], (t[10, 1], t[10, 2]), _F64)
    param = params[0]
    if mode != RESET:
        prepare(lo, hi, param, actions, envs, luck)
    for e in range(lo, hi):
        env = envs[e]
        starting = False
        if mode == RESET:
            if reset_mask[e] == 0:
                continue
            starting = True
        elif env["done"] != 0:
            starting = mode == NEXT_STEP
            if not starting:
                reward[e] = 0.0
                terminated[e] = False
                for k in range(4):
                    info[k, e] = 0.0
                continue
        if not starting:
            bid, ask = actions[e, 0], actions[e, 1]
            held, before = env["inventory"], env["mid"]
            equity = env["cash"] + held * before
            if param["by_event"] != 0:
                bought, sold, elapsed = step_by_event(env, param, bid, ask, luck[e])
                env["time"] += elapsed
                ended = env["time"] >= param["horizon"] * (1.0 - _SMALL)
                env["step"] += 1
            else:
                bought, sold, elapsed = step_by_time(env, param, bid, ask, luck[e])
                env["step"] += 1
                env["time"] = env["step"] * param["dt"]
                ended = env["step"] >= param["steps"]
            worth = env["cash"] + env["inventory"] * env["mid"]
            pnl = param["pnl_weight"] * (worth - equity)
            penalty = -param["inventory_weight"] * (held * held) * elapsed
            terminal, satisfaction = 0.0, 0.0
            if ended:
                env["time"] = param["horizon"]
                env["done"] = 1
                terminal = -param["terminal_weight"] * (env["inventory"] * env["inventory"])
                satisfaction = param["utility_weight"] * utility(param, worth - env["start_equity"])
            reward[e] = pnl + penalty + terminal + satisfaction
            terminated[e] = ended
            info[0, e] = pnl
            info[1, e] = penalty
            info[2, e] = terminal
            info[3, e] = satisfaction
            write(env, param, env["mid"] - before, elapsed, bought, sold, obs[e])
            write_info(env, info, e)
            if not ended or mode != SAME_STEP:
                continue
            for c in range(obs.shape[1]):
                final_obs[e, c] = obs[e, c]
            for k in range(info.shape[0]):
                final_info[k, e] = info[k, e]
        else:
            reward[e] = 0.0
            terminated[e] = False
        begin(env, param, keys[e] if mode == RESET and reset_mask[e] == 2 else derive(env["key"], 1))
        for k in range(4):
            info[k, e] = 0.0
        write(env, param, 0.0, 0.0, 0, 0, obs[e])
        write_info(env, info, e)


@entry
def run_models(worker: int, mode: int, actions: Any, t: Any, control: Any, spins: int) -> int:
    """Reset or step all environments, alone or as one of several threads, as :func:`hft_gym.envs.kernel.run_batch`."""
    param = array_at(t[3, 0], (t[3, 1],), MODEL_PARAM)[0]
    if control.shape[0] == 0:
        bad = -1 if mode == RESET else first_bad(actions, param)
        if bad < 0:
            run_range(0, actions.shape[0], mode, actions, t)
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
            run_range(lo, hi, mode_of(order), actions, t)
        carried_out(worker, order, bad, control)
        if mode != SERVE:
            break
    return collect(control, spins)
