"""`DataFeed`: the one interface of everything that streams market data."""

from __future__ import annotations

import asyncio
import logging
import weakref
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar, Self

from hft_gym.config import build, did_you_mean
from hft_gym.errors import ConfigError, FeedError
from hft_gym.feed.clock import Clock
from hft_gym.feed.config import DataFeedConfig, Policy, check_used
from hft_gym.feed.messages import DataKind, MarketDataMessage
from hft_gym.feed.stream import FeedStream

__all__ = ["DataFeed", "FeedState", "FeedStatistics"]

logger = logging.getLogger("hft_gym.feed")


class FeedState(StrEnum):
    """Where a feed stands. ``LOST``: the connection is gone and sought again."""

    DISCONNECTED = "disconnected"
    CONNECTED = "connected"
    LOST = "lost"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True)
class FeedStatistics:
    """What a feed has counted since it was made. Times in ns."""

    received: int = 0
    """Messages that came from the source."""
    delivered: int = 0
    """Messages handed to readers; of several readers each counts."""
    drops: int = 0
    """Messages that a full buffer let go, over all readers."""
    conflated: int = 0
    """Messages merged into later ones, by the rate limit or by readers that keep the latest."""
    gaps: int = 0
    """Times that messages of the source were missing."""
    repeats: int = 0
    """Messages that came again, or too late, and were left out."""
    unreadable: int = 0
    """Messages that could not be read."""
    snapshots: int = 0
    """Pictures of a whole book that were taken: the first ones, and those that healed a gap."""
    connections: int = 0
    """Connections made; all but the first are reconnections."""
    waiting: int = 0
    """Messages in the readers' buffers now."""
    lag: int = 0
    """The longest of the readers' present lags: from when their last message was due until they had it."""
    max_lag: int = 0
    """The longest lag of any reader's message so far."""
    delay: int = 0
    """Exchanges: clock here less time stamp of the last message, which holds the difference of the two clocks."""


class DataFeed(ABC):
    """A stream of market data: connect, subscribe, read, disconnect.

    ::

        async with MockDataFeed(DataFeedConfig(symbols=["AAPL", "MSFT"])) as feed:
            async for message in feed.start_streaming():
                ...

    ``async with`` connects, subscribes to the configuration's symbols, and disconnects. A feed belongs to one event
    loop. Every call of :meth:`start_streaming` gives a reader of its own, with a buffer of its own.

    Args:
        config: a `DataFeedConfig`, or the same as a mapping.
        clock: for tests.

    Raises:
        ConfigError: an unknown setting, a value out of range, or one that this kind of feed has no use for.
    """

    source_moves: ClassVar[bool] = False
    """Whether the source goes on without us, so that the feed runs from `connect` on, not from its first reader."""
    uses: ClassVar[tuple[str, ...]] = ("url", "symbols", "buffer_size", "policy", "max_messages_per_second")
    """The settings that this kind of feed has a use for."""

    def __init__(self, config: DataFeedConfig | Mapping[str, Any] | None = None, *, clock: Clock | None = None) -> None:
        self.config = build(DataFeedConfig, config)
        check_used(self.config, self.uses, f"a {type(self).__name__}")
        self.clock = clock or Clock()
        self.state = FeedState.DISCONNECTED
        self.count: Counter[str] = Counter()
        self.delay = 0
        self._subscribed: dict[str, None] = {}
        self._streams: weakref.WeakSet[FeedStream] = weakref.WeakSet()
        self._latest: dict[str, MarketDataMessage] = {}
        self._task: asyncio.Task[None] | None = None
        self._error: Exception | None = None
        self._max_lag = 0

    # -- what a kind of feed brings ------------------------------------------------------------------------

    @abstractmethod
    async def _open(self) -> None:
        """Make the source ready."""

    @abstractmethod
    async def _produce(self) -> None:
        """Deliver messages until there are no more."""

    async def _close(self) -> None:  # noqa: B027 - most sources have nothing to close
        """Leave the source."""

    async def _subscribe(self, symbols: list[str]) -> None:  # noqa: B027 - nor anything to be told
        """Tell the source of new symbols."""

    async def _unsubscribe(self, symbols: list[str]) -> None:  # noqa: B027
        """Tell the source of symbols that nobody wants any more."""

    def _known(self) -> tuple[str, ...]:
        """The symbols that there are; none: whatever the source has."""
        return self.config.symbols

    # -- the interface -------------------------------------------------------------------------------------

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols subscribed to."""
        return tuple(self._subscribed)

    @property
    def statistics(self) -> FeedStatistics:
        """What was counted so far."""
        streams = list(self._streams)
        total = {
            name: self.count[name] + sum(getattr(s, name) for s in streams)
            for name in ("delivered", "drops", "conflated")
        }
        names = ("received", "gaps", "repeats", "unreadable", "snapshots", "connections")
        return FeedStatistics(
            **{name: self.count[name] for name in names},
            **total,
            waiting=sum(len(s) for s in streams),
            lag=max((s.lag for s in streams), default=0),
            max_lag=max(self._max_lag, *(s.max_lag for s in streams), 0),
            delay=self.delay,
        )

    async def connect(self) -> None:
        """Make the feed ready; connecting twice changes nothing.

        Raises:
            FeedError: the source cannot be reached.
            DataError: a recorded file cannot be read.
        """
        if self.state is not FeedState.DISCONNECTED:
            return
        await self._open()
        self.state = FeedState.CONNECTED
        logger.info("%s %s: connected", type(self).__name__, self.config.url)
        if self.source_moves:
            self._start()

    async def subscribe(self, symbols: Iterable[str] | str) -> None:
        """Add instruments.

        Raises:
            FeedError: the feed is not connected.
            ConfigError: the feed has no such symbol.
        """
        self._need_connection("subscribe")
        names = [symbols] if isinstance(symbols, str) else list(symbols)
        known = self._known()
        for name in names:
            if not isinstance(name, str) or not name:
                raise ConfigError(f"a symbol is {name!r}; allowed are names")
            if known and name not in known:
                raise ConfigError(f"this feed has no symbol {name!r}{did_you_mean(name, known)}")
        new = [name for name in dict.fromkeys(names) if name not in self._subscribed]
        self._subscribed.update(dict.fromkeys(new))
        if new:
            await self._subscribe(new)

    async def unsubscribe(self, symbols: Iterable[str] | str) -> None:
        """Drop instruments.

        Raises:
            FeedError: the feed is not connected.
            ConfigError: a symbol is not subscribed to.
        """
        self._need_connection("unsubscribe")
        names = [symbols] if isinstance(symbols, str) else list(dict.fromkeys(symbols))
        for name in names:
            if name not in self._subscribed:
                raise ConfigError(f"{name!r} is not subscribed to{did_you_mean(str(name), self.symbols)}")
        for name in names:
            del self._subscribed[name]
            self._latest.pop(name, None)
        if names:
            await self._unsubscribe(names)

    def start_streaming(
        self, *, policy: Policy | None = None, buffer_size: int | None = None, symbols: Iterable[str] | None = None
    ) -> FeedStream:
        """A reader of its own of all that comes from now on; its first messages are the books as they are.

        Args:
            policy: instead of the configuration's.
            buffer_size: instead of the configuration's.
            symbols: only these; the set ``stream.symbols`` may change later.

        Raises:
            FeedError: the feed is not connected, or no symbol is subscribed to, or a reader that blocks would hold up
                another.
            ConfigError: a policy or size that is not allowed.
        """
        self._need_connection("start_streaming")
        if not self._subscribed:
            raise FeedError("no symbol is subscribed to; first: await feed.subscribe([...])")
        asked = replace(
            self.config,
            policy=policy or self.config.policy,
            buffer_size=self.config.buffer_size if buffer_size is None else buffer_size,
            speed=self._pace,
        )
        others = [s for s in self._streams if not s.closed]
        if others and "block" in (asked.policy, *(s.policy for s in others)):
            raise FeedError(
                'a reader with policy "block" is the only one of its feed, so that it holds up nobody; '
                f"there are {len(others)} readers"
            )
        stream = FeedStream(asked.buffer_size, asked.policy, self.clock, symbols)
        self.show(stream, self._latest)
        self._streams.add(stream)
        stream.on_close = self._gone
        if self.state in (FeedState.ENDED, FeedState.FAILED):
            stream.end(self._error)
        else:
            self._start()
        return stream

    def show(self, stream: FeedStream, symbols: Iterable[str]) -> None:
        """Put the present books of *symbols* into a stream, as its next messages (where anything is known of them)."""
        for symbol in list(symbols):
            message = self._latest.get(symbol)
            if message is not None:
                stream.put(message._replace(volume=0, conflated=0, **_as_depth(message)), self.clock.monotonic())

    async def disconnect(self) -> None:
        """Stop; readers get what waits for them, and then the end. Afterwards the feed can be connected anew."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        try:
            if self.state is not FeedState.DISCONNECTED:
                await self._close()
                logger.info("%s %s: disconnected", type(self).__name__, self.config.url)
        finally:
            for stream in list(self._streams):
                stream.end()
            self._subscribed.clear()
            self._latest.clear()
            self.state, self._error = FeedState.DISCONNECTED, None

    async def __aenter__(self) -> Self:
        """Connect, and subscribe to the configuration's symbols."""
        await self.connect()
        try:
            await self.subscribe(self.config.symbols or self._known())
        except BaseException:
            await self.disconnect()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self.disconnect()

    # -- for the kinds of feeds ----------------------------------------------------------------------------

    @property
    def _pace(self) -> float:
        """Seconds of the source's time in one of ours; inf: the reader's pace."""
        return 1.0

    def _need_connection(self, what: str) -> None:
        if self.state is FeedState.DISCONNECTED:
            raise FeedError(f"{what}: the feed is not connected; first: await feed.connect()")

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"feed {self.config.url}")

    async def _run(self) -> None:
        try:
            await self._produce()
        except Exception as error:  # the readers raise it
            logger.error("%s: the feed has failed: %s", self.config.url, error)
            self.state, self._error = FeedState.FAILED, error
            for stream in list(self._streams):
                stream.end(error)
            return
        self.state = FeedState.ENDED
        for stream in list(self._streams):
            stream.end()

    def _gone(self, stream: FeedStream) -> None:
        """A stream is closed: keep what it counted."""
        self._streams.discard(stream)
        for name in ("delivered", "drops", "conflated"):
            self.count[name] += getattr(stream, name)
        self._max_lag = max(self._max_lag, stream.max_lag)

    async def _deliver(self, message: MarketDataMessage, due: int) -> None:
        """Give a message to every reader, when those that block have room; *due* is a time of the clock's [ns]."""
        while (space := next((s.space for s in self._streams if not s.space.is_set()), None)) is not None:
            await space.wait()
        self._publish(message, due)

    def _publish(self, message: MarketDataMessage, due: int) -> None:
        """Give a message to every reader now."""
        self._latest[message.symbol] = message
        if message.snapshot:
            self.count["snapshots"] += 1
        for stream in list(self._streams):
            stream.put(message, due)


def _as_depth(message: MarketDataMessage) -> dict[str, Any]:
    """The fields that make the state of a message news of the book alone."""
    if message.kind is DataKind.LOST:
        return {"snapshot": False}
    return {"kind": DataKind.DEPTH, "side": None, "snapshot": True}
