"""How one thread tells the others what to do, compiled: the order of the day, who takes which part, who is done.

Worker 0 publishes an order in the control vector, takes its part of the work and waits for the others; they look for
the next order for a moment before they sleep (:class:`hft_gym.envs.threads.Workers`). Each worker has a range of its
own, so that its environments stay in its cache, and takes parts of it from the front; whoever has finished takes from
the back of the others' ranges (work stealing, Blumofe and Leiserson 1999), so that a slow or busy core holds up
nobody. An entry point that several threads run is a few lines around these helpers, because each entry compiles
everything that it calls.
"""

from __future__ import annotations

from typing import Any

from hft_gym._jit import I64, compare_exchange, kernel, load_acquire, store_release

NO_AUTORESET, NEXT_STEP, SAME_STEP, RESET = 0, 1, 2, 3
"""What a batch does: the first three step, and say what becomes of an episode that ends."""
SERVE, COLLECT, STOP = 4, 5, 6
"""Beside those: carry out orders as they come, wait on for the others, end."""
NOT_YET, STOPPED = -2, -3
"""What an entry returns when it has waited long enough, and to a worker that is told to end."""
CURRENT, LINE, MODE_BITS = 0, 16, 4
"""In the control vector: the order of the day is the first element, its mode in the low bits; each worker has LINE
elements, two cache lines."""
DONE, RESULT, RANGE, REST = 1, 2, 3, 8
"""Of a worker's elements: the last order it has carried out, what came of it, its range, and what nobody has taken of
that yet, in a cache line of its own. A range is its first environment in the high and its end in the low 32 bits."""
LEAST = 8
"""Fewest environments that are taken at once: each part costs its first market's place in the cache."""
_LOW = 0xFFFFFFFF


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
        if not wait_for(control, CURRENT, control[worker * LINE + DONE], False, spins):
            return NOT_YET
        order = load_acquire(control, CURRENT)
    else:
        for w in range(0, control.shape[0], LINE):
            control[w + REST] = control[w + RANGE]
        order = ((control[CURRENT] >> MODE_BITS) + 1) << MODE_BITS | mode
        store_release(control, CURRENT, order)
    return STOPPED if mode_of(order) == STOP else order


@kernel
def mode_of(order: int) -> int:
    """What an order asks for."""
    return order & ((1 << MODE_BITS) - 1)


@kernel
def next_part(worker: int, control: Any) -> tuple[int, int]:
    """The environments, from the first to before the second, that *worker* is to deal with next; none: (0, 0).

    Half of what is left, and at least LEAST: of its own range from the front, then of the others' from the back.
    """
    size = control.shape[0]
    for turn in range(0, size, LINE):
        at = (worker * LINE + turn) % size + REST
        while True:
            rest = load_acquire(control, at)
            lo, hi = rest >> 32, rest & _LOW
            if lo >= hi:
                break
            count = min(hi - lo, max(LEAST, (hi - lo) >> 1))
            if turn == 0:
                if compare_exchange(control, at, rest, (lo + count) << 32 | hi):
                    return lo, lo + count
            elif compare_exchange(control, at, rest, lo << 32 | (hi - count)):
                return hi - count, hi
    return I64(0), I64(0)


@kernel
def carried_out(worker: int, order: int, result: int, control: Any) -> None:
    """Say that *worker* has done its part of *order*, with *result*."""
    control[worker * LINE + RESULT] = result
    store_release(control, worker * LINE + DONE, order)


@kernel
def collect(control: Any, spins: int) -> int:
    """The greatest result of all workers, or NOT_YET if some have not finished within *spins* looks."""
    order = control[CURRENT]
    result = I64(-1)
    for w in range(control.shape[0] // LINE):
        if not wait_for(control, w * LINE + DONE, order, True, spins):
            return NOT_YET
        result = max(result, control[w * LINE + RESULT])
    return result
