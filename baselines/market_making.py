"""``market-making``: quotes on both sides of the mid, skewed against the inventory."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from baselines.ranges import Range, SearchSpace
from baselines.scales import usual_spread
from baselines.sides import limits
from baselines.strategy import Strategy, View, Wish
from hft_gym.config import setting, validate

__all__ = ["MarketMakingStrategy"]


@dataclass
class MarketMakingStrategy(Strategy):
    """Quotes at the mid ± ``spread_target`` / 2, shifted down when long and up when short.

    At the limit the growing side is not quoted, and both quotes have moved by ``skew`` times half the
    target, so that with ``skew=1`` the closing side then stands at the mid. In an environment each quote is
    the nearest of the offered ones.

    Args:
        symbol: of the orders.
        spread_target: distance between the two quotes, currency.
        max_position: largest absolute position, lots.
        order_size: lots of a quote, for the face that sends orders; an environment has its own.
        skew: shift at the limit, in halves of the target.
        tick_size: currency per tick, for the face that sends orders.

    >>> from hft_gym import OrderBook, Order, OrderSide
    >>> book = OrderBook("ABC")
    >>> _ = book.add_order(Order.create_limit_order("ABC", OrderSide.BID, 100, 99.98))
    >>> _ = book.add_order(Order.create_limit_order("ABC", OrderSide.ASK, 100, 100.02))
    >>> maker = MarketMakingStrategy("ABC", spread_target=0.02, max_position=500, order_size=100)
    >>> [(o.side.name, o.volume, o.price) for o in maker.on_market_update(book.get_snapshot(), 0.0)]
    [('BID', 100, 99.99), ('ASK', 100, 100.01)]
    """

    name: ClassVar[str] = "market-making"

    symbol: str
    spread_target: float = setting(0.02, above=0.0)
    max_position: int = setting(10, low=1)
    order_size: int = setting(1, low=1)
    _: KW_ONLY
    skew: float = setting(1.0, low=0.0)
    tick_size: float = setting(0.01, above=0.0)

    def __post_init__(self) -> None:
        validate(self)

    def decide(self, view: View, memory: npt.NDArray[Any]) -> tuple[Wish, npt.NDArray[Any]]:
        """See the class."""
        half = 0.5 * self.spread_target / view.tick_size
        shift = -self.skew * half * view.inventory / self.max_position
        bid_size = np.clip(self.max_position - view.inventory, 0, view.lot)
        ask_size = np.clip(self.max_position + view.inventory, 0, view.lot)
        return Wish(shift - half, shift + half, bid_size, ask_size, np.zeros(len(view))), memory

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """One and a half usual spreads wide, with the environment's limits.

        Where the usual spread is one tick, this joins the touch when flat.
        """
        config = env.config
        return {
            "spread_target": round(1.5 * usual_spread(env) * config.market.tick_size, 10),
            "skew": 2.0,
            "max_position": config.max_position,
            "order_size": config.order_size,
            "tick_size": config.market.tick_size,
        }

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """From half a usual spread to six of them, from no skew to a strong one."""
        spread = usual_spread(env) * env.config.market.tick_size
        return {
            "spread_target": Range(0.5 * spread, 6.0 * spread, log=True),
            "skew": Range(0.0, 4.0),
            "max_position": limits(env),
        }
