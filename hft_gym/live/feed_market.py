"""`FeedMarket`: a market whose flow is what a feed tells of, as it tells it.

A feed's messages are level-2: totals of price levels, and trades. They go through the same follower as recorded level-2
files (`hft_gym.data.follow`), which makes synthetic orders of them under a named queue model, and its operations are
appended to a replay that grows: so live data, and a recording of them, fill own orders by one set of rules
(docs/replay.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.data import follow_state as c
from hft_gym.data.follower import BookFollower
from hft_gym.data.issues import IssueLog
from hft_gym.data.messages import FEED_DTYPE, FeedFlag, FeedKind, FeedMeta, units_of
from hft_gym.data.ops import CHECKPOINT_DTYPE, OP_HALT, REPLAY_DTYPE
from hft_gym.data.replay import ReplayFeed, ReplayStats
from hft_gym.data.sources import Chunk
from hft_gym.errors import CheckpointError, ConfigError, DataError
from hft_gym.feed.messages import DataKind, Levels, MarketDataMessage
from hft_gym.files import read_arrays, write_arrays
from hft_gym.flow.state import REPLAY
from hft_gym.market import Market
from hft_gym.market.config import MarketConfig
from hft_gym.types import OrderSide

__all__ = ["FeedMarket", "steps_of"]

LEVELS, ORDERS = 4_096, 65_536
"""Of the ladder, and synthetic orders that can rest."""
_BOOK_LEVELS = 16_384
_FAR = 8
"""How many times the levels that messages show are kept of each side; what is farther away is forgotten."""
_DECIMALS = 8
_UNITS = 10**_DECIMALS
_EXACT = 1e15
_LEVEL, _TRADE, _LAST = int(FeedKind.LEVEL), int(FeedKind.TRADE), int(FeedFlag.LAST)
_KEPT = ("cash", "position", "cost", "fees", "bought", "sold", "maker_volume", "taken", "orders_sent", "cancels_sent",
         "refused", "mid2", "stream", "unclosed", "risk")  # fmt: skip
"""Of an account, what outlives its orders."""
_COUNTED = ("volume", "trades", "messages", "hidden_volume", "fees")
"""Of the market, what was counted; participants' accounts refer to it."""


class FeedMarket(Market):
    """One instrument of a feed, with participants' orders in its (estimated) queues.

    Args:
        opening: the first message with a picture of the book, both sides of it.
        at: the market's clock then [ns].
        config: latency, fees, limits, participants; sizes and tick are the feed's.
        queue_model: which part of a queue decreases come from that no trade explains (`BookFollower`).
        tick_size: in currency; None: found from the opening's prices.
        lot_size: of one lot; None: found from the opening's sizes.
        log_capacity: as of `Market`.

    Raises:
        ConfigError: an unknown queue model, a tick or lot that the feed does not have.
        DataError: a message without both sides.
    """

    def __init__(
        self, opening: MarketDataMessage, at: int, config: MarketConfig, *, queue_model: str = "back",
        tick_size: float | None = None, lot_size: float | None = None, log_capacity: int = 16_384,
    ) -> None:
        if queue_model not in c.QUEUE_MODELS:
            raise ConfigError(f"queue_model is {queue_model!r}; allowed are {', '.join(c.QUEUE_MODELS)}")
        if not (opening.bids and opening.asks):
            raise DataError(f"{opening.symbol}: the first picture of the book has an empty side")
        both = (*opening.bids, *opening.asks)
        tick, lot = steps_of(p for p, _ in both), steps_of(s for _, s in both)
        if tick_size is not None:
            tick = units_of(tick_size, _DECIMALS, "tick_size")
        if lot_size is not None:
            lot = units_of(lot_size, _DECIMALS, "lot_size")
        self.lot_size = lot / _UNITS
        self.levels = max(len(opening.bids), len(opening.asks))
        self.lost = False
        """Whether the feed's book cannot be trusted now."""
        self.issues = IssueLog(keep=20)
        meta = FeedMeta(
            "feed", "L2", "unix", price_decimals=_DECIMALS, size_decimals=_DECIMALS, symbols={0: opening.symbol}
        )
        self._follower = BookFollower(
            meta, self.issues, Path(opening.symbol), tick_units=tick, lot_units=lot, queue_model=queue_model, open_at=0,
            levels=1, checkpoint_rows=2**60, capacity=_BOOK_LEVELS,
        )
        self._traded: dict[tuple[OrderSide, int], None] = {}
        """Levels that were traded at since the last news of the book."""
        self._shown: list[Levels | None] = [None, None]
        self._known: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._follow(opening, at)
        feed = self._opened(opening, at, tick / _UNITS)
        sized = replace(config, tick_size=feed.tick_size, levels=LEVELS, max_orders=ORDERS, warm_up_ns=0)
        super().__init__(sized, 0, feed=feed, log_capacity=log_capacity, symbol=opening.symbol)
        self._ops = feed.kernel_arrays().ops

    def _opened(self, opening: MarketDataMessage, at: int, tick_size: float) -> ReplayFeed:
        """The day that begins with the opening, and has nothing else yet."""
        book = self._follower
        if not book.checkpoints:
            raise DataError(f"{opening.symbol}: the first picture of the book is crossed or off the tick {tick_size:g}")
        orders = book.checkpoints[0].astype(CHECKPOINT_DTYPE)
        self._forget()
        # A market without any operation would be a simulated one; this one changes nothing.
        ops = np.zeros(1, REPLAY_DTYPE)
        ops["time"], ops["op"], ops["handle"] = at, OP_HALT, -1
        stats = ReplayStats(1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0)
        return ReplayFeed(
            symbol=opening.symbol, date="", tick_size=tick_size, levels=1, ops=ops,
            op_row_start=np.zeros(2, np.int64), times=np.array([at], np.int64), book=np.zeros((1, 1, 4), np.int64),
            checkpoint_rows=1, checkpoint_start=np.array([0, len(orders)], np.int64), checkpoint_orders=orders,
            max_handles=ORDERS, min_price=0, max_price=0, start_ns=at, end_ns=at + 1, stats=stats,
            lot_size=self.lot_size,
        )  # fmt: skip

    # -- what the feed says ----------------------------------------------------------------------------------

    def tell(self, message: MarketDataMessage, at: int) -> bool:
        """Take a message; what it says happens in the market at time *at* [ns], not before the market's own.

        A loss withdraws every participant's orders. Until the next picture of the book nothing happens. A picture while
        the book is still believed tells of a loss, too: of one whose news was merged into it, or that nobody told of
        (a recording that was continued).

        Returns:
            Whether the book was lost.

        Raises:
            DataError: more orders than there is room for.
        """
        loss = message.kind is DataKind.LOST or (message.snapshot and not self.lost)
        if loss:
            self.lost = True
            for participant in range(1, self.config.participants + 1):
                self.withdraw(participant)
        if message.kind is DataKind.LOST:
            return True
        if self.lost and not (message.snapshot and message.bids and message.asks):
            return loss
        self.lost = False
        self._follow(message, max(at, self.time))
        ops = [part for part in self._follower.ops if len(part)]
        handles = int(self._follower.k[c.MAX_HANDLES])
        self._forget()
        if handles > ORDERS:
            raise DataError(f"{self.symbol}: {handles} orders rest; a market of a feed has room for {ORDERS}")
        if ops:
            self._append(np.concatenate(ops))
        return loss

    def _append(self, ops: NDArray[Any]) -> None:
        """Put operations behind those that wait; those that are done go."""
        flow = self._arrays.flow_state
        self._ops = np.concatenate([self._ops[int(flow["cursor"][0]) :], ops])
        flow["cursor"] = 0
        flow["due"][0, REPLAY] = self._ops["time"][0]
        assert self.feed is not None
        rest = self.feed.kernel_arrays()[1:]
        rows = np.array([self.feed.checkpoint_rows], np.int64)
        self._markets.tail = (*self._arrays.as_tuple(), self._ops, *rest, rows)

    def _forget(self) -> None:
        """What the follower keeps for a file's feed."""
        follower = self._follower
        for kept in (follower.ops, follower.times, follower.op_start, follower.truth, follower.checkpoints):
            kept.clear()

    def _follow(self, message: MarketDataMessage, at: int) -> None:
        """Give a message to the follower: its trade, and the levels that have changed."""
        rows: list[tuple[int, int, int, int]] = []
        self.levels = max(self.levels, len(message.bids), len(message.asks))
        if message.kind is DataKind.TRADE and message.price is not None and message.side is not None:
            resting, price = message.side.opposite, _units(message.price)
            rows.append((_TRADE, int(resting), price, _units(message.volume)))
            self._traded[resting, price] = None
        for side, levels in ((OrderSide.BID, message.bids), (OrderSide.ASK, message.asks)):
            rows += [(_LEVEL, int(side), price, size) for price, size in self._changes(side, levels)]
        if message.kind is DataKind.DEPTH:
            # An exchange tells of a trade before the book that it left behind: that a level is as it was is news.
            told = {row[1:3] for row in rows}
            silent = [(side, price) for side, price in self._traded if (int(side), price) not in told]
            rows += [(_LEVEL, int(side), price, self._known[side].get(price, 0)) for side, price in silent]
            self._traded.clear()
        if not rows:
            return
        records = np.zeros(len(rows), FEED_DTYPE)
        records["kind"], records["side"], records["price"], records["quantity"] = zip(*rows, strict=True)
        records["time"], records["sequence"] = at, message.sequence
        if rows[-1][0] == _LEVEL:
            records["flags"][-1] = _LAST
        self._follower(Chunk(records, np.zeros(len(records), np.int64)))

    def _changes(self, side: OrderSide, levels: Levels) -> list[tuple[int, int]]:
        """(price, new total) in units of the levels of a side that differ from what was known.

        A message shows the best levels alone: one that is not in it has gone if it would be among them, and else is
        taken to be as it was. Fewer levels than the most so far are a whole side.
        """
        if levels == self._shown[side]:
            return []
        self._shown[side] = levels
        known, sign = self._known[side], -1 if side == OrderSide.BID else 1
        shown = {_units(price): _units(size) for price, size in levels if size > 0}
        farthest = max((sign * price for price in shown), default=math.inf)
        if len(shown) < self.levels:
            farthest = math.inf
        changed = [(price, 0) for price in known if price not in shown and sign * price <= farthest]
        changed += [(price, size) for price, size in shown.items() if known.get(price) != size]
        room = min(_FAR * max(self.levels, 16), _BOOK_LEVELS // 8)
        if len(known) + len(changed) > 2 * room:
            kept = sorted((p for p in known if p not in shown), key=lambda price: sign * price)
            gone = {price for price, _ in changed}
            changed += [(price, 0) for price in kept[room:] if price not in gone]
        for price, size in changed:
            if size:
                known[price] = size
            else:
                known.pop(price, None)
        return changed

    # -- going on another day --------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Write the accounts to a file: the book is the feed's, and orders do not outlive the connection."""
        counted = {name: np.asarray(self._arrays.state[name][0]) for name in _COUNTED}
        write_arrays(path, {"account": self._arrays.account[0], **counted})

    def restore_accounts(self, path: str | PathLike[str]) -> None:
        """Take over the accounts that `save` wrote, without their orders.

        Raises:
            CheckpointError: no such file, damaged, or of another number of participants.
        """
        arrays = read_arrays(path, "saved accounts")
        if arrays.keys() != {"account", *_COUNTED}:
            raise CheckpointError(f"{path} is no saved accounts: it has {', '.join(arrays)}")
        found, counted = arrays.pop("account"), arrays
        mine = self._arrays.account[0]
        if found.dtype != mine.dtype or found.shape != mine.shape:
            raise CheckpointError(f"{path}: {found.shape[0]} accounts; this market has {mine.shape[0]}")
        for name in _KEPT:
            mine[name] = found[name]
        for name, value in counted.items():
            self._arrays.state[name][0] = value


def steps_of(values: Iterable[float]) -> int:
    """The largest step that all values are whole multiples of, in units of 1e-8."""
    return math.gcd(*(_units(value) for value in values)) or 1


def _units(value: float) -> int:
    scaled = value * _UNITS
    if -_EXACT < scaled < _EXACT:  # the product's error is far below a half
        return round(scaled)
    # By way of the shortest text that is this float.
    return int(Decimal(repr(float(value))).scaleb(_DECIMALS).to_integral_value())
