"""How faithful the replay of a file is, measured in the compiled book: what `hft-gym data replay` prints."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hft_gym.data import follow_state as c
from hft_gym.data.check_replay import prepare, replay_through_book, run
from hft_gym.data.dbn import read_mbp10
from hft_gym.data.follower import BookFollower, Screen, infer_tick
from hft_gym.data.formats import detect, open_source
from hft_gym.data.issues import IssueLog
from hft_gym.data.replay import ReplayFeed
from hft_gym.errors import ConfigError, DataError

__all__ = ["Fidelity", "Measured", "compare_mbp10", "measure"]

FRONT_SHARE = 0.998
"""Share of the executions of orders seen arriving that must be first in their queue (LOBSTER)."""


@dataclass(frozen=True)
class Measured:
    """One line: name, value, what is asked, and whether it holds (None: nothing is asked)."""

    name: str
    value: str
    asked: str = ""
    holds: bool | None = None


@dataclass(frozen=True)
class Fidelity:
    """All lines of one file."""

    file: str
    format: str
    rows: tuple[Measured, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    def __getitem__(self, name: str) -> Measured:
        """The line of a name."""
        return next(row for row in self.rows if row.name == name)


def measure(
    path: Path,
    tick_size: float | None = None,
    symbol: str | None = None,
    queue_model: str = "back",
    against: Path | None = None,
) -> Fidelity:
    """Replay a file through the compiled book and compare it with what the file itself says.

    Raises:
        ConfigError: a wrong option; *against* for a file that is not Databento's.
        DataError: a file that cannot be read or replayed.
    """
    name = detect(path)
    feed = ReplayFeed.from_file(path, tick_size, symbol=symbol, queue_model=queue_model)
    check = replay_through_book(feed)
    state = prepare(feed)
    started = time.perf_counter()
    run(feed, state)
    seconds = time.perf_counter() - started
    rows = [
        Measured("rows", f"{check.rows:,} ({feed!r})"),
        Measured("rows whose best levels differ from the file's", f"{check.wrong_rows:,}", "0", check.wrong_rows == 0),
        Measured("crossed or locked after a row", f"{check.crossed_rows:,}", "0", check.crossed_rows == 0),
        Measured("operations that do not fit", f"{check.broken_operations:,}", "0", check.broken_operations == 0),
    ]
    lobster = feed.stats.adopted_rows + feed.stats.adopted_levels > 0 or name == "lobster"
    if lobster:
        rows += _lobster(feed)
    else:
        rows += _book_checks(path, name, symbol, tick_size)
    if against is not None:
        if name not in ("dbn", "dbn-csv"):
            raise ConfigError(f"against={against} is for Databento MBO files; {path} is {name}")
        compared, missing = compare_mbp10(path, against, symbol)
        rows.append(Measured("MBP-10 rows reproduced", f"{compared - missing:,} of {compared:,}", "all", missing == 0))
    speed = len(feed.ops) / seconds / 1e6
    rows.append(Measured("speed of the compiled book", f"{speed:.1f} M operations/s"))
    return Fidelity(str(path), name, tuple(rows))


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}" + (f" ({100 * part / whole:.2f} %)" if whole else "")


def _lobster(feed: ReplayFeed) -> list[Measured]:
    stats = feed.stats
    known, front = stats.executions_known, stats.executions_oldest_known
    return [
        Measured("rows in which a level enters from beyond the horizon", f"{stats.adopted_rows:,}"),
        Measured("rows corrected to the file's", f"{stats.corrected_rows:,}", "0", stats.corrected_rows == 0),
        Measured(
            "executions ahead of all other orders seen arriving", _share(front, known), "99.8 %",
            front >= FRONT_SHARE * known,
        ),
    ]  # fmt: skip


def _book_checks(path: Path, name: str, symbol: str | None, tick_size: float | None) -> list[Measured]:
    """What following the book found."""
    from hft_gym.data.convert import validate

    found = validate(path, (symbol,) if symbol else (), format=name, tick_size=tick_size)
    rows = [Measured("issues", f"{dict(found.log.counts) or 'none'}", "none", found.log.total == 0)]
    values = next(iter(found.statistics.values()), {})
    source = found.meta.source
    if not values:
        return rows
    rows.append(Measured("messages", f"{found.messages:,}"))
    executions = values["executions"]
    for what, key in (
        () if not executions else (("best price", "executions_at_best"), ("front of the queue", "executions_at_front"))
    ):
        asked = source == "itch"
        rows.append(
            Measured(
                f"executions at the {what}", _share(values[key], executions), "all" if asked else "",
                values[key] == executions if asked else None,
            )
        )  # fmt: skip
    if found.meta.auction:
        rows.append(Measured("events crossed before continuous trading", f"{values['crossed_before_open']:,}"))
    rows.append(Measured("events crossed in continuous trading", f"{values['crossed']:,}", "0", values["crossed"] == 0))
    if values["quotes_compared"]:
        compared, equal = values["quotes_compared"], values["quotes_equal"]
        rows.append(
            Measured("best quotes of the same update id", _share(equal, compared) + " equal", "all", compared == equal)
        )
    return rows


def compare_mbp10(mbo: Path, mbp10: Path, symbol: str | None = None) -> tuple[int, int]:
    """Follow an MBO file and compare its ten best levels with an MBP-10 file's rows: rows, and those not reproduced.

    A row is reproduced if the book shows its prices, sizes and order counts after some message of its sequence number.

    Raises:
        DataError: one of the files cannot be read.
    """
    sequences, levels = read_mbp10(mbp10)
    due: dict[int, list[int]] = {}
    for i, sequence in enumerate(sequences.tolist()):
        due.setdefault(sequence, []).append(i)
    log = IssueLog()
    source = open_source(mbo, log, (symbol,) if symbol else ())
    screen = Screen(source.meta, log, mbo)
    book: BookFollower | None = None
    reproduced = np.zeros(len(sequences), bool)
    for chunk in source.chunks():
        book = BookFollower(source.meta, log, mbo) if book is None else book
        if source.meta.symbols and len(source.meta.symbols) > 1:
            raise ConfigError(f"{mbo} has several instruments: choose one with symbols")
        chunk = screen(chunk)
        if book.k[c.TICK] == 0:  # from all prices, not from the first message
            book.k[c.TICK] = infer_tick(chunk.records)
        for i in range(len(chunk.records)):
            part = chunk.take(np.arange(i, i + 1))
            book(part)
            for row in due.get(int(part.records["sequence"][0]), ()):
                if not reproduced[row] and (book.depth(10) == levels[row]).all():
                    reproduced[row] = True
    if book is None:
        raise DataError("has no messages", mbo)
    return len(sequences), int((~reproduced).sum())
