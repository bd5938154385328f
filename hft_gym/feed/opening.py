"""`open_feed`: the feed that an address names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hft_gym.config import build, did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.feed.base import DataFeed
from hft_gym.feed.binance import BinanceDataFeed
from hft_gym.feed.coinbase import CoinbaseDataFeed
from hft_gym.feed.config import SHORT, DataFeedConfig
from hft_gym.feed.mock import MockDataFeed
from hft_gym.feed.recording import RecordedDataFeed
from hft_gym.feed.replay import ReplayDataFeed
from hft_gym.feed.websocket import WebSocketDataFeed

__all__ = ["SCHEMES", "feed_kind", "open_feed"]

SCHEMES: dict[str, tuple[type[DataFeed], str]] = {
    "mock": (MockDataFeed, "simulated markets: mock://"),
    "replay": (ReplayDataFeed, "a recorded file: replay:PATH, or the path alone"),
    "recording": (RecordedDataFeed, "a folder that a RecordingFeed wrote: recording:PATH, or the path alone"),
    "ws": (WebSocketDataFeed, "a server of ours: ws://127.0.0.1:8765"),
    "wss": (WebSocketDataFeed, "the same behind TLS"),
    "binance": (BinanceDataFeed, "Binance's public streams: binance://spot, binance://futures"),
    "coinbase": (CoinbaseDataFeed, "Coinbase's public channels: coinbase://"),
}
"""Scheme of an address -> (kind of feed, what it is)."""


def feed_kind(url: str) -> type[DataFeed]:
    """The kind of feed that an address names.

    Raises:
        ConfigError: a scheme that is none of SCHEMES, and no file or folder.
    """
    scheme, colon, _ = SHORT.get(url, url).partition(":")
    if colon and scheme in SCHEMES:
        return SCHEMES[scheme][0]
    path = Path(url)
    if path.is_dir():
        return RecordedDataFeed
    if path.is_file():
        return ReplayDataFeed
    raise ConfigError(f"url is {url!r}, neither a file nor an address{did_you_mean(scheme, tuple(SCHEMES))}")


def open_feed(config: DataFeedConfig | Mapping[str, Any] | str) -> DataFeed:
    """A feed by its address; it is not connected yet.

    >>> open_feed({"url": "mock://", "symbols": ["AAPL"]})  # doctest: +ELLIPSIS
    <hft_gym.feed.mock.MockDataFeed object at ...>

    Args:
        config: a `DataFeedConfig`, the same as a mapping, or its url alone.

    Raises:
        ConfigError: a scheme that is none of SCHEMES, or a setting that is not allowed.
    """
    settings = build(DataFeedConfig, {"url": config} if isinstance(config, str) else config)
    return feed_kind(settings.url)(settings)
