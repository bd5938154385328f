"""LOB-Bench's scores (Nagy et al. 2025): how far the distributions of a generated tape are from a real one's.

21 unconditional and 3 conditional scores, each by two distances:

* L1 = 1/2 sum over bins of |p_real - p_generated|, bins by Freedman and Diaconis on the pooled values, or every value
  its own where there are few (0: alike, 1: disjoint);
* Wasserstein-1 of the values after subtracting the pooled mean and dividing by the pooled standard deviation.

Confidence intervals are bootstrapped over consecutive blocks of the tape instead of single values, which are not
independent: they are wider than those of independent draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hft_gym.errors import ConfigError
from hft_gym.market.tape import Tape, TapeKind
from hft_gym.realism.facts import Sample
from hft_gym.realism.facts_flow import order_flow_imbalance
from hft_gym.realism.series import NS
from hft_gym.types import OrderSide

__all__ = ["CONDITIONAL", "UNCONDITIONAL", "LobBench", "Score", "lob_bench"]

Floats = NDArray[np.float64]
WINDOW = 100
"""Messages over which order flow imbalance is averaged."""
SEQUENCE = 500
"""Messages of one sequence, for its volatility."""
BLOCKS = 40
"""Blocks that the bootstrap draws from."""
MAX_BINS = 100_000
DISCRETE = frozenset(
    ("spread", "limit_ask_level", "limit_bid_level", "cancel_ask_level", "cancel_bid_level", "spread | volatility")
)
UNCONDITIONAL = (
    "spread",
    "imbalance",
    "log_interarrival",
    "log_time_to_cancel",
    "ask_volume_touch",
    "bid_volume_touch",
    "ask_volume",
    "bid_volume",
    "limit_ask_depth",
    "limit_bid_depth",
    "cancel_ask_depth",
    "cancel_bid_depth",
    "limit_ask_level",
    "limit_bid_level",
    "cancel_ask_level",
    "cancel_bid_level",
    "volume_per_minute",
    "ofi",
    "ofi_up",
    "ofi_stay",
    "ofi_down",
)
"""The scores of one tape alone."""
CONDITIONAL = ("ask_volume | spread", "spread | hour", "spread | volatility")
"""Distances within groups of a condition, weighted by the pooled size of the groups."""


class Score(NamedTuple):
    """One score's two distances with 99 % intervals."""

    l1: float
    l1_low: float
    l1_high: float
    wasserstein: float
    wasserstein_low: float
    wasserstein_high: float


@dataclass(frozen=True)
class LobBench:
    """The scores of one generated tape against a real one.

    Attributes:
        scores: by name, in the order of the tables.
        summary: ``(mean, median, iqm)`` of ``l1`` and ``wasserstein`` over the scores, each (value, low, high).
        impact: mean over six kinds of events of the summed difference of their response functions [ticks].
        impact_by_event: the same by kind.
    """

    scores: dict[str, Score]
    summary: dict[str, dict[str, tuple[float, float, float]]]
    impact: float
    impact_by_event: dict[str, float]


class Values(NamedTuple):
    """A score's values with the time of each as a share of its tape, in [0, 1]."""

    value: Floats
    at: Floats


def values_of(sample: Sample, levels: int) -> dict[str, Values]:
    """The 21 unconditional scores' values, in messages' order."""
    tape, r = sample.tape, sample.tape.records
    position = np.arange(len(r)) / max(len(r), 1)
    both = (r["bid_volume"] > 0) & (r["ask_volume"] > 0)
    mid = np.where(both, (r["bid"] + r["ask"]) / 2.0, np.nan)
    found: dict[str, Values] = {}

    def put(name: str, value: Any, at: Any) -> None:
        value = np.asarray(value, float)
        good = np.isfinite(value)
        found[name] = Values(value[good], np.asarray(at, float)[good])

    put("spread", np.where(both, r["ask"] - r["bid"], np.nan), position)
    total = np.where(both, r["bid_volume"] + r["ask_volume"], 1)
    put("imbalance", np.where(both, (r["bid_volume"] - r["ask_volume"]) / total, np.nan), position)
    gap = np.diff(r["time"]) / 1e6
    put("log_interarrival", np.log(np.where(gap > 0, gap, 1e-9)), position[1:])
    put("log_time_to_cancel", *_time_to_cancel(r))
    for name, column in (("ask_volume", 1), ("bid_volume", 3)):
        touch = r[f"{name}"]
        put(f"{name}_touch", np.where(touch > 0, touch, np.nan), position)
        put(name, tape.book[:, :levels, column].sum(axis=1), position)
    limit, cancel = r["kind"] == TapeKind.LIMIT, (r["kind"] == TapeKind.CANCEL) | (r["kind"] == TapeKind.REDUCE)
    before = np.concatenate([tape.opening[None, :levels], tape.book[:-1, :levels]])
    for word, side, column in (("ask", OrderSide.ASK, 0), ("bid", OrderSide.BID, 2)):
        of_side = r["side"] == side
        for kind, rows, book in (("limit", limit, tape.book[:, :levels]), ("cancel", cancel, before)):
            chosen = rows & of_side
            put(f"{kind}_{word}_depth", np.abs(r["price"] - mid)[chosen], position[chosen])
            match = (book[chosen, :, column] == r["price"][chosen, None]) & (book[chosen, :, column + 1] > 0)
            put(f"{kind}_{word}_level", np.where(match.any(1), match.argmax(1) + 1.0, np.nan), position[chosen])
    put("volume_per_minute", *_volume_per_minute(sample))
    flow = order_flow_imbalance(sample.quotes)[1:]
    if len(flow) >= WINDOW:
        rolling = np.convolve(flow, np.full(WINDOW, 1.0 / WINDOW), "valid")
        at = np.linspace(0, 1, len(rolling), endpoint=False)
        step = np.sign(np.diff(sample.quotes.mid)[WINDOW:])
        put("ofi", rolling, at)
        for name, sign in (("ofi_up", 1), ("ofi_stay", 0), ("ofi_down", -1)):
            put(name, rolling[:-1][step == sign], at[:-1][step == sign])
    else:
        for name in ("ofi", "ofi_up", "ofi_stay", "ofi_down"):
            put(name, [], [])
    return {name: found[name] for name in UNCONDITIONAL}


def _time_to_cancel(r: Any) -> tuple[Any, Any]:
    """Log seconds from entry to the first cancellation, whole or in part, and its place."""
    entered = np.flatnonzero(r["kind"] == TapeKind.LIMIT)
    gone = np.flatnonzero((r["kind"] == TapeKind.CANCEL) | (r["kind"] == TapeKind.REDUCE))
    if not len(entered) or not len(gone):
        return np.zeros(0), np.zeros(0)
    _, first = np.unique(r["order_id"][gone], return_index=True)
    gone = gone[first]
    order = entered[np.argsort(r["order_id"][entered], kind="stable")]
    ids = r["order_id"][order]
    at = np.minimum(np.searchsorted(ids, r["order_id"][gone]), len(ids) - 1)
    known = ids[at] == r["order_id"][gone]
    seconds = (r["time"][gone[known]] - r["time"][order[at[known]]]) / NS
    place = gone[known] / len(r)
    by_time = np.argsort(place)
    return np.log(np.where(seconds > 0, seconds, 1e-9))[by_time], place[by_time]


def _volume_per_minute(sample: Sample) -> tuple[Any, Any]:
    """60 x the volume of each second that saw an execution."""
    r = sample.tape.records
    rows = np.flatnonzero(r["kind"] == TapeKind.EXECUTE)
    if not len(rows):
        return np.zeros(0), np.zeros(0)
    _, first, index = np.unique(r["time"][rows] // NS, return_index=True, return_inverse=True)
    return 60.0 * np.bincount(index, r["quantity"][rows]), rows[first] / len(r)


def _edges(pooled: Floats, discrete: bool) -> Floats:
    if discrete:
        unique = np.unique(pooled)
        return np.append(unique, unique[-1] + 1.0)
    if not np.ptp(pooled) > 0:
        return np.array([pooled[0], pooled[0] + 1.0])
    low, high = np.quantile(pooled, (0.25, 0.75))
    width = 2.0 * (high - low) / len(pooled) ** (1 / 3)
    bins = np.ptp(pooled) / width if width > 0 else 1.0
    found: Floats = np.histogram_bin_edges(pooled, "fd" if bins < MAX_BINS else MAX_BINS)
    return found


def _tables(real: Values, made: Values, edges: Floats) -> list[NDArray[np.float64]]:
    """Counts by block and bin of both tapes."""
    tables = []
    n = len(edges) - 1
    for values, at in (real, made):
        cell = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, n - 1)
        block = np.minimum((at * BLOCKS).astype(np.int64), BLOCKS - 1)
        tables.append(np.bincount(block * n + cell, minlength=BLOCKS * n).reshape(BLOCKS, n).astype(float))
    return tables


def _shares(counts: Floats) -> Floats:
    total = counts.sum(-1, keepdims=True)
    found: Floats = counts / np.where(total > 0, total, 1.0)
    return found


def _l1(real: Floats, made: Floats) -> Any:
    return 0.5 * np.abs(_shares(real) - _shares(made)).sum(-1)


def _w1(real: Floats, made: Floats, grid: Floats) -> Any:
    """Wasserstein-1 from counts on a grid of values: the area between the distribution functions."""
    gap = np.cumsum(_shares(real) - _shares(made), axis=-1)[..., :-1]
    return np.abs(gap) @ np.diff(grid)


def wasserstein(x: Any, y: Any) -> float:
    """The Wasserstein-1 distance of two samples: the integral of |F_x - F_y| (Vallender 1974)."""
    x, y = np.sort(np.asarray(x, float)), np.sort(np.asarray(y, float))
    pooled = np.sort(np.concatenate([x, y]))
    fx = np.searchsorted(x, pooled[:-1], side="right") / len(x)
    fy = np.searchsorted(y, pooled[:-1], side="right") / len(y)
    return float(np.abs(fx - fy) @ np.diff(pooled))


def _score(real: Values, made: Values, discrete: bool, draws: tuple[Floats, Floats]) -> tuple[Score, Floats]:
    """A score and its bootstrap draws, ``(draws, 2)``."""
    if not len(real.value) or not len(made.value):
        nan = float("nan")
        return Score(nan, nan, nan, nan, nan, nan), np.full((len(draws[0]), 2), nan)
    pooled = np.concatenate([real.value, made.value])
    a, b = _tables(real, made, _edges(pooled, discrete))
    l1 = float(_l1(a.sum(0), b.sum(0)))
    l1_draws = np.array([_l1(wa @ a, wb @ b) for wa, wb in zip(*draws, strict=True)])
    centre, scale = pooled.mean(), pooled.std() or 1.0
    w1 = wasserstein((real.value - centre) / scale, (made.value - centre) / scale)
    grid = np.unique(np.quantile(pooled, np.linspace(0, 1, 1_001)))
    a, b = _tables(real, made, np.append(grid, np.inf))
    scaled = (grid - centre) / scale
    w1_draws = np.array([_w1(wa @ a, wb @ b, scaled) for wa, wb in zip(*draws, strict=True)])
    both = _centred(np.stack([l1_draws, w1_draws], axis=1), (l1, w1))
    low, high = np.quantile(both, (0.005, 0.995), axis=0)
    return Score(l1, float(low[0]), float(high[0]), w1, float(low[1]), float(high[1])), both


def _centred(drawn: Floats, value: tuple[float, float]) -> Floats:
    """Bootstrap draws of a distance moved onto its value: two noisy samples are always farther apart than it says."""
    found: Floats = np.maximum(drawn - np.nanmean(drawn, axis=0) + np.array(value), 0.0)
    return found


def _conditional(
    real: tuple[Values, Floats], made: tuple[Values, Floats], edges: Floats, discrete: bool, draws: Any
) -> tuple[Score, Floats]:
    """The mean of the scores within groups of a condition, weighted by the groups' pooled size.

    A group that one tape never enters counts as disjoint (L1 of 1) and is left out of the Wasserstein mean.
    """
    parts, weights = [], []
    groups = [np.clip(np.searchsorted(edges, c, side="right") - 1, 0, len(edges) - 2) for c in (real[1], made[1])]
    for k in range(len(edges) - 1):
        a, b = (Values(v.value[g == k], v.at[g == k]) for v, g in zip((real[0], made[0]), groups, strict=True))
        n = len(a.value) + len(b.value)
        if n:
            parts.append(_score(a, b, discrete, draws))
            weights.append(n)
    weight = np.array(weights, float)

    def mean(column: Floats, empty: float) -> float:
        column = np.where(np.isnan(column), empty, column)
        good = np.isfinite(column)
        return float(weight[good] @ column[good] / weight[good].sum()) if good.any() else float("nan")

    table = np.array([p[0] for p in parts])
    l1, w1 = mean(table[:, 0], 1.0), mean(table[:, 3], np.inf)
    drawn = np.array(
        [
            [mean(np.array([p[1][i, 0] for p in parts]), 1.0), mean(np.array([p[1][i, 1] for p in parts]), np.inf)]
            for i in range(len(draws[0]))
        ]
    )
    low, high = np.nanquantile(drawn, (0.005, 0.995), axis=0)
    return Score(l1, float(low[0]), float(high[0]), w1, float(low[1]), float(high[1])), drawn


def _conditions(sample: Sample, start: int) -> dict[str, tuple[Values, Floats]]:
    """Of each conditional score the values and the condition's, message by message; the clock begins at *start*."""
    r = sample.tape.records
    good = (r["bid_volume"] > 0) & (r["ask_volume"] > 0)
    at = np.flatnonzero(good) / len(r)
    spread = (r["ask"] - r["bid"])[good].astype(float)
    hour = (r["time"][good] - sample.tape.start + start) / (3_600 * NS)
    mids, sequence = (r["bid"] + r["ask"])[good] / 2.0, np.arange(len(spread)) // SEQUENCE
    time = r["time"][good]
    volatility = np.zeros(len(spread))
    for k in range(int(sequence[-1]) + 1 if len(sequence) else 0):
        part = sequence == k
        t, m = time[part], mids[part]
        grid = np.arange(t[0], t[-1] + 1, NS // 10)
        moves = np.diff(m[np.searchsorted(t, grid, side="right") - 1])
        volatility[part] = moves.std() if len(moves) else 0.0
    return {
        "ask_volume | spread": (Values(r["ask_volume"][good].astype(float), at), spread),
        "spread | hour": (Values(spread, at), np.floor(hour)),
        "spread | volatility": (Values(spread, at), volatility),
    }


def lob_bench(real: Tape, made: Tape, *, draws: int = 100, seed: int = 0) -> LobBench:
    """Score *made* against *real*.

    Args:
        real: what it should be like; with depth.
        made: the generated tape; with depth. Its clock is set to begin when that of *real* does.
        draws: bootstrap draws.
        seed: of the bootstrap.

    Raises:
        ConfigError: a tape without depth or with fewer than a thousand records.
    """
    for name, tape in (("real", real), ("made", made)):
        if tape.levels < 1 or len(tape) < 2 * SEQUENCE:
            raise ConfigError(
                f"the tape {name} has {len(tape)} records of {tape.levels} levels; scores need {2 * SEQUENCE} of 1"
            )
    levels = min(real.levels, made.levels, 10)
    a, b = Sample(real), Sample(made)
    rng = np.random.default_rng(seed)
    even = np.full(BLOCKS, 1 / BLOCKS)
    weights = (rng.multinomial(BLOCKS, even, draws).astype(float), rng.multinomial(BLOCKS, even, draws).astype(float))
    scores: dict[str, Score] = {}
    drawn = []
    ours, theirs = values_of(a, levels), values_of(b, levels)
    for name in UNCONDITIONAL:
        scores[name], found = _score(ours[name], theirs[name], name in DISCRETE, weights)
        drawn.append(found)
    first, second = _conditions(a, real.start), _conditions(b, real.start)
    for name in CONDITIONAL:
        pooled = np.concatenate([first[name][1], second[name][1]])
        if name == "spread | hour":
            edges = np.arange(pooled.min(), pooled.max() + 2.0)
        else:
            edges = np.unique(np.quantile(pooled, np.linspace(0, 1, 11)))
            edges = np.append(edges, edges[-1] + 1.0) if len(edges) == 1 else edges
        scores[name], found = _conditional(first[name], second[name], edges, name in DISCRETE, weights)
        drawn.append(found)
    by_event = impact_scores(a, b)
    known = [v for v in by_event.values() if np.isfinite(v)]
    return LobBench(scores, _summary(scores, np.array(drawn)), float(np.mean(known)) if known else np.nan, by_event)


def _iqm(x: Any) -> float:
    """The mean of the middle half."""
    x = np.sort(np.asarray(x, float))
    cut = len(x) // 4
    return float(x[cut : len(x) - cut].mean())


def _summary(scores: dict[str, Score], drawn: Floats) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Mean, median and interquartile mean over the scores that are defined, with 99 % intervals."""
    found: dict[str, dict[str, tuple[float, float, float]]] = {}
    for metric, at, column in (("l1", 0, 0), ("wasserstein", 3, 1)):
        values = np.array([s[at] for s in scores.values()])
        good = np.isfinite(values)
        table = drawn[good][:, :, column]
        found[metric] = {}
        for name, function in (("mean", np.mean), ("median", np.median), ("iqm", _iqm)):
            spread = [function(table[:, i]) for i in range(table.shape[1])]
            low, high = np.nanquantile(spread, (0.005, 0.995))
            found[metric][name] = (float(function(values[good])), float(low), float(high))
    return found


# -- the response to six kinds of events (Eisler, Bouchaud, Kockelkoren 2012) ----------------------------------------

EVENTS = ("MO0", "MO1", "LO0", "LO1", "CA0", "CA1")
"""Market orders, limit orders and cancellations at the best prices that leave the mid (0) or change it (1)."""
LAGS = np.unique(np.floor(10 ** np.arange(0.0, 2.95, 0.1)).astype(np.int64))


def event_responses(sample: Sample) -> dict[str, Floats]:
    """R_pi(l) = E[eps (m_{t+l} - m_t)] [ticks] over l events at the best prices, m_t the mid before event t."""
    tape, r = sample.tape, sample.tape.records
    bid, ask = tape.before("bid"), tape.before("ask")
    known = (tape.before("bid_volume") > 0) & (tape.before("ask_volume") > 0)
    known &= (r["bid_volume"] > 0) & (r["ask_volume"] > 0)
    buy = r["side"] == OrderSide.BID
    at_best = np.where(buy, r["price"] >= bid, r["price"] <= ask)
    rows = np.flatnonzero(known & at_best & (r["kind"] != TapeKind.HIDDEN))
    kind = np.select([r["kind"][rows] == TapeKind.EXECUTE, r["kind"][rows] == TapeKind.LIMIT], [0, 1], 2)
    # Fills of one aggressor: same side and price within a microsecond.
    merged = np.zeros(len(rows), bool)
    merged[1:] = (kind[1:] == 0) & (kind[:-1] == 0) & (np.diff(r["time"][rows]) <= 1_000)
    merged[1:] &= (r["side"][rows[1:]] == r["side"][rows[:-1]]) & (r["price"][rows[1:]] == r["price"][rows[:-1]])
    starts = np.flatnonzero(~merged)
    ends = np.append(starts[1:], len(rows)) - 1
    first, last, kind = rows[starts], rows[ends], kind[starts]
    mid = (bid[first] + ask[first]) / 2.0
    after = (r["bid"][last] + r["ask"][last]) / 2.0
    # A bought share, a new bid and a withdrawn offer push up.
    sign = np.where(kind == 1, np.where(buy[first], 1, -1), np.where(buy[first], -1, 1))
    moved = (mid != after).astype(np.int64)
    found = {}
    for k, name in enumerate(EVENTS):
        chosen = np.flatnonzero((kind == k // 2) & (moved == k % 2))
        response = []
        for lag in LAGS:
            use = chosen[chosen + lag < len(mid)]
            response.append(float((sign[use] * (mid[use + lag] - mid[use])).mean()) if len(use) >= 20 else np.nan)
        found[name] = np.array(response)
    return found


def impact_scores(real: Sample, made: Sample) -> dict[str, float]:
    """Sum over lags of |R_real - R_made| [ticks] by kind of event; NaN where one tape has fewer than 20 of them."""
    first, second = event_responses(real), event_responses(made)
    return {name: float(np.abs(first[name] - second[name]).sum()) for name in EVENTS}
