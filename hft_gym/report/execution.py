"""Metrics of execution against the orders sent, the queue joined and the market's own prices."""

from __future__ import annotations

import numpy as np

from hft_gym.report.metrics import metric
from hft_gym.report.needs import FILLS, LENGTH, MARKET_VOLUME, ORDERS, Need
from hft_gym.report.panel import Floats, Panel, ratio
from hft_gym.report.shortfall import order_of


@metric(
    "fill rate", "execution", "share", "Σ filled lots / Σ submitted lots", "definition",
    number=41, pooling="ratio", needs=(ORDERS,),
)  # fmt: skip
def fill_rate(panel: Panel) -> tuple[Floats, Floats]:
    """Share of the submitted lots that traded."""
    log = panel.episodes.orders
    filled, submitted = (panel.order_sum(np.ascontiguousarray(log[c])) for c in ("filled", "quantity"))
    return filled.astype(np.float64), submitted.astype(np.float64)


@metric(
    "slippage against TWAP", "execution", "ticks/lot", "Σ x D (P - (1/T) ∫ m dt) / Σ x, ordinary fills",
    "definition", number=55, pooling="ratio", sign=-1, needs=(LENGTH, FILLS),
)  # fmt: skip
def slippage_twap(panel: Panel) -> tuple[Floats, Floats]:
    """What a lot cost against the time-weighted mean of the mid (decision grid) over the episode."""
    mean = ratio((panel.episodes.mid * panel.holds_for).sum(axis=1), panel.duration_s)
    return _against(panel, mean)


def _traded(panel: Panel) -> tuple[Floats, Floats]:
    """(E, T) lots that the others took in each step, and the mid at its end; zeros where volume was not recorded."""
    volume = panel.episodes.market_volume
    mid = panel.episodes.mid[:, 1:]
    return (np.zeros_like(mid) if volume is None else np.diff(volume, axis=1).astype(np.float64)), mid


def _against(panel: Panel, benchmark: Floats) -> tuple[Floats, Floats]:
    """(E,) Σ x D (P - benchmark) over ordinary fills, 0 where there is no benchmark, and the lots that have one."""
    use = panel.ordinary
    episode = panel.fill_episode[use]
    paid = (panel.sign * panel.quantity)[use] * (panel.episodes.fills["price"][use] - benchmark[episode])
    known = ~np.isnan(benchmark)
    return np.where(known, panel.per_episode(paid, episode), 0.0), np.where(known, panel.volume, 0.0)


def _vwap(panel: Panel) -> Floats:
    lots, mid = _traded(panel)
    return ratio((lots * mid).sum(axis=1), lots.sum(axis=1))


def _pov(panel: Panel) -> Floats:
    """VWAP of the steps from the one of the first ordinary fill to that of the last."""
    lots, mid = _traded(panel)
    use, time = panel.ordinary, panel.episodes.time
    first, last = np.full(panel.count, np.iinfo(np.int64).max), np.full(panel.count, -1)
    np.minimum.at(first, panel.fill_episode[use], panel.episodes.fills["time"][use])
    np.maximum.at(last, panel.fill_episode[use], panel.episodes.fills["time"][use])
    within = (time[:, 1:] >= first[:, None]) & (time[:, :-1] < last[:, None])
    lots = np.where(within, lots, 0.0)
    return ratio((lots * mid).sum(axis=1), lots.sum(axis=1))


@metric(
    "slippage against VWAP", "execution", "ticks/lot",
    "Σ x D (P - Σ v m / Σ v) / Σ x, v the others' lots in each step, m the mid at its end", "Berkowitz et al. 1988",
    number=55, pooling="ratio", sign=-1,
    needs=(FILLS, MARKET_VOLUME, Need("nothing traded in the market", lambda p: ~np.isnan(p.once(_vwap)))),
)  # fmt: skip
def slippage_vwap(panel: Panel) -> tuple[Floats, Floats]:
    """What a lot cost against the volume-weighted mean of the mid over the episode, steps as the decision grid has
    them.
    """
    return _against(panel, panel.once(_vwap))


@metric(
    "slippage against POV", "execution", "ticks/lot",
    "as slippage_vwap, over the steps from the first ordinary fill to the last", "definition",
    number=55, pooling="ratio", sign=-1,
    needs=(FILLS, MARKET_VOLUME, Need("nothing traded in the market meanwhile", lambda p: ~np.isnan(p.once(_pov)))),
)  # fmt: skip
def slippage_pov(panel: Panel) -> tuple[Floats, Floats]:
    """What a lot cost against who trades a constant share of the market's volume while the strategy trades."""
    return _against(panel, panel.once(_pov))


def _left(panel: Panel) -> tuple[Floats, Floats]:
    if not len(panel.episodes.orders):
        return np.zeros(panel.count), np.zeros(panel.count)
    fills, use = panel.episodes.fills, panel.ordinary
    entry = panel.episodes.orders["queue_ahead_entry"][order_of(panel)]
    mine = fills["maker"][use] & (entry > 0)
    episode = panel.fill_episode[use][mine]
    sums = (panel.per_episode(v[mine], episode) for v in (fills["queue_ahead_fill"][use], entry))
    left, all_of_it = (total.astype(np.float64) for total in sums)
    return left, all_of_it


@metric(
    "queue left at fill", "execution", "share", "Σ lots ahead at the fill / Σ lots ahead at entry, passive fills",
    "Moallemi & Yuan 2016", number=45, pooling="ratio",
    needs=(FILLS, Need("no passive fill of an order that joined a queue", lambda p: p.once(_left)[1] > 0)),
)  # fmt: skip
def queue_left_fill(panel: Panel) -> tuple[Floats, Floats]:
    """Share of the lots that were ahead when the order joined its level that were still ahead when it was filled."""
    return panel.once(_left)
