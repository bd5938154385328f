"""The simplest correct book in Python, as a yardstick: no checks, no objects, no errors.

It knows three of the matching rules (price, then time; the maker's price; leftovers rest) and nothing
else, so that "n times faster than Python" is measured against Python at its fastest. The readable
reference with all rules is :class:`hft_gym.OrderBook`. The standard stream is generated with it.
"""

from __future__ import annotations

from sortedcontainers import SortedDict

Entry = list[int]
"""A resting order: [side, key, quantity in lots]; the key is the price for asks, minus it for bids."""


class PlainBook:
    """Price-time priority on two sorted dicts of queues; every queue is a dict in order of arrival."""

    __slots__ = ("orders", "sides", "trades")

    def __init__(self) -> None:
        self.sides: tuple[SortedDict, SortedDict] = (SortedDict(), SortedDict())
        self.orders: dict[int, Entry] = {}
        self.trades: list[tuple[int, int, int, int]] = []

    def best(self, side: int) -> int | None:
        """Best price of *side* in ticks; None where it is empty."""
        levels = self.sides[side]
        if not levels:
            return None
        key: int = levels.peekitem(0)[0]
        return key if side else -key

    def limit(self, order_id: int, side: int, price: int, quantity: int) -> None:
        """Match a limit order and rest what is left."""
        key, limit = (price, -price) if side else (-price, price)
        levels, orders, trades = self.sides[1 - side], self.orders, self.trades
        while quantity and levels:
            best, queue = levels.peekitem(0)
            if best > limit:
                break
            at = -best if side else best
            while quantity and queue:
                maker = next(iter(queue))
                entry = orders[maker]
                resting = entry[2]
                if resting > quantity:
                    trades.append((order_id, maker, at, quantity))
                    entry[2] = resting - quantity
                    quantity = 0
                else:
                    trades.append((order_id, maker, at, resting))
                    quantity -= resting
                    del queue[maker], orders[maker]
            if not queue:
                del levels[best]
        if quantity:
            orders[order_id] = [side, key, quantity]
            own = self.sides[side]
            if key in own:
                own[key][order_id] = None
            else:
                own[key] = {order_id: None}

    def cancel(self, order_id: int) -> None:
        """Take a resting order out."""
        side, key, _ = self.orders.pop(order_id)
        levels = self.sides[side]
        queue = levels[key]
        del queue[order_id]
        if not queue:
            del levels[key]

    def reduce(self, order_id: int, quantity: int) -> None:
        """Reduce a resting order to *quantity* lots; it keeps its place."""
        self.orders[order_id][2] = quantity
