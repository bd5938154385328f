"""Round trips: lots bought and lots sold, matched first in, first out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hft_gym.report.needs import Need
from hft_gym.report.panel import Panel

__all__ = ["TRIPS", "RoundTrips", "round_trips"]

Ints = npt.NDArray[np.int64]


class RoundTrips(NamedTuple):
    """Matched lots, (R,) each, sorted by episode.

    Attributes:
        episode: index of the episode.
        lots: how many.
        bought_at, sold_at: prices, ticks.
        held_ns: time between the two trades; which came first says whether the lots were held long or short.
    """

    episode: Ints
    lots: Ints
    bought_at: Ints
    sold_at: Ints
    held_ns: Ints


def round_trips(panel: Panel) -> RoundTrips:
    """The round trips of all episodes; lots that were never traded back are in none.

    First in, first out pairs the k-th lot bought with the k-th lot sold, whichever came first. So no queue is
    walked: the pairs change where either running count steps, and both are on one axis of matched lots.
    """
    fills, episode = panel.episodes.fills, panel.fill_episode
    buys = np.flatnonzero(panel.sign > 0)
    sells = np.flatnonzero(panel.sign < 0)
    matched = np.minimum(
        panel.per_episode(panel.quantity[buys], episode[buys]), panel.per_episode(panel.quantity[sells], episode[sells])
    )
    offset = np.concatenate([[0], np.cumsum(matched)])
    ends = [_ends(panel.quantity[rows], episode[rows], matched, offset) for rows in (buys, sells)]
    edges = np.union1d(ends[0], ends[1])
    edges = edges[edges > 0]
    lots = np.diff(edges, prepend=0)
    # The first trade of a side whose running count reaches the edge is the one that its lots came from.
    bought, sold = (
        rows[np.searchsorted(end, edges)] if len(edges) else rows[:0]
        for rows, end in zip((buys, sells), ends, strict=True)
    )
    time, price = fills["time"], fills["price"]
    return RoundTrips(
        episode[bought], lots, price[bought], price[sold], np.abs(time[sold] - time[bought])
    )


def _ends(quantity: Ints, episode: Ints, matched: Ints, offset: Ints) -> Ints:
    """Where each trade's lots end on the axis of matched lots; what an episode has beyond is cut off."""
    running = np.cumsum(quantity)
    first = np.searchsorted(episode, np.arange(len(matched)))
    before = np.concatenate([[0], running])[first]
    return np.minimum(running - before[episode], matched[episode]) + offset[:-1][episode]


def _matched(panel: Panel) -> Ints:
    trips = panel.once(round_trips)
    found: Ints = panel.per_episode(trips.lots, trips.episode)
    return found


TRIPS = Need("no lot was traded back", lambda p: _matched(p) > 0)
