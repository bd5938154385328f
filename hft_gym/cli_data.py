"""``hft-gym data``: convert, inspect, validate and replay recorded markets."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from hft_gym.data.window import clock_text
from hft_gym.errors import ConfigError, DataError
from hft_gym.terminal import make_console, parse_options

FormatName = Literal["lobster", "itch", "dbn", "dbn-csv", "binance", "coinbase", "coinbase-full", "archive"]


@dataclass(frozen=True)
class _Reading:
    """Options of everything that reads a file."""

    file: Annotated[Path, tyro.conf.Positional]
    """LOBSTER message file, ITCH 5.0, Databento MBO (DBN or CSV), Binance or Coinbase capture; .gz and .zst too."""
    symbols: tuple[str, ...] = ()
    """Instruments to keep (default: all in the file)."""
    tick_size: float | None = None
    """The tick in currency; prices off it are issues (default: found from the prices)."""


@dataclass(frozen=True)
class ConvertArgs(_Reading):
    """Convert a recorded file into one Parquet file of messages: streamed, checked, resumable.

    Issues are repaired by stated rules and counted (the rules: docs/data.md); --strict refuses at the first. If it is
    interrupted, the same command goes on where it stopped. The target appears only when it is complete.

    Example: hft-gym data convert S013020-v50.txt.gz --symbols AAPL -o aapl.parquet
    """

    format: FormatName | None = None
    """The file's format, if it is not recognised."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=("-o",))] = None
    """The Parquet file (default: the file's name with .parquet, in the current folder)."""
    strict: bool = False
    """Refuse instead of repairing."""
    json: Path | None = None
    """Also write what was found as JSON."""


@dataclass(frozen=True)
class ValidateArgs(_Reading):
    """Check a recorded file: gaps, crossed books, unknown orders, sizes, times, truncation, scale.

    Every kind of issue is counted and shown with file, row (from 0) and value. The exit status is 1 if there is any.

    Example: hft-gym data validate AMZN_2012-06-21_34200000_57600000_message_5.csv
    """

    format: FormatName | None = None
    """The file's format, if it is not recognised."""
    strict: bool = False
    """Stop at the first issue."""
    json: Path | None = None
    """Also write what was found as JSON."""


@dataclass(frozen=True)
class InspectArgs:
    """Show what a converted Parquet file holds, or run SQL over its messages (the table is called feed).

    Example: hft-gym data inspect aapl.parquet --sql "SELECT kind_name, avg(quantity) FROM feed GROUP BY 1"
    """

    file: Annotated[Path, tyro.conf.Positional]
    """A file that `hft-gym data convert` made."""
    sql: str | None = None
    """A DuckDB query."""


@dataclass(frozen=True)
class ReplayArgs(_Reading):
    """Replay a file through the compiled book and measure how faithful the replay is.

    Every row's best levels are compared with the file's own; executions are checked for price and time priority. Any
    file that passes can be the feed of an environment: gymnasium.make("HFTMarket-v0", feed=FILE).

    Example: hft-gym data replay ARL.mbo.csv.gz --against ARL.mbp10.csv.gz
    """

    against: Path | None = None
    """A Databento MBP-10 file of the same messages: its ten levels are compared with the book's after each."""
    queue_model: Literal["back", "front", "proportional"] = "back"
    """Of level-2 files: which part of a queue unexplained decreases come from."""
    json: Path | None = None
    """Also write what was measured as JSON."""


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int, int], None]]:
    """A progress bar on stderr: share of the bytes read, messages so far."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TextColumn("{task.fields[messages]:,} messages"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None, messages=0)

        def update(read: int, size: int, messages: int) -> None:
            progress.update(task, completed=read, total=size, messages=messages)

        yield update


def convert() -> int:
    """Entry of ``hft-gym data convert``."""
    args: ConvertArgs = parse_options(ConvertArgs)
    from hft_gym.data.convert import convert as run

    target = args.output or Path(args.file.name + ".parquet")
    if target.suffix != ".parquet":
        raise ConfigError(f"output is {target}; its name must end with .parquet")
    try:
        with _bar(f"converting {args.file.name}") as update:
            found = run(args.file, target, args.symbols, args.strict, args.format, args.tick_size, update)
    except KeyboardInterrupt:
        print(f"what is done lies in {target}.partial; the same command goes on from there", file=sys.stderr)
        raise
    console = make_console(120)
    _report(console, found)
    again = f" ({found.resumed:,} of them by an earlier, interrupted run)" if found.resumed else ""
    console.print(f"written: {target}, {found.messages:,} messages{again}", markup=False)
    _write_json(args.json, found)
    return 0


def validate() -> int:
    """Entry of ``hft-gym data validate``; 1 if there is an issue."""
    args: ValidateArgs = parse_options(ValidateArgs)
    from hft_gym.data.convert import validate as run

    with _bar(f"checking {args.file.name}") as update:
        found = run(args.file, args.symbols, args.strict, args.format, args.tick_size, update)
    console = make_console(120)
    _report(console, found)
    if not found.log.total:
        console.print(f"sound: {found.messages:,} messages, no issue", markup=False)
    _write_json(args.json, found)
    return int(found.log.total > 0)


def _report(console: Console, found: Any) -> None:
    from hft_gym.data.issues import RULES

    if found.log.total:
        table = Table("issue", "count", "what it is", "lenient reading", box=None, padding=(0, 2))
        for kind, count in found.log.counts.most_common():
            table.add_row(kind, f"{count:,}", *RULES[kind])
        console.print(table)
        for issue in found.log.examples:
            console.print(f"  {issue.kind}: {issue.file}, row {issue.row}: {issue.text}", markup=False, soft_wrap=True)
    if found.statistics:
        names = ("messages", "events", "executions", "executions_at_best", "executions_at_front", "crossed",
                 "crossed_before_open", "quotes_compared", "quotes_equal", "resting_at_end")  # fmt: skip
        table = Table("book", *(n.replace("_", " ") for n in names), box=None, padding=(0, 1))
        for symbol, values in found.statistics.items():
            table.add_row(symbol, *(f"{values[name]:,}" for name in names))
        console.print(table)
    for note in found.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)


def _write_json(path: Path | None, found: Any) -> None:
    if path is None:
        return
    told = {
        "meta": json.loads(found.meta.to_json()),
        "messages": found.messages,
        "issues": dict(found.log.counts),
        "examples": [asdict(issue) for issue in found.log.examples],
        "books": found.statistics,
        "notes": list(found.notes),
    }
    path.write_text(json.dumps(told, indent=1) + "\n")


def inspect() -> int:
    """Entry of ``hft-gym data inspect``."""
    args: InspectArgs = parse_options(InspectArgs)
    from hft_gym.data.formats import detect
    from hft_gym.data.look import inspect_file, query

    if detect(args.file) != "archive":
        raise DataError(f"is no converted file; first: hft-gym data convert {args.file}", args.file)
    console = make_console(120)
    if args.sql is not None:
        columns, rows = query(args.file, args.sql)
        table = Table(*(escape(c) for c in columns), box=None, padding=(0, 2))
        for row in rows[:1000]:
            table.add_row(*(escape(str(value)) for value in row))
        console.print(table)
        if len(rows) > 1000:
            console.print(f"... {len(rows) - 1000:,} rows more")
        return 0
    meta, kinds, instruments = inspect_file(args.file)
    console.print(
        f"{meta.source} ({meta.depth}), {meta.date or 'no date'}, from {', '.join(meta.files)}; repairs: "
        f"{meta.repairs or 'none'}", markup=False,
    )  # fmt: skip
    price, size = 10**meta.price_decimals, 10**meta.size_decimals
    table = Table("kind", "messages", "quantity", "lowest price", "highest price", box=None, padding=(0, 2))
    for name, count, quantity, low, high in kinds:
        prices = ("", "") if low is None else (f"{low / price:,.4f}", f"{high / price:,.4f}")
        table.add_row(name, f"{count:,}", f"{(quantity or 0) / size:,.3f}", *prices)
    console.print(table)
    table = Table("instrument", "messages", "first", "last", box=None, padding=(0, 2))
    for number, count, first, last in instruments:
        table.add_row(meta.symbols.get(number, str(number)), f"{count:,}", _time(first, meta), _time(last, meta))
    console.print(table)
    return 0


def _time(time: int, meta: Any) -> str:
    if meta.clock == "midnight":
        return clock_text(time)
    import numpy as np

    return str(np.datetime64(int(time), "ns")).replace("T", " ")


def replay() -> int:
    """Entry of ``hft-gym data replay``."""
    args: ReplayArgs = parse_options(ReplayArgs)
    from hft_gym.data.fidelity import measure

    if len(args.symbols) > 1:
        raise ConfigError(f"symbols are {', '.join(args.symbols)}; a replay is of one instrument")
    symbol = args.symbols[0] if args.symbols else None
    console = make_console(120)
    with console.status(f"replaying {args.file.name} ..."):
        found = measure(args.file, args.tick_size, symbol, args.queue_model, args.against)
    table = Table("what", "measured", "asked", "", box=None, padding=(0, 2))
    for row in found.rows:
        mark = "" if row.holds is None else "[green]holds[/green]" if row.holds else "[red]MISSED[/red]"
        table.add_row(row.name, row.value, row.asked, mark)
    console.print(table)
    if args.json is not None:
        args.json.write_text(json.dumps(found.to_dict(), indent=1) + "\n")
    return int(any(row.holds is False for row in found.rows))
