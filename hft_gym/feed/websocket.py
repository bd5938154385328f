"""`WebSocketDataFeed`: the client of `hft_gym.feed.server.FeedServer`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from hft_gym.data.captures import UNREADABLE
from hft_gym.errors import DataError, FeedError
from hft_gym.feed.clock import Clock
from hft_gym.feed.config import DataFeedConfig
from hft_gym.feed.connection import ConnectionFeed
from hft_gym.feed.messages import SCHEMA_VERSION, DataKind, MarketDataMessage, from_wire

__all__ = ["WebSocketDataFeed"]


class WebSocketDataFeed(ConnectionFeed):
    """A feed that ``hft-gym serve-feed`` (or a `FeedServer`) sends over a WebSocket.

    Every text of a connection has a number; where one is missing or comes again, the books are asked for anew. The
    server's heartbeats make silence a sign of a dead connection.

    Args:
        config: url ``ws://host:port``; ``token`` if the server asks for one; no ``symbols`` means all it has.
        clock: for tests.
    """

    uses: ClassVar[tuple[str, ...]] = (*ConnectionFeed.uses, "token")
    requests_per_second: ClassVar[float] = 10.0

    def __init__(self, config: DataFeedConfig | Mapping[str, Any] | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(config, clock=clock)
        self._offered: tuple[str, ...] = ()
        self._number = 0
        self._behind: set[str] = set()
        """Symbols whose book was asked for anew."""

    def _known(self) -> tuple[str, ...]:
        return self._offered or self.config.symbols

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.config.token}"} if self.config.token else {}

    async def _meet(self, socket: Any) -> None:
        try:
            hello = _read(await socket.recv())
        except UNREADABLE as error:
            raise ConnectionError(f"begins with what cannot be read: {error}") from error
        if hello.get("type") != "hello":
            raise FeedError(f"{self.config.url} is no feed server: it begins with {str(hello)[:80]}")
        if hello.get("v") != SCHEMA_VERSION:
            raise FeedError(f"{self.config.url} speaks version {hello.get('v')!r}; this hft_gym reads {SCHEMA_VERSION}")
        self._offered = tuple(str(s) for s in hello["symbols"])
        self._number = int(hello["seq"])

    async def _ask(self, symbols: list[str]) -> None:
        await self._op("subscribe", symbols)

    async def _unsubscribe(self, symbols: list[str]) -> None:
        await super()._unsubscribe(symbols)
        await self._op("unsubscribe", symbols)

    async def _op(self, op: str, symbols: list[str]) -> None:
        await self._request(json.dumps({"v": SCHEMA_VERSION, "op": op, "symbols": symbols}))

    def _take(self, text: str | bytes) -> list[MarketDataMessage] | None:
        message = _read(text)
        number = message["seq"]
        if type(number) is not int:
            raise DataError(f"seq is {number!r}; allowed are whole numbers")
        if number <= self._number:
            self.count["repeats"] += 1
            return []
        found = []
        if number != self._number + 1:
            self.count["gaps"] += 1
            found = self._lost()
        self._number = number
        kind = message["type"]
        if kind == "end":
            return None
        if kind == "error":
            raise FeedError(f"{self.config.url} refuses: {message.get('error')}")
        if kind != "heartbeat":
            news = from_wire(message)
            if news.snapshot:
                self._behind.discard(news.symbol)
            if news.symbol not in self._behind:
                found.append(news)
        return found

    def _lost(self) -> list[MarketDataMessage]:
        """Texts are missing: which symbol's, nobody knows."""
        symbols = [s for s in self._latest if s not in self._behind]
        self._behind.update(self._subscribed)
        return [_gone(self._latest[s]) for s in symbols]

    def _damaged(self) -> list[MarketDataMessage]:
        # A text that cannot be read may have been news, or have had a number: only a new picture helps.
        return self._lost()

    def _after(self) -> None:
        symbols = [s for s in self._behind if s in self._told]
        if symbols and not self._helpers:
            self._help(self._recover(symbols))

    async def _recover(self, symbols: list[str]) -> None:
        await self._op("snapshot", symbols)
        await self.clock.sleep(1.0)  # then, if they have not come, ask again

    def _lose(self) -> list[MarketDataMessage]:
        lost = self._lost()
        self._behind.clear()  # the next connection begins with pictures
        return lost


def _read(text: str | bytes) -> dict[str, Any]:
    message = json.loads(text)
    if not isinstance(message, dict):
        raise DataError(f"is {type(message).__name__}; allowed are objects")
    return message


def _gone(last: MarketDataMessage) -> MarketDataMessage:
    """The last known message of a symbol as the news that its book is lost."""
    return last._replace(
        kind=DataKind.LOST, bid_price=None, ask_price=None, bid_size=0, ask_size=0, volume=0, side=None, bids=(),
        asks=(), snapshot=False, conflated=0,
    )  # fmt: skip
