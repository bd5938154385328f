"""Streams of market data, simulated, recorded and live, behind one asynchronous interface."""

from hft_gym.feed.base import DataFeed, FeedState, FeedStatistics
from hft_gym.feed.binance import BinanceDataFeed
from hft_gym.feed.clock import Clock
from hft_gym.feed.coinbase import CoinbaseDataFeed
from hft_gym.feed.config import DataFeedConfig, ReconnectConfig
from hft_gym.feed.messages import SCHEMA_VERSION, DataKind, MarketDataMessage
from hft_gym.feed.mock import MockDataFeed
from hft_gym.feed.opening import open_feed
from hft_gym.feed.recording import RecordedDataFeed, RecordingFeed, read_recording
from hft_gym.feed.replay import ReplayDataFeed
from hft_gym.feed.server import FeedServer, FeedServerConfig
from hft_gym.feed.stream import FeedStream
from hft_gym.feed.websocket import WebSocketDataFeed

__all__ = [
    "SCHEMA_VERSION",
    "BinanceDataFeed",
    "Clock",
    "CoinbaseDataFeed",
    "DataFeed",
    "DataFeedConfig",
    "DataKind",
    "FeedServer",
    "FeedServerConfig",
    "FeedState",
    "FeedStatistics",
    "FeedStream",
    "MarketDataMessage",
    "MockDataFeed",
    "RecordedDataFeed",
    "RecordingFeed",
    "ReconnectConfig",
    "ReplayDataFeed",
    "WebSocketDataFeed",
    "open_feed",
    "read_recording",
]
