"""Metrics of what the mid does after a fill: markouts, realised spread, impact, adverse fills, pick-offs.

D is +1 for an own buy and -1 for an own sell, P the fill price, x the lots, m the others' mid, m_t the one just before
the message that filled. A *markout* leaves out fills closer to the episode's end than its horizon. Where two figures
must sum to a third, the horizon is cut at the end instead, so that all speak of the same fills.
"""

from __future__ import annotations

import numpy as np

from hft_gym.market.records import EndReason
from hft_gym.report.metrics import metric
from hft_gym.report.needs import FILLS, LENGTH, ORDERS, SPREAD, Need
from hft_gym.report.panel import Bools, Floats, Ints, Panel
from hft_gym.report.quotes import RESTED, resting

HORIZONS = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0)
"""Horizons of the markouts, seconds."""
HORIZON = 5.0
"""Horizon of realised spread, impact and adverse selection, seconds."""
SOON = 1.0
"""Horizon of adverse fills and pick-offs, seconds."""


def mid2_after(panel: Panel, seconds: float) -> Ints:
    """(F,) twice the mid so long after each fill, or at the episode's end if that is sooner."""
    when = panel.episodes.fills["time"] + round(seconds * 1e9)
    return panel.mid2_at(panel.fill_episode, np.minimum(when, panel.duration_ns[panel.fill_episode]))


def drift2(panel: Panel) -> Ints:
    """(F,) D · (2 m_{t+5s} - 2 m_t): what the mid did for the fill, half-ticks; horizon cut at the end."""
    return panel.sign * (mid2_after(panel, HORIZON) - panel.episodes.fills["mid2"])


def edge2(panel: Panel) -> Ints:
    """(F,) D · (2 m_t - 2 P): twice the distance from the mid that the fill earned, half-ticks."""
    return panel.sign * (panel.episodes.fills["mid2"] - 2 * panel.episodes.fills["price"])


def markout(panel: Panel, seconds: float | None) -> tuple[Floats, Floats]:
    """(E,) Σ x D (m_{t+h} - P) over ordinary fills, ticks·lots, and (E,) their lots; None: at the episode's end."""
    fills, end = panel.episodes.fills, panel.duration_ns[panel.fill_episode]
    when = end if seconds is None else fills["time"] + round(seconds * 1e9)
    use = panel.ordinary & (when <= end)
    ahead = panel.mid2_at(panel.fill_episode[use], when[use])
    gain = panel.sign[use] * panel.quantity[use] * (ahead - 2 * fills["price"][use])
    return panel.per_episode(gain, panel.fill_episode[use]) / 2, _lots(panel, use)


def _lots(panel: Panel, use: Bools) -> Floats:
    return panel.fill_sum(panel.quantity, use).astype(np.float64)


def _weighted(panel: Panel, values: Ints, use: Bools | None = None) -> tuple[Floats, Floats]:
    """(E,) Σ x · values over ordinary fills, and (E,) their lots."""
    rows = panel.ordinary if use is None else use
    return panel.fill_sum(panel.quantity * values, rows).astype(np.float64), _lots(panel, rows)


def early_fill(seconds: float) -> Need:
    """That some ordinary fill has the whole horizon before the episode's end."""

    def holds(panel: Panel) -> Bools:
        when = panel.episodes.fills["time"] + round(seconds * 1e9)
        return _lots(panel, panel.ordinary & (when <= panel.duration_ns[panel.fill_episode])) > 0

    return Need(f"no fill {seconds:g} s or more before the end", holds)


def _register(seconds: float) -> None:
    label = f"{seconds * 1e3:g} ms" if seconds < 1 else f"{seconds:g} s"

    @metric(
        f"markout {label}", "execution", "ticks/lot", f"Σ x D (m_{{t+{label}}} - P) / Σ x, ordinary fills",
        "definition", number=50, pooling="ratio", sign=1, needs=(FILLS, early_fill(seconds)),
        name=f"markout_{label.replace(' ', '')}",
    )  # fmt: skip
    def markout_after(panel: Panel) -> tuple[Floats, Floats]:
        """What a fill is worth at the mid so long after it. Fills closer to the end are left out."""
        return markout(panel, seconds)


for _seconds in HORIZONS:
    _register(_seconds)


@metric(
    "markout to the close", "execution", "ticks/lot", "Σ x D (m_T - P) / Σ x, ordinary fills", "definition",
    number=50, pooling="ratio", sign=1, needs=(FILLS,),
)  # fmt: skip
def markout_close(panel: Panel) -> tuple[Floats, Floats]:
    """What a fill is worth at the episode's last mid."""
    return markout(panel, None)


def _micro(panel: Panel, seconds: float) -> tuple[Floats, Floats]:
    episodes, fills = panel.episodes, panel.episodes.fills
    if episodes.spread is None or episodes.imbalance is None:
        return np.zeros(panel.count), np.zeros(panel.count)
    weighted = episodes.mid + 0.5 * episodes.imbalance * episodes.spread
    when = fills["time"] + round(seconds * 1e9)
    at = at_decision(panel, weighted, when)
    use = panel.ordinary & (when <= panel.duration_ns[panel.fill_episode]) & ~np.isnan(at)
    gain = (panel.sign * panel.quantity * (at - fills["price"]))[use]
    return panel.per_episode(gain, panel.fill_episode[use]), _lots(panel, use)


def _register_micro(seconds: float) -> None:
    label = f"{seconds * 1e3:g} ms" if seconds < 1 else f"{seconds:g} s"

    def micro(panel: Panel) -> tuple[Floats, Floats]:
        return _micro(panel, seconds)

    known = Need("no spread at that time", lambda panel: panel.once(micro)[1] > 0)

    @metric(
        f"markout {label}, micro-price", "execution", "ticks/lot",
        f"Σ x D (m + I s / 2 - P) / Σ x at the last decision until t + {label}, I the imbalance at the touch, s the "
        "spread", "Stoikov 2018 (weighted mid)", number=50, pooling="ratio", sign=1,
        needs=(FILLS, SPREAD, early_fill(seconds), known), name=f"markout_micro_{label.replace(' ', '')}",
    )  # fmt: skip
    def markout_micro(panel: Panel) -> tuple[Floats, Floats]:
        """As the markout so long after, against the size-weighted mid, which the decision grid shows."""
        return panel.once(micro)


for _seconds in HORIZONS:
    _register_micro(_seconds)


def at_decision(panel: Panel, path: Floats, when: Ints) -> Floats:
    """(F,) a path of the decision grid at each fill's time in ``when``: its value at the last decision until then."""
    time = panel.episodes.time
    span = int(time.max(initial=0)) + 1
    flat = (time + np.arange(panel.count)[:, None] * span).ravel()
    keys = panel.fill_episode * span + np.minimum(when, span - 1)
    return path.ravel()[np.searchsorted(flat, keys, side="right") - 1] if path.size else np.full(len(when), np.nan)


@metric(
    "effective spread", "execution", "ticks", "Σ x 2 D (P - m_t) / Σ x, ordinary fills", "Huang & Stoll 1996",
    number=47, pooling="ratio", sign=-1, needs=(FILLS,),
)  # fmt: skip
def effective_spread(panel: Panel) -> tuple[Floats, Floats]:
    """Twice the distance from the mid that a lot paid: positive for a taker, negative for a maker, who earns it."""
    return _weighted(panel, -edge2(panel))


@metric(
    "realised spread 5 s", "execution", "ticks", "Σ x 2 D (P - m_{t+5s}) / Σ x, horizon cut at the end",
    "Huang & Stoll 1996", number=48, pooling="ratio", sign=-1, needs=(FILLS,),
)  # fmt: skip
def realised_spread_5s(panel: Panel) -> tuple[Floats, Floats]:
    """What is left of the effective spread after the mid's move: effective = realised + impact."""
    return _weighted(panel, -edge2(panel) - panel.once(drift2))


@metric(
    "price impact 5 s", "execution", "ticks", "Σ x 2 D (m_{t+5s} - m_t) / Σ x, horizon cut at the end",
    "Huang & Stoll 1996", number=49, pooling="ratio", sign=1, needs=(FILLS,),
)  # fmt: skip
def price_impact_5s(panel: Panel) -> tuple[Floats, Floats]:
    """Twice the mid's move in the fill's direction: negative where fills come before a loss."""
    return _weighted(panel, panel.once(drift2))


@metric(
    "adverse fills", "execution", "share", "Σ x 1{D (m_{t+1s} - m_t) < 0} / Σ x passive, horizon cut at the end",
    "Moallemi & Yuan 2016", number=51, pooling="ratio", sign=-1,
    needs=(FILLS, Need("no passive fill", lambda p: _lots(p, p.ordinary & p.episodes.fills["maker"]) > 0)),
)  # fmt: skip
def adverse_fill_share(panel: Panel) -> tuple[Floats, Floats]:
    """Share of the passively filled lots after which the mid stood against them one second later."""
    passive = panel.ordinary & panel.episodes.fills["maker"]
    moved = panel.sign * (mid2_after(panel, SOON) - panel.episodes.fills["mid2"])
    return _weighted(panel, (moved < 0).astype(np.int64), passive)


def _depleted(panel: Panel) -> tuple[Floats, Floats]:
    if panel.episodes.spread is None:
        return np.zeros(panel.count), np.zeros(panel.count)
    fills = panel.episodes.fills
    when = np.minimum(fills["time"] + round(SOON * 1e9), panel.duration_ns[panel.fill_episode])
    mid, spread = (at_decision(panel, path, when) for path in (panel.episodes.mid, panel.episodes.spread))
    use = panel.ordinary & fills["maker"] & ~np.isnan(spread)
    behind = panel.sign * (mid - fills["price"]) < spread / 2
    return _weighted(panel, behind.astype(np.int64), use)


@metric(
    "depleted fills", "execution", "share",
    "Σ x 1{own side's best price is behind P at the last decision until t + 1 s} / Σ x passive, horizon cut at the end",
    "Moallemi & Yuan 2016", number=51, pooling="ratio", sign=-1,
    needs=(FILLS, SPREAD, Need("no passive fill with a spread after it", lambda p: p.once(_depleted)[1] > 0)),
)  # fmt: skip
def depleted_fill_share(panel: Panel) -> tuple[Floats, Floats]:
    """Share of the passively filled lots whose price level was gone a second later, as the decision grid shows it:
    the others' best price of that side was worse.
    """
    return panel.once(_depleted)


@metric(
    "queue ahead at fill", "execution", "lots", "Σ lots ahead / #passive ordinary fills", "Moallemi & Yuan 2016",
    number=45, pooling="ratio",
    needs=(FILLS, Need("no passive fill", lambda p: _lots(p, p.ordinary & p.episodes.fills["maker"]) > 0)),
)  # fmt: skip
def queue_ahead_fill(panel: Panel) -> tuple[Floats, Floats]:
    """Lots ahead of the order when the message that filled it arrived: large where fills come from large takers."""
    passive = panel.ordinary & panel.episodes.fills["maker"]
    ahead = panel.fill_sum(panel.episodes.fills["queue_ahead_fill"], passive)
    return ahead.astype(np.float64), panel.fill_sum(passive.astype(np.int64)).astype(np.float64)


def _captured(panel: Panel) -> tuple[Floats, Floats]:
    if panel.episodes.spread is None:
        return np.zeros(panel.count), np.zeros(panel.count)
    spread = at_decision(panel, panel.episodes.spread, panel.episodes.fills["time"])
    use = panel.ordinary & ~np.isnan(spread)
    earned = panel.fill_sum(panel.quantity * edge2(panel), use)
    return earned.astype(np.float64), panel.per_episode((panel.quantity * spread)[use], panel.fill_episode[use])


@metric(
    "spread captured", "execution", "share of half-spread", "Σ x D (m_t - P) / Σ x s/2, s at the last decision",
    "definition", number=46, pooling="ratio", sign=1,
    needs=(FILLS, SPREAD, Need("no spread at the fills", lambda p: p.once(_captured)[1] > 0)),
    name="quoted_spread_captured",
)  # fmt: skip
def quoted_spread_captured(panel: Panel) -> tuple[Floats, Floats]:
    """What a lot earned against the mid, in half-spreads: 1 for a maker at the touch, -1 for a taker."""
    return panel.once(_captured)


def _drifts(panel: Panel) -> tuple[Floats, Floats, Floats, Floats]:
    log, rows = panel.episodes.orders, panel.once(resting)
    rows = rows[log["end_reason"][rows] != EndReason.EPISODE_END]
    episode, end = log["episode"][rows], log["time_end"][rows]
    later = np.minimum(end + round(HORIZON * 1e9), panel.duration_ns[episode])
    drift = panel.order_sign[rows] * (panel.mid2_at(episode, later) - panel.mid2_at(episode, end)) / 2
    filled = log["end_reason"][rows] == EndReason.FILLED
    parts = []
    for mine in (filled, ~filled):
        count = np.bincount(episode[mine], minlength=panel.count).astype(np.float64)
        parts += [panel.per_episode(drift[mine], episode[mine]), count]
    return parts[0], parts[1], parts[2], parts[3]


@metric(
    "filled against unfilled", "execution", "ticks",
    "mean D (m_{e+5s} - m_e) of filled quotes less that of unfilled ones, e the order's end", "definition",
    number=52, pooling="difference", sign=1,
    needs=(
        ORDERS, RESTED,
        Need("no resting order filled", lambda p: p.once(_drifts)[1] > 0),
        Need("no resting order ended unfilled", lambda p: p.once(_drifts)[3] > 0),
    ),
)  # fmt: skip
def drift_asymmetry(panel: Panel) -> tuple[Floats, Floats, Floats, Floats]:
    """How much worse the mid does for quotes that filled than for those that did not: fills are chosen by others."""
    return panel.once(_drifts)


@metric("pick-offs", "execution", "per episode", "#ordinary fills while a cancel was on its way", "definition",
        number=60, sign=-1, needs=())  # fmt: skip
def pick_offs(panel: Panel) -> Floats:
    """Fills of orders whose cancel came too late."""
    late = panel.ordinary & panel.episodes.fills["cancel_sent"]
    return panel.fill_sum(late.astype(np.int64)).astype(np.float64)


@metric(
    "pick-off cost", "execution", "ticks·lots", "Σ x D (P - m_{t+1s}) over these fills, horizon cut at the end",
    "definition", number=60, sign=-1, needs=(),
)  # fmt: skip
def pick_off_cost(panel: Panel) -> Floats:
    """What the fills that a cancel came too late for cost against the mid one second later."""
    late = panel.ordinary & panel.episodes.fills["cancel_sent"]
    loss = panel.sign * (2 * panel.episodes.fills["price"] - mid2_after(panel, SOON))
    return panel.fill_sum(panel.quantity * loss, late) / 2


def _impact(panel: Panel, seconds: float | None) -> tuple[Floats, Floats]:
    """(E,) Σ x D (own market's mid move - the counterfactual's) from each ordinary fill, and (E,) the lots."""
    other = panel.counterfactual
    if other is None or len(other.mids) == 0:
        return np.zeros(panel.count), np.zeros(panel.count)
    use = panel.ordinary
    episode, time = panel.fill_episode[use], panel.episodes.fills["time"][use]
    end = panel.duration_ns[episode]
    later = end if seconds is None else np.minimum(time + round(seconds * 1e9), end)
    moved = panel.mid2_at(episode, later) - panel.episodes.fills["mid2"][use]
    # The mid just before the fill; without own orders the same event is at the same time in the other market.
    without = panel.mid2_at(episode, later, True) - panel.mid2_at(episode, time - 1, True)
    difference = panel.sign[use] * panel.quantity[use] * (moved - without)
    return panel.per_episode(difference, episode) / 2, _lots(panel, use)


COUNTERFACTUAL = Need(
    "no counterfactual was played (the same seeds without own orders)",
    lambda p: np.full(p.count, p.counterfactual is not None and len(p.counterfactual.mids) > 0),
)


@metric(
    "own impact 5 s", "execution", "ticks/lot",
    "Σ x D [(m_{t+5s} - m_t) with - (m_{t+5s} - m_t) without own orders, same seed] / Σ x, horizon cut at the end",
    "definition", number=58, pooling="ratio", needs=(FILLS, COUNTERFACTUAL),
)  # fmt: skip
def own_impact_5s(panel: Panel) -> tuple[Floats, Floats]:
    """How far a lot moved the others' mid in its direction, against the same seed without the strategy."""
    return _impact(panel, HORIZON)


@metric(
    "own impact to the close", "execution", "ticks/lot", "as own_impact_5s, to the episode's end",
    "definition", number=58, pooling="ratio", needs=(FILLS, LENGTH, COUNTERFACTUAL),
)  # fmt: skip
def own_impact_close(panel: Panel) -> tuple[Floats, Floats]:
    """What is left of a lot's impact at the end: the permanent part, as far as the episode lasts."""
    return _impact(panel, None)
