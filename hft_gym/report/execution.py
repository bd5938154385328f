"""Metrics of execution that need the order log alone."""

from __future__ import annotations

import numpy as np

from hft_gym.report.metrics import metric
from hft_gym.report.needs import FILLS, LENGTH, ORDERS
from hft_gym.report.panel import Floats, Panel, ratio


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
    use = panel.ordinary
    episode = panel.fill_episode[use]
    paid = (panel.sign * panel.quantity)[use] * (panel.episodes.fills["price"][use] - mean[episode])
    return panel.per_episode(paid, episode), panel.volume.astype(np.float64)
