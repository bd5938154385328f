"""The id map alone, against a dict."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hft_gym import CompiledOrderBook, OrderBook
from hft_gym._jit import entry
from hft_gym.book import idmap
from tests.book.helpers import ASK, BID, CANCEL, FEW, LIMIT, SYMBOL, examples, message, state

FIRST = 10
"""The slot of the first order record in these tests."""


@entry
def _add(direct, table, order, live, order_id, slot):
    idmap.make_room(direct, table, live)
    position = idmap.locate(direct, table, order[0], FIRST, order_id)
    idmap.put(direct, table, position, order_id, slot)


@entry
def _find(direct, table, order, order_id):
    position = idmap.locate(direct, table, order[0], FIRST, order_id)
    return idmap.slot_at(direct, table, position) if position >= 0 else 0


@entry
def _erase(direct, table, order, order_id):
    idmap.erase(direct, table, idmap.locate(direct, table, order[0], FIRST, order_id))


@entry
def _forget(direct, table, order_id, slot):
    idmap.forget(direct, table, order_id, slot)


@entry
def _hash(order_id):
    return idmap.half_hash(order_id)


def unhash(half, low):
    """An id whose half hash is *half*: the hash is one to one, so it can be turned round."""
    product = half << 32 | low
    return int(np.uint64(product * pow(idmap._MULTIPLIER, -1, 2**64) % 2**64).astype(np.int64))


IDS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 50),
    st.builds(unhash, st.sampled_from([0, 1, 2**31, 2**32 - 1, 2**32 - 2]), st.integers(0, 20)),
)


class Model:
    def __init__(self, capacity, direct=0):
        self.capacity = capacity
        self.direct = np.zeros(direct, np.uint32)
        self.table = None if direct else idmap.allocate_table(capacity)
        self.order = np.zeros((1, capacity), [("id", "i8")])
        self.slots = {}
        self.free = list(range(FIRST, FIRST + capacity))

    def add(self, order_id):
        if order_id in self.slots or not self.free:
            return
        slot = self.slots[order_id] = self.free.pop()
        self.order["id"][0, slot - FIRST] = order_id
        _add(self.direct, self.table, self.order, len(self.slots) - 1, order_id, slot)

    def remove(self, order_id, known):
        if order_id not in self.slots:
            return
        slot = self.slots.pop(order_id)
        self.free.append(slot)
        if known:
            self.order["id"][0, slot - FIRST] = 777  # the record may have been written over
            _forget(self.direct, self.table, order_id, slot)
        else:
            _erase(self.direct, self.table, self.order, order_id)

    def check(self, others):
        for order_id in [*self.slots, *others]:
            found = _find(self.direct, self.table, self.order, order_id)
            assert found == self.slots.get(order_id, 0), order_id
        if self.table is not None:
            size = int(self.table[0])
            assert np.count_nonzero(self.table[size : 2 * size]) == len(self.slots)
            assert size <= 64 or 2 * size > 8 * len(self.slots) or 2 * size == len(self.table)


@examples(200, 10)
@given(st.lists(st.tuples(st.sampled_from(["add", "add", "erase", "forget"]), IDS), max_size=150))
def test_map_equals_a_dict(steps):
    model = Model(200)
    for what, order_id in steps:
        if what == "add":
            model.add(order_id)
        else:
            model.remove(order_id, known=what == "forget")
    model.check([order_id for _, order_id in steps])


@pytest.mark.parametrize("half", [0, 2**32 - 1, 5 << 26])
def test_ids_that_all_want_the_same_place(half):
    """The worst case: one long chain, also around the end of the region."""
    model = Model(300)
    ids = [unhash(half, low) for low in range(40 if FEW else 200)]
    for order_id in ids:
        model.add(order_id)
    model.check([unhash(half, low) for low in range(1_000, 1_010)])
    for order_id in ids[::3] + ids[1::3]:
        model.remove(order_id, known=order_id % 2 == 0)
        model.check([])
    model.check(ids)


def test_direct_table():
    model = Model(20, direct=30)
    for order_id in (0, 29, 7):
        model.add(order_id)
    model.check([-1, 30, 2**62, -(2**63), 5])
    model.remove(29, known=True)
    model.remove(0, known=False)
    model.check([0, 29, 1])


def test_the_twin_of_the_hash():
    for order_id in (0, 1, -1, 2**63 - 1, -(2**63), 123_456_789_012_345):
        assert int(_hash(np.int64(order_id))) == int(idmap.half_hash_python(order_id))
    assert int(idmap.half_hash_python(unhash(12_345, 678))) == 12_345


def test_no_wear(record_property):
    """Many more insertions and deletions than entries: the book stays as it should."""
    reference, book = OrderBook(SYMBOL), CompiledOrderBook(SYMBOL, max_orders=64, levels=64)
    rng = np.random.default_rng(5)
    ids = rng.integers(-(2**63), 2**63 - 1, 50 if FEW else 2_000)
    rows = []
    for k, order_id in enumerate(ids.tolist()):
        rows.append(message(LIMIT, order_id, BID if k % 2 else ASK, 50 if k % 2 else 60, 1 + k % 9))
        if k >= 40:
            rows.append(message(CANCEL, int(ids[k - 40])))
    rows = np.concatenate(rows)
    assert np.array_equal(book.apply(rows), reference.apply(rows))
    book.check()
    assert state(book) == state(reference)
