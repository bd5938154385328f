"""`SessionClock`: a session in real time, faster, slower, or as fast as the machine can, on an event loop."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any, Protocol

from hft_gym.errors import ConfigError
from hft_gym.feed.clock import Clock

__all__ = ["Runs", "SessionClock"]

logger = logging.getLogger("hft_gym.live")

_BUDGET_NS = 8_000_000
"""Of our time: how long the session runs at a stretch before others have their turn."""
_BEHIND_NS = 250_000_000
"""Of our time: how far the session may fall behind before the rest is given up."""
_IDLE_S = 0.005


class Runs(Protocol):
    """What can be driven: a `LiveSession`."""

    @property
    def time_ns(self) -> int:
        """Its clock [ns]."""
        ...

    def advance(self, duration_ns: int) -> None:
        """Let time pass."""
        ...


class SessionClock:
    """Runs a session while it is started, in short stretches between which the event loop goes on.

    The session is the same at any speed: pauses, and a machine that is too slow, change when it happens and not what
    happens. What a slow machine cannot do is not made up for later (``given_up_ns`` counts it). Everything here is
    called from the loop's own thread, and so may the session's own methods be at any time.

    Args:
        session: what runs.
        speed: seconds of the session in one of ours: 0.1 to 1000, or inf for as fast as possible.
        quantum_ns: the session advances by whole multiples of this [ns].
        until_ns: session time at which the clock stops by itself [ns]; None: it does not.
        clock: for tests.

    Raises:
        ConfigError: a speed or quantum that is not allowed.
    """

    def __init__(
        self, session: Runs, speed: float = 1.0, *, quantum_ns: int = 10_000_000, until_ns: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        if quantum_ns < 1:
            raise ConfigError(f"quantum_ns is {quantum_ns}; allowed is at least 1")
        self.session, self.quantum_ns, self.clock = session, quantum_ns, clock or Clock()
        self.until_ns = until_ns
        self.error: Exception | None = None
        self.given_up_ns = 0
        self._speed = checked_speed(speed)
        self._task: asyncio.Task[None] | None = None
        self._anchor = (0, 0)
        self._cost = 1.0  # ns of ours for one of the session's, lately

    @property
    def running(self) -> bool:
        """Whether the session's time passes."""
        return self._task is not None and not self._task.done()

    @property
    def speed(self) -> float:
        """Seconds of the session in one of ours; may be set at any time.

        Raises:
            ConfigError: not 0.1 to 1000 or inf.
        """
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        self._speed = checked_speed(value)
        self._set_anchor()

    def start(self) -> None:
        """Let time pass; starting twice changes nothing.

        Raises:
            Exception: what the session failed with, if it did.
        """
        if self.error is not None:
            raise self.error
        if not self.running:
            self._set_anchor()
            self._task = asyncio.get_running_loop().create_task(self._run(), name="live session")

    async def pause(self) -> None:
        """Let time stand still; afterwards no task is left."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def step(self, duration_ns: int) -> None:
        """Pause, and let exactly so much time pass [ns]."""
        await self.pause()
        self.session.advance(duration_ns)

    async def wait(self) -> None:
        """Wait until the session fails, is paused or has come to ``until_ns``.

        Raises:
            Exception: what it failed with.
        """
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        if self.error is not None:
            raise self.error

    def _set_anchor(self) -> None:
        self._anchor = self.session.time_ns, self.clock.monotonic()

    async def _run(self) -> None:
        try:
            while self.until_ns is None or self.session.time_ns < self.until_ns:
                await self._turn()
        except Exception as error:
            logger.error("the session has failed: %s", error)
            self.error = error

    async def _turn(self) -> None:
        session, quantum, before = self.session, self.quantum_ns, self.clock.monotonic()
        stretch = max(int(_BUDGET_NS / self._cost) // quantum, 1) * quantum
        if not math.isinf(self._speed):
            begin, here = self._anchor
            due = begin + int((before - here) * self._speed) - session.time_ns
            if due < quantum:
                await self.clock.sleep(_IDLE_S)
                return
            allowed = max(int(_BEHIND_NS * self._speed), quantum)
            if due > allowed:
                self.given_up_ns += due - allowed
                self._anchor = begin - (due - allowed), here
                due = allowed
            stretch = min(stretch, due // quantum * quantum)
        if self.until_ns is not None:
            stretch = min(stretch, self.until_ns - session.time_ns)
        session.advance(stretch)
        took = max(self.clock.monotonic() - before, 1)
        self._cost = 0.7 * self._cost + 0.3 * took / stretch
        await self._rest(took)

    async def _rest(self, took_ns: int) -> None:
        """After a stretch that took so much of our time: let others have their turn."""
        await asyncio.sleep(0)


def checked_speed(speed: Any) -> float:
    """*speed*, which a `SessionClock` can have.

    Raises:
        ConfigError: not 0.1 to 1000 or inf.
    """
    number = isinstance(speed, (int, float)) and not isinstance(speed, bool)
    if not number or not (0.1 <= speed <= 1000 or speed == math.inf):
        raise ConfigError(f"speed is {speed!r}; allowed are 0.1 to 1000, and inf: as fast as possible")
    return float(speed)
