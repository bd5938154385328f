"""Actions beside quotes and takes of one size: the ladder of volumes, and takes alone."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from hft_gym.envs.actions import TAKE_OPTIONS, TAKE_THRESHOLD, ActionKind, ActionSchema
from hft_gym.envs.config import EnvConfig
from hft_gym.errors import ActionError

__all__ = ["ContinuousLadderSchema", "LadderSchema", "TakeSchema", "action_schema"]

_T = len(TAKE_OPTIONS)


def action_schema(config: EnvConfig) -> ActionSchema:
    """The actions of an environment of this configuration."""
    if config.has_ladder:
        kind = LadderSchema if config.action == "ladder" else ContinuousLadderSchema
        return kind(config.rungs, config.ladder.max_size)
    return TakeSchema(config.action) if config.task == "liquidity-taking" else ActionSchema(config.action)


class TakeSchema(ActionSchema):
    """Hold, buy or sell: the encodings of an environment without quotes.

    * ``multi_discrete``: ``MultiDiscrete([3])``: index of the take option.
    * ``discrete``: ``Discrete(3)``, the same.
    * ``continuous``: ``Box(-1, 1, (1,))``: above 0.8 a buy, below -0.8 a sell.

    Args:
        kind: the encoding.

    Raises:
        ConfigError: an unknown encoding.

    >>> schema = TakeSchema("discrete")
    >>> schema.decode(schema.encode(take="sell"))
    (0, 0, 2)
    """

    quote_options = ("none",)

    def space(self) -> spaces.Space[Any]:
        """A new action space of one environment."""
        if self.kind == "multi_discrete":
            return spaces.MultiDiscrete([_T])
        return spaces.Discrete(_T) if self.kind == "discrete" else spaces.Box(-1.0, 1.0, (1,), dtype=np.float32)

    def encode(
        self, bid: str | ArrayLike = "none", ask: str | ArrayLike = "none", take: str | ArrayLike = "none"
    ) -> Any:
        """An action, or a batch of them, from take options by name or index; the quotes must be ``none``, or 0.

        Raises:
            KeyError: an unknown name.
            ActionError: an index out of range, or a quote.
        """
        for quote in (bid, ask):
            if np.any(np.asarray(self.quote(quote) if isinstance(quote, str) else quote) != 0):
                raise ActionError(f"got the quote {quote!r}; this environment takes no quotes, allowed is 'none'")
        option = np.asarray(self.take(take) if isinstance(take, str) else take)
        option, _ = np.broadcast_arrays(option, np.asarray(0 if isinstance(bid, str) else bid))
        if option.dtype.kind not in "iu":
            raise ActionError(f"options must be names or integer indices, got dtype {option.dtype}")
        rows = _check_range(option.reshape(-1, 1), ("take",), (_T,), "options[{}]")
        option = rows.reshape(option.shape)
        if self.kind == "discrete":
            return option[()]
        if self.kind == "multi_discrete":
            return option[..., None]
        return np.array([0.0, 1.0, -1.0], np.float32)[option][..., None]

    def decode(self, action: Any) -> tuple[int, ...]:
        """One action as (bid quote, ask quote, take) indices, of which the quotes are 0.

        Raises:
            ActionError: wrong shape or dtype, NaN, or out of range.
        """
        array = self._as_array(action, () if self.kind == "discrete" else (1,), "action")
        return 0, 0, int(self._takes(array.reshape(1, 1), "action")[0])

    def decode_batch(self, actions: Any, num_envs: int, ranges: bool = True) -> NDArray[np.int64]:
        """N actions as an int64 array of shape ``(N, 3)``: two quotes, always 0, and take indices.

        Raises:
            ActionError: wrong shape or dtype, NaN, or out of range in any environment.
        """
        array = self._as_array(actions, (num_envs,) if self.kind == "discrete" else (num_envs, 1), "actions")
        orders = np.zeros((num_envs, 3), np.int64)
        orders[:, 2] = self._takes(array.reshape(num_envs, 1), "actions[{}]")
        return orders

    def _takes(self, array: NDArray[Any], where: str) -> NDArray[np.int64]:
        if self.kind != "continuous":
            return _check_range(array, ("take",), (_T,), where)[:, 0]
        x = array.astype(np.float64, copy=False)[:, 0]
        if not (np.abs(x) <= 1.0).all():  # NaN compares false
            row = int(np.argmax(~(np.abs(x) <= 1.0)))
            raise ActionError(f"{where.format(row)}: take {x[row]} is out of range; allowed -1.0 to 1.0")
        return (x > TAKE_THRESHOLD) + 2 * (x < -TAKE_THRESHOLD)


class LadderSchema(ActionSchema):
    """Volumes at several price levels, and takes with sizes: ``action="ladder"``.

    The space is ``MultiDiscrete``: for each level of the bids, then of the asks, a volume from 0 to ``max_size``, then
    the take: 0 nothing, 1 to ``max_size`` buys so much, ``max_size + 1`` to ``2 · max_size`` sells 1 to ``max_size``.
    All volumes count in ``order_size``.

    Args:
        offsets: ticks behind the touch of each level; none for an environment without quotes.
        max_size: largest volume.

    >>> schema = LadderSchema((0, 1, 2), max_size=5)
    >>> schema.encode(bid=[2, 0, 1], take=-3)
    array([2, 0, 1, 0, 0, 0, 8])
    """

    quote_options = ()
    take_options = ()
    encoding: ClassVar[ActionKind] = "ladder"

    def __init__(self, offsets: tuple[int, ...], max_size: int) -> None:
        super().__init__(self.encoding)
        self.offsets, self.max_size = tuple(offsets), max_size
        self.width = 2 * len(self.offsets) + 1
        self._nvec = (max_size + 1,) * (self.width - 1) + (2 * max_size + 1,)
        levels = range(1, len(self.offsets) + 1)
        self._parts = (*(f"{side} level {k}" for side in ("bid", "ask") for k in levels), "take")

    def __eq__(self, other: object) -> bool:
        """Ladders are equal if their levels and sizes are."""
        return type(other) is type(self) and (self.offsets, self.max_size) == (other.offsets, other.max_size)

    def __hash__(self) -> int:
        """Hash of levels and sizes."""
        return hash((type(self), self.offsets, self.max_size))

    def __repr__(self) -> str:
        """Levels and sizes."""
        return f"{type(self).__name__}({self.offsets}, max_size={self.max_size})"

    def space(self) -> spaces.Space[Any]:
        """A new action space of one environment."""
        return spaces.MultiDiscrete(list(self._nvec))

    def encode(self, bid: Any = 0, ask: Any = 0, take: Any = 0) -> Any:
        """An action, or a batch of them, from volumes in order sizes.

        Args:
            bid: volume of each level, integers of shape ``(levels,)`` or ``(N, levels)``; a number goes for all.
            ask: likewise.
            take: positive buys, negative sells, 0 does nothing; a number or ``(N,)``.

        Raises:
            ActionError: not whole numbers, a wrong number of levels, or out of range.
        """
        levels, size = len(self.offsets), np.asarray(take)
        sides = [np.asarray(side) for side in (bid, ask)]
        for part in (*sides, size):
            if part.dtype.kind not in "iu":
                raise ActionError(f"volumes must be whole numbers of order sizes, got dtype {part.dtype}")
        if np.any(np.abs(size) > self.max_size):
            raise ActionError(f"take {size} is out of range; allowed {-self.max_size} to {self.max_size}")
        for side in sides:
            if side.ndim and side.shape[-1] != levels:
                raise ActionError(f"volumes of shape {side.shape}; this ladder has {levels} levels a side")
        count = np.broadcast_shapes(size.shape, *(side.shape[:-1] for side in sides))
        action = np.zeros((*count, self.width), np.int64)
        action[..., :levels], action[..., levels:-1] = sides[0], sides[1]
        action[..., -1] = np.where(size < 0, self.max_size - size, size)
        _check_range(action.reshape(-1, self.width), self._parts, self._nvec, "volumes[{}]")
        return action

    def decode(self, action: Any) -> tuple[int, ...]:
        """One action as the core takes it: volumes of the levels of bids and asks, and the take.

        Raises:
            ActionError: wrong shape or dtype, or out of range.
        """
        array = self._as_array(action, (self.width,), "action")
        return tuple(_check_range(array[None], self._parts, self._nvec, "action")[0].tolist())

    def decode_batch(self, actions: Any, num_envs: int, ranges: bool = True) -> NDArray[np.int64]:
        """N actions as a C-contiguous int64 array of shape ``(N, width)``.

        Raises:
            ActionError: wrong shape or dtype, or out of range in any environment.
        """
        array = self._as_array(actions, (num_envs, self.width), "actions")
        if not ranges and array.dtype == np.int64:
            return np.ascontiguousarray(array)
        return _check_range(array, self._parts, self._nvec, "actions[{}]")


class ContinuousLadderSchema(LadderSchema):
    """The ladder for methods with continuous actions: ``action="ladder_continuous"``.

    The space is ``Box(-1, 1, (2 · levels + 1,))``: for each level of the bids, then of the asks, a number that maps in
    ``max_size + 1`` equal bins onto a volume from 0 to ``max_size``; then the take: from -0.8 to 0.8 nothing, beyond in
    ``max_size`` equal bins a buy (positive) or a sale of 1 to ``max_size``.

    Args:
        offsets: ticks behind the touch of each level; none for an environment without quotes.
        max_size: largest volume.

    >>> schema = ContinuousLadderSchema((0, 1, 2), max_size=5)
    >>> schema.decode(schema.encode(bid=[2, 0, 1], take=-3))
    (2, 0, 1, 0, 0, 0, 8)
    """

    encoding = "ladder_continuous"

    def space(self) -> spaces.Space[Any]:
        """A new action space of one environment."""
        return spaces.Box(-1.0, 1.0, (self.width,), dtype=np.float32)

    def encode(self, bid: Any = 0, ask: Any = 0, take: Any = 0) -> Any:
        """An action, or a batch of them, from volumes in order sizes, each in the middle of its bin.

        Raises:
            ActionError: as `LadderSchema.encode`.
        """
        orders = super().encode(bid, ask, take)
        box = np.empty(orders.shape, np.float32)
        box[..., :-1] = (2 * orders[..., :-1] + 1) / (self.max_size + 1) - 1.0
        size = orders[..., -1]
        sells = size > self.max_size
        lots = np.where(sells, size - self.max_size, size)
        beyond = TAKE_THRESHOLD + (1.0 - TAKE_THRESHOLD) * (lots - 0.5) / self.max_size
        box[..., -1] = np.where(lots == 0, 0.0, np.where(sells, -beyond, beyond))
        return box

    def decode(self, action: Any) -> tuple[int, ...]:
        """One action as the core takes it: volumes of the levels of bids and asks, and the take.

        Raises:
            ActionError: wrong shape or dtype, NaN, or out of range.
        """
        array = self._as_array(action, (self.width,), "action")
        return tuple(self._orders(array[None], "action")[0].tolist())

    def decode_batch(self, actions: Any, num_envs: int, ranges: bool = True) -> NDArray[np.int64]:
        """N actions as a C-contiguous int64 array of shape ``(N, width)``.

        Raises:
            ActionError: wrong shape or dtype, NaN, or out of range in any environment.
        """
        return self._orders(self._as_array(actions, (num_envs, self.width), "actions"), "actions[{}]")

    def _orders(self, array: NDArray[Any], where: str) -> NDArray[np.int64]:
        x = array.astype(np.float64, copy=False)
        good = np.abs(x) <= 1.0  # NaN compares false
        if not good.all():
            row, part = np.argwhere(~good)[0].tolist()
            raise ActionError(
                f"{where.format(row)}: {self._parts[part]} {x[row, part]} is out of range; allowed -1.0 to 1.0"
            )
        most = self.max_size
        orders = np.empty(x.shape, np.int64)
        orders[:, :-1] = np.minimum((x[:, :-1] + 1.0) * ((most + 1) / 2), most)
        take = x[:, -1]
        beyond = (np.abs(take) - TAKE_THRESHOLD) * (most / (1.0 - TAKE_THRESHOLD))
        lots = np.where(beyond > 0.0, 1 + np.minimum(beyond, most - 1).astype(np.int64), 0)
        orders[:, -1] = lots + np.where((take < 0) & (lots > 0), most, 0)
        return orders


def _check_range(
    rows: NDArray[Any], parts: tuple[str, ...], nvec: tuple[int, ...], where: str
) -> NDArray[np.int64]:
    """Rows of indices as contiguous int64, or an ActionError naming the first entry that is not below its limit."""
    bad = (rows < 0) | (rows >= np.array(nvec))
    if bad.any():
        row, part = np.argwhere(bad)[0].tolist()
        raise ActionError(
            f"{where.format(row)}: {parts[part]} {rows[row, part]} is out of range; allowed 0 to {nvec[part] - 1}"
        )
    return np.ascontiguousarray(rows, dtype=np.int64)
