"""How one thread tells the others what to do, compiled: the order of the day and who has carried it out.

Worker 0 publishes an order in the control vector, carries out its own part and waits for the others; they look for the
next order for a moment before they sleep (:class:`hft_gym.envs.threads.Workers`). An entry point that several threads
run is a few lines around these helpers, because each entry compiles everything that it calls.
"""

from __future__ import annotations

from typing import Any

from hft_gym._jit import I64, kernel, load_acquire, store_release

NO_AUTORESET, NEXT_STEP, SAME_STEP, RESET = 0, 1, 2, 3
"""What a batch does: the first three step, and say what becomes of an episode that ends."""
SERVE, COLLECT, STOP = 4, 5, 6
"""Beside those: carry out orders as they come, wait on for the others, end."""
NOT_YET, STOPPED = -2, -3
"""What an entry returns when it has waited long enough, and to a worker that is told to end."""
CURRENT, LINE, MODE_BITS = 0, 16, 4
"""In the control vector: the order of the day is the first element; a worker's part has two cache lines of its own,
whose first two elements are the last order it has carried out and what came of it."""


@kernel
def wait_for(control: Any, at: int, value: int, equal: bool, spins: int) -> bool:
    """Look at element *at* of *control* until it is (or, not *equal*, no longer is) *value*, at most *spins* times."""
    looks = 0
    while looks < spins and (load_acquire(control, at) == value) != equal:
        looks += 1
    return looks < spins


@kernel
def next_order(worker: int, mode: int, control: Any, spins: int) -> int:
    """The order that *worker* is to carry out, its mode in the low bits; or NOT_YET or STOPPED, which are negative.

    In mode SERVE it is the next one published, within *spins* looks; any other mode is published as the next order.
    """
    if mode == SERVE:
        if not wait_for(control, CURRENT, control[worker * LINE + 1], False, spins):
            return NOT_YET
        order = load_acquire(control, CURRENT)
    else:
        order = ((control[CURRENT] >> MODE_BITS) + 1) << MODE_BITS | mode
        store_release(control, CURRENT, order)
    return STOPPED if mode_of(order) == STOP else order


@kernel
def mode_of(order: int) -> int:
    """What an order asks for."""
    return order & ((1 << MODE_BITS) - 1)


@kernel
def carried_out(worker: int, order: int, result: int, control: Any) -> None:
    """Say that *worker* has done its part of *order*, with *result*."""
    control[worker * LINE + 2] = result
    store_release(control, worker * LINE + 1, order)


@kernel
def collect(control: Any, spins: int) -> int:
    """The greatest result of all workers, or NOT_YET if some have not finished within *spins* looks."""
    order = control[CURRENT]
    result = I64(-1)
    for w in range(control.shape[0] // LINE):
        if not wait_for(control, w * LINE + 1, order, True, spins):
            return NOT_YET
        result = max(result, control[w * LINE + 2])
    return result
