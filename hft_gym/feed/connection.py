"""`ConnectionFeed`: what all feeds over a WebSocket have in common: dialling, silence, reconnecting, rate limits."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from abc import abstractmethod
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, ClassVar

from hft_gym.data.captures import UNREADABLE
from hft_gym.errors import FeedError
from hft_gym.extras import optional
from hft_gym.feed.base import DataFeed, FeedState, logger
from hft_gym.feed.clock import Clock
from hft_gym.feed.config import DataFeedConfig, ReconnectConfig
from hft_gym.feed.conflate import Conflator
from hft_gym.feed.messages import DataKind, MarketDataMessage

__all__ = ["Backoff", "ConnectionFeed", "RateLimit"]

MAX_MESSAGE = 1 << 25
"""Bytes of one message at most; a snapshot of Coinbase's takes five million."""

DIAL_SECONDS = 10.0
"""How long making a connection may take."""


class Backoff:
    """How long to wait before the next attempt (see `ReconnectConfig`)."""

    def __init__(self, config: ReconnectConfig, draw: random.Random | None = None) -> None:
        self.config = config
        self.failures = 0
        self._draw = draw or random.Random()

    def delay(self) -> float:
        """After one more failure: seconds to wait.

        Raises:
            FeedError: that was the last attempt.
        """
        self.failures += 1
        config = self.config
        if config.attempts and self.failures > config.attempts:
            raise FeedError(f"{config.attempts} attempts in a row have failed")
        # The power stops to grow long before it overflows.
        whole = min(config.longest, config.first * config.factor ** min(self.failures - 1, 100))
        return whole * (1.0 - config.jitter * self._draw.random())

    def reset(self) -> None:
        """It has worked again."""
        self.failures = 0


class RateLimit:
    """No more than *per_second* requests a second, evenly spread."""

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._gap = int(1e9 / per_second)
        self._clock = clock
        self._next = 0

    async def wait(self) -> None:
        """Until the next request may go."""
        now = self._clock.monotonic()
        turn = max(self._next, now)
        self._next = turn + self._gap
        if turn > now:
            await self._clock.sleep((turn - now) / 1e9)

    def hold(self, seconds: float) -> None:
        """Nothing may go for so long: the server said so."""
        self._next = max(self._next, self._clock.monotonic() + int(seconds * 1e9))


class ConnectionFeed(DataFeed):
    """A feed over one WebSocket that is kept up.

    The first connection must succeed (`connect` says why not). A connection that is lost later, or has been silent for
    ``heartbeat`` seconds, is sought again as ``reconnect`` says; meanwhile every book is ``LOST`` and the feed's state
    too. What the source sends is read at once, whether or not readers keep up.
    """

    source_moves = True
    uses: ClassVar[tuple[str, ...]] = (*DataFeed.uses, "heartbeat", "reconnect")
    requests_per_second: ClassVar[float] = 5.0
    silence_counts: ClassVar[bool] = True
    """Whether the source is never silent for long, so that silence means a dead connection (else pings tell)."""
    unix_stamps: ClassVar[bool] = False
    """Whether time stamps count from 1970 whatever is streamed, so that they can be compared with the clock here."""

    def __init__(self, config: DataFeedConfig | Mapping[str, Any] | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(config, clock=clock)
        self._socket: Any = None
        self._told: set[str] = set()
        """Symbols that the source was asked for on this connection."""
        self._helpers: set[asyncio.Task[None]] = set()
        self._broken: BaseException | None = None
        self._turn = asyncio.Lock()
        """Held while messages go out, so that those of a helper and of the reader stay in order."""
        self._requests = RateLimit(self.requests_per_second, self.clock)
        self._backoff = Backoff(self.config.reconnect)
        self._conflator = Conflator(self.config.max_messages_per_second)

    # -- what a kind of connection brings ------------------------------------------------------------------

    def _address(self) -> str:
        return self.config.url

    def _headers(self) -> dict[str, str]:
        return {}

    async def _meet(self, socket: Any) -> None:
        """On a new connection, before anything else."""

    @abstractmethod
    async def _ask(self, symbols: list[str]) -> None:
        """Ask the source for symbols."""

    @abstractmethod
    def _take(self, text: str | bytes) -> list[MarketDataMessage] | None:
        """What a text of the source's says; None: that was all.

        Raises:
            UNREADABLE, DataError: nothing that can be understood.
        """

    def _after(self) -> None:
        """Called after each text, for what has to be asked of the source now."""

    @abstractmethod
    def _lose(self) -> list[MarketDataMessage]:
        """The connection is gone: one ``LOST`` of each book that could be trusted."""

    # -- the connection ------------------------------------------------------------------------------------

    async def _open(self) -> None:
        optional("websockets")
        try:
            self._socket = await self._dial()
        except Exception as error:
            raise FeedError(f"{self._address()} cannot be reached: {_why(error)}") from error

    async def _dial(self) -> Any:
        from websockets.asyncio.client import connect  # the extra "live"

        beat = self.config.heartbeat
        socket = await connect(
            self._address(),
            additional_headers=self._headers(),
            max_size=MAX_MESSAGE,
            open_timeout=DIAL_SECONDS,
            ping_interval=beat,
            ping_timeout=beat,
            close_timeout=1,
        )
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                await self._meet(socket)
        except BaseException:
            socket.transport.abort()
            raise
        self.count["connections"] += 1
        self._told.clear()
        return socket

    async def _close(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()

    async def _request(self, text: str) -> None:
        """Send something, within the rate limit. On a connection that is lost it is not sent: the next one begins with
        everything that is subscribed to."""
        from websockets.exceptions import ConnectionClosed

        await self._requests.wait()
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._socket.send(text)

    async def _subscribe(self, symbols: list[str]) -> None:
        if self._socket is not None:
            await self._tell()

    async def _tell(self) -> None:
        new = [s for s in self._subscribed if s not in self._told]
        self._told.update(new)
        if new:
            await self._ask(new)

    async def _unsubscribe(self, symbols: list[str]) -> None:
        self._told.difference_update(symbols)

    def _help(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside the reading, for as long as the connection lasts; its failure is the feed's."""
        task = asyncio.get_running_loop().create_task(work)
        self._helpers.add(task)
        task.add_done_callback(self._helped)
        return task

    def _helped(self, task: asyncio.Task[None]) -> None:
        self._helpers.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._broken = task.exception()
            if self._socket is not None:
                self._socket.transport.abort()

    async def _leave(self) -> None:
        """The connection is gone: end what was under way on it."""
        helpers = list(self._helpers)
        for task in helpers:
            task.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)

    async def _produce(self) -> None:
        from websockets.exceptions import ConnectionClosed, InvalidHandshake

        while True:
            try:
                if self._socket is None:
                    self._socket = await self._dial()
                await self._tell()
                self.state = FeedState.CONNECTED
                if await self._read():
                    return
            except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError) as error:
                reason = _why(error)
            finally:
                await self._leave()
            if self._broken is not None:
                raise FeedError(f"{self._address()}: {_why(self._broken)}") from self._broken
            self.state = FeedState.LOST
            await self._out(self._lose())
            await self._hang_up()
            wait = self._backoff.delay()
            logger.warning("%s: %s; next attempt in %.1f s", self._address(), reason, wait)
            await self.clock.sleep(wait)

    async def _hang_up(self) -> None:
        """Leave a dead connection: no handshake, which nobody may answer."""
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.transport.abort()
            await socket.wait_closed()

    async def _read(self) -> bool:
        """Read until the connection is lost, which is an exception; True: the source has no more."""
        silence = self.config.heartbeat if self.silence_counts else None
        while True:
            due = self._conflator.due()
            patience = math.inf if due is None else max((due - self.clock.monotonic()) / 1e9, 0.0)
            flushing = patience < (silence or math.inf)
            try:
                async with asyncio.timeout(patience if flushing else silence):
                    text = await self._socket.recv()
            except TimeoutError:
                if not flushing:
                    raise TimeoutError(f"nothing was heard for {silence} s") from None
                await self._flush()
                continue
            try:
                found = self._take(text)
            except UNREADABLE as error:
                self.count["unreadable"] += 1
                logger.warning("%s: unreadable: %s (%s)", self._address(), text[:120], _why(error))
                found = self._damaged()
            else:
                self._backoff.reset()
            if found is None:
                return True
            await self._out(found)
            self._after()

    def _damaged(self) -> list[MarketDataMessage]:
        """After a text that could not be read: what is lost by it."""
        return []

    async def _out(self, messages: Iterable[MarketDataMessage]) -> None:
        """Deliver what was understood, within the rate limit of the configuration."""
        async with self._turn:
            before = self._conflator.merged
            for message in messages:
                if message.symbol not in self._subscribed:
                    continue
                self.count["received"] += 1
                if message.kind is DataKind.LOST:
                    logger.warning("%s: the book of %s is lost", self._address(), message.symbol)
                elif message.snapshot:
                    logger.info("%s: a picture of the whole book of %s", self._address(), message.symbol)
                if self.unix_stamps and message.kind is not DataKind.LOST:
                    self.delay = self.clock.unix() - message.timestamp
                now = self.clock.monotonic()
                for passing in self._conflator.offer(message, now):
                    await self._deliver(passing, now)
            self.count["conflated"] += self._conflator.merged - before

    async def _flush(self) -> None:
        async with self._turn:
            now = self.clock.monotonic()
            for passing in self._conflator.flush(now):
                if passing.symbol in self._subscribed:
                    await self._deliver(passing, now)


def _why(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
