"""Facts about the price: volatility at several horizons, kurtosis, memory of returns and of their size."""

from __future__ import annotations

import numpy as np

from hft_gym.realism.facts import NO_CURVE, Curve, Floats, Measured, Sample, fact
from hft_gym.realism.series import autocorrelation, clock_grid, decay_exponent, excess_kurtosis, log_bins, remembers

HORIZONS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
"""Horizons of returns [s]."""


def horizons(sample: Sample) -> list[int]:
    """Those of :data:`HORIZONS` that fit into the tape ten times."""
    return [h for h in HORIZONS if 10 * h <= sample.tape.seconds]


def overlapping(mids: Floats, steps: int) -> Floats:
    """Mid changes over *steps* grid steps, from every grid point."""
    return mids[steps:] - mids[:-steps]


def variance(mids: Floats, steps: int) -> float:
    """Mean square of the mid changes over *steps*, less the drift's."""
    return float(overlapping(mids, steps).var())


@fact(
    "volatility",
    "Volatility by horizon",
    formula="sigma(tau) = sd of m(t + tau) - m(t), overlapping, on the seconds of the clock",
    source="Cont 2001",
    x="horizon [s]",
    y="sd [ticks]",
    log="xy",
    values={"s1": "ticks", "s10": "ticks", "s60": "ticks", "s300": "ticks", "still_1s": "", "abs_1s": "ticks"},
)
def _volatility(sample: Sample) -> Measured:
    mids = sample.mids(1.0)
    use = horizons(sample)
    sd = np.array([np.sqrt(variance(mids, h)) for h in use])
    values = {f"s{h}": float(sd[use.index(h)]) if h in use else float("nan") for h in (1, 10, 60, 300)}
    moves = np.diff(mids)
    values["still_1s"] = float((moves == 0).mean())
    values["abs_1s"] = float(np.abs(moves).mean())
    return Measured(values, Curve(np.array(use, float), sd))


@fact(
    "signature",
    "Signature plot",
    formula="C(tau) = Var(m(t + tau) - m(t)) / tau; flatness = max / min - 1 over 1, 2, 5, 10 min",
    source="Bacry, Delattre, Hoffmann, Muzy 2013",
    x="horizon [s]",
    y="variance per second [ticks^2/s]",
    log="x",
    values={"c1": "ticks^2/s", "c60": "ticks^2/s", "c1_over_c60": "", "flatness": ""},
)
def _signature(sample: Sample) -> Measured:
    mids = sample.mids(1.0)
    use = horizons(sample)
    c = np.array([variance(mids, h) / h for h in use])
    nan = float("nan")
    value = dict(zip(use, c.tolist(), strict=True))
    minutes = [value[h] for h in (60, 120, 300, 600) if h in value]
    values = {"c1": value.get(1, nan), "c60": value.get(60, nan)}
    values["c1_over_c60"] = values["c1"] / values["c60"] if values["c60"] else nan
    values["flatness"] = max(minutes) / min(minutes) - 1.0 if len(minutes) == 4 and min(minutes) > 0 else nan
    return Measured(values, Curve(np.array(use, float), c))


@fact(
    "kurtosis",
    "Fat tails by horizon",
    formula="m4 / m2^2 - 3 of the mid changes over tau, overlapping",
    source="Cont 2001: large at short horizons, towards 0 by aggregation",
    x="horizon [s]",
    y="excess kurtosis",
    log="x",
    values={"k1": "", "k10": "", "k60": "", "k600": ""},
)
def _kurtosis(sample: Sample) -> Measured:
    mids = sample.mids(1.0)
    use = horizons(sample)
    k = np.array([excess_kurtosis(overlapping(mids, h)) for h in use])
    values = {f"k{h}": float(k[use.index(h)]) if h in use else float("nan") for h in (1, 10, 60, 600)}
    return Measured(values, Curve(np.array(use, float), k))


@fact(
    "acf_returns",
    "Memory of returns",
    formula="autocorrelation of 1 s mid changes; lag 1 also of 10 s and 1 min ones",
    source="Cont 2001: none",
    x="lag [s]",
    y="autocorrelation",
    log="x",
    values={"lag1": "", "lag2": "", "lag10": "", "lag1_10s": "", "lag1_60s": ""},
)
def _acf_returns(sample: Sample) -> Measured:
    lags = log_bins(1, 100)
    rho = autocorrelation(np.diff(sample.mids(1.0)), lags)
    values = {f"lag{h}": float(rho[lags == h][0]) for h in (1, 2, 10)}
    for step in (10, 60):
        moves = np.diff(sample.mids(float(step)))
        values[f"lag1_{step}s"] = float(autocorrelation(moves, [1])[0])
    return Measured(values, Curve(lags.astype(float), rho))


@fact(
    "acf_volatility",
    "Memory of volatility",
    formula="autocorrelation of |1 s mid changes| ~ lag^-b, b fitted to means over logarithmic bins of lags 1 to 300 s "
    "if the mean from lag 10 to 100 is three standard errors above zero",
    source="Cont 2001: b 0.2 to 0.4",
    x="lag [s]",
    y="autocorrelation",
    log="xy",
    values={"lag1": "", "lag10": "", "lag60": "", "exponent": ""},
)
def _acf_volatility(sample: Sample) -> Measured:
    moves = np.abs(np.diff(sample.mids(1.0)))
    last = min(300, len(moves) // 4)
    nan = float("nan")
    if last < 10:
        return Measured(dict.fromkeys(("lag1", "lag10", "lag60", "exponent"), nan), NO_CURVE)
    lags = np.arange(1, last + 1)
    rho = autocorrelation(moves, lags)
    values = {f"lag{h}": float(rho[h - 1]) if h <= last else nan for h in (1, 10, 60)}
    values["exponent"] = -decay_exponent(lags, rho).exponent if remembers(rho, len(moves)) else nan
    shown = log_bins(1, last)
    return Measured(values, Curve(shown.astype(float), rho[shown - 1]))


@fact(
    "volume_volatility",
    "Volume and volatility",
    formula="correlation of traded volume and |mid change| over the minutes",
    source="Cont 2001; Karpoff 1987: positive",
    x="decile of volume",
    y="mean |mid change| in 1 min [ticks]",
    values={"correlation": ""},
)
def _volume_volatility(sample: Sample) -> Measured:
    grid = clock_grid(sample.tape, 60.0)
    move = np.abs(np.diff(sample.mids(60.0)))
    empty = Measured({"correlation": float("nan")}, NO_CURVE)
    if len(move) < 10:
        return empty
    t = sample.trades
    volume = np.bincount(np.searchsorted(grid, t.time, side="left"), t.volume, len(grid) + 1)[1 : len(move) + 1]
    if not volume.std() > 0 or not move.std() > 0:
        return empty
    groups = np.array_split(np.argsort(volume, kind="stable"), 10)
    mean = np.array([move[g].mean() for g in groups])
    return Measured({"correlation": float(np.corrcoef(volume, move)[0, 1])}, Curve(np.arange(1.0, 11.0), mean))
