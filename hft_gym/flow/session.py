"""The time of day: the shape of activity over a session, its close, and halts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hft_gym._jit import I64, U, kernel
from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.flow.state import HALT, NEVER, SESSION, wind

MAX_BINS = 512

SESSION_TABLE = np.dtype(
    [
        ("n_bins", "i8"),
        ("bin", "i8"),
        ("offset", "i8"),
        ("closes", "i8"),
        ("opens", "i8"),
        ("halt_mean", "f8"),
        ("halt_length", "i8"),
        ("halt_move", "i8"),
        ("halt_window", "i8"),
        ("shape", "f8", (MAX_BINS,)),
    ],
    align=True,
)
"""Number of bins of a session (0: no shape); their length [ns]; the market's start within the session [ns]; whether
trading ends with it; wait before trading begins [ns]; mean time between random halts [ns] (0: none); length of a halt
[ns]; move of the mid that causes one [half-ticks] (0: none) and for how long a reference holds [ns]; activity of each
bin."""


@dataclass(frozen=True)
class SessionConfig:
    """Activity over a trading session: piecewise constant, a factor on the rate of everything but jumps of the value.

    A U, as in most markets, is ``shape=(1.9, 1.1, 0.8, 0.7, 0.75, 0.9, 1.6)``. When the session ends, trading either
    stops for good (nothing happens any more, and messages wait) or the next session begins at once.
    """

    length_s: float = setting(23_400.0, above=0.0, high=1e7, doc="length of a session [s]")
    shape: tuple[float, ...] = setting(
        (1.0,), low=0.0, high=1e3, min_length=1, max_length=MAX_BINS, doc="activity in equal parts of the session"
    )
    start_s: float = setting(0.0, low=0.0, high=1e7, doc="time within the session at which the market opens [s]")
    opens_s: float = setting(
        0.0, low=0.0, high=1e6, doc="time from the market's start until trading begins; messages wait for it [s]"
    )
    closes: bool = setting(False, doc="trading ends with the session; otherwise the next session follows at once")

    def __post_init__(self) -> None:
        validate(self)
        if self.start_s >= self.length_s:
            raise ConfigError(f"start_s is {self.start_s}; it must be below length_s, {self.length_s}")

    def fill(self, record: Any) -> None:
        """Write the compiled form to *record*."""
        record["n_bins"] = len(self.shape)
        record["bin"] = max(round(self.length_s * 1e9 / len(self.shape)), 1)
        record["offset"], record["closes"] = round(self.start_s * 1e9), self.closes
        record["opens"] = round(self.opens_s * 1e9)
        record["shape"][: len(self.shape)] = self.shape


@dataclass(frozen=True)
class HaltConfig:
    """Halts: for a while nobody trades.

    The flow stands still, but its fundamental value may jump. Messages that reach the exchange, cancellations too, wait
    and are processed in their order of arrival when trading resumes, ahead of any further flow. Halts come at random,
    or when the mid has moved by ``move_ticks`` from a reference that is taken anew every ``window_s`` and after every
    halt. """

    rate: float = setting(0.0, low=0.0, high=1.0, doc="random halts per second")
    length_s: float = setting(300.0, above=0.0, high=1e6, doc="length of a halt [s]")
    move_ticks: int | None = setting(
        None, low=1, high=2**30, doc="move of the mid that causes a halt [ticks]; None: none does"
    )
    window_s: float = setting(300.0, above=0.0, high=1e6, doc="time for which a reference of the mid holds [s]")

    def __post_init__(self) -> None:
        validate(self)
        if self.rate == 0.0 and self.move_ticks is None:
            raise ConfigError("rate is 0 and move_ticks None: there would be no halt; give one of them")

    def fill(self, record: Any) -> None:
        """Write the compiled form to *record*."""
        record["halt_mean"] = 1e9 / self.rate if self.rate > 0.0 else 0.0
        record["halt_length"] = round(self.length_s * 1e9)
        record["halt_move"] = 2 * self.move_ticks if self.move_ticks else 0
        record["halt_window"] = round(self.window_s * 1e9)


@kernel
def begin_session(state: Any, table: Any, now: int) -> None:
    """Set the activity, and the clocks of the session and of halts, at the opening."""
    state["shape"] = 1.0
    state["halted_until"] = -1
    state["halt_reference"] = NEVER
    if table["n_bins"] > 0:
        set_shape(state, table, now)
    state["halt_reference_time"] = now
    if table["opens"] > 0:
        state["halted_until"] = now + table["opens"]
        state["due"][HALT] = state["halted_until"]
        return
    if table["halt_mean"] > 0.0:
        state["stretch"][HALT] = table["halt_mean"]
        wind(state, HALT, now)


@kernel
def set_shape(state: Any, table: Any, now: int) -> None:
    """The next part of the session begins at *now* (or goes on, at the opening)."""
    at = now + table["offset"]
    part = at // table["bin"]
    state["due"][SESSION] = (part + 1) * table["bin"] - table["offset"]
    if part >= table["n_bins"] and table["closes"] != 0:
        state["shape"] = 0.0
        state["halted_until"] = NEVER
        state["due"][SESSION] = NEVER
        state["due"][HALT] = NEVER
        return
    state["shape"] = table["shape"][U(part % table["n_bins"])]


@kernel
def halt_event(state: Any, table: Any, now: int, mid2: int) -> None:
    """What the clock of halts was set for: the end of a halt, or a random one."""
    if state["halted_until"] != now:
        begin_halt(state, table, now)
        return
    state["halt_reference"] = mid2
    state["halt_reference_time"] = now
    state["due"][HALT] = NEVER
    if table["halt_mean"] > 0.0:
        wind(state, HALT, now)


@kernel
def moved_too_far(state: Any, table: Any, now: int, mid2: int) -> bool:
    """True if the mid, *mid2* half-ticks, is so far from its reference that trading halts; renews the reference."""
    if state["halt_reference"] == NEVER or now - state["halt_reference_time"] >= table["halt_window"]:
        state["halt_reference"] = mid2
        state["halt_reference_time"] = now
    return abs(mid2 - state["halt_reference"]) >= table["halt_move"]


@kernel
def begin_halt(state: Any, table: Any, now: int) -> None:
    """Stop trading for the length of a halt."""
    state["halted_until"] = now + I64(table["halt_length"])
    state["due"][HALT] = state["halted_until"]
