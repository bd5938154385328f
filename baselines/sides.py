"""What makers have in common, and what takers have: parameters, limits, scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from baselines.estimators import AdverseSelection, FillCurve, Stack, Volatility
from baselines.ranges import Choice, Range, SearchSpace
from baselines.scales import usual_spread
from baselines.strategy import Strategy, View, Wish, no_quotes
from hft_gym.config import setting, validate

__all__ = ["Maker", "EstimatingMaker", "Taker", "Trader", "limits"]

Floats = npt.NDArray[np.float64]


def limits(env: Any) -> Choice:
    """Position limits worth trying: a third of the environment's, and all of it."""
    whole = int(env.config.max_position)
    return Choice(sorted({max(1, whole // 3), whole}))


@dataclass(kw_only=True)
class Trader(Strategy):
    """Parameters that every strategy of a market has.

    Args:
        symbol: of the orders.
        max_position: largest absolute position, lots.
        order_size: lots of an order, for the face that sends orders; an environment has its own.
        tick_size: currency per tick, for the face that sends orders.
    """

    symbol: str = "HFT"
    max_position: int = setting(10, low=1)
    order_size: int = setting(1, low=1)
    tick_size: float = setting(0.01, above=0.0)

    def __post_init__(self) -> None:
        validate(self)

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The environment's limits."""
        config = env.config
        return {
            "max_position": config.max_position,
            "order_size": config.order_size,
            "tick_size": config.market.tick_size,
        }


class Maker(Trader):
    """A strategy that quotes."""

    def quotes(self, view: View, bid_depth: Floats, ask_depth: Floats) -> Wish:
        """Quotes at these depths below and above the mid [ticks], (N,) each; NaN or infinity for none.

        The side that would pass the position's limit is not quoted.
        """
        bid_size = np.clip(self.max_position - view.inventory, 0, view.lot)
        ask_size = np.clip(self.max_position + view.inventory, 0, view.lot)
        bid = np.where(np.isfinite(bid_depth), -bid_depth, np.nan)
        ask = np.where(np.isfinite(ask_depth), ask_depth, np.nan)
        return Wish(bid, ask, bid_size, ask_size, np.zeros(len(view)))


@dataclass(kw_only=True)
class EstimatingMaker(Maker):
    """A maker whose quotes come from a model of the market, its parameters estimated as it goes.

    State (N, 24): the memories of `Volatility` (4), `FillCurve` at five depths (17) and `AdverseSelection` (3).

    Args:
        scale_ticks: usual spread: the unit of what is believed before anything is seen, and of the depths at which
            fills are counted [ticks].
        queue_share: where in a level's queue own quotes are believed to stand; 0 first, 1 last.
    """

    scale_ticks: float = setting(1.0, above=0.0)
    queue_share: float = setting(0.5, low=0.0, high=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        unit = self.scale_ticks
        self._volatility = Volatility(prior=unit)
        self._fills = FillCurve(
            depths=tuple(d * unit for d in (0.5, 1.5, 2.5, 3.5, 5.5)),
            prior_decay=0.7 / unit,
            queue_share=self.queue_share,
        )
        self._adverse = AdverseSelection()
        self._stack = Stack(self._volatility, self._fills, self._adverse)

    def begin(self, view: View) -> Floats:
        """(N, 24) zeros: nothing seen."""
        return self._stack.begin(len(view))

    def learn(self, view: View, memory: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """The memory after one more look, and (N,) volatility [ticks / sqrt(s)], A [1 / s] and k [1 / tick]."""
        memory = self._stack.update(memory, view)
        rate, decay = self._fills.value(self._stack.of(memory, 1))
        return memory, self._volatility.value(self._stack.of(memory, 0)), rate, decay

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The environment's limits and its usual spread."""
        return {**super().defaults(env), "scale_ticks": usual_spread(env)}

    @classmethod
    def shared_space(cls, env: Any) -> SearchSpace:
        """What of every such maker is searched."""
        return {"queue_share": Range(0.0, 1.0), "max_position": limits(env)}


@dataclass(kw_only=True)
class Taker(Trader):
    """A strategy that follows a signal with immediate orders, one at a decision.

    It buys while the signal is above the threshold and sells while it is below its negative, up to the limit on
    either side. What it holds it closes when the signal in its favour has fallen to ``exit_level`` thresholds.

    Args:
        exit_level: 0 closes when the signal has gone, -1 only when the opposite signal comes.
    """

    tasks: ClassVar[tuple[str, ...]] = ("market-making", "liquidity-taking")

    exit_level: float = setting(-1.0, low=-1.0, high=1.0)

    def follow(self, view: View, signal: Floats, threshold: Floats | float) -> Wish:
        """Immediate orders for a signal, (N,), above 0 for up; NaN does nothing."""
        strength = np.nan_to_num(signal) / threshold
        side = (strength > 1.0).astype(np.float64) - (strength < -1.0)
        room = side * np.clip(self.max_position - side * view.inventory, 0, view.lot)
        held = np.sign(view.inventory)
        tired = (held != 0) & (held * strength <= self.exit_level) & ~np.isnan(signal) & (side != -held)
        close = -held * np.minimum(np.abs(view.inventory), view.lot)
        return no_quotes(np.where((side == 0) & tired, close, room))

    @classmethod
    def shared_space(cls, env: Any) -> SearchSpace:
        """What of every taker is searched."""
        return {"exit_level": Range(-1.0, 0.5), "max_position": limits(env)}
