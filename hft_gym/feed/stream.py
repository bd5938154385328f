"""`FeedStream`: one reader's view of a feed, with a bounded buffer of its own.

What a full buffer does is its policy:

- ``drop_oldest``: the oldest message goes and counts as dropped (``LOST`` messages are spared).
- ``keep_latest``: of each symbol one message waits, into which later ones are merged (`messages.merge`) and counted as
  conflated: the reader always gets the present state.
- ``block``: the feed waits for the reader, who gets everything. Such a stream is the only one of its feed, so that a
  slow reader never holds up another.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable

from hft_gym.errors import FeedError
from hft_gym.feed.clock import Clock
from hft_gym.feed.config import Policy
from hft_gym.feed.messages import DataKind, MarketDataMessage, merge

__all__ = ["FeedStream"]


class FeedStream(AsyncIterator[MarketDataMessage]):
    """Messages of a feed, in order: ``async for message in stream``. One task reads it.

    A stream that nobody holds any more leaves the feed; :meth:`close` does it at once.

    Attributes:
        delivered: messages handed to the reader.
        drops: messages that went because the buffer was full.
        conflated: messages that were merged into others because the buffer held one of their symbol.
        lag: time from when the last message handed over was due until it was [ns].
        max_lag: the longest such time [ns].
        symbols: those that the reader wants; None: all.
    """

    def __init__(self, size: int, policy: Policy, clock: Clock, symbols: Iterable[str] | None = None) -> None:
        self.size, self.policy = size, policy
        self.symbols = None if symbols is None else set(symbols)
        self.delivered = self.drops = self.conflated = 0
        self.lag = self.max_lag = 0
        self.space = asyncio.Event()
        """Set while a message may be put without losing any."""
        self.space.set()
        self._clock = clock
        self._queue: deque[tuple[MarketDataMessage, int]] = deque()
        self._latest: dict[str, tuple[MarketDataMessage, int]] = {}
        self._reader: asyncio.Future[None] | None = None
        self._closed = False
        self._error: BaseException | None = None
        self.on_close: Callable[[FeedStream], None] | None = None

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._queue) + len(self._latest)

    @property
    def closed(self) -> bool:
        """Whether no more messages will come; those that wait can still be read."""
        return self._closed

    def put(self, message: MarketDataMessage, due: int) -> None:
        """Take a message that was *due* at a time of the clock's [ns]."""
        if self._closed or (self.symbols is not None and message.symbol not in self.symbols):
            return
        if self.policy == "keep_latest":
            old = self._latest.get(message.symbol)
            if old is not None:
                self.conflated += 1
                message, due = merge(old[0], message), old[1]
            self._latest[message.symbol] = message, due
        else:
            if len(self._queue) >= self.size:
                self._drop()
            self._queue.append((message, due))
            if self.policy == "block" and len(self._queue) >= self.size:
                self.space.clear()
        self._wake()

    def _drop(self) -> None:
        at = next((i for i, (m, _) in enumerate(self._queue) if m.kind is not DataKind.LOST), 0)
        del self._queue[at]
        self.drops += 1

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def __anext__(self) -> MarketDataMessage:
        while not self._queue and not self._latest:
            if self._closed:
                if self._error is not None:
                    raise FeedError(f"the feed has failed: {self._error}") from self._error
                raise StopAsyncIteration
            if self._reader is not None:
                raise FeedError("two tasks read one stream; start_streaming() gives each its own")
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if self._queue:
            message, due = self._queue.popleft()
            self.space.set()
        else:
            message, due = self._latest.pop(next(iter(self._latest)))
        self.delivered += 1
        self.lag = max(self._clock.monotonic() - due, 0)
        self.max_lag = max(self.max_lag, self.lag)
        return message

    def end(self, error: BaseException | None = None) -> None:
        """The feed has no more messages, or has failed: said once what waits has been read."""
        self._closed = True
        self._error = self._error or error
        self.space.set()
        self._wake()

    def close(self) -> None:
        """Read no more; what waits goes."""
        self.end()
        self._queue.clear()
        self._latest.clear()
        if self.on_close is not None:
            self.on_close(self)
            self.on_close = None

    def __del__(self) -> None:
        # An abandoned stream must not keep a feed waiting that blocks for its reader; and what it counted stays.
        self.close()
