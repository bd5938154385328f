"""``liquidity-taking``: crosses the spread on a short-term move or a lopsided touch."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from baselines.ranges import Range, SearchSpace
from baselines.scales import usual_price, usual_spread
from baselines.sides import limits
from baselines.strategy import Strategy, View, Wish, no_quotes
from hft_gym.config import setting, validate

__all__ = ["LiquidityTakingStrategy"]


@dataclass
class LiquidityTakingStrategy(Strategy):
    """Buys when the signal is up, sells when it is down, up to ``max_position`` on either side.

    Two signals, each in the direction of the expected move; if they disagree nothing is done:

    * the recent move of the mid as a fraction of the price, older moves fading with the time constant
      ``horizon_s``, beyond ± ``signal_threshold``;
    * the imbalance of the sizes at the touch, beyond ± ``imbalance_threshold`` (1 switches it off: an
      imbalance is never larger).

    A position is closed, and then reversed, by the opposite signal.

    Args:
        symbol: of the orders.
        signal_threshold: fractional move, for example 0.0002 for two basis points.
        max_position: largest absolute position, lots.
        order_size: lots of an order, for the face that sends orders; an environment has its own.
        imbalance_threshold: in [0, 1].
        horizon_s: seconds.
        tick_size: currency per tick, for the face that sends orders.
    """

    name: ClassVar[str] = "liquidity-taking"
    tasks: ClassVar[tuple[str, ...]] = ("market-making", "liquidity-taking")

    symbol: str
    signal_threshold: float = setting(0.0002, low=0.0)
    max_position: int = setting(10, low=1)
    order_size: int = setting(1, low=1)
    _: KW_ONLY
    imbalance_threshold: float = setting(1.0, low=0.0, high=1.0)
    horizon_s: float = setting(1.0, above=0.0)
    tick_size: float = setting(0.01, above=0.0)

    def __post_init__(self) -> None:
        validate(self)

    def begin(self, view: View) -> npt.NDArray[np.float64]:
        """(N, 1) the faded move of the mid, ticks."""
        return np.zeros((len(view), 1))

    def decide(self, view: View, memory: npt.NDArray[Any]) -> tuple[Wish, npt.NDArray[Any]]:
        """See the class."""
        move = memory[:, 0] * np.exp(-view.elapsed / self.horizon_s) + view.mid_change
        threshold = self.signal_threshold * view.price
        by_move = (move > threshold).astype(np.int64) - (move < -threshold)
        imbalance = view.imbalance
        by_touch = (imbalance > self.imbalance_threshold).astype(np.int64) - (
            imbalance < -self.imbalance_threshold
        )
        direction = np.where(by_move * by_touch < 0, 0, np.sign(by_move + by_touch))
        room = np.clip(self.max_position - direction * view.inventory, 0, view.lot)
        return no_quotes(direction * room), move[:, None]

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """A move of about a usual spread within a second, with the environment's limits."""
        config = env.config
        return {
            "signal_threshold": 0.75 * usual_spread(env) / usual_price(env),
            "max_position": config.max_position,
            "order_size": config.order_size,
            "tick_size": config.market.tick_size,
        }

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """Moves of part of a spread to several, with and without the imbalance, slow and fast."""
        spread = usual_spread(env) / usual_price(env)
        return {
            "signal_threshold": Range(0.25 * spread, 6.0 * spread, log=True),
            "imbalance_threshold": Range(0.5, 1.0),
            "horizon_s": Range(0.1, 10.0, log=True),
            "max_position": limits(env),
        }
