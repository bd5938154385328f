"""``hft-gym serve-feed`` and ``hft-gym watch-feed``."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.live import Live
from rich.table import Table

from hft_gym.errors import ConfigError, FeedError
from hft_gym.terminal import make_console, parse_options


@dataclass(frozen=True)
class _FeedArgs:
    """Options of everything that opens a feed."""

    symbols: tuple[str, ...] = ()
    """Instruments (default: all that the source has; mock: AAPL)."""
    speed: float = 1.0
    """Mock, replay: seconds of market time in one of yours."""
    seed: int = 0
    """Mock: seed of the markets."""
    market: str = "default"
    """Mock: the market of each symbol, by the name of a preset or the TOML file of `hft-gym calibrate`."""
    max_messages_per_second: float = 0.0
    """More than that are conflated; 0: no limit."""
    levels: int = 10
    """Price levels a side in each message."""
    seconds: float = 0.0
    """Stop after so long; 0: when the source ends, or at Ctrl-C."""


@dataclass(frozen=True)
class ServeArgs(_FeedArgs):
    """Serve a data feed over WebSockets: JSON, whose schema is in docs/feeds.md.

    Beyond loopback a token is demanded (--token, or the environment's HFT_GYM_FEED_TOKEN).

    Example: hft-gym serve-feed --symbols AAPL MSFT --speed 10
    """

    feed: str = "mock://"
    """mock://, replay:FILE, recording:FOLDER, ws://..., binance://spot, binance://futures, coinbase://."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8765
    """Port to listen on; 0: any that is free."""
    token: str = ""
    """What clients must show: 16 to 256 letters, digits, hyphens and underscores."""
    policy: Literal["drop_oldest", "keep_latest"] = "drop_oldest"
    """What the full buffer of a slow client does."""
    buffer_size: int = 1000
    """Messages that wait for a slow client at most."""


@dataclass(frozen=True)
class WatchArgs(_FeedArgs):
    """Show the best quotes, last trades and statistics of a data feed.

    Example: hft-gym watch-feed mock:// --symbols AAPL MSFT
    """

    feed: Annotated[str, tyro.conf.Positional] = "ws://127.0.0.1:8765"
    """mock://, replay:FILE, recording:FOLDER, ws://..., binance://spot, binance://futures, coinbase://."""
    record: Path | None = None
    """Also write every message to this folder, as Parquet parts."""
    token: str = ""
    """What the server asks for."""


def is_mock(args: Any) -> bool:
    """Whether ``--feed`` is of simulated markets, which ``--seed`` and ``--market`` are for.

    Raises:
        ConfigError: no such feed; or it is another one, and one of the two is there.
    """
    from hft_gym.feed import MockDataFeed
    from hft_gym.feed.opening import feed_kind

    if issubclass(feed_kind(args.feed), MockDataFeed):
        return True
    for name in ("seed", "market"):
        value = getattr(args, name)
        if value != getattr(type(args)(), name):
            raise ConfigError(f"{name} is {value!r}, but the feed is {args.feed}; --{name} is for mock feeds")
    return False


def _config(args: ServeArgs | WatchArgs, policy: str = "drop_oldest") -> dict[str, Any]:
    if not 0.0 <= args.seconds < float("inf"):
        raise ConfigError(f"seconds is {args.seconds}; allowed are finite numbers from 0 (no limit)")
    mock = is_mock(args)
    symbols = args.symbols or (("AAPL",) if mock else ())
    given = ("speed", "seed", "market", "max_messages_per_second", "levels")
    return {"url": args.feed, "symbols": symbols, "policy": policy, **{name: getattr(args, name) for name in given}}


async def _until(seconds: float, work: Any) -> None:
    """Do *work*, for *seconds* at most (0: to its end)."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds or None):
            await work


def serve() -> int:
    """Entry of ``hft-gym serve-feed``."""
    import os

    from hft_gym.feed import FeedServer, FeedServerConfig, open_feed

    args: ServeArgs = parse_options(ServeArgs)
    token = args.token or os.environ.get("HFT_GYM_FEED_TOKEN", "")
    settings = FeedServerConfig(
        host=args.host, port=args.port, token=token, policy=args.policy, buffer_size=args.buffer_size
    )
    feed = open_feed(_config(args))

    async def run() -> None:
        async with feed:
            try:
                server = FeedServer(feed, settings)
                await server.start()
            except OSError as error:
                raise FeedError(f"cannot listen on {args.host}, port {args.port}: {error}") from error
            try:
                print(f"serving {', '.join(feed.symbols)} at {server.url}; stop with Ctrl-C", flush=True)
                await _until(args.seconds, server.wait())
            finally:
                await server.stop()

    asyncio.run(run())
    return 0


def watch() -> int:
    """Entry of ``hft-gym watch-feed``."""
    from hft_gym.feed import MarketDataMessage, RecordingFeed, open_feed

    args: WatchArgs = parse_options(WatchArgs)
    lossless = args.speed == float("inf")
    feed = open_feed({**_config(args, "block" if lossless else "drop_oldest"), "token": args.token})
    if args.record is not None:
        feed = RecordingFeed(feed, args.record)
    console = make_console(120)
    last: dict[str, MarketDataMessage] = {}

    def picture() -> Table:
        table = Table("symbol", "bid size", "bid", "ask", "ask size", "last trade", "event", box=None, padding=(0, 2))
        for symbol, m in last.items():
            cells = (m.bid_size, m.bid_price, m.ask_price, m.ask_size, m.price, m.sequence)
            table.add_row(symbol, *("-" if cell is None else f"{cell:,.12g}" for cell in cells))
        return table

    async def show() -> None:
        with Live(console=console, get_renderable=picture, refresh_per_second=4, transient=True):
            async for message in feed.start_streaming(policy="block" if lossless else "keep_latest"):
                last[message.symbol] = message

    async def run() -> None:
        async with feed:
            await _until(args.seconds, show())

    try:
        asyncio.run(run())
    finally:
        console.print(picture())
        counted = {name: value for name, value in asdict(feed.statistics).items() if value}
        console.print(", ".join(f"{name} {value:,}" for name, value in counted.items()), markup=False)
    return 0
