"""Where the P&L came from, in integers.

::

    net P&L = spread captured + adverse selection + position - fees + rebates + liquidation

Each part is counted in whole sub-units of the accounts and only shown as a float, so the sum is exact: per episode,
and so per symbol and per strategy (`attribution_table`). `check_attribution` holds it against the accounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError, DataError
from hft_gym.evaluation.episodes import Episodes
from hft_gym.market.records import SUBUNITS
from hft_gym.report.markouts import drift2, edge2
from hft_gym.report.metrics import metric
from hft_gym.report.panel import SUBUNITS_PER_HALF_TICK_LOT, Floats, Ints, Panel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PARTS", "attribution", "attribution_table", "check_attribution"]

PARTS = ("spread_captured", "adverse_selection", "position_pnl", "fees_paid", "rebates", "liquidation")
"""The parts; fees paid count negative."""


def attribution(panel: Panel) -> dict[str, Ints]:
    """Part -> (E,) sub-units, and ``"inventory_pnl"``: adverse selection and position together."""
    fills = panel.episodes.fills
    mid2 = fills["mid2"]
    moved = np.zeros(len(fills), np.int64)
    if len(fills):
        same = panel.fill_episode[1:] == panel.fill_episode[:-1]
        moved[1:] = np.where(same, np.diff(mid2), 0)
        first = np.flatnonzero(np.append(True, ~same))
        start2 = np.rint(2 * panel.episodes.mid[:, 0]).astype(np.int64)
        moved[first] = mid2[first] - start2[panel.fill_episode[first]]
    carried = panel.fill_sum(panel.position_before * moved)
    # What is still held after the last fill (a book too thin to close into) is marked at the last mid.
    last = np.searchsorted(panel.fill_episode, np.arange(panel.count), side="right") - 1
    held = panel.last_position != 0
    if np.any(held):
        end_mid2 = np.rint(2 * panel.episodes.mid[held, -1]).astype(np.int64)
        carried[held] += panel.last_position[held] * (end_mid2 - mid2[last[held]])
    inventory = carried * SUBUNITS_PER_HALF_TICK_LOT
    edge = panel.quantity * edge2(panel) * SUBUNITS_PER_HALF_TICK_LOT
    adverse = panel.fill_sum(panel.quantity * panel.once(drift2), panel.ordinary) * SUBUNITS_PER_HALF_TICK_LOT
    return {
        "spread_captured": panel.fill_sum(edge, panel.ordinary),
        "adverse_selection": adverse,
        "position_pnl": inventory - adverse,
        "fees_paid": panel.fill_sum(np.maximum(fills["fee"], 0)),
        "rebates": panel.fill_sum(np.maximum(-fills["fee"], 0)),
        "liquidation": panel.fill_sum(edge, ~panel.ordinary),
        "inventory_pnl": inventory,
    }


def _sum(parts: dict[str, Ints]) -> Ints:
    signed: Ints = sum((-1 if name == "fees_paid" else 1) * parts[name] for name in PARTS)  # type: ignore[assignment]
    return signed


def check_attribution(panel: Panel) -> None:
    """Hold the attribution's sum against the accounts.

    Raises:
        DataError: an episode whose logs do not explain its net P&L to the last sub-unit.
    """
    if not panel.equity.shape[1]:
        return
    total = _sum(panel.once(attribution))
    account = np.rint(np.nan_to_num(panel.net) * SUBUNITS).astype(np.int64)
    wrong = np.flatnonzero(total != account)
    if len(wrong):
        e = int(wrong[0])
        raise DataError(
            f"{panel.episodes.name}: in {len(wrong)} of {panel.count} episodes the fills do not explain "
            f"the net P&L; seed {panel.episodes.seeds[e]}: the parts sum to {int(total[e])}, the account "
            f"says {int(account[e])} sub-units"
        )


def attribution_table(runs: Sequence[Episodes], by: Sequence[str] = ("policy",)) -> pd.DataFrame:
    """The attribution of several runs, summed over episodes.

    Args:
        runs: what was played, of one or several symbols.
        by: what the rows are: any of ``"policy"``, ``"symbol"``, ``"seed"``.

    Returns:
        One row per group: each of `PARTS` and ``net_pnl``, int64 sub-units (10,000 to a tick·lot), and the number of
        ``episodes``. In every row the parts, fees paid with a minus, sum to ``net_pnl``, exactly.

    Raises:
        ConfigError: an unknown word in *by*.
        DataError: fills that do not explain a net P&L.
    """
    import pandas as pd

    columns = ("policy", "symbol", "seed")
    for word in by:
        if word not in columns:
            raise ConfigError(f"attribution by {word!r}{did_you_mean(word, columns)}")
    tables = []
    for run in runs:
        panel = Panel(run)
        check_attribution(panel)
        parts = panel.once(attribution)
        about: dict[str, Any] = {"policy": run.name, "symbol": run.symbol, "seed": run.seeds}
        values = {**{n: parts[n] for n in PARTS}, "net_pnl": _sum(parts), "episodes": np.ones(len(run), np.int64)}
        tables.append(pd.DataFrame({**about, **values}, index=range(len(run))))
    whole = pd.concat(tables)
    return whole.groupby(list(by), sort=False)[[*PARTS, "net_pnl", "episodes"]].sum()


def _part(panel: Panel, name: str) -> Floats:
    found: npt.NDArray[np.float64] = panel.once(attribution)[name] / SUBUNITS
    return found



@metric(
    "spread captured", "attribution", "ticks·lots", "Σ x D (m_{t-} - P), ordinary fills", "Spooner et al. 2018",
    number=69, sign=1, needs=(),
)  # fmt: skip
def spread_captured(panel: Panel) -> Floats:
    """Distance of the own fills from the mid just before them: positive for a maker, negative for a taker."""
    return _part(panel, "spread_captured")


@metric(
    "inventory P&L", "attribution", "ticks·lots", "Σ q_{t-} (m_t - m_{t-})", "Spooner et al. 2018",
    number=69, sign=1, needs=(),
)  # fmt: skip
def inventory_pnl(panel: Panel) -> Floats:
    """What the held position gained as the mid moved: adverse selection and position P&L together."""
    return _part(panel, "inventory_pnl")


@metric(
    "adverse selection", "attribution", "ticks·lots", "Σ x D (m_{t+5s} - m_{t-}), ordinary fills, cut at the end",
    "Spooner et al. 2018", number=70, sign=1, needs=(),
)  # fmt: skip
def adverse_selection(panel: Panel) -> Floats:
    """What the mid did for the lots within five seconds of their fills: negative where fills come before a loss."""
    return _part(panel, "adverse_selection")


@metric(
    "position P&L", "attribution", "ticks·lots", "inventory P&L - adverse selection", "Spooner et al. 2018",
    number=70, sign=1, needs=(),
)  # fmt: skip
def position_pnl(panel: Panel) -> Floats:
    """What the held position gained later than five seconds after its fills."""
    return _part(panel, "position_pnl")


@metric(
    "liquidation", "attribution", "ticks·lots", "Σ x D (m_{t-} - P), forced close", "Spooner et al. 2018",
    number=71, sign=1, needs=(),
)  # fmt: skip
def liquidation(panel: Panel) -> Floats:
    """What the forced close at book prices gained against the mid: usually negative, a cost."""
    return _part(panel, "liquidation")


@metric(
    "fees", "attribution", "ticks·lots", "fees paid - rebates; positive is a cost", "Spooner et al. 2018",
    number=71, sign=-1, needs=(),
)  # fmt: skip
def fees(panel: Panel) -> Floats:
    """Fees paid less rebates received, the forced close included."""
    return _part(panel, "fees_paid") - _part(panel, "rebates")


@metric("fees paid", "attribution", "ticks·lots", "Σ max(fee, 0)", "Spooner et al. 2018", number=71, sign=-1, needs=())
def fees_paid(panel: Panel) -> Floats:
    """Fees of the fills that cost one."""
    return _part(panel, "fees_paid")


@metric("rebates", "attribution", "ticks·lots", "Σ max(-fee, 0)", "Spooner et al. 2018", number=71, sign=1, needs=())
def rebates(panel: Panel) -> Floats:
    """Rebates of the fills that earned one."""
    return _part(panel, "rebates")
