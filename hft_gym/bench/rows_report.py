"""Rows of the report: every metric of many episodes at once."""

from __future__ import annotations

import numpy as np

from hft_gym.bench.harness import Case, Options, Plan, clock, group
from hft_gym.evaluation.episodes import FILL_DTYPE, MID_DTYPE, ORDER_DTYPE, Episodes
from hft_gym.market.records import EndReason

STEP_NS = 100_000_000


@group("report", "metrics of 1,000 episodes of 1,000 decisions")
def report(options: Options) -> Plan:
    """All metrics, each with a value per episode, from paths and logs as an evaluation leaves them."""
    from hft_gym.report import METRICS, evaluate_metrics

    episodes = made_up(options.pick(1_000, 100), 1_000, orders=400, fills=200, mids=1_000)
    idle = made_up(len(episodes), 1_000, orders=0, fills=0, mids=1_000)
    return Plan(
        [
            Case(
                f"all {len(METRICS)} metrics of {len(episodes):,} episodes of 1,000 decisions",
                "s",
                lambda: clock(lambda: evaluate_metrics(episodes, counterfactual=idle)),
                least=("<=", 2.0),
                note="400 orders, 200 fills and 1,000 changes of the mid an episode; without intervals",
            )
        ]
    )


def made_up(count: int, steps: int, orders: int, fills: int, mids: int) -> Episodes:
    """Episodes with random paths and logs that hang together in form: what is timed, not what is measured."""
    rng = np.random.default_rng(1)
    end = steps * STEP_NS

    def times(each: int) -> np.ndarray:
        return np.sort(rng.integers(0, end, (count, each)), axis=1).ravel()

    log = np.zeros(count * orders, ORDER_DTYPE)
    log["episode"] = np.repeat(np.arange(count), orders)
    log["order_id"] = np.tile(np.arange(orders), count)
    log["side"], log["price"] = rng.integers(0, 2, len(log)), 10_000
    log["time_sent"] = times(orders)
    log["time_entry"] = log["time_sent"] + 200_000
    log["time_end"] = np.minimum(log["time_entry"] + rng.integers(0, 1_000_000_000, len(log)), end)
    log["quantity"] = 1
    log["cancel_sent"] = rng.integers(0, 2, len(log)) == 1
    log["end_reason"] = np.where(log["cancel_sent"], EndReason.CANCELLED, EndReason.FILLED)
    log["filled"] = ~log["cancel_sent"]

    own = np.zeros(count * fills, FILL_DTYPE)
    own["episode"] = np.repeat(np.arange(count), fills)
    own["time"] = times(fills)
    own["order_id"] = np.tile(np.arange(fills), count)
    own["side"] = np.tile(np.arange(fills) % 2, count)
    own["price"], own["quantity"], own["mid2"], own["maker"] = 10_000, 1, 20_001, True

    moves = np.zeros(count * mids, MID_DTYPE)
    moves["episode"] = np.repeat(np.arange(count), mids)
    moves["time"] = times(mids)
    moves["mid2"] = 20_000 + np.cumsum(rng.integers(-1, 2, (count, mids)), axis=1).ravel()

    shape = (count, steps + 1)
    equity = np.cumsum(rng.normal(size=shape), axis=1)
    return Episodes(
        name="made up",
        seeds=np.arange(count),
        steps=np.full(count, steps),
        time=np.tile(np.arange(steps + 1) * STEP_NS, (count, 1)),
        equity=equity - equity[:, :1],
        inventory=np.zeros(shape, np.int64),
        mid=np.full(shape, 10_000.0),
        rewards=np.zeros((count, steps)),
        fills=own,
        orders=log,
        mids=moves,
        spread=np.ones(shape),
        imbalance=np.zeros(shape),
        market_volume=np.cumsum(rng.integers(0, 3, shape), axis=1),
        capital=1e5,
        config={"max_position": 10},
    )
