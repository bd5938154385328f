"""A recorded day as a feed: the operations that rebuild its book, and checkpoints to start from anywhere.

``ReplayFeed.from_lobster(path)`` reads a LOBSTER pair, runs the historic book through it once and keeps
plain, contiguous arrays, which is all that a market needs to replay the day. docs/replay.md says what such a
replay can and cannot tell.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hft_gym.data import historic_state as names
from hft_gym.data.lobster import LOBSTER_DTYPE, LobsterDay, LobsterKind, companion_path, read_lobster
from hft_gym.data.window import ReplayWindow, clock_text, parse_clock
from hft_gym.errors import ConfigError, DataError

__all__ = ["KernelArrays", "ReplayFeed", "ReplayStats", "warm_up"]

CHECKPOINT_ROWS = 2_000
"""Rows between two checkpoints, unless asked otherwise."""
MAX_CORRECTED_SHARE = 0.01
"""Share of rows that may contradict their message before a pair of files is refused."""


@dataclass(frozen=True)
class ReplayStats:
    """What the historic run through a day found. Counts, volumes in lots.

    Attributes:
        rows: rows of the files.
        adopted_rows: rows in which a level entered from beyond the horizon (row 0 not counted).
        adopted_levels: such levels.
        forgotten_orders: orders that left with a level.
        corrected_rows: rows that do not follow from the row before and their message (0 for sound files).
        first_corrected_row: the first of them, or -1.
        unknown_messages: messages about orders that were not seen arriving.
        unmatched_volume: volume of those that the adopted orders of their level did not cover.
        mismatched_messages: messages whose side, price or size contradicts the order they name.
        executions_known: visible executions of orders seen arriving.
        executions_in_front: of them, those at the very front of their queue.
        executions_oldest_known: of them, those with no other order seen arriving before them.
    """

    rows: int
    adopted_rows: int
    adopted_levels: int
    forgotten_orders: int
    corrected_rows: int
    first_corrected_row: int
    unknown_messages: int
    unmatched_volume: int
    mismatched_messages: int
    executions_known: int
    executions_in_front: int
    executions_oldest_known: int


class KernelArrays(NamedTuple):
    """The arrays of a feed as a compiled market reads them. They are shared: never write to them."""

    ops: NDArray[Any]
    op_row_start: NDArray[np.int64]
    times: NDArray[np.int64]
    checkpoint_start: NDArray[np.int64]
    checkpoint_orders: NDArray[Any]


@dataclass(frozen=True, eq=False)
class ReplayFeed:
    """A recorded day, ready to be replayed. Prices in ticks, quantities in lots, times in ns since midnight.

    Attributes:
        symbol, date: from the file's name ("" if unknown).
        tick_size: in currency.
        levels: levels a side in the file, the horizon of the replay.
        ops: ``(operations,)`` of REPLAY_DTYPE, in order.
        op_row_start: ``(rows + 1,)`` int64; row k of the file is ``ops[op_row_start[k]:op_row_start[k +
            1]]``. Row 0 builds the book: its message is part of it and has no operation of its own.
        times: ``(rows,)`` int64, the time of each row, never decreasing.
        book: ``(rows, levels, 4)`` int64, the file's truth after each row: ask price, ask size, bid price,
            bid size, best first; zeros where there is no level.
        checkpoint_rows: checkpoint c is the state after row ``c * checkpoint_rows``.
        checkpoint_start: ``(checkpoints + 1,)`` int64, offsets into the next.
        checkpoint_orders: of CHECKPOINT_DTYPE: bids, then asks; best level first; front of the queue first.
        max_handles: handles are below this; it bounds the live historic orders.
        min_price, max_price: of every operation on the visible book.
        start_ns, end_ns: the hours of the file.
        stats: what the historic run found.
        lot_size: of one lot, in shares, contracts or coins.

    Of full-depth sources ``book`` has the best level only, ``min_price`` and ``max_price`` are of the best prices.

    The arrays are read-only and shared by everything in the process that replays the same file.
    """

    symbol: str
    date: str
    tick_size: float
    levels: int
    ops: NDArray[Any]
    op_row_start: NDArray[np.int64]
    times: NDArray[np.int64]
    book: NDArray[np.int64]
    checkpoint_rows: int
    checkpoint_start: NDArray[np.int64]
    checkpoint_orders: NDArray[Any]
    max_handles: int
    min_price: int
    max_price: int
    start_ns: int
    end_ns: int
    stats: ReplayStats
    lot_size: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            array = getattr(self, field.name)
            if isinstance(array, np.ndarray):
                # A view is locked, not the array: kernels compile for writable arrays, see kernel_arrays().
                locked = array.view()
                locked.flags.writeable = False
                object.__setattr__(self, field.name, locked)
                object.__setattr__(self, "_" + field.name, array)

    def __repr__(self) -> str:
        name = " ".join(filter(None, (self.symbol, self.date))) or "unnamed day"
        window = ReplayWindow(self.start_ns, self.end_ns)
        return f"<ReplayFeed {name} {window}, {self.rows} rows of {self.levels} levels, {len(self.ops)} ops>"

    def __reduce__(self) -> tuple[Any, ...]:
        return ReplayFeed, tuple(getattr(self, field.name) for field in fields(self))

    @classmethod
    def from_lobster(
        cls,
        message_path: str | PathLike[str],
        tick_size: float = 0.01,
        checkpoint_rows: int = CHECKPOINT_ROWS,
    ) -> ReplayFeed:
        """Read a LOBSTER message file and its orderbook file; the second call for the same files is free.

        Raises:
            ConfigError: ``tick_size`` or ``checkpoint_rows`` is not positive.
            DataError: what :func:`~hft_gym.data.lobster.read_lobster` and :meth:`from_day` raise.
        """
        try:
            paths = (Path(message_path).resolve(), companion_path(message_path).resolve())
            stamps = tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in paths)
        except (DataError, OSError):
            stamps = ()  # the reader says it better
        key = (stamps, tick_size, checkpoint_rows)
        return _remembered(key, lambda: cls.from_day(read_lobster(message_path, tick_size), checkpoint_rows))

    @classmethod
    def from_file(
        cls,
        path: str | PathLike[str],
        tick_size: float | None = None,
        *,
        symbol: str | None = None,
        queue_model: str = "back",
        lot_size: float | None = None,
        checkpoint_rows: int = CHECKPOINT_ROWS,
    ) -> ReplayFeed:
        """Read any recorded file (docs/data.md) as a feed; the second call for the same file is free.

        Args:
            path: LOBSTER message file, ITCH, Databento MBO, Binance or Coinbase capture, or a converted Parquet file.
            tick_size: in currency; None: found from the prices (LOBSTER: 0.01).
            symbol: the instrument, if the file has several.
            queue_model: where an order of yours stands in level-2 data (Binance, Coinbase): decreases of a level that
                no trade explains come from the "back" of the queue (the cautious choice), the "front", or from all
                of it ("proportional").
            lot_size: of one lot; None: chosen from the sizes.
            checkpoint_rows: rows between two checkpoints.

        Raises:
            ConfigError: an option that cannot be, or an instrument that the file does not have.
            DataError: a file that cannot be read or replayed.
        """
        if checkpoint_rows < 1:
            raise ConfigError(f"checkpoint_rows is {checkpoint_rows!r}; it must be at least 1")
        name = Path(path).name.lower()
        if ("message" in name or "orderbook" in name) and name.endswith((".csv", ".csv.gz")):
            feed = cls.from_lobster(path, 0.01 if tick_size is None else tick_size, checkpoint_rows)
            if symbol is not None and feed.symbol not in ("", symbol):
                raise ConfigError(f"{path}: no instrument {symbol}; it has {feed.symbol}")
            if lot_size not in (None, 1):
                raise ConfigError(f"lot_size is {lot_size!r}; a LOBSTER file counts single shares: leave it out")
            no_queue_model(path, queue_model)
            return feed
        from hft_gym.data.recorded import build_feed  # Arrow and the readers: only where they are needed

        resolved = Path(path).resolve()
        stamp = (resolved.stat().st_mtime_ns, resolved.stat().st_size) if resolved.is_file() else ()
        key = (str(resolved), stamp, tick_size, symbol, queue_model, lot_size, checkpoint_rows)
        return _remembered(
            key, lambda: build_feed(resolved, tick_size, symbol, queue_model, lot_size, checkpoint_rows)
        )

    @classmethod
    def from_day(cls, day: LobsterDay, checkpoint_rows: int = CHECKPOINT_ROWS) -> ReplayFeed:
        """Run the historic book through a day that has been read.

        Raises:
            ConfigError: ``checkpoint_rows`` is not positive.
            DataError: an order is added while it rests, or so many rows contradict their messages
                (more than 1 %) that the two files cannot belong together. Fewer: corrected, with a warning.
        """
        if checkpoint_rows < 1:
            raise ConfigError(f"checkpoint_rows is {checkpoint_rows!r}; it must be at least 1")
        state, output, stats = _simulate(day, checkpoint_rows)
        _check(day, stats)
        n_ops, n_orders = int(state.counters[names.N_OPS]), int(state.counters[names.N_CHECKPOINT_ORDERS])
        ops = state.ops[:n_ops].copy()
        visible = ops["price"][ops["handle"] >= 0]
        return cls(
            symbol=day.symbol,
            date=day.date,
            tick_size=day.tick_size,
            levels=day.levels,
            ops=ops,
            op_row_start=output.op_row_start,
            times=np.ascontiguousarray(day.messages["time"]),
            book=day.book,
            checkpoint_rows=checkpoint_rows,
            checkpoint_start=output.checkpoint_start,
            checkpoint_orders=output.checkpoint_orders[:n_orders].copy(),
            max_handles=int(state.counters[names.MAX_HANDLES]),
            min_price=int(visible.min()) if len(visible) else 0,
            max_price=int(visible.max()) if len(visible) else 0,
            start_ns=day.start_ns,
            end_ns=day.end_ns,
            stats=stats,
        )

    @property
    def rows(self) -> int:
        """Number of rows of the file."""
        return len(self.times)

    def kernel_arrays(self) -> KernelArrays:
        """The arrays as compiled code takes them: not marked read-only, which would be another signature."""
        return KernelArrays(*(getattr(self, "_" + name) for name in KernelArrays._fields))

    def row_at(self, time_ns: int) -> int:
        """The last row at or before a time, -1 before the first."""
        return int(np.searchsorted(self.times, time_ns, side="right")) - 1

    def checkpoint_before(self, row: int) -> tuple[int, NDArray[Any]]:
        """The last checkpoint at or before a row: its row and its live orders (CHECKPOINT_DTYPE).

        The state after ``row`` is this checkpoint and then ``ops[op_row_start[its row + 1]:op_row_start[row +
        1]]``.

        Raises:
            ConfigError: there is no such row.
        """
        if not 0 <= row < self.rows:
            raise ConfigError(f"row is {row}; {self!r} has the rows 0..{self.rows - 1}")
        number = row // self.checkpoint_rows
        start, end = self.checkpoint_start[number : number + 2]
        return number * self.checkpoint_rows, self.checkpoint_orders[start:end]

    def window(
        self, start: str | int | float | None = None, end: str | int | float | None = None
    ) -> ReplayWindow:
        """The hours from ``start`` to ``end`` ("HH:MM[:SS]" or seconds since midnight), by default all of
        them.

        Raises:
            ConfigError: a time cannot be read, the window is empty or reaches beyond the file.
        """
        first = self.start_ns if start is None else parse_clock(start)
        last = self.end_ns if end is None else parse_clock(end)
        if first < self.start_ns or last > self.end_ns or (first >= last and None in (start, end)):
            asked = f"{clock_text(first)}-{clock_text(last)}"
            rows = f"first row at {clock_text(int(self.times[0]))}, last at {clock_text(int(self.times[-1]))}"
            hours = ReplayWindow(self.start_ns, self.end_ns)
            name = " ".join(filter(None, (self.symbol, self.date))) or "the file"
            raise ConfigError(f"the window {asked} reaches beyond the hours of {name}, {hours} ({rows})")
        return ReplayWindow(first, last)


def warm_up() -> None:
    """Compile what :meth:`ReplayFeed.from_day` runs (or load it from the cache), on a day of two rows."""
    messages = np.zeros(2, LOBSTER_DTYPE)
    messages["kind"] = LobsterKind.HALT
    ReplayFeed.from_day(
        LobsterDay(
            messages=messages,
            book=np.zeros((2, 1, 4), np.int64),
            symbol="",
            date="",
            tick_size=0.01,
            tick_units=100,
            start_ns=0,
            end_ns=1,
            message_path=Path("message.csv"),
            orderbook_path=Path("orderbook.csv"),
            ends_cleanly=True,
        )
    )


def no_queue_model(path: Any, queue_model: str) -> None:
    """In a file that tells of single orders every place in a queue is known.

    Raises:
        ConfigError: there is a queue model all the same.
    """
    if queue_model != "back":
        raise ConfigError(f"queue_model is {queue_model!r}, but {path} tells of single orders: leave it out")


_CACHE_SIZE = 8
_cache: dict[tuple[Any, ...], ReplayFeed] = {}
_cache_lock = Lock()


def _remembered(key: tuple[Any, ...], make: Callable[[], ReplayFeed]) -> ReplayFeed:
    """The feed made for *key*, now or earlier; the oldest of many is forgotten."""
    with _cache_lock:
        feed = _cache.get(key)
        if feed is None:
            feed = make()
            if len(_cache) >= _CACHE_SIZE:
                del _cache[next(iter(_cache))]
            _cache[key] = feed
    return feed


def _simulate(day: LobsterDay, every: int) -> tuple[names.Historic, names.Output, ReplayStats]:
    """The historic run, repeated with more room until everything fits."""
    from hft_gym.data.historic import simulate  # numba: only where a day is read

    messages = day.messages
    ids, identities = np.unique(messages["order_id"], return_inverse=True)
    n_ops, n_handles = 3 * day.rows + 1_000, 256 + 8 * day.levels
    n_orders = 64 * (day.rows // every + 1)
    while True:
        state, output = names.allocate(day.rows, day.levels, len(ids), n_ops, n_handles, every, n_orders)
        result = simulate(
            state, output, messages, identities.astype(np.int64), day.book, day.tick_units, every
        )
        if result == names.DONE:
            break
        if result == names.DUPLICATE_ORDER:
            row = int(state.counters[names.ROW])
            order = int(messages["order_id"][row])
            raise DataError(f"order {order} is added while it still rests", day.message_path, row, order)
        n_ops *= 2 if result == names.GROW_OPS else 1
        n_handles *= 2 if result == names.GROW_HANDLES else 1
        n_orders *= 2 if result == names.GROW_CHECKPOINTS else 1
    c = [int(x) for x in state.counters]
    stats = ReplayStats(
        rows=day.rows,
        adopted_rows=c[names.ADOPTED_ROWS],
        adopted_levels=c[names.ADOPTED_LEVELS],
        forgotten_orders=c[names.FORGOTTEN_ORDERS],
        corrected_rows=c[names.CORRECTED_ROWS],
        first_corrected_row=c[names.FIRST_CORRECTED],
        unknown_messages=c[names.UNKNOWN_MESSAGES],
        unmatched_volume=c[names.UNMATCHED_VOLUME],
        mismatched_messages=c[names.MISMATCHED_MESSAGES],
        executions_known=c[names.EXECUTIONS_KNOWN],
        executions_in_front=c[names.EXECUTIONS_IN_FRONT],
        executions_oldest_known=c[names.EXECUTIONS_OLDEST_KNOWN],
    )
    return state, output, stats


def _check(day: LobsterDay, stats: ReplayStats) -> None:
    """Refuse a pair of files that do not belong together, or whose last number was cut off."""
    row = stats.first_corrected_row
    if row < 0:
        return
    message = day.messages[row]
    shown = f"{LobsterKind(int(message['kind'])).name} {message['quantity']} at {message['price']}"
    if row == day.rows - 1 and not day.ends_cleanly:
        raise DataError(
            f"the last row does not follow from its message ({shown}), and the file does not end with a line "
            "break: it was cut off in the last number; fetch it again",
            day.orderbook_path,
            row,
            shown,
        )
    if stats.corrected_rows > max(10, MAX_CORRECTED_SHARE * day.rows):
        raise DataError(
            f"{stats.corrected_rows} of {day.rows} rows do not follow from the row before and their message, "
            f"first this one ({shown}): {day.orderbook_path.name} and {day.message_path.name} are not of one "
            "download, or rows are missing",
            day.orderbook_path,
            row,
            shown,
        )
    warnings.warn(
        f"{day.orderbook_path}, row {row}: {stats.corrected_rows} of {day.rows} rows do not follow from "
        f"the row before and their message, first this one ({shown}); the replay follows the rows",
        stacklevel=4,
    )
