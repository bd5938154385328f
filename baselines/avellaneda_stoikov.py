"""``avellaneda-stoikov``: quotes around the reservation price of a maker who fears the risk of what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from baselines.closed_forms import avellaneda_stoikov
from baselines.ranges import Range, SearchSpace
from baselines.scales import episode_seconds, usual_spread
from baselines.sides import EstimatingMaker, Floats
from baselines.strategy import View, Wish
from hft_gym.config import setting

__all__ = ["AvellanedaStoikov"]


@dataclass(kw_only=True)
class AvellanedaStoikov(EstimatingMaker):
    """Avellaneda and Stoikov (2008), High-frequency trading in a limit order book, Quantitative Finance 8:217.

    Half the spread of equation (3.18) around the reservation price of (3.17); volatility and the decay k of fills are
    estimated from the market, inventory counts in orders. State as of `EstimatingMaker`.

    Args:
        gamma: risk aversion [1 / (tick · order)].
        horizon_s: seconds until the end, at the start; the risk of the inventory is counted until there.
        dealer: ``"ho-stoll"`` charges the spread of a monopolist, 1 / k, and the inventory's risk to first order:
            Ho and Stoll (1981, J. Financial Economics 9:47) with exponential demand, to which the other tends when
            gamma / k is small.
    """

    name: ClassVar[str] = "avellaneda-stoikov"

    gamma: float = setting(0.005, above=0.0)
    horizon_s: float = setting(100.0, above=0.0)
    dealer: Literal["avellaneda-stoikov", "ho-stoll"] = "avellaneda-stoikov"

    def decide(self, view: View, memory: Floats) -> tuple[Wish, Floats]:
        """See the class."""
        memory, sigma, _, k = self.learn(view, memory)
        orders, left = view.inventory / view.lot, view.time_left * self.horizon_s
        ho_stoll = self.dealer == "ho-stoll"
        rule = avellaneda_stoikov.ho_stoll_depths if ho_stoll else avellaneda_stoikov.depths
        return self.quotes(view, *rule(orders, left, self.gamma, sigma, k)), memory

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The environment's limits, scale and length of an episode."""
        scale = usual_spread(env)
        return {**super().defaults(env), "gamma": 0.005 / scale, "horizon_s": episode_seconds(env)}

    @classmethod
    def search_space(cls, env: Any) -> SearchSpace:
        """Risk aversion over four decades, horizons up to the episode's end."""
        scale, seconds = usual_spread(env), episode_seconds(env)
        return {
            "gamma": Range(1e-5 / scale, 0.1 / scale, log=True),
            "horizon_s": Range(0.05 * seconds, seconds, log=True),
            **cls.shared_space(env),
        }
