"""The C yardstick: compile ``benchmarks/book_yardstick.c`` of the checkout and run it on a stream."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.bench.harness import Unavailable, clock
from hft_gym.bench.machine import ROOT
from hft_gym.bench.stream import Stream

SOURCE = ROOT / "benchmarks" / "book_yardstick.c"
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")


class CBook:
    """The compiled yardstick, ready to run *stream* again and again.

    Raises:
        Unavailable: there is no C compiler, or the source is not here (it is not part of the wheel).
    """

    def __init__(self, stream: Stream) -> None:
        self._library = _build()
        self._warm_up, self._messages = _compact(stream.warm_up), _compact(stream.messages)
        prices = np.concatenate([self._warm_up[:, 3], self._messages[:, 3]])
        self._first_price = int(prices.min())
        self._levels = int(prices.max()) - self._first_price + 64
        self._ids = stream.ids + 1
        self._trades = np.zeros((len(self._messages) + len(self._warm_up), 4), np.int32)
        self._count = 0

    def run(self) -> float:
        """Seconds for the timed part of the stream, on a fresh book."""
        library, trades = self._library, self._trades
        book = library.yardstick_new(self._levels, 1 << 16, self._ids, self._first_price)
        try:
            library.yardstick_run(book, _pointer(self._warm_up), len(self._warm_up), _pointer(trades))

            def work() -> None:
                self._count = library.yardstick_run(
                    book, _pointer(self._messages), len(self._messages), _pointer(trades)
                )

            return clock(work)
        finally:
            library.yardstick_free(book)

    @property
    def trades(self) -> NDArray[Any]:
        """(taker, maker, price, quantity) of the last run's timed part, shape (n, 4) int32."""
        return self._trades[: self._count]


def _compact(messages: NDArray[Any]) -> NDArray[np.int32]:
    table = np.empty((len(messages), 5), np.int32)
    for column, name in enumerate(("kind", "order_id", "side", "price", "quantity")):
        table[:, column] = messages[name]
    return table


def _pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _build() -> ctypes.CDLL:
    if not SOURCE.exists():
        raise Unavailable("the C yardstick's source comes with the checkout only")
    compiler = os.environ.get("CC") or next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if compiler is None:
        raise Unavailable("no C compiler (cc, gcc or clang; the variable CC names another)")
    folder = Path(tempfile.mkdtemp(prefix="hft_gym_yardstick_"))
    try:
        target = folder / "book_yardstick.so"
        command = [*compiler.split(), *FLAGS, "-o", str(target), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"{compiler} failed: {done.stderr.strip().splitlines()[-1:]}")
        library = ctypes.CDLL(str(target))  # stays mapped after the file is gone
    except OSError as error:
        raise Unavailable(f"{compiler} cannot be run: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    library.yardstick_new.restype = ctypes.c_void_p
    library.yardstick_new.argtypes = [ctypes.c_int32] * 4
    library.yardstick_free.argtypes = [ctypes.c_void_p]
    library.yardstick_run.restype = ctypes.c_int64
    library.yardstick_run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    return library
