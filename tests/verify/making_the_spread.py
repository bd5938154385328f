"""CST 2010, Table 5: both own orders, last of b bids and of a asks, are filled before the mid moves.

Exact: a chain in two phases. Before the first fill the state is the place of each own order and the number of orders
behind it; after it, what is left of the filled side against the place of the other order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

from hft_gym.market.entries import ADVANCE, SEND
from hft_gym.market.records import EVENT_FILL, EVENT_TOUCH
from tests.verify.cst import ASK, ASK_PRICE, BID, BID_PRICE, GTC, LAMBDA, MU, SIZES, THETA, Experiment


def second_phase(n: int) -> NDArray[np.float64]:
    """P(own order at place k is filled before the m orders of the other side are gone), entry [m, k]; 0 at m = 0."""
    places = len(SIZES)
    found = np.zeros((n + 1, places + 1))
    found[1:, 0] = 1.0
    up = np.where(np.arange(1, n + 1) < n, LAMBDA, 0.0)
    down = MU + THETA * np.arange(1, n + 1)
    for k in range(1, places + 1):
        fall = MU + THETA * (k - 1)
        system = np.diag(up + down + fall) - np.diag(up[:-1], 1) - np.diag(down[1:], -1)
        found[1:, k] = np.linalg.solve(system, fall * found[1:, k - 1])
    return found


def p_both_filled(n: int = 14) -> NDArray[np.float64]:
    """The 25 cells, entry [b - 1, a - 1]; at most *n* orders behind an own one."""
    after = second_phase(40)
    places = len(SIZES)
    shape = (places, n + 1, places, n + 1)
    # [place of the bid - 1, orders behind it, place of the ask - 1, orders behind it]
    index = np.arange(np.prod(shape)).reshape(shape)
    rows, columns, values, right = [], [], [], np.zeros(shape)
    total = np.zeros(shape)
    behind = np.arange(n + 1)
    for axis in (0, 2):
        view = np.moveaxis(index, (axis, axis + 1), (0, 1))
        rate = np.moveaxis(total, (axis, axis + 1), (0, 1))
        gain = np.moveaxis(right, (axis, axis + 1), (0, 1))
        for j in range(places):
            fall = MU + THETA * j
            rate[j] += fall
            if j > 0:
                rows.append(view[j].ravel())
                columns.append(view[j - 1].ravel())
                values.append(np.full(view[j].size, fall))
            else:  # filled: the orders behind it against the place of the other one
                gain[0] += fall * after[behind][:, 1 : places + 1][:, :, None]
            leave = THETA * behind
            rate[j] += leave[:, None, None]
            for m in range(n + 1):
                if m > 0:
                    rows.append(view[j, m].ravel())
                    columns.append(view[j, m - 1].ravel())
                    values.append(np.full(view[j, m].size, leave[m]))
                if m < n:
                    rate[j, m] += LAMBDA
                    rows.append(view[j, m].ravel())
                    columns.append(view[j, m + 1].ravel())
                    values.append(np.full(view[j, m].size, LAMBDA))
    r, c, v = np.concatenate(rows), np.concatenate(columns), np.concatenate(values)
    size = index.size
    system = sparse.diags(total.ravel(), format="csc") - sparse.csc_matrix((v, (r, c)), (size, size))
    return spsolve(system, right.ravel()).reshape(shape)[:, 0, :, 0]


def both_filled(experiment: Experiment, b: int, a: int, runs: int, key: int) -> int:
    """Runs in which both own orders were filled before the mid moved."""
    arrays, markets = experiment.arrays, experiment.markets
    filled = 0
    for done in range(0, runs, experiment.batch):
        experiment._start(key + done, b - 1, a - 1)
        markets.run(SEND, 1, BID, BID_PRICE, 1, GTC, 0)
        markets.run(SEND, 1, ASK, ASK_PRICE, 1, GTC, 0)
        markets.run(ADVANCE, 0, 0)
        won, lost = np.zeros(experiment.batch, bool), np.zeros(experiment.batch, bool)
        while not (won | lost).all():
            markets.run(ADVANCE, experiment.horizon, EVENT_FILL | EVENT_TOUCH)
            account = arrays.account[:, 1]
            both = (account["bought"] == 1) & (account["sold"] == 1)
            moved = experiment._gone(BID, BID_PRICE) | experiment._gone(ASK, ASK_PRICE)
            won |= both & ~lost
            lost |= moved & ~won
        filled += int(won[: min(experiment.batch, runs - done)].sum())
    return filled
