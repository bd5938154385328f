"""What a metric needs of an episode: data, so that NaN comes with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hft_gym.report.panel import Panel

__all__ = ["Need", "Undefined", "first_unmet"]

Bools = npt.NDArray[np.bool_]


class Undefined(ValueError):
    """A metric of a set of episodes has no value; the message says why."""


@dataclass(frozen=True)
class Need:
    """One condition.

    Attributes:
        missing: what the reader is told where it does not hold.
        holds: Panel -> (E,) bool.
    """

    missing: str
    holds: Callable[[Panel], Bools]


def first_unmet(needs: Sequence[Need], panel: Panel) -> list[str | None]:
    """For each episode what is said of the first need that it does not meet; None where it meets all."""
    why: list[str | None] = [None] * panel.count
    for need in needs:
        for e in np.flatnonzero(~need.holds(panel)):
            why[e] = why[e] or need.missing
    return why


def _some(values: npt.NDArray[np.bool_]) -> Bools:
    """(E,) whether a row has any True."""
    return np.asarray(values.any(axis=1))


LENGTH = Need("the episode has no length", lambda p: p.duration_ns > 0)
PATH = Need("no decision was recorded", lambda p: np.full(p.count, p.equity.shape[1] > 0))
TWO_INTERVALS = Need("fewer than two clock intervals", lambda p: p.interval_count > 1.5)
VARIATION = Need("P&L is the same in every clock interval", lambda p: p.increments_vary)
LOSING = Need("no losing clock interval", lambda p: _some(np.nan_to_num(p.increments) < 0))
WINNING = Need("no winning clock interval", lambda p: _some(np.nan_to_num(p.increments) > 0))
MOVED = Need("P&L changed in no clock interval", lambda p: _some(np.nan_to_num(p.increments) != 0))
FALL = Need("equity never fell below its peak", lambda p: p.drawdown.max(axis=1, initial=0.0) > 0)
FILLS = Need("no ordinary fill", lambda p: p.fill_sum(p.ordinary.astype(np.int64)) > 0)
ORDERS = Need("no order", lambda p: p.order_count > 0)
POSITION = Need("no position was ever held", lambda p: p.fill_sum(np.ones_like(p.sign)) > 0)
CAPITAL = Need("no initial capital is stated", lambda p: np.full(p.count, p.episodes.capital > 0))
SPREAD = Need(
    "no spread was recorded",
    lambda p: np.zeros(p.count, np.bool_) if p.episodes.spread is None else _some(~np.isnan(p.episodes.spread)),
)
MARKET_VOLUME = Need("no market volume was recorded", lambda p: np.full(p.count, p.episodes.market_volume is not None))
MIDS = Need("no mid was recorded", lambda p: p.has_mid)
