"""Coinbase: captures of Advanced Trade (level 2) and of the full channel (every order); see `hft_gym.data.captures`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hft_gym.data.captures import UNREADABLE, LineProtocol, LineSource, fixed
from hft_gym.data.issues import IssueLog
from hft_gym.data.messages import NO_SIDE, FeedFlag, FeedKind

__all__ = ["CoinbaseFullSource", "CoinbaseProtocol", "CoinbaseSource"]

_LAST, _SNAPSHOT = int(FeedFlag.LAST), int(FeedFlag.SNAPSHOT)


def iso_ns(text: str) -> int:
    """An ISO time in UTC as ns since 1970, without the loss of a float."""
    body, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(body).replace(tzinfo=UTC).timestamp())
    return seconds * 10**9 + int(fraction.ljust(9, "0")[:9] or "0")


class CoinbaseProtocol(LineProtocol):
    """Advanced Trade: the channels l2_data, market_trades (whose side is the maker's) and ticker, captured by
    cryptofeed as ``{"t": "recv", "conn", "ts", "data"}`` a line.

    A connection's ``sequence_num`` must not have gaps. It does not tell whose update is missing, so that of a live
    connection a gap makes every book stale.
    """

    source = "coinbase"

    def __init__(self, log: IssueLog, path: Path | str, symbols: Sequence[str] = (), resync: bool = False) -> None:
        super().__init__(log, path, symbols, resync)
        self._sequence: dict[str, int] = {}
        self._synced: set[str] = set()
        """Products whose book is in step (live connections only)."""

    def line(self, line: bytes) -> None:
        """See `LineProtocol.line`."""
        import orjson  # the extra "data"

        outer = orjson.loads(line)
        if outer["t"] != "recv":
            return  # what the recorder said of itself: header, http, connect, send
        time = round(outer["ts"] * 10**6) * 1000
        self.message(orjson.loads(outer["data"]), time, str(outer["conn"]))

    def message(self, message: dict[str, Any], time: int, connection: str) -> None:
        """Read one message of a connection, received at *time* [ns since 1970]."""
        number = int(message["sequence_num"])
        before = self._sequence.get(connection, number - 1)
        if number != before + 1:
            kind = "repeat" if number <= before else "gap"
            text = f"sequence_num {number} of {connection} follows {before}"
            self.log.add(kind, self.path, self.row, number, text)
            if number <= before:
                return
            if self.resync:
                self.lose_all()
        self._sequence[connection] = number
        try:
            self._events(message, time, number)
        except UNREADABLE:
            if self.resync:  # its number is noted: nothing else will tell that an update is missing
                self.lose_all()
            raise

    def _events(self, message: dict[str, Any], time: int, number: int) -> None:
        channel = message["channel"]
        if channel not in ("l2_data", "market_trades", "ticker"):
            return  # subscriptions, candles, heartbeats: nothing of the book or of trades
        stamp = iso_ns(message["timestamp"])
        for event in message["events"]:
            if channel == "l2_data":
                self._l2(event, time, stamp, number)
            elif channel == "market_trades" and event["type"] == "update":
                for trade in reversed(event["trades"]):  # the newest comes first
                    instrument = self.instrument(trade["product_id"])
                    if instrument >= 0:
                        self.put(
                            FeedKind.TRADE, time, iso_ns(trade["time"]), _maker(trade["side"]), fixed(trade["price"]),
                            fixed(trade["size"]), 0, instrument, 0, reference=int(trade["trade_id"]),
                        )  # fmt: skip
            elif channel == "ticker":
                for ticker in event["tickers"]:
                    instrument = self.instrument(ticker["product_id"])
                    for side, name in ((0, "bid"), (1, "ask")) if instrument >= 0 else ():
                        quote = fixed(ticker[f"best_{name}"]), fixed(ticker[f"best_{name}_quantity"])
                        self.put(FeedKind.QUOTE, time, stamp, side, *quote, number, instrument, 0)

    def lose_all(self) -> None:
        """No book can be trusted any more: ignore updates until new snapshots."""
        self.stale |= self._synced
        self._synced.clear()

    def _l2(self, event: dict[str, Any], time: int, stamp: int, number: int) -> None:
        instrument = self.instrument(event["product_id"])
        if instrument < 0:
            return
        product = str(event["product_id"])
        if self.resync and event["type"] != "snapshot" and product not in self._synced:
            self.stale.add(product)
            return
        levels = [(_L2_SIDE[u["side"]], fixed(u["price_level"]), fixed(u["new_quantity"])) for u in event["updates"]]
        flags = 0
        if event["type"] == "snapshot":
            flags = _SNAPSHOT
            self._synced.add(product)
            self.stale.discard(product)
            self.put(FeedKind.CLEAR, time, stamp, NO_SIDE, 0, 0, number, instrument, flags)
        self.put_levels(levels, time, stamp, number, instrument, flags)

    def memory(self) -> Any:
        """See `LineProtocol.memory`."""
        return self._sequence

    def remember(self, memory: Any) -> None:
        """See `LineProtocol.remember`."""
        self._sequence = memory


class CoinbaseSource(LineSource):
    """A capture of `CoinbaseProtocol`."""

    format = "coinbase"
    protocol_type = CoinbaseProtocol


_L2_SIDE = {"bid": 0, "offer": 1, "ask": 1}


def _maker(side: str) -> int:
    return {"BUY": 0, "SELL": 1, "buy": 0, "sell": 1}[side]


class CoinbaseFullProtocol(LineProtocol):
    """The full channel of Coinbase Exchange (once GDAX), one JSON message a line: received, open, match, change, done.

    Order ids are UUIDs; ``order_id`` is their last 63 bits. Sequence numbers of a product must not have gaps.
    """

    source = "coinbase"
    depth = "L3"

    def __init__(self, log: IssueLog, path: Path | str, symbols: Sequence[str] = (), resync: bool = False) -> None:
        super().__init__(log, path, symbols, resync)
        self._sequence: dict[str, int] = {}

    def line(self, line: bytes) -> None:
        """See `LineProtocol.line`."""
        import orjson  # the extra "data"

        message = orjson.loads(line)
        kind = message["type"]
        if kind not in ("received", "open", "match", "change", "done", "activate", "last_match", "heartbeat", "ticker"):
            if kind in ("subscriptions", "error"):
                return
            raise ValueError(f"type {kind!r} is none of the full channel")
        product = str(message["product_id"])
        instrument = self.instrument(product)
        if instrument < 0 or kind in ("heartbeat", "ticker", "last_match", "activate"):
            return
        number = int(message["sequence"])
        before = self._sequence.get(product, number - 1)
        if number != before + 1:
            what = "repeat" if number <= before else "gap"
            self.log.add(what, self.path, self.row, number, f"sequence {number} of {product} follows {before}")
            if number <= before:
                return
        self._sequence[product] = number
        time = iso_ns(message["time"])
        side = _maker(message["side"])

        def put(what: int, order: str, price: str = "0", size: str = "0") -> None:
            self.put(
                what, time, 0, side, fixed(price), fixed(size), number, instrument, _LAST, order_id=uuid_number(order)
            )

        if kind == "open":
            put(FeedKind.ADD, message["order_id"], message["price"], message["remaining_size"])
        elif kind == "match":
            put(FeedKind.EXECUTE, message["maker_order_id"], message["price"], message["size"])
        elif kind == "change" and "new_size" in message:
            put(FeedKind.MODIFY, message["order_id"], message.get("price") or "0", message["new_size"])
        elif kind == "done" and message.get("reason") == "canceled":
            put(FeedKind.DELETE, message["order_id"], message.get("price") or "0", "0")
        else:
            # received, and done by a fill: the matches have said it all.
            self.put(FeedKind.ADMIN, time, 0, side, 0, 0, number, instrument, 0, reference=ord(kind[0]))

    def memory(self) -> Any:
        """See `LineProtocol.memory`."""
        return self._sequence

    def remember(self, memory: Any) -> None:
        """See `LineProtocol.remember`."""
        self._sequence = memory


class CoinbaseFullSource(LineSource):
    """JSON lines of `CoinbaseFullProtocol`."""

    format = "coinbase-full"
    protocol_type = CoinbaseFullProtocol


def uuid_number(text: str) -> int:
    """The last 63 bits of a UUID."""
    return int(text.replace("-", ""), 16) & (2**63 - 1)
