"""Actions: the three encodings, checked and decoded to what the compiled core takes, and back again.

The core always takes three integers per environment: the bid quote and the ask quote as indices of
`QUOTE_OPTIONS`, the take as an index of `TAKE_OPTIONS`.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from hft_gym.config import did_you_mean
from hft_gym.errors import ActionError, ConfigError

__all__ = ["QUOTE_OPTIONS", "TAKE_OPTIONS", "ActionKind", "ActionSchema"]

ActionKind: TypeAlias = Literal["multi_discrete", "continuous", "discrete", "ladder", "ladder_continuous"]

QUOTE_OPTIONS = ("none", "improve", "join", "behind_1", "behind_2", "behind_3", "behind_5", "behind_10")
"""What a quote can be, relative to the others' best price of its side in the observed book."""
TAKE_OPTIONS = ("none", "buy", "sell")
"""What a take can be: nothing, or an immediate order against the other side's best price."""

_Q, _T = len(QUOTE_OPTIONS), len(TAKE_OPTIONS)
_PARTS = ("bid quote", "ask quote", "take")
_NVEC = (_Q, _Q, _T)
TAKE_THRESHOLD = 0.8
"""Continuous encoding: above it a buy, below minus it a sell."""

# Every discrete action decoded; row a is np.unravel_index(a, (8, 8, 3)).
_TABLE: NDArray[np.int64] = np.stack(np.unravel_index(np.arange(_Q * _Q * _T), _NVEC), axis=1).astype(
    np.int64
)


class ActionSchema:
    """One encoding of the actions: its space, its options by name, checked decoding and encoding.

    * ``multi_discrete``: ``MultiDiscrete([8, 8, 3])``: bid quote, ask quote, take, as indices of the options.
    * ``discrete``: ``Discrete(192)``: ``np.ravel_multi_index((bid, ask, take), (8, 8, 3))``.
    * ``continuous``: ``Box(-1, 1, (3,))``: the first two map linearly, in eight equal bins, onto the quotes
      from most to least eager (improve, join, 1, 2, 3, 5, 10 ticks behind, none); the third above 0.8 buys,
      below -0.8 sells.

    Args:
        kind: the encoding.

    Raises:
        ConfigError: an unknown encoding.

    >>> schema = ActionSchema("discrete")
    >>> schema.encode(bid="join", ask="behind_1", take="buy")
    np.int64(58)
    >>> schema.decode(58)
    (2, 3, 1)
    """

    quote_options: tuple[str, ...] = QUOTE_OPTIONS
    take_options: tuple[str, ...] = TAKE_OPTIONS
    width: int = 3
    """Integers that the core takes for one environment."""

    def __init__(self, kind: ActionKind = "multi_discrete") -> None:
        kinds = get_args(ActionKind)
        if kind not in kinds:
            raise ConfigError(f"action: unknown encoding {kind!r}{did_you_mean(str(kind), kinds)}")
        if kind in ("ladder", "ladder_continuous") and type(self) is ActionSchema:
            raise ConfigError("the ladder's actions are a LadderSchema")
        self.kind: ActionKind = kind

    def __eq__(self, other: object) -> bool:
        """Schemas are equal if their encodings are."""
        return type(other) is type(self) and self.kind == other.kind

    def __hash__(self) -> int:
        """Hash of the encoding."""
        return hash((type(self), self.kind))

    def __repr__(self) -> str:
        """The encoding."""
        return f"{type(self).__name__}({self.kind!r})"

    def space(self) -> spaces.Space[Any]:
        """A new action space of one environment."""
        if self.kind == "multi_discrete":
            return spaces.MultiDiscrete(list(_NVEC))
        if self.kind == "discrete":
            return spaces.Discrete(_Q * _Q * _T)
        return spaces.Box(-1.0, 1.0, (3,), dtype=np.float32)

    def quote(self, name: str) -> int:
        """Index of a quote option.

        Raises:
            KeyError: no such option.
        """
        return _option(name, QUOTE_OPTIONS, "quote")

    def take(self, name: str) -> int:
        """Index of a take option.

        Raises:
            KeyError: no such option.
        """
        return _option(name, TAKE_OPTIONS, "take")

    def encode(
        self, bid: str | ArrayLike = "none", ask: str | ArrayLike = "none", take: str | ArrayLike = "none"
    ) -> Any:
        """An action, or a batch of them, from options by name or index.

        Args:
            bid: option name, index, or array of indices of shape ``(N,)``; the three broadcast.
            ask: likewise.
            take: likewise.

        Returns:
            An element of `space`, or, where an array was given, N of them stacked as a vector environment
            takes them.

        Raises:
            KeyError: an unknown name.
            ActionError: an index out of range.
        """
        parts = (
            self.quote(bid) if isinstance(bid, str) else bid,
            self.quote(ask) if isinstance(ask, str) else ask,
            self.take(take) if isinstance(take, str) else take,
        )
        orders = np.stack(np.broadcast_arrays(*(np.asarray(p) for p in parts)), axis=-1)
        if orders.dtype.kind not in "iu":
            raise ActionError(f"options must be names or integer indices, got dtype {orders.dtype}")
        orders = orders.astype(np.int64)
        _check_orders(orders, "options" if orders.ndim == 1 else "options[{}]")
        if self.kind == "multi_discrete":
            return orders
        if self.kind == "discrete":
            return (orders[..., 0] * _Q + orders[..., 1]) * _T + orders[..., 2]
        box = np.empty(orders.shape, dtype=np.float32)
        box[..., :2] = (((orders[..., :2] - 1) % _Q) * 2 + 1) / _Q - 1.0  # the middle of its bin
        box[..., 2] = np.array([0.0, 1.0, -1.0])[orders[..., 2]]
        return box

    def decode(self, action: Any) -> tuple[int, ...]:
        """One action as (bid quote, ask quote, take) indices.

        This is in the path of every step of a single environment, hence plain Python numbers: for three of
        them NumPy costs several times as much.

        Raises:
            ActionError: wrong shape or dtype, NaN, or out of range.
        """
        kind = self.kind
        try:
            if kind == "discrete":
                if type(action) is not bool:
                    index = action.__index__()
                    if 0 <= index < 192:
                        return index // 24, index // 3 % 8, index % 3
            elif kind == "multi_discrete":
                bid, ask, take = action.tolist()
                if (
                    type(bid) is type(ask) is type(take) is int
                    and 0 <= bid < 8
                    and 0 <= ask < 8
                    and 0 <= take < 3
                ):
                    return bid, ask, take
            else:
                x, y, z = action.tolist()
                if (
                    type(x) is type(y) is type(z) is float
                    and -1.0 <= x <= 1.0
                    and -1.0 <= y <= 1.0
                    and -1.0 <= z <= 1.0
                ):
                    return (
                        (min(int((x + 1.0) * 4.0), 7) + 1) % 8,
                        (min(int((y + 1.0) * 4.0), 7) + 1) % 8,
                        1 if z > 0.8 else 2 if z < -0.8 else 0,
                    )
        except (AttributeError, TypeError, ValueError):
            pass  # not the array it should be: below
        array = self._as_array(action, () if kind == "discrete" else (3,), "action")
        bid, ask, take = self._decode_array(array[None], "action")[0].tolist()
        return bid, ask, take

    def decode_batch(self, actions: Any, num_envs: int, ranges: bool = True) -> NDArray[np.int64]:
        """N actions as a C-contiguous int64 array of shape ``(N, 3)``: (bid quote, ask quote, take) indices.

        An array that already is what the core takes is returned itself, unchanged.

        Args:
            actions: what ``action_space`` of the vector environment contains.
            num_envs: N.
            ranges: False leaves the ranges of ``multi_discrete`` indices to the core, which checks them.

        Raises:
            ActionError: wrong shape or dtype, NaN, or out of range in any environment.
        """
        shape = (num_envs,) if self.kind == "discrete" else (num_envs, 3)
        if (
            not ranges
            and self.kind == "multi_discrete"
            and type(actions) is np.ndarray
            and actions.dtype == np.int64
            and actions.shape == shape
        ):
            return np.ascontiguousarray(actions)
        array = self._as_array(actions, shape, "actions")
        return self._decode_array(array, "actions[{}]")

    def _as_array(self, actions: Any, shape: tuple[int, ...], where: str) -> NDArray[Any]:
        """The array behind an action, its shape and kind of dtype checked."""
        try:
            array = actions if type(actions) is np.ndarray else np.asarray(actions)
        except (TypeError, ValueError) as error:
            raise ActionError(f"{where}: not an array of numbers: {_show(actions)} ({error})") from None
        real = self.kind in ("continuous", "ladder_continuous")
        allowed, words = ("fiu", "numbers") if real else ("iu", "integers")
        if array.dtype.kind not in allowed:
            raise ActionError(
                f"{where}: dtype {array.dtype} of {_show(actions)} is not allowed; "
                f"the {self.kind} encoding takes {words}"
            )
        if array.shape != shape:
            raise ActionError(
                f"{where}: shape {array.shape} of {_show(actions)} is not allowed; "
                f"the {self.kind} encoding takes shape {shape}"
            )
        return array

    def _decode_array(self, array: NDArray[Any], where: str) -> NDArray[np.int64]:
        if self.kind == "multi_discrete":
            return _check_orders(array, where)
        if self.kind == "discrete":
            if array.min() < 0 or array.max() >= _Q * _Q * _T:
                row = int(np.argmax((array < 0) | (array >= _Q * _Q * _T)))
                raise ActionError(
                    f"{where.format(row)}: {array[row]} is out of range; allowed 0 to {_Q * _Q * _T - 1}"
                )
            return _TABLE.take(array.astype(np.int64, copy=False), axis=0)
        x = array.astype(np.float64, copy=False)  # both faces decode in double precision, hence alike
        if not (np.abs(x) <= 1.0).all():  # NaN compares false
            row, part = np.argwhere(~(np.abs(x) <= 1.0))[0].tolist()
            raise ActionError(
                f"{where.format(row)}: {_PARTS[part]} {x[row, part]} is out of range; allowed -1.0 to 1.0"
            )
        orders = np.empty(x.shape, dtype=np.int64)
        orders[:, :2] = (np.minimum((x[:, :2] + 1.0) * (_Q / 2), _Q - 1.0).astype(np.int64) + 1) % _Q
        take = x[:, 2]
        orders[:, 2] = (take > TAKE_THRESHOLD) + 2 * (take < -TAKE_THRESHOLD)
        return orders


def _check_orders(orders: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Option indices of shape (..., 3) as contiguous int64, or an ActionError naming the first bad entry."""
    flat = orders.reshape(-1, 3)
    # Wrapped to unsigned, a negative index is a large one: one comparison checks both ends.
    if orders.dtype.kind == "u":
        flat = np.minimum(flat, _Q)
    whole = np.ascontiguousarray(flat, dtype=np.int64)
    if (whole.view(np.uint64) >= _LIMITS).any():
        row, part = np.argwhere(whole.view(np.uint64) >= _LIMITS)[0].tolist()
        options = TAKE_OPTIONS if part == 2 else QUOTE_OPTIONS
        raise ActionError(
            f"{where.format(row)}: {_PARTS[part]} {orders.reshape(-1, 3)[row, part]} is out of range; "
            f"allowed 0 to {_NVEC[part] - 1} ({', '.join(options)})"
        )
    return whole


_LIMITS: NDArray[np.uint64] = np.array(_NVEC, dtype=np.uint64)


def _option(name: str, options: tuple[str, ...], what: str) -> int:
    try:
        return options.index(name)
    except ValueError:
        raise KeyError(f"no {what} option {name!r}{did_you_mean(str(name), options)}") from None


def _show(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."
