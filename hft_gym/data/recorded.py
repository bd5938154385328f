"""Any recorded file as a `ReplayFeed`: what `feed=` of a market or an environment reads.

Full-depth sources (ITCH, Databento MBO, and archives of them) give every order its true place. Level-2 sources
(Binance, Coinbase) give an estimated one: see `hft_gym.data.follow` for the three queue models. The file is read twice:
once to find where continuous trading begins and how much room the book needs, once for the operations.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.data import follow_state as c
from hft_gym.data.archive import ArchiveSource
from hft_gym.data.follower import BookFollower, Screen, infer_tick
from hft_gym.data.formats import detect, open_source
from hft_gym.data.issues import IssueLog
from hft_gym.data.lobster import LOBSTER_DTYPE, LobsterDay, read_lobster
from hft_gym.data.messages import FeedKind, FeedMeta, units_of
from hft_gym.data.replay import CHECKPOINT_ROWS, ReplayFeed, ReplayStats, no_queue_model
from hft_gym.data.sources import Chunk, need_symbol
from hft_gym.errors import ConfigError, DataError
from hft_gym.types import MAX_QUANTITY

__all__ = ["MOST_LOTS", "build_feed"]

MOST_LOTS = MAX_QUANTITY
"""Sizes of coins become whole lots such that the largest level seen has at most so many."""


def build_feed(
    path: Path,
    tick_size: float | None,
    symbol: str | None = None,
    queue_model: str = "back",
    lot_size: float | None = None,
    checkpoint_rows: int = CHECKPOINT_ROWS,
    log: IssueLog | None = None,
) -> ReplayFeed:
    """Read any file that `hft_gym.data.formats` knows as a feed.

    Args:
        path: the file.
        tick_size: in currency; None: found from the prices.
        symbol: the instrument, if the file has several.
        queue_model: of level-2 files: "back", "front" or "proportional".
        lot_size: of one lot; None: one share or contract, of coins the step of all sizes (or so much more that the
            largest level has at most MOST_LOTS lots; then smaller sizes are rounded up).
        checkpoint_rows: rows between two checkpoints.
        log: where issues go; None: a lenient one.

    Raises:
        ConfigError: no such symbol, queue model or format; a tick that the prices do not have.
        DataError: the file cannot be read, or no moment of continuous trading is in it.
    """
    if queue_model not in c.QUEUE_MODELS:
        raise ConfigError(f"queue_model is {queue_model!r}; allowed are {', '.join(c.QUEUE_MODELS)}")
    name = detect(path)
    if name == "lobster":
        no_queue_model(path, queue_model)
        return ReplayFeed.from_day(read_lobster(path, 0.01 if tick_size is None else tick_size), checkpoint_rows)
    log = IssueLog() if log is None else log
    symbols = () if symbol is None else (symbol,)
    source = open_source(path, log, symbols, name)
    if source.meta.depth != "L2":
        no_queue_model(path, queue_model)
    if isinstance(source, ArchiveSource) and source.meta.source == "lobster":
        return _from_lobster_archive(source, 0.01 if tick_size is None else tick_size, checkpoint_rows)
    meta = source.meta
    if not meta.complete:
        raise DataError(
            "does not tell which orders rest before it begins: its book cannot be rebuilt, so it cannot be replayed",
            path,
        )
    tick = None if tick_size is None else units_of(tick_size, meta.price_decimals, "tick_size")
    lot = None if lot_size is None else units_of(lot_size, meta.size_decimals, "lot_size")
    before = log.total
    first = _Survey(path, name, symbols, log, tick)
    if log.total > before:
        counts = ", ".join(f"{count} x {kind}" for kind, count in log.counts.most_common())
        warnings.warn(
            f"{path}: {counts}; repaired as docs/data.md says (`hft-gym data validate` shows where)", stacklevel=3
        )
    if tick is None:
        tick = first.tick
    elif first.tick % tick:
        found = first.tick / 10**first.meta.price_decimals
        raise ConfigError(
            f"{path}: tick_size is {tick_size!r}, but not all prices are multiples of it; they are of {found:g}: "
            f"set tick_size={found:g} (in an environment: market.tick_size)"
        )
    if lot is None:
        lot = first.lot
    number = first.instrument(symbol)
    quiet = IssueLog()  # the survey has reported already
    source = open_source(path, quiet, symbols, name)
    screen = Screen(first.meta, quiet, path)
    book = BookFollower(
        first.meta, quiet, path, tick_units=tick, lot_units=lot, queue_model=queue_model, open_at=first.open_at,
        checkpoint_rows=checkpoint_rows, capacity=first.capacity,
    )  # fmt: skip
    for chunk in source.chunks():
        book(_of(screen(chunk), number))
    return _feed(book, first, number, tick, lot, checkpoint_rows)


def _of(chunk: Chunk, instrument: int) -> Chunk:
    """The messages of one instrument."""
    mine = chunk.records["instrument"] == instrument
    return chunk if mine.all() else chunk.take(mine)


class _Survey:
    """The first reading: when trading begins, the tick, the lot, and how many orders rest at most."""

    def __init__(self, path: Path, name: str, symbols: tuple[str, ...], log: IssueLog, tick: int | None) -> None:
        source = open_source(path, log, symbols, name)
        screen = Screen(source.meta, log, path)
        book: BookFollower | None = None
        price_step = size_step = 0
        for chunk in source.chunks():
            chunk = screen(chunk)
            meta = source.meta
            if len(meta.symbols) > 1 and not symbols:
                meta.instrument(None)  # says which there are
            chunk = _of(chunk, meta.instrument(symbols[0]) if symbols and symbols[0] in meta.symbols.values() else
                        next(iter(meta.symbols), 0))  # fmt: skip
            if book is None:
                book = BookFollower(meta, log, path)
            price_step = int(np.gcd(price_step, infer_tick(chunk.records)))
            sizes = chunk.records["quantity"][chunk.records["kind"] != FeedKind.STATUS]
            size_step = int(np.gcd.reduce(np.append(sizes, size_step)))
            book(chunk)
        self.meta: FeedMeta = source.meta
        need_symbol(symbols, self.meta.symbols, path)  # of a capture they are known at its end
        if book is None or book.k[c.FIRST_OPEN] < 0:
            raise DataError("has no moment of continuous trading with both sides of the book: nothing to replay", path)
        self.path = path
        self.tick = price_step or 1
        self.open_at = int(book.k[c.FIRST_OPEN])
        self.capacity = 1 << int(book.k[c.N_LIVE_MAX] + 64).bit_length()
        self.statistics = book.statistics
        self.low, self.high = int(book.k[c.LOW_TOUCH]), int(book.k[c.HIGH_TOUCH])
        self.low, self.high = (x * int(book.k[c.TICK]) for x in (self.low, self.high))
        self.lot = 1
        if self.meta.size_decimals:
            self.lot = max(size_step, 1)
            while int(book.k[c.UPPER_QUANTITY]) > MOST_LOTS * self.lot:
                self.lot = 10 ** len(str(self.lot))
        del tick

    def instrument(self, symbol: str | None) -> int:
        """The number of the instrument."""
        return self.meta.instrument(symbol)


def _feed(book: BookFollower, survey: _Survey, number: int, tick: int, lot: int, checkpoint_rows: int) -> ReplayFeed:
    meta = survey.meta
    if not book.times or not sum(len(t) for t in book.times):
        raise DataError("has no event after continuous trading begins: nothing to replay", survey.path)
    ops, times = np.concatenate(book.ops), np.concatenate(book.times)
    midnight = 0
    if meta.clock == "unix":
        day = meta.date or str(np.datetime64(int(times[0]), "ns").astype("datetime64[D]"))
        midnight = int(np.datetime64(day, "ns").astype(np.int64))
    ops["time"] -= midnight
    times -= midnight
    # An operation before the end of row 0 is part of what row 0 shows.
    start = np.concatenate(book.op_start)
    rows = len(times)
    op_row_start = np.concatenate([[0], start]).astype(np.int64)
    counts = [len(o) for o in book.checkpoints]
    stats = book.statistics
    return ReplayFeed(
        symbol=meta.symbols.get(number, ""),
        date=meta.date,
        tick_size=tick / 10**meta.price_decimals,
        levels=book.levels,
        ops=ops,
        op_row_start=op_row_start,
        times=times,
        book=np.concatenate(book.truth),
        checkpoint_rows=checkpoint_rows,
        checkpoint_start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        checkpoint_orders=np.concatenate(book.checkpoints),
        max_handles=max(int(book.k[c.MAX_HANDLES]), *(int(o["handle"].max(initial=0)) + 1 for o in book.checkpoints)),
        min_price=survey.low // tick,
        max_price=survey.high // tick,
        start_ns=int(times[0]),
        end_ns=max(int(times[-1]), int(times[0]) + 1),
        stats=ReplayStats(
            rows=rows, adopted_rows=0, adopted_levels=0, forgotten_orders=0, corrected_rows=0, first_corrected_row=-1,
            unknown_messages=0, unmatched_volume=0, mismatched_messages=0, executions_known=stats["executions"],
            executions_in_front=stats["executions_at_front"], executions_oldest_known=stats["executions_at_front"],
        ),
        lot_size=lot / 10**meta.size_decimals,
    )  # fmt: skip


def _from_lobster_archive(source: ArchiveSource, tick_size: float, checkpoint_rows: int) -> ReplayFeed:
    """A converted LOBSTER pair: the same feed as from the files."""
    chunks = list(source.chunks())
    if not chunks or chunks[0].book is None:
        raise DataError("was converted without its orderbook file: it cannot be replayed", source.path)
    records = np.concatenate([chunk.records for chunk in chunks])
    book = np.concatenate([chunk.book for chunk in chunks if chunk.book is not None])
    units = units_of(tick_size, source.meta.price_decimals, "tick_size")
    resting = records["kind"] <= FeedKind.EXECUTE
    off = resting & (records["price"] % units != 0)
    if off.any():
        row = int(np.argmax(off))
        value = int(records["price"][row])
        raise DataError(
            f"the price {value} is not on the tick of {units} units. Check tick_size", source.path, row, value
        )
    book = book.copy()
    book[:, :, 0::2] //= units
    messages = _lobster_messages(records)
    times = messages["time"]
    day = LobsterDay(
        messages=messages, book=book, symbol=next(iter(source.meta.symbols.values()), ""), date=source.meta.date,
        tick_size=tick_size, tick_units=units, start_ns=int(times[0]), end_ns=int(times[-1]),
        message_path=source.path, orderbook_path=source.path, ends_cleanly=True,
    )  # fmt: skip
    return ReplayFeed.from_day(day, checkpoint_rows)


def _lobster_messages(records: NDArray[Any]) -> NDArray[Any]:
    messages = np.zeros(len(records), LOBSTER_DTYPE)
    for name in ("time", "order_id", "price", "quantity", "kind", "side"):
        messages[name] = records[name]
    halts = records["kind"] == FeedKind.STATUS
    messages["price"][halts] = records["reference"][halts]
    messages["quantity"][halts] = 0
    messages["side"][halts] = 0
    return messages
