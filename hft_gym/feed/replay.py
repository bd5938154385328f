"""`ReplayDataFeed`: a recorded day as a feed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hft_gym.data.replay import ReplayFeed
from hft_gym.errors import ConfigError, FeedError
from hft_gym.feed.base import FeedState
from hft_gym.feed.clock import Clock
from hft_gym.feed.config import DataFeedConfig
from hft_gym.feed.market import MarketFeed, Teller
from hft_gym.feed.messages import MarketDataMessage
from hft_gym.market import Market

__all__ = ["ReplayDataFeed"]


class ReplayDataFeed(MarketFeed):
    """Any file that the readers know (docs/data.md), replayed in compiled markets: one for each symbol.

    It ends with the file. Orders sent to ``feed.markets[...]`` stand in the queues of the historic book
    (docs/replay.md).

    Args:
        config: url ``replay:PATH`` or the path alone; ``symbols`` where the file has several.
        clock: for tests.
    """

    uses: ClassVar[tuple[str, ...]] = (*MarketFeed.uses, "start", "tick_size")

    def __init__(self, config: DataFeedConfig | Mapping[str, Any] | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(config, clock=clock)
        self.path = Path(self.config.url.removeprefix("replay:"))
        self._end = 0
        self._show({})

    async def seek(self, time: int) -> None:
        """Go to a time of the recorded day, back or forth; readers get the books as they were then, and what follows.

        Orders that were sent to the markets are gone: they are opened anew.

        Args:
            time: ns since midnight.

        Raises:
            FeedError: the feed is not connected, or over.
            ConfigError: outside the recorded day.
        """
        self._need_connection("seek")
        if self.state is not FeedState.CONNECTED:
            raise FeedError("seek: the feed is over; connect it anew")
        first = max(int(m.feed.times[0]) for m in self.markets.values() if m.feed is not None)
        if isinstance(time, bool) or not isinstance(time, int) or not first <= time <= self._end:
            raise ConfigError(f"seek: time is {time!r}; allowed are {first} to {self._end} ns since midnight")
        self._show(await asyncio.to_thread(self._load, time))
        self._restart_clock()

    async def _open(self) -> None:
        start = None if self.config.start < 0 else self.config.start
        tellers = await asyncio.to_thread(self._load, start)
        self._end = max(int(t.market.feed.times[-1]) for t in tellers.values() if t.market.feed is not None)
        self._show(tellers)

    def _load(self, start: int | None) -> dict[str, Teller]:
        tellers = {}
        tick = self.config.tick_size or None
        for symbol in self.config.symbols or (None,):
            feed = ReplayFeed.from_file(self.path, tick, symbol=symbol)
            room = min(max(feed.max_handles, self.config.market.max_orders), 2**20)
            settings = replace(self.config.market, tick_size=feed.tick_size, levels=4096, max_orders=room)
            market = Market(settings, self.config.seed, feed=feed, start=start, symbol=symbol)
            epoch = int(np.datetime64(feed.date, "ns").astype(np.int64)) if feed.date else 0
            tellers[market.symbol] = Teller(market, self.config.levels, feed.lot_size, epoch)
        return tellers

    def _advance(self, until: int) -> tuple[list[MarketDataMessage], bool]:
        found, _ = super()._advance(min(until, self._end))
        return found, self.time >= self._end
