"""``python -m benchmarks.feed_faults``: what feeds do when connections misbehave, as the table of docs/feeds.md.

Local servers play an exchange (or are our own), a proxy injects one fault each, and every book that the feed shows is
compared with the plain book of the venue. Loopback only; about half a minute. Status 1: a row is not as expected.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from hft_gym import setup_main_logger
from tests.feed.faults import (
    BINANCE_FAULTS,
    BINANCE_SNAPSHOTS,
    COINBASE_FAULTS,
    OUR_FAULTS,
    Careless,
    depth_text,
    play_binance,
    play_coinbase,
    play_ours,
    wrong,
    wrong_coinbase,
)
from tests.feed.harness import coinbase_events

LIMIT = 60.0
"""Seconds that one row may take."""

EXPECTED = {
    "none": "one snapshot a book",
    "gap": "a text is missing: book lost, new snapshot",
    "duplicate": "a text comes twice: left out",
    "reorder": "two texts in the wrong order: book lost, new snapshot",
    "garbage": "garbage instead of a text: book lost, new snapshot",
    "noise": "garbage between texts: left out (our own numbers its texts and asks anew)",
    "cut": "connection cut: reconnect, new snapshot",
    "stall": "server falls silent: reconnect, new snapshot",
    "slow snapshot": "the snapshot takes long: updates wait for it",
    "asked to wait": "snapshots refused twice (429): wait as asked, ask again",
    "snapshot too old": "snapshot older than the updates: ask again",
}
"""Fault -> what should happen."""
COUNTED = ("gaps", "repeats", "unreadable", "connections", "snapshots")
AT_FIRST = {"connections": 1, "snapshots": 1}
Seen = tuple[int, int, dict[str, int]]
"""Books compared, those among them that are not the venue's, what was counted."""


def _seen(messages: list[Any], bad: list[Any], counts: Any) -> Seen:
    books = sum(m.kind.value != "lost" for m in messages)
    return books, len(bad), {name: getattr(counts, name) for name in COUNTED}


async def binance(fault: str) -> Seen:
    """One fault between a server that plays Binance (spot, one symbol) and its feed."""
    faults, options = BINANCE_SNAPSHOTS.get(fault) or ({} if fault == "none" else {depth_text(): fault}, {})
    venue, seen, found, _ = await play_binance(faults, **options)
    return _seen(seen, wrong(seen, venue.truth), found)


async def coinbase(fault: str) -> Seen:
    """One fault between a server that plays Coinbase (two products) and its feed."""
    faults = {} if fault == "none" else {30: fault}
    heartbeat = 0.05 if fault == "stall" else 1.0
    venue, seen, found = await play_coinbase(faults, *coinbase_events(n=200), heartbeat=heartbeat)
    return _seen(seen, wrong_coinbase(venue, seen), found)


async def ours(fault: str) -> Seen:
    """One fault between our own server (two mock markets) and its client."""
    faults = {} if fault == "none" else {40: fault}
    _, known, bad, found = await play_ours(faults, heartbeat=0.1 if fault == "stall" else 5.0)
    return _seen(known, bad, found)


async def careless(_: str) -> Seen:
    """The control: a reader of Binance that ignores gaps."""
    at = depth_text()
    venue, seen, found, _ = await play_binance({at: "gap", at + 4: "gap", at + 9: "gap"}, kind=Careless)
    return _seen(seen, wrong(seen, venue.truth), found)


Least = dict[str, tuple[dict[str, int], bool]]
SOURCES: dict[str, tuple[Callable[[str], Awaitable[Seen]], Least, tuple[str, ...]]] = {
    "Binance": (binance, BINANCE_FAULTS, tuple(BINANCE_SNAPSHOTS)),
    "Coinbase, two products": (coinbase, COINBASE_FAULTS, ()),
    "our server, two symbols": (ours, OUR_FAULTS, ()),
}
"""Source -> how it is played, what must be counted at least by fault, and the faults that are its own."""


def _cell(seen: Seen) -> str:
    books, bad, counts = seen
    told = {name: count for name, count in counts.items() if count and (name, count) != ("connections", 1)}
    said = [f"{count} {name if count != 1 else name.removesuffix('s')}" for name, count in told.items()]
    return f"{', '.join(said)}; {books} books, {bad} wrong"


async def table(faults: list[str]) -> tuple[list[list[str]], list[str]]:
    """The rows of the table, and what is not as expected."""
    rows, complaints = [], []
    for fault in faults:
        row = [fault, EXPECTED[fault]]
        for source, (play, least, own) in SOURCES.items():
            if fault != "none" and fault not in least and fault not in own:
                row.append("–")
                continue
            async with asyncio.timeout(LIMIT):
                seen = await play(fault)
            row.append(_cell(seen))
            wanted = least.get(fault, (AT_FIRST, False))[0]
            short = [f"{n} {seen[2][n]}, not {k}" for n, k in wanted.items() if seen[2][n] < k]
            complaints += [f"{source}, {fault}: {what}" for what in (*short, *(["wrong books"] if seen[1] else []))]
        rows.append(row)
    async with asyncio.timeout(LIMIT):
        seen = await careless("gap")
    rows.append(["control", "a reader that ignores gaps: wrong books", _cell(seen), "–", "–"])
    if not seen[1]:
        complaints.append("control: a reader that ignores gaps was not caught")
    return rows, complaints


def main(words: list[str]) -> int:
    """Print the table of the faults named by *words* (default: all) in Markdown."""
    unknown = [word for word in words if word not in EXPECTED]
    if unknown:
        print(f"no fault {unknown[0]!r}; there are {', '.join(EXPECTED)}", file=sys.stderr)
        return 2
    setup_main_logger("ERROR")  # the faults are ours: no need to be warned of them
    rows, complaints = asyncio.run(table(words or list(EXPECTED)))
    heads = ["fault", "expected", *SOURCES]
    for row in (heads, ["---"] * len(heads), *rows):
        print("| " + " | ".join(row) + " |")
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
