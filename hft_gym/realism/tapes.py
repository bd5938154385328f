"""Tapes of real and of simulated markets: the one input of everything in :mod:`hft_gym.realism`.

The simulated market records its own (`hft_gym.Market.record`); here are LOBSTER's files, with their orderbook file or
rebuilt from the messages alone, and the same tape in other units.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Mapping
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sortedcontainers import SortedDict

from hft_gym.data.lobster import LobsterKind, read_lobster, read_messages
from hft_gym.data.replay import ReplayFeed
from hft_gym.errors import ConfigError, DataError
from hft_gym.market.config import MarketConfig
from hft_gym.market.market import Market
from hft_gym.market.tape import TAPE, Tape
from hft_gym.types import OrderSide

__all__ = ["in_shares", "read_tape", "simulate_tape", "split"]

_CSV = (".csv", ".csv.gz")


def read_tape(
    path: str | PathLike[str],
    tick_size: float | None = None,
    *,
    initial_orders: str | PathLike[str] | None = None,
    levels: int = 10,
    symbol: str | None = None,
) -> Tape:
    """The tape of a recorded file: LOBSTER's, or any other that a market can replay (docs/data.md).

    Quotes and depth of a LOBSTER message file are those of the orderbook file beside it. Without one they are rebuilt
    from the messages: the book starts from *initial_orders* and follows the messages; an added order proves dead what
    it would have crossed, an execution what was better priced on its side. With 50 levels of messages this gives the
    true best quotes in 99.8 % of all rows; with fewer it does not: what was beyond the horizon is cancelled unseen.

    The first message only serves to know the opening book. Halts and crosses are left out. A hidden execution's price
    is rounded down to a tick.

    Other files are replayed and recorded by the market: quantities are in lots of the feed, and what a file of totals
    (Binance, Coinbase) does to a level is an order of its own.

    Args:
        path: a LOBSTER message file (``.csv``, ``.csv.gz``), ITCH, Databento MBO, a capture, a converted Parquet file.
        tick_size: currency per tick; None: 0.01 of LOBSTER, else found from the prices.
        initial_orders: orders that rest before the first message, a CSV file with the columns ``order_id, direction,
            price, size`` in LOBSTER's units; None: the file of the same name with ``initial_orders_inferred`` in the
            place of ``message_N`` if there is one.
        levels: depth to rebuild where there is no orderbook file, or to record.
        symbol: the instrument, of a file with several.

    Raises:
        DataError: a file is missing, damaged, or holds what cannot be.
        ConfigError: *tick_size* is not a positive multiple of 0.0001.
    """
    path = Path(path)
    if not ("message" in path.name.lower() and path.name.lower().endswith(_CSV)):
        return _replayed(path, tick_size, levels, symbol)
    tick_size = 0.01 if tick_size is None else tick_size
    try:
        day = read_lobster(path, tick_size)
    except DataError as error:
        if "orderbook file is missing" not in str(error):
            raise
        messages = read_messages(path, tick_size)
        start = _initial(path, initial_orders)
        book = rebuild(messages, round(tick_size * 10_000), start, levels)
        return _tape(messages, book, tick_size, path)
    return _tape(day.messages, day.book, tick_size, path)


def _replayed(path: Path, tick_size: float | None, levels: int, symbol: str | None) -> Tape:
    """A file as the market replays it."""
    feed = ReplayFeed.from_file(path, tick_size, symbol=symbol)
    return replayed_tape(feed, levels)


def replayed_tape(feed: ReplayFeed, levels: int = 10) -> Tape:
    """A recorded day as the market replays it, from its first row to its last.

    Of LOBSTER files, levels that enter or leave their horizon appear as limit orders and cancellations.
    """
    room = min(max(feed.max_handles, 16), 2**20)
    config = MarketConfig(tick_size=feed.tick_size, participants=0, levels=4096, max_orders=max(room, 1024))
    market = Market(config, feed=feed, log_capacity=0)
    return market.record(int(feed.times[-1]) - market.time, levels)


def _tape(messages: NDArray[Any], book: NDArray[np.int64], tick_size: float, path: Path) -> Tape:
    units = round(tick_size * 10_000)
    kept = messages["kind"] <= LobsterKind.HIDDEN
    kept[0] = False
    rows, after = messages[kept], book[kept]
    records = np.zeros(len(rows), TAPE)
    for name in ("time", "order_id", "quantity", "kind", "side"):
        records[name] = rows[name]
    records["price"] = rows["price"] // units
    for i, name in enumerate(("ask", "ask_volume", "bid", "bid_volume")):
        records[name] = after[:, 0, i]
    begin, end = int(messages["time"][0]), int(messages["time"][-1])
    return Tape(records, after, book[0].copy(), begin, end, tick_size, path.name.split("_")[0])


def _initial(path: Path, given: str | PathLike[str] | None) -> list[tuple[int, int, int, int]]:
    """Orders resting before the first message: (id, side, price in file units, shares)."""
    if given is None:
        head = path.name.lower().rfind("message")
        candidates = [path.with_name(path.name[:head] + "initial_orders_inferred" + end) for end in _CSV]
        found = [c for c in candidates if c.is_file()]
        if not found:
            return []
        given = found[0]
    source = Path(given)
    try:
        opener = gzip.open if source.suffix == ".gz" else open
        with opener(source, "rt", newline="") as file:
            rows = list(csv.DictReader(file))
        return [
            (
                int(r["order_id"]),
                int(OrderSide.BID if int(r["direction"]) == 1 else OrderSide.ASK),
                int(r["price"]),
                int(r["size"]),
            )
            for r in rows
        ]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"cannot be read as orders ({error!r}); needed are the columns order_id, direction, price, size", source
        ) from error


def rebuild(
    messages: NDArray[Any], tick_units: int, initial: Iterable[tuple[int, int, int, int]], levels: int
) -> NDArray[np.int64]:
    """The best *levels* of each side after every message, ``(rows, levels, 4)`` as `LobsterDay.book`, from the
    messages alone (see :func:`read_tape` for the rules)."""
    orders: dict[int, tuple[int, int, int]] = {}
    sides: tuple[Any, Any] = (SortedDict(), SortedDict())  # key -> {order id: shares}; smaller keys are better
    book = np.zeros((len(messages), levels, 4), np.int64)

    def add(order_id: int, side: int, price: int, size: int) -> None:
        key = price if side == OrderSide.ASK else -price
        orders[order_id] = (side, key, size)
        sides[side].setdefault(key, {})[order_id] = size

    def take(order_id: int, size: int) -> None:
        found = orders.get(order_id)
        if found is None:
            return
        side, key, left = found
        level = sides[side][key]
        if size < left:
            orders[order_id] = (side, key, left - size)
            level[order_id] = left - size
            return
        del orders[order_id], level[order_id]
        if not level:
            del sides[side][key]

    def bury(side: int, key: int) -> None:
        """Levels of *side* better than *key* cannot be alive."""
        while sides[side] and sides[side].peekitem(0)[0] < key:
            _, level = sides[side].popitem(0)
            for order_id in level:
                del orders[order_id]

    for order_id, side, price, size in initial:
        add(order_id, side, price, size)
    columns = (messages[n].tolist() for n in ("kind", "order_id", "side", "price", "quantity"))
    for row, (kind, order_id, side, price, size) in enumerate(zip(*columns, strict=True)):
        if kind == LobsterKind.ADD:
            bury(1 - side, (-price if side == OrderSide.ASK else price) + 1)
            add(order_id, side, price, size)
        elif kind == LobsterKind.EXECUTE:
            bury(side, price if side == OrderSide.ASK else -price)
            take(order_id, size)
        elif kind == LobsterKind.DELETE:
            take(order_id, 2**62)
        elif kind == LobsterKind.REDUCE:
            take(order_id, size)
        for at, (s, sign) in enumerate(((OrderSide.ASK, 1), (OrderSide.BID, -1))):
            for i, (key, level) in enumerate(sides[s].items()):
                if i == levels:
                    break
                book[row, i, 2 * at] = sign * key // tick_units
                book[row, i, 2 * at + 1] = sum(level.values())
    return book


def simulate_tape(
    config: MarketConfig | Mapping[str, Any] | str, seconds: float, *, seed: int = 0, levels: int = 10
) -> Tape:
    """A tape of *seconds* of a simulated market after its warm-up.

    Raises:
        ConfigError: not a market's configuration, or no positive time.
    """
    if not seconds > 0.0:
        raise ConfigError(f"seconds is {seconds}; a tape covers more than 0 s")
    return Market(config, seed, log_capacity=0).record(round(seconds * 1e9), levels)


def in_shares(tape: Tape, lot: int) -> Tape:
    """The tape with quantities in shares, of which one lot of its market holds *lot*."""
    if lot == 1:
        return tape
    if lot < 1:
        raise ConfigError(f"lot is {lot}; a lot is at least one share")
    records, book, opening = tape.records.copy(), tape.book.copy(), tape.opening.copy()
    for name in ("quantity", "bid_volume", "ask_volume"):
        records[name] *= lot
    book[:, :, 1::2] *= lot
    opening[:, 1::2] *= lot
    return Tape(records, book, opening, tape.start, tape.end, tape.tick_size, tape.symbol)


def split(tape: Tape, parts: int) -> list[Tape]:
    """The tape in *parts* of equal time."""
    edges = np.linspace(tape.start, tape.end, parts + 1).astype(np.int64)
    return [tape.between(int(a), int(b)) for a, b in pairwise(edges)]
