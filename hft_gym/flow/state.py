"""What the flow remembers between events, and the clocks of its mechanisms.

Every mechanism runs on a unit-rate Poisson process of its own stream, stretched by its current rate (the random time
change of Kurtz 1980): the k-th cancellation of two runs uses the same draws even when their books, and so their
rates, differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hft_gym._jit import inlined
from hft_gym.flow.random import derive, draw, exponential

LIMIT, MARKET, CANCEL, JUMP, INFORMED, REPLAY = range(6)
MECHANISMS = 6
"""The fixed list of mechanisms; a new one is a file of its own, a number here and a line in the market's dispatch."""

NEVER = 2**62
"""A time that is never reached [ns]."""
NS = 1e-9

FLOW_STATE = np.dtype(
    [
        ("streams", "u8", (MECHANISMS,)),
        ("due", "i8", (MECHANISMS,)),
        ("touch", "i8", (2,)),
        ("hazard", "f8"),
        ("hazard_time", "i8"),
        ("fundamental", "f8"),
        ("n_live", "i8"),
        ("rejected", "i8"),
        ("cursor", "i8"),
        ("displaced", "i8"),
        ("replaying", "i8"),
    ],
    align=True,
)
"""Per market: stream states; next event time of each mechanism [ns]; last known best bid and ask [ticks]; what is left
of the cancellation clock [expected cancellations] and when that was so [ns]; fundamental value [ticks]; resting orders of the
flow; orders refused because the pool was full; the replay's next operation; lots displaced in a replay; 1 in a replay,
whose orders are found by handle instead of by position in the list of live ones."""


@inlined
def waiting_time(word: Any, rate: float) -> int:
    """Nanoseconds to the next event of a Poisson process of *rate* per second; at least 1."""
    return 1 + np.int64(exponential(word) / (rate * NS))


@inlined
def start_clocks(state: Any, flow: Any, key: Any, now: int) -> None:
    """Seed every stream from *key* and draw each mechanism's first event after *now*."""
    for k in range(MECHANISMS):
        state["streams"][k] = derive(key, k)
        state["due"][k] = NEVER
    streams, due = state["streams"], state["due"]
    if flow["limit_rate"] > 0.0:
        due[LIMIT] = now + waiting_time(draw(streams, LIMIT), flow["limit_rate"])
    if flow["market_rate"] > 0.0:
        due[MARKET] = now + waiting_time(draw(streams, MARKET), flow["market_rate"])
    if flow["jump_rate"] > 0.0:
        due[JUMP] = now + waiting_time(draw(streams, JUMP), flow["jump_rate"])
    if flow["informed_rate"] > 0.0:
        due[INFORMED] = now + waiting_time(draw(streams, INFORMED), flow["informed_rate"])
    state["hazard"] = exponential(draw(streams, CANCEL))
    state["hazard_time"] = now


@inlined
def restart_cancel_clock(state: Any, flow: Any, now: int, n_before: int) -> None:
    """Set the next cancellation anew after the number of resting orders changed from *n_before* at *now*."""
    rate = flow["cancel_rate"] * NS
    if rate <= 0.0:
        return
    state["hazard"] = max(state["hazard"] - rate * n_before * (now - state["hazard_time"]), 0.0)
    state["hazard_time"] = now
    n = state["n_live"]
    state["due"][CANCEL] = now + 1 + np.int64(state["hazard"] / (rate * n)) if n > 0 else NEVER
