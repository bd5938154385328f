"""Ask the memory for the next markets while one runs: a batch does not fit into the second-level cache.

A market's step touches some two hundred cache lines. Its records are asked for two markets ahead, its book one market
ahead, when the records that tell where it is have come. These are hints: nothing here can change a result.
"""

from __future__ import annotations

from typing import Any

from hft_gym._jit import inlined, prefetch
from hft_gym.book.ladder import NODE, ORDER
from hft_gym.flow.state import FLOW_STATE
from hft_gym.market.records import ACCOUNT

LINE = 64
_NODE, _ORDER, _ACCOUNT = NODE.itemsize, ORDER.itemsize, ACCOUNT.itemsize
_ACCOUNT_LINES = ACCOUNT.fields["risk"][1] // LINE + 1  # type: ignore[index]
_POISSON_LINES = FLOW_STATE.fields["stretch"][1] // LINE + 1  # type: ignore[index]
_REACTIVE_LINES = FLOW_STATE.fields["parents"][1] // LINE + 1  # type: ignore[index]


@inlined
def prefetch_bytes(array: Any, e: int, first: int, size: int) -> None:
    """Ask for *size* bytes of row *e*, from byte *first* on."""
    for at in range(first, first + size, LINE):
        prefetch(array, e, at)


@inlined
def prefetch_records(
    state: Any, flow_state: Any, reactive: bool, env: Any, head: Any, account: Any, own: Any, message: Any, words: Any,
    obs: Any, e: int,
) -> None:
    """Ask for market *e*'s records and the first of its tables."""
    prefetch_bytes(state, e, 0, 4 * LINE)
    prefetch_bytes(flow_state, e, 0, (_REACTIVE_LINES if reactive else _POISSON_LINES) * LINE)
    prefetch_bytes(env, e, 0, 3 * LINE)
    prefetch_bytes(head, e, 0, 2 * LINE)
    for p in range(2):
        prefetch_bytes(account, e, p * _ACCOUNT, _ACCOUNT_LINES * LINE)
    prefetch_bytes(own, e, 0, 3 * LINE)
    prefetch_bytes(message, e, 0, 2 * LINE)
    prefetch_bytes(words, e, 0, 2 * LINE)
    prefetch_bytes(obs, e, 0, 4 * LINE)


@inlined
def prefetch_book(flow_state: Any, live: Any, head: Any, node: Any, order: Any, e: int) -> None:
    """Ask for the levels near market *e*'s touch and for its orders.

    Slots are reused before new ones are opened, so the first ones of the pool hold nearly all orders.
    """
    h = head[e]
    for side in range(2):
        prefetch_bytes(node, e, _NODE * (side * (h["levels"] + 1) + h["best"][side] - 2), 3 * LINE)
    n = flow_state[e]["n_live"]
    prefetch_bytes(live, e, 0, 4 * n)
    prefetch_bytes(node, e, _NODE * h["first"], _NODE * n + 4 * LINE)
    prefetch_bytes(order, e, 0, _ORDER * n + 4 * LINE)
