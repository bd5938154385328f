"""`RecordingFeed`: writes what passes through it to a folder of Parquet parts; `RecordedDataFeed` plays it back.

A part is written under another name, brought to the disk, and renamed: whatever happens, every part there is can be
read. A hundred parts are joined into one, whose name tells which; until those are deleted, readers leave them out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

from hft_gym.errors import ConfigError, DataError
from hft_gym.extras import optional
from hft_gym.feed.base import DataFeed, logger
from hft_gym.feed.clock import Clock
from hft_gym.feed.config import DataFeedConfig
from hft_gym.feed.messages import SCHEMA_VERSION, DataKind, MarketDataMessage
from hft_gym.feed.paced import PacedFeed
from hft_gym.types import OrderSide

__all__ = ["RecordedDataFeed", "RecordingFeed", "read_recording", "recorded_parts"]

PART_SECONDS = 0.5
"""How long messages wait before they are written."""
JOINED = 100
"""Parts that become one."""
MOST_ROWS = 50_000
"""Messages that wait for the disk at most; then the recorder takes no more from its feed."""

_NAME = re.compile(r"part-(\d{8})-(\d{8})\.parquet")
_DRAFT = re.compile(r"part-\d{8}-\d{8}\.tmp")
_MARK = b"hft_gym.writer"
_LADDERS = ("bid_prices", "bid_sizes", "ask_prices", "ask_sizes")
_PLAIN = ("timestamp", "price", "bid_price", "ask_price", "bid_size", "ask_size", "volume", "sequence", "snapshot",
          "conflated")  # fmt: skip


def recorded_parts(folder: Path) -> list[Path]:
    """The parts of a recording, in order; each message is in one of them.

    Raises:
        DataError: there is no such folder, or no part in it.
    """
    found = sorted(_ranges(folder), key=lambda part: (part[0], -part[1])) if folder.is_dir() else []
    kept: list[Path] = []
    reached = 0
    for _, last, path in found:
        if last > reached:
            kept.append(path)
            reached = last
    if not kept:
        raise DataError("is no folder of a recording: it has no part-*.parquet", folder)
    return kept


def _ranges(folder: Path) -> Iterator[tuple[int, int, Path]]:
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match:
            yield int(match[1]), int(match[2]), path


def _may_record(folder: Path) -> bool:
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else [folder.name]
    return not names or any(_NAME.fullmatch(name) or _DRAFT.fullmatch(name) for name in names)


def read_recording(folder: str | os.PathLike[str]) -> Any:
    """A whole recording as an Arrow table: the fields of `MarketDataMessage`, ``received`` (clock of the recorder, ns
    since 1970), and the levels as lists.

    Raises:
        DataError: there is none, or a part is damaged.
    """
    pa = optional("pyarrow")
    return pa.concat_tables([_read(path) for path in recorded_parts(Path(folder))])


def _read(path: Path) -> Any:
    pa, pq = optional("pyarrow"), optional("pyarrow.parquet")
    try:
        table = pq.read_table(str(path))
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"cannot be read as Parquet ({error})", path) from error
    version = (table.schema.metadata or {}).get(b"hft_gym.messages")
    if version != str(SCHEMA_VERSION).encode():
        raise DataError(f"is of schema {version!r}; this hft_gym reads {SCHEMA_VERSION}", path)
    return table


def to_table(rows: list[tuple[MarketDataMessage, int]]) -> Any:
    """Messages and when they were received [ns since 1970] as an Arrow table."""
    import pyarrow as pa

    ladder = pa.list_(pa.float64())
    types = {"timestamp": pa.int64(), "sequence": pa.int64(), "snapshot": pa.bool_(), "conflated": pa.int64()}
    messages = [message for message, _ in rows]
    columns = {
        "symbol": pa.array([m.symbol for m in messages], pa.string()),
        "kind": pa.array([m.kind.value for m in messages], pa.string()),
        "side": pa.array([None if m.side is None else m.side.name.lower() for m in messages], pa.string()),
        "received": pa.array([received for _, received in rows], pa.int64()),
    }
    for name in _PLAIN:
        columns[name] = pa.array([getattr(m, name) for m in messages], types.get(name, pa.float64()))
    for i, name in enumerate(_LADDERS):
        sides = [m.bids if i < 2 else m.asks for m in messages]
        columns[name] = pa.array([[level[i % 2] for level in side] for side in sides], ladder)
    return pa.table(columns).replace_schema_metadata({"hft_gym.messages": str(SCHEMA_VERSION)})


def to_messages(table: Any) -> Iterator[MarketDataMessage]:
    """The inverse of :func:`to_table`, without the times of receipt."""
    for row in table.to_pylist():
        bids = tuple(zip(row.pop("bid_prices"), row.pop("bid_sizes"), strict=True))
        asks = tuple(zip(row.pop("ask_prices"), row.pop("ask_sizes"), strict=True))
        side = row.pop("side")
        del row["received"]
        kind = DataKind(row.pop("kind"))
        yield MarketDataMessage(
            **row, bids=bids, asks=asks, kind=kind, side=None if side is None else OrderSide[side.upper()]
        )


class PartWriter:
    """Writes numbered parts into a folder; a recording that is there already is continued."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*.tmp"):
            if _DRAFT.fullmatch(left.name):
                left.unlink()
        self.last = max((last for _, last, _ in _ranges(folder)), default=0)
        self._mark = secrets.token_hex(8)
        """In every part of this writer, so that readers know where a recording was continued."""
        self._fresh: list[Path] = []

    def write(self, rows: list[tuple[MarketDataMessage, int]]) -> None:
        """Write messages as the next part."""
        self.last += 1
        self._fresh.append(self._put(to_table(rows), self.last, self.last))
        if len(self._fresh) >= JOINED:
            self.join()

    def join(self) -> None:
        """Make one part of those written since the last time."""
        import pyarrow as pa

        if len(self._fresh) > 1:
            table = pa.concat_tables([_read(path) for path in self._fresh]).combine_chunks()
            self._put(table, self.last - len(self._fresh) + 1, self.last)
            for path in self._fresh:
                path.unlink()
        self._fresh.clear()

    def _put(self, table: Any, first: int, last: int) -> Path:
        import pyarrow.parquet as pq

        table = table.replace_schema_metadata({**table.schema.metadata, _MARK: self._mark})
        path = self.folder / f"part-{first:08d}-{last:08d}.parquet"
        draft = path.with_suffix(".tmp")
        with draft.open("wb") as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        logger.debug("%s: %d messages", path, table.num_rows)
        return path


class RecordingFeed(DataFeed):
    """Another feed, and a record of what it said: its readers read it like the feed itself.

    Every message is on the disk a second later at most, so that a recorder that is killed loses no more. If the disk
    does not keep up, the other feed's buffer fills and does what its policy says.

    Args:
        feed: the other feed; the recorder connects and disconnects it.
        folder: where the parts go; a recording that is there is continued.
        clock: for tests.

    Raises:
        ConfigError: the folder is the recording that is read, or holds anything that is no recording.
    """

    uses: ClassVar[tuple[str, ...]] = tuple(field.name for field in fields(DataFeedConfig))
    """All: the other feed has seen to its own."""

    def __init__(self, feed: DataFeed, folder: str | os.PathLike[str], *, clock: Clock | None = None) -> None:
        super().__init__(feed.config, clock=clock or feed.clock)
        self.feed = feed
        self.folder = Path(folder)
        if isinstance(feed, RecordedDataFeed) and feed.folder.resolve() == self.folder.resolve():
            raise ConfigError(f"{self.folder} is the recording that is read; allowed is any other folder")
        if self.folder.exists() and not _may_record(self.folder):
            raise ConfigError(f"{self.folder} holds no recording; allowed is a folder that is new, empty, or has one")
        self.recorded = 0
        """Messages that are on the disk."""
        self._rows: list[tuple[MarketDataMessage, int]] = []
        self._writer: PartWriter | None = None
        self._writing = asyncio.Lock()

    def _known(self) -> tuple[str, ...]:
        return self.feed._known()

    @property
    def _pace(self) -> float:
        return self.feed._pace

    async def _open(self) -> None:
        optional("pyarrow.parquet")
        self._writer = await asyncio.to_thread(PartWriter, self.folder)
        await self.feed.connect()

    async def _close(self) -> None:
        try:
            await self._flush()
            if self._writer is not None:
                await asyncio.to_thread(self._writer.join)
        finally:
            await self.feed.disconnect()

    async def _subscribe(self, symbols: list[str]) -> None:
        await self.feed.subscribe(symbols)

    async def _unsubscribe(self, symbols: list[str]) -> None:
        await self.feed.unsubscribe(symbols)

    async def _produce(self) -> None:
        stream = self.feed.start_streaming()
        timer = asyncio.create_task(self._flush_by_the_clock())
        try:
            async for message in stream:
                self.count["received"] += 1
                self._rows.append((message, self.clock.unix()))
                if len(self._rows) >= MOST_ROWS:
                    await self._flush()
                if timer.done():  # the disk is full, or gone
                    timer.result()
                await self._deliver(message, self.clock.monotonic())
            await self._flush()
        finally:
            stream.close()
            timer.cancel()
            await asyncio.gather(timer, return_exceptions=True)

    async def _flush_by_the_clock(self) -> None:
        while True:
            await asyncio.sleep(PART_SECONDS)
            await self._flush()

    async def _flush(self) -> None:
        """Write what waits."""
        async with self._writing:
            rows, self._rows = self._rows, []
            if rows and self._writer is not None:
                writing = asyncio.ensure_future(asyncio.to_thread(self._writer.write, rows))
                try:
                    await asyncio.shield(writing)
                except asyncio.CancelledError:
                    # A thread cannot be stopped: let the part be whole before anything else is written.
                    with contextlib.suppress(asyncio.CancelledError):
                        await writing
                    self.recorded += len(rows)
                    raise
                self.recorded += len(rows)


class RecordedDataFeed(PacedFeed):
    """A recording as a feed, at the pace of its time stamps.

    Where it was continued by a source whose clock began anew, such as a mock market, the time stamps are told as if
    that clock had gone on.

    Args:
        config: url ``recording:FOLDER`` or the folder alone; no ``symbols`` means all that it has.
        clock: for tests.
    """

    def __init__(self, config: DataFeedConfig | Mapping[str, Any] | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(config, clock=clock)
        self.folder = Path(self.config.url.removeprefix("recording:"))
        self._time = 0
        self._offered: tuple[str, ...] = ()
        self._messages: Iterator[MarketDataMessage] = iter(())
        self._next_one: MarketDataMessage | None = None

    def _known(self) -> tuple[str, ...]:
        return self._offered

    @property
    def time(self) -> int:
        """The time stamps' clock [ns]."""
        return self._time

    async def _open(self) -> None:
        parts = recorded_parts(self.folder)
        self._offered = await asyncio.to_thread(_symbols, parts)
        missing = sorted(set(self.config.symbols) - set(self._offered))
        if missing:
            raise ConfigError(f"{self.folder}: no symbol {', '.join(missing)}; it has {', '.join(self._offered)}")
        self._messages = _on_one_clock(parts)
        self._next_one = next(self._messages)
        self._time = self._next_one.timestamp - 1

    def _opening(self) -> list[MarketDataMessage]:
        return []

    def _at(self, message: MarketDataMessage) -> int:
        return min(message.timestamp, self._time)

    def _advance(self, until: int) -> tuple[list[MarketDataMessage], bool]:
        found = []
        # Symbols' clocks may differ: a message that is older than the one before it comes right behind it.
        while self._next_one is not None and self._next_one.timestamp <= until:
            found.append(self._next_one)
            self._next_one = next(self._messages, None)
        self._time = until
        return found, self._next_one is None


def _on_one_clock(parts: Iterable[Path]) -> Iterator[MarketDataMessage]:
    """The messages of parts; the clock of a later writer's does not go back."""
    mark, reached, shift = None, 0, 0
    for path in parts:
        table = _read(path)
        theirs = table.schema.metadata.get(_MARK)
        for i, message in enumerate(to_messages(table)):
            if i == 0 and theirs != mark:
                mark, shift = theirs, max(reached - message.timestamp, 0)
            if shift:
                message = message._replace(timestamp=message.timestamp + shift)
            reached = max(reached, message.timestamp)
            yield message


def _symbols(parts: Iterable[Path]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for path in parts:
        names.update(dict.fromkeys(_read(path)["symbol"].unique().to_pylist()))
    return tuple(names)
