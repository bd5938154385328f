"""What the measures are made of: series read off a tape, and the estimators that several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hft_gym.market.tape import Tape, TapeKind
from hft_gym.types import OrderSide

__all__ = [
    "PowerLaw",
    "Quotes",
    "Trades",
    "auc",
    "autocorrelation",
    "clock_grid",
    "decay_exponent",
    "excess_kurtosis",
    "fit_power_law",
    "hill",
    "log_bins",
    "mids_on_grid",
    "quotes",
    "remembers",
    "trades",
    "weighted_quantile",
]

Floats = NDArray[np.float64]
NS = 1_000_000_000


class Quotes(NamedTuple):
    """The best quotes over time, one row for each state of the book with both sides: the opening one and the one after
    each record.

    ``time`` [ns] and ``duration`` [s] of the state; ``bid``, ``ask`` [ticks]; ``bid_volume``, ``ask_volume`` [lots];
    ``row``: the record that made it, -1 for the opening state.
    """

    time: NDArray[np.int64]
    duration: Floats
    bid: NDArray[np.int64]
    ask: NDArray[np.int64]
    bid_volume: NDArray[np.int64]
    ask_volume: NDArray[np.int64]
    row: NDArray[np.int64]

    @property
    def mid(self) -> Floats:
        """(bid + ask) / 2 [ticks]."""
        return (self.bid + self.ask) / 2.0

    @property
    def spread(self) -> NDArray[np.int64]:
        """Ask - bid [ticks]."""
        return self.ask - self.bid

    @property
    def imbalance(self) -> Floats:
        """(V_bid - V_ask) / (V_bid + V_ask) at the touch."""
        return (self.bid_volume - self.ask_volume) / (self.bid_volume + self.ask_volume)


def quotes(tape: Tape) -> Quotes:
    """The best quotes of *tape* over time."""
    records = tape.records
    time = np.concatenate([[tape.start], records["time"]])
    duration = np.diff(np.append(time, max(tape.end, int(time[-1])))) / NS
    columns = []
    for at, name in enumerate(("ask", "ask_volume", "bid", "bid_volume")):
        columns.append(np.concatenate([[tape.opening[0, at]], records[name]]))
    ask, ask_volume, bid, bid_volume = columns
    both = (ask_volume > 0) & (bid_volume > 0)
    row = np.arange(-1, len(records))
    series: list[Any] = [a[both] for a in (time, duration, bid, ask, bid_volume, ask_volume, row)]
    return Quotes(*series)


def clock_grid(tape: Tape, step: float) -> NDArray[np.int64]:
    """The whole multiples of *step* [s] of the clock that the tape covers [ns]."""
    wide = round(step * NS)
    return np.arange(-(-tape.start // wide), tape.end // wide + 1, dtype=np.int64) * wide


def mids_on_grid(tape: Tape, step: float, found: Quotes | None = None) -> Floats:
    """The mid [ticks] at each point of `clock_grid`: the last one known then."""
    found = quotes(tape) if found is None else found
    at = np.searchsorted(found.time, clock_grid(tape, step), side="right") - 1
    return found.mid[np.maximum(at, 0)]


@dataclass(frozen=True)
class Trades:
    """The trades of a tape: visible executions of one aggressor at one time are one trade.

    Attributes:
        time: [ns]. sign: +1 bought, -1 sold by the aggressor. volume: [lots]. price: volume-weighted [ticks].
        mid, mid_after, spread: [ticks] just before, just after, just before. touch: best volume opposite the aggressor
            before it [lots]. first, last: records.
    """

    time: NDArray[np.int64]
    sign: NDArray[np.int64]
    volume: NDArray[np.int64]
    price: Floats
    mid: Floats
    mid_after: Floats
    spread: NDArray[np.int64]
    touch: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time)


def trades(tape: Tape) -> Trades:
    """The trades of *tape*; those that find a side empty before or after are left out.

    Executions of equal time and side are one trade if nothing but executions (hidden ones too) stands between them.
    """
    records = tape.records
    rows = np.flatnonzero(records["kind"] == TapeKind.EXECUTE)
    found = records[rows]
    new = np.ones(len(rows), bool)
    new[1:] = (np.diff(found["time"]) != 0) | (np.diff(found["side"].astype(np.int64)) != 0)
    starts = np.flatnonzero(new)
    if not len(starts):
        none, zero = np.zeros(0), np.zeros(0, np.int64)
        return Trades(zero, zero, zero, none, none, none, zero, zero, zero, zero)
    first, last = rows[starts], rows[np.append(starts[1:], len(rows)) - 1]
    volume = np.add.reduceat(found["quantity"], starts)
    value = np.add.reduceat(found["quantity"] * found["price"], starts)
    sign = np.where(found["side"][starts] == OrderSide.ASK, 1, -1)
    bid, ask = tape.before("bid")[first], tape.before("ask")[first]
    bid_volume, ask_volume = tape.before("bid_volume")[first], tape.before("ask_volume")[first]
    both = (bid_volume > 0) & (ask_volume > 0) & (records["bid_volume"][last] > 0) & (records["ask_volume"][last] > 0)
    columns = (
        records["time"][first],
        sign,
        volume,
        value / volume,
        (bid + ask) / 2.0,
        (records["bid"][last] + records["ask"][last]) / 2.0,
        ask - bid,
        np.where(sign > 0, ask_volume, bid_volume),
        first,
        last,
    )
    return Trades(*(c[both] for c in columns))


# -- estimators -------------------------------------------------------------------------------------------------


def autocorrelation(x: Any, lags: Any) -> Floats:
    """rho(l) = sum (x_t - m)(x_{t+l} - m) / sum (x_t - m)^2 at each of *lags*; NaN where a lag is not shorter than x.

    Divided by n, not n - l: the usual estimator (Brockwell and Davis 1991, 7.2.1), by the FFT.
    """
    values = np.asarray(x, float)
    lags = np.asarray(lags, np.int64)
    n = len(values)
    result = np.full(len(lags), np.nan)
    if n < 2:
        return result
    values = values - values.mean()
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(values, size)
    covariance = np.fft.irfft(spectrum * np.conj(spectrum), size)[:n]
    if covariance[0] > 0:
        inside = lags < n
        result[inside] = covariance[lags[inside]] / covariance[0]
    return result


def log_bins(low: int, high: int, per_decade: int = 8) -> NDArray[np.int64]:
    """Distinct whole numbers about equally far apart in logarithm, *low* and *high* included."""
    count = max(2, round(np.log10(high / low) * per_decade) + 1)
    return np.unique(np.round(np.geomspace(low, high, count)).astype(np.int64))


class PowerLaw(NamedTuple):
    """y = scale · x^exponent, fitted; ``error`` is the exponent's standard error (of the residuals of the fit, which
    neighbouring lags share: too small where they are correlated), ``r2`` that of the fit in logarithms, ``points`` how
    many were positive."""

    exponent: float
    scale: float
    error: float
    r2: float
    points: int


def fit_power_law(x: Any, y: Any) -> PowerLaw:
    """Least squares of log y on log x over the points at which both are positive.

    At least three are needed, else everything is NaN.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    good = (x > 0) & (y > 0) & np.isfinite(y)
    n = int(good.sum())
    if n < 3:
        return PowerLaw(np.nan, np.nan, np.nan, np.nan, n)
    u, v = np.log(x[good]), np.log(y[good])
    du = u - u.mean()
    slope = float(du @ v / (du @ du))
    residual = v - v.mean() - slope * du
    total = float(((v - v.mean()) ** 2).sum())
    r2 = 1.0 - float(residual @ residual) / total if total > 0 else 1.0
    error = float(np.sqrt(residual @ residual / (n - 2) / (du @ du)))
    return PowerLaw(slope, float(np.exp(v.mean() - slope * u.mean())), error, r2, n)


def decay_exponent(lags: Any, values: Any) -> PowerLaw:
    """`fit_power_law` of a correlation averaged over logarithmic bins of its *lags*, so that the noise of large lags
    (where values of either sign are met) averages out instead of being cut off at zero."""
    lags, values = np.asarray(lags, float), np.asarray(values, float)
    known = np.isfinite(values)
    lags, values = lags[known], values[known]
    if len(lags) < 3:
        return fit_power_law(lags, values)
    edges = np.geomspace(lags[0] * 0.999, lags[-1] * 1.001, max(4, round(np.log10(lags[-1] / lags[0]) * 5) + 1))
    which = np.digitize(lags, edges)
    groups = [which == k for k in np.unique(which)]
    x = [np.exp(np.log(lags[g]).mean()) for g in groups]
    return fit_power_law(x, [values[g].mean() for g in groups])


def remembers(rho: Any, n: int) -> bool:
    """True if the mean autocorrelation from lag 10 to 100 (*rho* begins at lag 1) of a series of *n* values is three
    standard errors above zero, 1 / sqrt(n) each: else there is no decay to fit."""
    far = np.asarray(rho, float)[9:100]
    return bool(far.mean() > 3.0 / np.sqrt(n * len(far))) if len(far) else False


def excess_kurtosis(x: Any) -> float:
    """m_4 / m_2^2 - 3 of the sample; NaN where it does not vary."""
    values = np.asarray(x, float)
    values = values - values.mean() if len(values) else values
    second = float((values**2).mean()) if len(values) else 0.0
    return float((values**4).mean() / second**2 - 3.0) if second > 0 else float("nan")


def hill(x: Any, share: float = 0.05) -> float:
    """Hill's (1975) estimate of the tail index alpha in P(X > x) ~ x^-alpha from the largest *share* of the sample.

    NaN with fewer than 20 values in the tail or none above its threshold.
    """
    values = np.sort(np.asarray(x, float))
    k = int(len(values) * share)
    if k < 20 or values[-k - 1] <= 0:
        return float("nan")
    excess = float(np.log(values[-k:] / values[-k - 1]).mean())
    return 1.0 / excess if excess > 0 else float("nan")


def auc(score: Any, positive: Any) -> float:
    """Area under the ROC curve: P(score of a positive > score of a negative) + half the ties (Mann, Whitney 1947)."""
    score, positive = np.asarray(score, float), np.asarray(positive, bool)
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if n1 == 0 or n0 == 0:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2.0
    return float((ranks[inverse][positive].sum() - n1 * (n1 + 1) / 2.0) / (n1 * n0))


def weighted_quantile(x: Any, weights: Any, q: Any) -> Floats:
    """The smallest values below or at which at least the share *q* of the weight lies."""
    x, weights = np.asarray(x, float), np.asarray(weights, float)
    order = np.argsort(x, kind="stable")
    cumulated = np.cumsum(weights[order])
    at = np.searchsorted(cumulated, np.atleast_1d(q) * cumulated[-1], side="left")
    return x[order][np.minimum(at, len(x) - 1)]
