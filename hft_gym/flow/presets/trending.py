"""The reactive market in the hands of one trader at a time, whose every trade is news: prices run."""

from dataclasses import replace

from hft_gym.flow.learning import LearningConfig
from hft_gym.flow.metaorders import MetaorderConfig
from hft_gym.flow.presets.reactive import FLOW as REACTIVE

FLOW = replace(
    REACTIVE,
    metaorders=MetaorderConfig(rate=3.0, traders=1, alpha=1.2, reach=0, sizes=REACTIVE.market_sizes),
    learning=LearningConfig(impact=0.3, exponent=0.0, weights=(0.0, 0.0, 0.0, 0.0)),
)
