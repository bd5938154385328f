"""`MarketFeed`: what happens in compiled markets, as messages; the mock feed and the replays are such feeds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from hft_gym.book.ticks import TickGrid
from hft_gym.feed.messages import AGGRESSOR, DataKind, Levels, MarketDataMessage
from hft_gym.feed.paced import PacedFeed
from hft_gym.market import Market, Tape, TapeKind
from hft_gym.types import OrderSide

__all__ = ["MarketFeed", "Teller"]

_TRADES = (int(TapeKind.EXECUTE), int(TapeKind.HIDDEN))


class Teller:
    """Turns the tape of one market into messages.

    Args:
        market: what is told of.
        levels: price levels a side.
        lot: size of one lot.
        epoch: time stamp of the market's time 0 [ns].
    """

    def __init__(self, market: Market, levels: int, lot: float = 1, epoch: int = 0) -> None:
        self.market, self.levels, self.epoch = market, levels, epoch
        self._lots = TickGrid(lot)
        self.sequence = 0
        self.price: float | None = None
        self._prices: dict[int, float] = {}

    def _price(self, ticks: int) -> float:
        found = self._prices.get(ticks)
        if found is None:
            found = self._prices[ticks] = self.market.to_price(ticks)
        return found

    def _size(self, lots: int) -> float:
        return lots if self._lots.tick_size == 1 else self._lots.to_price(lots)

    def opening(self) -> MarketDataMessage:
        """The book as it is now."""
        market = self.market
        sides = [market.depth(side, max(self.levels, 1)) for side in OrderSide]
        bids, asks = (tuple((self._price(p), self._size(v)) for p, v in side) for side in sides)
        return MarketDataMessage(
            market.symbol, self.epoch + market.time, self.price,
            bids[0][0] if bids else None, asks[0][0] if asks else None,
            bids[0][1] if bids else 0, asks[0][1] if asks else 0,
            0, self.sequence, DataKind.DEPTH, None,
            bids[: self.levels], asks[: self.levels], snapshot=True,
        )  # fmt: skip

    def tell(self, tape: Tape) -> Iterator[MarketDataMessage]:
        """One message for each record."""
        symbol, price, size, epoch = self.market.symbol, self._price, self._size, self.epoch
        books = tape.book.tolist() if self.levels else [()] * len(tape)
        for record, book in zip(tape.records.tolist(), books, strict=True):
            time, _, at, quantity, bid, bid_volume, ask, ask_volume, _, kind, side, _ = record
            self.sequence += 1
            traded = kind in _TRADES
            if traded:
                self.price = price(at)
            yield MarketDataMessage(
                symbol,
                epoch + time,
                self.price,
                price(bid) if bid_volume else None,
                price(ask) if ask_volume else None,
                size(bid_volume),
                size(ask_volume),
                size(quantity) if traded else 0,
                self.sequence,
                DataKind.TRADE if traded else DataKind.DEPTH,
                AGGRESSOR[side] if traded else None,
                self._levels(book, 2),
                self._levels(book, 0),
            )

    def _levels(self, book: list[list[int]], column: int) -> Levels:
        price, size = self._price, self._size
        return tuple((price(row[column]), size(row[column + 1])) for row in book if row[column + 1])


class MarketFeed(PacedFeed):
    """A feed of compiled markets, which share one clock.

    `markets` are the live objects: orders sent to them (``feed.markets["AAPL"].submit(...)``) arrive in the markets
    that the feed shows.
    """

    uses: ClassVar[tuple[str, ...]] = (*PacedFeed.uses, "levels", "seed", "market")
    _tellers: dict[str, Teller]

    def _show(self, tellers: dict[str, Teller]) -> None:
        """From now on, these are the markets."""
        self._tellers = tellers
        self._shown: set[str] = set()
        self._time = min((t.market.time for t in tellers.values()), default=0)

    @property
    def markets(self) -> dict[str, Market]:
        """Symbol -> its market, once the feed is connected."""
        return {symbol: teller.market for symbol, teller in self._tellers.items()}

    @property
    def time(self) -> int:
        """The markets' clock [ns]."""
        return self._time

    def _known(self) -> tuple[str, ...]:
        return tuple(self._tellers)

    def _at(self, message: MarketDataMessage) -> int:
        return message.timestamp - self._tellers[message.symbol].epoch

    def _opening(self) -> list[MarketDataMessage]:
        new = [s for s in self._subscribed if s not in self._shown]
        self._shown.update(new)
        return [self._tellers[symbol].opening() for symbol in new]

    async def _unsubscribe(self, symbols: list[str]) -> None:
        self._shown.difference_update(symbols)

    def _advance(self, until: int) -> tuple[list[MarketDataMessage], bool]:
        found: list[MarketDataMessage] = []
        several = 0
        for symbol, teller in self._tellers.items():
            market = teller.market
            if until <= market.time:
                continue
            if symbol in self._shown:
                before = len(found)
                found.extend(teller.tell(market.record(until - market.time, self.config.levels)))
                several += len(found) > before
            else:
                market.run_until(until)  # nobody looks; its time passes all the same
        self._time = until
        if several > 1:
            found.sort(key=self._at)
        return found, False

    async def _close(self) -> None:
        await super()._close()
        self._show({})
