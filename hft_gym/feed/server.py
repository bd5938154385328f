"""`FeedServer`: any feed, over WebSockets, to any number of clients. docs/feeds.md describes what is said."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Self

from hft_gym.config import build, setting, validate
from hft_gym.errors import ConfigError, DataError, FeedError
from hft_gym.extras import optional
from hft_gym.feed.base import DataFeed, logger
from hft_gym.feed.config import Policy
from hft_gym.feed.messages import SCHEMA_VERSION, to_wire
from hft_gym.feed.stream import FeedStream

__all__ = ["Allowance", "FeedServer", "FeedServerConfig", "check_access"]

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,256}")
OPS = ("subscribe", "unsubscribe", "snapshot")
MAX_REQUEST = 1 << 16
"""Bytes of a client's message at most."""


@dataclass(frozen=True)
class FeedServerConfig:
    """Where a server listens, and what it does for a client.

    Beyond loopback it demands a token; browsers of other sites are refused everywhere.
    """

    host: str = setting("127.0.0.1", min_length=1, doc="address to listen on; others than loopback need a token")
    port: int = setting(8765, low=0, high=65_535, doc="port to listen on; 0: any that is free")
    token: str = setting("", doc="what clients must show, 16 characters or more; empty: nothing (loopback only)")
    buffer_size: int = setting(1000, low=1, high=10**7, doc="messages that wait for a slow client at most")
    policy: Policy = setting("drop_oldest", doc="what a client's full buffer does: drop_oldest or keep_latest")
    heartbeat: float = setting(5.0, above=0.0, high=3600.0, doc="silence after which a heartbeat is sent [s]")
    max_clients: int = setting(256, low=1, high=100_000, doc="clients at one time")
    requests_per_second: float = setting(20.0, above=0.0, doc="of one client; one that asks more is disconnected")

    def __post_init__(self) -> None:
        validate(self)
        if self.policy == "block":
            raise ConfigError('policy is "block"; a client may not hold up the others: drop_oldest or keep_latest')
        check_access(self.host, self.token)


def check_access(host: str, token: str) -> None:
    """Whether a server may listen there: beyond loopback it needs a token, and a token has to be one.

    Raises:
        ConfigError: others can reach the host, and there is no token; or one that is too short, or could not stand in a
            header or a cookie.
    """
    if not token and not is_loopback(host):
        raise ConfigError(f"host is {host!r}, which others can reach: that needs a token")
    if token and not _TOKEN.fullmatch(token):
        raise ConfigError(
            f"token has {len(token)} characters; allowed are 16 to 256 letters, digits, hyphens and underscores"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Allowance:
    """A bucket of requests that fills at a rate; at most one second's worth, at least one.

    Args:
        rate: requests a second.
        now: seconds on any clock that never goes back.
    """

    def __init__(self, rate: float, now: float) -> None:
        self.rate, self.most = rate, max(rate, 1.0)
        self.left, self.at = self.most, now

    def spend(self, now: float) -> bool:
        """Take one; False: there was none left."""
        self.left = min(self.left + (now - self.at) * self.rate, self.most)
        self.at = now
        if self.left < 1.0 - 1e-9:
            return False
        self.left -= 1.0
        return True


class FeedServer:
    """Serves a connected feed.

    ::

        async with MockDataFeed(config) as feed, FeedServer(feed, {"port": 0}) as server:
            print(server.url)
            await server.wait()

    Args:
        feed: connected, subscribed to what clients may have, without a reader that blocks.
        config: a `FeedServerConfig`, or the same as a mapping.
    """

    def __init__(self, feed: DataFeed, config: FeedServerConfig | Mapping[str, Any] | None = None) -> None:
        self.feed = feed
        self.config = build(FeedServerConfig, config)
        self.clients = 0
        self._server: Any = None
        self._ended = asyncio.Event()
        self._error: FeedError | None = None

    @property
    def url(self) -> str:
        """Where clients find it, once it has started."""
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"ws://[{host}]:{port}" if ":" in host else f"ws://{host}:{port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            MissingExtraError: websockets is not installed.
        OSError: the address is taken, or none of this machine.
        """
        self._server = await optional("websockets.asyncio.server").serve(
            self._serve,
            self.config.host,
            self.config.port,
            # No Origin: programs. A browser always sends one, and is served by the dashboard instead.
            origins=[None],
            process_request=self._check,
            max_size=MAX_REQUEST,
            ping_interval=self.config.heartbeat,
            ping_timeout=4 * self.config.heartbeat,
            close_timeout=1,
            compression=None,
        )
        logger.info("%s: serving %s", self.url, self.feed.config.url)

    async def wait(self) -> None:
        """Until the feed has ended and a client was told so, or :meth:`stop`.

        Raises:
            FeedError: the feed has failed.
        """
        await self._ended.wait()
        if self._error is not None:
            raise self._error

    def end(self, error: FeedError | None = None) -> None:
        """The feed has no more, or has failed."""
        self._error = self._error or error
        self._ended.set()

    async def stop(self) -> None:
        """Disconnect all clients and listen no more."""
        self.end()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    # -- one client ----------------------------------------------------------------------------------------

    def _check(self, connection: Any, request: Any) -> Any:
        """Refuse whoever may not come in."""
        if self.config.token:
            shown = request.headers.get("Authorization", "").encode()
            if not hmac.compare_digest(shown, f"Bearer {self.config.token}".encode()):
                return connection.respond(401, "a token is needed, or another one\n")
        if self.clients >= self.config.max_clients:
            return connection.respond(503, f"{self.clients} clients are here, as many as may be\n")
        return None

    async def _serve(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        self.clients += 1
        logger.info("client %s is here, of %d", connection.remote_address, self.clients)
        try:
            with contextlib.closing(_Client(self, connection)) as client:
                await client.run()
        except ConnectionClosed as error:
            logger.info("client %s is gone: %s", connection.remote_address, error)
        finally:
            self.clients -= 1


class _Client:
    """What one client asked for, and what it was sent."""

    def __init__(self, server: FeedServer, connection: Any) -> None:
        self.server, self.feed, self.connection = server, server.feed, connection
        self.number = 0
        self.stream: FeedStream = self.feed.start_streaming(
            policy=server.config.policy, buffer_size=server.config.buffer_size, symbols=()
        )
        self.asked: set[str] = set()
        self.allowance = Allowance(server.config.requests_per_second, self.now())

    def close(self) -> None:
        self.stream.close()

    async def run(self) -> None:
        """Until the feed has ended, or the client has gone."""
        await self.send("hello", symbols=list(self.feed.symbols))
        both = [asyncio.create_task(self.talk()), asyncio.create_task(self.listen())]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def send(self, kind: str, **fields: Any) -> None:
        """Send one text; its number is counted for this connection."""
        self.number += 1
        text = json.dumps({"v": SCHEMA_VERSION, "seq": self.number, "type": kind, **fields}, separators=(",", ":"))
        await self.connection.send(text)

    async def talk(self) -> None:
        """Send what the feed says, and heartbeats in between."""
        while True:
            try:
                async with asyncio.timeout(self.server.config.heartbeat):
                    message = await anext(self.stream)
            except TimeoutError:
                await self.send("heartbeat", dropped=self.stream.drops)
            except StopAsyncIteration:
                await self.send("end")
                await self.connection.close()
                self.server.end()
                return
            except FeedError as error:
                self.server.end(error)
                await self.send("error", error=str(error))
                await self.connection.close(1011, "see the error")
                return
            else:
                wire = to_wire(message)
                await self.send(wire.pop("type"), **wire)

    async def listen(self) -> None:
        """Carry out what the client asks for; whoever asks for what there is not, or too much, is sent away."""
        async for text in self.connection:
            try:
                if not self.allowance.spend(self.now()):
                    raise DataError(f"too many requests; allowed are {self.allowance.rate:g} a second")
                self.obey(text)
            except DataError as error:
                logger.warning("client %s is sent away: %s", self.connection.remote_address, error)
                await self.send("error", error=str(error))
                await self.connection.close(1008, "see the error")
                return

    def now(self) -> float:
        """The feed's clock [s]."""
        return self.feed.clock.monotonic() / 1e9

    def obey(self, text: Any) -> None:
        """Carry out a request.

        Raises:
            DataError: it is none, or of something that there is not.
        """
        try:
            request = json.loads(text)
            version, op, symbols = request["v"], request["op"], request["symbols"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"a request is an object with v, op and symbols ({type(error).__name__}: {error})"
            ) from None
        if version != SCHEMA_VERSION:
            raise DataError(f"v is {version!r}; this server speaks {SCHEMA_VERSION}")
        if op not in OPS:
            raise DataError(f"op is {op!r}; allowed are {', '.join(OPS)}")
        known = self.feed.symbols
        if not isinstance(symbols, list) or not all(s in known for s in symbols):
            raise DataError(f"symbols is {symbols!r}; allowed are lists of {', '.join(known)}")
        wanted = self.stream.symbols
        assert wanted is not None
        if op == "unsubscribe":
            wanted.difference_update(symbols)
            return
        fresh = [s for s in symbols if op == "snapshot" or s not in wanted]
        wanted.update(symbols)
        self.feed.show(self.stream, fresh)
