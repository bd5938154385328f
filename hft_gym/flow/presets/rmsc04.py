"""The ABIDES reference configuration RMSC04 (Byrd, Hybinette and Balch 2020; Amrouni et al. 2021, arXiv:2110.14771):
noise, value and momentum traders and market makers; one tick is one cent. See :mod:`hft_gym.flow.population`.

The value's mean is the opening price, 100,000 ticks there. Its agents act seldom and spread their orders widely: the
market needs minutes to fill its book, and room in it.
"""

from typing import Any

from hft_gym.flow.config import FlowConfig
from hft_gym.flow.population import PopulationConfig

FLOW = FlowConfig(
    limit_rates=(0.0,),
    cancel_rates=(0.0,),
    market_rate=0.0,
    value_volatility=5e-5 * 1e9**0.5,
    value_reversion=1.67e-16 * 1e9,
    population=PopulationConfig(),
)
SETTINGS: dict[str, Any] = {"initial_price": 100_000, "warm_up_ns": 600_000_000_000, "levels": 4096, "max_orders": 4096}
