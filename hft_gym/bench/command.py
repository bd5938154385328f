"""``hft-gym bench`` and ``python -m benchmarks``: choose groups, measure, print, write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hft_gym.bench import machine, report
from hft_gym.bench.harness import GROUPS, Options, Row, measure
from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.terminal import make_console, parse_options


@dataclass(frozen=True)
class Args:
    """Measure the speed of books, environments and training on this machine.

    Every figure is the median of several runs, taken in turns with what it is compared with.
    """

    quick: bool = False
    """Short runs and three repeats: a first look in about a minute."""
    only: tuple[str, ...] = ()
    """Groups to measure (default: all; --list names them)."""
    repeats: int | None = None
    """Runs of each case (default 7, quick 3)."""
    threads: int = 2
    """Threads of the parallel rows."""
    json: Path | None = None
    """File for the record (default: bench-COMMIT.json in the current folder)."""
    markdown: bool = False
    """Also print the table as Markdown."""
    list: bool = False
    """Name the groups and stop."""


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 if a group failed (a missed target is no failure)."""
    from hft_gym.bench import rows  # registers the groups

    del rows
    args: Args = parse_options(Args, argv)
    console = make_console(140)
    if args.list:
        print(report.titles())
        return 0
    names = _chosen(args.only)
    options = Options(args.quick, args.repeats or (3 if args.quick else 7), args.threads)
    warning = machine.busy()
    if warning:
        console.print(f"[yellow]{warning}[/yellow]")
    measured: list[Row] = []
    for name in names:
        console.print(f"measuring {name}: {GROUPS[name][0]} ...", markup=False)
        measured += measure(name, options)
    console.print()
    console.print(report.table(measured))
    report.print_notes(measured, console)
    if args.markdown:
        print("\n" + report.markdown(measured))
    path = args.json or Path(f"bench-{machine.commit()['id'] or 'installed'}.json")
    report.write_json(path, measured, options)
    console.print(f"\nwritten to {path}", markup=False)
    return int(any(row.status == "failed" for row in measured))


def _chosen(only: tuple[str, ...]) -> list[str]:
    for name in only:
        if name not in GROUPS:
            raise ConfigError(f"no benchmark group {name!r}{did_you_mean(name, list(GROUPS))}")
    return [name for name in GROUPS if not only or name in only]
