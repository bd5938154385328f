"""The one message format of recorded markets: what every reader produces and every Parquet file of ours holds.

A recorded market is a stream of :data:`FEED_DTYPE` records and one :class:`FeedMeta`. Prices and quantities stay in the
file's own decimal units (``10 ** -price_decimals`` of the currency, ``10 ** -size_decimals`` of the asset), so nothing
is rounded on the way in; a replay turns them into ticks and lots.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import IntEnum, IntFlag
from typing import Any, Literal

import numpy as np

from hft_gym.errors import ConfigError, DataError

__all__ = ["FEED_DTYPE", "NO_SIDE", "FeedFlag", "FeedKind", "FeedMeta", "FeedStatus", "units_of"]

NO_SIDE = 255
"""``side`` of a message that has none."""


class FeedKind(IntEnum):
    """What one message says. 1 to 7 are LOBSTER's types; fields that a kind does not name are zero.

    - 1 ADD: an order ``order_id`` of ``quantity`` joins the back of the queue at ``price``.
    - 2 CANCEL: ``quantity`` of an order is taken back (all of it, perhaps); the rest keeps its place.
    - 3 DELETE: all that is left of an order is taken back.
    - 4 EXECUTE: ``quantity`` of a visible resting order trades (``reference``: match number). ``price`` is the trade's.
    - 5 HIDDEN: ``quantity`` of an order that was not shown trades; the visible book does not change.
    - 6 CROSS: ``quantity`` trades in an auction at ``price``; the book's changes come as messages of their own.
    - 7 STATUS: ``quantity`` is a :class:`FeedStatus`, ``reference`` the exchange's own code.
    - 8 REPLACE: order ``order_id`` becomes order ``reference`` with a new ``price`` and ``quantity``, at the back.
    - 9 MODIFY: the order keeps its id and gets ``price`` and ``quantity``; its place too, if the price stays and the
      quantity does not grow.
    - 10 FILL: ``quantity`` of a resting order trades; its order changes by the CANCEL or MODIFY that follows.
    - 11 TRADE: a trade at ``price``; ``side`` is the resting order's. The book's change comes otherwise.
    - 12 CLEAR: every order of the instrument goes.
    - 13 LEVEL: the total at ``price`` is now ``quantity``; 0: no such level (level-2 data).
    - 14 QUOTE: the best price of ``side`` is ``price`` with ``quantity``: for checks, it changes nothing.
    - 15 ADMIN: everything else; ``reference`` is the source's own type code, ``order_id`` a name's eight characters.
    """

    ADD = 1
    CANCEL = 2
    DELETE = 3
    EXECUTE = 4
    HIDDEN = 5
    CROSS = 6
    STATUS = 7
    REPLACE = 8
    MODIFY = 9
    FILL = 10
    TRADE = 11
    CLEAR = 12
    LEVEL = 13
    QUOTE = 14
    ADMIN = 15


class FeedStatus(IntEnum):
    """The trading states that matter to a book."""

    HALT = 0
    QUOTING = 1
    TRADING = 2
    OPEN = 3
    CLOSE = 4
    OTHER = 5


class FeedFlag(IntFlag):
    """Bits of ``flags``."""

    LAST = 1  # last message of its event: only now is the book in a state that stood in the market
    SNAPSHOT = 2  # part of a picture of the book, not news
    UNPRINTED = 4  # a trade that must not be counted as volume
    BAD_TIME = 8  # the source doubts its time stamp
    MAYBE_BAD = 16  # the source says that the book may be wrong after an unrecovered gap


FEED_DTYPE = np.dtype(
    [
        ("time", "<i8"),  # ns, on the clock of FeedMeta.clock; the stream is ordered by it
        ("stamp", "<i8"),  # ns since 1970: the other clock (a receiver's, or of captures the exchange's); 0: none
        ("order_id", "<i8"),
        ("reference", "<i8"),  # REPLACE: the new id; trades: match number
        ("price", "<i8"),  # 10**-price_decimals
        ("quantity", "<i8"),  # 10**-size_decimals
        ("sequence", "<i8"),  # the source's sequence number or update id; 0: none
        ("instrument", "<u4"),  # see FeedMeta.symbols
        ("kind", "u1"),  # FeedKind
        ("side", "u1"),  # OrderSide; NO_SIDE where there is none
        ("flags", "<u2"),  # FeedFlag
    ]
)
"""One recorded message (64 bytes, one cache line)."""

FORMAT_VERSION = 1


@dataclass(frozen=True)
class FeedMeta:
    """What is true of a whole stream.

    Attributes:
        source: "lobster", "itch", "dbn", "binance" or "coinbase".
        depth: "L3" (every order), "L2" (totals of levels).
        clock: "midnight": ``time`` counts from the midnight of ``date`` where the exchange is; "unix": from 1970 UTC.
        date: "YYYY-MM-DD", or "" if the file does not say.
        price_decimals, size_decimals: units of ``price`` and ``quantity``.
        complete: whether every resting order's arrival is in the stream (LOBSTER: no).
        auction: whether the stream may begin before continuous trading, with crossed books that are right.
        symbols: instrument -> name.
        files: names of the files that it came from.
        repairs: what a lenient conversion mended: kind of issue -> count.
    """

    source: str
    depth: Literal["L3", "L2"]
    clock: Literal["midnight", "unix"]
    date: str = ""
    price_decimals: int = 0
    size_decimals: int = 0
    complete: bool = True
    auction: bool = False
    symbols: dict[int, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    repairs: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """As text, for a Parquet file's metadata."""
        return json.dumps({"version": FORMAT_VERSION, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes, file: Any = None) -> FeedMeta:
        """Read what :meth:`to_json` wrote.

        Raises:
            DataError: it is not that, or of a newer version.
        """
        try:
            values = json.loads(text)
            version = values.pop("version")
            if version != FORMAT_VERSION:
                raise DataError(
                    f"is of format version {version}; this hft_gym reads {FORMAT_VERSION}: convert the source anew",
                    file,
                    value=version,
                )
            values["symbols"] = {int(k): str(v) for k, v in values["symbols"].items()}
            values["files"] = tuple(values["files"])
            return cls(**values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"its metadata cannot be read ({error})", file) from error

    def instrument(self, symbol: str | None) -> int:
        """The number of an instrument; None: the only one.

        Raises:
            ConfigError: no such symbol, or several to choose from.
        """
        names = {name: number for number, name in self.symbols.items()}
        if symbol is None:
            if len(names) <= 1:
                return next(iter(self.symbols), 0)
            shown = ", ".join(sorted(names)[:8]) + (" ..." if len(names) > 8 else "")
            raise ConfigError(f"there are {len(names)} instruments ({shown}): choose one with symbol")
        if symbol not in names:
            shown = ", ".join(sorted(names)[:8]) + (" ..." if len(names) > 8 else "")
            raise ConfigError(f"symbol is {symbol!r}; allowed are {shown or 'none: the file names no instrument'}")
        return names[symbol]


def units_of(value: float, decimals: int, name: str) -> int:
    """How many units of ``10 ** -decimals`` *value* is.

    Raises:
        ConfigError: it is not a positive whole number of them.
    """
    units = round(value * 10**decimals)
    if units < 1 or abs(value * 10**decimals - units) > 1e-6 * units:
        raise ConfigError(f"{name} is {value!r}; these data need a positive multiple of {10.0**-decimals:g}")
    return units
