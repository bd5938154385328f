"""Metrics of activity, execution quality and inventory, from the fill, order and mid logs.

D is +1 for an own buy and -1 for an own sell, P the fill price, m the others' mid, x the lots. "Ordinary"
fills are those of the strategy's orders; the forced close at the end has its own line in the attribution.
"""

from __future__ import annotations

import numpy as np

from hft_gym.report.metrics import metric
from hft_gym.report.panel import Floats, Panel, ratio


def _floats(values: object) -> Floats:
    return np.asarray(values, np.float64)


def _order_sum(panel: Panel, column: str) -> Floats:
    orders = panel.episodes.orders
    return _floats(panel.per_episode(orders[column], orders["episode"]))


@metric(
    "episodes with a fill", "activity", "share", "#(episodes with an ordinary fill) / #episodes", "report"
)
def traded(panel: Panel) -> Floats:
    """Share of episodes in which an own order traded at all."""
    return (panel.fill_sum(panel.ordinary.astype(np.int64)) > 0).astype(np.float64)


@metric("orders", "activity", "per episode", "#own orders that reached an end", "theory §5.28")
def orders(panel: Panel) -> Floats:
    """Own orders sent, whatever became of them."""
    return _floats(np.bincount(panel.episodes.orders["episode"], minlength=panel.count))


@metric("fills", "activity", "per episode", "#ordinary fills", "theory §5.31")
def fills(panel: Panel) -> Floats:
    """Own fills; an order that fills in three parts counts three."""
    return _floats(panel.fill_sum(panel.ordinary.astype(np.int64)))


@metric("volume", "activity", "lots per episode", "Σ x, ordinary fills", "theory §5.35")
def volume(panel: Panel) -> Floats:
    """Lots traded by own orders."""
    return _floats(panel.fill_sum(panel.quantity, panel.ordinary))


@metric("turnover", "activity", "× capital", "Σ x P / C, C the initial capital", "theory §5.38")
def turnover(panel: Panel) -> Floats:
    """Notional traded by own orders over the initial capital. NaN without a stated capital."""
    notional = panel.fill_sum(panel.quantity * panel.episodes.fills["price"], panel.ordinary)
    return ratio(_floats(notional), np.full(panel.count, panel.episodes.capital))


@metric("fill rate", "execution", "share", "Σ filled lots / Σ submitted lots", "theory §5.41", "ratio")
def fill_rate(panel: Panel) -> tuple[Floats, Floats]:
    """Share of the submitted lots that traded."""
    return _order_sum(panel, "filled"), _order_sum(panel, "quantity")


@metric(
    "maker share", "execution", "share", "Σ passive lots / Σ lots, ordinary fills", "theory §5.36", "ratio"
)
def maker_share(panel: Panel) -> tuple[Floats, Floats]:
    """Share of the traded lots that rested in the book before."""
    passive = panel.ordinary & panel.episodes.fills["maker"]
    return _floats(panel.fill_sum(panel.quantity, passive)), volume(panel)


@metric(
    "markout 1 s",
    "execution",
    "ticks/lot",
    "Σ x D (m_{t+1s} - P) / Σ x, ordinary fills",
    "theory §5.50",
    "ratio",
    sign=1,
)
def markout_1s(panel: Panel) -> tuple[Floats, Floats]:
    """What a fill is worth at the mid one second later. Fills within a second of the end are left out."""
    return panel.markout(1.0)


@metric(
    "markout 5 s",
    "execution",
    "ticks/lot",
    "Σ x D (m_{t+5s} - P) / Σ x, ordinary fills",
    "theory §5.50",
    "ratio",
    sign=1,
)
def markout_5s(panel: Panel) -> tuple[Floats, Floats]:
    """What a fill is worth at the mid five seconds later. Fills within five seconds of the end are left
    out.
    """
    return panel.markout(5.0)


@metric("mean |inventory|", "inventory", "lots", "(1/T) ∫ |q_t| dt", "theory §5.61 (Spooner's MAP)", sign=-1)
def mean_abs_inventory(panel: Panel) -> Floats:
    """Time average of the absolute position."""
    return panel.mean_abs_position


@metric("max |inventory|", "inventory", "lots", "max_t |q_t|", "theory §5.62")
def max_abs_inventory(panel: Panel) -> Floats:
    """Largest absolute position."""
    return _floats(np.maximum(panel.extreme_position(True), -panel.extreme_position(False)))


@metric("final position", "inventory", "lots", "q at the end, before the forced close", "theory §5.63")
def final_position(panel: Panel) -> Floats:
    """Position at the end of the episode, before it is closed; positive is long."""
    return _floats(panel.fill_sum(panel.sign * panel.quantity, panel.ordinary))


@metric("max position", "inventory", "lots", "max_t q_t, >= 0", "position path")
def max_position(panel: Panel) -> Floats:
    """Largest position; the start, 0, counts."""
    return _floats(panel.extreme_position(True))


@metric("min position", "inventory", "lots", "min_t q_t, <= 0", "position path")
def min_position(panel: Panel) -> Floats:
    """Smallest position, negative when short; the start, 0, counts."""
    return _floats(panel.extreme_position(False))
