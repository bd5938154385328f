"""Implementation shortfall of own orders and its parts, exact in half-ticks.

Perold (1988) compares a portfolio with its paper twin, which trades the whole order at the mid that was seen when it
was decided. For an order of X lots, decided at mid m_0, of which x_i traded at P_i, and which ended at mid m_e::

    shortfall = Σ x_i D (P_i - m_0) + (X - Σ x_i) D (m_e - m_0) + fees
              = delay + timing + spread + opportunity + fees
    delay       = Σ x_i D (m_a - m_0)     m_a: the mid when the order reached the exchange
    timing      = Σ x_i D (m_i - m_a)     m_i: the mid just before the fill; holds the own impact
    spread      = Σ x_i D (P_i - m_i)
    opportunity = (X - Σ x_i) D (m_e - m_0)

Where the same seeds were played without any own order, timing = impact + drift::

    impact      = Σ x_i D [(m_i - m_a) - (n_i - n_a)]    n: the mid at the same times without own orders
    drift       = Σ x_i D (n_i - n_a)

What the strategy saw when it decided is older than the moment of sending by the market-data latency. The closing of
the position at the end has no order and is left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hft_gym.errors import DataError
from hft_gym.market.records import SUBUNITS
from hft_gym.report.markouts import COUNTERFACTUAL
from hft_gym.report.metrics import metric
from hft_gym.report.needs import ORDERS
from hft_gym.report.panel import Floats, Ints, Panel


class Shortfall(NamedTuple):
    """(E,) each: parts in half-tick·lots, fees in sub-units, and the ordered notional at m_0 in half-tick·lots; drift
    is 0 without a counterfactual.
    """

    delay: Ints
    timing: Ints
    spread: Ints
    opportunity: Ints
    fees: Ints
    notional: Ints
    late: Ints
    lots: Ints
    drift: Ints

    @property
    def total(self) -> Floats:
        """(E,) the whole shortfall, ticks·lots."""
        return (self.delay + self.timing + self.spread + self.opportunity) / 2 + self.fees / SUBUNITS


def data_latency(panel: Panel) -> int:
    """Market-data latency of the environment that was played, ns."""
    market = panel.episodes.config.get("market", {})
    return int(market.get("latency", {}).get("market_data_ns", 0))


def shortfall(panel: Panel) -> Shortfall:
    """The parts of the shortfall of all own orders."""
    log, fills = panel.episodes.orders, panel.episodes.fills
    episode, sign = np.ascontiguousarray(log["episode"]), panel.order_sign
    arrived = np.where(log["time_entry"] >= 0, log["time_entry"], log["time_end"])
    decided2 = panel.mid2_at(episode, log["time_sent"] - data_latency(panel))
    arrived2 = panel.mid2_at(episode, arrived - 1)
    ended2 = panel.mid2_at(episode, np.ascontiguousarray(log["time_end"]))
    unfilled = log["quantity"] - log["filled"]
    late = sign * (arrived2 - decided2)

    use = panel.ordinary
    of = panel.fill_episode[use]
    lots = (panel.sign * panel.quantity)[use]
    row = order_of(panel)
    other, drift = panel.counterfactual, np.zeros(panel.count, np.int64)
    if other is not None and len(other.mids):
        seen2 = panel.mid2_at(of, fills["time"][use] - 1, True) - panel.mid2_at(of, arrived[row] - 1, True)
        drift = panel.per_episode(lots * seen2, of)
    at2, paid2 = fills["mid2"][use], 2 * fills["price"][use]
    return Shortfall(
        panel.per_episode(lots * (arrived2 - decided2)[row], of),
        panel.per_episode(lots * (at2 - arrived2[row]), of),
        panel.per_episode(lots * (paid2 - at2), of),
        panel.order_sum(unfilled * sign * (ended2 - decided2)),
        panel.per_episode(fills["fee"][use], of),
        panel.order_sum(log["quantity"] * np.abs(decided2)),
        panel.order_sum(log["quantity"] * late),
        panel.order_sum(np.ascontiguousarray(log["quantity"])),
        drift,
    )


def order_of(panel: Panel) -> Ints:
    """(F',) the order log's row of each ordinary fill.

    Raises:
        DataError: a fill of an order that is not in the log.
    """
    log, use = panel.episodes.orders, panel.ordinary
    span = int(max(log["order_id"].max(initial=0), panel.episodes.fills["order_id"].max(initial=0))) + 1
    key = log["episode"] * span + log["order_id"]
    order = np.argsort(key, kind="stable")
    wanted = panel.fill_episode[use] * span + panel.episodes.fills["order_id"][use]
    at = np.searchsorted(key[order], wanted)
    lost = wanted if len(key) == 0 else wanted[key[order[np.minimum(at, len(key) - 1)]] != wanted]
    if len(lost):
        raise DataError(f"{panel.episodes.name}: a fill of order {lost[0] % span}, which is not in the order log")
    return order[at]


def _part(name: str, label: str, formula: str, text: str) -> None:
    def part(panel: Panel) -> Floats:
        return np.asarray(getattr(panel.once(shortfall), name) / 2, np.float64)

    part.__doc__ = text
    metric(
        f"shortfall, {label}", "execution", "ticks·lots", formula, "Perold 1988",
        number=54, sign=-1, needs=(), name=f"shortfall_{name}",
    )(part)  # fmt: skip


@metric(
    "implementation shortfall", "execution", "bps of ordered notional",
    "10⁴ Σ [Σ x_i D (P_i - m_0) + (X - Σ x_i) D (m_e - m_0) + fees] / Σ X m_0, over own orders", "Perold 1988",
    number=53, pooling="ratio", sign=-1, needs=(ORDERS,),
)  # fmt: skip
def implementation_shortfall(panel: Panel) -> tuple[Floats, Floats]:
    """What orders cost against trading them whole at the mid that was seen when they were decided. An order that
    rests and is cancelled counts with what the mid did meanwhile: a maker's figure is not a taker's.
    """
    found = panel.once(shortfall)
    return 1e4 * found.total, found.notional / 2


_part("delay", "delay", "Σ x_i D (m_a - m_0)", "What the filled lots lost on the way to the exchange.")
_part("timing", "timing", "Σ x_i D (m_i - m_a)", "What they lost while the order waited; own impact included.")
_part("spread", "spread", "Σ x_i D (P_i - m_i)", "What the filled lots paid against the mid: negative for a maker.")
_part("opportunity", "opportunity", "(X - Σ x_i) D (m_e - m_0)", "What the lots that never traded missed.")


@metric(
    "shortfall, own impact", "execution", "ticks·lots",
    "Σ x_i D [(m_i - m_a) - the same without own orders, same seed]", "Perold 1988; definition",
    number=54, sign=-1, needs=(COUNTERFACTUAL,),
)  # fmt: skip
def shortfall_impact(panel: Panel) -> Floats:
    """What of the timing the strategy did itself: the mid's move while orders waited, beyond that of the same seed
    without the strategy.
    """
    found = panel.once(shortfall)
    return np.where(COUNTERFACTUAL.holds(panel), (found.timing - found.drift) / 2, np.nan)


@metric(
    "shortfall, drift", "execution", "ticks·lots", "Σ x_i D (n_i - n_a), n the mid without own orders, same seed",
    "Perold 1988; definition", number=54, sign=-1, needs=(COUNTERFACTUAL,),
)  # fmt: skip
def shortfall_drift(panel: Panel) -> Floats:
    """What of the timing would have happened anyway; with the own impact it is the timing."""
    return np.where(COUNTERFACTUAL.holds(panel), panel.once(shortfall).drift / 2, np.nan)


@metric(
    "latency cost", "execution", "ticks/lot", "Σ X D (m_a - m_0) / Σ X, over own orders", "definition",
    number=59, pooling="ratio", sign=-1, needs=(ORDERS,),
)  # fmt: skip
def latency_cost(panel: Panel) -> tuple[Floats, Floats]:
    """How far the mid ran away between what the strategy saw and its order's arrival."""
    found = panel.once(shortfall)
    return found.late / 2, found.lots.astype(np.float64)


__all__ = ["Shortfall", "order_of", "shortfall"]
