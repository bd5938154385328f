"""Metrics of an execution: what the whole parent order cost.

An execution starts with what its parent order owes, booked at the mid of its arrival, so its net P&L is minus the
implementation shortfall, the close at the deadline included (`hft_gym.envs.HFTExecutionEnv`).
"""

from __future__ import annotations

import numpy as np

from hft_gym.report.metrics import metric
from hft_gym.report.needs import Need
from hft_gym.report.panel import Floats, Panel

PARENT = Need("there is no parent order", lambda p: p.start_position != 0)


def _lots(panel: Panel) -> Floats:
    """(E,) lots of the parent order; 0 where there is none."""
    return np.abs(panel.start_position).astype(np.float64)


def _cost(panel: Panel) -> Floats:
    """(E,) the shortfall, ticks·lots; 0 where there is no parent order."""
    return np.where(panel.start_position != 0, -panel.net, 0.0)


@metric(
    "shortfall of the parent order", "execution", "bps", "10⁴ Σ [Σ x_i D (P_i - m_0) + fees] / Σ X m_0",
    "Perold 1988", number=53, pooling="ratio", sign=-1, needs=(PARENT,),
)  # fmt: skip
def parent_shortfall(panel: Panel) -> tuple[Floats, Floats]:
    """What the parent order cost against trading all of it at the mid of its arrival, in parts of that value."""
    return 1e4 * _cost(panel), _lots(panel) * panel.episodes.mid[:, :1].sum(axis=1)


@metric(
    "shortfall a lot of the parent order", "execution", "ticks/lot", "Σ [Σ x_i D (P_i - m_0) + fees] / Σ X",
    "Perold 1988", number=53, pooling="ratio", sign=-1, needs=(PARENT,),
)  # fmt: skip
def parent_shortfall_ticks(panel: Panel) -> tuple[Floats, Floats]:
    """The same for each lot."""
    return _cost(panel), _lots(panel)


@metric(
    "completion", "execution", "share", "Σ lots traded before the close / Σ X", "definition",
    number=56, pooling="ratio", sign=1, needs=(PARENT,),
)  # fmt: skip
def completion(panel: Panel) -> tuple[Floats, Floats]:
    """Share of the parent order that was traded before the close at the deadline."""
    return np.where(panel.start_position != 0, panel.volume, 0).astype(np.float64), _lots(panel)


__all__ = ["completion", "parent_shortfall", "parent_shortfall_ticks"]
