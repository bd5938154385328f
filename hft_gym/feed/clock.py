"""The clock that feeds run on; tests put another one in its place."""

from __future__ import annotations

import asyncio
import time

__all__ = ["Clock"]


class Clock:
    """The machine's clock."""

    def monotonic(self) -> int:
        """A time that never goes back [ns]."""
        return time.monotonic_ns()

    def unix(self) -> int:
        """The time since 1970 [ns]."""
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
