"""A replay with own orders in plain Python: the rules of docs/replay.md by the letter, on lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hft_gym import Market
from hft_gym.data import ReplayOp
from tests.market.helpers import ASK, BID, orders


@dataclass
class Resting:
    """An order in a queue: a historic one (participant 0, a handle) or a participant's (its id)."""

    side: int
    price: int
    quantity: int
    participant: int
    number: int


@dataclass
class Twin:
    """Follow a market that replays ``market.feed``; participants send GTC and market orders and cancels."""

    market: Market
    queues: tuple[dict[int, list[Resting]], ...] = ({}, {})
    historic: dict[int, Resting] = field(default_factory=dict)
    pending: list[tuple[int, str, Any]] = field(default_factory=list)
    fills: list[tuple[int, ...]] = field(default_factory=list)
    displaced: int = 0
    taken: int = 0

    def __post_init__(self) -> None:
        feed = self.market.feed
        row = feed.row_at(self.market.time)
        start, checkpoint = feed.checkpoint_before(row)
        self.queues = ({}, {})
        self.position = [0] * (self.market.config.participants + 1)
        self.cash = list(self.position)
        for price, quantity, handle, side, _ in checkpoint.tolist():
            self._join(Resting(side, price, quantity, 0, handle))
        self.ops = feed.ops.tolist()
        self.cursor = int(feed.op_row_start[start + 1])
        self._history(self.market.time)

    # -- what participants send ----------------------------------------------------------------------------

    def submit(self, p: int, side: int, quantity: int, price: int | None) -> int:
        """Send an order; the market's latencies must be constant."""
        number = self.market.submit(p, side, quantity, price)
        arrival = self.market.time + self.market.config.latency.order_ns
        self.pending.append((arrival, "order", (p, side, quantity, price, number)))
        return number

    def cancel(self, p: int, number: int) -> None:
        """Cancel an order; at most once each."""
        self.market.cancel(p, number)
        self.pending.append((self.market.time + self.market.config.latency.cancel_ns, "cancel", (p, number)))

    # -- events --------------------------------------------------------------------------------------------

    def run_until(self, time: int) -> None:
        """Run both to *time* and compare."""
        while self.pending and self.pending[0][0] <= time:
            arrival, what, arguments = self.pending.pop(0)
            self._history(arrival)
            self._order(*arguments) if what == "order" else self._cancel(*arguments)
        self._history(time)
        self.market.run_until(time)
        self.compare()

    def _history(self, until: int) -> None:
        while self.cursor < len(self.ops) and self.ops[self.cursor][0] <= until:
            self._operate(*self.ops[self.cursor][1:7])
            self.cursor += 1

    def _operate(self, price: int, quantity: int, remaining: int, handle: int, code: int, side: int) -> None:
        if code == ReplayOp.ADD or code == ReplayOp.ADOPT:
            opposite = self._best(1 - side)
            crosses = opposite is not None and (opposite <= price if side == BID else opposite >= price)
            left = self._match(side, price, quantity, 0)
            if left:
                self._join(Resting(side, price, left, 0, handle), code == ReplayOp.ADOPT and not crosses)
        elif code in (ReplayOp.REDUCE, ReplayOp.DELETE, ReplayOp.FORGET, ReplayOp.EXECUTE):
            order = self.historic.get(handle)
            if code == ReplayOp.EXECUTE:
                self.displaced += self._displace(side, price, quantity, order, hidden=False)
            if order is not None:  # rule 5: never more than is left
                order.quantity = min(order.quantity, remaining)
                if order.quantity == 0:
                    self._leave(order)
        elif code == ReplayOp.HIDDEN:
            self.displaced += self._displace(side, price, quantity, None, hidden=True)

    def _displace(self, side: int, price: int, quantity: int, historic: Resting | None, hidden: bool) -> int:
        """Rules 2 and 3: fill the participants' orders that come before an execution at *price*."""
        left = quantity
        while left:
            before = []
            for at in sorted(self.queues[side], reverse=side == BID):
                if (at < price) if side == BID else (at > price):
                    break
                for order in self.queues[side][at]:
                    if at == price and not hidden:
                        ahead = self.queues[side][at][0]
                        if order is historic or (historic is None and order is not ahead):
                            break
                    if order.participant:
                        before.append(order)
            if not before:
                break
            first = before[0]
            lots = min(left, first.quantity)
            self._fill(first.participant, side, first.price, lots, True, first.number)
            self._settle_flow(1 - side, first.price, lots)
            first.quantity -= lots
            if first.quantity == 0:
                self._leave(first)
            left -= lots
        return quantity - left

    def _order(self, p: int, side: int, quantity: int, price: int | None, number: int) -> None:
        limit = price if price is not None else (2**40 if side == BID else -(2**40))
        left = self._match(side, limit, quantity, p, number)
        if left and price is not None:
            self._join(Resting(side, price, left, p, number))

    def _cancel(self, p: int, number: int) -> None:
        for queues in self.queues:
            for order in [o for queue in queues.values() for o in queue]:
                if (order.participant, order.number) == (p, number):
                    self._leave(order)

    def _match(self, side: int, limit: int, quantity: int, p: int, number: int = -1) -> int:
        while quantity:
            best = self._best(1 - side)
            if best is None or ((best > limit) if side == BID else (best < limit)):
                break
            maker = self.queues[1 - side][best][0]
            if p and maker.participant == p:
                self._leave(maker)
                continue
            lots = min(quantity, maker.quantity)
            if maker.participant:
                self._fill(maker.participant, 1 - side, best, lots, True, maker.number)
                if not p:
                    self._settle_flow(side, best, lots)
            else:
                assert p, "a historic order never crosses historic orders"
                self._settle_flow(1 - side, best, lots)
            if p:
                self._fill(p, side, best, lots, False, number)
            if (p == 0) != (maker.participant == 0):
                self.taken += lots
            maker.quantity -= lots
            quantity -= lots
            if maker.quantity == 0:
                self._leave(maker)
        return quantity

    # -- structure -----------------------------------------------------------------------------------------

    def _best(self, side: int) -> int | None:
        prices = self.queues[side]
        return None if not prices else max(prices) if side == BID else min(prices)

    def _join(self, order: Resting, front: bool = False) -> None:
        queue = self.queues[order.side].setdefault(order.price, [])
        queue.insert(0 if front else len(queue), order)
        if order.participant == 0:
            assert order.number not in self.historic
            self.historic[order.number] = order

    def _leave(self, order: Resting) -> None:
        queue = self.queues[order.side][order.price]
        queue.remove(order)
        if not queue:
            del self.queues[order.side][order.price]
        if order.participant == 0:
            del self.historic[order.number]

    def _fill(self, p: int, side: int, price: int, quantity: int, maker: bool, number: int) -> None:
        self._settle(p, side, price, quantity)
        self.fills.append((p, side, int(maker), number, price, quantity))

    def _settle_flow(self, side: int, price: int, quantity: int) -> None:
        self._settle(0, side, price, quantity)

    def _settle(self, p: int, side: int, price: int, quantity: int) -> None:
        sign = 1 if side == BID else -1
        self.position[p] += sign * quantity
        self.cash[p] -= sign * quantity * price * 10_000

    # -- comparison ----------------------------------------------------------------------------------------

    def compare(self) -> None:
        """Assert that book, fills and accounts agree."""
        for side in (BID, ASK):
            prices = sorted(self.queues[side], reverse=side == BID)
            mine = [(p, o.quantity, o.participant) for p in prices for o in self.queues[side][p]]
            assert [o[:3] for o in orders(self.market, side)] == mine
        log = self.market.fills()
        names = ("participant", "side", "maker", "order_id", "price", "quantity")
        assert list(zip(*(log[n].astype(np.int64).tolist() for n in names), strict=True)) == self.fills
        self.fills = []
        for p, (position, cash) in enumerate(zip(self.position, self.cash, strict=True)):
            account = self.market.account(p)
            assert (account.position, account.cash_units) == (position, cash)
        assert self.market.counters.displaced == self.displaced


def flow_view(market: Market, levels: int) -> list[list[int]]:
    """The book without the participants' orders as a row of ``feed.book``."""
    rows = [[0, 0, 0, 0] for _ in range(levels)]
    for side, column in ((ASK, 0), (BID, 2)):
        volume: dict[int, int] = {}
        for price, quantity, participant, _ in orders(market, side):
            if participant == 0:
                volume[price] = volume.get(price, 0) + quantity
        assert len(volume) <= levels
        for row, (price, quantity) in zip(rows, volume.items(), strict=False):
            row[column : column + 2] = price, quantity
    return rows
