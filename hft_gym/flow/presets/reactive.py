"""A liquid stock whose order flow reacts: split orders, wandering activity, liquidity that returns, quotes of those
who know the value, a value that learns from surprising trades, and quotes that follow each trade within hundredths of a
second: orders are withdrawn on the side that was hit, and placed behind the trade.

Its rates were searched, by hand, at random and along fitted slopes, for the realism checks of
`hft_gym.realism.D_checks`, which it passes at seed 0 (docs/flow.md).
"""

from hft_gym.flow.config import FlowConfig
from hft_gym.flow.hawkes import HawkesConfig
from hft_gym.flow.learning import LearningConfig
from hft_gym.flow.metaorders import MetaorderConfig
from hft_gym.flow.replenishment import ReplenishmentConfig
from hft_gym.flow.volatility import VolatilityConfig


def _power(exponent: float, n: int) -> tuple[float, ...]:
    return tuple(round(k**-exponent, 6) for k in range(1, n + 1))


_JOIN, _LEAVE, _NONE = 2.2, 1.7, (0.0,) * 6
"""Limit orders on the side of a trade, and cancellations on the side that it hit, that it causes in calm times."""

FLOW = FlowConfig(
    limit_rates=(3.2, 6.8, 5.1, 4.2, 3.5, 2.8, 2.3, 1.9, 1.6, 1.35, 1.1, 0.88),
    cancel_rates=(0.18, 0.84, 0.85),
    market_rate=0.04,
    limit_sizes=_power(2.26, 64),
    market_sizes=_power(0.9, 64),
    jump_rate=0.11,
    jump_sizes=_power(1.36, 16),
    informed_rate=2.1,
    informed_edge=1.14,
    informed_quotes=0.56,
    market_reach=0,
    metaorders=MetaorderConfig(rate=1.75, traders=2, alpha=1.5, longest=22_000, reach=0, sizes=_power(0.9, 64)),
    replenishment=ReplenishmentConfig(share=0.045, decay=4.9),
    learning=LearningConfig(impact=0.12, exponent=0.0, weights=(0.3, 0.2, 0.16, 0.04)),
    volatility=VolatilityConfig(components=8, depth=0.4, fastest_s=1.2, slowest_s=2300.0, liquidity=0.39),
    hawkes=HawkesConfig(
        kinds=("limit_bid", "limit_ask", "cancel_bid", "cancel_ask", "market_buy", "market_sell"),
        branching=(
            (
                (0.0, 0.0, 0.0, 0.0, _JOIN, 0.0),
                (0.0, 0.0, 0.0, 0.0, 0.0, _JOIN),
                (0.0, 0.0, 0.0, 0.0, 0.0, _LEAVE),
                (0.0, 0.0, 0.0, 0.0, _LEAVE, 0.0),
                _NONE,
                _NONE,
            ),
        ),
        decays=(46.0,),
        scales_informed=False,
    ),
)
