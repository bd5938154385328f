"""What strategies for ``HFTExecution-v0`` have in common: the parent order, its clock, and whole lots."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from baselines.strategy import Strategy, View, Wish
from hft_gym.config import setting, validate

__all__ = ["ExecutionStrategy", "Parent"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Parent:
    """N parent orders; every array has shape (N,).

    Attributes:
        total: lots at arrival.
        left: lots not yet traded.
        side: +1 buys, -1 sells, 0 where nothing is left.
        now: share of the time that has passed.
        next: the same at the next decision, 1 at the last one.
        step: share of the time between two decisions; 0 at the first.
    """

    total: Floats
    left: Floats
    side: Floats
    now: Floats
    next: Floats
    step: Floats


@dataclass
class ExecutionStrategy(Strategy):
    """Base of the execution strategies: subclasses say how many lots are due, and whether to quote.

    In an environment the parent order is the episode's, and the parameters below are not looked at; the face that sends
    orders has them from here.

    Args:
        symbol: of the orders.
        side: of the parent order.
        quantity: of the parent order, lots.
        horizon_s: seconds from the first snapshot to the deadline.
        order_size: lots of an order, for the face that sends orders; an environment has its own.
        tick_size: currency per tick, for the face that sends orders.
    """

    tasks: ClassVar[tuple[str, ...]] = ("execution",)
    extra: ClassVar[int] = 0
    """Columns of memory that a subclass keeps beside those here."""

    symbol: str = "HFT"
    _: KW_ONLY
    side: Literal["buy", "sell"] = "buy"
    quantity: int = setting(50, low=1)
    horizon_s: float = setting(100.0, above=0.0)
    order_size: int = setting(1, low=1)
    tick_size: float = setting(0.01, above=0.0)

    def __post_init__(self) -> None:
        validate(self)

    @property
    def goal(self) -> int:
        """Position that the face that sends orders works towards, lots."""
        return self.quantity if self.side == "buy" else -self.quantity

    @abstractmethod
    def due(self, view: View, parent: Parent, memory: Floats) -> tuple[Floats, Floats, Floats]:
        """Lots to take now, lots to quote at the touch, (N,) each, and the (N, extra) memory to hand back.

        The lots to take are cut to whole orders and to what is left; at the last decision all that is left is taken.
        """

    def begin(self, view: View) -> Floats:
        """(N, 2 + extra): lots of the parent order, share of time left at the last decision, and the subclass's own."""
        memory = np.zeros((len(view), 2 + self.extra))
        memory[:, 0] = np.abs(view.goal - view.inventory)
        memory[:, 1] = view.time_left
        return memory

    def decide(self, view: View, memory: npt.NDArray[Any]) -> tuple[Wish, npt.NDArray[Any]]:
        """See `due`."""
        signed = view.goal - view.inventory
        now = 1.0 - view.time_left
        step = np.maximum(memory[:, 1] - view.time_left, 0.0)
        after = np.where(now + step > 1.0 - 1e-6, 1.0, now + step)
        parent = Parent(memory[:, 0], np.abs(signed), np.sign(signed), now, after, step)
        take, quote, own = self.due(view, parent, memory[:, 2:])
        whole = np.floor(take / view.lot + 1e-9) * view.lot
        whole = np.where(after >= 1.0, parent.left, np.clip(whole, 0.0, parent.left))
        # A quote that rests at the last decision would stand in the way of what has to be taken then.
        quote = np.where(after + step > 1.0 - 1e-6, 0.0, np.clip(quote, 0.0, parent.left - whole))
        bid, ask = (np.where(parent.side == s, quote, 0.0) for s in (1.0, -1.0))
        kept = np.column_stack([memory[:, 0], view.time_left, own])
        return Wish(view.bid, view.ask, bid, ask, parent.side * whole), kept

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The environment's parent order, as far as it is not drawn."""
        config = env.config
        return {
            "side": "sell" if config.execution.side == "sell" else "buy",
            "quantity": config.execution.quantity,
            "horizon_s": config.episode_steps * config.step_ns / 1e9,
            "order_size": config.order_size,
            "tick_size": config.market.tick_size,
        }


def in_time(view: View, parent: Parent, lots: Floats) -> Floats:
    """*lots*, or one order where fewer decisions are left than orders: then every one of them must take."""
    chances = np.floor((1.0 - parent.now) / np.where(parent.step > 0, parent.step, np.inf) + 1e-6)
    short = (parent.step > 0) & (np.ceil(parent.left / view.lot) >= chances)
    return np.where(short, np.maximum(lots, view.lot), lots)
