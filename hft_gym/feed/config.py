"""The settings of a feed."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Literal

from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError
from hft_gym.market.config import MarketConfig

__all__ = ["SHORT", "DataFeedConfig", "Policy", "ReconnectConfig"]

Policy = Literal["drop_oldest", "keep_latest", "block"]
"""What a full buffer does; `hft_gym.feed.stream` says it in full."""

SHORT = {"mock": "mock://localhost", "binance": "binance://spot", "coinbase": "coinbase://"}
"""Addresses that may be told by one word."""


@dataclass(frozen=True)
class ReconnectConfig:
    """How a lost connection is sought again: after *n* failures wait ``first * factor**(n - 1)`` seconds, at most
    ``longest``, less a random share of it up to ``jitter``, so that many clients do not come back at once.
    """

    first: float = setting(0.5, above=0.0, high=3600.0, doc="wait after the first failure [s]")
    factor: float = setting(2.0, low=1.0, high=10.0, doc="growth of the wait")
    longest: float = setting(30.0, above=0.0, high=86_400.0, doc="longest wait [s]")
    jitter: float = setting(0.5, low=0.0, high=1.0, doc="share of the wait that is random")
    attempts: int = setting(0, low=0, high=10**6, doc="failures in a row before the feed gives up; 0: never")

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class DataFeedConfig:
    """Settings of any feed; a kind of feed that has no use for one of them refuses it.

    >>> DataFeedConfig(url="mock://localhost", symbols=["AAPL", "MSFT"]).symbols
    ('AAPL', 'MSFT')
    """

    url: str = setting("mock://localhost", min_length=1, doc="where the data come from; see `open_feed`")
    symbols: tuple[str, ...] = setting((), doc="the instruments that the feed carries; of a server: none means all")
    buffer_size: int = setting(1000, low=1, high=10**7, doc="messages that wait for a slow reader at most")
    policy: Policy = setting("drop_oldest", doc="what a full buffer does")
    max_messages_per_second: float = setting(
        0.0, low=0.0, high=1e9, doc="more than that, over all symbols, are conflated; 0: no limit"
    )
    levels: int = setting(10, low=0, high=1000, doc="price levels a side in each message; 0: the best quotes alone")
    seed: int = setting(0, low=0, high=2**64 - 1, doc="mock: seed of the markets")
    speed: float = setting(1.0, low=0.0, infinite=True, doc="mock, replay: seconds of market time in one of ours")
    market: MarketConfig = setting(factory=MarketConfig, doc="mock: the market of each symbol")
    start: int = setting(-1, low=-1, high=2**62, doc="replay: where to begin [ns since midnight]; -1: at the first row")
    tick_size: float = setting(0.0, low=0.0, doc="replay: the tick in currency; 0: found from the data")
    heartbeat: float = setting(15.0, above=0.0, high=3600.0, doc="silence after which a connection counts as dead [s]")
    reconnect: ReconnectConfig = setting(factory=ReconnectConfig, doc="how a lost connection is sought again")
    rest_url: str = setting("", doc="Binance: address of the snapshots; empty: the one that belongs to the url")
    token: str = setting("", doc="our server: the token that it asks for")

    def __post_init__(self) -> None:
        validate(self)
        object.__setattr__(self, "url", SHORT.get(self.url, self.url))
        twice = sorted({s for s in self.symbols if self.symbols.count(s) > 1})
        if twice:
            raise ConfigError(f"symbols: {', '.join(twice)} is there more than once")
        if "" in self.symbols:
            raise ConfigError("symbols: got an empty name; allowed are names of at least one character")
        check_speed(self.speed, self.policy)


def check_used(config: DataFeedConfig, used: Collection[str], who: str) -> None:
    """What *who* has no use for is left as it is.

    Raises:
        ConfigError: another setting than *used* was given.
    """
    plain = DataFeedConfig()
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name not in used and value != getattr(plain, field.name):
            plain_text = isinstance(value, (str, int, float)) and field.name != "token"  # which is nobody's to read
            shown = repr(value) if plain_text else "given"
            raise ConfigError(f"{field.name} is {shown}, but {who} has no use for it; allowed are {', '.join(used)}")


def check_speed(speed: float, policy: str) -> None:
    """A feed without a pace of its own takes its reader's.

    Raises:
        ConfigError: an infinite speed with a policy that lets messages go.
    """
    if not isinstance(speed, (int, float)) or isinstance(speed, bool) or math.isnan(speed) or speed < 0:
        raise ConfigError(f"speed is {speed!r}; allowed are numbers from 0 (stands still) to inf (the reader's pace)")
    if math.isinf(speed) and policy != "block":
        raise ConfigError(f'speed is inf, the reader\'s pace: that needs policy "block", found {policy!r}')
