"""Worker threads for the batch: each runs the compiled step, which holds no GIL, over its share of the environments.

Plain threads instead of numba's ``prange``: one compiled kernel serves both and nothing breaks after a fork. A step
takes some 100 us, and waking a thread through Python's locks 40 us; so a worker that has done its part keeps looking
for the next order for a moment, in compiled code and without the GIL, before it goes to sleep.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from itertools import pairwise
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import JIT_DISABLED
from hft_gym.envs.orders import (
    COLLECT,
    CURRENT,
    DONE,
    LINE,
    MODE_BITS,
    NOT_YET,
    RANGE,
    RESET,
    SERVE,
    STOP,
    STOPPED,
)

SPINS = 1 if JIT_DISABLED else 200_000
"""Looks at a flag before a thread gives up and sleeps: some 100 us."""
MOST_CALM = 64
"""Most steps without a second look after waits in vain: on a busy machine, looking takes the time that others need."""


class Workers:
    """``threads - 1`` threads; the caller's own is the first worker. :meth:`stop` ends them.

    :param run: the compiled step, as :func:`hft_gym.envs.kernel.run_batch`.
    :param table: the kernel's arrays (:func:`hft_gym.envs.packed.table_of`).
    :param actions: an array of the shape and type of a batch's actions.
    """

    def __init__(
        self, threads: int, num_envs: int, run: Callable[..., int], table: NDArray[np.int64], actions: NDArray[Any]
    ) -> None:
        self._bounds = [num_envs * i // threads for i in range(threads + 1)]
        self._threads = threads
        self._run, self._table = run, table
        self._actions = np.zeros_like(actions)
        self._pid = -1

    def _start(self) -> None:
        # Compile or load here: an error must not come up in a thread.
        alone = np.zeros(0, np.int64)
        self._run(0, RESET, self._actions[:0], self._table, alone, SPINS)
        # After a fork the threads are gone but this object is not: start them anew in the child.
        self._pid = os.getpid()
        self._control = np.zeros(self._threads * LINE, np.int64)
        for i, (first, end) in enumerate(pairwise(self._bounds)):
            self._control[i * LINE + RANGE] = first << 32 | end
        self._orders = 0
        self._calm = 0  # steps still to be waited for asleep
        self._patience = 8  # how many they will be after the next wait in vain
        self._waiting = False
        self._done: SimpleQueue[None] = SimpleQueue()
        self._asleep = [False] * self._threads
        self._wake: list[SimpleQueue[None]] = [SimpleQueue() for _ in range(self._threads)]
        for i in range(1, self._threads):
            arguments = (i, self._control)
            threading.Thread(target=self._work, args=arguments, daemon=True, name=f"hft_gym-{i}").start()

    def _work(self, i: int, control: NDArray[np.int64]) -> None:
        wake = self._wake[i]
        while True:
            # Whoever gives an order counts it first and looks for sleepers then, both under the GIL: none is
            # slept through. A call that came too late wakes the next sleep for nothing.
            self._asleep[i] = True
            if self._orders == control[i * LINE + DONE] >> MODE_BITS:
                wake.get()
            self._asleep[i] = False
            spins = 1 if self._calm else SPINS
            if self._run(i, SERVE, self._actions, self._table, control, spins) == STOPPED:
                return
            if self._waiting:
                self._done.put(None)

    def _give(self, mode: int) -> None:
        """Count the order that is about to be published and wake who sleeps."""
        self._orders = int(self._control[CURRENT] >> MODE_BITS) + 1
        for asleep, wake in zip(self._asleep, self._wake, strict=True):
            if asleep:
                wake.put(None)  # in C: a signal cannot break it off halfway, as it can an Event
        if mode == STOP:
            self._control[CURRENT] = self._orders << MODE_BITS | STOP

    def stop(self) -> None:
        """End the threads; a later :meth:`run` starts new ones."""
        if self._pid == os.getpid():
            self._pid = -1
            self._give(STOP)

    def run(self, mode: int, actions: NDArray[Any]) -> int:
        """Carry out *mode* over all ranges and return its first result that is not negative,
        else -1."""
        if self._pid != os.getpid():
            self._start()
        np.copyto(self._actions, actions)
        # Whatever happens here, nobody may go on while a worker still writes: an interrupt waits until all are done.
        interrupt: KeyboardInterrupt | None = None
        result = NOT_YET
        try:
            self._give(mode)
            result = self._lead(mode, 1 if self._calm else SPINS)
        except KeyboardInterrupt as error:
            interrupt = error
        while result == NOT_YET:
            try:
                # Announced first: whoever is not done at the next look will see that somebody sleeps for it.
                self._waiting = True
                result = self._lead(COLLECT, 1)
                if result == NOT_YET:
                    self._done.get()
            except KeyboardInterrupt as error:
                interrupt = error
        if self._calm:
            self._calm -= 1
        elif self._waiting:
            self._calm = self._patience
            self._patience = min(2 * self._patience, MOST_CALM)
        elif self._patience > 8:
            self._patience //= 2
        self._waiting = False
        if interrupt is not None:
            raise interrupt
        return result

    def _lead(self, mode: int, spins: int) -> int:
        return self._run(0, mode, self._actions, self._table, self._control, spins)
