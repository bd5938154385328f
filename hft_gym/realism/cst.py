"""The estimators of Cont, Stoikov and Talreja (2010, section 2.3): the plain flow to beat, fitted to the same tape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.errors import ConfigError
from hft_gym.flow import FlowConfig
from hft_gym.flow.random import TABLE_SIZE
from hft_gym.market.config import MarketConfig
from hft_gym.market.tape import Tape, TapeKind
from hft_gym.realism.series import trades
from hft_gym.types import OrderSide

__all__ = ["CstFit", "fit_cst"]

Floats = NDArray[np.float64]
RARE, FEW = 0.01, 10
"""A distance's cancel rate is estimated from this share of the fullest one's volume and this many cancellations on."""


@dataclass(frozen=True)
class CstFit:
    """Rates per second and side by the distance i = 1, 2, ... ticks from the opposite best price, in orders of *unit*
    lots, and their standard errors (of Poisson counts).

    Attributes:
        limit_rates, limit_errors: ``(D,)`` limit orders: N_l(i) / T.
        cancel_rates, cancel_errors: ``(D,)`` cancellations of each resting unit: N_c(i) / (T Q_i) S_c / S_l; 0 where
            too little rested or was cancelled to tell.
        market_rate, market_error: market orders: N_m / T S_m / S_l.
        resting: ``(D,)`` mean number of units that rest at each distance, Q_i.
        unit: S_l, the mean size of a limit order [lots].
        mid: last mid [ticks].
        seconds: T.
    """

    limit_rates: Floats
    limit_errors: Floats
    cancel_rates: Floats
    cancel_errors: Floats
    market_rate: float
    market_error: float
    resting: Floats
    unit: float
    mid: float
    seconds: float

    @property
    def lot(self) -> int:
        """Lots of the data that one lot of `market` stands for."""
        return max(1, round(self.unit))

    def flow(self) -> FlowConfig:
        """The flow with these rates.

        The table's entries cover as few ticks each as let it hold 95 % of the limit orders; what is farther off is put
        into the last entry.
        """
        share = np.cumsum(self.limit_rates) / self.limit_rates.sum()
        width = -(-int(np.searchsorted(share, 0.95) + 1) // TABLE_SIZE)
        padded = np.zeros(width * TABLE_SIZE)
        kept = min(len(padded), len(self.limit_rates))
        padded[:kept] = self.limit_rates[:kept]
        padded[-1] += self.limit_rates[kept:].sum()
        cancel = self.cancel_rates[:TABLE_SIZE].copy()
        # Where nothing was seen to rest the rate of the nearest distance holds.
        seen = np.flatnonzero(cancel > 0)
        if not len(seen):
            raise ConfigError("the tape has no cancellations; the model needs some")
        cancel = cancel[seen[np.argmin(np.abs(np.arange(len(cancel))[:, None] - seen), axis=1)]]
        return FlowConfig(
            limit_rates=tuple(padded.reshape(TABLE_SIZE, width).sum(1).tolist()),
            distance_width=width,
            cancel_rates=tuple(cancel.tolist()),
            market_rate=self.market_rate,
        )

    def market(self, **settings: Any) -> MarketConfig:
        """A market with this flow, warmed up and with room for its book; *settings* replace `MarketConfig`'s."""
        flow = self.flow()
        mean_orders = 2.0 * float(self.resting.sum())
        rate = float(np.average(self.cancel_rates, weights=self.resting)) if mean_orders > 0 else 1.0
        chosen: dict[str, Any] = {
            "flow": flow,
            "initial_price": max(round(self.mid), 4 * TABLE_SIZE * flow.distance_width),
            "warm_up_ns": round(min(max(5.0 / max(rate, 1e-6), 5.0), 1_800.0) * 1e9),
            "levels": 1024,
            "max_orders": int(min(max(1024, 8 * mean_orders), 2**17)),
        }
        return MarketConfig(**(chosen | settings))


def fit_cst(tape: Tape, distances: int = 4 * TABLE_SIZE) -> CstFit:
    """Fit to a tape with depth.

    Only what the tape shows of the book counts: resting volume beyond its levels is not seen, nor are its
    cancellations.

    Args:
        tape: the data.
        distances: how many ticks from the opposite best to keep.

    Raises:
        ConfigError: no depth, no limit orders, or no trades.
    """
    r = tape.records
    limit, cancel = r["kind"] == TapeKind.LIMIT, (r["kind"] == TapeKind.CANCEL) | (r["kind"] == TapeKind.REDUCE)
    t = trades(tape)
    if tape.levels < 1 or not limit.any() or not len(t):
        raise ConfigError(
            f"the tape has {tape.levels} levels, {int(limit.sum())} limit orders, {len(t)} trades; the model needs some"
        )
    seconds = tape.seconds
    buy = r["side"] == OrderSide.BID
    opposite = np.where(buy, tape.before("ask"), tape.before("bid"))
    known = np.where(buy, tape.before("ask_volume"), tape.before("bid_volume")) > 0
    distance = np.where(buy, opposite - r["price"], r["price"] - opposite)
    inside = known & (distance >= 1) & (distance <= distances)
    unit = float(r["quantity"][limit].mean())

    # A cancellation counts where the volume counts that it was drawn from: on the levels in view.
    before = np.concatenate([tape.opening[None, :, :], tape.book[:-1]])
    price = np.where(buy[:, None], before[:, :, 2], before[:, :, 0])
    volume = np.where(buy[:, None], before[:, :, 3], before[:, :, 1])
    cancel &= ((price == r["price"][:, None]) & (volume > 0)).any(1)

    def counts(rows: NDArray[np.bool_]) -> Floats:
        return np.bincount(distance[rows & inside] - 1, minlength=distances).astype(float)

    resting = _resting(tape, distances) / unit
    n_limit, n_cancel = counts(limit), counts(cancel)
    size = float(r["quantity"][cancel].mean()) / unit if cancel.any() else 1.0
    # Rates of distances at which hardly anything rests, or hardly anything was cancelled, are noise.
    usable = (resting > RARE * resting.max()) & (n_cancel >= FEW)
    exposure = np.where(usable, 2.0 * seconds * resting, np.inf)
    ratio = float(t.volume.mean()) / unit
    last = r[-1]
    return CstFit(
        n_limit / (2.0 * seconds),
        np.sqrt(n_limit) / (2.0 * seconds),
        n_cancel / exposure * size,
        np.sqrt(n_cancel) / exposure * size,
        len(t) / (2.0 * seconds) * ratio,
        np.sqrt(len(t)) / (2.0 * seconds) * ratio,
        resting,
        unit,
        float(last["bid"] + last["ask"]) / 2.0,
        seconds,
    )


def _resting(tape: Tape, distances: int) -> Floats:
    """Mean lots that rest at each distance from the opposite best price, of one side."""
    books = np.concatenate([tape.opening[None], tape.book])
    times = np.concatenate([[tape.start], tape["time"], [max(tape.end, int(tape["time"][-1]))]])
    weight = np.diff(times) / 1e9
    total = np.zeros(distances)
    for own, other, sign in ((0, 2, 1), (2, 0, -1)):
        distance = sign * (books[:, :, own] - books[:, :1, other])
        volume = books[:, :, own + 1] * weight[:, None]
        good = (books[:, :, own + 1] > 0) & (books[:, :1, other + 1] > 0) & (distance >= 1) & (distance <= distances)
        total += np.bincount(distance[good] - 1, volume[good], distances)
    found: Floats = total / (2.0 * weight.sum())
    return found
