"""The market once more in plain Python: the reference book, integer accounts, and logs by the letter.

The flow's messages are read off the compiled market, one event at a time, from what they did to its book; the
participants' are known. Both are then carried out in the readable `OrderBook`, and what must follow from them
(fills, fees, queue positions, mids, ends of orders) is worked out here, sharing no code with the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from hft_gym import Market, MessageKind, OrderBook, TimeInForce
from hft_gym.errors import MessageError
from hft_gym.market.records import CANCEL, MODIFY, NEW, EndReason
from hft_gym.types import MAX_PRICE_TICKS, MESSAGE_DTYPE
from tests.market.helpers import ASK, BID, in_flight, next_event, next_flow_event, orders

UNIT = 10_000
ANY_ID = 10**9


class Coincidence(Exception):
    """A message of a participant and an event of the flow at the same nanosecond: cannot be told apart."""


@dataclass
class Own:
    """An order of a participant."""

    participant: int
    order_id: int
    side: int
    price: int
    quantity: int
    remaining: int
    tif: int
    sent: int
    entry: int = -1
    ahead: int = -1
    key: int = 0


@dataclass
class Shadow:
    """Follow *market* event by event with :meth:`step`, which compares everything."""

    market: Market
    book: OrderBook = field(default_factory=lambda: OrderBook("SIM"))
    own: dict[int, Own] = field(default_factory=dict)  # by id in the reference book
    sent: dict[tuple[int, int], Own] = field(default_factory=dict)
    fills: list[tuple[int, ...]] = field(default_factory=list)
    ended: list[tuple[int, ...]] = field(default_factory=list)
    mid2: dict[int, int] = field(default_factory=dict)
    next_id: int = 1
    n_messages: int = 0

    def __post_init__(self) -> None:
        people = range(self.market.config.participants + 1)
        self.cash, self.position, self.fees = ([0 for _ in people] for _ in range(3))
        for side in (BID, ASK):
            for price, quantity, participant, _ in orders(self.market, side):
                assert participant == 0
                self._apply(MessageKind.LIMIT, side, price, quantity)
        for p in people:
            self.mid2[p] = self.market.account(p).mid2

    # -- what the test sends -------------------------------------------------------------------------------

    def submit(self, p: int, side: int, quantity: int, price: int | None, tif: int = 0) -> int:
        """Send an order."""
        number = self.market.submit(p, side, quantity, price, TimeInForce(tif))
        if price is None:
            price = MAX_PRICE_TICKS if side == BID else -MAX_PRICE_TICKS
            tif = tif if tif == TimeInForce.FOK else TimeInForce.IOC
        self.sent[p, number] = Own(p, number, side, price, quantity, quantity, tif, self.market.time)
        return number

    # -- one event -----------------------------------------------------------------------------------------

    def run_until(self, until: int) -> None:
        """Follow every event up to *until*."""
        while next_event(self.market) <= until:
            self.step()
        self.market.run_until(until)

    def step(self) -> None:
        """Let the next event happen in both and compare."""
        market = self.market
        time = next_event(market)
        arriving = [m for m in in_flight(market) if m["arrival"] <= time]
        if arriving and next_flow_event(market) <= max(time, market.time):
            raise Coincidence
        before = [orders(market, side) for side in (BID, ASK)]
        volume = market._arrays.state["volume"][0].copy()
        market.run_until(max(time, market.time))
        self.now = market.time
        if arriving:
            for message in arriving:
                self._arrive(message)
        else:
            after = [orders(market, side) for side in (BID, ASK)]
            self._flow(before, after, market._arrays.state["volume"][0] - volume)
        self._compare()

    def _flow(self, before: list[Any], after: list[Any], volume: Any) -> None:
        """Read off what the flow did and do it too."""
        for side in (BID, ASK):
            if volume[side] > 0:  # a market order, or an informed one: what does not trade expires
                price = MAX_PRICE_TICKS if side == BID else -MAX_PRICE_TICKS
                self._enter(None, side, price, int(volume[side]), TimeInForce.IOC)
                return
        for side in (BID, ASK):
            old, new = ([o[:3] for o in book[side]] for book in (before, after))
            if len(new) > len(old):
                at = next(i for i in range(len(new)) if i == len(old) or old[i] != new[i])
                price, quantity, participant = new[at]
                assert participant == 0 and new[:at] + new[at + 1 :] == old
                self._enter(None, side, price, quantity, TimeInForce.GTC)
            elif len(new) < len(old):
                at = next(i for i in range(len(old)) if i == len(new) or old[i] != new[i])
                assert old[at][2] == 0 and old[:at] + old[at + 1 :] == new
                resting = self.book._queue(side)[at]
                assert (resting.ticks, resting.quantity, resting.participant) == old[at]
                self._apply(MessageKind.CANCEL, order_id=resting.order_id)
                self.n_messages += 1

    def _arrive(self, message: dict[str, int]) -> None:
        """A participant's message reaches the exchange."""
        order = self.sent[message["participant"], message["order_id"]]
        resting = order.key in self.own
        if message["kind"] == NEW:
            self._enter(order, order.side, order.price, order.quantity, order.tif)
        elif message["kind"] == CANCEL and resting:
            self._apply(MessageKind.CANCEL, order_id=order.key)
            self.n_messages += 1
            self._end(order, EndReason.CANCELLED)
        elif message["kind"] == MODIFY and resting:
            self._modify(order, message["price"], message["quantity"])

    def _modify(self, order: Own, price: int, quantity: int) -> None:
        keeps_place = price == order.price and quantity <= order.remaining
        looks = self._look(order.participant)
        trades = self._apply(MessageKind.MODIFY, order_id=order.key, price=price, quantity=quantity)
        self.n_messages += 1
        order.quantity += quantity - order.remaining
        order.remaining, order.price = quantity, price
        self._settle(trades, order, order.side, looks)
        if not keeps_place:
            self._rest_or_end(order)

    def _enter(self, order: Own | None, side: int, price: int, quantity: int, tif: int) -> None:
        participant = order.participant if order else 0
        looks = self._look(participant)
        key = self.next_id
        try:
            trades = self._apply(MessageKind.LIMIT, side, price, quantity, tif, participant)
        except MessageError:
            assert order is not None, "the test leaves the flow room"
            trades = []
        self.n_messages += 1
        self._settle(trades, order, side, looks)
        if order is not None:
            order.key = key
            self._rest_or_end(order)

    def _rest_or_end(self, order: Own) -> None:
        if order.key in self.book:
            order.entry, order.ahead = self.now, self.book.queue_position(order.key).volume_ahead
            self.own[order.key] = order
        elif order.remaining == 0:
            order.entry = order.entry if order.entry >= 0 else self.now
            self._end(order, EndReason.FILLED)
        elif order.tif in (TimeInForce.IOC, TimeInForce.FOK):
            if order.tif == TimeInForce.IOC or order.entry < 0:
                order.entry = self.now if order.tif == TimeInForce.IOC else -1
            self._end(order, EndReason.EXPIRED)
        else:
            self._end(order, EndReason.REJECTED)

    # -- what follows --------------------------------------------------------------------------------------

    def _look(self, taker: int) -> dict[str, Any]:
        """What must be known of the moment before a message."""
        ahead = {}
        for side in (BID, ASK):
            level: list[Any] = []
            for o in self.book._queue(side):
                if level and level[0].ticks != o.ticks:
                    level = []
                if o.participant > 0:
                    others = [x.quantity for x in level if taker == 0 or x.participant != taker]
                    ahead[o.order_id] = sum(others)
                level.append(o)
        return {"ahead": ahead, "mid2": {p: self._mid2(p) for p in self.mid2}}

    def _mid2(self, p: int) -> int:
        best = []
        for side in (BID, ASK):
            others = [o.ticks for o in self.book._queue(side) if p == 0 or o.participant != p]
            best.append(others[0] if others else None)
        if None not in best:
            self.mid2[p] = sum(best)
        return self.mid2[p]

    def _settle(self, trades: Any, order: Own | None, side: int, looks: dict[str, Any]) -> None:
        taker = order.participant if order else 0
        for trade in trades:
            maker = self.own.get(int(trade["maker_order_id"]))
            price, quantity = int(trade["price"]), int(trade["quantity"])
            if maker is not None:
                self._fill(maker, 1 - side, price, quantity, True, looks["ahead"][maker.key], looks)
                if maker.remaining == 0:
                    self._end(maker, EndReason.FILLED)
            elif taker:
                self._book(0, 1 - side, price, quantity, 0)
            if order is not None:
                self._fill(order, side, price, quantity, False, -1, looks)
            elif maker is not None:
                self._book(0, side, price, quantity, 0)
        for gone in [o for key, o in self.own.items() if key not in self.book and o.remaining and o is not order]:
            assert gone.participant == taker, "an order vanished"
            self._end(gone, EndReason.SELF_TRADE)

    def _fill(
        self, own: Own, side: int, price: int, quantity: int, maker: bool, ahead: int, looks: dict[str, Any]
    ) -> None:
        p = own.participant
        fees = self.market.config.fees
        rate = Fraction(str(fees.maker if maker else fees.taker))
        exact = rate * quantity * (UNIT if fees.unit == "per_lot" else Fraction(abs(price) * UNIT, 10_000))
        fee = int(abs(exact) + Fraction(1, 2)) * (1 if exact >= 0 else -1)
        self._book(p, side, price, quantity, fee)
        own.remaining -= quantity
        mid2, age = looks["mid2"][p], self.now - own.sent
        row = (p, side, maker, own.order_id, self.now, price, quantity, mid2, own.ahead, ahead, age, fee)
        self.fills.append(tuple(int(x) for x in row))

    def _book(self, p: int, side: int, price: int, quantity: int, fee: int) -> None:
        sign = 1 if side == BID else -1
        self.cash[p] -= sign * price * quantity * UNIT + fee
        self.position[p] += sign * quantity
        self.fees[p] += fee

    def _end(self, order: Own, reason: int) -> None:
        self.own.pop(order.key, None)
        filled = order.quantity - order.remaining
        row = (order.participant, order.side, order.tif, reason, order.order_id, order.price, order.quantity)
        self.ended.append(tuple(map(int, (*row, filled, order.sent, order.entry, self.now, order.ahead))))

    def _apply(
        self,
        kind: int,
        side: int = 0,
        price: int = 0,
        quantity: int = 0,
        tif: int = 0,
        participant: int = 0,
        order_id: int = 0,
    ) -> Any:
        message = np.zeros(1, MESSAGE_DTYPE)
        if order_id == 0:
            order_id, self.next_id = self.next_id, self.next_id + 1
        values = (order_id, price, quantity, participant, kind, side, tif)
        names = ("order_id", "price", "quantity", "participant", "kind", "side", "time_in_force")
        for name, value in zip(names, values, strict=True):
            message[name] = value
        return self.book.apply(message)

    # -- comparison ----------------------------------------------------------------------------------------

    def _compare(self) -> None:
        market = self.market
        for side in (BID, ASK):
            ours = [(o.ticks, o.quantity, o.participant) for o in self.book._queue(side)]
            assert [o[:3] for o in orders(market, side)] == ours
        for p in range(len(self.cash)):
            account = market.account(p)
            found = (account.cash_units, account.position, account.fees_units)
            assert found == (self.cash[p], self.position[p], self.fees[p])
            assert account.mid2 == self._mid2(p)
            equity = self.cash[p] + Fraction(self.position[p] * self.mid2[p] * UNIT, 2)
            assert account.equity_units == equity
        names = ("participant", "side", "maker", "order_id", "time", "price", "quantity", "mid2")
        names += ("queue_ahead_entry", "queue_ahead_fill", "order_age", "fee")
        assert _rows(market.fills(), names) == self.fills
        names = ("participant", "side", "time_in_force", "end_reason", "order_id", "price", "quantity")
        names += ("filled", "time_sent", "time_entry", "time_end", "queue_ahead_entry")
        assert sorted(_rows(market.orders(), names)) == sorted(self.ended)
        self.fills, self.ended = [], []
        for key, own in self.own.items():
            [working] = [o for o in market.working_orders(own.participant) if o.order_id == own.order_id]
            place = self.book.queue_position(key)
            assert (working.volume_ahead, working.orders_ahead) == tuple(place)
            assert (working.remaining, working.quantity) == (own.remaining, own.quantity)


def _rows(log: Any, names: tuple[str, ...]) -> list[tuple[int, ...]]:
    return list(zip(*(log[name].astype(np.int64).tolist() for name in names), strict=True))
