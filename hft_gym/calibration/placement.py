"""Estimators of a flow that looks at the spread: places, factors on the rates and cancel rates by class of the spread.

Excitation explains a part of why much happens after the spread opened. What is left to the spread is counted in
operational time: events of a kind over the integral of the fitted Hawkes intensity of that kind while the spread was in
the class, so that the two do not explain the same thing twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.calibration.hawkes import HawkesFit
from hft_gym.errors import ConfigError
from hft_gym.flow.hawkes import KINDS
from hft_gym.flow.placement import MAX_CLASSES, PlacementConfig
from hft_gym.flow.random import TABLE_SIZE
from hft_gym.market.tape import Tape, TapeKind
from hft_gym.types import OrderSide

__all__ = ["PlacementFit", "fit_placement", "intensity_integrals", "size_table", "untruncated_sizes", "weighted_table"]

Floats = NDArray[np.float64]
CANCEL_EDGES = (0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 28, 40, 56, 80, 112, 160)
CLASS_SHARE = 0.02
"""A class of the spread holds at least this share of the limit orders."""
PRIOR = 20.0
"""Weight of all classes together in the estimates of one, in events."""


def intensity_integrals(time: Any, kind: Any, fit: HawkesFit, mark: Any) -> Floats:
    """Integral of each kind's fitted intensity from the event before to each event, ``(events, kinds)``; *mark*: what
    each event excites by."""
    time, kind = np.asarray(time, float), np.asarray(kind, np.int64)
    found = np.diff(time, prepend=0.0)[:, None] * fit.background[None, :]
    for k, beta in enumerate(fit.decays):
        fade = np.exp(-beta * np.diff(time, prepend=0.0))
        state = np.zeros(len(fit.background))
        for e in range(len(time)):
            found[e] += (1.0 - fade[e]) * state
            state = fade[e] * state + mark[e] * fit.branching[k, :, kind[e]]
    return found


@dataclass(frozen=True)
class PlacementFit:
    """What depends on the spread.

    Attributes:
        config: the estimates.
        limit_errors, market_errors: ``(classes,)`` standard errors of the factors, of Poisson counts.
        cancel_errors: ``(classes, entries)`` of the cancel rates [1/s].
        counts: ``(classes,)`` limit orders.
    """

    config: PlacementConfig
    limit_errors: Floats
    market_errors: Floats
    cancel_errors: Floats
    counts: NDArray[np.int64]


def spread_classes(spread: NDArray[np.int64]) -> tuple[int, ...]:
    """Upper bounds of classes that hold about as many values each, at least :data:`CLASS_SHARE` of all."""
    wanted = np.quantile(spread, np.arange(1, MAX_CLASSES) / MAX_CLASSES, method="inverted_cdf").astype(np.int64)
    # In large-tick stocks nearly all spreads are one tick: the next ones have a class of their own all the same.
    wanted = np.concatenate([wanted, [1, 2, 3]]) if np.median(spread) <= 2 else wanted
    kept: list[int] = []
    for bound in np.unique(wanted):
        low = kept[-1] if kept else 0
        inside = ((spread > low) & (spread <= bound)).mean()
        if bound < spread.max() and inside >= CLASS_SHARE / 4 and (spread > bound).mean() >= CLASS_SHARE / 4:
            kept.append(int(bound))
    return tuple(kept[: MAX_CLASSES - 1]) or (int(np.median(spread)),)


def offset_entries(offset: NDArray[np.int64]) -> tuple[int, ...]:
    """Lower edges of at most 64 entries: every tick near the best price, as many orders as possible each beyond."""
    values = np.unique(offset)
    if len(values) < TABLE_SIZE:
        # Gaps between values seen are entries of their own, of no weight.
        edges = np.unique(np.concatenate([values, values + 1]))[:-1]
        if len(edges) <= TABLE_SIZE:
            return tuple(int(v) for v in edges)
    near = np.arange(-12, 21)
    tails = np.quantile(offset[(offset < -12) | (offset > 20)], np.linspace(0.0, 0.995, 30), method="lower")
    edges = np.unique(np.concatenate([near, tails.astype(np.int64)]))
    return tuple(int(v) for v in edges[:TABLE_SIZE])


def fit_placement(
    tape: Tape, time: Floats, kind: NDArray[np.int64], rows: NDArray[np.int64], mark: Floats, fit: HawkesFit
) -> PlacementFit:
    """Estimate what depends on the spread.

    Args:
        tape: the data, with depth.
        time: ``(events,)`` of its events, since its start [s].
        kind: ``(events,)`` their kinds, index in :data:`~hft_gym.flow.hawkes.KINDS`.
        rows: ``(events,)`` their records.
        mark: ``(events,)`` what they excite by.
        fit: excitation fitted to them.

    Raises:
        ConfigError: the tape has too few limit orders.
    """
    r = tape.records
    bid, ask = tape.before("bid"), tape.before("ask")
    known = (tape.before("bid_volume") > 0) & (tape.before("ask_volume") > 0)
    spread = np.where(known, ask - bid, 0).astype(np.int64)
    buy = r["side"] == OrderSide.BID
    offset = np.where(buy, bid - r["price"], r["price"] - ask).astype(np.int64)
    limit = known & (r["kind"] == TapeKind.LIMIT) & (offset > -spread)
    if limit.sum() < 500:
        raise ConfigError(f"the tape has {int(limit.sum())} limit orders with both sides known; needed are 500")
    bounds = spread_classes(spread[limit])
    n = len(bounds) + 1
    of_class = np.searchsorted(bounds, spread, side="left")
    edges = offset_entries(offset[limit])
    entry = np.searchsorted(edges, offset, side="right") - 1
    table = np.zeros((n, len(edges)))
    np.add.at(table, (of_class[limit], np.maximum(entry[limit], 0)), 1.0)
    counts = table.sum(1).astype(np.int64)
    weights = table / np.maximum(table.sum(1, keepdims=True), 1.0)

    passed = intensity_integrals(time, kind, fit, mark)
    at = of_class[rows]
    usable = known[rows]

    def factors(*kinds: str) -> tuple[Floats, Floats]:
        index = [KINDS.index(k) for k in kinds]
        happened = np.bincount(at[usable & np.isin(kind, index)], minlength=n).astype(float)
        expected = np.bincount(at[usable], passed[usable][:, index].sum(1), n)
        value = (happened + PRIOR) / (expected + PRIOR)
        return value, np.sqrt(happened) / np.maximum(expected, 1e-9)

    limit_factor, limit_error = factors("limit_bid", "limit_ask")
    market_factor, market_error = factors("market_buy", "market_sell")
    cancel, cancel_error, newest = _cancel_rates(tape, rows[usable], at[usable], passed[usable], of_class, n, fit)
    config = PlacementConfig(
        spreads=bounds,
        offsets=edges,
        weights=tuple(tuple(row.tolist()) for row in weights),
        limit_factors=tuple(limit_factor.tolist()),
        market_factors=tuple(market_factor.tolist()),
        cancel_offsets=CANCEL_EDGES,
        cancel_rates=tuple(tuple(row.tolist()) for row in cancel),
        newest_share=newest,
    )
    return PlacementFit(config, limit_error, market_error, cancel_error, counts)


def newest_cancelled(tape: Tape) -> NDArray[np.bool_]:
    """Records that withdraw the newest order of their side, of those whose entry the tape shows, ``(records,)``."""
    r = tape.records
    found = np.zeros(len(r), bool)
    stack: tuple[list[int], list[int]] = ([], [])
    left: dict[int, int] = {}
    columns = (r[name].tolist() for name in ("kind", "side", "order_id", "quantity"))
    for i, (kind, side, order_id, quantity) in enumerate(zip(*columns, strict=True)):
        if kind == TapeKind.LIMIT:
            stack[side].append(order_id)
            left[order_id] = quantity
        elif order_id in left and kind != TapeKind.HIDDEN:
            while stack[side][-1] not in left:
                stack[side].pop()
            found[i] = stack[side][-1] == order_id and kind != TapeKind.EXECUTE
            left[order_id] -= quantity
            if left[order_id] <= 0:
                del left[order_id]
    return found


def _cancel_rates(
    tape: Tape,
    rows: NDArray[np.int64],
    at: NDArray[np.int64],
    passed: Floats,
    of_class: NDArray[np.int64],
    n: int,
    fit: HawkesFit,
) -> tuple[Floats, Floats, float]:
    """Cancelled volume over resting volume in view times operational time, by class and offset, and its error; the
    share of the cancellations that withdraw the newest order, which are left out of it."""
    r = tape.records
    before = np.concatenate([tape.opening[None], tape.book[:-1]])
    m = len(CANCEL_EDGES)
    resting, gone, number = np.zeros((n, m)), np.zeros((n, m)), np.zeros((n, m))
    mean_rate = fit.counts / fit.seconds
    taken = (r["kind"] == TapeKind.CANCEL) | (r["kind"] == TapeKind.REDUCE)
    fleeting = newest_cancelled(tape)
    share = min(float(fleeting.sum() / max(taken.sum(), 1)), 0.95)
    for side, column, name in ((OrderSide.BID, 2, "cancel_bid"), (OrderSide.ASK, 0, "cancel_ask")):
        i = KINDS.index(name)
        price, volume = before[:, :, column], before[:, :, column + 1]
        offset = np.abs(price - price[:, :1])
        entry = np.searchsorted(CANCEL_EDGES, offset, side="right") - 1
        weight = passed[:, i] / mean_rate[i]
        index = at[:, None] * m + entry[rows]
        good = volume[rows] > 0
        resting += np.bincount(index[good], (volume[rows] * weight[:, None])[good], n * m).reshape(n, m)
        # A cancellation counts where the volume counts that it was drawn from: on the levels in view.
        own = np.flatnonzero(taken & (r["side"] == side))
        seen = ((price[own] == r["price"][own, None]) & (volume[own] > 0)).any(1)
        own = own[seen & ~fleeting[own]]
        place = np.searchsorted(CANCEL_EDGES, np.abs(r["price"][own] - price[own, 0]), side="right") - 1
        index = of_class[own] * m + place
        gone += np.bincount(index, r["quantity"][own], n * m).reshape(n, m)
        number += np.bincount(index, minlength=n * m).reshape(n, m)
    # Few cancellations: the rate of the offset in all classes; none at all: of the nearest offset.
    pooled = gone.sum(0) / np.maximum(resting.sum(0), 1e-9)
    few = number.sum(0) < 10
    if few.all():
        raise ConfigError("the tape has no cancellations on the levels in view; the model needs some")
    enough = np.flatnonzero(~few)
    nearest = enough[np.argmin(np.abs(np.arange(m)[:, None] - enough), axis=1)]
    pooled = pooled[nearest]
    size = gone.sum() / max(number.sum(), 1.0)
    rate = (gone + PRIOR * size) / (resting + PRIOR * size / np.maximum(pooled, 1e-12)) / (1.0 - share)
    return rate, rate / np.sqrt(np.maximum(number, 1.0)), share


def size_table(sizes: Any, lot: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """At most 64 sizes [lots] of limit orders and their shares, see :func:`weighted_table`."""
    value, count = np.unique(np.asarray(sizes), return_counts=True)
    return weighted_table(value, count, lot)


def untruncated_sizes(volume: Any, touch: Any) -> tuple[NDArray[np.int64], Floats]:
    """Law of the sizes that market orders would have, had the best price offered enough: sizes and their shares.

    What traded is at most what was offered there, so a trade of all of it only tells that the order was at least as
    large (Kaplan and Meier 1958). The mass beyond what was seen sits at the largest size.
    """
    volume, touch = np.asarray(volume, np.int64), np.asarray(touch, np.int64)
    seen = volume < touch
    size = np.minimum(volume, touch)
    values = np.unique(size)
    left, mass = 1.0, np.zeros(len(values))
    for i, v in enumerate(values):
        # A trade of all that was offered, v, would look the same whatever larger size was wanted, and v itself.
        exact, at_risk = int((seen & (size == v)).sum()), int((size > v).sum() + (seen & (size == v)).sum())
        mass[i] = left * exact / max(at_risk, 1)
        left -= mass[i]
    mass[-1] += left
    return values, mass


def weighted_table(values: Any, mass: Any, lot: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """At most 64 sizes [lots] and their shares of a law on *values*: the likeliest and the largest as they are, the
    others in groups of about equal mass by their mean."""
    lots = np.maximum(np.round(np.asarray(values, float) / lot).astype(np.int64), 1)
    value, at = np.unique(lots, return_inverse=True)
    weight = np.bincount(at, mass)
    kept = np.ones(len(value), bool)
    found: dict[int, float] = {}
    if len(value) > TABLE_SIZE:
        kept[np.argsort(-weight, kind="stable")[TABLE_SIZE * 5 // 8 :]] = False
        kept[-1] = True
        v, w = value[~kept], weight[~kept]
        groups = TABLE_SIZE - int(kept.sum())
        index = np.minimum(np.cumsum(w) / w.sum() * groups, groups - 1).astype(np.int64)
        for g in np.unique(index[w > 0]):
            group = index == g
            mean = round(float(np.average(v[group], weights=w[group])))
            found[mean] = found.get(mean, 0.0) + float(w[group].sum())
    for lots_, share in zip(value[kept].tolist(), weight[kept].tolist(), strict=True):
        if share > 0.0:
            found[lots_] = found.get(lots_, 0.0) + share
    order = sorted(found)
    total = sum(found.values())
    return tuple(order), tuple(found[v] / total for v in order)
