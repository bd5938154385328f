"""What strategies estimate from what they see: volatility, the fill curve, order flow imbalance, adverse selection.

An estimator keeps its memory in columns of the state that `Strategy.predict` takes and returns, so that N markets are
one array and an episode's start is a row of zeros. Each begins with a prior worth a stated amount of data. `Stack`
puts several beside each other:

>>> import numpy as np
>>> stack = Stack(Volatility(prior=2.0), AdverseSelection())
>>> memory = stack.begin(3)
>>> memory.shape, stack.parts[0].value(stack.of(memory, 0)).tolist()
((3, 7), [2.0, 2.0, 2.0])
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from baselines.strategy import View

__all__ = [
    "AdverseSelection",
    "Estimator",
    "FillCurve",
    "OrderFlow",
    "Stack",
    "Volatility",
    "order_flow_imbalance",
]

Floats = npt.NDArray[np.float64]


class Estimator(Protocol):
    """Something that learns from one `View` after another; its memory starts as zeros."""

    @property
    def width(self) -> int:
        """Columns of its memory."""
        ...

    def update(self, memory: Floats, view: View) -> Floats:
        """(N, width) the memory after one more look; ``memory`` itself is not changed."""
        ...


class Stack:
    """Estimators side by side: their memories are the columns of one (N, K) array, in order."""

    def __init__(self, *parts: Estimator) -> None:
        self.parts = parts
        ends = np.cumsum([0, *(p.width for p in parts)])
        self.slices = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self.width = int(ends[-1])

    def begin(self, count: int) -> Floats:
        """(count, K) the memory of new episodes."""
        return np.zeros((count, self.width))

    def of(self, memory: Floats, part: int) -> Floats:
        """(N, width) the columns of one estimator."""
        return memory[:, self.slices[part]]

    def update(self, memory: Floats, view: View) -> Floats:
        """(N, K) all memories after one more look."""
        return np.concatenate([p.update(self.of(memory, i), view) for i, p in enumerate(self.parts)], axis=1)


def _fade(elapsed: Floats, half_life_s: float) -> Floats:
    return np.asarray(np.exp2(-elapsed / half_life_s))


@dataclass(frozen=True)
class Volatility:
    """Volatility of the mid: exponentially weighted squares of its changes over about ``sample_s``.

    Changes are sampled sparsely because at the shortest distances the mid bounces (Zhang, Mykland and Aït-Sahalia
    2005, A tale of two time scales, JASA 100:1394, section 2.3).

    Memory (N, 4): change and seconds since the last sample, then the faded sums of squared changes and of seconds.

    Args:
        prior: volatility believed at the start [ticks / sqrt(s)].
        prior_s: how many seconds of data that belief is worth.
        sample_s: seconds between samples, at least.
        half_life_s: after so many seconds a sample counts half.
    """

    prior: float = 1.0
    prior_s: float = 5.0
    sample_s: float = 1.0
    half_life_s: float = 60.0
    width: ClassVar[int] = 4

    def update(self, memory: Floats, view: View) -> Floats:
        """See the class."""
        change = memory[:, 0] + view.mid_change
        seconds = memory[:, 1] + view.elapsed
        done = seconds >= self.sample_s - 1e-6
        fade = np.where(done, _fade(seconds, self.half_life_s), 1.0)
        squares = memory[:, 2] * fade + np.where(done, change**2, 0.0)
        total = memory[:, 3] * fade + np.where(done, seconds, 0.0)
        return np.stack([np.where(done, 0.0, change), np.where(done, 0.0, seconds), squares, total], axis=1)

    def value(self, memory: Floats) -> Floats:
        """(N,) ticks / sqrt(s)."""
        return np.asarray(
            np.sqrt((memory[:, 2] + self.prior**2 * self.prior_s) / (memory[:, 3] + self.prior_s))
        )


@dataclass(frozen=True)
class FillCurve:
    """Rate A exp(-k d) at which takers reach a quote at depth d from the mid, by regression on the trades seen.

    A quote at depth d is reached within a step if the takers' volume exceeds what stood before it in the book of the
    step's start: everything nearer, and ``queue_share`` of the level where it would stand. With p the share of such
    steps, the rate is -ln(1 - p) / step; ln rate is regressed on d, weighted by the number of hits (the inverse
    variance of the logarithm of a Poisson count). That rates fall exponentially with depth is equation (2.11) of
    Avellaneda and Stoikov (2008); bid and ask are taken to be alike. Where the volumes are unknown the prior stays.

    Memory (N, 2 + 3 D): steps and seconds seen (both sides together), hits at each of D depths, and the volume before
    bids and before asks at each depth.

    Args:
        depths: distances from the mid where hits are counted [ticks].
        prior_rate: A believed at the start [1 / s].
        prior_decay: k believed at the start [1 / tick].
        prior_s: how many seconds of data that belief is worth.
        queue_share: 0: first at its price, 1: last.
        half_life_s: after so many seconds a step counts half.
    """

    depths: tuple[float, ...] = (0.5, 1.5, 2.5, 3.5, 5.5)
    prior_rate: float = 2.0
    prior_decay: float = 0.7
    prior_s: float = 5.0
    queue_share: float = 0.5
    half_life_s: float = 300.0

    @property
    def width(self) -> int:
        """Columns of the memory."""
        return 2 + 3 * len(self.depths)

    def update(self, memory: Floats, view: View) -> Floats:
        """See the class."""
        n = len(self.depths)
        steps, seconds, hits = memory[:, 0], memory[:, 1], memory[:, 2 : 2 + n]
        before = memory[:, 2 + n :].reshape(-1, 2, n)
        sold, bought = view.sell_volume[:, None], view.buy_volume[:, None]
        # Sellers reach bids and buyers asks. The book before the first step is not known.
        known = (view.elapsed > 0.0) & (before[:, 0, -1] > 0.0) & ~np.isnan(view.sell_volume + view.buy_volume)
        reached = (sold > before[:, 0]).astype(np.float64) + (bought > before[:, 1])
        fade = _fade(view.elapsed, self.half_life_s)
        return np.concatenate(
            [
                (steps * fade + 2.0 * known)[:, None],
                (seconds * fade + 2.0 * known * view.elapsed)[:, None],
                hits * fade[:, None] + np.where(known[:, None], reached, 0.0),
                self._before(-view.bid_offsets, view.bid_sizes),
                self._before(view.ask_offsets, view.ask_sizes),
            ],
            axis=1,
        )

    def _before(self, distances: npt.NDArray[np.floating], sizes: npt.NDArray[np.floating]) -> Floats:
        """(N, D) lots that stand before a quote at each depth."""
        depths = np.array(self.depths)[None, :, None]
        nearer = distances[:, None, :] < depths
        beside = (distances[:, None, :] < depths + 1.0) & ~nearer
        return np.asarray(((nearer + self.queue_share * beside) * sizes[:, None, :]).sum(axis=2), np.float64)

    def value(self, memory: Floats) -> tuple[Floats, Floats]:
        """(N,) A [1 / s] and (N,) k [1 / tick]."""
        n = len(self.depths)
        steps, seconds, hits = memory[:, :1], memory[:, 1:2], memory[:, 2 : 2 + n]
        depths = np.array(self.depths)
        share = hits / np.maximum(steps, 1.0)
        per_hit = -np.log1p(-np.minimum(share, 0.99)) / np.maximum(share, 1e-12)
        believed = self.prior_s * self.prior_rate * np.exp(-self.prior_decay * depths)
        weight = hits + believed
        rate = np.log((np.where(hits > 0, hits * per_hit, 0.0) + believed) / (seconds + self.prior_s))
        total = weight.sum(axis=1)
        depth_mean = (weight * depths).sum(axis=1) / total
        rate_mean = (weight * rate).sum(axis=1) / total
        away = depths - depth_mean[:, None]
        slope = (weight * away * rate).sum(axis=1) / (weight * away**2).sum(axis=1)
        # A curve that does not fall would let every quote be as far away as it likes.
        decay = np.clip(-slope, 0.1 * self.prior_decay, 10.0 * self.prior_decay)
        return np.exp(rate_mean + decay * depth_mean), decay


def order_flow_imbalance(now: Floats, before: Floats) -> Floats:
    """e_n of Cont, Kukanov and Stoikov (2014, J. Financial Econometrics 12:47), equation (4) [lots]; positive buys.

    Args:
        now: (N, 4) best bid [ticks], its lots, best ask, its lots.
        before: (N, 4) the same at the last look.

    >>> order_flow_imbalance(np.array([[100.0, 7.0, 101.0, 4.0]]), np.array([[100.0, 5.0, 101.0, 9.0]])).tolist()
    [7.0]
    """
    bid, bid_size, ask, ask_size = now.T
    bid_was, bid_size_was, ask_was, ask_size_was = before.T
    bids = np.where(bid >= bid_was, bid_size, 0.0) - np.where(bid <= bid_was, bid_size_was, 0.0)
    asks = np.where(ask <= ask_was, ask_size, 0.0) - np.where(ask >= ask_was, ask_size_was, 0.0)
    return np.asarray(bids - asks)


@dataclass(frozen=True)
class OrderFlow:
    """Order flow imbalance, and how far the mid moves with it: dP = beta OFI + noise, by faded least squares.

    Cont, Kukanov and Stoikov (2014), equations (6) and (8). The prior is their finding beta = c / depth with c = 1/2.

    Memory (N, 11): touch at the last look (bid, size, ask, size, ticks from the mid then; sizes 0 before the first);
    the imbalance faded with ``horizon_s``; imbalance, move and seconds since the last sample; faded sums of
    imbalance², of imbalance · move, and the mean depth of the touch.

    Args:
        horizon_s: time constant of the faded imbalance that `signal` gives.
        sample_s: seconds between samples of the regression.
        prior_samples: how many samples with an imbalance of one depth the prior is worth.
        half_life_s: after so many seconds a sample counts half.
    """

    horizon_s: float = 1.0
    sample_s: float = 1.0
    prior_samples: float = 10.0
    half_life_s: float = 300.0
    width: ClassVar[int] = 11

    def update(self, memory: Floats, view: View) -> Floats:
        """See the class."""
        touch = np.stack([view.bid, view.bid_size, view.ask, view.ask_size], axis=1)
        before = memory[:, :4].copy()
        before[:, (0, 2)] -= view.mid_change[:, None]  # ticks from the mid of now
        both = ~np.isnan(view.bid + view.ask)
        known = both & (before[:, 1] > 0)
        # Prices are halves of ticks; what snapshots in currency leave beside them is rounding.
        flow = np.where(known, order_flow_imbalance(np.round(touch, 6), np.round(before, 6)), 0.0)
        faded = memory[:, 4] * np.exp(-view.elapsed / self.horizon_s) + flow
        flows, moves = memory[:, 5] + flow, memory[:, 6] + np.where(known, view.mid_change, 0.0)
        seconds = memory[:, 7] + view.elapsed
        done = seconds >= self.sample_s - 1e-6
        fade = np.where(done, _fade(seconds, self.half_life_s), 1.0)
        depth = 0.5 * (view.bid_size + view.ask_size)
        change = 1.0 - _fade(view.elapsed, 0.1 * self.half_life_s)
        mean = np.where(memory[:, 10] > 0, memory[:, 10] + change * (depth - memory[:, 10]), depth)
        out = np.empty_like(memory)
        out[:, :4] = np.where(both[:, None], np.nan_to_num(touch), before)
        out[:, 4] = faded
        out[:, 5], out[:, 6], out[:, 7] = (np.where(done, 0.0, x) for x in (flows, moves, seconds))
        out[:, 8] = memory[:, 8] * fade + done * flows**2
        out[:, 9] = memory[:, 9] * fade + done * flows * moves
        out[:, 10] = np.where(both, mean, memory[:, 10])
        return out

    def slope(self, memory: Floats) -> Floats:
        """(N,) beta [ticks / lot]."""
        depth = np.maximum(memory[:, 10], 1.0)
        prior = self.prior_samples * depth**2
        return np.asarray((memory[:, 9] + prior * 0.5 / depth) / (memory[:, 8] + prior))

    def signal(self, memory: Floats) -> Floats:
        """(N,) the move that the faded imbalance speaks of: beta · OFI [ticks]."""
        return np.asarray(self.slope(memory) * memory[:, 4])


@dataclass(frozen=True)
class AdverseSelection:
    """How far the mid moves against an own fill, from the decision before it until ``horizon_s`` after: xi.

    Every fill opens a pressure of its lots, positive for buys, that fades with ``horizon_s``; the mid's moves against
    the pressure, per lot filled, are the mean markout with an exponential kernel.

    Memory (N, 3): the pressure [lots], the moves against it [ticks · lots], lots filled.

    Args:
        prior: xi believed at the start [ticks].
        prior_lots: how many filled lots that belief is worth.
        horizon_s: time constant of the markout.
    """

    prior: float = 0.0
    prior_lots: float = 10.0
    horizon_s: float = 1.0
    width: ClassVar[int] = 3

    def update(self, memory: Floats, view: View) -> Floats:
        """See the class."""
        pressure = memory[:, 0] * np.exp(-view.elapsed / self.horizon_s) + view.bought - view.sold
        against = memory[:, 1] - pressure * view.mid_change
        return np.stack([pressure, against, memory[:, 2] + view.bought + view.sold], axis=1)

    def value(self, memory: Floats) -> Floats:
        """(N,) ticks per fill; positive is against the own fills."""
        return np.asarray(
            (memory[:, 1] + self.prior * self.prior_lots) / (memory[:, 2] + self.prior_lots)
        )
