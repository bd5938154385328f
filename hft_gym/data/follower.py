"""`Screen` and `BookFollower`: the compiled checks behind Python, with arrays that grow as a file needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.book import idmap, ladder
from hft_gym.data import follow_state as c
from hft_gym.data.issues import CODES, RULES, IssueLog
from hft_gym.data.messages import FEED_DTYPE, FeedKind, FeedMeta
from hft_gym.data.ops import CHECKPOINT_DTYPE, REPLAY_DTYPE
from hft_gym.data.sources import Chunk
from hft_gym.errors import DataError
from hft_gym.types import MAX_QUANTITY

__all__ = ["BookFollower", "Screen", "infer_tick"]

_TEXT = {
    "time": "the time {value} is before {other}",
    "size": "the size is {value}",
    "price": "the price is {value}",
    "side": "the side is {value}",
    "scale": "the price {value} against {other}",
    "unknown": "order {value} is not resting",
    "duplicate": "order {value} is resting already",
    "excess": "{value} is taken from an order of {other}",
    "crossed": "best bid {value}, best ask {other}",
}
_LADDER = 4_096
_PLACING = (FeedKind.ADD, FeedKind.REPLACE, FeedKind.LEVEL)


def report(issues: NDArray[Any], log: IssueLog, file: Path) -> None:
    """Write the issues of a kernel (ISSUE records) to a log."""
    for code, row, value, other in issues.tolist():
        kind = CODES[code]
        log.add(kind, file, row, value, _TEXT[kind].format(value=value, other=other))


class Screen:
    """The checks of single messages (see `hft_gym.data.screen`), for one stream."""

    def __init__(self, meta: FeedMeta, log: IssueLog, file: Path) -> None:
        from hft_gym.data.screen import memory

        self.log, self.file = log, file
        self.times, self.prices = memory()
        self.largest = MAX_QUANTITY * 10 ** (meta.size_decimals if meta.size_decimals <= 9 else 9)
        self.unfollowed = not meta.complete
        # Spreads of futures may have any price, single stocks and coins only positive ones.
        self.lowest = -(2**62) if meta.source == "dbn" and meta.auction else 1

    def __call__(self, chunk: Chunk) -> Chunk:
        """The chunk without what must go, times mended."""
        from hft_gym.data.screen import screen

        records, rows = chunk.records, chunk.rows
        if not records.flags.writeable:
            records = records.copy()
        keep = np.ones(len(records), np.bool_)
        issues = np.zeros(1024, c.ISSUE)
        start = 0
        while start < len(records):
            start, n = screen(
                records,
                rows,
                keep,
                issues,
                start,
                self.times,
                self.prices,
                self.largest,
                self.lowest,
                self.unfollowed,
            )
            report(issues[:n], self.log, self.file)
        chunk = chunk._replace(records=records)
        return chunk if keep.all() else chunk.take(keep)

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays for :meth:`restore`."""
        return {"times": self.times, "prices": self.prices}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a :meth:`state`."""
        self.times, self.prices = state["times"].copy(), state["prices"].copy()


def infer_tick(records: NDArray[Any]) -> int:
    """The largest step that all prices of orders are multiples of [units]; it shrinks when a later price needs it."""
    placing = records[np.isin(records["kind"], _PLACING) & (records["price"] != 0)]
    return int(np.gcd.reduce(np.abs(placing["price"]))) if len(placing) else 0


class BookFollower:
    """Follows the book of one instrument through a stream (see `hft_gym.data.follow`).

    Args:
        meta: of the stream.
        log: where issues go.
        file: named in issues.
        tick_units, lot_units: units per tick and per lot; None: found from the data.
        queue_model: for level-2 data: "back", "front" or "proportional".
        open_at: number of the message at whose event's end operations begin; -1: no operations.
        levels: levels a side of the book's rows that are kept with the operations.
    """

    def __init__(
        self, meta: FeedMeta, log: IssueLog, file: Path, tick_units: int | None = None, lot_units: int | None = None,
        queue_model: str = "back", open_at: int = -1, levels: int = 1, checkpoint_rows: int = 2_000,
        capacity: int = 1_024,
    ) -> None:  # fmt: skip
        self.meta, self.log, self.file = meta, log, file
        self.level2 = meta.depth == "L2"
        self.levels = levels
        self.tick_given = tick_units is not None
        self.k = np.zeros(c.N_COUNTERS, np.int64)
        self.k[c.TICK], self.k[c.LOT] = tick_units or 0, lot_units or 1
        self.k[c.TICK_FIXED] = self.tick_given
        self.k[c.MATCHING] = not meta.auction
        self.k[c.OPEN_AT] = open_at
        self.k[c.FIRST_OPEN] = self.k[c.LAST_UPDATE] = -1
        self.k[c.QUEUE] = c.QUEUE_MODELS[queue_model]
        self.k[c.CHECKPOINT_ROWS] = checkpoint_rows
        self.k[c.LOW_TOUCH], self.k[c.HIGH_TOUCH] = np.iinfo(np.int64).max, np.iinfo(np.int64).min
        self.f = self._allocate(capacity, _LADDER)
        self.on_checkpoint: Callable[[NDArray[Any]], None] | None = None
        self.ops: list[NDArray[Any]] = []
        self.times: list[NDArray[np.int64]] = []
        self.op_start: list[NDArray[np.int64]] = []
        self.truth: list[NDArray[np.int64]] = []
        self.checkpoints: list[NDArray[Any]] = []
        self._n_ops = 0
        self._o: c.Output | None = None

    def _allocate(self, capacity: int, levels: int, syn: int = 0) -> c.Follow:
        head, node, order, words = ladder.allocate(1, levels, capacity)
        first = int(head["first"][0])
        pool = np.zeros(max(syn, 4 * capacity) if self.level2 else 1, c.SYN)
        pool["next"] = np.arange(1, len(pool) + 1)
        self.k[c.N_SYN_FREE] = 0
        return c.Follow(
            head[0], node[0], order[0], words[0], idmap.allocate_table(capacity), np.zeros(0, np.uint32),
            np.zeros(first + capacity, c.EXTRA), pool, np.zeros(2 * capacity + 64, np.int64), self.k,
        )  # fmt: skip

    def _rebuild(self, capacity: int) -> None:
        """A book of other sizes, ticks or lots with the same orders."""
        from hft_gym.data.follow import rebuild

        if self.k[c.EMIT]:
            raise DataError("the book outgrew its first reading: the file changed while it was read", self.file)
        old = self.f
        before = self.k.copy()
        new = self._allocate(capacity, int(old.head["levels"]))
        new.pending[: len(old.pending)] = old.pending[: len(new.pending)]
        emit = self.k[c.EMIT]
        rebuild(old._replace(counters=self._old_counters), new)
        self.k[:] = before
        self.k[c.EMIT] = emit
        self.k[c.N_SYN_FREE] = 0
        self.f = new

    @property
    def _old_counters(self) -> NDArray[np.int64]:
        return self._before

    def _room(self, n: int) -> c.Output:
        """Arrays for a run over n records; kept for the next one if they are large enough."""
        emitting = self.k[c.OPEN_AT] >= 0
        o = self._o
        n_out = n + n // 8 + 1024
        if o is None or len(o.out) < n_out:
            n_ops = 3 * n + 65_536 if emitting else 16
            o = self._o = c.Output(
                np.zeros(n_out, FEED_DTYPE), np.zeros(n_out, np.int64), np.zeros(4096, c.ISSUE),
                np.zeros(n_ops, REPLAY_DTYPE), np.zeros(n_out, np.int64), np.zeros(n_out, np.int64),
                np.zeros((n_out if emitting else 4, self.levels if emitting else 0, 4), np.int64),
            )  # fmt: skip
        return o

    def __call__(self, chunk: Chunk) -> Chunk:
        """Follow a chunk of this instrument; return it repaired.

        Raises:
            DataError: an issue, if the log is strict; quantities that no lot makes small enough.
        """
        from hft_gym.data.follow import follow

        records, rows = chunk.records, chunk.rows
        if not records.flags.writeable:
            records = records.copy()
        if self.k[c.TICK] == 0:
            tick = infer_tick(records)
            # Few prices share more than the tick; a cent and a quarter point are the usual ones.
            few = int((np.isin(records["kind"], _PLACING)).sum()) < 100
            self.k[c.TICK] = math.gcd(tick, 10 ** max(self.meta.price_decimals - 2, 0)) if few else max(tick, 1)
        o = self._room(len(records))
        kept: list[Chunk] = []
        start = 0
        while True:
            why, start = (int(x) for x in follow(self.f, o, records, rows, start, self.level2))
            self._collect(o, kept)
            if why == c.DONE:
                break
            self._before = self.k.copy()
            if why == c.GROW_ORDERS:
                self._grow()
            elif why == c.GROW_OUT:
                o = self._widen(o)
            elif why == c.RETICK:
                price = abs(int(records["price"][start]))
                self.k[c.TICK] = math.gcd(int(self.k[c.TICK]), price)
                self._rebuild(len(self.f.order))
            elif why == c.RELOT:
                if self.meta.size_decimals == 0 or self.k[c.LOT] > 10**15:
                    value = int(records["quantity"][start])
                    raise DataError(
                        f"a level of {value} lots and more is more than a book holds", self.file, start, value
                    )
                self.k[c.LOT] *= 10
                self._rebuild(len(self.f.order))
            elif why == c.CHECKPOINT:
                self._checkpoint()
        if len(kept) == 1:
            return kept[0]
        parts = [np.concatenate(part) for part in zip(*((k.records, k.rows) for k in kept), strict=True)]
        return Chunk(parts[0], parts[1])

    def _grow(self) -> None:
        f = self.f
        if self.level2 and self.k[c.EMIT] and f.head["free"] != 0:
            pool = np.zeros(2 * len(f.syn), c.SYN)
            pool["next"] = np.arange(1, len(pool) + 1)
            pool[: len(f.syn)] = f.syn
            # The free list of the old pool ends at its length, which is the first of the new places.
            self.f = f._replace(syn=pool, pending=np.concatenate([f.pending, np.zeros_like(f.pending)]))
        elif f.head["free"] != 0:
            self.f = f._replace(pending=np.concatenate([f.pending, np.zeros_like(f.pending)]))
        else:
            self._rebuild(2 * len(f.order))

    def _widen(self, o: c.Output) -> c.Output:
        """More room for operations if that is what is short (the rest was emptied by collecting it)."""
        need = 4 * int(self.k[c.N_PENDING]) + 2 * int(self.f.head["n_live"]) + 2 * int(self.k[c.SYN_LIVE]) + 65_536
        if self.k[c.OPEN_AT] >= 0 and len(o.ops) < need:
            o = o._replace(ops=np.zeros(2 * need, REPLAY_DTYPE))
            self._o = o
        return o

    def _collect(self, o: c.Output, kept: list[Chunk]) -> None:
        """Take what a run has written, and report its issues."""
        k = self.k
        kept.append(Chunk(o.out[: k[c.N_OUT]].copy(), o.rows[: k[c.N_OUT]].copy()))
        issues = o.issues[: k[c.N_ISSUES]].copy()
        if k[c.N_ROWS] or k[c.N_OPS]:
            self.ops.append(o.ops[: k[c.N_OPS]].copy())
            self.times.append(o.times[: k[c.N_ROWS]].copy())
            self.op_start.append(o.op_start[: k[c.N_ROWS]] + self._n_ops)
            self.truth.append(o.truth[: k[c.N_ROWS]].copy())
            self._n_ops += int(k[c.N_OPS])
        k[c.ROWS_BEFORE] += k[c.N_ROWS]
        k[c.N_OUT] = k[c.N_ISSUES] = k[c.N_OPS] = k[c.N_ROWS] = 0
        report(issues, self.log, self.file)

    def _checkpoint(self) -> None:
        from hft_gym.data.follow import checkpoint

        orders = np.zeros(int(self.f.head["n_live"]) + int(self.k[c.SYN_LIVE]), CHECKPOINT_DTYPE)
        n = int(checkpoint(self.f, orders, self.level2))
        self.checkpoints.append(orders[:n].copy())

    def depth(self, levels: int = 10) -> NDArray[np.int64]:
        """``(levels, 6)`` int64: ask price [units], size [units], orders, bid price, size, orders; zeros for none."""
        from hft_gym.data.follow import depth

        found = np.zeros((levels, 6), np.int64)
        depth(self.f, found)
        return found

    @property
    def statistics(self) -> dict[str, int]:
        """What was counted, by name."""
        k = self.k
        names = {
            "messages": c.MESSAGE, "events": c.EVENT, "executions": c.EXECUTIONS, "executions_at_best": c.AT_BEST,
            "executions_at_front": c.AT_FRONT, "fills_unknown": c.UNKNOWN_FILLS, "fills_of_takers": c.TAKER_FILLS,
            "fills_in_auctions": c.AUCTION_FILLS,
            "crossed_before_open": c.CROSSED_AUCTION, "crossed": c.EVENTS_CROSSED, "quotes_compared": c.QUOTES,
            "quotes_equal": c.QUOTES_EQUAL,
        }  # fmt: skip
        return {name: int(k[i]) for name, i in names.items()} | {"resting_at_end": int(self.f.head["n_live"])}

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays for :meth:`restore` (only of a follower without operations)."""
        return {name: np.asarray(value) for name, value in self.f._asdict().items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a :meth:`state`."""
        values = {name: np.array(state[name]) for name in c.Follow._fields}
        self.k = values["counters"]
        head = np.zeros(1, ladder.HEAD)
        head[0] = values["head"]
        self.f = c.Follow(**(values | {"head": head[0], "counters": self.k}))


def describe(kind: str) -> str:
    """What a kind of issue is, and its repair."""
    what, repair = RULES[kind]
    return f"{what}; {repair}"
