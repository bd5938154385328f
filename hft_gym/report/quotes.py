"""Metrics of resting orders: how long they live, how likely they fill, and when quotes stand on both sides.

Survival is estimated with Kaplan and Meier (1958): an order that is cancelled, or still rests at the episode's end,
says only that it was not filled until then (it is *censored*), as in Lo, MacKinlay & Zhang (2002). Times count from
the order's entry into the book; an order fills when its last lot does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hft_gym.market.records import EndReason
from hft_gym.report.metrics import metric
from hft_gym.report.needs import LENGTH, ORDERS, PATH, Need
from hft_gym.report.panel import Floats, Panel, ratio

PRESENCE_TICKS = 5
"""How near to the mid both quotes must be to count as present, ticks."""


def resting(panel: Panel) -> npt.NDArray[np.int64]:
    """(R,) orders that rested in the book."""
    return np.flatnonzero(panel.episodes.orders["queue_ahead_entry"] >= 0)


class Survival:
    """Kaplan–Meier curves of the resting orders, one for each episode, or *together* one for all of them.

    Attributes:
        episode, seconds: (R,) by episode, then by the order's age at its end.
        first, size: (E,) where an episode's orders begin, and how many they are.
        ended: (R,) whether the event came, or the order was censored.
        after: (R,) share that survives the end of this order; ties: events come before censorings.
    """

    def __init__(
        self, panel: Panel, event: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.bool_]], together: bool = False
    ) -> None:
        log = panel.episodes.orders[panel.once(resting)]
        episode, count = (np.zeros(len(log), np.int64), 1) if together else (log["episode"], panel.count)
        age = log["time_end"] - log["time_entry"]
        ended = event(log["end_reason"])
        # One integer for all three keys: one sort of integers is a third of the work of three.
        span = 2 * (int(age.max(initial=0)) + 1)
        order = np.argsort(episode * span + 2 * age + ~ended)
        self.episode = episode[order]
        self.seconds, self.ended = age[order] / 1e9, ended[order]
        edges = np.searchsorted(self.episode, np.arange(count + 1))
        self.first, self.size = edges[:-1], np.diff(edges)
        at_risk = edges[1:][self.episode] - np.arange(len(order))
        # Sums of logarithms; the curve is 0 from where the last order at risk ends.
        factor = np.where(self.ended, 1.0 - 1.0 / np.maximum(at_risk, 1), 1.0)
        total = np.concatenate([[0.0], np.cumsum(np.log(np.where(factor > 0, factor, 1.0)))])
        self.after = np.exp(total[1:] - total[self.first][self.episode]) * (factor > 0)

    def at(self, seconds: float) -> Floats:
        """(E,) share without the event until then; NaN where nobody was at risk so long: that would be a guess."""
        early = np.bincount(self.episode, self.seconds <= seconds, len(self.size)).astype(np.int64)
        out = np.ones(len(self.size))
        some = early > 0
        out[some] = self.after[(self.first + early)[some] - 1]
        return np.where(((self.size > early) | (out == 0)) & (self.size > 0), out, np.nan)

    def median(self) -> Floats:
        """(E,) seconds until half have had the event; NaN where fewer ever did."""
        # Half, but for the rounding of the logarithms.
        before = np.bincount(self.episode, self.after > 0.5 + 1e-12, len(self.size)).astype(np.int64)
        out = np.full(len(self.size), np.nan)
        reached = before < self.size
        out[reached] = self.seconds[(self.first + before)[reached]]
        return out


def to_fill(panel: Panel, together: bool = False) -> Survival:
    """Curves of the time to the fill; cancels are censored."""
    return Survival(panel, lambda reason: reason == EndReason.FILLED, together)


def to_end(panel: Panel) -> Survival:
    """Curves of the time to any end; only the episode's end is censored."""
    return Survival(panel, lambda reason: reason != EndReason.EPISODE_END)


RESTED = Need("no order rested in the book", lambda p: p.order_sum(p.episodes.orders["queue_ahead_entry"] >= 0) > 0)
HALF_FILLED = Need("fewer than half of the resting orders fill", lambda p: ~np.isnan(p.once(to_fill).median()))
HALF_ENDED = Need("fewer than half of the resting orders end", lambda p: ~np.isnan(p.once(to_end).median()))


def _probability(horizon: float) -> None:
    at_risk = Need(
        f"no order rested longer than {horizon:g} s", lambda p: ~np.isnan(p.once(to_fill).at(horizon))
    )

    @metric(
        f"filled within {horizon:g} s", "execution", "probability",
        f"1 - Ŝ({horizon:g} s), Kaplan–Meier, cancels censored", "Lo, MacKinlay & Zhang 2002; Kaplan & Meier 1958",
        number=42, needs=(ORDERS, RESTED, at_risk), name=f"fill_probability_{horizon:g}s",
    )  # fmt: skip
    def fill_probability(panel: Panel) -> Floats:
        """Probability that a resting order fills within the horizon if it is not cancelled."""
        return 1.0 - panel.once(to_fill).at(horizon)


for _horizon in (1.0, 10.0):
    _probability(_horizon)


@metric(
    "median time to fill", "execution", "s", "Kaplan–Meier median, cancels censored", "Lo, MacKinlay & Zhang 2002",
    number=43, needs=(ORDERS, RESTED, HALF_FILLED),
)  # fmt: skip
def time_to_fill(panel: Panel) -> Floats:
    """Time in which half of the resting orders would fill if none was cancelled."""
    return panel.once(to_fill).median()


@metric(
    "median quote life", "activity", "s", "Kaplan–Meier median of the time to fill or cancel; the end censored",
    "Kaplan & Meier 1958", number=39, needs=(ORDERS, RESTED, HALF_ENDED),
)  # fmt: skip
def quote_lifetime(panel: Panel) -> Floats:
    """Time after which half of the resting orders are gone."""
    return panel.once(to_end).median()


@metric(
    "queue ahead at entry", "execution", "lots", "Σ lots ahead / #orders that rested", "Moallemi & Yuan 2016",
    number=44, pooling="ratio", needs=(ORDERS, RESTED),
)  # fmt: skip
def queue_ahead_entry(panel: Panel) -> tuple[Floats, Floats]:
    """Lots ahead of an order when it joined its queue."""
    log, rows = panel.episodes.orders, panel.once(resting)
    ahead = panel.per_episode(log["queue_ahead_entry"][rows], log["episode"][rows])
    return ahead.astype(np.float64), np.bincount(log["episode"][rows], minlength=panel.count).astype(np.float64)


@metric(
    "two-sided presence", "activity", "share",
    f"share of the time with a bid and an ask of one's own in the book, each within {PRESENCE_TICKS} ticks of the mid",
    "definition; cf. EU regulation 2017/578 (RTS 8)", number=40, needs=(PATH, LENGTH),
)  # fmt: skip
def quoting_presence(panel: Panel) -> Floats:
    """How much of the time the strategy quotes both sides near the mid, looked at on the decision grid."""
    time, shape = panel.episodes.time, panel.episodes.time.shape
    if shape[1] == 0:
        return np.full(panel.count, np.nan)
    both = _near(panel, 1) & _near(panel, -1)
    return ratio((both * panel.holds_for).sum(axis=1), time[:, -1] / 1e9)


def _near(panel: Panel, sign: int) -> npt.NDArray[np.bool_]:
    """(E, T+1) whether an own order of the side rests near the mid at each decision."""
    log, time = panel.episodes.orders, panel.episodes.time
    rows = panel.once(resting)
    rows = rows[panel.order_sign[rows] == sign]
    episode, price = log["episode"][rows], log["price"][rows]
    span = int(time.max(initial=0)) + 2
    flat = (time + np.arange(panel.count)[:, None] * span).ravel()
    # An episode that ended early repeats its last time: positions past it belong to nobody.
    begin, end = (
        np.searchsorted(flat, episode * span + np.clip(log[c][rows], 0, span - 1)) for c in ("time_entry", "time_end")
    )
    lengths = np.maximum(end - begin, 0)
    of = np.repeat(np.arange(len(rows)), lengths)
    shift = begin - np.concatenate([[0], np.cumsum(lengths)[:-1]])
    at = np.arange(len(of)) + shift[of]
    near = np.zeros(time.size, np.bool_)
    near[at[np.abs(price[of] - panel.episodes.mid.ravel()[at]) <= PRESENCE_TICKS]] = True
    return near.reshape(time.shape)
