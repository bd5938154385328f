"""`CoinbaseDataFeed`: Coinbase Advanced Trade's public level-2 and trade channels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from hft_gym.data.coinbase import CoinbaseProtocol
from hft_gym.errors import FeedError
from hft_gym.feed.clock import Clock
from hft_gym.feed.config import DataFeedConfig
from hft_gym.feed.exchange import ExchangeFeed

__all__ = ["CoinbaseDataFeed"]

ADDRESS = "wss://advanced-trade-ws.coinbase.com"
_CHANNELS = ("level2", "market_trades")


class CoinbaseDataFeed(ExchangeFeed):
    """The whole book and all trades of any products (``BTC-USD``), over one connection.

    Coinbase sends a snapshot first, then updates; every message of a connection has a number. A gap in the numbers does
    not tell whose update is missing, so all books are asked for anew: the channel is left and joined again, which
    brings new snapshots. Heartbeats come every second: silence means a dead connection.

    Args:
        config: url ``coinbase://`` or a WebSocket address.
        clock: for tests.
    """

    requests_per_second: ClassVar[float] = 7.0

    def __init__(self, config: DataFeedConfig | Mapping[str, Any] | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(config, clock=clock)
        self._healing: dict[str, int] = {}
        """Product -> when it was asked for anew."""

    def _address(self) -> str:
        return ADDRESS if self.config.url.startswith("coinbase:") else self.config.url

    def _protocol(self) -> CoinbaseProtocol:
        return CoinbaseProtocol(self.log, self.config.url, resync=True)

    async def _ask(self, symbols: list[str]) -> None:
        await self._channel("subscribe", "heartbeats", symbols)
        for channel in _CHANNELS:
            await self._channel("subscribe", channel, symbols)

    async def _unsubscribe(self, symbols: list[str]) -> None:
        await super()._unsubscribe(symbols)
        for channel in _CHANNELS:
            await self._channel("unsubscribe", channel, symbols)
        self._trusted.difference_update(symbols)

    async def _channel(self, what: str, channel: str, products: list[str]) -> None:
        await self._request(json.dumps({"type": what, "product_ids": products, "channel": channel}))

    def _understand(self, text: str | bytes) -> None:
        message = json.loads(text)
        if message.get("type") == "error":
            raise FeedError(f"{self._address()} refuses: {message.get('message', message)}")
        self.protocol.message(message, self.clock.unix(), str(self.count["connections"]))

    def _forget(self) -> None:
        self.protocol.lose_all()
        # The next connection asks for everything anyway.
        self._healing = dict.fromkeys(self._subscribed, self.clock.monotonic())

    def _after(self) -> None:
        now = self.clock.monotonic()
        stale = self.stale
        for product in self._healing.keys() - stale:
            del self._healing[product]
        patience = int(self.config.heartbeat * 1e9)
        new = [p for p in sorted(stale) if now - self._healing.get(p, now - patience - 1) > patience]
        if new and set(new) <= self._told:
            self._healing.update(dict.fromkeys(new, now))
            self._help(self._rejoin(new))

    async def _rejoin(self, products: list[str]) -> None:
        await self._channel("unsubscribe", "level2", products)
        await self._channel("subscribe", "level2", products)
