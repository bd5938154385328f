"""What an evaluation leaves behind: paths on the decision grid and complete logs, one entry per episode.

Money is in ticks·lots (one lot moved by one tick; times ``tick_size`` it is currency). The logs keep the
integers of the accounts, so that sums over them are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hft_gym.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FILL_DTYPE", "MID_DTYPE", "ORDER_DTYPE", "Episodes"]

FILL_DTYPE = np.dtype(
    [
        ("episode", "<i8"),  # index into Episodes.seeds
        ("time", "<i8"),  # ns since the episode's start
        ("order_id", "<i8"),
        ("price", "<i8"),  # ticks
        ("quantity", "<i8"),  # lots
        ("mid2", "<i8"),  # half-ticks: twice the others' mid before the message that filled
        ("fee", "<i8"),  # sub-units, positive is a cost
        ("queue_ahead_entry", "<i8"),  # lots
        ("queue_ahead_fill", "<i8"),  # lots
        ("order_age", "<i8"),  # ns
        ("side", "u1"),  # OrderSide of the own order
        ("maker", "?"),
        ("closing", "?"),  # part of the forced close at the episode's end
        ("cancel_sent", "?"),  # a cancel of the order was on its way
    ]
)
"""One own fill."""

ORDER_DTYPE = np.dtype(
    [
        ("episode", "<i8"),
        ("order_id", "<i8"),
        ("price", "<i8"),  # ticks
        ("quantity", "<i8"),  # lots
        ("filled", "<i8"),  # lots
        ("time_sent", "<i8"),  # ns since the episode's start
        ("time_entry", "<i8"),  # -1: never reached the book
        ("time_end", "<i8"),
        ("queue_ahead_entry", "<i8"),  # lots; -1: never rested
        ("side", "u1"),
        ("time_in_force", "u1"),  # TimeInForce
        ("end_reason", "u1"),  # hft_gym.market.records.EndReason
        ("cancel_sent", "?"),  # a cancel was sent, whether or not it came in time
    ]
)
"""One own order, written when it ended."""

MID_DTYPE = np.dtype([("episode", "<i8"), ("time", "<i8"), ("mid2", "<i8")])
"""The others' mid from ``time`` (ns since the episode's start) on, in half-ticks."""


@dataclass(frozen=True)
class Episodes:
    """E episodes of one policy, up to T decisions each.

    Paths have T + 1 columns: the start and the state after each decision; shorter episodes repeat their
    last value. The last entry of ``equity`` and ``inventory`` is after the forced close of the
    position.

    Attributes:
        name: the policy.
        seeds: (E,) int64, what ``reset`` was given.
        steps: (E,) int64, decisions made.
        time: (E, T+1) int64, ns since the episode's start.
        equity: (E, T+1) float64, ticks·lots, net of fees, marked at the others' mid; starts at 0.
        inventory: (E, T+1) int64, lots.
        mid: (E, T+1) float64, ticks.
        rewards: (E, T) float64; zero after the end.
        terms: reward term -> (E, T) float64, weighted as they enter the reward.
        terminated: (E,) bool. ``truncated``: likewise.
        fills: the own fills (`FILL_DTYPE`), sorted by episode, in order of time.
        orders: the own orders (`ORDER_DTYPE`), sorted by episode.
        mids: the mid's path (`MID_DTYPE`), sorted by episode and time, with a row at or before each start.
        spread: (E, T+1) float64, ticks: the others' best ask less best bid; NaN while a side is empty. None where
            the observation has no such column; the same holds for the next two.
        imbalance: (E, T+1) float64, (bid - ask) / (bid + ask) of the others' sizes at the touch.
        market_volume: (E, T+1) int64, lots that the others took since the start.
        symbol: name of the instrument.
        tick_size: currency per tick.
        capital: initial capital in ticks·lots.
        config: the environment's configuration as plain data, for the record.
        deterministic: whether the policy was asked for its deterministic action.
    """

    name: str
    seeds: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    time: npt.NDArray[np.int64]
    equity: npt.NDArray[np.float64]
    inventory: npt.NDArray[np.int64]
    mid: npt.NDArray[np.float64]
    rewards: npt.NDArray[np.float64]
    terms: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    terminated: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    truncated: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    fills: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, FILL_DTYPE))
    orders: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, ORDER_DTYPE))
    mids: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, MID_DTYPE))
    spread: npt.NDArray[np.float64] | None = None
    imbalance: npt.NDArray[np.float64] | None = None
    market_volume: npt.NDArray[np.int64] | None = None
    symbol: str = "HFT"
    tick_size: float = 0.01
    capital: float = float("nan")
    config: Mapping[str, Any] = field(default_factory=dict)
    deterministic: bool = True

    def __post_init__(self) -> None:
        count, columns = len(self.seeds), self.equity.shape[-1]
        for name, array, shape in (
            ("steps", self.steps, (count,)),
            ("time", self.time, (count, columns)),
            ("equity", self.equity, (count, columns)),
            ("inventory", self.inventory, (count, columns)),
            ("mid", self.mid, (count, columns)),
            ("rewards", self.rewards, (count, max(columns - 1, 0))),
        ):
            _check_shape(name, array, shape)
        for name in ("spread", "imbalance", "market_volume"):
            if getattr(self, name) is not None:
                _check_shape(name, getattr(self, name), (count, columns))
        for name, log in (("fills", self.fills), ("orders", self.orders), ("mids", self.mids)):
            episode = log["episode"]
            if len(episode) and (np.any(np.diff(episode) < 0) or episode[0] < 0 or episode[-1] >= count):
                raise DataError(f"Episodes.{name}: rows must be sorted by episode, each in 0 ... {count - 1}")

    def __len__(self) -> int:
        """Number of episodes."""
        return len(self.seeds)

    @property
    def net_pnl(self) -> npt.NDArray[np.float64]:
        """(E,) equity after the close, ticks·lots."""
        if self.equity.shape[1] == 0:
            return np.full(len(self), np.nan)
        return self.equity[:, -1]

    def to_frame(self) -> pd.DataFrame:
        """One row per episode: seed, decisions, duration (s), net P&L and its reward terms (ticks·lots),
        fills.
        """
        import pandas as pd

        columns: dict[str, Any] = {"policy": self.name, "seed": self.seeds, "steps": self.steps}
        columns["duration_s"] = self.time[:, -1] / 1e9 if self.time.shape[1] else np.nan
        columns["net_pnl"] = self.net_pnl
        columns["reward"] = self.rewards.sum(axis=1)
        for name, values in self.terms.items():
            columns[name] = values.sum(axis=1)
        columns["fills"] = np.bincount(self.fills["episode"], minlength=len(self))
        columns["orders"] = np.bincount(self.orders["episode"], minlength=len(self))
        if len(self.terminated) == len(self):
            columns["terminated"] = self.terminated
        if len(self.truncated) == len(self):
            columns["truncated"] = self.truncated
        return pd.DataFrame(columns, index=pd.RangeIndex(len(self), name="episode"))

    def fills_frame(self) -> pd.DataFrame:
        """One row per own fill: the columns of `FILL_DTYPE` and the seed."""
        return self._log_frame(self.fills)

    def orders_frame(self) -> pd.DataFrame:
        """One row per own order: the columns of `ORDER_DTYPE` and the seed."""
        return self._log_frame(self.orders)

    def mids_frame(self) -> pd.DataFrame:
        """One row per change of the others' mid: the columns of `MID_DTYPE` and the seed."""
        return self._log_frame(self.mids)

    def _log_frame(self, log: npt.NDArray[Any]) -> pd.DataFrame:
        import pandas as pd

        frame = pd.DataFrame({name: log[name] for name in log.dtype.names or ()})
        frame.insert(1, "seed", self.seeds[log["episode"]])
        return frame


def _check_shape(name: str, array: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise DataError(f"Episodes.{name}: shape {array.shape}, expected {shape}")
