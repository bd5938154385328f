"""What the numbers of the model environment's observations and actions mean."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from hft_gym.envs.schema import MAX_LOTS, MAX_SECONDS, MAX_TICKS, MAX_VALUE, Column, Columns
from hft_gym.errors import ActionError

__all__ = ["MAX_PRICE", "DepthSchema", "ModelSchema"]

MAX_PRICE = MAX_TICKS
"""Bound of prices; observed values beyond a bound are cut to it."""

_COLUMNS = (
    Column("time_left", "1", 0.0, 1.0, "share of the episode that is left; 1 at the start, 0 at the end"),
    Column("inventory", "lots", -MAX_LOTS, MAX_LOTS, "own position; negative is short"),
    Column("mid", "price", -MAX_PRICE, MAX_PRICE, "mid price"),
    Column("cash", "price·lots", -MAX_VALUE, MAX_VALUE, "cash; 0 at the start"),
    Column("mid_change", "price", -MAX_PRICE, MAX_PRICE, "change of the mid since the last decision"),
    Column("elapsed", "time", 0.0, MAX_SECONDS, "time since the last decision"),
    Column("bought", "lots", 0.0, MAX_LOTS, "own bids filled since the last decision"),
    Column("sold", "lots", 0.0, MAX_LOTS, "own asks filled since the last decision"),
)


class ModelSchema(Columns):
    """The columns of the model environment's observation, in order.

    >>> ModelSchema().names
    ('time_left', 'inventory', 'mid', 'cash', 'mid_change', 'elapsed', 'bought', 'sold')
    """

    def __init__(self) -> None:
        super().__init__(_COLUMNS, {})


class DepthSchema:
    """Actions: the depths of bid and ask, distances from the mid that are positive away from it.

    Args:
        kind: ``normalized``: -1 to 1 stands for the least to the greatest depth; ``depths``: the depths themselves.
        low, high: least and greatest depth [price].

    >>> DepthSchema("depths", -5.0, 5.0).encode(bid=0.5, ask=0.75)
    array([0.5 , 0.75], dtype=float32)
    >>> DepthSchema("normalized", -5.0, 5.0).encode(bid=0.5, ask=0.75)
    array([0.1 , 0.15], dtype=float32)
    """

    def __init__(self, kind: str, low: float, high: float) -> None:
        self.kind, self.low, self.high = kind, low, high
        normalized = kind == "normalized"
        self._low, self._high = (-1.0, 1.0) if normalized else (low, high)
        self._scale = 0.5 * (high - low) if normalized else 1.0
        self._centre = 0.5 * (high + low) if normalized else 0.0

    def space(self) -> spaces.Space[NDArray[np.float32]]:
        """A new ``Box(float32)`` of shape (2,)."""
        box: Any = spaces.Box(np.float32(self._low), np.float32(self._high), (2,), np.float32)
        return cast("spaces.Space[NDArray[np.float32]]", box)

    def encode(self, bid: Any, ask: Any) -> NDArray[np.float32]:
        """Actions from depths, numbers or (N,) arrays; depths beyond the bounds, infinite ones too, are cut to them.

        Raises:
            ActionError: a depth that is not a number.
        """
        depths = np.stack(np.broadcast_arrays(bid, ask), axis=-1).astype(np.float64)
        if np.isnan(depths).any():
            raise ActionError(f"depths bid {bid!r} and ask {ask!r}; allowed are numbers")
        actions = (np.clip(depths, self.low, self.high) - self._centre) / self._scale
        return np.clip(actions.astype(np.float32), np.float32(self._low), np.float32(self._high))

    def decode(self, action: Any) -> NDArray[np.float64]:
        """The depths of one action, (1, 2).

        Raises:
            ActionError: not two numbers within the bounds.
        """
        if np.shape(action) != (2,):
            raise ActionError(f"action: got {action!r}; allowed are two numbers, {self._allowed()}")
        return self.decode_batch(np.asarray(action)[None], 1)

    def decode_batch(self, actions: Any, count: int, ranges: bool = True) -> NDArray[np.float64]:
        """The depths of *count* actions, (count, 2); *ranges*: whether to look at the values too.

        Raises:
            ActionError: not an array of numbers of that shape, or a number beyond the bounds.
        """
        array = np.asarray(actions)
        if array.shape != (count, 2) or array.dtype.kind not in "fiu":
            raise ActionError(
                f"actions: got shape {array.shape}, dtype {array.dtype}; allowed are numbers of shape {(count, 2)}, "
                f"{self._allowed()}"
            )
        if ranges:
            bad = ~((array >= np.float32(self._low)) & (array <= np.float32(self._high))).all(axis=1)
            if bad.any():
                row = int(np.flatnonzero(bad)[0])
                raise ActionError(f"actions[{row}]: {array[row].tolist()}; allowed are numbers, {self._allowed()}")
        depths = array.astype(np.float64)
        if self.kind == "normalized":
            depths *= self._scale
            depths += self._centre
        return depths

    def _allowed(self) -> str:
        return f"{self._low:g} to {self._high:g}"
