"""The arrays that the metrics share, computed once per set of episodes.

A *panel* adds to `Episodes` the clock grid of equity, the running position at every fill, and the
attribution in integers. Everything is vectorised over episodes; nothing here is a metric.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hft_gym.errors import DataError
from hft_gym.evaluation.episodes import Episodes
from hft_gym.market.records import SUBUNITS
from hft_gym.types import OrderSide

__all__ = ["Panel", "ratio"]

SUBUNITS_PER_HALF_TICK_LOT = SUBUNITS // 2

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Panel:
    """Episodes with the derived arrays that metrics are made of.

    Args:
        episodes: what was measured.
        interval_s: the clock grid of the interval metrics (volatility, Sharpe, Sortino, wins and losses),
            seconds.
    """

    def __init__(self, episodes: Episodes, interval_s: float = 1.0) -> None:
        self.episodes = episodes
        self.interval_s = interval_s
        self.count = len(episodes)

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
    def drawdown(self) -> Floats:
        """(E, T+1) distance below the running peak of equity, >= 0, ticks·lots."""
        return np.maximum.accumulate(self.equity, axis=1) - self.equity

    @cached_property
    def increments(self) -> Floats:
        """(E, K) P&L of each clock interval, ticks·lots; NaN past an episode's end.

        The last interval of an episode ends with it, so the increments add up to the net P&L.
        """
        step = round(self.interval_s * 1e9)
        intervals = -(-self.duration_ns // step)
        most = int(intervals.max(initial=0))
        if most == 0:
            return np.full((self.count, 0), np.nan)
        grid = np.minimum(np.arange(most + 1)[None, :] * step, self.duration_ns[:, None])
        values = self.equity_at(grid)
        return np.where(np.arange(most)[None, :] < intervals[:, None], np.diff(values, axis=1), np.nan)

    def equity_at(self, when: Ints) -> Floats:
        """(E, K) equity at (E, K) times (ns since the start): after the last decision at or before each."""
        time = self.episodes.time
        span = int(time.max(initial=0)) + 1
        rows = np.arange(self.count)[:, None]
        flat = (time + rows * span).ravel()
        index = np.searchsorted(flat, (np.minimum(when, span - 1) + rows * span).ravel(), side="right") - 1
        return self.equity.ravel()[index].reshape(when.shape)

    # --- fills ---

    def per_episode(self, values: npt.NDArray[Any], episode: Ints) -> npt.NDArray[Any]:
        """(E,) sums of ``values`` by episode; integers stay integers."""
        kind = np.int64 if np.issubdtype(values.dtype, np.integer) or values.dtype == bool else np.float64
        total = np.zeros(self.count, kind)
        np.add.at(total, episode, values.astype(kind, copy=False))
        return total

    def fill_sum(self, values: npt.NDArray[Any], where: Bools | None = None) -> npt.NDArray[Any]:
        """(E,) sums over fills, of all or of those selected."""
        if where is None:
            return self.per_episode(values, self.fill_episode)
        return self.per_episode(values[where], self.fill_episode[where])

    @cached_property
    def fill_episode(self) -> Ints:
        """(F,) the episode of each fill."""
        return self.episodes.fills["episode"]

    @cached_property
    def sign(self) -> Ints:
        """(F,) +1 where the fill bought, -1 where it sold."""
        return np.where(self.episodes.fills["side"] == OrderSide.BID, 1, -1).astype(np.int64)

    @cached_property
    def quantity(self) -> Ints:
        """(F,) lots."""
        return self.episodes.fills["quantity"]

    @cached_property
    def ordinary(self) -> Bools:
        """(F,) fills of the strategy's own orders, the forced close left out."""
        return ~self.episodes.fills["closing"]

    @cached_property
    def position_after(self) -> Ints:
        """(F,) position after each fill, lots, counted from 0 at the episode's start."""
        running = np.cumsum(self.sign * self.quantity)
        first = np.searchsorted(self.fill_episode, np.arange(self.count))
        before = np.where(first > 0, running[np.maximum(first - 1, 0)], 0) if len(running) else first * 0
        return running - before[self.fill_episode]

    @cached_property
    def position_before(self) -> Ints:
        """(F,) position just before each fill, lots."""
        return self.position_after - self.sign * self.quantity

    @cached_property
    def last_position(self) -> Ints:
        """(E,) position after the last fill of the episode (0 where the close succeeded), lots."""
        return self.fill_sum(self.sign * self.quantity)

    @cached_property
    def edge(self) -> Ints:
        """(F,) signed distance of the fill price from the mid just before it, times the lots, in sub-units.

        Positive where the fill earned a part of the spread.
        """
        fills = self.episodes.fills
        return self.sign * self.quantity * (fills["mid2"] - 2 * fills["price"]) * SUBUNITS_PER_HALF_TICK_LOT

    @cached_property
    def attribution(self) -> dict[str, Ints]:
        """Where the P&L came from: (E,) integers in sub-units.

        ``net = spread_captured + inventory + liquidation - fees``; each term stands alone (no residual is
        hidden in one of them), and `check_attribution` holds their sum against the accounts.
        """
        fills = self.episodes.fills
        mid2 = fills["mid2"]
        moved = np.zeros(len(fills), np.int64)
        if len(fills):
            same = self.fill_episode[1:] == self.fill_episode[:-1]
            moved[1:] = np.where(same, np.diff(mid2), 0)
        carried = self.fill_sum(self.position_before * moved)
        # What is still held after the last fill (a book too thin to close into) is marked at the last mid.
        last = np.searchsorted(self.fill_episode, np.arange(self.count), side="right") - 1
        held = self.last_position != 0
        if np.any(held):
            end_mid2 = np.rint(2 * self.episodes.mid[held, -1]).astype(np.int64)
            carried[held] += self.last_position[held] * (end_mid2 - mid2[last[held]])
        return {
            "spread_captured": self.fill_sum(self.edge, self.ordinary),
            "inventory": carried * SUBUNITS_PER_HALF_TICK_LOT,
            "liquidation": self.fill_sum(self.edge, ~self.ordinary),
            "fees": self.fill_sum(fills["fee"]),
        }

    @cached_property
    def net_subunits(self) -> Ints:
        """(E,) net P&L of the accounts, sub-units."""
        return np.rint(np.nan_to_num(self.net) * SUBUNITS).astype(np.int64)

    def check_attribution(self) -> None:
        """Hold the attribution's sum against the accounts.

        Raises:
            DataError: an episode whose logs do not explain its net P&L to the last sub-unit.
        """
        parts = self.attribution
        total = parts["spread_captured"] + parts["inventory"] + parts["liquidation"] - parts["fees"]
        wrong = np.flatnonzero(total != self.net_subunits)
        if len(wrong) and self.equity.shape[1]:
            e = int(wrong[0])
            raise DataError(
                f"{self.episodes.name}: in {len(wrong)} of {self.count} episodes the fills do not explain "
                f"the net P&L; seed {self.episodes.seeds[e]}: the parts sum to {int(total[e])}, the account "
                f"says {int(self.net_subunits[e])} sub-units"
            )

    # --- the mid ---

    def mid2_at(self, episode: Ints, when: Ints) -> Ints:
        """Twice the others' mid of the given episodes at the given times (ns since the start), half-ticks."""
        mids = self.episodes.mids
        low = int(min(mids["time"].min(initial=0), 0))
        span = int(max(mids["time"].max(initial=0), when.max(initial=0))) - low + 1
        index = np.searchsorted(
            mids["episode"] * span + mids["time"] - low, episode * span + when - low, side="right"
        )
        return mids["mid2"][index - 1]

    def markout(self, horizon_s: float) -> tuple[Floats, Floats]:
        """(E,) Σ lots · D (m(t+h) - P) in ticks·lots over ordinary fills, and (E,) the lots in it.

        Fills closer to the episode's end than the horizon are left out of both.
        """
        fills = self.episodes.fills
        when = fills["time"] + round(horizon_s * 1e9)
        use = self.ordinary & (when <= self.duration_ns[self.fill_episode])
        if not np.any(use):
            return np.zeros(self.count), np.zeros(self.count)
        ahead = self.mid2_at(self.fill_episode[use], when[use])
        gain = self.sign[use] * self.quantity[use] * (ahead - 2 * fills["price"][use]) / 2
        lots = self.quantity[use].astype(np.float64)
        return self.per_episode(gain, self.fill_episode[use]), self.per_episode(lots, self.fill_episode[use])

    # --- inventory ---

    @cached_property
    def mean_abs_position(self) -> Floats:
        """(E,) time average of |position| between the fills, lots; NaN where the episode has no length."""
        fills = self.episodes.fills
        held = np.abs(self.position_after)
        until = self.duration_ns[self.fill_episode].copy()
        if len(fills):
            same = self.fill_episode[1:] == self.fill_episode[:-1]
            until[:-1][same] = fills["time"][1:][same]
        area = self.fill_sum(held * np.maximum(until - fills["time"], 0))
        return ratio(area.astype(np.float64), self.duration_ns.astype(np.float64))

    def extreme_position(self, upper: bool) -> Ints:
        """(E,) largest (or smallest) position reached, lots; 0, the start, counts."""
        extreme = np.zeros(self.count, np.int64)
        (np.maximum if upper else np.minimum).at(extreme, self.fill_episode, self.position_after)
        return extreme


def ratio(top: Floats, bottom: Floats) -> Floats:
    """``top / bottom``, NaN where ``bottom`` is 0 or either is NaN."""
    out = np.full(np.broadcast(top, bottom).shape, np.nan)
    np.divide(top, bottom, out=out, where=np.asarray(bottom) != 0)
    return out
