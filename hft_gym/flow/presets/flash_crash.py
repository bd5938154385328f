"""A thin book, large orders that take whatever the price, and few who know better: prices fall through the book and
come back."""

from dataclasses import replace

from hft_gym.flow.metaorders import MetaorderConfig
from hft_gym.flow.presets.thin import FLOW as THIN

FLOW = replace(
    THIN,
    market_reach=None,
    metaorders=MetaorderConfig(rate=4.0, traders=1, alpha=1.1, sizes=THIN.market_sizes),
    informed_rate=0.5,
    informed_quotes=0.3,
    learning=None,
)
