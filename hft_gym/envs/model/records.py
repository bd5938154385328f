"""The model environment's state and parameters as NumPy records."""

from __future__ import annotations

import numpy as np

MODEL_STATE = np.dtype(
    [
        ("key", "u8"),
        ("streams", "u8", (3,)),
        ("clock", "f8", (2,)),
        ("time", "f8"),
        ("mid", "f8"),
        ("cash", "f8"),
        ("start_equity", "f8"),
        ("inventory", "i8"),
        ("step", "i8"),
        ("done", "i8"),
    ]
)
"""One environment: key of its current episode; random streams of the mid, of the fills of bid and ask; what is left of
each side's unit-rate clock until its next fill (event clock only); time since the start; mid; cash and its worth at the
start [price · lots]; position [lots]; decisions made; 1 once the episode has ended."""

MODEL_PARAM = np.dtype(
    [
        ("horizon", "f8"),
        ("dt", "f8"),
        ("steps", "i8"),
        ("initial_price", "f8"),
        ("initial_inventory", "i8"),
        ("sigma", "f8"),
        ("drift", "f8"),
        ("arrival_rate", "f8"),
        ("k", "f8"),
        ("adverse_selection", "f8"),
        ("max_inventory", "i8"),
        ("min_depth", "f8"),
        ("max_depth", "f8"),
        ("by_event", "i8"),
        ("exact", "i8"),
        ("gaussian", "i8"),
        ("pnl_weight", "f8"),
        ("inventory_weight", "f8"),
        ("terminal_weight", "f8"),
        ("utility_weight", "f8"),
        ("risk_aversion", "f8"),
    ]
)
"""The parameters as the kernel reads them."""

INFO_KEYS = (
    "reward_pnl", "reward_inventory", "reward_terminal", "reward_utility", "net_pnl", "inventory", "mid", "time",
)  # fmt: skip
"""Rows of the info array: weighted reward terms; P&L since the start [price · lots]; position [lots]; mid; time."""
