"""Every invariant of the compiled book, asserted from outside in plain Python. For tests: slow."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from hft_gym.book.idmap import half_hash_python
from hft_gym.book.ladder import MAX_LEVEL_VOLUME, MAX_PRICE, MAX_QUANTITY, words_per_side

__all__ = ["check_book"]


def check_book(
    arrays: tuple[NDArray[Any], ...], direct: NDArray[Any] | None = None, table: NDArray[Any] | None = None
) -> None:
    """Assert the invariants of book 0 of the kernel's arrays, and of its id map where one is given.

    * Each queue is one circular list; its orders know their sentinel, and their price is the level's.
    * A level's quantity is the sum of its orders', in range; the parked list holds prices beyond the ladder only.
    * The bitmaps say exactly which levels hold orders; ``best`` is the first of them, and no side has parked orders
      only.
    * Every slot is either resting or free, none both; the counts agree.
    * The book is not crossed. The map holds exactly the resting ids, at their slots, and finds each of them.
    """
    head, node, order, words = (array[0] for array in arrays)
    levels, first, capacity = (int(head[name]) for name in ("levels", "first", "capacity"))
    assert first == 2 * (levels + 1) and len(node) == first + capacity and len(order) == capacity
    columns = {name: node[name].tolist() for name in ("prev", "next", "level", "quantity")}
    resting: dict[int, int] = {}
    best = []
    for side in (0, 1):
        slots, best_key = _check_side(side, head, columns, order, words)
        assert not resting.keys() & slots.keys(), "a slot rests on both sides"
        resting |= slots
        best.append(best_key)
    assert best[0] is None or best[1] is None or -best[0] < best[1], "the book is crossed"
    assert len(resting) == int(head["n_live"])
    free = set()
    slot = int(head["free"])
    while slot != 0:
        assert first <= slot < first + capacity and slot not in free and slot not in resting, slot
        free.add(slot)
        slot = columns["next"][slot]
    assert len(free) + len(resting) == capacity, "a slot is lost"
    if direct is not None:
        _check_map(direct, table, {order_id: slot for slot, order_id in resting.items()})


def _check_side(
    side: int, head: Any, columns: dict[str, list[int]], order: Any, words: Any
) -> tuple[dict[int, int], int | None]:
    """Check one side; return its resting orders (slot to id) and its best key."""
    levels, first, base = int(head["levels"]), int(head["first"]), int(head["base"][side])
    resting: dict[int, int] = {}
    occupied = []
    for index in range(levels + 1):
        sentinel = side * (levels + 1) + index
        before, slot, volume, count = sentinel, columns["next"][sentinel], 0, 0
        while slot != sentinel:
            assert first <= slot < len(columns["next"]) and slot not in resting, slot
            assert columns["prev"][slot] == before and columns["level"][slot] == sentinel, slot
            quantity, price = columns["quantity"][slot], int(order["price"][slot - first])
            key = price if side else -price
            assert 1 <= quantity <= MAX_QUANTITY and abs(price) <= MAX_PRICE, slot
            assert key - base == index if index < levels else key - base >= levels, (slot, key, base)
            resting[slot] = int(order["id"][slot - first])
            volume += quantity
            count += 1
            before, slot = slot, columns["next"][slot]
        assert columns["prev"][sentinel] == before, sentinel
        if index < levels:
            assert volume == columns["quantity"][sentinel] <= MAX_LEVEL_VOLUME, sentinel
            if count:
                occupied.append(index)
        else:
            assert volume % 2**32 == columns["quantity"][sentinel], sentinel  # a sum over prices: may wrap
            assert count == int(head["parked"][side]), (count, head["parked"])
            assert occupied or not count, "parked orders behind an empty ladder"
    _check_bitmaps(words[side * words_per_side(levels) :][: words_per_side(levels)], levels, occupied)
    assert int(head["best"][side]) == (occupied[0] if occupied else levels)
    return resting, base + occupied[0] if occupied else None


def _check_bitmaps(words: Any, levels: int, occupied: list[int]) -> None:
    start = 0
    for count in (levels >> 6, (levels + 4095) >> 12, 1):
        bits = {
            64 * i + j
            for i, word in enumerate(words[start : start + count].tolist())
            for j in range(64)
            if word >> j & 1
        }
        assert bits == set(occupied), (bits, occupied)
        occupied = [index >> 6 for index in occupied]
        start += count


def _check_map(direct: NDArray[Any], table: NDArray[Any] | None, slot_of: dict[int, int]) -> None:
    if table is None:
        found = {int(i): int(direct[i]) for i in direct.nonzero()[0]}
        assert found == slot_of
        return
    size = int(table[0])
    region = table[size : 2 * size].tolist()
    assert sum(word != 0 for word in region) == len(slot_of)
    for order_id, slot in slot_of.items():
        tag = int(half_hash_python(order_id))
        position = tag >> int(table[1])
        while region[position] != tag << 32 | slot:
            assert region[position] != 0, f"id {order_id} cannot be found"
            position = (position + 1) % size
