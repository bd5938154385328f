"""Execution of a parent order, compiled: what an episode of ``task="execution"`` adds to the market.

The agent starts with what the order asks for *owed*: a parent order to buy X lots is a position of -X, booked at the
mid of its arrival, and every order leads towards zero. So the accounts need no second rule: equity is minus the
implementation shortfall (Perold 1988) with what is left marked at the mid, its changes are the reward, the close at the
deadline trades what is left against the book, and the sums over all participants stay zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hft_gym._jit import I64, U, kernel
from hft_gym.book.ladder import BID
from hft_gym.envs.observe import MAX_OFFSET, Seat, ticks
from hft_gym.flow.random import derive
from hft_gym.market.exchange import Exchange
from hft_gym.market.records import SUBUNITS

HALF = SUBUNITS // 2
_SIDE, _QUANTITY = 1002, 1003
_ONE, _S33 = np.uint64(1), np.uint64(33)


@kernel
def between(word: Any, first: int, last: int) -> int:
    """A whole number from *first* to *last*, uniform up to a share of 2**-31, from a random *word*."""
    span = np.uint64(last - first + 1)
    high31 = word >> _S33
    # span · high31 would overflow 64 bits, so the high and low parts of span are scaled apart.
    high = ((span >> np.uint64(16)) * high31) >> np.uint64(15)
    return first + I64(high) + I64(((span & np.uint64(0xFFFF)) * high31) >> np.uint64(31))


@kernel
def begin_execution(ex: Exchange, seat: Seat, env: Any, param: Any) -> None:
    """The parent order arrives: its side and quantity by the episode's key, the lots owed at the present mid."""
    account, others = ex.account[U(seat.participant)], ex.account[0]
    side = param["parent_side"]
    if side < 0:
        side = I64(derive(env["key"], _SIDE) & _ONE)
    quantity = between(derive(env["key"], _QUANTITY), param["parent_low"], param["parent_high"])
    signed = quantity if side == BID else -quantity
    value = signed * account["mid2"] * HALF
    account["position"] = -signed
    account["cash"] = value
    account["cost"] = -value
    others["position"] += signed
    others["cash"] -= value
    others["cost"] += value
    env["parent"] = signed
    env["arrival2"] = account["mid2"]
    env["leftover"] = signed
    env["drift2"] = 0


@kernel
def follow_execution(ex: Exchange, seat: Seat, env: Any, mid2: int, held: int) -> bool:
    """Account for a step in which *held* lots were owed; True if the parent order is complete."""
    position = ex.account[U(seat.participant)]["position"]
    env["drift2"] -= held * (mid2 - env["mid2"])
    env["leftover"] = -position
    return position == 0


@kernel
def write_execution(ex: Exchange, seat: Seat, env: Any, mid2: int, row: Any, c: int) -> None:
    """Write the columns of an execution, from column *c* on."""
    left, parent = -ex.account[U(seat.participant)]["position"], env["parent"]
    row[U(c)] = left
    row[U(c + 1)] = left / parent
    row[U(c + 2)] = ticks(env["arrival2"] - mid2)
    per_lot = -env["equity2"] * (0.5 / SUBUNITS) / abs(parent)
    row[U(c + 3)] = min(max(per_lot, -MAX_OFFSET), MAX_OFFSET)


@kernel
def write_execution_info(ex: Exchange, seat: Seat, env: Any, param: Any, info: Any, e: int, first: int) -> None:
    """Write the info values of an execution of environment *e*, from row *first* on."""
    account = ex.account[U(seat.participant)]
    parent = env["parent"]
    lots = abs(parent)
    shortfall = -env["equity2"] * (0.5 / SUBUNITS)
    drift = 0.5 * env["drift2"]
    info[first, e] = parent
    info[first + 1, e] = -account["position"]
    info[first + 2, e] = 1.0 - env["leftover"] / parent
    info[first + 3, e] = 0.5 * env["arrival2"]
    info[first + 4, e] = shortfall * param["tick_size"]
    info[first + 5, e] = shortfall / lots
    value = 0.5 * lots * abs(env["arrival2"])
    info[first + 6, e] = 1e4 * shortfall / value if value > 0.0 else 0.0
    info[first + 7, e] = drift
    info[first + 8, e] = shortfall - drift - account["fees"] * (1.0 / SUBUNITS)
