"""Binance: depth updates, bookTicker and trades, as captured and as streamed; see `hft_gym.data.captures`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hft_gym.data.captures import UNREADABLE, LineProtocol, LineSource, fixed
from hft_gym.data.issues import IssueLog
from hft_gym.data.messages import NO_SIDE, FeedFlag, FeedKind

__all__ = ["BinanceProtocol", "BinanceSource"]

_SNAPSHOT, _UNPRINTED = int(FeedFlag.SNAPSHOT), int(FeedFlag.UNPRINTED)
HELD_MOST = 10_000
"""Updates of a book that a live connection keeps while it waits for a snapshot; then the oldest go."""


class BinanceProtocol(LineProtocol):
    """Streams of depth, bookTicker and trade (or aggTrade), and REST snapshots; captured as ``<local ns> <json>``.

    A book is synchronised as Binance says: diffs are held back until a snapshot with ``lastUpdateId`` L; those that end
    before L are dropped, the first one applied must span L (futures: ``U <= L <= u``; spot: ``U <= L + 1 <= u``), and
    each later one must follow the one before (futures: ``pu`` is its ``u``; spot: ``U`` is its ``u + 1``).
    """

    source = "binance"

    def __init__(self, log: IssueLog, path: Path | str, symbols: Sequence[str] = (), resync: bool = False) -> None:
        super().__init__(log, path, symbols, resync)
        self._update: dict[str, int] = {}
        """Symbol -> the last update id applied."""
        self._held: dict[str, list[Any]] = {}
        """Symbol -> [row, time, diff] that wait for a snapshot."""
        self._first: dict[str, bool] = {}
        """Symbols whose first diff after the snapshot is still to come."""
        self._trade: dict[str, int] = {}
        self._orphan: dict[str, Any] | None = None
        """A snapshot that came before any stream named its symbol."""
        self.dropped = 0
        """Diffs older than the snapshot: the protocol drops them."""

    def line(self, line: bytes) -> None:
        """See `LineProtocol.line`."""
        import orjson  # the extra "data"

        stamp, _, body = line.partition(b" ")
        self.message(orjson.loads(body), int(stamp))

    def message(self, message: dict[str, Any], time: int) -> None:
        """Read one message, received at *time* [ns since 1970]. A snapshot may name its ``symbol``."""
        if "lastUpdateId" in message:
            self._snapshot(message, time)
            return
        data = message.get("data", message)
        event, symbol = data["e"], str(data["s"])
        instrument = self.instrument(symbol)
        if instrument < 0:
            return
        if event == "depthUpdate":
            if symbol not in self._update and self._orphan is not None:
                orphan, self._orphan = self._orphan, None
                self._snapshot({**orphan, "symbol": symbol}, time)
            self._diff(symbol, data, time)
        elif event == "bookTicker":
            stamp_ns = int(data.get("T", 0)) * 10**6
            for side, price, size in ((0, "b", "B"), (1, "a", "A")):
                quote = fixed(data[price]), fixed(data[size])
                self.put(FeedKind.QUOTE, time, stamp_ns, side, *quote, int(data["u"]), instrument, 0)
        elif event in ("trade", "aggTrade"):
            number = int(data["t"] if event == "trade" else data["a"])
            before = self._trade.get(symbol, number - 1)
            if number != before + 1:
                kind = "repeat" if number <= before else "gap"
                self.log.add(kind, self.path, self.row, number, f"trade {number} of {symbol} follows trade {before}")
                if number <= before:
                    return
            self._trade[symbol] = number
            # m: the buyer was the maker. Liquidations and the like are no trades against the book.
            flags = 0 if data.get("X", "MARKET") == "MARKET" else _UNPRINTED
            self.put(
                FeedKind.TRADE, time, int(data["T"]) * 10**6, 0 if data["m"] else 1, fixed(data["p"]),
                fixed(data["q"]), 0, instrument, flags, reference=number,
            )  # fmt: skip
        else:
            raise ValueError(f"event {event!r} is none of depthUpdate, bookTicker, trade, aggTrade")

    def _snapshot(self, message: dict[str, Any], time: int) -> None:
        """A REST snapshot: it names no symbol, so it belongs to the one book that waits (or to the only one)."""
        waiting = [s for s in self._held if s not in self._update] or [
            s for s in self.numbers if s not in self._update
        ]
        symbol = str(message.get("symbol", "")) or (waiting[0] if waiting else "")
        if len(waiting) > 1 and "symbol" not in message:
            raise ValueError(f"the snapshot names no symbol and {len(waiting)} books wait for one")
        last = int(message["lastUpdateId"])
        if not symbol:
            if self.numbers and all(s in self._update for s in self.numbers):
                return  # every book is in step already
            # It came before any stream: it belongs to the first book that shows up.
            self._orphan = message
            return
        levels = _sides(message, "bids", "asks")
        instrument = self.instrument(symbol)
        stamp = int(message.get("T", 0)) * 10**6
        self.put(FeedKind.CLEAR, time, stamp, NO_SIDE, 0, 0, last, instrument, _SNAPSHOT)
        self.put_levels(levels, time, stamp, last, instrument, _SNAPSHOT)
        self._update[symbol] = last
        self._first[symbol] = True
        self.stale.discard(symbol)
        try:
            for row, _, diff in self._held.pop(symbol, []):
                self._diff(symbol, diff, time, int(row))
        except UNREADABLE:
            if self.resync:
                self.lose(symbol)
            raise

    def lose(self, symbol: str) -> None:
        """The book of *symbol* cannot be trusted any more: hold its updates back until a new snapshot."""
        self._update.pop(symbol, None)
        self._held.pop(symbol, None)
        self.stale.add(symbol)

    def _hold(self, symbol: str, data: dict[str, Any], time: int, row: int) -> None:
        held = self._held.setdefault(symbol, [])
        held.append([row, time, data])
        if self.resync:
            self.stale.add(symbol)
            if len(held) > HELD_MOST:
                del held[0]

    def _diff(self, symbol: str, data: dict[str, Any], time: int, row: int | None = None) -> None:
        row = self.row if row is None else row
        if symbol not in self._update:
            self._hold(symbol, data, time, row)
            return
        first, last, known = int(data["U"]), int(data["u"]), self._update[symbol]
        stamp, levels = int(data.get("T", data["E"])) * 10**6, _sides(data, "b", "a")  # before anything is noted
        futures = "pu" in data
        if self._first.get(symbol):
            if last < known if futures else last <= known:
                self.dropped += 1
                return
            # The protocol's rule, or (futures) the plain successor of the snapshot.
            follows = (first <= known or int(data["pu"]) == known) if futures else first <= known + 1
            self._first[symbol] = False
        else:
            if last <= known:
                text = f"the update {first}..{last} of {symbol} ends before {known}, which was applied"
                self.log.add("repeat", self.path, row, last, text)
                return
            follows = int(data["pu"]) == known if futures else first == known + 1
        if not follows:
            before = f"pu {data['pu']}" if futures else f"U {first}"
            text = f"the update {first}..{last} of {symbol} ({before}) does not follow update {known}"
            self.log.add("gap", self.path, row, first, text)
            if self.resync:
                self.lose(symbol)
                self._hold(symbol, data, time, row)
                return
        self._update[symbol] = last
        self.put_levels(levels, time, stamp, last, self.numbers[symbol], 0)

    def close(self) -> None:
        """See `LineProtocol.close`; updates that never found a snapshot are reported."""
        for symbol, held in self._held.items():
            if held:
                text = f"{len(held)} depth updates of {symbol} were never followed by a REST snapshot: no book, dropped"
                self.log.add("gap", self.path, int(held[0][0]), len(held), text)

    def memory(self) -> Any:
        """See `LineProtocol.memory`."""
        return [self._update, self._held, self._first, self._trade, self.dropped, self._orphan]

    def remember(self, memory: Any) -> None:
        """See `LineProtocol.remember`."""
        self._update, self._held, self._first, self._trade, self.dropped, self._orphan = memory


class BinanceSource(LineSource):
    """A capture of `BinanceProtocol`."""

    format = "binance"
    protocol_type = BinanceProtocol


def _sides(data: dict[str, Any], bids: str, asks: str) -> list[tuple[int, int, int]]:
    found = [(0, fixed(level[0]), fixed(level[1])) for level in data[bids]]
    return found + [(1, fixed(level[0]), fixed(level[1])) for level in data[asks]]
