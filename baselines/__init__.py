"""Scripted strategies to measure agents against.

>>> import baselines
>>> baselines.names()[:4]
['do-nothing', 'random', 'buy-and-hold', 'market-making']

``baselines.make(name, env, **parameters)`` builds one for an environment. Your own is a subclass of
`Strategy`, and
``"my_module:MyStrategy"`` is accepted wherever a name is.
"""

from baselines.buy_and_hold import BuyAndHold
from baselines.do_nothing import DoNothing
from baselines.liquidity_taking import LiquidityTakingStrategy
from baselines.market_making import MarketMakingStrategy
from baselines.model_makers import ModelMaker
from baselines.random_actions import RandomActions
from baselines.ranges import Choice, Range
from baselines.registry import get, make, names, parse
from baselines.strategy import Strategy, View, Wish, no_quotes
from baselines.tuned import tuned_parameters

__all__ = [
    "BuyAndHold",
    "Choice",
    "DoNothing",
    "LiquidityTakingStrategy",
    "MarketMakingStrategy",
    "ModelMaker",
    "RandomActions",
    "Range",
    "Strategy",
    "View",
    "Wish",
    "get",
    "make",
    "names",
    "no_quotes",
    "parse",
    "tuned_parameters",
]
