"""`MarketDataMessage`: what every feed says, and how it looks as JSON on the wire."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any, NamedTuple

from hft_gym.errors import DataError
from hft_gym.types import OrderSide

__all__ = ["AGGRESSOR", "SCHEMA_VERSION", "DataKind", "Levels", "MarketDataMessage", "from_wire", "merge", "to_wire"]

SCHEMA_VERSION = 1
"""Version of the JSON that our server speaks (``v`` of each message); docs/feeds.md lists its fields."""

AGGRESSOR = {int(side): side.opposite for side in OrderSide}
"""Number of the resting order's side -> the aggressor's."""

Levels = tuple[tuple[float, float], ...]
"""Price levels of one side, best first: (price [currency], size)."""


class DataKind(StrEnum):
    """What a message is about.

    ``TRADE``: a trade, and the book after it. ``DEPTH``: the book has changed. ``LOST``: the book of the symbol cannot
    be trusted any more (connection cut, gap); a ``DEPTH`` with ``snapshot`` says when it can be again.
    """

    TRADE = "trade"
    DEPTH = "depth"
    LOST = "lost"


class MarketDataMessage(NamedTuple):
    """One message of a feed. It stands alone: whoever misses the ones before it still knows the whole present state.

    Prices are in currency, sizes in lots (of recorded and live markets in shares, contracts or coins).
    """

    symbol: str
    timestamp: int
    """When it happened, on the source's clock [ns]: since 1970 of exchanges and recorded days (LOBSTER and ITCH: as if
    the exchange's midnight were UTC's), since its opening of a mock market."""
    price: float | None
    """Price of the last trade; None before the first one."""
    bid_price: float | None
    """Best bid after the event; None: there is none."""
    ask_price: float | None
    bid_size: float
    ask_size: float
    volume: float
    """Size traded: 0 unless the message tells of trades."""
    sequence: int
    """Mock and replay: number of the symbol's event, from 1, so that a jump shows what was conflated or dropped. Live:
    the exchange's own number; of a trade, the book's."""
    kind: DataKind = DataKind.DEPTH
    side: OrderSide | None = None
    """The aggressor's side of the (last) trade."""
    bids: Levels = ()
    """The best levels, as many as ``DataFeedConfig.levels``."""
    asks: Levels = ()
    snapshot: bool = False
    """The first picture of the book: at the beginning, and after it was lost."""
    conflated: int = 0
    """Earlier events that this message stands for beside its own."""

    @property
    def mid_price(self) -> float | None:
        """Middle of the best quotes; None unless there are both."""
        if self.bid_price is None or self.ask_price is None:
            return None
        return (self.bid_price + self.ask_price) / 2

    @property
    def spread(self) -> float | None:
        """Best ask less best bid; None unless there are both."""
        if self.bid_price is None or self.ask_price is None:
            return None
        return self.ask_price - self.bid_price


def merge(old: MarketDataMessage, new: MarketDataMessage) -> MarketDataMessage:
    """Two messages of one symbol as one: the newer state, the volume of both."""
    volume = old.volume + new.volume
    kind = new.kind
    if kind is DataKind.DEPTH and volume:
        kind = DataKind.TRADE
    return new._replace(
        volume=volume,
        kind=kind,
        side=new.side if new.volume else old.side,
        snapshot=new.kind is not DataKind.LOST and (old.snapshot or new.snapshot),
        conflated=old.conflated + new.conflated + 1,
    )


def to_wire(message: MarketDataMessage) -> dict[str, Any]:
    """The message as JSON-able fields (without ``v`` and ``seq``, which belong to the connection)."""
    wire = message._asdict()
    wire["type"] = wire.pop("kind").value
    wire["side"] = None if message.side is None else message.side.name.lower()
    return wire


_SIDES = {None: None, "bid": OrderSide.BID, "ask": OrderSide.ASK}


def from_wire(wire: dict[str, Any]) -> MarketDataMessage:
    """The inverse of :func:`to_wire`; every field is checked.

    Raises:
        DataError: a field is missing, of another type or not finite.
    """
    try:
        return MarketDataMessage(
            symbol=_is(wire["symbol"], str),
            timestamp=_is(wire["timestamp"], int),
            price=_number(wire["price"], True),
            bid_price=_number(wire["bid_price"], True),
            ask_price=_number(wire["ask_price"], True),
            bid_size=_size(wire["bid_size"]),
            ask_size=_size(wire["ask_size"]),
            volume=_size(wire["volume"]),
            sequence=_is(wire["sequence"], int),
            kind=DataKind(wire["type"]),
            side=_SIDES[wire["side"]],
            bids=_levels(wire["bids"]),
            asks=_levels(wire["asks"]),
            snapshot=_is(wire["snapshot"], bool),
            conflated=_is(wire["conflated"], int),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"is no message of schema {SCHEMA_VERSION} ({type(error).__name__}: {error})") from error


def _is(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _number(value: Any, optional: bool = False) -> Any:
    if value is None and optional:
        return None
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is no finite number")
    return value


def _size(value: Any) -> Any:
    if _number(value) < 0:
        raise ValueError(f"{value!r} is negative")
    return value


def _levels(value: Any) -> Levels:
    return tuple((_number(price), _size(size)) for price, size in _is(value, list))
