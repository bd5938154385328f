"""All books driven side by side through any sequence of operations, compared and checked after each step."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hft_gym import OrderStatus, errors
from tests.book.helpers import (
    ASK,
    BID,
    BOOKS,
    CANCEL,
    LIMIT,
    MARKET,
    MODIFY,
    REDUCE,
    SYMBOL,
    examples,
    fills,
    limit,
    market,
    message,
    queue,
    state,
)

SIDES = st.sampled_from([BID, ASK])
# Mostly a few prices that cross and share queues; some far apart, so that ladders move and orders are parked.
TICKS = st.one_of(st.integers(95, 105), st.integers(95, 105), st.sampled_from([-(2**40), -300, 0, 20, 170, 900, 2**40]))
VOLUMES = st.one_of(st.integers(1, 20), st.integers(1, 20), st.just(2**31 - 1))
TIFS = st.sampled_from([0, 0, 0, 0, 1, 2, 3])
OWNERS = st.sampled_from([0, 0, 1, 2])
IDS = st.integers(0, 30)
MAX_ORDERS = 12


def outcome(book: Any, operation: Any) -> tuple[Any, str]:
    """What an operation on a book does: its trades, or the error."""
    try:
        return fills(operation(book)), ""
    except errors.MessageError as error:
        return fills(error.trades), f"{error.index} {type(error.cause).__name__}: {error.cause}"
    except errors.OrderError as error:
        return None, f"{type(error).__name__}: {error}"


class Books(RuleBasedStateMachine):
    """The reference is right by definition; the others must do and say the same."""

    def __init__(self) -> None:
        super().__init__()
        self.volume: dict[int, int] = {}

    @initialize()
    def start(self) -> None:
        self.books = {name: make(SYMBOL, max_orders=MAX_ORDERS) for name, make in BOOKS.items()}

    @property
    def reference(self) -> Any:
        return self.books["reference"]

    def do(self, operation: Any) -> tuple[Any, str]:
        """Do the same to every book and return what the reference said."""
        before = state(self.reference)
        expected = outcome(self.reference, operation)
        if expected[0] is None:
            assert state(self.reference) == before, "refused, yet changed"
        for name, book in self.books.items():
            if name != "reference":
                assert outcome(book, operation) == expected, name
        return expected

    def enter(self, order: Any) -> None:
        """Add an order; check that no volume appears or is lost."""
        resting = {o[0]: o for side in (BID, ASK) for o in queue(self.reference, side)}
        copies = {id(book): copy.copy(order) for book in self.books.values()}
        trades, error = self.do(lambda book: book.add_order(copies[id(book)]))
        seen = {(o.status, o.remaining, o.order_id) for o in copies.values()}
        assert len(seen) == 1, seen
        if error:
            return
        [(status, remaining, order_id)] = seen
        traded = {maker: quantity for _, maker, _, quantity in trades}
        assert len(traded) == len(trades), "one trade for each resting order met (R4)"
        assert order.volume == remaining + sum(traded.values())
        assert (status is OrderStatus.FILLED) == (remaining == 0)
        rests = status in (OrderStatus.RESTING, OrderStatus.PARTIALLY_FILLED)
        assert rests == (order_id in self.reference)
        after = {o[0]: o for side in (BID, ASK) for o in queue(self.reference, side)}
        if rests:
            assert after.pop(order_id)[2] == remaining
        for maker, (_, _, quantity, owner) in resting.items():
            left = quantity - traded.get(maker, 0)
            if maker in after:
                assert after[maker][2] == left > 0
            elif left:  # vanished without a full fill: it gave way (R11)
                assert owner == order.participant != 0 and maker not in traded
            if maker in traded and owner:
                assert owner != order.participant
        assert after.keys() <= resting.keys()

    @rule(side=SIDES, volume=VOLUMES, ticks=TICKS, tif=TIFS, owner=OWNERS, order_id=st.none() | IDS)
    def add_limit(self, side: Any, volume: int, ticks: int, tif: int, owner: int, order_id: int | None) -> None:
        self.enter(limit(side, volume, ticks, order_id, tif, owner))

    @rule(side=SIDES, volume=VOLUMES, tif=TIFS, owner=OWNERS)
    def add_market(self, side: Any, volume: int, tif: int, owner: int) -> None:
        self.enter(market(side, volume, None, tif, owner))

    @rule(order_id=IDS)
    def cancel(self, order_id: int) -> None:
        self.do(lambda book: book.cancel_order(order_id) and [])

    @rule(
        order_id=IDS,
        volume=st.none() | VOLUMES | st.just(0),
        ticks=st.none() | TICKS,
    )
    def modify(self, order_id: int, volume: int | None, ticks: int | None) -> None:
        price = None if ticks is None else ticks / 100
        self.do(lambda book: book.modify_order(order_id, volume, price))

    @rule(rows=st.lists(st.tuples(st.sampled_from([LIMIT, LIMIT, LIMIT, MARKET, CANCEL, REDUCE, MODIFY]),
                                  IDS, SIDES, TICKS, VOLUMES, TIFS, OWNERS), max_size=12))  # fmt: skip
    def apply(self, rows: list[Any]) -> None:
        array = np.concatenate([message(*row) for row in rows]) if rows else message(0, 0)[:0]
        self.do(lambda book: book.apply(array))

    @precondition(lambda self: len(self.reference) > 3)
    @rule(side=SIDES, owner=OWNERS)
    def sweep(self, side: Any, owner: int) -> None:
        self.enter(market(side, 2**31 - 1, None, 1, owner))

    @rule()
    def replace_by_pickles(self) -> None:
        self.books = {name: pickle.loads(pickle.dumps(book)) for name, book in self.books.items()}

    @invariant()
    def all_agree(self) -> None:
        if not hasattr(self, "books"):
            return
        expected = state(self.reference)
        for name, book in self.books.items():
            book.check()
            assert state(book) == expected, name


TestBooks = Books.TestCase
TestBooks.settings = examples(60, 20)
