"""From order id to slot: a hash map for arbitrary 64-bit ids, a plain table for small ones.

Every function takes both *direct* and *table* and is compiled for one of them: where *table* is None the
direct table is in use, otherwise the hash map (and *direct* is empty).

**direct** (``uint32``, length max_id): the slot of id i at index i, 0 for none. Nothing to search.

**table** (``uint64``): open addressing with linear probing. A word is ``hash << 32 | slot`` with the upper
half of the id's 64-bit hash, 0 where it is empty; the id itself stands in the book's order record. Deletion
shifts the words behind the gap back, so there are no tombstones and the map does not wear out. The map is
kept at most an eighth full: probing further than the first word is a branch that the processor mispredicts,
which costs more than memory does (26 ns a message half full, 15 ns an eighth full). A map of size s = 2**k
lies in the words s to 2s - 1; it starts small and moves on to the next region when it fills, so few orders
share few cache lines and growing needs no allocation. Word 0 holds the present size, word 1 the shift that
turns a half hash into k bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import I64, JIT_DISABLED, U, inlined, kernel, prefetch

_FIRST_SIZE = 64
_SPARSITY = 8
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIER = 0xD6E8FEB86659FD93  # odd, without pattern
_NO_WORD = np.uint64(0)


def allocate_table(capacity: int) -> NDArray[np.uint64]:
    """An empty hash map for up to *capacity* ids. Memory that it never needs is never touched."""
    largest = _FIRST_SIZE
    while largest < _SPARSITY * capacity:
        largest *= 2
    table = np.zeros(2 * largest, np.uint64)
    clear_table(table)
    return table


def clear_table(table: NDArray[np.uint64]) -> None:
    """Forget every id."""
    table[: 2 * _FIRST_SIZE] = 0
    table[0], table[1] = _FIRST_SIZE, 33 - _FIRST_SIZE.bit_length()


def half_hash_python(order_id: int) -> Any:
    """The upper 32 bits of an id's hash (the twin of `half_hash` for Python)."""
    return np.uint64(((int(order_id) * _MULTIPLIER) & 0xFFFF_FFFF_FFFF_FFFF) >> 32)


@inlined
def half_hash(order_id: Any) -> Any:
    """The upper 32 bits of an id's hash, a multiplication: it spreads ids in sequence evenly."""
    return (np.uint64(order_id) * np.uint64(_MULTIPLIER)) >> _HALF


if JIT_DISABLED:  # NumPy would warn of the product's overflow
    half_hash = half_hash_python


@inlined
def locate(direct: Any, table: Any, order: Any, first: Any, order_id: Any) -> Any:
    """The position of an id, or the empty position where it may be put; -1 if a direct table cannot hold it.

    *order* and *first* are the book's order records and the slot of the first of them.
    """
    if table is None:
        if order_id < 0 or order_id >= direct.shape[0]:
            return -1
        return order_id
    size = np.int64(table[0])
    tag = half_hash(order_id)
    position = np.int64(tag >> table[1])
    while True:
        word = table[U(size + position)]
        if word == _NO_WORD:
            return size + position
        if word >> _HALF == tag and order[U(np.int64(word & _LOW) - first)]["id"] == order_id:
            return size + position
        position = (position + 1) & (size - 1)


@inlined
def slot_at(direct: Any, table: Any, position: Any) -> Any:
    """The slot at a position that `locate` found; 0 for none."""
    if table is None:
        return np.int64(direct[U(position)])
    return np.int64(table[U(position)] & _LOW)


@inlined
def put(direct: Any, table: Any, position: Any, order_id: Any, slot: Any) -> None:
    """Store an id at the empty position that `locate` gave for it, before anything else is erased."""
    if table is None:
        direct[U(position)] = slot
    else:
        table[U(position)] = (half_hash(order_id) << _HALF) | np.uint64(slot)


@inlined
def erase(direct: Any, table: Any, position: Any) -> None:
    """Forget the id at a position that `locate` found."""
    if table is None:
        direct[U(position)] = 0
    else:
        size, shift = np.int64(table[0]), table[1] + _HALF
        gap = position - size
        probe = (gap + 1) & (size - 1)
        while True:
            word = table[U(size + probe)]
            if word == _NO_WORD:
                break
            # A word may fill the gap unless its home lies behind the gap.
            home = np.int64(word >> shift)
            if ((probe - home) & (size - 1)) >= ((probe - gap) & (size - 1)):
                table[U(size + gap)] = word
                gap = probe
            probe = (probe + 1) & (size - 1)
        table[U(size + gap)] = _NO_WORD


@inlined
def forget(direct: Any, table: Any, order_id: Any, slot: Any) -> None:
    """Forget an id that is known to be there with this slot, whatever its order record says by now."""
    if table is None:
        direct[U(order_id)] = 0
    else:
        size = np.int64(table[0])
        tag = half_hash(order_id)
        wanted = (tag << _HALF) | np.uint64(slot)
        position = np.int64(tag >> table[1])
        while table[U(size + position)] != wanted:
            position = (position + 1) & (size - 1)
        erase(direct, table, size + position)


@kernel
def grow(table: Any) -> None:
    """Move on to the region of double size."""
    size = np.int64(table[0])
    shift = table[1] + _HALF - np.uint64(1)
    for i in range(2 * size, 4 * size):
        table[U(i)] = _NO_WORD
    for i in range(size, 2 * size):
        word = table[U(i)]
        if word != _NO_WORD:
            position = np.int64(word >> shift)
            while table[U(2 * size + position)] != _NO_WORD:
                position = (position + 1) & (2 * size - 1)
            table[U(2 * size + position)] = word
    table[0] = np.uint64(2 * size)
    table[1] -= np.uint64(1)


@inlined
def make_room(direct: Any, table: Any, count: Any) -> None:
    """Let the map hold one id more than *count* and stay sparse."""
    if table is None:
        return
    size = np.int64(table[0])
    if _SPARSITY * (count + 1) > size and 4 * size <= table.shape[0]:
        grow(table)


@inlined
def likely_slot(direct: Any, table: Any, order_id: Any) -> Any:
    """The slot of an id if it is where it would like to be; 0 or (rarely) another order's slot otherwise."""
    if table is None:
        return np.int64(direct[U(order_id)]) if 0 <= order_id < direct.shape[0] else 0
    tag = half_hash(order_id)
    word = table[U(np.int64(table[0]) + np.int64(tag >> table[1]))]
    return np.int64(word & _LOW) if word >> _HALF == tag else 0


@inlined
def prefetch_word(direct: Any, table: Any, order_id: Any) -> None:
    """Fetch the word where an id would like to be: what `locate` and `likely_slot` read first."""
    if table is None:
        prefetch(direct, order_id, 0)
    else:
        prefetch(table, I64(table[0]) + I64(half_hash(order_id) >> table[1]), 0)
