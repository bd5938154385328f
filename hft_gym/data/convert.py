"""Any recorded file into the one Parquet format: streaming, checked, resumable, and whole or not there at all.

While it runs, finished parts and the state after them lie in ``TARGET.partial/``; the next run of the same conversion
goes on from there. The target itself appears by a rename, when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hft_gym._version import __version__
from hft_gym.data.archive import ArchiveWriter, _open_parquet
from hft_gym.data.follower import BookFollower, Screen
from hft_gym.data.formats import open_source
from hft_gym.data.issues import IssueLog
from hft_gym.data.messages import FORMAT_VERSION, FeedMeta, units_of
from hft_gym.data.sources import Chunk, Source
from hft_gym.errors import DataError
from hft_gym.extras import optional

__all__ = ["Checker", "Converted", "checked_chunks", "convert"]

PART = 1 << 21
"""Messages between two states that a conversion can resume from."""
MOST_BOOKS = 64
"""Instruments whose books are followed; with more, only single messages are checked."""

Progress = Callable[[int, int, int], None]
"""Called with (bytes read, bytes in all, messages so far)."""


@dataclass(frozen=True)
class Converted:
    """What a conversion or a validation found."""

    meta: FeedMeta
    messages: int
    log: IssueLog
    statistics: dict[str, dict[str, int]] = field(default_factory=dict)
    """Symbol -> what its book's follower counted."""
    notes: tuple[str, ...] = ()
    """Checks that were not made, and why."""
    resumed: int = 0
    """Messages that an earlier, interrupted run had converted."""


class Checker:
    """All checks of a stream: single messages, then the book of each instrument."""

    def __init__(self, source: Source, log: IssueLog, tick_size: float | None = None) -> None:
        self.source, self.log = source, log
        meta = source.meta
        self.tick = None if tick_size is None else units_of(tick_size, meta.price_decimals, "tick_size")
        self.screen = Screen(meta, log, source.path)
        self.books: dict[int, BookFollower] = {}
        self.follows = meta.complete
        self.notes: list[str] = []
        if not self.follows:
            self.notes.append(
                "books were not followed (order ids, crossed books): the file does not tell which orders rested before "
                "it begins" + ("; `hft-gym data replay` checks every row" if meta.source == "lobster" else "")
            )

    def __call__(self, chunk: Chunk) -> Chunk:
        """The repaired chunk."""
        chunk = self.screen(chunk)
        if not self.follows or not len(chunk.records):
            return chunk
        instruments = np.unique(chunk.records["instrument"]).tolist()
        new = [i for i in instruments if i not in self.books]
        if len(self.books) + len(new) > MOST_BOOKS:
            self.follows = False
            self.books.clear()
            self.notes.append(
                f"books were not followed (order ids, crossed books): there are more than {MOST_BOOKS} instruments; "
                "choose some with --symbols"
            )
            return chunk
        for instrument in new:
            self.books[instrument] = BookFollower(self.source.meta, self.log, self.source.path, tick_units=self.tick)
        if len(instruments) == 1:
            return self.books[instruments[0]](chunk)
        parts = [self.books[i](chunk.take(chunk.records["instrument"] == i)) for i in instruments]
        records = np.concatenate([p.records for p in parts])
        rows = np.concatenate([p.rows for p in parts])
        order = np.argsort(rows, kind="stable")
        return Chunk(records[order], rows[order])

    def statistics(self) -> dict[str, dict[str, int]]:
        """Symbol -> what was counted."""
        symbols = self.source.meta.symbols
        found = {symbols.get(i, str(i)): book.statistics for i, book in self.books.items()}
        return {name: values for name, values in found.items() if values["events"]}

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        """Arrays for :meth:`restore`."""
        arrays = {f"screen/{k}": v for k, v in self.screen.state().items()}
        for i, book in self.books.items():
            arrays |= {f"book/{i}/{k}": v for k, v in book.state().items()}
        return arrays

    def restore(self, arrays: dict[str, Any], follows: bool, notes: Sequence[str]) -> None:
        """Continue from a :meth:`state`."""
        self.follows, self.notes = follows, list(notes)
        self.screen.restore({k.split("/")[1]: v for k, v in arrays.items() if k.startswith("screen/")})
        for i in sorted({int(k.split("/")[1]) for k in arrays if k.startswith("book/")}):
            book = BookFollower(self.source.meta, self.log, self.source.path, tick_units=self.tick)
            book.restore({k.split("/")[2]: v for k, v in arrays.items() if k.startswith(f"book/{i}/")})
            self.books[i] = book


def checked_chunks(source: Source, checker: Checker, progress: Progress | None = None) -> Iterator[Chunk]:
    """The checked and repaired chunks of a source."""
    messages = 0
    for chunk in source.chunks():
        repaired = checker(chunk)
        messages += len(repaired.records)
        if progress is not None:
            progress(*source.progress, messages)
        yield repaired


def validate(
    path: Path,
    symbols: Sequence[str] = (),
    strict: bool = False,
    format: str | None = None,
    tick_size: float | None = None,
    progress: Progress | None = None,
) -> Converted:
    """Check a file and write nothing.

    Raises:
        DataError: the first issue, if *strict*; a file that cannot be read at all.
        ConfigError: no such symbol or format.
    """
    log = IssueLog(strict)
    source = open_source(Path(path), log, symbols, format)
    checker = Checker(source, log, tick_size)
    messages = sum(len(chunk.records) for chunk in checked_chunks(source, checker, progress))
    return Converted(source.meta, messages, log, checker.statistics(), tuple(checker.notes))


def convert(
    path: Path,
    target: Path,
    symbols: Sequence[str] = (),
    strict: bool = False,
    format: str | None = None,
    tick_size: float | None = None,
    progress: Progress | None = None,
    part: int = PART,
) -> Converted:
    """Convert a file to Parquet; see the module. Interrupted, it leaves ``TARGET.partial`` and goes on from there.

    Raises:
        DataError: the first issue, if *strict*; a file that cannot be read at all. No target is written then.
        ConfigError: no such symbol or format.
        MissingExtraError: pyarrow is not installed.
    """
    path, target = Path(path), Path(target)
    optional("pyarrow")  # missed before anything is made
    log = IssueLog(strict)
    source = open_source(path, log, symbols, format)
    folder = target.with_name(target.name + ".partial")
    job = _job(source, symbols, strict, tick_size, part)
    state = _found(folder, job)
    if state is None:
        shutil.rmtree(folder, ignore_errors=True)
        checker = Checker(source, log, tick_size)
        done, number = 0, 0
    else:
        source.restore(state["source"])
        log.restore(state["log"])
        checker = Checker(source, log, tick_size)
        number, done = state["part"], state["messages"]
        with np.load(folder / f"state-{number:05d}.npz") as arrays:
            checker.restore(dict(arrays), state["follows"], state["notes"])
    resumed = done
    writer: ArchiveWriter | None = None
    # The source is advanced by hand: a state may only be taken between two of its chunks.
    for repaired in checked_chunks(source, checker, _shifted(progress, done)):
        if writer is None:
            folder.mkdir(parents=True, exist_ok=True)  # not before there is something to put there
            writer = ArchiveWriter(folder / f"part-{number:05d}.tmp")
        writer.write(repaired)
        if writer.messages >= part:
            done += writer.messages
            number = _finish(writer, folder, number)
            writer = None
            _save(folder, number, job, source, log, checker, done)
    if writer is not None:
        done += writer.messages
        number = _finish(writer, folder, number)
    meta = replace(source.meta, repairs=dict(log.counts))
    _join(folder, number, target, meta)
    return Converted(meta, done, log, checker.statistics(), tuple(checker.notes), resumed)


def _shifted(progress: Progress | None, done: int) -> Progress | None:
    return None if progress is None else lambda read, size, n: progress(read, size, n + done)


def _job(source: Source, symbols: Sequence[str], strict: bool, tick: float | None, part: int) -> str:
    """What must be the same for a conversion to go on."""
    files = [[str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns] for f in source.files]
    told = [files, source.format, sorted(symbols), strict, tick, part, FORMAT_VERSION, __version__]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _found(folder: Path, job: str) -> dict[str, Any] | None:
    """The state to go on from, if the folder belongs to the same job and is whole."""
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    except (OSError, ValueError):
        return None
    whole = all((folder / f"part-{i:05d}.parquet").is_file() for i in range(state.get("part", 0)))
    return state if state.get("job") == job and whole else None


def _finish(writer: ArchiveWriter, folder: Path, number: int) -> int:
    writer.close()
    os.replace(writer.path, folder / f"part-{number:05d}.parquet")
    return number + 1


def _save(folder: Path, number: int, job: str, source: Source, log: IssueLog, checker: Checker, done: int) -> None:
    temporary = folder / "arrays.tmp.npz"
    np.savez(temporary, allow_pickle=False, **checker.state())
    os.replace(temporary, folder / f"state-{number:05d}.npz")
    state = {
        "job": job,
        "part": number,
        "messages": done,
        "source": source.state(),
        "log": log.state(),
        "follows": checker.follows,
        "notes": checker.notes,
    }
    (folder / "state.tmp").write_text(json.dumps(state))
    os.replace(folder / "state.tmp", folder / "state.json")
    (folder / f"state-{number - 1:05d}.npz").unlink(missing_ok=True)


def _join(folder: Path, parts: int, target: Path, meta: FeedMeta) -> None:
    """All parts in one file, row group by row group; then the rename."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = ArchiveWriter(folder / "whole.tmp")
    for i in range(parts):
        part = _open_parquet(folder / f"part-{i:05d}.parquet")
        for group in range(part.num_row_groups):
            whole.write_table(part.read_row_group(group))
        part.close()
    whole.close(meta)
    try:
        os.replace(whole.path, target)
    except OSError as error:
        raise DataError(f"cannot be written ({error})", target) from error
    shutil.rmtree(folder, ignore_errors=True)
