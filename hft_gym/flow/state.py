"""What the flow remembers between events, and the clocks of its mechanisms.

Every mechanism runs on a unit-rate Poisson process of its own stream, stretched by its current rate (the random time
change of Kurtz 1980): the k-th cancellation of two runs uses the same draws even when their books, and so their
rates, differ.

Plain Poisson flow needs no more than that. A *reactive* flow (``flow["reactive"]``: one with excitation, metaorders,
queue-size intensities and the like) has rates that change at events; each of its clocks runs at a rate that
is constant until the next event and at least the true one, and a candidate is accepted with their ratio (Lewis and
Shedler 1979; Ogata 1981), which is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hft_gym._jit import I64, U, inlined, kernel
from hft_gym.flow.random import derive, draw, exponential

LIMIT, MARKET, CANCEL, JUMP, INFORMED, REPLAY, EXTRA = range(7)
MECHANISMS = 7
"""The clocks that the event loop looks at. ``EXTRA`` is the earliest of the further ones."""
METAORDER, REPLENISHMENT, SESSION, HALT, ICEBERG, POPULATION, VOLATILITY = range(7, 14)
CLOCKS = 14
"""The fixed list of mechanisms; a new one is a file of its own, a number here and a line in the dispatch of
``market/reactive.py``."""

NEVER = 2**62
"""A time that is never reached [ns]."""

MAX_TRADERS = 64
"""Most metaorder traders of a flow."""
MAX_PENDING = 16
"""Most icebergs that may wait to show again."""
_TABULATED = 4096
_RECIPROCAL = np.array([0.0, *(1.0 / n for n in range(1, _TABULATED))])
"""1 / n: the next event waits for this quotient, and a division takes thrice as long as a look-up."""

FLOW_STATE = np.dtype(
    [
        ("streams", "u8", (CLOCKS,)),
        ("due", "i8", (CLOCKS,)),
        ("gap", "f8", (CLOCKS,)),
        ("touch", "i8", (2,)),
        ("hazard", "f8"),
        ("hazard_time", "i8"),
        ("fundamental", "f8"),
        ("n_live", "i8"),
        ("rejected", "i8"),
        ("cursor", "i8"),
        ("displaced", "i8"),
        ("replaying", "i8"),
        ("hidden", "i8"),
        ("happened", "i8"),
        ("n_pending", "i8"),
        ("agent", "i8"),
        ("left", "f8", (CLOCKS,)),
        ("stretch", "f8", (CLOCKS,)),
        ("since", "i8", (CLOCKS,)),
        ("ceiling", "f8", (CLOCKS,)),
        ("factor", "f8", (8,)),
        ("excitement", "f8", (32,)),
        ("excitement_time", "i8"),
        ("seen_volume", "i8", (2,)),
        ("seen_mid2", "i8"),
        ("seen_live", "i8"),
        ("pressure", "f8", (2,)),
        ("pressure_time", "i8"),
        ("level", "i8", (2,)),
        ("shape", "f8"),
        ("climate", "f8", (2,)),
        ("high", "i8"),
        ("halted_until", "i8"),
        ("halt_reference", "i8"),
        ("halt_reference_time", "i8"),
        ("fundamental_time", "i8"),
        ("fundamental_mean", "f8"),
        ("memory", "f8", (4,)),
        ("reference", "i8"),
        ("parents", "i4", (MAX_TRADERS,)),
        ("pending", "i8", (4 * MAX_PENDING,)),
    ],
    align=True,
)
"""Per market: stream states; next event time of each mechanism [ns], and the unit-mean gap drawn for the one after,
ahead of its use so that no event waits for a logarithm; last known best bid and ask [ticks]; what is left of the
cancellation clock [ns·orders] and when that was so [ns]; fundamental value [ticks]; resting orders of the flow;
orders refused because the pool was full; the replay's next operation; lots displaced in a replay; 1 in a replay,
whose orders are found by handle instead of by position in the list of live ones; what the next order hides (bits for
its id); kind of the last event (-1: none); icebergs about to show again; agent of the population that is sending orders
(-1: none).

Of a reactive flow: unit-mean time left on each clock, the mean time between its candidates [ns] (0: it stands still)
and when that was so; activity that its rate allows for; activity of the six kinds of events
(:data:`hft_gym.flow.hawkes.KINDS`), its decaying parts, and the time of both; volume by aggressor side, sum of the
touch and resting orders at the last look; replenishing orders to come by side, their time, and the price from which
they count; activity of the time of day; wandering activity (of limit orders and cancellations, of all else) and bits
of the components that are high; end of the halt; mid from which the price limit counts [half-ticks], and since when;
time of the fundamental value and what it reverts to; averages of past trades; price of the first bid queue below
the reference price; children left of each metaorder, negative when selling; icebergs about to show again (side, price,
lots to show, times to show again)."""


@inlined
def next_due(state: Any, k: int, now: int, mean: float) -> Any:
    """Set mechanism *k*'s next event, *mean* ns apart on average; return the word drawn, whose low 11 bits are
    unused."""
    word = draw(state["streams"], k)
    state["left"][k] = state["gap"][k]
    state["due"][k] = now + 1 + I64(state["gap"][k] * mean)
    state["gap"][k] = exponential(word)
    return word


@inlined
def start_clocks(state: Any, flow: Any, key: Any, now: int) -> None:
    """Seed every stream from *key* and draw each mechanism's first event after *now*."""
    for k in range(CLOCKS):
        state["streams"][k] = derive(key, k)
        state["gap"][k] = exponential(draw(state["streams"], k))
        state["due"][k] = NEVER
        state["left"][k] = 0.0
        state["stretch"][k] = 0.0
        state["since"][k] = now
        state["ceiling"][k] = 1.0
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
    state["left"][CANCEL] = state["gap"][CANCEL]
    state["gap"][CANCEL] = exponential(word)
    return word


@inlined
def restart_cancel_clock(state: Any, flow: Any, now: int, n_before: int) -> None:
    """Set the next cancellation anew after the number of resting orders changed from *n_before* at *now*."""
    if flow["reactive"] != 0:
        set_cancel_clock(state, flow, now)
        return
    if flow["cancel_mean"] <= 0.0:
        return
    left = max(state["hazard"] - np.float64(n_before * (now - state["hazard_time"])), 0.0)
    state["hazard"] = left
    state["hazard_time"] = now
    n = state["n_live"]
    if n <= 0:
        state["due"][CANCEL] = NEVER
    elif n < _TABULATED:
        state["due"][CANCEL] = now + 1 + I64(left * _RECIPROCAL[U(n)])
    else:
        state["due"][CANCEL] = now + 1 + I64(left / n)


@kernel
def set_clock(state: Any, k: int, now: int, stretch: float) -> None:
    """Let a reactive flow's clock *k* run on from *now* with *stretch* ns to a unit of its time (0: stand still)."""
    left, old = state["left"][k], state["stretch"][k]
    if old > 0.0:
        left = max(left - np.float64(now - state["since"][k]) / old, 0.0)
        state["left"][k] = left
    state["since"][k] = now
    state["stretch"][k] = stretch
    wait = left * stretch
    state["due"][k] = now + 1 + I64(wait) if stretch > 0.0 and wait < 4e18 else NEVER


@kernel
def wind(state: Any, k: int, now: int) -> Any:
    """A reactive flow's clock *k* struck: draw its next event, at the rate as it is; return the word drawn."""
    word = draw(state["streams"], k)
    left = state["gap"][k]
    state["left"][k] = left
    state["since"][k] = now
    state["gap"][k] = exponential(word)
    wait = left * state["stretch"][k]
    state["due"][k] = now + 1 + I64(wait) if wait > 0.0 and wait < 4e18 else NEVER
    return word


@kernel
def set_cancel_clock(state: Any, flow: Any, now: int) -> None:
    """Set a reactive flow's cancellation clock after the number of its resting orders changed."""
    n = 1 if flow["queue_reactive"] != 0 else state["n_live"]
    rate = n * state["ceiling"][CANCEL] * state["shape"] * state["climate"][0]
    if now < state["halted_until"]:
        rate = 0.0
    set_clock(state, CANCEL, now, flow["cancel_mean"] / rate if rate > 0.0 else 0.0)


@inlined
def set_extra_due(state: Any) -> None:
    """Bring the due time of ``EXTRA`` up to date: the earliest of the further clocks."""
    earliest = NEVER
    for k in range(MECHANISMS, CLOCKS):
        earliest = min(earliest, state["due"][U(k)])
    state["due"][EXTRA] = earliest
