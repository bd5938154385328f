"""A liquid stock whose order flow reacts: split orders, wandering activity, liquidity that returns, quotes of those
who know the value, and a value that learns from surprising trades.

Its rates were searched by hand and at random for the realism checks of `hft_gym.realism.D_checks`; of those it still
misses five, first of all the relation of the spread to the impact of a trade (docs/flow.md).
"""

from hft_gym.flow.config import FlowConfig
from hft_gym.flow.learning import LearningConfig
from hft_gym.flow.metaorders import MetaorderConfig
from hft_gym.flow.replenishment import ReplenishmentConfig
from hft_gym.flow.volatility import VolatilityConfig


def _power(exponent: float, n: int) -> tuple[float, ...]:
    return tuple(round(k**-exponent, 6) for k in range(1, n + 1))


FLOW = FlowConfig(
    limit_rates=(2.5, 8.0, 3.8, 3.1, 2.6, 2.1, 1.7, 1.4, 1.2, 1.0, 0.8, 0.65),
    cancel_rates=(0.28, 0.8, 0.84),
    market_rate=0.12,
    limit_sizes=_power(2.26, 64),
    market_sizes=_power(1.66, 64),
    jump_rate=0.04,
    jump_sizes=_power(1.3, 16),
    informed_rate=2.5,
    informed_edge=0.94,
    informed_quotes=0.7,
    market_reach=0,
    metaorders=MetaorderConfig(rate=2.0, traders=2, alpha=1.47, reach=0, sizes=_power(1.66, 64)),
    replenishment=ReplenishmentConfig(share=0.23, decay=3.2),
    learning=LearningConfig(impact=0.05, exponent=0.4, weights=(0.175, 0.175, 0.175, 0.175)),
    volatility=VolatilityConfig(components=8, depth=0.46, fastest_s=0.9, slowest_s=1700.0, liquidity=0.7),
)
