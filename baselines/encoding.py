"""From what a strategy wants to an action of the environment: the nearest prices and sizes that it offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from baselines.strategy import View, Wish

__all__ = ["Encoder"]

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]


class Encoder:
    """Turns wishes into actions of one environment.

    A quote goes to the nearest price on offer, the more cautious of two equally near. A quote or take smaller than the
    environment's order is not sent, unless the environment cuts orders to what is left to trade.

    Args:
        actions: the environment's action schema.
        lot: its order size, lots.
        cuts: whether it cuts orders to what a parent order leaves.
    """

    def __init__(self, actions: Any, lot: int, cuts: bool) -> None:
        self.actions, self.lot, self.cuts = actions, lot, cuts
        self.ladder = actions.kind in ("ladder", "ladder_continuous")
        options = [(float(offset), k) for k, offset in enumerate(actions.offsets)] if self.ladder else []
        if not self.ladder:
            options = [(float(_behind(o)), i) for i, o in enumerate(actions.quote_options) if o != "none"]
        options.sort(reverse=True)  # the farthest first: it wins a tie
        self.behind = np.array([b for b, _ in options])
        self.options = np.array([i for _, i in options], np.int64)

    def __call__(self, wish: Wish, view: View) -> Array:
        """Actions for N markets, in the schema's encoding."""
        least = 1e-9 if self.cuts else self.lot
        take = np.where(np.abs(wish.take) >= least, wish.take, 0.0)
        bid = self._nearest(np.where(wish.bid_size >= least, wish.bid, np.nan), view.bid, view.ask)
        # An ask is a bid in the mirror.
        ask = self._nearest(np.where(wish.ask_size >= least, -wish.ask, np.nan), -view.ask, -view.bid)
        if self.ladder:
            volumes = (self._volumes(o, size) for o, size in ((bid, wish.bid_size), (ask, wish.ask_size)))
            sizes = np.sign(take).astype(np.int64) * self._orders(np.abs(take))
            return np.asarray(self.actions.encode(*volumes, sizes))
        side = np.where(take > 0, 1, np.where(take < 0, 2, 0))
        if not len(self.options):
            return np.asarray(self.actions.encode(take=side))
        bid, ask = (np.where(o < 0, 0, o) for o in (bid, ask))  # option 0 is no quote
        return np.asarray(self.actions.encode(bid, ask, side))

    def _orders(self, lots: Floats) -> Array:
        """Lots in whole order sizes, at least one and at most what the ladder takes; 0 for none."""
        whole = np.floor(np.nan_to_num(lots) / self.lot + 1e-9)
        return np.where(lots > 0, np.clip(whole, 1, self.actions.max_size), 0).astype(np.int64)

    def _volumes(self, level: Array, lots: Floats) -> Array:
        """(N, levels) order sizes: all at one level, none where that is -1."""
        out = np.zeros((len(level), len(self.options)), np.int64)
        rows = np.flatnonzero(level >= 0)
        out[rows, level[rows]] = self._orders(lots[rows])
        return out

    def _nearest(self, price: Floats, touch: Floats, opposite: Floats) -> Array:
        """(N,) option whose price is nearest to the wanted one, -1 for none."""
        if not len(self.options):
            return np.full(len(price), -1)
        candidates = touch[:, None] - self.behind
        inside = np.minimum(candidates, np.maximum(opposite - 1.0, touch)[:, None])  # improving stops at the spread
        candidates = np.where(np.isnan(opposite)[:, None], candidates, inside)
        distance = np.round(np.abs(candidates - price[:, None]), 6)
        usable = ~(np.isnan(price) | np.isnan(touch))
        choice = self.options[np.argmin(np.where(usable[:, None], distance, 0.0), axis=1)]
        return np.where(usable, choice, -1)


def _behind(option: str) -> int:
    """Ticks behind the touch that a quote option stands for."""
    if option in ("improve", "join"):
        return -1 if option == "improve" else 0
    return int(option.removeprefix("behind_"))
