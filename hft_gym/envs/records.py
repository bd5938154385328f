"""The environment's own state and parameters as NumPy records, beside the market's."""

from __future__ import annotations

import numpy as np

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
    ]
)
"""One environment: key of its current episode, and the variant of the market it plays; time of the current decision
and of the first [ns]; decisions made; 1 once the episode has ended; twice the equity [sub-units], the mid and the
counters at the last decision; average squared mid change [ticks²/s]; table entries (-1: none) and ids of the working
quotes; where to start a replay (-1: at random) and first and last possible start [ns since midnight]; the others' last
known best bid and ask [ticks]."""

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
    ]
)
"""An environment's parameters as the kernels read them."""

INFO_KEYS = ("reward_pnl", "reward_inventory", "net_pnl", "inventory", "mid", "fees", "time", "unclosed", "variant")
"""Rows of the info array. Weighted reward terms, net P&L and fees in ticks·lots, inventory in lots, mid in ticks,
market time of the observation in s since the episode's start, lots that could not be closed at book prices, which of
the variants of the market the episode plays."""
