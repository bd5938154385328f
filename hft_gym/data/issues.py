"""What can be wrong with recorded data, what a lenient reading does about it, and the log of what was found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hft_gym.errors import DataError

__all__ = ["CODES", "RULES", "Issue", "IssueLog"]

RULES: dict[str, tuple[str, str]] = {
    "truncated": ("the file ends inside a message", "the incomplete message is dropped"),
    "unreadable": ("a message or row cannot be decoded", "it is dropped"),
    "gap": ("sequence numbers or update ids are missing", "kept; a level-2 book may be wrong until a new snapshot"),
    "repeat": ("a sequence number or update id comes again", "the later one is dropped"),
    "time": ("time goes backwards", "the message gets the latest time before it"),
    "size": ("a size that is not positive or too large", "the message is dropped"),
    "price": ("a price that is not positive", "the message is dropped"),
    "scale": ("a price off the tick, or ten times the trade before or more: wrong scale", "the message is dropped"),
    "side": ("a side that is neither bid nor ask", "the message is dropped"),
    "unknown": ("an order id that is not resting", "the message is dropped; a modification becomes an add"),
    "duplicate": ("an order id that is already resting is added", "the older order is deleted first"),
    "excess": ("more is taken from an order than is left of it", "all that is left is taken"),
    "crossed": ("the book is crossed or locked in continuous trading", "the older orders that are crossed are deleted"),
    "row": ("levels out of order in a row of LOBSTER's orderbook file", "the row is dropped with its message"),
}
"""Kind of issue -> (what it is, what lenient reading does). Strict reading refuses at the first."""

CODES = tuple(RULES)
"""The kinds in order: compiled code reports the position in this tuple."""


@dataclass(frozen=True)
class Issue:
    """One thing found wrong: kind (a key of :data:`RULES`), file, row counted from 0, the value, and a sentence."""

    kind: str
    file: str
    row: int
    value: Any
    text: str


class IssueLog:
    """Collects issues; a strict log raises at the first one instead.

    Args:
        strict: refuse instead of repairing.
        keep: examples kept of each kind; all are counted.
    """

    def __init__(self, strict: bool = False, keep: int = 5) -> None:
        self.strict = strict
        self.keep = keep
        self.counts: Counter[str] = Counter()
        self.examples: list[Issue] = []

    def add(self, kind: str, file: str | Path, row: int, value: Any, text: str, count: int = 1) -> None:
        """Note an issue.

        Raises:
            DataError: the log is strict.
        """
        what, repair = RULES[kind]
        if self.strict:
            raise DataError(f"{kind}: {text} ({what}; lenient reading: {repair})", file, row, value)
        seen = self.counts[kind]
        self.counts[kind] += count
        if seen < self.keep:
            self.examples.append(Issue(kind, str(file), int(row), value, text))

    @property
    def total(self) -> int:
        """Number of issues."""
        return sum(self.counts.values())

    def state(self) -> dict[str, Any]:
        """JSON-able, for :meth:`restore`."""
        return {
            "counts": dict(self.counts),
            "examples": [[i.kind, i.file, i.row, i.value, i.text] for i in self.examples],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a :meth:`state`."""
        self.counts = Counter(state["counts"])
        self.examples = [Issue(*values) for values in state["examples"]]
