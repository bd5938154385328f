"""`LevelBook`: the totals of price levels that an exchange streams, as messages. It matches nothing."""

from __future__ import annotations

from itertools import islice
from typing import Any

from sortedcontainers import SortedDict

from hft_gym.data.captures import DECIMALS, Record
from hft_gym.data.messages import FeedFlag, FeedKind
from hft_gym.feed.messages import AGGRESSOR, DataKind, Levels, MarketDataMessage

__all__ = ["LevelBook"]

_CLEAR, _LEVEL, _TRADE = int(FeedKind.CLEAR), int(FeedKind.LEVEL), int(FeedKind.TRADE)
_LAST, _SNAPSHOT, _UNPRINTED = int(FeedFlag.LAST), int(FeedFlag.SNAPSHOT), int(FeedFlag.UNPRINTED)
_UNITS = 10**DECIMALS


class LevelBook:
    """The book of one symbol, from records of `hft_gym.data.captures.LineProtocol`.

    Args:
        symbol: its name.
        levels: price levels a side that messages show.
    """

    def __init__(self, symbol: str, levels: int) -> None:
        self.symbol, self.levels = symbol, levels
        self.price: float | None = None
        self.sequence = 0
        # Keys rise with distance from the best price, as in the book's ladder: a bid's is its negative price.
        self._sides: tuple[Any, Any] = (SortedDict(), SortedDict())

    def apply(self, record: Record) -> MarketDataMessage | None:
        """Apply one record; at the end of an event, what there is to say."""
        time, stamp, _, _, price, quantity, sequence, _, kind, side, flags = record
        if kind == _LEVEL:
            key, book = (price if side else -price), self._sides[side]
            if quantity:
                book[key] = quantity
            else:
                book.pop(key, None)
            if not flags & _LAST:
                return None
            self.sequence = sequence
            return self.message(stamp or time)._replace(snapshot=bool(flags & _SNAPSHOT))
        if kind == _CLEAR:
            for book in self._sides:
                book.clear()
        elif kind == _TRADE and not flags & _UNPRINTED:
            self.price = price / _UNITS
            return self.message(stamp or time)._replace(
                kind=DataKind.TRADE, side=AGGRESSOR[side], volume=quantity / _UNITS
            )
        return None

    def message(self, timestamp: int) -> MarketDataMessage:
        """The book as it is now."""
        bids, asks = self._best(0), self._best(1)
        return MarketDataMessage(
            self.symbol, timestamp, self.price,
            bids[0][0] if bids else None, asks[0][0] if asks else None,
            bids[0][1] if bids else 0, asks[0][1] if asks else 0,
            0, self.sequence, DataKind.DEPTH, None, bids[: self.levels], asks[: self.levels],
        )  # fmt: skip

    def lost(self, timestamp: int) -> MarketDataMessage:
        """The book cannot be trusted any more: there is nothing in it until the next snapshot."""
        for book in self._sides:
            book.clear()
        return MarketDataMessage(self.symbol, timestamp, self.price, None, None, 0, 0, 0, self.sequence, DataKind.LOST)

    def _best(self, side: int) -> Levels:
        sign = 1 if side else -1
        best = islice(self._sides[side].items(), max(self.levels, 1))
        return tuple((sign * key / _UNITS, quantity / _UNITS) for key, quantity in best)
