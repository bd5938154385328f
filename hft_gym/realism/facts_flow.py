"""Facts about flow and price together: memory of signs, order flow imbalance, response, spread against impact, what the
queues foretell, and how the spread recovers."""

from __future__ import annotations

from typing import Any

import numpy as np

from hft_gym.realism.facts import NO_CURVE, Curve, Floats, Measured, Sample, fact
from hft_gym.realism.microprice import fit_micro_price
from hft_gym.realism.series import (
    NS,
    Quotes,
    auc,
    autocorrelation,
    clock_grid,
    decay_exponent,
    fit_power_law,
    log_bins,
    remembers,
)

_NAN = float("nan")
WINDOW = 10.0
"""Seconds over which order flow imbalance is summed."""
BLOCK = 1_800.0
"""Seconds of the sub-samples over which its R2 is averaged."""


def _nothing(*names: str) -> Measured:
    return Measured(dict.fromkeys(names, _NAN), NO_CURVE)


@fact(
    "acf_signs",
    "Memory of trade signs",
    formula="autocorrelation of the aggressors' signs, in trades ~ lag^-gamma, fitted to means over logarithmic bins "
    "if the mean from lag 10 to 100 is three standard errors above zero; lag1000: mean of lags 563 to 1000",
    source="Lillo, Farmer 2004; Bouchaud et al. 2004: gamma 0.4 to 0.8",
    x="lag [trades]",
    y="autocorrelation",
    log="xy",
    values={"lag1": "", "lag10": "", "lag100": "", "lag1000": "", "exponent": ""},
)
def _acf_signs(sample: Sample) -> Measured:
    sign = sample.trades.sign
    last = min(1_000, len(sign) // 10)
    if last < 10:
        return _nothing("lag1", "lag10", "lag100", "lag1000", "exponent")
    lags = np.arange(1, last + 1)
    rho = autocorrelation(sign, lags)
    values = {f"lag{h}": float(rho[h - 1]) if h <= last else _NAN for h in (1, 10, 100)}
    # One lag alone is noise at large lags: the mean over the lags around it (half a decade).
    values["lag1000"] = float(rho[562:].mean()) if last == 1_000 else _NAN
    values["exponent"] = -decay_exponent(lags, rho).exponent if remembers(rho, len(sign)) else _NAN
    shown = log_bins(1, last)
    return Measured(values, Curve(shown.astype(float), rho[shown - 1]))


def order_flow_imbalance(q: Quotes) -> Floats:
    """Each state's contribution e_n to the order flow imbalance (0 for the first): Cont, Kukanov, Stoikov 2014, (2)."""
    e = np.zeros(len(q.time))
    up, down = q.bid[1:] >= q.bid[:-1], q.bid[1:] <= q.bid[:-1]
    e[1:] = up * q.bid_volume[1:] - down * q.bid_volume[:-1]
    up, down = q.ask[1:] >= q.ask[:-1], q.ask[1:] <= q.ask[:-1]
    e[1:] += up * q.ask_volume[:-1] - down * q.ask_volume[1:]
    return e


def windows(sample: Sample) -> tuple[Floats, Floats, Floats, Floats]:
    """Over windows of 10 s of the clock: mid change, order flow imbalance, signed trade volume, mean depth at the
    touch."""
    q, t = sample.quotes, sample.trades
    grid = clock_grid(sample.tape, WINDOW)
    n = len(grid) - 1
    move = np.diff(sample.mids(WINDOW))

    def total(time: Any, weight: Any) -> Any:
        return np.bincount(np.searchsorted(grid, time, side="left"), weight, n + 2)[1 : n + 1]

    ofi = total(q.time, order_flow_imbalance(q))
    traded = total(t.time, t.sign * t.volume)
    count = total(q.time, np.ones(len(q.time)))
    depth = total(q.time, (q.bid_volume + q.ask_volume) / 2.0)
    return move, ofi, traded, np.where(count > 0, depth / np.maximum(count, 1), np.nan)


def slope(x: Floats, y: Floats) -> tuple[float, float]:
    """Slope and R2 of the regression of y on x."""
    dx, dy = x - x.mean(), y - y.mean()
    xx, yy, xy = float(dx @ dx), float(dy @ dy), float(dx @ dy)
    return (xy / xx, xy * xy / (xx * yy)) if xx > 0 and yy > 0 else (_NAN, _NAN)


@fact(
    "ofi",
    "Order flow imbalance",
    formula="dP = beta OFI + e over 10 s, R2 averaged over half-hours (one block if shorter); beta ~ 1 / depth^lambda "
    "over fifths of the windows by depth; the same R2 for the signed traded volume",
    source="Cont, Kukanov, Stoikov 2014: R2 0.65, trades 0.32, lambda 1",
    x="mean depth at the touch [lots]",
    y="beta [ticks per lot]",
    log="xy",
    values={"r2": "", "beta": "ticks/lot", "depth_exponent": "", "trade_r2": ""},
)
def _ofi(sample: Sample) -> Measured:
    move, flow, traded, depth = windows(sample)
    per_block = int(BLOCK / WINDOW)
    if len(move) < 30:
        return _nothing("r2", "beta", "depth_exponent", "trade_r2")
    blocks = max(len(move) // per_block, 1)
    parts = [p for p in np.array_split(np.arange(len(move)), blocks) if len(p) >= 30]
    r2 = [slope(flow[p], move[p])[1] for p in parts]
    trade_r2 = [slope(traded[p], move[p])[1] for p in parts]
    known = np.flatnonzero(np.isfinite(depth))
    groups = np.array_split(known[np.argsort(depth[known])], 5)
    x = np.array([depth[g].mean() for g in groups])
    y = np.array([slope(flow[g], move[g])[0] if len(g) >= 6 else _NAN for g in groups])
    values = {
        "r2": float(np.nanmean(r2)) if np.isfinite(r2).any() else _NAN,
        "beta": slope(flow, move)[0],
        "depth_exponent": -fit_power_law(x, y).exponent,
        "trade_r2": float(np.nanmean(trade_r2)) if np.isfinite(trade_r2).any() else _NAN,
    }
    return Measured(values, Curve(x, y))


def next_move(mid: Floats) -> Floats:
    """Sign of the next change of *mid* after each state; NaN where none follows."""
    moves = np.flatnonzero(np.diff(mid) != 0)
    at = np.searchsorted(moves, np.arange(len(mid)))
    sign = np.full(len(mid), np.nan)
    known = at < len(moves)
    i = moves[at[known]]
    sign[known] = np.sign(mid[i + 1] - mid[i])
    return sign


@fact(
    "imbalance",
    "What the queues foretell",
    formula="P(next mid move is up | I), I = (V_b - V_a) / (V_b + V_a), over the states of the book in ten bins; area "
    "under the ROC curve; monotone = rank correlation of the bins with their shares",
    source="Gould, Bonart 2016: AUC 0.7 to 0.8 large tick, 0.6 to 0.65 small tick",
    x="imbalance",
    y="P(next move up)",
    values={"auc": "", "monotone": "", "correlation": ""},
)
def _imbalance(sample: Sample) -> Measured:
    q = sample.quotes
    sign = next_move(q.mid)
    known = np.isfinite(sign)
    if known.sum() < 100:
        return _nothing("auc", "monotone", "correlation")
    i, up = q.imbalance[known], sign[known] > 0
    bins = np.clip(((i + 1.0) * 5.0).astype(np.int64), 0, 9)
    count = np.bincount(bins, minlength=10)
    share = np.bincount(bins, up, 10) / np.maximum(count, 1)
    used = count >= 20
    centre = (np.arange(10) + 0.5) / 5.0 - 1.0
    order = np.argsort(np.argsort(share[used]))
    rank = np.corrcoef(order, np.arange(used.sum()))[0, 1] if used.sum() > 2 else _NAN
    steady = i.std() > 0 and 0 < up.mean() < 1
    values = {
        "auc": auc(i, up),
        "monotone": float(rank),
        "correlation": float(np.corrcoef(i, sign[known])[0, 1]) if steady else _NAN,
    }
    return Measured(values, Curve(centre[used], share[used]))


def response_function(sample: Sample, lags: Any) -> Floats:
    """R(l) = E[sign_t (m_{t+l} - m_t)] in trades, m_t the mid just before trade t [ticks]."""
    t = sample.trades
    found = []
    for lag in np.asarray(lags, np.int64):
        moved = t.mid[lag:] - t.mid[: len(t) - lag] if lag < len(t) else np.zeros(0)
        found.append(float((t.sign[: len(moved)] * moved).mean()) if len(moved) else _NAN)
    return np.array(found)


@fact(
    "response",
    "Response to trades",
    formula="R(l) = E[sign_t (m_{t+l} - m_t)] over l trades; growth = mean of R from l = 300 on (or the last third of "
    "the lags) over R(1)",
    source="Bouchaud, Gefen, Potters, Wyart 2004: grows by a factor 1.3 to 3",
    x="lag [trades]",
    y="R [ticks]",
    log="x",
    values={"r1": "ticks", "r10": "ticks", "r100": "ticks", "growth": "", "after_1s": "ticks", "after_10s": "ticks"},
)
def _response(sample: Sample) -> Measured:
    t, q = sample.trades, sample.quotes
    last = min(1_000, len(t) // 10)
    if last < 10:
        return _nothing("r1", "r10", "r100", "growth", "after_1s", "after_10s")
    lags = log_bins(1, last)
    r = response_function(sample, lags)
    values = {f"r{h}": float(response_function(sample, np.array([h]))[0]) if h <= last else _NAN for h in (1, 10, 100)}
    far = lags >= min(300, last // 3)
    values["growth"] = float(r[far].mean() / r[0]) if r[0] > 0 else _NAN
    for seconds in (1, 10):
        at = np.searchsorted(q.time, t.time + seconds * NS, side="right") - 1
        values[f"after_{seconds}s"] = float((t.sign * (q.mid[at] - t.mid)).mean())
    return Measured(values, Curve(lags.astype(float), r))


@fact(
    "spread_impact",
    "Spread against impact",
    formula="mean spread at trades S against 2 R(1) / (1 - C(1)), C the signs' autocorrelation; ratio of the two",
    source="Wyart, Bouchaud, Kockelkoren, Potters, Vettorazzo 2008: slope 1",
    x="spread before the trade [ticks]",
    y="R(1) [ticks]",
    values={"spread": "ticks", "bound": "ticks", "ratio": ""},
)
def _spread_impact(sample: Sample) -> Measured:
    t = sample.trades
    if len(t) < 100:
        return _nothing("spread", "bound", "ratio")
    r1 = response_function(sample, np.array([1]))[0]
    c1 = autocorrelation(t.sign, [1])[0]
    bound = 2.0 * r1 / (1.0 - c1) if c1 < 1 else _NAN
    mean = float(t.spread.mean())
    moved = t.sign[:-1] * (t.mid[1:] - t.mid[:-1])
    wide, index, count = np.unique(t.spread[:-1], return_inverse=True, return_counts=True)
    used = count >= 20
    y = np.bincount(index, moved) / count
    values = {"spread": mean, "bound": float(bound), "ratio": mean / bound if bound > 0 else _NAN}
    return Measured(values, Curve(wide[used].astype(float), y[used]))


@fact(
    "spread_recovery",
    "Recovery of the spread",
    formula="G(tau) = E[s(t + tau) - its mean of that five minutes | the spread opened at t by at least a tick and a "
    "quarter of its mean] ~ tau^-x, fitted from 0.1 s to 1 min or to where a fiftieth is left",
    source="Ponzi, Lillo, Mantegna 2009: x 0.4 to 0.5",
    x="time since the spread opened [s]",
    y="excess spread [ticks]",
    log="xy",
    values={"exponent": "", "r2": "", "left_1s": "", "left_10s": ""},
)
def _spread_recovery(sample: Sample) -> Measured:
    q = sample.quotes
    s = q.spread.astype(float)
    mean = float(s @ q.duration / q.duration.sum())
    opened = np.flatnonzero(np.diff(s) >= max(1.0, mean / 4.0)) + 1
    tau = np.geomspace(0.1, 60.0, 20)
    opened = opened[q.time[opened] + tau[-1] * NS <= sample.tape.end]
    if len(opened) < 50:
        return _nothing("exponent", "r2", "left_1s", "left_10s")
    block = (q.time - q.time[0]) // (300 * NS)
    local = np.bincount(block, s * q.duration) / np.maximum(np.bincount(block, q.duration), 1e-9)
    excess = s - local[block]
    start = float(excess[opened].mean())

    def after(wait: float) -> float:
        at = np.searchsorted(q.time, q.time[opened] + int(wait * NS), side="right") - 1
        return float(excess[at].mean())

    g = np.array([after(wait) for wait in tau])
    # What is left after the noise has swallowed it is no power law.
    gone = np.flatnonzero(g < start / 50.0)
    stop = int(gone[0]) if len(gone) else len(g)
    fit = fit_power_law(tau[:stop], g[:stop])
    values = {"exponent": -fit.exponent, "r2": fit.r2, "left_1s": after(1.0) / start, "left_10s": after(10.0) / start}
    return Measured(values, Curve(tau, g))


@fact(
    "micro_price",
    "Micro-price",
    formula="sqrt(mean over states of E[m(t + h) - P(t) | state]^2, less trend and sampling error), h = 10 mid moves, "
    "P the micro-price fitted on the first half and tested on the second, or the mid itself",
    source="Stoikov 2018: the micro-price is a martingale, the mid is not",
    x="imbalance",
    y="micro-price - mid [ticks]",
    values={"bias": "ticks", "mid_bias": "ticks", "ratio": ""},
)
def _micro_price(sample: Sample) -> Measured:
    q = sample.quotes
    if len(q.time) < 2_000:
        return _nothing("bias", "mid_bias", "ratio")
    half = len(q.time) // 2
    model = fit_micro_price(q.spread[:half], q.imbalance[:half], q.mid[:half])
    if model is None:
        return _nothing("bias", "mid_bias", "ratio")
    spread, i, mid = q.spread[half:], q.imbalance[half:], q.mid[half:]
    moves = np.flatnonzero(np.diff(mid) != 0) + 1
    at = np.searchsorted(moves, np.arange(len(mid)), side="right") + 9
    known = at < len(moves)
    if known.sum() < 1_000:
        return _nothing("bias", "mid_bias", "ratio")
    state = model.state(spread, i)[known]
    future = mid[moves[at[known]]] - mid[known]
    shift = model.adjustment[state]
    # Neighbouring states share their future: the number of independent ones is that of the mid moves.
    thinning = max(known.sum() / max(len(moves), 1), 1.0)
    bias = _state_bias(future - shift, state, thinning)
    mid_bias = _state_bias(future, state, thinning)
    values = {"bias": bias, "mid_bias": mid_bias, "ratio": bias / mid_bias if mid_bias > 0 else _NAN}
    return Measured(values, model.curve())


def _state_bias(error: Floats, state: Any, thinning: float) -> float:
    """Root of the mean squared conditional mean of *error* by *state*, less what sampling alone would give."""
    # A trend of the whole tape is no fault of the price.
    error = error - error.mean()
    count = np.bincount(state)
    mean = np.bincount(state, error) / np.maximum(count, 1)
    square = np.bincount(state, error**2) / np.maximum(count, 1) - mean**2
    noise = square / np.maximum(count / thinning, 1.0)
    weight = count / count.sum()
    return float(np.sqrt(max(float(weight @ (mean**2 - noise)), 0.0)))
