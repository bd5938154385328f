"""C4, C5, E9: what a place in the queue is worth, who trades with resting quotes, and what being alone is worth."""

from functools import cache

import numpy as np
import pytest

from hft_gym import Market
from hft_gym.flow import preset
from hft_gym.market.entries import ADVANCE, CHANGE, MID, SEND
from hft_gym.market.records import CANCEL, RESTING
from hft_gym.market.tape import TapeKind
from tests.audit.play import ASK, BID, BUY, JOIN, MARKETS, NONE, POISSON, REALISTIC, SECOND, SELL, play, standard_error
from tests.data_files import shared_data
from tests.verify.harness import opened, touch

GTC, IOC = 0, 1
MS = 10**6


def to_the_front(markets):
    """Move each market's own order (entry 0) to the front of its queue."""
    own, nodes = markets.arrays.own[:, 0], markets.arrays.node
    for e in np.flatnonzero(own["state"] == RESTING):
        node, slot = nodes[e], int(own["slot"][e])
        level = int(node["level"][slot])
        before, after = int(node["prev"][slot]), int(node["next"][slot])
        node["next"][before], node["prev"][after] = after, before
        first = int(node["next"][level])
        node["next"][level], node["prev"][slot] = slot, level
        node["next"][slot], node["prev"][first] = first, slot


@cache
def order_values(flow, n, front, key=0):
    """What one lot at the best bid earns, in each of *n* markets [ticks]: the mid 5 s after its fill less its price,
    0 if it is never filled. It leaves when the mid has moved a tick away from it, or after 20 s."""
    step, patience, horizon = 100 * MS, 200, 50
    markets = opened(preset(flow), n, key, participants=1)
    now = 10 * SECOND
    markets.run(ADVANCE, now, 0)
    own, account = markets.arrays.own[:, 0], markets.arrays.account[:, 1]
    price, opening = touch(markets)[BID].copy(), markets.run(MID, 1) / 2
    markets.run(SEND, 1, BID, price, 1, GTC, now)
    markets.run(ADVANCE, now, 0)
    if front:
        to_the_front(markets)
    mids, filled_at = [], np.full(n, -1)
    for k in range(patience + horizon):
        now += step
        markets.run(ADVANCE, now, 0)
        mids.append(markets.run(MID, 1) / 2)
        filled_at[(account["bought"] > 0) & (filled_at < 0)] = k
        leaving = (own["state"] == RESTING) & ((mids[-1] - opening >= 1.0) | (k >= patience))
        if leaving.any():  # entry 1 is free: a cancellation of it is ignored
            markets.run(CHANGE, CANCEL, np.where(leaving, 0, 1), 0, 0, now)
            markets.run(ADVANCE, now, 0)
    later = np.array(mids)[np.minimum(filled_at + horizon, len(mids) - 1), np.arange(n)]
    return np.where(filled_at >= 0, later - price, 0.0)


def first_moves(played, later=0):
    """Of each passive fill: its lots, where the mid first went from where it was just before the filling message (+1
    for the maker, -1 against it, 0 nowhere until the end) and how long after the fill [ns]. The message's own move
    counts. *later* [ns]: the same of another time, as if each fill had come so much later."""
    lots, ways, delays = [], [], []
    for e in range(played.core.num_envs):
        fills = played.fills[(played.fills["env"] == e) & (played.fills["maker"] == 1)]
        path = played.mids[played.mids["env"] == e]
        times = fills["time"] + later
        start = np.searchsorted(path["time"], times, "left")
        before = fills["mid2"] if later == 0 else path["mid2"][np.maximum(start - 1, 0)]
        for fill, time, k, mid2 in zip(fills, times, start, before, strict=True):
            moved = np.flatnonzero(path["mid2"][k:] != mid2)
            first = k + moved[0] if len(moved) else None
            lots.append(fill["quantity"])
            way = 0 if first is None else np.sign(path["mid2"][first] - mid2)
            ways.append(way if fill["side"] == BID else -way)
            delays.append(0 if first is None else path["time"][first] - time)
    return np.array(lots), np.array(ways), np.array(delays)


def adverse_share(played, within=None, later=0):
    """Share of the passive lots after which the mid's next move, whenever it comes, is against the maker, of those
    after which it moves: the definition of Lalor and Swishchuk (2024). *within* [s]: of all lots, those after which it
    comes so soon."""
    lots, ways, delays = first_moves(played, later)
    if within is None:
        return lots[ways < 0].sum() / lots[ways != 0].sum()
    return lots[(ways < 0) & (delays <= within * SECOND)].sum() / lots.sum()


def joined(flow, key=0, **settings):
    """96 episodes of 400 decisions (40 s) of a maker who joins both sides at the back of the queue."""
    return play(flow, (JOIN, JOIN, 0), 96, 400, key=key, logs=1 << 14, **settings)


@pytest.mark.parametrize("flow", MARKETS)
def test_the_front_of_the_queue_is_worth_more_than_its_back(flow):
    gain = order_values(flow, 1200, True) - order_values(flow, 1200, False)
    assert gain.mean() > 3 * standard_error(gain)
    assert 0.05 - 2 * standard_error(gain) < gain.mean() < 0.3 + 2 * standard_error(gain)


LOW, HIGH = 0.65, 0.9
"""Published shares of adverse fills of who joins the touch, CME, April 2024: NQ 65.8 %, ES 81.5 %, CL 82.9 %, ZN 88.8 %
(Lalor and Swishchuk 2024, Market Simulation under Adverse Selection, arXiv:2409.12721)."""


@pytest.mark.parametrize(
    "flow",
    [
        pytest.param(
            REALISTIC,
            marks=pytest.mark.xfail(strict=True, reason="92 %: market orders mostly take the whole best queue"),
        ),
        POISSON,
        "large-tick",
    ],
)
def test_most_passive_fills_are_adverse(flow):
    assert LOW < adverse_share(joined(flow)) < HIGH


def test_it_is_the_fills_that_are_adverse():
    """Control: where the mid goes next 10 s after each fill is as often for the maker as against it."""
    assert 0.42 < adverse_share(joined(REALISTIC), later=10 * SECOND) < 0.58


def test_other_markets_are_out_of_the_range():
    """Controls: a stock of small ticks, and queues of single lots, whose loss the reference price seldom follows."""
    assert adverse_share(joined("small-tick")) > HIGH
    assert adverse_share(joined("queue-reactive", step_ns=2 * SECOND)) < LOW


def test_a_replay_of_the_published_market_has_the_published_share():
    """ES of another night than the paper's 941 fills, of which 81.5 % are adverse; about 220 different fills."""
    pytest.importorskip("databento_dbn")
    feed = shared_data("databento/esh4-glbx-mdp3-20231225_until2310.mbo.dbn.zst")
    assert adverse_share(joined(None, feed=str(feed), market={"tick_size": 0.25})) == pytest.approx(0.815, abs=0.06)


def fills_of_a_bid(flow, step_ns, steps, resend, n=64):
    """Fills of one lot at the best bid in *n* markets. It is looked at every *step_ns*: left where it stands while that
    is the best price, or (*resend*) cancelled and sent anew each time."""
    markets = opened(preset(flow), n, participants=1)
    own = markets.arrays.own[:, 0]
    now = 200 * step_ns
    markets.run(ADVANCE, now, 0)
    price = np.zeros(n, np.int64)
    for _ in range(steps):
        stale = (own["state"] == RESTING) & (resend | (touch(markets)[BID] != price))
        if stale.any():  # entry 1 is free: a cancellation of it is ignored
            markets.run(CHANGE, CANCEL, np.where(stale, 0, 1), 0, 0, now)
            markets.run(ADVANCE, now, 0)
        best, idle = touch(markets)[BID], own["state"] == 0
        price[idle] = best[idle]
        # Who has an order already sends one that expires at once, far from any price.
        markets.run(SEND, 1, BID, np.where(idle, best, -(2**30)), 1, np.where(idle, GTC, IOC), now)
        now += step_ns
        markets.run(ADVANCE, now, 0)
    return int(markets.arrays.account["bought"][:, 1].sum())


def test_who_cancels_and_resends_loses_the_fills():
    """In Cont, Stoikov and Talreja's flow of single lots, hardly any fill is left to who goes to the back of the queue
    every second."""
    kept, resent = (fills_of_a_bid("cst2010", SECOND, 4000, resend) for resend in (False, True))
    assert kept > 500
    assert resent < 0.1 * kept


@pytest.mark.parametrize("flow", MARKETS)
def test_where_large_orders_sweep_queues_it_loses_a_part(flow):
    kept, resent = (fills_of_a_bid(flow, SECOND // 10, 1000, resend) for resend in (False, True))
    assert kept > 500
    assert resent < 0.9 * kept


def lonely_volume(flow, behind, seconds, seed):
    """Lots of market orders that met nobody but a maker, and all lots traded. The maker quotes one lot on both sides,
    *behind* ticks behind the others' best (-1: in front of it), and renews it every 100 ms."""
    market = Market({"flow": flow, "participants": 1, "latency": {"order_ns": 0, "order_jitter_ns": 0}}, seed=seed)
    market.run_for(5 * SECOND)
    alone = total = 0
    for _ in range(10 * seconds):
        bid, ask = (market.best(side, without=1) for side in (BID, ASK))
        for order in market.working_orders(1):
            market.cancel(1, order.order_id)
        position = market.account(1).position
        if bid is not None and ask is not None:
            for side, price in ((BID, bid - behind), (ASK, ask + behind)):
                room = abs(position + (1 if side == BID else -1)) <= 10
                if room and (behind >= 0 or bid < price < ask):
                    market.submit(1, side, 1, price=price)
        tape = market.record(SECOND // 10)
        trades = tape.records[tape["kind"] == TapeKind.EXECUTE]
        total += trades["quantity"].sum()
        groups = np.flatnonzero(np.diff(trades["time"], prepend=-1))
        for group in np.split(trades, groups[1:]):
            if len(group) and (group["participant"] == 1).all():
                alone += group["quantity"].sum()
    return alone, total


@pytest.mark.parametrize("behind", [-1, 0, 2])
@pytest.mark.parametrize("flow", MARKETS)
def test_little_is_traded_with_the_agent_alone(flow, behind):
    """Market orders that meet nobody but the agent are less than 20 % of all volume, wherever it quotes."""
    alone, total = np.sum([lonely_volume(flow, behind, 60, seed) for seed in range(2)], axis=0)
    assert total > 200
    assert alone < 0.2 * total


@pytest.mark.parametrize("flow", MARKETS)
def test_taking_the_others_away_does_not_make_own_quotes_pay(flow):
    """Buys the best offers up, large, and then offers behind where they were: the spread it makes is not its to
    farm."""

    def corner(core, step):
        turn = step % 20
        take = {0: BUY, 10: SELL}.get(turn, 0)
        quotes = (NONE, 3) if turn < 10 else (3, NONE)
        return np.tile((*quotes, take), (core.num_envs, 1))

    pnl = play(flow, corner, 128, 400, order_size=25, max_position=50).pnl
    assert pnl.mean() < -3 * standard_error(pnl)


@pytest.mark.parametrize("option", [3, 4, 5, 6, 7])
@pytest.mark.parametrize("flow", MARKETS)
def test_waiting_far_out_for_somebody_desperate_does_not_pay(flow, option):
    pnl = play(flow, (option, option, 0), 256, 400).pnl
    assert pnl.mean() < 3 * max(standard_error(pnl), 0.01)


@pytest.mark.verify
def test_queues(verified):
    gain = order_values(REALISTIC, 4000, True, 1) - order_values(REALISTIC, 4000, False, 1)
    verified(f"C5 {REALISTIC}: front of the queue less back [ticks]", 0.175, gain.mean(), 0.125)
