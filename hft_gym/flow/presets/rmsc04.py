"""The ABIDES reference configuration RMSC04: see :mod:`hft_gym.flow.population`. One tick is one cent.

Open the market at 100,000 ticks, and give the book room: ``MarketConfig(flow="rmsc04",
initial_price=100_000, levels=4096, max_orders=4096)``.
"""

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
