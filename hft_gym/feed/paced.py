"""`PacedFeed`: feeds whose source stands still until it is asked, at the pace of a clock or of the reader."""

from __future__ import annotations

import asyncio
import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from hft_gym.errors import ConfigError, FeedError
from hft_gym.feed.base import DataFeed
from hft_gym.feed.clock import Clock
from hft_gym.feed.config import DataFeedConfig, check_speed
from hft_gym.feed.conflate import Conflator
from hft_gym.feed.messages import MarketDataMessage

__all__ = ["PacedFeed"]

SLICE_NS = 5_000_000
"""Of our time: how finely a clock is followed."""
_FEW, _MANY = 100, 1_000
"""Messages of one slice: with fewer the next one at the reader's pace is longer, with more it is shorter."""


class PacedFeed(DataFeed):
    """A feed with a clock of its own, which runs while somebody reads.

    At speed 1 a second of it takes a second, at 10 a tenth, at 0 it stands still, and at inf (policy ``block``) it goes
    as fast as the reader takes its messages. `speed` may change at any time; the messages are the same at any speed.

    ``max_messages_per_second`` counts seconds of the reader's time (at speed inf of the market's, so that what passes
    does not depend on the machine). What is above it is merged; the market's clock does not mind.
    """

    uses: ClassVar[tuple[str, ...]] = (*DataFeed.uses, "speed")

    def __init__(self, config: DataFeedConfig | Mapping[str, Any] | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(config, clock=clock)
        self._speed = self.config.speed
        self._changed = asyncio.Event()
        self._conflator = Conflator(0)
        self._anchor = (0, 0)
        self._step = SLICE_NS
        self._owed = 0
        self._busy = self._restarted = False

    # -- what a kind of feed brings ------------------------------------------------------------------------

    @property
    @abstractmethod
    def time(self) -> int:
        """The feed's clock: up to here everything was delivered, or waits to be [ns]."""

    @abstractmethod
    def _opening(self) -> list[MarketDataMessage]:
        """The books as they are now, of the symbols that have not been shown yet."""

    @abstractmethod
    def _advance(self, until: int) -> tuple[list[MarketDataMessage], bool]:
        """Go to a time of the feed's clock: what happened on the way, in time, and whether that was the end."""

    def _at(self, message: MarketDataMessage) -> int:
        """When a message happened, on the feed's clock [ns]."""
        return message.timestamp

    # -- speed ---------------------------------------------------------------------------------------------

    @property
    def speed(self) -> float:
        """Seconds of the feed's clock in one of ours; 0: it stands still, inf: the reader's pace.

        Raises:
            ConfigError: a negative speed, or inf without policy ``block``.
        """
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        policies = {s.policy for s in self._streams if not s.closed} or {self.config.policy}
        for policy in policies:
            check_speed(value, policy)
        self._set_anchor()
        self._speed = float(value)
        self._set_rate()
        self._changed.set()

    async def step(self, duration: int) -> None:
        """While the feed stands still (speed 0): let *duration* of its clock pass [ns], to the last message.

        Raises:
            FeedError: nobody reads, or the feed is over.
            ConfigError: the feed does not stand still, or a duration that is not a positive whole number.
        """
        if self._speed != 0:
            raise ConfigError(f"step: the speed is {self._speed:g}; a feed that stands still (speed 0) can be stepped")
        if isinstance(duration, bool) or not isinstance(duration, int) or duration < 1:
            raise ConfigError(f"step: duration is {duration!r}; allowed are whole numbers of ns from 1")
        self._owed += duration
        self._changed.set()
        try:
            while self._owed or self._busy:
                if self._task is None or self._task.done():
                    raise FeedError("step: nobody reads this feed, or it is over; first: feed.start_streaming()")
                if self._speed != 0:
                    break
                await asyncio.sleep(0)
        finally:
            self._owed = 0

    @property
    def _pace(self) -> float:
        return self._speed

    def _set_anchor(self) -> None:
        """From here and now on, the clocks run at the present speed."""
        self._anchor = self._target(), self.clock.monotonic()

    def _restart_clock(self) -> None:
        """The feed's clock was set to another time: go on from there, without what waited."""
        self._conflator = Conflator(0)
        self._set_rate()
        self._anchor = self.time, self.clock.monotonic()
        self._restarted = True
        self._changed.set()

    def _set_rate(self) -> None:
        rate = self.config.max_messages_per_second
        self._conflator.set_rate(rate / self._speed if 0 < self._speed < math.inf else rate)

    def _target(self) -> int:
        """Where the feed's clock should stand now."""
        if self._task is None or self._speed in (0, math.inf):
            return self.time
        source, here = self._anchor
        return max(source + int((self.clock.monotonic() - here) * self._speed), self.time)

    def _due(self, at: int) -> int:
        """When a time of the feed's clock comes on ours [ns]."""
        if self._speed in (0, math.inf):
            return self.clock.monotonic()
        source, here = self._anchor
        return here + int((at - source) / self._speed)

    # -- running -------------------------------------------------------------------------------------------

    async def _produce(self) -> None:
        self._restart_clock()
        self._restarted = False
        ended = False
        while not ended:
            await self._send(self._opening())
            self._busy = False
            until = await self._next()
            self._busy = True
            found, ended = self._advance(until)
            if len(found) < _FEW:
                self._step = min(2 * self._step, 10**10)
            elif len(found) > _MANY:
                self._step = max(self._step // 2, 1_000_000)
            await self._send(found)
            before = self._conflator.merged
            await self._pass_on(self._conflator.drain() if ended else self._conflator.flush(until))
            self.count["conflated"] += self._conflator.merged - before
            await asyncio.sleep(0)

    async def _next(self) -> int:
        """Wait until there is something to do; return how far to go."""
        while True:
            if self._restarted:  # first the books as they are now
                self._restarted = False
                return self.time
            if self._speed == math.inf:
                return self.time + self._step
            if self._speed == 0 and self._owed:
                part = min(self._owed, self._step)
                self._owed -= part
                return self.time + part
            target = self._target()
            if target > self.time:
                # Slices stay short, however far behind: between them others have their turn.
                return min(target, self.time + self._step)
            self._changed.clear()
            if self._speed == 0:
                await self._changed.wait()
            else:
                await self.clock.sleep(SLICE_NS / 1e9)

    async def _send(self, messages: list[MarketDataMessage]) -> None:
        self.count["received"] += len(messages)
        conflator = self._conflator
        before = conflator.merged
        for message in messages:
            await self._pass_on(conflator.offer(message, self._at(message)))
        self.count["conflated"] += conflator.merged - before

    async def _pass_on(self, messages: list[MarketDataMessage]) -> None:
        for message in messages:
            if message.symbol in self._subscribed:
                await self._deliver(message, self._due(self._at(message)))

    async def _close(self) -> None:
        self._step = SLICE_NS
