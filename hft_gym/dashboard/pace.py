"""Many sessions on one event loop: together they take a share of its time, and pages are served whatever they do."""

from __future__ import annotations

import asyncio
import time

from hft_gym.live.clock import Runs, SessionClock

__all__ = ["PacedClock", "Turns"]

SHARE = 0.6
"""Of the event loop's time, what all sessions' markets may take together."""
QUANTUM_NS = 25_000_000
"""The market's time goes on by multiples of this, so that two pictures at real time are of different moments."""


class Turns:
    """Slots of time, handed out one after the other.

    Args:
        share: of the time, what the slots may fill, above 0 and at most 1.
    """

    def __init__(self, share: float = SHARE) -> None:
        self.share = share
        self._next = 0.0

    async def rest(self, took_s: float) -> None:
        """Wait for the next slot, after one that took so long."""
        now = time.monotonic()
        self._next = max(self._next, now - took_s) + took_s / self.share
        await asyncio.sleep(max(self._next - now, 0.0))


class PacedClock(SessionClock):
    """A `SessionClock` that shares the event loop with others.

    Args:
        session: what runs.
        turns: shared by all clocks of the loop.
    """

    def __init__(self, session: Runs, turns: Turns) -> None:
        super().__init__(session, quantum_ns=QUANTUM_NS)
        self.turns = turns

    async def _rest(self, took_ns: int) -> None:
        await self.turns.rest(took_ns / 1e9)
