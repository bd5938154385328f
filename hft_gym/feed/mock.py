"""`MockDataFeed`: simulated markets as a feed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.feed.clock import Clock
from hft_gym.feed.config import DataFeedConfig
from hft_gym.feed.market import MarketFeed, Teller
from hft_gym.market import Market, MarketConfig

__all__ = ["MockDataFeed", "market_seed"]


class MockDataFeed(MarketFeed):
    """One simulated market a symbol, seeded: the same configuration gives the same messages, at any speed.

    A symbol's market does not depend on which other symbols there are. Connecting again starts anew.

    Args:
        config: url ``mock://...``, and at least one symbol.
        markets: settings of single symbols' markets, instead of the configuration's ``market``; or `Market` objects,
            which go on from where they are.
        clock: for tests.

    Raises:
        ConfigError: no symbol, or a market for a symbol that is none of them.
    """

    def __init__(
        self,
        config: DataFeedConfig | Mapping[str, Any] | None = None,
        *,
        markets: Mapping[str, Market | MarketConfig | Mapping[str, Any] | str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(config, clock=clock)
        if not self.config.symbols:
            raise ConfigError("symbols: there are none; a mock feed needs at least one, such as AAPL")
        self._given = dict(markets or {})
        for symbol in self._given:
            if symbol not in self.config.symbols:
                near = did_you_mean(symbol, self.config.symbols)
                raise ConfigError(f"markets: {symbol!r} is none of the symbols{near}")
        self._show({})

    async def _open(self) -> None:
        tellers = {}
        for symbol in self.config.symbols:
            given = self._given.get(symbol, self.config.market)
            market = given
            if not isinstance(market, Market):
                market = Market(market, market_seed(self.config.seed, symbol), symbol=symbol)
            tellers[symbol] = Teller(market, self.config.levels)
        self._show(tellers)


def market_seed(seed: int, symbol: str) -> int:
    """The seed of a symbol's market: a number of 64 bits that depends on both and on nothing else."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{symbol}".encode()).digest()[:8], "little")
