"""Metrics of activity: orders, cancels, fills, volume and the time that lots are held.

"Ordinary" fills are those of the strategy's orders; the forced close at the end has its own line in the
attribution.
"""

from __future__ import annotations

import numpy as np

from hft_gym.market.records import EndReason
from hft_gym.report.metrics import metric
from hft_gym.report.needs import CAPITAL, FILLS, LENGTH, MARKET_VOLUME, ORDERS, PATH, Need
from hft_gym.report.panel import Floats, Ints, Panel, ratio
from hft_gym.report.trips import TRIPS, round_trips

MARKET_TRADED = Need("nothing was traded in the market", lambda p: market_volume(p) > 0)
TWO_TRADING = Need("the market traded in fewer than two clock intervals", lambda p: _shares(p)[1] > 1.5)


def _floats(values: object) -> Floats:
    return np.asarray(values, np.float64)


def market_volume(panel: Panel) -> Floats:
    """(E,) lots traded in the market, those of own orders included; NaN where it was not recorded."""
    path = panel.episodes.market_volume
    if path is None or path.shape[1] == 0:
        return np.full(panel.count, np.nan)
    taken = panel.fill_sum(panel.quantity, panel.ordinary & ~panel.episodes.fills["maker"])
    return _floats(path[:, -1] + taken)


@metric(
    "episodes with a fill", "activity", "share", "#(episodes with an ordinary fill) / #episodes", "report", needs=()
)
def traded(panel: Panel) -> Floats:
    """Share of episodes in which an own order traded at all."""
    return (panel.fill_sum(panel.ordinary.astype(np.int64)) > 0).astype(np.float64)


@metric("orders", "activity", "per episode", "#own orders that reached an end", "definition", number=28, needs=())
def orders(panel: Panel) -> Floats:
    """Own orders sent, whatever became of them."""
    return _floats(panel.order_count)


@metric("cancels", "activity", "per episode", "#cancels sent", "definition", number=29, needs=())
def cancels(panel: Panel) -> Floats:
    """Cancels sent, those that came too late included."""
    return _floats(panel.order_sum(panel.episodes.orders["cancel_sent"]))


@metric("fills", "activity", "per episode", "#ordinary fills", "definition", number=31, needs=())
def fills(panel: Panel) -> Floats:
    """Own fills; an order that fills in three parts counts three."""
    return _floats(panel.fill_sum(panel.ordinary.astype(np.int64)))


@metric(
    "order-to-trade ratio", "activity", "messages/fill", "(Σ orders + Σ cancels) / Σ fills", "EU regulation 2017/566",
    number=32, pooling="ratio", sign=-1, needs=(FILLS,),
)  # fmt: skip
def order_to_trade(panel: Panel) -> tuple[Floats, Floats]:
    """Messages sent for each fill."""
    return orders(panel) + cancels(panel), fills(panel)


@metric(
    "cancel ratio", "activity", "share", "Σ cancels / Σ orders", "definition",
    number=33, pooling="ratio", needs=(ORDERS,),
)  # fmt: skip
def cancel_ratio(panel: Panel) -> tuple[Floats, Floats]:
    """Share of the orders that a cancel was sent for."""
    return cancels(panel), orders(panel)


@metric(
    "messages/s", "activity", "1/s", "(Σ orders + Σ cancels) / Σ T", "definition", number=34, pooling="ratio"
)
def message_rate(panel: Panel) -> tuple[Floats, Floats]:
    """Mean number of orders and cancels sent a second."""
    return orders(panel) + cancels(panel), panel.duration_s


@metric(
    "peak messages/s", "activity", "1/s", "most messages that reached the exchange within one second of the clock",
    "definition", number=34,
)  # fmt: skip
def message_peak(panel: Panel) -> Floats:
    """Orders count when they enter (or are refused), cancels when they take effect; those that came too late leave no
    time and are left out.
    """
    log = panel.episodes.orders
    entered = np.where(log["time_entry"] >= 0, log["time_entry"], log["time_end"])
    gone = log["cancel_sent"] & (log["end_reason"] == EndReason.CANCELLED)
    times = np.concatenate([entered, log["time_end"][gone]]) // 1_000_000_000
    episode = np.concatenate([log["episode"], log["episode"][gone]])
    seconds = int(times.max(initial=0)) + 1
    counts = np.bincount(episode * seconds + np.maximum(times, 0), minlength=panel.count * seconds)
    most = counts.reshape(panel.count, seconds).max(axis=1) if panel.count else np.zeros(0)
    return np.where(panel.duration_ns > 0, most, np.nan)


@metric("volume", "activity", "lots per episode", "Σ x, ordinary fills", "definition", number=35, needs=())
def volume(panel: Panel) -> Floats:
    """Lots traded by own orders."""
    return _floats(panel.volume)


@metric(
    "participation", "activity", "share", "Σ x / Σ lots traded in the market", "definition",
    number=35, pooling="ratio", needs=(PATH, MARKET_VOLUME, MARKET_TRADED),
)  # fmt: skip
def participation(panel: Panel) -> tuple[Floats, Floats]:
    """Share of the market's volume that own orders were a side of."""
    return volume(panel), market_volume(panel)


def _shares(panel: Panel) -> tuple[Floats, Floats]:
    """(E,) standard deviation (n - 1) of the participation over clock intervals, and the number of intervals in which
    the market traded.
    """
    path = panel.episodes.market_volume
    if path is None or panel.grid.shape[1] < 2:
        return np.full(panel.count, np.nan), np.zeros(panel.count)
    mine = panel.ordinary
    own, taken = (_own_volume(panel, rows) for rows in (mine, mine & ~panel.episodes.fills["maker"]))
    total = np.diff(panel.path_at(path, panel.grid), axis=1) + taken
    active = panel.in_grid & (total > 0)
    share = np.where(active, ratio(_floats(own), _floats(total)), 0.0)
    count = active.sum(axis=1).astype(np.float64)
    mean = ratio(share.sum(axis=1), count)
    squares = np.where(active, (share - mean[:, None]) ** 2, 0.0).sum(axis=1)
    return np.sqrt(ratio(np.where(count > 1, squares, np.nan), count - 1)), count


def _own_volume(panel: Panel, rows: np.ndarray) -> Ints:
    """(E, K) lots of the given fills in each clock interval; an interval holds its end, not its start."""
    step = round(panel.interval_s * 1e9)
    width = panel.grid.shape[1] - 1
    interval = np.clip(-(-panel.episodes.fills["time"][rows] // step) - 1, 0, width - 1)
    flat = np.bincount(panel.fill_episode[rows] * width + interval, panel.quantity[rows], panel.count * width)
    return flat.reshape(panel.count, width).astype(np.int64)


@metric(
    "sd of participation", "activity", "share", "sd (n - 1) over clock intervals of own / market volume",
    "definition", number=57, sign=-1, needs=(LENGTH, MARKET_VOLUME, TWO_TRADING),
)  # fmt: skip
def participation_deviation(panel: Panel) -> Floats:
    """How unevenly the strategy takes part, over the clock intervals in which the market traded."""
    return _shares(panel)[0]


@metric(
    "maker share", "execution", "share", "Σ passive lots / Σ lots, ordinary fills", "definition",
    number=36, pooling="ratio", needs=(FILLS,),
)  # fmt: skip
def maker_share(panel: Panel) -> tuple[Floats, Floats]:
    """Share of the traded lots that rested in the book before."""
    passive = panel.ordinary & panel.episodes.fills["maker"]
    return _floats(panel.fill_sum(panel.quantity, passive)), volume(panel)


@metric(
    "holding time", "activity", "s", "Σ x |t_sold - t_bought| / Σ x, lots matched first in, first out",
    "definition", number=37, pooling="ratio", needs=(TRIPS,),
)  # fmt: skip
def holding_time(panel: Panel) -> tuple[Floats, Floats]:
    """Mean time that a lot is held, long or short; lots closed by force at the end count until then."""
    trips = panel.once(round_trips)
    held = panel.per_episode(trips.lots * (trips.held_ns / 1e9), trips.episode)
    return held, _floats(panel.per_episode(trips.lots, trips.episode))


@metric(
    "turnover", "activity", "× capital", "Σ x P / C, C the initial capital", "definition", number=38, needs=(CAPITAL,)
)
def turnover(panel: Panel) -> Floats:
    """Notional traded by own orders over the initial capital. NaN without a stated capital."""
    notional = panel.fill_sum(panel.quantity * panel.episodes.fills["price"], panel.ordinary)
    return ratio(_floats(notional), np.full(panel.count, panel.episodes.capital))
