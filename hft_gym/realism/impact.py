"""Impact of metaorders in a simulated market, by experiment: the same market with and without the order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import build
from hft_gym.errors import ConfigError
from hft_gym.market.config import LatencyConfig, MarketConfig
from hft_gym.market.market import Market
from hft_gym.market.views import MarketEvent
from hft_gym.realism.series import PowerLaw, fit_power_law
from hft_gym.types import OrderSide

__all__ = ["CHILDREN", "Impact", "metaorder_impact"]

Floats = NDArray[np.float64]
CHILDREN = (2, 4, 8, 16, 32, 64, 128)
ORDERS, PIECE, LONGEST = 30_000, 600_000_000_000, 36_000_000_000_000
"""Market orders that the rate of trades is counted from, in pieces of so many ns, for at most so many."""
DAY = 23_400.0
"""Seconds of trading in a day, for Q / V."""


@dataclass(frozen=True)
class Impact:
    """Mean impact of metaorders.

    Attributes:
        children: numbers of child orders.
        participation: ``(K,)`` Q / V: lots so far over the market's volume in a day of 6.5 h.
        impact, error: ``(K,)`` mid with less mid without the order, in its direction, as the k-th size is done [ticks],
            and its standard error over the repetitions.
        after: multiples of the largest order's duration after its end.
        relaxed: ``(R,)`` impact then, over that at the end.
        law: impact ~ (Q / V)^exponent.
    """

    children: tuple[int, ...]
    participation: Floats
    impact: Floats
    error: Floats
    after: tuple[float, ...]
    relaxed: Floats
    law: PowerLaw


def _mid(market: Market, last: float) -> float:
    bid, ask = market.best(OrderSide.BID), market.best(OrderSide.ASK)
    return last if bid is None or ask is None else (bid + ask) / 2.0


def _trading(market: Market) -> tuple[float, float]:
    """Market orders per second that trade, and their mean size [lots]; the market moves on.

    Activity that wanders needs a long look: a rate from a busy or a quiet stretch would be that of another market.
    """
    orders = 0
    begin, before = market.time, market.counters
    while orders < ORDERS and market.time - begin < LONGEST:
        end = market.time + PIECE
        while market.time < end:
            # Each stop is one market order, of however many fills.
            orders += MarketEvent.TRADE in market.run_until_event(MarketEvent.TRADE, end - market.time)
    now = market.counters
    volume = now.volume_bought + now.volume_sold - before.volume_bought - before.volume_sold
    seconds = (market.time - begin) / 1e9
    if orders < 100:
        raise ConfigError(
            f"the market has {orders} trades in {seconds:.0f} s; metaorders need others' trades to hide in"
        )
    return orders / seconds, volume / orders


def metaorder_impact(
    config: MarketConfig | Mapping[str, Any] | str,
    *,
    children: Sequence[int] = CHILDREN,
    repeats: int = 200,
    after: Sequence[float] = (1.0, 2.0, 5.0),
    seed: int = 0,
) -> Impact:
    """Execute metaorders of market orders and watch the mid (Toth et al. 2011 for the law that real ones follow).

    The children are of the market's mean trade size and come at half its rate of trades, so that the order is a third
    of the trading; bought and sold in turns. Every size is read off the way to the largest: at a steady rate the market
    cannot know which the last child will be. The market without the order has the same seed and the same draws.

    Args:
        config: the market; its latencies are set to zero.
        children: numbers of child orders, ascending.
        repeats: metaorders.
        after: when to look at the relaxation, in durations of the largest order.
        seed: of the market.

    Raises:
        ConfigError: no trades happen by themselves, or the sizes are not ascending.
    """
    sizes = tuple(int(c) for c in children)
    if list(sizes) != sorted(set(sizes)) or not sizes or sizes[0] < 1 or repeats < 2:
        raise ConfigError(
            f"children is {sizes}, repeats {repeats}; needed are ascending numbers and at least 2 repeats"
        )
    made = build(MarketConfig, config)
    made = replace(made, latency=LatencyConfig(0, 0, 0, 0, 0), participants=1, max_own_orders=2)
    market = Market(made, seed, log_capacity=0)
    rate, size = _trading(market)
    gap, lots = round(2e9 / rate), max(1, round(size))
    impact = np.zeros((repeats, len(sizes)))
    relaxed = np.zeros((repeats, len(after)))
    mid = _mid(market, float(made.initial_price))
    for k in range(repeats):
        market.run_for(10 * gap)
        twin = market.copy()
        side, sign = (OrderSide.BID, 1.0) if k % 2 == 0 else (OrderSide.ASK, -1.0)
        start = market.time
        mine = other = mid = _mid(market, mid)
        done = 0
        for i, size in enumerate(sizes):
            while done < size:
                twin.submit(1, side, lots)
                done += 1
                twin.run_until(start + done * gap)
            market.run_until(twin.time)
            mine, other = _mid(twin, mine), _mid(market, other)
            impact[k, i] = sign * (mine - other)
        end = market.time
        for i, wait in enumerate(after):
            for each in (twin, market):
                each.run_until(end + round(wait * (end - start)))
            mine, other = _mid(twin, mine), _mid(market, other)
            relaxed[k, i] = sign * (mine - other)
    mean = impact.mean(axis=0)
    participation = np.array(sizes) * lots / (rate * size * DAY)
    peak = mean[-1] if mean[-1] > 0 else np.nan
    return Impact(
        sizes,
        participation,
        mean,
        impact.std(axis=0, ddof=1) / np.sqrt(repeats),
        tuple(after),
        relaxed.mean(axis=0) / peak,
        fit_power_law(participation, mean),
    )
