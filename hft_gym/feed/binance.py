"""`BinanceDataFeed`: Binance's public depth and trade streams, spot and futures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from hft_gym.data.binance import BinanceProtocol
from hft_gym.data.captures import UNREADABLE
from hft_gym.errors import ConfigError, FeedError
from hft_gym.extras import optional
from hft_gym.feed.base import logger
from hft_gym.feed.clock import Clock
from hft_gym.feed.config import DataFeedConfig
from hft_gym.feed.connection import Backoff, RateLimit
from hft_gym.feed.exchange import ExchangeFeed

__all__ = ["BinanceDataFeed"]

VENUES = {
    "spot": ("wss://stream.binance.com:9443/stream", "https://api.binance.com/api/v3/depth?limit=5000"),
    "futures": ("wss://fstream.binance.com/stream", "https://fapi.binance.com/fapi/v1/depth?limit=1000"),
}
_BY_URL = dict(VENUES.values())


class BinanceDataFeed(ExchangeFeed):
    """Depth updates every 100 ms and all trades of any symbols (``BTCUSDT``), over one connection.

    A book is built as Binance says (the rules are `hft_gym.data.binance.BinanceProtocol`'s): updates are held back, a
    REST snapshot is fetched, those that it holds already are dropped. A gap does the same again. Binance takes five
    requests a second of a connection; snapshots are fetched at one a second at most, and not at all for as long as the
    exchange asks to wait (``Retry-After`` of statuses 418 and 429).

    Args:
        config: url ``binance://spot``, ``binance://futures``, or a WebSocket address, then with ``rest_url``.
        clock: for tests.
    """

    uses: ClassVar[tuple[str, ...]] = (*ExchangeFeed.uses, "rest_url")
    requests_per_second: ClassVar[float] = 4.0
    snapshots_per_second: ClassVar[float] = 1.0
    silence_counts: ClassVar[bool] = False  # a quiet market says nothing; pings tell whether the connection lives

    def __init__(self, config: DataFeedConfig | Mapping[str, Any] | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(config, clock=clock)
        url = urlsplit(self.config.url)
        if url.scheme == "binance":
            if url.netloc not in VENUES:
                raise ConfigError(
                    f"url is {self.config.url!r}; allowed are {', '.join('binance://' + v for v in VENUES)}"
                )
            self._stream, rest = VENUES[url.netloc]
        else:
            self._stream, rest = self.config.url, _BY_URL.get(self.config.url, "")
        self._rest = self.config.rest_url or rest
        if not self._rest:
            raise ConfigError("rest_url is empty; of a WebSocket address of your own, say where the snapshots are")
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._snapshots = RateLimit(self.snapshots_per_second, self.clock)
        self._ids = 0

    async def _open(self) -> None:
        optional("httpx")
        await super()._open()

    def _address(self) -> str:
        return self._stream

    def _protocol(self) -> BinanceProtocol:
        return BinanceProtocol(self.log, self.config.url, resync=True)

    # -- the stream ----------------------------------------------------------------------------------------

    async def _ask(self, symbols: list[str]) -> None:
        await self._method("SUBSCRIBE", symbols)

    async def _unsubscribe(self, symbols: list[str]) -> None:
        await super()._unsubscribe(symbols)
        await self._method("UNSUBSCRIBE", symbols)
        for symbol in symbols:
            self.protocol.lose(symbol)
            self._trusted.discard(symbol)
            if symbol in self._fetching:
                self._fetching[symbol].cancel()

    async def _method(self, method: str, symbols: list[str]) -> None:
        self._ids += 1
        streams = [f"{symbol.lower()}@{what}" for symbol in symbols for what in ("depth@100ms", "trade")]
        await self._request(json.dumps({"method": method, "params": streams, "id": self._ids}))

    def _understand(self, text: str | bytes) -> None:
        message = json.loads(text)
        if "stream" in message:
            if str(message["data"]["s"]) in self._subscribed:
                self.protocol.message(message, self.clock.unix())
        elif "error" in message:
            raise FeedError(f"{self._stream} refuses: {message['error']}")
        elif "result" not in message:
            raise ValueError("is neither data nor the answer to a request")

    def _forget(self) -> None:
        for symbol in self._subscribed:
            self.protocol.lose(symbol)

    # -- snapshots -----------------------------------------------------------------------------------------

    def _after(self) -> None:
        for symbol in self.stale - self._fetching.keys():
            self._fetching[symbol] = self._help(self._fetch(symbol))

    async def _fetch(self, symbol: str) -> None:
        """Fetch snapshots until one fits the updates that are held back."""
        try:
            await self._fetch_until_it_fits(symbol)
        finally:
            del self._fetching[symbol]

    async def _fetch_until_it_fits(self, symbol: str) -> None:
        import httpx  # the extra "live"

        backoff = Backoff(self.config.reconnect)
        async with httpx.AsyncClient(timeout=self.config.heartbeat) as client:
            while symbol in self.stale:
                await self._snapshots.wait()
                try:
                    answer = await client.get(self._rest, params={**_query(self._rest), "symbol": symbol})
                    if answer.status_code in (418, 429):
                        pause = float(answer.headers.get("Retry-After", self.config.reconnect.longest))
                        logger.warning("%s: asked to wait %g s", self._rest, pause)
                        self._snapshots.hold(pause)
                        continue
                    answer.raise_for_status()
                    self.protocol.message({**answer.json(), "symbol": symbol}, self.clock.unix())
                    found = self._tell_of()
                except (httpx.HTTPError, *UNREADABLE) as error:
                    logger.warning("%s: no snapshot of %s: %s", self._rest, symbol, error)
                    await self._out(self._damaged())
                    await self.clock.sleep(backoff.delay())
                else:
                    await self._out(found)


def _query(url: str) -> dict[str, str]:
    """The parameters that an address brings already."""
    return dict(part.split("=", 1) for part in urlsplit(url).query.split("&") if "=" in part)
