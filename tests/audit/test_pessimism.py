"""E6: whatever makes trading harder makes it earn less: latency, fees, the place in the queue."""

from itertools import pairwise

import numpy as np
import pytest

from hft_gym import Market
from hft_gym.envs import HFTMarketVectorEnv
from hft_gym.market.tape import TapeKind
from tests.audit.play import ASK, BID, BUY, JOIN, MARKETS, NONE, SECOND, SELL, column, play, standard_error
from tests.data.feeds import binance_lines

MS = 10**6


def quote(core, step):
    """Joins both sides."""
    return np.tile((JOIN, JOIN, 0), (core.num_envs, 1))


def follow(core, step):
    """Takes what the imbalance says will soon be gone."""
    imbalance, narrow = column(core, "imbalance"), column(core, "spread") <= 1
    take = np.select([(imbalance > 0.7) & narrow, (imbalance < -0.7) & narrow], [BUY, SELL], 0)
    return np.stack([np.full_like(take, NONE), np.full_like(take, NONE), take], axis=1)


@pytest.mark.parametrize(("strategy", "limit"), [(quote, 3), (follow, 1)])
@pytest.mark.parametrize("flow", MARKETS)
def test_profit_falls_with_latency(flow, strategy, limit):
    earned = []
    for late in (0, 50 * MS, 150 * MS, 400 * MS):
        latency = {"order_ns": late, "cancel_ns": late, "order_jitter_ns": 0, "cancel_jitter_ns": 0}
        earned.append(play(flow, strategy, 600, 300, max_position=limit, market={"latency": latency}).pnl)
    for faster, slower in pairwise(earned):
        assert slower.mean() < faster.mean()
    difference = earned[-1] - earned[0]
    assert difference.mean() < -4 * standard_error(difference)


@pytest.mark.parametrize("flow", MARKETS)
def test_profit_falls_with_fees_by_what_was_paid(flow):
    """To who does not look at its money the same trades happen; of each lot the fee is gone, exactly."""
    free = play(flow, quote, 64, 200, logs=4096)
    lots = np.bincount(free.fills["env"], free.fills["quantity"] * free.fills["maker"], 64)
    before = free.pnl
    for maker in (-0.1, 0.0, 0.2, 0.5):
        paid = play(flow, quote, 64, 200, market={"fees": {"maker": maker}}).pnl
        np.testing.assert_allclose(paid, free.pnl - maker * lots, rtol=0, atol=1e-6)
        assert maker <= 0 or paid.mean() < before.mean()
        before = paid


def order_values(tape, every=SECOND, patience=20 * SECOND, horizon=5 * SECOND):
    """What small orders at the touch would have earned on *tape* under three fill models, one column each [ticks].

    An order joins the best price, leaves when the price moves away or after *patience*, and is marked *horizon* after
    its fill; unfilled it earns nothing. ``touch``: filled by the first trade at its price. ``queue``: after all that
    stood before it is gone. ``through``: only when somebody trades at a worse price.
    """
    records, time = tape.records, tape["time"]
    entered = {int(r["order_id"]): i for i, r in enumerate(records) if r["kind"] == TapeKind.LIMIT}
    entry = np.array([entered.get(int(i), -1) for i in tape["order_id"]])
    mid = (tape["bid"] + tape["ask"]) / 2
    values = []
    for start in range(tape.start + SECOND, tape.end - patience - horizon, every):
        first = int(np.searchsorted(time, start, "right"))
        last = int(np.searchsorted(time, start + patience, "right"))
        part = records[first:last]
        for side, sign in ((BID, 1), (ASK, -1)):
            best, volume = ("bid", "bid_volume") if side == BID else ("ask", "ask_volume")
            price, queue = int(records[first - 1][best]), int(records[first - 1][volume])
            away = np.flatnonzero(sign * (part[best] - price) > 0)
            stop = int(away[0]) if len(away) else len(part)
            seen, older = part[:stop], entry[first : first + stop] < first
            mine = seen["side"] == side
            traded = mine & (seen["kind"] == TapeKind.EXECUTE)
            here = mine & (seen["price"] == price)
            gone = here & older & np.isin(seen["kind"], (TapeKind.EXECUTE, TapeKind.CANCEL, TapeKind.REDUCE))
            through = traded & (sign * (seen["price"] - price) < 0)
            ahead = queue - np.cumsum(np.where(gone, seen["quantity"], 0))
            reached = (traded & here & ~older & (ahead <= 0)) | through
            row = []
            for filled in (traded & here | through, reached, through):
                at = np.flatnonzero(filled)
                worth = 0.0
                if len(at):
                    later = np.searchsorted(time, time[first + at[0]] + horizon, "right") - 1
                    worth = sign * (mid[later] - price)
                row.append(worth)
            values.append(row)
    return np.array(values)


@pytest.mark.parametrize("flow", MARKETS)
def test_profit_falls_from_touch_to_queue_to_trade_through(flow):
    values = []
    for seed in range(3):
        market = Market({"flow": flow, "participants": 0}, seed=seed)
        market.run_for(10 * SECOND)
        values.append(order_values(market.record(300 * SECOND)))
    touch, queue, through = np.concatenate(values).T
    for easier, harder in ((touch, queue), (queue, through)):
        assert (easier - harder).mean() > 3 * standard_error(easier - harder)
    assert through.mean() < 0.1 * touch.mean()


def test_a_replays_queue_models_bracket_the_fills(tmp_path):
    """Of a level-2 recording only the models know who was cancelled: from the back is the worst for who waits."""
    path = tmp_path / "capture.txt"
    path.write_text("\n".join(binance_lines(seed=2, n=1500)[0]) + "\n")
    filled = []
    for model in ("front", "proportional", "back"):
        envs = HFTMarketVectorEnv(
            8, feed=str(path), replay={"queue_model": model}, market={"tick_size": 0.1, "warm_up_ns": 0},
            step_ns=SECOND // 10, episode_steps=200, order_size=1, log_capacity=4096,
        )  # fmt: skip
        envs.reset(seed=1)
        for _ in range(199):
            envs.step(envs.action_schema.encode(np.full(8, 3), np.full(8, 3)))
        fills = envs.drain_logs().fills
        filled.append(int(fills["quantity"][fills["maker"] == 1].sum()))
    assert filled[0] >= filled[1] >= filled[2]
    assert filled[0] > filled[2] > 0


