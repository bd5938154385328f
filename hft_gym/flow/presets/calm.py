"""The reactive market on a quiet day: hardly any news, few large orders."""

from dataclasses import replace

from hft_gym.flow.metaorders import MetaorderConfig
from hft_gym.flow.presets.reactive import FLOW as REACTIVE

FLOW = replace(
    REACTIVE,
    jump_rate=0.01,
    informed_rate=1.0,
    metaorders=MetaorderConfig(rate=1.0, traders=8, alpha=1.7, reach=0, sizes=REACTIVE.market_sizes),
    volatility=None,
)
