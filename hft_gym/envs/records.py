"""The environment's own state and parameters as NumPy records, beside the market's."""

from __future__ import annotations

import numpy as np

MAX_RUNGS = 16
"""Price levels a side that a ladder can have."""

ENV_STATE = np.dtype(
    [
        ("key", "u8"),
        ("variant", "i8"),
        ("decision_time", "i8"),
        ("start_time", "i8"),
        ("step", "i8"),
        ("done", "i8"),
        ("equity2", "i8"),
        ("mid2", "i8"),
        ("variance", "f8"),
        ("volume", "i8", (2,)),
        ("trades", "i8"),
        ("bought", "i8"),
        ("sold", "i8"),
        ("quote", "i8", (2,)),
        ("quote_id", "i8", (2,)),
        ("requested_start", "i8"),
        ("window", "i8", (2,)),
        ("touch", "i8", (2,)),
        ("parent", "i8"),
        ("arrival2", "i8"),
        ("leftover", "i8"),
        ("drift2", "i8"),
    ]
)
"""One environment: key of its current episode, and the variant of the market it plays; time of the current decision
and of the first [ns]; decisions made; 1 once the episode has ended; twice the equity [sub-units], the mid and the
counters at the last decision; average squared mid change [ticks²/s]; table entries (-1: none) and ids of the working
quotes; where to start a replay (-1: at random) and first and last possible start [ns since midnight]; the others' last
known best bid and ask [ticks]. Of an execution: signed quantity of the parent order (positive: to buy) [lots], mid at
its arrival [half-ticks], signed lots that were left for the close, and what the mid's moves cost on lots not yet traded
[half-tick·lots]."""

ENV_PARAM = np.dtype(
    [
        ("episode_steps", "i8"),
        ("step_ns", "i8"),
        ("stop", "i8"),
        ("levels", "i8"),
        ("order_size", "i8"),
        ("max_position", "i8"),
        ("loss_limit", "i8"),
        ("volatility_decay", "f8"),
        ("pnl_weight", "f8"),
        ("inventory_weight", "f8"),
        ("data_latency", "i8"),
        ("quotes", "i8"),
        ("ladder", "i8"),
        ("rungs", "i8"),
        ("offset", "i8", (MAX_RUNGS,)),
        ("most", "i8"),
        ("execution", "i8"),
        ("parent_side", "i8"),
        ("parent_low", "i8"),
        ("parent_high", "i8"),
        ("tick_size", "f8"),
    ]
)
"""An environment's parameters as the kernels read them. ``max_position`` bounds the position in the direction of an
order (0 for an execution, whose orders only ever lead to a position of zero); ``quotes`` is the number of quote
options; a ladder (flag) has so many rungs a side, at these offsets behind the touch [ticks], with at most so many order
sizes each; an execution (flag) has a side (-1: drawn) and a quantity between two bounds [lots]; currency a tick."""

INFO_KEYS = ("reward_pnl", "reward_inventory", "net_pnl", "inventory", "mid", "fees", "time", "unclosed", "variant")
"""Rows of the info array. Weighted reward terms, net P&L and fees in ticks·lots, inventory in lots, mid in ticks,
market time of the observation in s since the episode's start, lots that could not be closed at book prices, which of
the variants of the market the episode plays."""

EXECUTION_KEYS = (
    "quantity", "quantity_left", "completion", "arrival_mid", "shortfall", "shortfall_ticks", "shortfall_bps",
    "shortfall_drift", "shortfall_trading",
)  # fmt: skip
"""Further rows of an execution: signed quantity of the parent order and what is left of it (positive: to buy) [lots];
share that was traded before the close; mid at arrival [ticks]; implementation shortfall so far, what is left marked at
the mid, in currency, in ticks a lot of the parent order, and in basis points of its value at arrival; and its parts
beside the fees, in ticks·lots: what the mid's moves cost on lots not yet traded, and what trades cost against the mid
of the decision before them."""
