"""Paper trading: strategies on a live feed, in real time, with the market's own rules for their orders.

A simulated or recorded market is a `LiveSession` as it is. A live feed is one whose markets are `FeedMarket`, and whose
clock is ours: what a message tells happens when it arrives.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from hft_gym.errors import CheckpointError, ConfigError
from hft_gym.feed.messages import MarketDataMessage
from hft_gym.live.config import SessionConfig
from hft_gym.live.feed_market import FeedMarket
from hft_gym.live.session import LiveSession
from hft_gym.market import Market
from hft_gym.market.config import MarketConfig

__all__ = ["Opening", "PaperSession"]

Opening = tuple[MarketDataMessage, int]
"""The first picture of a symbol's book, and when it came [ns]."""


class PaperSession(LiveSession):
    """A session on the books of a feed.

    When the feed loses a book, orders in it are withdrawn at once, and nobody decides until it is back; accounts,
    positions and what strategies remember are kept. A saved one goes on from the feed's next picture of the book.

    Args:
        config: a `SessionConfig` with ``feed`` (its name, for the record) and the feed's symbols.
        openings: the first picture of each symbol's book.

    Raises:
        ConfigError: a wrong setting, or a symbol without an opening.
        DataError: an opening without both sides.
    """

    def __init__(
        self, config: SessionConfig | Mapping[str, Any] | None, openings: Mapping[str, Opening]
    ) -> None:
        self._openings = openings
        super().__init__(config)

    def _markets(self, sized: MarketConfig) -> list[Market]:
        return [self._market(symbol, sized) for symbol in self.config.symbols]

    def _begin(self) -> None:
        for floor in self.floors.values():
            floor.prepare(self.origin)

    def _market(self, symbol: str, sized: MarketConfig) -> FeedMarket:
        if symbol not in self._openings:
            raise ConfigError(f"symbol {symbol!r} has no opening; there are {', '.join(self._openings) or 'none'}")
        message, at = self._openings[symbol]
        config = self.config
        return FeedMarket(
            message, at, sized, queue_model=config.queue_model, tick_size=config.tick_size, lot_size=config.lot_size,
            log_capacity=config.log_capacity,
        )

    def market_from(self, path: Path, symbol: str) -> Market:
        """The feed's book as it is now, with the accounts that were saved."""
        market = self._market(symbol, self._sized())
        market.restore_accounts(path)
        return market

    @property
    def now(self) -> int:
        """The markets' clock [ns]: since 1970, of a recording the recording's."""
        return self.time_ns + self.origin

    def advance_to(self, at: int) -> None:
        """Let time pass to *at* [ns]; a time that has passed changes nothing."""
        if at > self.now:
            self.advance(at - self.now)

    def tell(self, message: MarketDataMessage, at: int) -> None:
        """Take a message that came at *at* [ns]."""
        floor = self.floors.get(message.symbol)
        if floor is None or not isinstance(floor.market, FeedMarket):
            return
        self.advance_to(at)
        if floor.market.tell(message, self.now):
            floor.suspend("the feed has lost its book")
        if floor.suspended and not floor.market.lost:
            floor.catch_up()
            floor.resume()

    def reset(self, seed: int | None = None) -> None:
        """Not possible: a feed cannot be had anew.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("a session on a live feed cannot be reset; start another one")

    def set_market(self, market: MarketConfig | Mapping[str, Any] | str) -> None:
        """Not possible: the market is the feed's.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("the market of a live feed cannot be changed")

    @classmethod
    def load(cls, folder: str | PathLike[str], openings: Mapping[str, Opening] | None = None) -> PaperSession:
        """Go on with a saved session, from these pictures of the books. What was working when it was saved is gone.

        Raises:
            CheckpointError: no session there, damaged, or the clock stands before the session's.
        """
        from hft_gym.live.store import load

        given = dict(openings or {})

        def prepare(config: SessionConfig) -> PaperSession:
            session = cls.prepared(config)
            session._openings = given
            return session

        session = load(PaperSession, folder, prepare)
        for floor in session.floors.values():
            market = floor.market
            if floor.opened and market.time < max(t.tenure.begin for t in floor.everybody):
                raise CheckpointError(f"{folder}: the feed's clock stands before the session's; was it set back?")
            floor.suspended = False
            for trader in floor.everybody:
                trader.warm = max(trader.warm, market.time)
                if trader.seat is not None:
                    trader.seat.env["quote"] = -1
                if trader.due >= 0:
                    trader.due = market.time
        return session
