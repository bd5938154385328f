"""Worker threads for the batch: each runs the compiled step, which holds no GIL, over its own range of environments.

Plain threads instead of numba's ``prange``: one compiled kernel serves both, nothing breaks after a fork, and no
pool spins.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any


class Workers:
    """``threads - 1`` sleeping threads; the caller's own is the first worker. :meth:`stop` ends them."""

    def __init__(self, threads: int, num_envs: int) -> None:
        bounds = [num_envs * i // threads for i in range(threads + 1)]
        self._ranges = list(pairwise(bounds))
        self._pid = -1
        self._job: tuple[Any, ...] = ()
        self._results: list[int | BaseException] = []

    def _start(self) -> None:
        # After a fork the threads are gone but this object is not: start them anew in the child.
        self._pid = os.getpid()
        self._results = [-1] * len(self._ranges)
        self._go = [threading.Lock() for _ in self._ranges[1:]]
        self._done = [threading.Lock() for _ in self._ranges[1:]]
        for i, (go, done) in enumerate(zip(self._go, self._done, strict=True)):
            go.acquire()
            done.acquire()
            threading.Thread(target=self._work, args=(i + 1, go, done), daemon=True, name=f"hft_gym-{i + 1}").start()

    def _work(self, i: int, go: threading.Lock, done: threading.Lock) -> None:
        while True:
            go.acquire()
            if not self._job:
                return
            function, mode, actions, rest = self._job
            try:
                self._results[i] = function(*self._ranges[i], i, mode, actions, *rest)
            except BaseException as error:  # handed to the caller, which raises it
                self._results[i] = error
            self._job_finished(done)

    def _wait(self) -> None:
        # Whatever happens here, nobody may go on while a worker still writes: an interrupt waits until all are done.
        interrupt: KeyboardInterrupt | None = None
        waiting = list(self._done)
        while waiting:
            try:
                waiting[-1].acquire()
                waiting.pop()
            except KeyboardInterrupt as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt

    def stop(self) -> None:
        """End the threads; a later :meth:`run` starts new ones."""
        if self._pid == os.getpid():
            self._pid, self._job = -1, ()
            for go in self._go:
                go.release()

    @staticmethod
    def _job_finished(done: threading.Lock) -> None:
        done.release()

    def run(self, function: Callable[..., int], mode: int, actions: Any, rest: tuple[Any, ...]) -> int:
        """Run *function* over all ranges and return its first result that is not negative, else -1."""
        if self._pid != os.getpid():
            self._start()
        self._job = (function, mode, actions, rest)
        for go in self._go:
            go.release()
        try:
            self._results[0] = function(*self._ranges[0], 0, mode, actions, *rest)
        finally:
            self._wait()
        for result in self._results:
            if isinstance(result, BaseException):
                raise result
        return max(r for r in self._results if isinstance(r, int))
