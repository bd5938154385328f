"""The compiled book as the market drives it: ids are small integers that index an array, no hash map.

This is a loop over the same kernel functions that the market uses, kept here because only the benchmark
needs it; it is compiled anew in every process (a second or two).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import _OPTIONS, I64, U
from hft_gym.bench.harness import clock
from hft_gym.bench.stream import Stream
from hft_gym.book.kernel import FILL, submit
from hft_gym.book.ladder import Book, allocate, clear, reduce, remove
from hft_gym.types import TRADE_DTYPE, MessageKind

_LIMIT, _CANCEL = int(MessageKind.LIMIT), int(MessageKind.CANCEL)


def _run(
    head: Any, node: Any, order: Any, words: Any, fills: Any, slot_of: Any, messages: Any, trades: Any
) -> int:
    """Apply *messages* (LIMIT, CANCEL, REDUCE); write the trades and return how many."""
    book = Book(head[0], node[0], order[0], words[0])
    written = 0
    for i in range(messages.shape[0]):
        message = messages[U(i)]
        kind = message["kind"]
        order_id = message["order_id"]
        if kind == _LIMIT:
            side = I64(message["side"])
            _, n, _, slot = submit(
                book,
                fills,
                side,
                message["price"],
                message["quantity"],
                I64(message["participant"]),
                order_id,
                I64(message["time_in_force"]),
            )
            for k in range(n):
                fill = fills[U(k)]
                if fill["remaining"] == 0:
                    slot_of[U(fill["maker_id"])] = 0
                trade = trades[U(written)]
                trade["taker_order_id"] = order_id
                trade["maker_order_id"] = fill["maker_id"]
                trade["price"] = fill["price"]
                trade["quantity"] = fill["quantity"]
                trade["aggressor_side"] = side
                written += 1
            if slot != 0:
                slot_of[U(order_id)] = slot
        else:
            slot = I64(slot_of[U(order_id)])
            if slot == 0:
                continue
            if kind == _CANCEL:
                slot_of[U(order_id)] = 0
                remove(book, slot)
            else:
                reduce(book, slot, message["quantity"])
    return written


_compiled: Any = numba.njit(_run, **_OPTIONS)


class DenseBook:
    """The compiled kernel with dense ids, ready to run *stream* again and again."""

    def __init__(self, stream: Stream, levels: int = 4096, capacity: int = 1 << 16) -> None:
        self._stream = stream
        self._arrays = allocate(1, levels, capacity)
        self._fills = np.zeros(capacity, FILL)
        self._slot_of = np.zeros(stream.ids + 1, np.uint32)
        self._trades = np.zeros(2 * len(stream.messages) + len(stream.warm_up), TRADE_DTYPE)
        self._count = 0
        self._apply(stream.warm_up[:0])  # compile

    def run(self) -> float:
        """Seconds for the timed part of the stream, on a fresh book."""
        clear(*self._arrays)
        self._slot_of[:] = 0
        self._apply(self._stream.warm_up)
        return clock(lambda: self._apply(self._stream.messages))

    @property
    def trades(self) -> NDArray[Any]:
        """``TRADE_DTYPE`` trades of the last run's timed part."""
        return self._trades[: self._count]

    def _apply(self, messages: NDArray[Any]) -> None:
        self._count = _compiled(*self._arrays, self._fills, self._slot_of, messages, self._trades)
