"""`PaperRun`: paper trading on any feed, from the first decision to the report; stopped and resumed at will."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

from hft_gym import __version__
from hft_gym.config import build, setting, to_dict, validate
from hft_gym.errors import CheckpointError, ConfigError, FeedError
from hft_gym.evaluation.episodes import Episodes
from hft_gym.feed import (
    BinanceDataFeed,
    CoinbaseDataFeed,
    DataFeed,
    DataFeedConfig,
    DataKind,
    FeedStream,
    MarketDataMessage,
    MockDataFeed,
    ReplayDataFeed,
)
from hft_gym.feed.config import check_used
from hft_gym.feed.opening import feed_kind
from hft_gym.feed.paced import PacedFeed
from hft_gym.files import hold, replace_file
from hft_gym.live.clock import SessionClock, checked_speed
from hft_gym.live.config import SessionConfig
from hft_gym.live.paper import Opening, PaperSession
from hft_gym.live.session import UNNAMED, LiveSession

__all__ = ["PaperConfig", "PaperRun"]

logger = logging.getLogger("hft_gym.live")
NAME = "paper.json"
LOCK = ".lock"
FINISHED = "finished.json"
SAVE_SECONDS = 1.0
_TICK_S = 0.005
_VENUES: dict[str, type[DataFeed]] = {"binance": BinanceDataFeed, "coinbase": CoinbaseDataFeed}
_USED = {"mock": ("url", "symbols", "policy", "speed", "seed"), "replay": ("url", "symbols", "policy", "speed")}
"""Of a feed's settings, those of the sessions that run without one."""


def source_of(url: str, venue: str = "") -> type[DataFeed]:
    """The kind of feed that an address names, where *venue* says whose stream a WebSocket address is.

    Raises:
        ConfigError: no such feed, or a venue of another address.
    """
    if venue and url.partition(":")[0] not in ("ws", "wss"):
        raise ConfigError(f"venue is {venue!r}, but the feed is {url}; a venue is for ws:// and wss:// addresses")
    return _VENUES[venue] if venue else feed_kind(url)


@dataclass(frozen=True)
class PaperConfig:
    """What to trade on, and who trades."""

    feed: DataFeedConfig = setting(factory=DataFeedConfig, doc="where the data come from")
    session: SessionConfig = setting(factory=SessionConfig, doc="who trades, and how")
    venue: Literal["", "binance", "coinbase"] = setting(
        "", doc="whose stream a WebSocket address is; none: that of a server of ours"
    )
    seconds: float = setting(0.0, low=0.0, high=1e9, doc="session time after which positions are closed; 0: no limit")

    def __post_init__(self) -> None:
        validate(self)
        if self.session.feed:
            raise ConfigError("session.feed: leave it out; the feed is what feed.url says")
        if self.kind == "live":
            if not self.feed.levels:
                raise ConfigError("feed.levels is 0; paper trading needs at least 1")
        else:
            checked_speed(self.feed.speed)
            check_used(self.feed, _USED[self.kind], f"paper trading on a {self.kind} feed")
        if self.kind == "mock":
            self.session.check_simulated()
            if self.session.seed:
                raise ConfigError("session.seed: leave it out; the seed of a mock feed is feed.seed")

    @property
    def kind(self) -> str:
        """``"mock"``, ``"replay"``, or ``"live"``: whatever only tells of a market."""
        kind = source_of(self.feed.url, self.venue)
        if issubclass(kind, MockDataFeed):
            return "mock"
        return "replay" if issubclass(kind, ReplayDataFeed) else "live"


class PaperRun:
    """A run in a folder, which holds its state about a second old at most.

    Args:
        folder: of the state; empty, or not there: then it is made, once trading begins.
        config: what to do; None: what the folder says, to go on with a run that was stopped or killed.
        on_turn: called with the session a few times a second, to show it.
        feed: instead of what ``config.feed`` says, for tests.

    One process at a time runs what is in a folder.

    Raises:
        ConfigError: a wrong setting, or a folder that holds another run, or anything else.
        CheckpointError: nothing to go on with, or a run that is over and reported.
    """

    def __init__(
        self, folder: str | Path, config: PaperConfig | Mapping[str, Any] | None = None, *,
        on_turn: Callable[[LiveSession], None] | None = None, feed: DataFeed | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.resumed = config is None
        if config is None:
            self.config = self._saved_config()
        else:
            self.config = build(PaperConfig, config)
            self._check_folder()
        if feed is not None:
            self.config = replace(self.config, feed=feed.config)
        self.session: LiveSession | None = None
        self.finished = False
        self._on_turn, self._feed = on_turn, feed
        self._stop = asyncio.Event()
        self._saved = 0.0
        self._lock: IO[bytes] | None = None

    def _check_folder(self) -> None:
        if (self.folder / LOCK).exists():
            self._hold().close()
        if (self.folder / FINISHED).exists():
            raise ConfigError(f"{self.folder} holds a run that is over; another one needs a folder of its own")
        if (self.folder / NAME).exists():
            raise ConfigError(f"{self.folder} holds a run already; --resume goes on with it")
        self._check_empty()

    def _check_empty(self) -> None:
        if self.folder.exists() and (not self.folder.is_dir() or {p.name for p in self.folder.iterdir()} - {LOCK}):
            raise ConfigError(f"{self.folder} is no empty folder; a run is kept in one that is empty, or not there")

    def _hold(self) -> IO[bytes]:
        held = hold(self.folder / LOCK)
        if held is None:
            raise ConfigError(f"{self.folder}: this run is going on already; stop it first")
        return held

    def _check_unfinished(self) -> None:
        if (self.folder / FINISHED).exists():
            stored = ", ".join(json.loads((self.folder / FINISHED).read_bytes())["parts"])
            raise CheckpointError(f"{self.folder}: the run is over, and stored as {stored}; nothing is left to do")

    def _saved_config(self) -> PaperConfig:
        self._check_unfinished()
        try:
            text = json.loads((self.folder / NAME).read_bytes())
        except FileNotFoundError:
            raise CheckpointError(f"{self.folder}: there is no run of paper trading to go on with") from None
        except ValueError as error:
            raise CheckpointError(f"{self.folder / NAME} is damaged ({error})") from error
        return build(PaperConfig, text)

    def stop(self) -> None:
        """End soon, with the state kept and positions as they are."""
        self._stop.set()

    async def run(self) -> list[Episodes]:
        """Trade until the end of the feed, ``seconds`` or `stop`; returns what everybody did.

        At the end of the feed or of ``seconds`` all positions are closed; after `stop` they are kept.

        Raises:
            FeedError: the feed cannot be had, or has failed; the state is kept.
            ConfigError: somebody else runs what is in the folder.
            ConfigError, DataError, CheckpointError: see `LiveSession` and `PaperSession`.
        """
        if self.resumed:
            self._lock = self._hold()
            self._check_unfinished()  # another process may have ended it meanwhile
        try:
            return await self._run()
        finally:
            if self._lock is not None:
                self._lock.close()

    async def _run(self) -> list[Episodes]:
        with _signals(self.stop):
            try:
                if self.config.kind == "live":
                    await self._follow()
                else:
                    await self._simulate()
            finally:
                if self.session is not None:
                    self._save(force=True)
        if self.session is None:
            return []
        seconds = self.session.time_ns / 1e9
        if self.finished:
            episodes = self.session.finish()
            self._save(force=True)
            logger.info("%s: over after %.1f s, positions are closed", self.folder, seconds)
            return episodes
        logger.info("%s: stopped after %.1f s, positions are kept", self.folder, seconds)
        return self.session.episodes()

    # -- simulated and recorded markets ----------------------------------------------------------------------

    async def _simulate(self) -> None:
        session = await asyncio.to_thread(self._open)
        until = round(self.config.seconds * 1e9) or None
        days = [floor.market.feed for floor in session.floors.values()]
        ends = [int(day.times[-1]) - session.origin for day in days if day is not None]
        if ends:
            if max(ends) <= 0:
                raise self._too_short(session)
            until = min(max(ends), until or max(ends))
        self.session = session
        self._begin()
        driver = SessionClock(session, self.config.feed.speed, until_ns=until)
        driver.start()
        try:
            while driver.running and not self._stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), 0.05)
                self._turn()
        finally:
            await driver.pause()
        await driver.wait()
        if driver.error is not None:
            raise driver.error
        self.finished = not self._stop.is_set()

    def _open(self) -> LiveSession:
        if self.resumed:
            return LiveSession.load(self.folder)
        config, feed = self.config.session, self.config.feed
        if self.config.kind == "mock":
            given: dict[str, Any] = {"symbols": feed.symbols or config.symbols, "seed": feed.seed}
        else:
            given = {"feed": feed.url.removeprefix("replay:"), "symbols": feed.symbols or (UNNAMED,)}
        return LiveSession(replace(config, **given))

    # -- live feeds --------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        settings = self.config.feed
        feed = self._feed or source_of(settings.url, self.config.venue)(settings)
        paced = isinstance(feed, PacedFeed)
        async with feed:
            stream = feed.start_streaming(
                policy="block" if paced else "drop_oldest", buffer_size=max(settings.buffer_size, 50_000)
            )
            after = _saved_now(self.folder) if self.resumed else 0

            def at(message: MarketDataMessage) -> int:
                # A paced feed is a recording, whose own clock counts; else it is ours, on which we learn of things.
                return message.timestamp if paced else feed.clock.unix()

            stopper = asyncio.ensure_future(self._stop.wait())
            reader = asyncio.ensure_future(self._read(feed, stream, at, after))
            ticker = asyncio.ensure_future(self._tick(feed, None if paced else feed.clock.unix))
            tasks: list[asyncio.Future[Any]] = [stopper, reader, ticker]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for part in (reader, ticker):
                    if part.done():
                        part.result()  # raises what it failed with
                if self.session is not None and not self._stop.is_set():
                    if not any(floor.opened for floor in self.session.floors.values()):
                        raise self._too_short(self.session)
                    self.finished = True
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                stream.close()

    async def _read(
        self, feed: DataFeed, stream: FeedStream, at: Callable[[MarketDataMessage], int], after: int
    ) -> None:
        """Open on the first pictures of the books, then tell the session of everything."""
        openings: dict[str, Opening] = {}
        async for message in stream:
            time_ns = at(message)
            if isinstance(self.session, PaperSession):
                self.session.tell(message, time_ns)
                if self._is_over():
                    return
                if len(stream):
                    await asyncio.sleep(0)
                continue
            if message.bid_price is not None and message.ask_price is not None and not (message.bids and message.asks):
                raise FeedError(f"{self.config.feed.url}: it shows the best quotes alone; price levels are needed")
            openings.pop(message.symbol, None)
            if message.kind is not DataKind.LOST and message.bids and message.asks and time_ns > after:
                openings[message.symbol] = (message, time_ns)
            if openings.keys() >= set(feed.symbols):
                # Books of other symbols may have changed while the last one was awaited: all open now.
                self.session = self._opened(feed, {s: (m, time_ns) for s, (m, _) in openings.items()})
                self._begin()
        if self.session is None:
            raise FeedError(f"{self.config.feed.url}: the feed ended before there was a book with both sides")

    def _opened(self, feed: DataFeed, openings: Mapping[str, Opening]) -> PaperSession:
        if self.resumed:
            return PaperSession.load(self.folder, openings)
        return PaperSession(replace(self.config.session, symbols=feed.symbols, feed=self.config.feed.url), openings)

    async def _tick(self, feed: DataFeed, unix: Callable[[], int] | None) -> None:
        """Let time pass while nothing comes (of a recording only messages do)."""
        while not self._is_over():
            await feed.clock.sleep(_TICK_S)
            if isinstance(self.session, PaperSession) and unix is not None:
                self.session.advance_to(unix())
            self._turn()

    def _is_over(self) -> bool:
        limit = round(self.config.seconds * 1e9)
        return bool(limit) and self.session is not None and self.session.time_ns >= limit

    def _too_short(self, session: LiveSession) -> FeedError:
        warm_up = session.config.market.warm_up_ns / 1e9
        return FeedError(
            f"{self.config.feed.url}: it ended before the first decision, which comes after a warm-up of {warm_up:g} s"
        )

    # -- the folder ---------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if not self.resumed:
            self._check_folder()  # another run may have begun there meanwhile
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = self._hold()
            self._check_empty()
            replace_file(self.folder / NAME, json.dumps(to_dict(self.config)))
        self._save(force=True)
        how = "goes on" if self.resumed else "begins"
        logger.info("%s: paper trading %s on %s", self.folder, how, self.config.feed.url)

    def _turn(self) -> None:
        self._save()
        if self._on_turn is not None and self.session is not None:
            self._on_turn(self.session)

    def _save(self, force: bool = False) -> None:
        now = time.monotonic()
        if self.session is not None and (force or now - self._saved >= SAVE_SECONDS):
            self.session.save(self.folder)
            self._saved = time.monotonic()

    def reported(self, parts: list[str]) -> None:
        """Note that a run that is over has been stored under these identifiers: nobody goes on with it any more."""
        if self.finished:
            replace_file(self.folder / FINISHED, json.dumps({"parts": parts}))

    def meta(self, command: str | None = None) -> dict[str, Any]:
        """What a report keeps of the run."""
        if self.session is None:
            raise ConfigError("the run has no session yet")
        config = to_dict(self.session.config)
        return {
            "config": {**config, "feed": config["feed"] or None},
            "paper": {
                "feed": self.config.feed.url,
                "symbols": list(self.session.config.symbols),
                "seconds": self.session.time_ns / 1e9,
                "finished": self.finished,
            },
            "versions": {"hft_gym": __version__},
            "command": command,
        }


def _saved_now(folder: Path) -> int:
    """The markets' clock when a session was saved [ns]."""
    from hft_gym.live.store import read

    return int(read(folder)["now"])


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call *stop* meanwhile, where the loop and the thread allow it."""
    loop = asyncio.get_running_loop()
    heard = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows' loops have no such handlers (NotImplementedError); threads other than the main one may not.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop)
            heard.append(number)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
