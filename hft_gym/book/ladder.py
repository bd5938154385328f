"""The compiled book's structure: queues of orders on two price ladders, in NumPy records, for numba.

**Layout.** A book is four arrays, bundled in :class:`Book` (a batch of books has a leading axis of length N; a kernel
takes row e of each). Capacities are array lengths, so a new size costs no compilation.

``head``   one :data:`HEAD` record: free list, ladder bases, best levels, sizes.
``node``   :data:`NODE` records. First the level sentinels of both sides, then the order slots. A level is a circular
           doubly linked list through its sentinel, oldest order first, so that unlinking has no head or tail case.
``order``  :data:`ORDER` records of the slots (index ``slot - head["first"]``): what matching rarely needs.
``words``  bitmaps of the non-empty levels, three levels deep, per side.

**Ladder.** Each side has its own ladder, counted from better to worse: the *key* of a price is ``price`` for asks and
``-price`` for bids, the level index is ``key - base[side]``. So both sides share one code path and "best" is always
the lowest set bit. A key better than the ladder's base moves the ladder (:func:`rebase`); a key beyond its far end is
*parked* in one extra list in order of arrival and returns when the ladder moves. The best level is in the ladder
whenever the side is not empty. No price within :data:`MAX_PRICE` is ever refused or dropped.

Fields are read as ``record["field"]``, which also works when the JIT is disabled. An index is written ``U(i)``,
unsigned, so that numba emits no test for negative ones (12 % of a message). Whatever a message passes through is
inlined: a call that hands over four arrays costs as much as the work behind it (20.7 against 12 ns a message).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import I64, U, cold, ctz, inlined, kernel

MAX_PRICE = 2**40
"""Largest absolute price [ticks]."""
MAX_QUANTITY = 2**31 - 1
"""Largest quantity of one order [lots]."""
MAX_LEVEL_VOLUME = 2**32 - 1
"""Largest volume of one price level [lots]."""
MAX_LEVELS = 2**18
"""Largest ladder, in levels a side (the bitmaps are three 64-way levels deep)."""

NODE = np.dtype([("prev", "u4"), ("next", "u4"), ("level", "u4"), ("quantity", "u4")])
"""An order's links, its level's sentinel and remaining lots; on a sentinel ``quantity`` is the level's volume."""
ORDER = np.dtype([("id", "i8"), ("price", "i8"), ("participant", "u4"), ("tag", "u4")])
"""The rest of an order; ``tag`` belongs to whoever drives the book."""
HEAD = np.dtype(
    [
        ("free", "i8"),
        ("first", "i8"),
        ("levels", "i8"),
        ("capacity", "i8"),
        ("n_live", "i8"),
        ("rebases", "i8"),
        ("base", "i8", (2,)),
        ("best", "i8", (2,)),
        ("parked", "i8", (2,)),
    ]
)
"""``free`` is 0 when the pool is exhausted; ``best[side] == levels`` means the side is empty."""
BID, ASK = 0, 1


class Book(NamedTuple):
    """The four arrays of one book, as kernels pass them."""

    head: Any
    node: Any
    order: Any
    words: Any


def words_per_side(levels: int) -> int:
    """Length of one side's bitmaps: one bit a level, one a word, one a word of words."""
    return (levels >> 6) + ((levels + 4095) >> 12) + 1


def allocate(n: int, levels: int, capacity: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return empty ``(head, node, order, words)`` of *n* books.

    :param levels: ladder length a side, a multiple of 64, at most :data:`MAX_LEVELS`.
    :param capacity: resting orders a book can hold.
    """
    if levels < 64 or levels % 64 or levels > MAX_LEVELS:
        raise ValueError(f"levels is {levels}; allowed are multiples of 64 from 64 to {MAX_LEVELS}")
    if not 1 <= capacity <= 2**30:
        raise ValueError(f"capacity is {capacity}; allowed are 1 to {2**30} orders")
    first = 2 * (levels + 1)
    head = np.zeros(n, HEAD)
    head["first"], head["levels"], head["capacity"] = first, levels, capacity
    node = np.zeros((n, first + capacity), NODE)
    order = np.zeros((n, capacity), ORDER)
    words = np.zeros((n, 2 * words_per_side(levels)), np.uint64)
    clear(head, node, order, words)
    return head, node, order, words


def clear(head: NDArray[Any], node: NDArray[Any], order: NDArray[Any], words: NDArray[Any]) -> None:
    """Empty every book of the arrays in place (from Python; kernels use :func:`clear_book`)."""
    first = int(head["first"][0])
    total = node.shape[1]
    node["prev"][:, :first] = node["next"][:, :first] = np.arange(first, dtype=np.uint32)
    node["next"][:, first:] = np.append(np.arange(first + 1, total, dtype=np.uint32), np.uint32(0))
    node["quantity"] = 0
    order["tag"] = 0
    words[:] = 0
    head["free"], head["n_live"], head["rebases"] = first, 0, 0
    head["best"] = head["levels"][:, None]
    head["base"] = 0
    head["parked"] = 0


@kernel
def clear_book(book: Book) -> None:
    """Empty one book in place."""
    head, node, words = book.head, book.node, book.words
    first, levels = head["first"], head["levels"]
    for i in range(first):
        node[i]["prev"] = i
        node[i]["next"] = i
        node[i]["quantity"] = 0
    for i in range(first, first + head["capacity"]):
        node[i]["next"] = i + 1
    node[first + head["capacity"] - 1]["next"] = 0
    for i in range(words.shape[0]):
        words[i] = np.uint64(0)
    head["free"] = first
    head["n_live"] = 0
    head["rebases"] = 0
    for side in range(2):
        head["base"][side] = 0
        head["best"][side] = levels
        head["parked"][side] = 0


@inlined
def bit(i: int) -> Any:
    """The word with bit ``i mod 64`` set."""
    return np.uint64(1) << np.uint64(i & 63)


@inlined
def mark(book: Book, side: int, index: int) -> None:
    """Note that level *index* of *side* holds orders."""
    words, levels = book.words, book.head["levels"]
    low = side * (words.shape[0] >> 1)
    middle = low + (levels >> 6)
    top = middle + ((levels + 4095) >> 12)
    words[U(low + (index >> 6))] |= bit(index)
    words[U(middle + (index >> 12))] |= bit(index >> 6)
    words[U(top)] |= bit(index >> 12)


@inlined
def unmark(book: Book, side: int, index: int) -> None:
    """Note that level *index* of *side* is empty."""
    words, levels = book.words, book.head["levels"]
    low = side * (words.shape[0] >> 1)
    word = words[U(low + (index >> 6))] & ~bit(index)
    words[U(low + (index >> 6))] = word
    if word == 0:
        middle = low + (levels >> 6)
        word = words[U(middle + (index >> 12))] & ~bit(index >> 6)
        words[U(middle + (index >> 12))] = word
        if word == 0:
            words[U(middle + ((levels + 4095) >> 12))] &= ~bit(index >> 12)


@inlined
def next_level(book: Book, side: int, index: int) -> int:
    """The first non-empty level of *side* at or behind *index*; ``levels`` if there is none."""
    words, levels = book.words, book.head["levels"]
    if index >= levels:
        return levels
    low = side * (words.shape[0] >> 1)
    i = index >> 6
    word = words[U(low + i)] >> np.uint64(index & 63)
    if word != 0:
        return index + ctz(word)
    i += 1
    if i >= levels >> 6:
        return levels
    middle = low + (levels >> 6)
    j = i >> 6
    word = words[U(middle + j)] >> np.uint64(i & 63)
    if word != 0:
        i += ctz(word)
        return (i << 6) + ctz(words[U(low + i)])
    j += 1
    if j >= (levels + 4095) >> 12:
        return levels
    word = words[U(middle + ((levels + 4095) >> 12))] >> np.uint64(j)
    if word == 0:
        return levels
    j += ctz(word)
    i = (j << 6) + ctz(words[U(middle + j)])
    return (i << 6) + ctz(words[U(low + i)])


@inlined
def word_behind(book: Book, side: int, index: int) -> Any:
    """The bits of the non-empty levels behind level *index* of *side* in its word of 64."""
    first = side * (book.words.shape[0] >> 1)
    return book.words[U(first + (index >> 6))] & ~((bit(index) << np.uint64(1)) - np.uint64(1))


@inlined
def key_of(side: int, price: int) -> int:
    """A price as distance in its side's ladder: smaller is better."""
    return price if side == ASK else -price


@inlined
def sentinel(book: Book, side: int, index: int) -> int:
    """Node of level *index* of *side*; index ``levels`` is the parked list."""
    return side * (book.head["levels"] + 1) + index


@inlined
def is_empty(book: Book, side: int) -> bool:
    """True if no order rests on *side*."""
    return bool(book.head["best"][side] == book.head["levels"])


@inlined
def best_price(book: Book, side: int) -> int:
    """Best price of *side* [ticks]; only if the side is not empty."""
    key = book.head["base"][side] + book.head["best"][side]
    return key if side == ASK else -key


@inlined
def best_volume(book: Book, side: int) -> int:
    """Volume at the best price of *side* [lots]; only if the side is not empty."""
    return I64(book.node[U(sentinel(book, side, book.head["best"][side]))]["quantity"])


@inlined
def side_of(book: Book, slot: int) -> int:
    """Side of the resting order in *slot*."""
    return ASK if I64(book.node[U(slot)]["level"]) > book.head["levels"] else BID


@inlined
def price_of(book: Book, slot: int) -> int:
    """Price of the resting order in *slot* [ticks], from its level, which saves touching its :data:`ORDER` record."""
    level = I64(book.node[U(slot)]["level"])
    levels = book.head["levels"]
    side = ASK if level > levels else BID
    index = level - side * (levels + 1)
    if index == levels:
        return I64(book.order[U(slot - book.head["first"])]["price"])
    key = book.head["base"][side] + index
    return key if side == ASK else -key


@inlined
def attach(book: Book, slot: int, level: int) -> None:
    """Link *slot* to the back of the queue of sentinel *level* and add its volume."""
    node = book.node
    tail = I64(node[U(level)]["prev"])
    node[U(slot)]["prev"] = tail
    node[U(slot)]["next"] = level
    node[U(slot)]["level"] = level
    node[U(tail)]["next"] = slot
    node[U(level)]["prev"] = slot
    node[U(level)]["quantity"] += node[U(slot)]["quantity"]


@inlined
def place(book: Book, side: int, slot: int, key: int) -> None:
    """Queue *slot* at *key*, which must not be better than the ladder's base."""
    head = book.head
    levels = head["levels"]
    index = key - head["base"][side]
    if index >= levels:
        attach(book, slot, sentinel(book, side, levels))
        head["parked"][side] += 1
        return
    level = sentinel(book, side, index)
    if I64(book.node[U(level)]["next"]) == level:
        mark(book, side, index)
        head["best"][side] = min(head["best"][side], index)
    attach(book, slot, level)


@cold
def rebase(book: Book, side: int, base: int) -> None:
    """Let the ladder of *side* start at key *base*, keeping every queue's order; what falls off is parked."""
    head, node = book.head, book.node
    levels, first = head["levels"], head["first"]
    chain, last = 0, 0
    index = next_level(book, side, 0)
    while True:
        level = sentinel(book, side, index)
        start = I64(node[U(level)]["next"])
        if start != level:
            if last == 0:
                chain = start
            else:
                node[U(last)]["next"] = start
            last = I64(node[U(level)]["prev"])
            node[U(last)]["next"] = 0
            node[U(level)]["prev"] = level
            node[U(level)]["next"] = level
            node[U(level)]["quantity"] = 0
        if index == levels:
            break
        unmark(book, side, index)
        index = next_level(book, side, index + 1)
    head["base"][side] = base
    head["best"][side] = levels
    head["parked"][side] = 0
    head["rebases"] += 1
    while chain != 0:
        following = I64(node[U(chain)]["next"])
        place(book, side, chain, key_of(side, book.order[U(chain - first)]["price"]))
        chain = following


@cold
def unpark(book: Book, side: int) -> None:
    """The ladder of *side* ran empty while orders are parked: move it to the best of them."""
    head, node = book.head, book.node
    level = sentinel(book, side, head["levels"])
    slot = I64(node[U(level)]["next"])
    best = key_of(side, book.order[U(slot - head["first"])]["price"])
    while slot != level:
        best = min(best, key_of(side, book.order[U(slot - head["first"])]["price"]))
        slot = I64(node[U(slot)]["next"])
    rebase(book, side, best - (head["levels"] >> 2))


@inlined
def remove(book: Book, slot: int) -> None:
    """Take the resting order in *slot* out of its queue and free the slot (its :data:`ORDER` record stays readable)."""
    head, node = book.head, book.node
    before = I64(node[U(slot)]["prev"])
    after = I64(node[U(slot)]["next"])
    level = I64(node[U(slot)]["level"])
    node[U(before)]["next"] = after
    node[U(after)]["prev"] = before
    node[U(level)]["quantity"] -= node[U(slot)]["quantity"]
    node[U(slot)]["next"] = head["free"]
    head["free"] = slot
    head["n_live"] -= 1
    levels = head["levels"]
    side = ASK if level > levels else BID
    index = level - side * (levels + 1)
    if index == levels:
        head["parked"][side] -= 1
    elif after == before and after == level:
        unmark(book, side, index)
        if index == head["best"][side]:
            best = next_level(book, side, index + 1)
            head["best"][side] = best
            if best > levels >> 1 and head["parked"][side] > 0:
                # Half a ladder is always in view behind the best price, so that what is parked is far away.
                if best == levels:
                    unpark(book, side)
                else:
                    rebase(book, side, head["base"][side] + best - (levels >> 2))


@kernel
def take_out(book: Book, slot: int) -> None:
    """:func:`remove` as a call: for the rare callers, which need not carry a copy of it."""
    remove(book, slot)


@inlined
def reduce(book: Book, slot: int, remaining: int) -> None:
    """Lower the order in *slot* to *remaining* lots (1 to its quantity); it keeps its place (rule R7)."""
    node = book.node
    level = I64(node[U(slot)]["level"])
    node[U(level)]["quantity"] -= I64(node[U(slot)]["quantity"]) - remaining
    node[U(slot)]["quantity"] = remaining


@inlined
def execute(book: Book, slot: int, quantity: int) -> int:
    """Fill the resting order in *slot* by *quantity* lots (at most its own); return what remains of it."""
    remaining = I64(book.node[U(slot)]["quantity"]) - quantity
    if remaining == 0:
        remove(book, slot)
    else:
        reduce(book, slot, remaining)
    return remaining


@inlined
def rest(book: Book, side: int, price: int, quantity: int, participant: int, order_id: int) -> int:
    """Queue a new order at the back of its price and return its slot; the pool must not be exhausted."""
    head = book.head
    slot = head["free"]
    head["free"] = I64(book.node[U(slot)]["next"])
    head["n_live"] += 1
    record = book.order[U(slot - head["first"])]
    record["id"] = order_id
    record["price"] = price
    record["participant"] = participant
    book.node[U(slot)]["quantity"] = quantity
    key = key_of(side, price)
    index = key - head["base"][side]
    if index < 0 or (index >= head["levels"] and is_empty(book, side)):
        rebase(book, side, key - (head["levels"] >> 2))
    place(book, side, slot, key)
    return slot


@kernel
def move_to_front(book: Book, slot: int) -> None:
    """Give the resting order in *slot* the first place in its queue: for replays that learn of an older order late."""
    node = book.node
    level = I64(node[U(slot)]["level"])
    before, after = I64(node[U(slot)]["prev"]), I64(node[U(slot)]["next"])
    node[U(before)]["next"] = after
    node[U(after)]["prev"] = before
    head = I64(node[U(level)]["next"])
    node[U(slot)]["prev"] = level
    node[U(slot)]["next"] = head
    node[U(level)]["next"] = slot
    node[U(head)]["prev"] = slot


@kernel
def queue_ahead(book: Book, slot: int) -> tuple[int, int]:
    """Volume [lots] and number of the orders at the same price that trade before the order in *slot*."""
    node, order, first = book.node, book.order, book.head["first"]
    level = I64(node[U(slot)]["level"])
    price = order[U(slot - first)]["price"]
    parked = level == book.head["levels"] or level == 2 * book.head["levels"] + 1
    volume, count = 0, 0
    s = I64(node[U(slot)]["prev"])
    while s != level:
        if not parked or order[U(s - first)]["price"] == price:
            volume += I64(node[U(s)]["quantity"])
            count += 1
        s = I64(node[U(s)]["prev"])
    return volume, count


@kernel
def parked_volume(book: Book, side: int, price: int) -> int:
    """Volume at *price* among the parked orders of *side*: their sentinel only knows the sum over all prices."""
    node, first = book.node, book.head["first"]
    level = sentinel(book, side, book.head["levels"])
    volume = 0
    slot = I64(node[U(level)]["next"])
    while slot != level:
        if book.order[U(slot - first)]["price"] == price:
            volume += I64(node[U(slot)]["quantity"])
        slot = I64(node[U(slot)]["next"])
    return volume


@inlined
def volume_at(book: Book, side: int, price: int) -> int:
    """Volume resting at *price* on *side* [lots]."""
    index = key_of(side, price) - book.head["base"][side]
    if index < 0:
        return 0
    if index < book.head["levels"]:
        return I64(book.node[U(sentinel(book, side, index))]["quantity"])
    return parked_volume(book, side, price)
