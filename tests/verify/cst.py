"""Cont, Stoikov and Talreja (2010), Operations Research 58:549: exact probabilities, and the market's.

Spread of one tick, b orders of one lot at the bid and a at the ask. At the touch, limit orders join at rate
LAMBDA, market orders take at rate MU, and each order is cancelled at rate THETA (Table 2, i = 1). Nothing
else matters for the first move of the mid, yet the market runs the whole preset.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hft_gym.flow import preset
from hft_gym.market.arrays import allocate
from hft_gym.market.config import LatencyConfig, MarketConfig
from hft_gym.market.entries import ADVANCE, OPEN, SEND, SET_BOOK, Markets
from hft_gym.market.records import EVENT_FILL, EVENT_TOUCH

LAMBDA, MU, THETA = 1.85, 0.94, 0.71
SIZES = range(1, 6)
BID, ASK, GTC = 0, 1, 0
BID_PRICE, ASK_PRICE = 742, 743
MINUTE = 60_000_000_000

PRINTED_TABLE_4 = np.array(
    [
        [0.497, 0.641, 0.709, 0.749, 0.776],
        [0.302, 0.449, 0.535, 0.591, 0.631],
        [0.206, 0.336, 0.422, 0.483, 0.528],
        [0.152, 0.263, 0.344, 0.404, 0.452],
        [0.118, 0.213, 0.287, 0.346, 0.393],
    ]
)
"""The preprint's Table 4 (rows b, columns a): one minus the transpose of what its heading says."""


def queue_generator(n: int) -> NDArray[np.float64]:
    """Generator of one touch queue on 1..n orders; what a row lacks to zero is the rate of emptying."""
    size = np.arange(1, n + 1)
    up, down = np.where(size < n, LAMBDA, 0.0), MU + size * THETA
    return np.diag(up[:-1], 1) + np.diag(down[1:], -1) - np.diag(up + down)


def p_mid_up(n: int = 60) -> NDArray[np.float64]:
    """P(mid moves up first), entry [b - 1, a - 1], from the absorbing chain on queues of at most *n* orders.

    Block elimination over b of: LAMBDA (h[b+1] - h[b]) + (MU + b THETA) (h[b-1] - h[b]) + G h[b] + r = 0,
    where h[b] is the vector over a, G the ask queue's generator, r its rate of emptying, and h[0] = 0.
    """
    ask = queue_generator(n)
    gain = -ask.sum(axis=1)
    # h[b] = m[b] h[b+1] + c[b]
    m, c = [np.zeros((n, n))], [np.zeros(n)]
    for b in range(1, n + 1):
        up, down = (LAMBDA if b < n else 0.0), MU + b * THETA
        inverse = np.linalg.inv((up + down) * np.eye(n) - ask - down * m[-1])
        m.append(up * inverse)
        c.append(inverse @ (gain + down * c[-1]))
    h = np.zeros(n)
    found = {}
    for b in range(n, 0, -1):
        h = m[b] @ h + c[b]
        found[b] = h
    return np.array([found[b][: len(SIZES)] for b in SIZES])


def p_bid_filled(n: int = 60) -> NDArray[np.float64]:
    """P(own bid, last of b, is filled before the mid moves), entry [b - 1, a - 1].

    The own order is never cancelled; until it is filled, the mid moves only by the ask queue emptying. With
    j orders up to the own one, j falls at rate MU + (j - 1) THETA, and falling from 1 is the fill.
    """
    ask = queue_generator(n)
    h = np.ones(n)
    rows = []
    for j in SIZES:
        down = MU + (j - 1) * THETA
        h = np.linalg.solve(down * np.eye(n) - ask, down * h)
        rows.append(h[: len(SIZES)])
    return np.array(rows)


class Experiment:
    """Many runs from one book, through the compiled market with the preset ``cst2010``."""

    def __init__(self, cancellations: bool = True, batch: int = 256, horizon: int = 10_000 * MINUTE) -> None:
        flow = preset("cst2010")
        config = MarketConfig(
            flow=flow if cancellations else replace(flow, cancel_rates=(0.0,)),
            latency=LatencyConfig(0, 0, 0, 0, 0),
            initial_price=BID_PRICE,
            initial_depth=0,
            warm_up_ns=0,
            levels=64,
            max_orders=512 if cancellations else 4096,
            participants=2,
            max_own_orders=8,
        )
        self.arrays = allocate(config, batch)
        self.markets = Markets(self.arrays)
        self.batch, self.horizon = batch, horizon

    def _start(self, key: int, bids: int, asks: int) -> None:
        rows = [(BID, BID_PRICE, 1)] * bids + [(ASK, ASK_PRICE, 1)] * asks
        self.arrays.state["key"] = np.arange(key, key + self.batch, dtype=np.uint64)
        self.markets.run(OPEN, -1)
        self.markets.run(SET_BOOK, table=np.array(rows, np.int64).reshape(-1, 3))

    def mid_up(self, b: int, a: int, runs: int, key: int) -> tuple[int, int]:
        """Runs in which the mid moved up first, and runs in which it moved at all before the horizon."""
        up = moved = 0
        for done in range(0, runs, self.batch):
            self._start(key + done, b, a)
            events = self.markets.run(ADVANCE, self.horizon, EVENT_TOUCH)
            rising, falling = self._gone(ASK, ASK_PRICE), self._gone(BID, BID_PRICE)
            assert not (rising & falling).any()
            assert ((events & EVENT_TOUCH != 0) == (rising | falling)).all()
            assert not self.arrays.flow_state["rejected"].any()
            count = min(self.batch, runs - done)
            up += int(rising[:count].sum())
            moved += int((rising | falling)[:count].sum())
        return up, moved

    def bid_filled(self, b: int, a: int, runs: int, key: int, ahead: bool = False) -> int:
        """Runs in which the own bid, last (*ahead*: first) of b orders, was filled before the mid moved."""
        filled = 0
        for done in range(0, runs, self.batch):
            self._start(key + done, 0 if ahead else b - 1, a)
            self.markets.run(SEND, 1, BID, BID_PRICE, 1, GTC, 0)
            if ahead:
                for _ in range(b - 1):
                    self.markets.run(SEND, 2, BID, BID_PRICE, 1, GTC, 0)
            self.markets.run(ADVANCE, 0, 0)
            events = self.markets.run(ADVANCE, self.horizon, EVENT_FILL | EVENT_TOUCH)
            fill = self.arrays.account["position"][:, 1] == 1
            assert (events & (EVENT_FILL | EVENT_TOUCH) != 0).all()
            assert (fill == (events & EVENT_FILL != 0)).all()
            assert (fill | self._gone(ASK, ASK_PRICE)).all()
            filled += int(fill[: min(self.batch, runs - done)].sum())
        return filled

    def _gone(self, side: int, price: int) -> NDArray[np.bool_]:
        """Whether the best price of *side* is no longer *price*, in each market."""
        head = self.arrays.head
        empty = head["best"][:, side] == head["levels"]
        key = head["base"][:, side] + head["best"][:, side]
        found: NDArray[np.bool_] = empty | (key != (price if side == ASK else -price))
        return found


def table_3(experiment: Experiment, runs: int, key: int = 0) -> NDArray[np.float64]:
    """P(mid up) in the 25 cells, among the runs in which it moved."""
    return _cells(lambda b, a, k: np.divide(*experiment.mid_up(b, a, runs, k)), key)


def fill_table(experiment: Experiment, runs: int, key: int = 0, ahead: bool = False) -> NDArray[np.float64]:
    """P(own bid filled before the mid moves) in the 25 cells."""
    return _cells(lambda b, a, k: experiment.bid_filled(b, a, runs, k, ahead) / runs, key)


def _cells(cell, key: int) -> NDArray[np.float64]:
    return np.array([[cell(b, a, key + (10 * b + a << 32)) for a in SIZES] for b in SIZES])
