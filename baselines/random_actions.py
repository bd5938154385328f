"""``random``: every action equally likely. It pays the spread all the time, and is no yardstick for skill."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from baselines.strategy import Strategy, View, Wish
from hft_gym.config import setting, validate

__all__ = ["RandomActions"]

BEHIND = np.array([np.nan, -1.0, 0.0, 1.0, 2.0, 3.0, 5.0, 10.0])
"""Ticks behind the touch to choose from; NaN is no quote. The same choices as in the environment's
actions."""

Words = npt.NDArray[np.uint64]


@dataclass
class RandomActions(Strategy):
    """Draws both quotes and the take uniformly at every decision.

    The stream of an episode is seeded by its first observation and ``seed``: the same episode gets the same
    actions, whatever else is played beside it, and different episodes different ones.

    Args:
        symbol: of the orders.
        order_size: lots of an order, for the face that sends orders.
        seed: of all streams.
        tick_size: currency per tick, for the face that sends orders.
    """

    name: ClassVar[str] = "random"
    tasks: ClassVar[tuple[str, ...]] = ("market-making", "execution", "liquidity-taking")

    symbol: str = "HFT"
    order_size: int = setting(1, low=1)
    _: KW_ONLY
    seed: int = setting(0, low=0, high=2**63 - 1)
    tick_size: float = setting(0.01, above=0.0)

    def __post_init__(self) -> None:
        validate(self)

    def begin(self, view: View) -> Words:
        """(N, 1) uint64: the state of each stream."""
        bits = np.ascontiguousarray(view.raw, np.float32).view(np.uint32).astype(np.uint64)
        weights = _mix(np.arange(1, bits.shape[1] + 1, dtype=np.uint64)) | np.uint64(1)
        return _mix((bits * weights).sum(axis=1) ^ _mix(np.array([self.seed], np.uint64)))[:, None]

    def decide(self, view: View, memory: Words) -> tuple[Wish, Words]:
        """One draw of 64 bits, cut in three: bid, ask, take."""
        state = memory + np.uint64(0x9E3779B97F4A7C15)
        draw = _mix(state[:, 0])
        bid = view.bid - BEHIND[(draw & np.uint64(7)).astype(np.int64)]
        ask = view.ask + BEHIND[((draw >> np.uint64(3)) & np.uint64(7)).astype(np.int64)]
        # Improving stops inside the spread.
        bid = np.where(bid >= view.ask, view.bid, bid)
        ask = np.where(ask <= view.bid, view.ask, ask)
        lots = np.full(len(view), float(view.lot))
        take = lots * np.array([0.0, 1.0, -1.0])[((draw >> np.uint64(32)) % np.uint64(3)).astype(np.int64)]
        return Wish(bid, ask, lots, lots, take), state


def _mix(words: Words) -> Words:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014), wrapping in 64 bits."""
    x = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
