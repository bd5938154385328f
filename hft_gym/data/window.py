"""Hours of a day: reading clock times, splitting a window, and where episodes start in it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hft_gym.errors import ConfigError

__all__ = ["ReplayWindow", "clock_text", "parse_clock"]

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?")
_NS = 1_000_000_000
_DAY = 86_400 * _NS


def parse_clock(time: str | int | float) -> int:
    """A time of day in integer nanoseconds since midnight, from "HH:MM[:SS[.f]]" or from seconds since
    midnight.

    >>> parse_clock("09:30") == parse_clock(34_200) == 34_200 * 10**9
    True

    Raises:
        ConfigError: the text is no time of day, or the seconds are outside 0..86400.
    """
    allowed = 'allowed are "HH:MM", "HH:MM:SS[.fraction]" and seconds since midnight in 0..86400'
    if isinstance(time, str):
        match = _CLOCK.fullmatch(time.strip())
        if match is None or int(match[2]) > 59 or int(match[3] or 0) > 59:
            raise ConfigError(f"{time!r} is not a time of day; {allowed}")
        seconds = int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0)
        result = seconds * _NS + int((match[4] or "0").ljust(9, "0"))
    elif isinstance(time, bool) or not isinstance(time, (int, float)) or not math.isfinite(time):
        raise ConfigError(f"{time!r} is not a time of day; {allowed}")
    else:
        result = round(time * _NS)
    if not 0 <= result <= _DAY:
        raise ConfigError(f"{time!r} is not within one day; {allowed}")
    return result


def clock_text(time_ns: int) -> str:
    """A time of day as text, without trailing zeros: "09:30:00", "09:30:00.25"."""
    seconds, fraction = divmod(int(time_ns), _NS)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:09d}".rstrip("0") if fraction else text


@dataclass(frozen=True)
class ReplayWindow:
    """A half-open span of one day, ``start_ns <= t < end_ns`` (nanoseconds since midnight)."""

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        if self.start_ns >= self.end_ns:
            raise ConfigError(f"the window {self} is empty: its start must lie before its end")

    def __str__(self) -> str:
        return f"{clock_text(self.start_ns)}-{clock_text(self.end_ns)}"

    @property
    def length_ns(self) -> int:
        """Length in nanoseconds."""
        return self.end_ns - self.start_ns

    def split(
        self, at: str | int | float | None = None, fraction: float = 2 / 3
    ) -> tuple[ReplayWindow, ReplayWindow]:
        """Two windows, training first: cut at the clock time ``at``, or after ``fraction`` of the length.

        They share no instant, and an episode that starts in one also ends in it.

        Raises:
            ConfigError: the cut does not lie strictly inside the window.
        """
        cut = self.start_ns + round(self.length_ns * fraction) if at is None else parse_clock(at)
        if not self.start_ns < cut < self.end_ns:
            given = f"fraction={fraction!r}" if at is None else f"at={at!r}"
            raise ConfigError(f"cannot split {self} with {given}: the cut must lie inside the window")
        return ReplayWindow(self.start_ns, cut), ReplayWindow(cut, self.end_ns)

    def start_bounds(self, length_ns: int) -> tuple[int, int]:
        """First and last instant (both included) at which an episode of ``length_ns`` may start.

        Raises:
            ConfigError: the window is shorter than an episode.
        """
        if not 0 < length_ns <= self.length_ns:
            raise ConfigError(
                f"an episode of {length_ns / _NS:g} s does not fit into the window {self} "
                f"({self.length_ns / _NS:g} s): shorten the episode or widen the window"
            )
        return self.start_ns, self.end_ns - length_ns

    def episode_starts(
        self,
        length_ns: int,
        mode: Literal["random", "consecutive"] = "random",
        count: int | None = None,
        rng: np.random.Generator | None = None,
    ) -> NDArray[np.int64]:
        """Start times (ns since midnight) of episodes that lie wholly inside the window.

        ``"consecutive"``: disjoint episodes one after the other from the window's start (at most ``count``),
        a remainder at the end being left out. ``"random"``: ``count`` independent uniform times drawn from
        ``rng``.

        Raises:
            ConfigError: an unknown mode, a window shorter than an episode, or no ``count`` or ``rng`` for
                "random".
        """
        first, last = self.start_bounds(length_ns)
        if mode == "consecutive":
            return np.arange(first, last + 1, length_ns, dtype=np.int64)[:count]
        if mode != "random":
            raise ConfigError(f'mode is {mode!r}; allowed are "random" and "consecutive"')
        if count is None or rng is None:
            raise ConfigError('mode="random" needs count= and rng= (a numpy Generator)')
        return rng.integers(first, last, size=count, dtype=np.int64, endpoint=True)
