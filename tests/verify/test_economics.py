"""Economics of quoting at the touch, theory against an independent simulation: unit orders, priority in time,
|position| <= 10.

C1: in Cont, Stoikov and Talreja's flow, which knows nothing, a touch maker earns. C2: informed traders who take all
that is offered within 3 ticks make it lose, the more the more often they come.
"""

import numpy as np
import pytest

from hft_gym.flow import preset
from hft_gym.market.entries import ADVANCE, CHANGE, SEND
from hft_gym.market.records import CANCEL, EVENT_FILL, EVENT_TOUCH, RESTING
from tests.verify.harness import ASK, BID, SECOND, opened

MINUTE = 60 * SECOND
GTC, IOC = 0, 1


def make_markets(minutes, informed=0.0, key=0, away=0, markout=5, limit=10, jump=3):
    """A maker with one lot at each touch, *away* ticks behind it; an order stays while it stands where it would be
    sent.

    *informed* times a minute and direction somebody takes all that is offered within *jump* ticks of the mid.

    :returns: ticks earned a fill and its standard error (over blocks of 100 minutes), fills a minute, half-spread
    earned, and the mid's move within *markout* minutes, both in ticks a fill.
    """
    markets = opened(preset("cst2010"), 1, key, participants=2, initial_price=10**5, initial_depth=8, max_own_orders=8)
    markets.run(ADVANCE, 100 * MINUTE, 0)
    arrays, state, head = markets.arrays, markets.arrays.state[0], markets.arrays.head[0]
    account, own = arrays.account[0, 1], arrays.own[0, :8]
    random = np.random.default_rng(key)

    def best(side):
        at = int(head["base"][side] + head["best"][side])
        return at if side == ASK else -at

    def mid():
        return (best(BID) + best(ASK)) / 2

    def worth():
        return account["cash"] / 10_000 + account["position"] * mid()

    now = start = int(state["time"])
    end = start + int(minutes * MINUTE)
    arrival = now + int(random.exponential() * MINUTE / (2 * informed)) if informed else 2**62
    times, mids = [now], [mid()]
    fills, blocks, seen = [], [], (0, 0)
    last_worth, last_count, block = worth(), 0, start + 100 * MINUTE
    while now < end:
        for side in (BID, ASK):
            entry = next((i for i in range(8) if own[i]["state"] == RESTING and own[i]["side"] == side), -1)
            price = best(side) + (-away if side == BID else away)
            full = account["position"] >= limit if side == BID else account["position"] <= -limit
            if entry >= 0 and (full or own[entry]["price"] != price):
                markets.run(CHANGE, CANCEL, entry, 0, 0, now)
                markets.run(ADVANCE, now, 0)
                entry = -1
                price = best(side) + (-away if side == BID else away)
            if entry < 0 and not full:
                markets.run(SEND, 1, side, price, 1, GTC, now)
                markets.run(ADVANCE, now, 0)
        before = mid()
        markets.run(ADVANCE, min(arrival, end), EVENT_FILL | EVENT_TOUCH)
        now = int(state["time"])
        if now == arrival and now < end:
            side = int(random.integers(2))
            price = int(np.ceil(before + jump)) - 1 if side == BID else int(np.floor(before - jump)) + 1
            markets.run(SEND, 2, side, price, 10**6, IOC, now)
            markets.run(ADVANCE, now, 0)
            arrival = now + 1 + int(random.exponential() * MINUTE / (2 * informed))
        done = (int(account["bought"]), int(account["sold"]))
        for side, sign in ((BID, 1), (ASK, -1)):
            fills += [(now, sign, before)] * (done[side] - seen[side])
        seen = done
        times.append(now)
        mids.append(mid())
        if now >= block:
            blocks.append((worth() - last_worth, len(fills) - last_count))
            last_worth, last_count, block = worth(), len(fills), block + 100 * MINUTE
    earned, count = np.array(blocks).T
    total = earned.sum() / count.sum()
    error = np.std(earned - total * count) * np.sqrt(len(count)) / count.sum()
    t, sign, at = np.array(fills).T
    later = np.array(mids)[np.searchsorted(times, t + markout * MINUTE, "right") - 1]
    move = (sign * (later - at)).mean()
    return total, error, len(fills) / minutes, total - move, move


def test_a_touch_maker_earns_without_information_and_loses_to_those_who_have_it():
    earned, error, rate, _, _ = make_markets(1_500)
    assert earned > 3 * error and 0.7 < rate < 1.2
    assert make_markets(1_500, informed=0.4)[0] < -3 * error


@pytest.mark.verify
def test_touch_maker(verified):
    earned, error, rate, _, move = make_markets(60_000, key=1)
    verified("C1 ticks a fill of a touch maker", 0.23, earned, 0.02 + 3 * error)
    verified("C1 fills a minute", 0.93, rate, 0.05)
    verified("C1 mid's move in 5 minutes after a fill [ticks]", -0.16, move, 0.05)
    found = [earned]
    for informed, low, high in ((0.1, -0.05, -0.01), (0.3, -0.44, -0.41)):
        earned, error, _, _, move = make_markets(60_000, informed, key=2)
        found.append(earned)
        name = f"C2 ticks a fill, {informed} informed a minute and direction"
        verified(name, (low + high) / 2, earned, (high - low) / 2 + 3 * error)
    verified("C2 mid's move in 5 minutes after a fill, at 0.3 [ticks]", -0.82, move, 0.1)
    assert found == sorted(found, reverse=True)
    earned, error, _, _, _ = make_markets(60_000, 0.3, key=3, away=2)
    verified("C2 two ticks behind the touch, at 0.3: lost a fill", 0.0, min(earned, 0.0), 3 * error)
