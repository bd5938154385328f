"""What a client has still to be sent: answers in order, and of everything else only the latest.

A browser that reads slowly, or sleeps, costs one text for each kind of picture, never a queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hft_gym.dashboard.history import Cursor
from hft_gym.dashboard.schema import Watch
from hft_gym.errors import DataError

__all__ = ["KINDS", "Client", "Counts"]

KINDS = ("state", "account", "chart", "ladder")
"""Pictures, in the order in which they are sent when several wait."""
MAX_ANSWERS = 64
"""Answers that wait at most: a client that asks and never reads is cut off."""


@dataclass
class Counts:
    """What the server has done since it started."""

    connections: int = 0
    refused: int = 0
    received: int = 0
    rejected: int = 0
    sent: int = 0
    bytes_sent: int = 0
    replaced: int = 0
    """Pictures that a newer one replaced before they were sent."""
    failures: int = 0
    """Errors of our own: they are logged, and should be none."""


class Client:
    """One connection.

    Args:
        counts: of the server.
        watch: what it looks at.
    """

    def __init__(self, counts: Counts, watch: Watch) -> None:
        self.counts, self.watch = counts, watch
        self.cursor = Cursor()
        self.fills_told = 0
        self.due = dict.fromkeys(KINDS, 0.0)
        self._answers: deque[str] = deque()
        self._waiting: dict[str, tuple[str, Callable[[], None] | None]] = {}
        self._ready = asyncio.Event()

    def forget(self) -> None:
        """Nothing of what was shown holds any more: another symbol, or another session."""
        self.cursor, self.fills_told = Cursor(), 0
        self.due = dict.fromkeys(KINDS, 0.0)
        self._waiting.clear()

    def answer(self, text: str) -> None:
        """Send this, after the answers before it.

        Raises:
            DataError: the client does not read its answers.
        """
        if len(self._answers) >= MAX_ANSWERS:
            raise DataError(f"{MAX_ANSWERS} answers wait to be read")
        self._answers.append(text)
        self._ready.set()

    def wants(self, kind: str, now: float, hertz: float) -> bool:
        """Whether it is time for a picture again; if so, the next one is due 1/*hertz* seconds later."""
        # A tick that comes a little early counts: else 20 Hz would be 10.
        if now < self.due[kind] - 0.2 / hertz:
            return False
        self.due[kind] = max(self.due[kind] + 1.0 / hertz, now + 0.5 / hertz)
        return True

    def offer(self, kind: str, text: str, sent: Callable[[], None] | None = None) -> None:
        """Send this unless a newer picture of the *kind* comes first; *sent* is called when it goes out."""
        if kind in self._waiting:
            self.counts.replaced += 1
        self._waiting[kind] = text, sent
        self._ready.set()

    @property
    def waiting(self) -> int:
        """Texts that wait."""
        return len(self._answers) + len(self._waiting)

    async def pump(self, send: Callable[[str], Awaitable[Any]]) -> None:
        """Send what there is, as fast as the client takes it, until cancelled."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._answers or self._waiting:
                if self._answers:
                    text = self._answers.popleft()
                else:
                    kind = next(k for k in KINDS if k in self._waiting)
                    text, sent = self._waiting.pop(kind)
                    if sent is not None:
                        sent()
                await send(text)
                self.counts.sent += 1
                self.counts.bytes_sent += len(text)
