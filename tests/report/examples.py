"""Three small episodes whose every figure is worked out by hand in the comments."""

from __future__ import annotations

import numpy as np

from hft_gym.evaluation.episodes import FILL_DTYPE, MID_DTYPE, ORDER_DTYPE, Episodes
from hft_gym.market.records import EndReason
from hft_gym.types import OrderSide

S = 1_000_000_000
BID, ASK = OrderSide.BID, OrderSide.ASK


def fill(
    episode,
    time_s,
    side,
    quantity,
    price,
    mid2,
    fee=0,
    maker=True,
    closing=False,
    order_id=-1,
    ahead=-1,
    cancel_sent=False,
):
    row = np.zeros(1, FILL_DTYPE)
    row["episode"], row["time"], row["side"] = episode, round(time_s * S), side
    row["quantity"], row["price"], row["mid2"], row["fee"] = quantity, price, mid2, fee
    row["maker"], row["closing"], row["order_id"] = maker, closing, order_id
    row["queue_ahead_fill"], row["cancel_sent"] = ahead, cancel_sent
    return row


def order(episode, order_id, side, quantity, filled, price, sent, entry, end, reason, ahead=-1, cancel_sent=False):
    row = np.zeros(1, ORDER_DTYPE)
    row["episode"], row["order_id"], row["side"] = episode, order_id, side
    row["quantity"], row["filled"], row["price"] = quantity, filled, price
    row["time_sent"], row["time_entry"], row["time_end"] = (round(t * S) for t in (sent, entry, end))
    row["end_reason"], row["queue_ahead_entry"], row["cancel_sent"] = reason, ahead, cancel_sent
    return row


def mid(episode, time_s, mid2):
    row = np.zeros(1, MID_DTYPE)
    row["episode"], row["time"], row["mid2"] = episode, round(time_s * S), mid2
    return row


def three_episodes(name="example") -> Episodes:
    """A: a maker's round trip, 4 s. B: nothing happens, 4 s. C: one sale, cut off after 1 s with the
    position open.

    A. The mid is 100 until 1.5 s, 101 until 3 s, then 100.5.
       t=1: buys 2 @ 99 (mid 100), rebate 0.5; t=2: sells 1 @ 102 (mid 101), rebate 0.25, its cancel on the way;
       t=4: the close sells 1 @ 100 (mid 100.5), fee 0.5.
       cash -198 + 102 + 100 = 4, fees -0.25, net 4.25.
       spread 2·1 + 1·1 = 3; inventory 2·(+1) + 1·(-0.5) = 1.5; liquidation -0.5; 3 + 1.5 - 0.5 + 0.25 = 4.25.
       equity at 0, 1, 2, 3, 4 s: 0, 2.5, 5.75, 5.25, 4.25.
       Two more orders: a bid of 3 @ 98 that is cancelled, an ask of 1 @ 104 that rests until the end.
    C. t=0.5: sells 1 @ 100 (mid 101); the mid ends at 103: spread -1, inventory -2, net -3.
    The strategy sees the market 0.2 s late, and may hold 2 lots.
    """
    fills = np.concatenate(
        [
            fill(0, 1, BID, 2, 99, 200, -5000, order_id=1, ahead=1),
            fill(0, 2, ASK, 1, 102, 202, -2500, order_id=3, ahead=0, cancel_sent=True),
            fill(0, 4, ASK, 1, 100, 201, 5000, maker=False, closing=True),
            fill(2, 0.5, ASK, 1, 100, 202, 0, maker=False, order_id=1),
        ]
    )
    orders = np.concatenate(
        [
            order(0, 1, BID, 2, 2, 99, 0.1, 0.2, 1.0, EndReason.FILLED, 4),
            order(0, 3, ASK, 1, 1, 102, 1.6, 1.7, 2.0, EndReason.FILLED, 2, True),
            order(0, 2, BID, 3, 0, 98, 0.5, 0.6, 3.5, EndReason.CANCELLED, 6, True),
            order(0, 4, ASK, 1, 0, 104, 1.0, 1.1, 4.0, EndReason.EPISODE_END, 3),
            order(2, 1, ASK, 1, 1, -1000, 0.3, 0.5, 0.5, EndReason.FILLED),
        ]
    )
    mids = np.concatenate(
        [mid(0, 0, 200), mid(0, 1.5, 202), mid(0, 3, 201), mid(1, 0, 200), mid(2, -1, 202), mid(2, 0.7, 206)]
    )
    grid = np.arange(5) * S
    return Episodes(
        name=name,
        seeds=np.array([7, 8, 9]),
        steps=np.array([4, 4, 1]),
        time=np.array([grid, grid, np.minimum(grid, S)]),
        equity=np.array([[0, 2.5, 5.75, 5.25, 4.25], [0.0] * 5, [0, -3.0, -3, -3, -3]]),
        inventory=np.array([[0, 2, 1, 1, 1], [0] * 5, [0, -1, -1, -1, -1]]),
        mid=np.array([[100, 100, 101, 100.5, 100.5], [100.0] * 5, [101, 103, 103, 103, 103]]),
        rewards=np.array([[2.5, 3.25, -0.5, -1.0], [0.0] * 4, [-3.0, 0, 0, 0]]),
        terms={"reward_pnl": np.array([[2.5, 3.25, -0.5, -1.0], [0.0] * 4, [-3.0, 0, 0, 0]])},
        terminated=np.array([True, True, False]),
        truncated=np.array([False, False, True]),
        fills=fills,
        orders=orders,
        mids=mids,
        spread=np.array([[2, 2, 4, np.nan, 2], [1.0] * 5, [2, 6, 6, 6, 6]]),
        imbalance=np.array([[0, 0.5, -0.5, 0, 0], [0.0] * 5, [0.0] * 5]),
        market_volume=np.array([[0, 4, 6, 12, 12], [0] * 5, [0, 3, 3, 3, 3]]),
        tick_size=0.01,
        capital=100.0,
        config={"max_position": 2, "market": {"latency": {"market_data_ns": 200_000_000}}},
    )


def no_episodes_columns(columns=0, episodes=2) -> Episodes:
    """Episodes without a single decision (``columns`` 0 or 1), or none at all (``episodes`` 0)."""
    shape = (episodes, columns)
    return Episodes(
        name="empty",
        seeds=np.arange(episodes),
        steps=np.zeros(episodes, np.int64),
        time=np.zeros(shape, np.int64),
        equity=np.zeros(shape),
        inventory=np.zeros(shape, np.int64),
        mid=np.zeros(shape),
        rewards=np.zeros((episodes, max(columns - 1, 0))),
    )


def from_final_pnl(name, pnl, seeds=None, deterministic=True) -> Episodes:
    """Episodes in which equity goes from 0 to the given values in one second without a trade (an account
    rebate): good for comparisons, where only the final values matter. A fill with zero edge and the P&L as
    negative fee keeps the attribution whole."""
    pnl = np.asarray(pnl, float)
    n = len(pnl)
    fills = [fill(i, 0.5, BID, 1, 100, 200, -round(x * 10_000), order_id=1) for i, x in enumerate(pnl)]
    orders = [order(i, 1, BID, 1, 1, 100, 0.5, 0.5, 0.5, EndReason.FILLED) for i in range(n)]
    fills = np.concatenate(
        [np.concatenate([f, fill(i, 1.0, ASK, 1, 100, 200, closing=True)]) for i, f in enumerate(fills)]
    )
    return Episodes(
        name=name,
        seeds=np.arange(n) if seeds is None else np.asarray(seeds),
        steps=np.ones(n, np.int64),
        time=np.tile(np.array([0, S]), (n, 1)),
        equity=np.stack([np.zeros(n), pnl], axis=1),
        inventory=np.zeros((n, 2), np.int64),
        mid=np.full((n, 2), 100.0),
        rewards=pnl[:, None].copy(),
        fills=fills,
        orders=np.concatenate(orders),
        mids=np.concatenate([mid(i, 0, 200) for i in range(n)]),
        capital=1000.0,
        deterministic=deterministic,
    )
