"""Where the P&L came from. ``net_pnl = spread_captured + inventory_pnl + liquidation - fees``, exactly.

The sums are made in integer sub-units (`Panel.attribution`) and only shown as floats.
"""

from __future__ import annotations

import numpy as np

from hft_gym.market.records import SUBUNITS
from hft_gym.report.metrics import metric
from hft_gym.report.panel import Floats, Panel


def _part(panel: Panel, name: str) -> Floats:
    return np.asarray(panel.attribution[name] / SUBUNITS, np.float64)


@metric(
    "spread captured",
    "attribution",
    "ticks·lots",
    "Σ x D (m_{t-} - P), ordinary fills",
    "theory §5.69",
    sign=1,
)
def spread_captured(panel: Panel) -> Floats:
    """Distance of the own fills from the mid just before them: positive for a maker, negative for a taker."""
    return _part(panel, "spread_captured")


@metric("inventory P&L", "attribution", "ticks·lots", "Σ q_{t-} (m_t - m_{t-})", "theory §5.69", sign=1)
def inventory_pnl(panel: Panel) -> Floats:
    """What the held position gained as the mid moved."""
    return _part(panel, "inventory")


@metric(
    "liquidation", "attribution", "ticks·lots", "Σ x D (m_{t-} - P), forced close", "theory §5.71", sign=1
)
def liquidation(panel: Panel) -> Floats:
    """What the forced close at book prices gained against the mid: usually negative, a cost."""
    return _part(panel, "liquidation")


@metric(
    "fees",
    "attribution",
    "ticks·lots",
    "Σ fees; positive is a cost, rebates are negative",
    "theory §5.71",
    sign=-1,
)
def fees(panel: Panel) -> Floats:
    """Fees paid less rebates received, the forced close included."""
    return _part(panel, "fees")
