"""The latent fundamental value and the traders who know it (Glosten and Milgrom 1985; Budish, Cramton and Shim
2015).

The value jumps, and may diffuse as an Ornstein-Uhlenbeck process (Brownian motion without reversion), which is advanced
by its exact transition law whenever it is looked at.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hft_gym._jit import I64, inlined, kernel
from hft_gym.book.ladder import ASK, BID, Book, best_price, is_empty
from hft_gym.flow.hawkes import admitted
from hft_gym.flow.random import decay, draw, high_unit, normal, sample
from hft_gym.flow.state import EXTRA, INFORMED, JUMP, next_due

_LOW = np.uint64(0xFFFFFFFF)
_ONE = np.uint64(1)


@kernel
def diffuse(state: Any, flow: Any, now: int) -> None:
    """Advance the fundamental value to *now*, one draw.

    v' = m + (v - m) e^(-k d) + sd z with sd^2 = s^2 (1 - e^(-2 k d)) / (2 k), s^2 d without reversion k.
    """
    elapsed = np.float64(now - state["fundamental_time"])
    state["fundamental_time"] = now
    speed, mean = flow["value_reversion"], state["fundamental_mean"]
    z = normal(draw(state["streams"], EXTRA))
    if speed <= 0.0:
        state["fundamental"] += flow["value_volatility"] * math.sqrt(elapsed) * z
        return
    share = decay(speed * elapsed)
    # 1 - share^2 loses its digits when hardly any time has passed.
    spread = 2.0 * speed * elapsed if speed * elapsed < 1e-8 else 1.0 - share * share
    sd = flow["value_volatility"] * math.sqrt(spread / (2.0 * speed))
    state["fundamental"] = mean + (state["fundamental"] - mean) * share + sd * z


@inlined
def is_known_bad(state: Any, flow: Any, side: int, price: int, word: Any) -> bool:
    """True if the sender of a limit order, who knows the value with probability ``informed_quotes``, knows *price* to
    be bad; takes the high half of *word*."""
    gain = state["fundamental"] - price if side == BID else price - state["fundamental"]
    return gain < flow["informed_edge"] and high_unit(word) < flow["informed_quotes"]


@inlined
def jump(state: Any, flow: Any, now: int) -> None:
    """Move the fundamental value by the jump due now; draws the time of the next."""
    if flow["value_volatility"] > 0.0:
        diffuse(state, flow, now)
    word = next_due(state, JUMP, now, flow["jump_mean"])
    size = sample(flow["jump_size"], I64(draw(state["streams"], JUMP) & _LOW))
    if flow["reactive"] != 0 and not admitted(state, flow["hawkes"], JUMP, now):
        return
    state["fundamental"] += size if (word & _ONE) == _ONE else -size


@inlined
def informed_order(book: Book, state: Any, flow: Any, now: int) -> tuple[int, int, int]:
    """Side, limit price and quantity of the informed (IOC) order due now, quantity 0 if no price is wrong enough."""
    if flow["value_volatility"] > 0.0:
        diffuse(state, flow, now)
    next_due(state, INFORMED, now, flow["informed_mean"])
    quantity = sample(flow["market_size"], I64(draw(state["streams"], INFORMED) & _LOW))
    if flow["reactive"] != 0:
        quantity = I64(flow["market_lots"][quantity - 1])
    if flow["reactive"] != 0 and not admitted(state, flow["hawkes"], INFORMED, now):
        return BID, 0, 0
    highest = I64(math.floor(state["fundamental"] - flow["informed_edge"]))
    if not is_empty(book, ASK) and best_price(book, ASK) <= highest:
        return BID, highest, quantity
    lowest = I64(math.ceil(state["fundamental"] + flow["informed_edge"]))
    if not is_empty(book, BID) and best_price(book, BID) >= lowest:
        return ASK, lowest, quantity
    return BID, highest, 0
