"""The arrays that the metrics share, computed once per set of episodes.

A *panel* adds to `Episodes` the clock grid of equity, the running position at every fill, and the mid at any
time. Everything is vectorised over episodes; nothing here is a metric.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from hft_gym.errors import ConfigError, DataError
from hft_gym.evaluation.episodes import Episodes
from hft_gym.market.records import SUBUNITS
from hft_gym.report.pooling import ratio
from hft_gym.types import OrderSide

if TYPE_CHECKING:
    from hft_gym.report.overfitting import Trials

__all__ = ["Panel", "Session", "ratio"]

SUBUNITS_PER_HALF_TICK_LOT = SUBUNITS // 2

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
T = TypeVar("T")


@dataclass(frozen=True)
class Session:
    """The trading hours that annualised figures count.

    Attributes:
        seconds: length of one session; 86,400 for a market that never closes.
        days: sessions a year.
    """

    seconds: float = 23_400.0
    days: float = 252.0

    def __post_init__(self) -> None:
        for name in ("seconds", "days"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"session {name}: must be above 0, got {getattr(self, name)}")

    def per_year(self, interval_s: float) -> float:
        """Number of intervals of so many seconds in a year of sessions."""
        return self.days * self.seconds / interval_s


class Panel:
    """Episodes with the derived arrays that metrics are made of.

    Args:
        episodes: what was measured.
        interval_s: the clock grid of the interval metrics (volatility, Sharpe, Sortino, wins and losses),
            seconds.
        session: the trading hours that annualised figures count.
        reference: another policy on the same seeds, for the paired metrics.
        counterfactual: the same seeds without any own order, for the own impact.
        trials: the settings tried before this policy was chosen, for what deflates its figures.

    Raises:
        ConfigError: an interval that is not positive, or companions that played other seeds.
    """

    def __init__(
        self,
        episodes: Episodes,
        interval_s: float = 1.0,
        *,
        session: Session | None = None,
        reference: Episodes | None = None,
        counterfactual: Episodes | None = None,
        trials: Trials | None = None,
    ) -> None:
        if not interval_s > 0:
            raise ConfigError(f"interval_s: must be above 0, got {interval_s}")
        for name, other in (("reference", reference), ("counterfactual", counterfactual)):
            if other is not None and not np.array_equal(other.seeds, episodes.seeds):
                raise ConfigError(f"{name} {other.name!r} and {episodes.name!r} played different seeds")
        self.episodes, self.interval_s, self.session = episodes, interval_s, session or Session()
        self.reference, self.counterfactual, self.trials = reference, counterfactual, trials
        self.count = len(episodes)
        self._made: dict[Callable[..., Any], Any] = {}

    def once(self, make: Callable[[Panel], T]) -> T:
        """``make(self)``, computed at the first call."""
        if make not in self._made:
            self._made[make] = make(self)
        found: T = self._made[make]
        return found

    # --- equity ---

    @property
    def equity(self) -> Floats:
        """(E, T+1) equity path, ticks·lots, 0 at the start."""
        return self.episodes.equity

    @property
    def net(self) -> Floats:
        """(E,) net P&L, ticks·lots."""
        return self.episodes.net_pnl

    @cached_property
    def duration_ns(self) -> Ints:
        """(E,) length of each episode."""
        time = self.episodes.time
        return time[:, -1] if time.shape[1] else np.zeros(self.count, np.int64)

    @cached_property
    def duration_s(self) -> Floats:
        """(E,) length of each episode, seconds."""
        return self.duration_ns / 1e9

    @cached_property
    def drawdown(self) -> Floats:
        """(E, T+1) distance below the running peak of equity, >= 0, ticks·lots."""
        return np.maximum.accumulate(self.equity, axis=1) - self.equity

    @cached_property
    def holds_for(self) -> Floats:
        """(E, T+1) seconds for which the state of a decision holds: until the next one; 0 at the last."""
        time = self.episodes.time
        return np.diff(time, axis=1, append=time[:, -1:]) / 1e9

    # --- the clock grid ---

    @cached_property
    def grid(self) -> Ints:
        """(E, K+1) edges of the clock intervals, ns; the last interval of an episode ends with it."""
        step = round(self.interval_s * 1e9)
        most = int((-(-self.duration_ns // step)).max(initial=0))
        return np.minimum(np.arange(most + 1)[None, :] * step, self.duration_ns[:, None])

    @cached_property
    def in_grid(self) -> Bools:
        """(E, K) whether the episode has this clock interval."""
        return np.diff(self.grid, axis=1) > 0

    @cached_property
    def interval_count(self) -> Floats:
        """(E,) number of clock intervals."""
        return self.in_grid.sum(axis=1).astype(np.float64)

    @cached_property
    def increments(self) -> Floats:
        """(E, K) P&L of each clock interval, ticks·lots; NaN past an episode's end. They add up to the net P&L."""
        if self.grid.shape[1] <= 1:
            return np.full((self.count, 0), np.nan)
        return np.where(self.in_grid, np.diff(self.equity_at(self.grid), axis=1), np.nan)

    @cached_property
    def increments_vary(self) -> Bools:
        """(E,) whether the increments differ, beyond rounding."""
        spread = np.nan_to_num(self.increments)
        spread = np.where(self.in_grid, spread - spread[:, :1], 0.0) if spread.shape[1] else spread
        return np.abs(spread).max(axis=1, initial=0.0) > 1e-9

    def equity_at(self, when: Ints) -> Floats:
        """(E, K) equity at (E, K) times (ns since the start): after the last decision at or before each."""
        return self.path_at(self.equity, when)

    def path_at(self, path: npt.NDArray[Any], when: Ints) -> npt.NDArray[Any]:
        """(E, K) a path on the decision grid at (E, K) times: its value at the last decision at or before each."""
        time = self.episodes.time
        span = int(time.max(initial=0)) + 1
        rows = np.arange(self.count)[:, None]
        flat = (time + rows * span).ravel()
        index = np.searchsorted(flat, (np.minimum(when, span - 1) + rows * span).ravel(), side="right") - 1
        return path.ravel()[index].reshape(when.shape)

    # --- sums over the logs ---

    def per_episode(self, values: npt.NDArray[Any], episode: Ints) -> npt.NDArray[Any]:
        """(E,) sums of ``values`` by episode; integers stay integers. ``episode`` must be sorted."""
        if np.issubdtype(values.dtype, np.floating):
            return np.bincount(episode, values, self.count)[: self.count]
        total = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
        return np.diff(total[np.searchsorted(episode, np.arange(self.count + 1))])

    def fill_sum(self, values: npt.NDArray[Any], where: Bools | None = None) -> npt.NDArray[Any]:
        """(E,) sums over fills, of all or of those selected."""
        if where is None:
            return self.per_episode(values, self.fill_episode)
        return self.per_episode(values[where], self.fill_episode[where])

    def order_sum(self, values: npt.NDArray[Any], where: Bools | None = None) -> npt.NDArray[Any]:
        """(E,) sums over orders, of all or of those selected."""
        episode = self.episodes.orders["episode"]
        return self.per_episode(values, episode) if where is None else self.per_episode(values[where], episode[where])

    # --- fills and orders ---

    @cached_property
    def fill_episode(self) -> Ints:
        """(F,) the episode of each fill."""
        return np.ascontiguousarray(self.episodes.fills["episode"])

    @cached_property
    def sign(self) -> Ints:
        """(F,) +1 where the fill bought, -1 where it sold."""
        return np.where(self.episodes.fills["side"] == OrderSide.BID, 1, -1).astype(np.int64)

    @cached_property
    def quantity(self) -> Ints:
        """(F,) lots."""
        return np.ascontiguousarray(self.episodes.fills["quantity"])

    @cached_property
    def ordinary(self) -> Bools:
        """(F,) fills of the strategy's own orders, the forced close left out."""
        return ~self.episodes.fills["closing"]

    @cached_property
    def volume(self) -> Ints:
        """(E,) lots that own orders traded."""
        return self.fill_sum(self.quantity, self.ordinary)

    @cached_property
    def start_position(self) -> Ints:
        """(E,) position at the start, lots: 0, or what a parent order owes (minus its signed quantity)."""
        held = self.episodes.inventory
        return held[:, 0].copy() if held.shape[1] else np.zeros(self.count, np.int64)

    @cached_property
    def position_after(self) -> Ints:
        """(F,) position after each fill, lots."""
        running = np.cumsum(self.sign * self.quantity)
        first = np.searchsorted(self.fill_episode, np.arange(self.count))
        before = np.where(first > 0, running[np.maximum(first - 1, 0)], 0) if len(running) else first * 0
        return running + (self.start_position - before)[self.fill_episode]

    @cached_property
    def position_before(self) -> Ints:
        """(F,) position just before each fill, lots."""
        return self.position_after - self.sign * self.quantity

    @cached_property
    def held_for(self) -> Floats:
        """(F,) seconds for which the position after each fill is held: until the next fill, or the end."""
        until = self.duration_ns[self.fill_episode].copy()
        time = self.episodes.fills["time"]
        same = self.fill_episode[1:] == self.fill_episode[:-1]
        until[:-1][same] = time[1:][same]
        return np.maximum(until - time, 0) / 1e9

    @cached_property
    def last_position(self) -> Ints:
        """(E,) position after the last fill of the episode (0 where the close succeeded), lots."""
        return self.start_position + self.fill_sum(self.sign * self.quantity)

    @cached_property
    def order_count(self) -> Ints:
        """(E,) own orders."""
        return np.bincount(self.episodes.orders["episode"], minlength=self.count).astype(np.int64)

    @cached_property
    def order_sign(self) -> Ints:
        """(O,) +1 for an order to buy, -1 for one to sell."""
        return np.where(self.episodes.orders["side"] == OrderSide.BID, 1, -1).astype(np.int64)

    def position_at(self, when: Ints) -> Ints:
        """(E, K) position at (E, K) times, fills of that time included, the forced close left out."""
        mine = self.ordinary
        time, episode = self.episodes.fills["time"][mine], self.fill_episode[mine]
        span = int(max(time.max(initial=0), when.max(initial=0))) + 1
        rows = np.arange(self.count)[:, None]
        running = np.concatenate([[0], np.cumsum((self.sign * self.quantity)[mine])])
        index = np.searchsorted(episode * span + time, (when + rows * span).ravel(), side="right")
        since_start = running[index].reshape(when.shape) - running[np.searchsorted(episode, rows)]
        return since_start + self.start_position[:, None]

    # --- the mid ---

    @cached_property
    def has_mid(self) -> Bools:
        """(E,) whether the mid's path was recorded."""
        return np.bincount(self.episodes.mids["episode"], minlength=self.count) > 0

    def mid2_at(self, episode: Ints, when: Ints, without_orders: bool = False) -> Ints:
        """Twice the others' mid of the given episodes at the given times (ns since the start), half-ticks.

        Before an episode's first record it is that record's. *without_orders*: of the counterfactual.

        Raises:
            DataError: an episode without a record of its mid.
        """
        key, first, low, span, mid2 = self.once(_index_without_orders if without_orders else _mid_index)
        if len(episode) and (len(mid2) == 0 or np.any(first[1:][episode] == first[:-1][episode])):
            raise DataError(f"{self.episodes.name}: an episode with orders or fills has no record of the mid")
        clipped = np.clip(when - low, 0, span - 1)
        index = np.searchsorted(key, episode * span + clipped, side="right") - 1
        return mid2[np.maximum(index, first[episode])] if len(episode) else np.zeros(0, np.int64)

    @cached_property
    def mid2_grid(self) -> Ints:
        """(E, K+1) twice the others' mid at the edges of the clock intervals; 0 where it was not recorded."""
        out = np.zeros(self.grid.shape, np.int64)
        known = np.flatnonzero(self.has_mid)
        when = self.grid[known]
        out[known] = self.mid2_at(np.repeat(known, when.shape[1]), when.ravel()).reshape(when.shape)
        return out


def _mid_index(panel: Panel) -> tuple[Ints, Ints, int, int, Ints]:
    return _index_mids(panel.episodes)


def _index_without_orders(panel: Panel) -> tuple[Ints, Ints, int, int, Ints]:
    assert panel.counterfactual is not None
    return _index_mids(panel.counterfactual)


def _index_mids(episodes: Episodes) -> tuple[Ints, Ints, int, int, Ints]:
    """Sorted keys of the mid's records, the first record of each episode, lowest time, span, and the mids."""
    mids = episodes.mids
    low = int(min(mids["time"].min(initial=0), 0))
    span = int(max(mids["time"].max(initial=0), episodes.time.max(initial=0))) - low + 1
    episode = np.ascontiguousarray(mids["episode"])
    first = np.searchsorted(episode, np.arange(len(episodes) + 1))
    return episode * span + mids["time"] - low, first, low, span, np.ascontiguousarray(mids["mid2"])
