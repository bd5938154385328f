"""`ExchangeFeed`: public level-2 streams of an exchange, read by the same protocols as captures of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from hft_gym.data.captures import LineProtocol
from hft_gym.data.issues import IssueLog
from hft_gym.feed.clock import Clock
from hft_gym.feed.config import DataFeedConfig
from hft_gym.feed.connection import ConnectionFeed
from hft_gym.feed.levels import LevelBook
from hft_gym.feed.messages import MarketDataMessage

__all__ = ["ExchangeFeed"]


class ExchangeFeed(ConnectionFeed):
    """A connection to an exchange: its protocol says what is missing, `_after` asks for it."""

    uses: ClassVar[tuple[str, ...]] = (*ConnectionFeed.uses, "levels")
    unix_stamps = True
    protocol: Any

    def __init__(self, config: DataFeedConfig | Mapping[str, Any] | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(config, clock=clock)
        self.log = IssueLog(keep=20)
        self.protocol = self._protocol()
        self._books: dict[int, LevelBook] = {}
        self._trusted: set[str] = set()

    @abstractmethod
    def _protocol(self) -> LineProtocol:
        """A fresh protocol, with ``resync``."""

    @abstractmethod
    def _understand(self, text: str | bytes) -> None:
        """Give a text to the protocol."""

    @property
    def stale(self) -> set[str]:
        """Symbols whose book waits for a snapshot."""
        return {s for s in self.protocol.stale if s in self._subscribed}

    def _take(self, text: str | bytes) -> list[MarketDataMessage]:
        self.protocol.row += 1
        self._understand(text)
        return self._tell_of()

    def _tell_of(self) -> list[MarketDataMessage]:
        """Messages of what the protocol has put out, and of the books that it has lost."""
        out = self.protocol.out
        found: list[MarketDataMessage] = []
        for record in out:
            book = self._book(record[7])
            message = book.apply(record)
            if message is None:
                continue
            if message.snapshot:
                self._trusted.add(book.symbol)
            if book.symbol in self._trusted:
                found.append(message)
        out.clear()
        self.protocol.rows.clear()
        self.count["gaps"], self.count["repeats"] = self.log.counts["gap"], self.log.counts["repeat"]
        return found + self._lost(self.protocol.stale)

    def _damaged(self) -> list[MarketDataMessage]:
        self.protocol.out.clear()  # half of what could not be read
        self.protocol.rows.clear()
        return self._tell_of()

    def _lost(self, symbols: set[str]) -> list[MarketDataMessage]:
        lost = self._trusted & symbols
        self._trusted -= lost
        now = self.clock.unix()
        books = [b for b in self._books.values() if b.symbol in lost]
        return [
            book.lost(self._latest[book.symbol].timestamp if book.symbol in self._latest else now) for book in books
        ]

    def _lose(self) -> list[MarketDataMessage]:
        self._forget()
        return self._lost(set(self._trusted))

    @abstractmethod
    def _forget(self) -> None:
        """Tell the protocol that the connection is gone: no book is in step any more."""

    def _book(self, instrument: int) -> LevelBook:
        book = self._books.get(instrument)
        if book is None:
            names = {n: s for s, n in self.protocol.numbers.items()}
            book = self._books[instrument] = LevelBook(names[instrument], self.config.levels)
        return book
