"""What the flow remembers between events, and the clocks of its mechanisms.

Every mechanism runs on a unit-rate Poisson process of its own stream, stretched by its current rate (the random time
change of Kurtz 1980): the k-th cancellation of two runs uses the same draws even when their books, and so their
rates, differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hft_gym._jit import I64, inlined
from hft_gym.flow.random import derive, draw, exponential

LIMIT, MARKET, CANCEL, JUMP, INFORMED, REPLAY = range(6)
MECHANISMS = 6
"""The fixed list of mechanisms; a new one is a file of its own, a number here and a line in the market's dispatch."""

NEVER = 2**62
"""A time that is never reached [ns]."""

FLOW_STATE = np.dtype(
    [
        ("streams", "u8", (MECHANISMS,)),
        ("due", "i8", (MECHANISMS,)),
        ("gap", "f8", (MECHANISMS,)),
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
"""Per market: stream states; next event time of each mechanism [ns], and the unit-mean gap drawn for the one after,
ahead of its use so that no event waits for a logarithm; last known best bid and ask [ticks]; what is left of the
cancellation clock [ns·orders] and when that was so [ns]; fundamental value [ticks]; resting orders of the flow;
orders refused because the pool was full; the replay's next operation; lots displaced in a replay; 1 in a replay,
whose orders are found by handle instead of by position in the list of live ones."""


@inlined
def next_due(state: Any, k: int, now: int, mean: float) -> Any:
    """Set mechanism *k*'s next event, *mean* ns apart on average; return the word drawn, whose low 11 bits are
    unused."""
    word = draw(state["streams"], k)
    state["due"][k] = now + 1 + I64(state["gap"][k] * mean)
    state["gap"][k] = exponential(word)
    return word


@inlined
def start_clocks(state: Any, flow: Any, key: Any, now: int) -> None:
    """Seed every stream from *key* and draw each mechanism's first event after *now*."""
    for k in range(MECHANISMS):
        state["streams"][k] = derive(key, k)
        state["gap"][k] = exponential(draw(state["streams"], k))
        state["due"][k] = NEVER
    if flow["limit_mean"] > 0.0:
        next_due(state, LIMIT, now, flow["limit_mean"])
    if flow["market_mean"] > 0.0:
        next_due(state, MARKET, now, flow["market_mean"])
    if flow["jump_mean"] > 0.0:
        next_due(state, JUMP, now, flow["jump_mean"])
    if flow["informed_mean"] > 0.0:
        next_due(state, INFORMED, now, flow["informed_mean"])
    state["hazard_time"] = now
    wind_cancel_clock(state, flow)


@inlined
def wind_cancel_clock(state: Any, flow: Any) -> Any:
    """Start the cancellation clock anew after it struck; returns the word drawn."""
    word = draw(state["streams"], CANCEL)
    state["hazard"] = state["gap"][CANCEL] * flow["cancel_mean"]
    state["gap"][CANCEL] = exponential(word)
    return word


@inlined
def restart_cancel_clock(state: Any, flow: Any, now: int, n_before: int) -> None:
    """Set the next cancellation anew after the number of resting orders changed from *n_before* at *now*."""
    if flow["cancel_mean"] <= 0.0:
        return
    left = max(state["hazard"] - np.float64(n_before * (now - state["hazard_time"])), 0.0)
    state["hazard"] = left
    state["hazard_time"] = now
    n = state["n_live"]
    state["due"][CANCEL] = now + 1 + I64(left / n) if n > 0 else NEVER
