"""E1, E8: what an agent earns is what its trades say; an agent that does nothing does not exist."""

import numpy as np
import pytest

from hft_gym.flow import PRESETS
from hft_gym.market.arrays import allocate
from hft_gym.market.config import MarketConfig
from hft_gym.market.entries import ADVANCE, DEPTH, OPEN, Markets
from tests.audit.play import (
    ASK,
    BID,
    BUY,
    JOIN,
    MARKETS,
    NONE,
    SELL,
    SUBUNITS,
    column,
    opened,
    play,
    standard_error,
)


@pytest.mark.parametrize("flow", sorted(PRESETS))
def test_who_does_nothing_leaves_no_trace_and_earns_nothing(flow):
    """The market with an idle agent is, bit for bit, the market without any: book, clocks, value and counters."""
    n, steps = 8, 60
    idle = play(flow, (NONE, NONE, 0), n, steps)
    assert not idle.pnl.any() and not idle.inventory.any()
    alone = Markets(allocate(MarketConfig(flow=flow, participants=0), n))
    alone.arrays.state["key"] = idle.core.arrays.state["key"]
    alone.run(OPEN, -1)
    alone.run(ADVANCE, idle.core.arrays.state["time"], 0)
    ours, theirs = idle.core.arrays, alone.arrays
    for name in ("time", "messages", "trades", "volume"):
        np.testing.assert_array_equal(ours.state[name], theirs.state[name])
    assert ours.flow_state.tobytes() == theirs.flow_state.tobytes()
    for name in ("head", "node", "words", "live", "agents"):
        assert getattr(ours, name).tobytes() == getattr(theirs, name).tobytes(), name
    busy = play(flow, (JOIN, JOIN, BUY), n, steps)
    assert busy.core.arrays.node.tobytes() != theirs.node.tobytes()


@pytest.mark.parametrize("flow", MARKETS)
def test_always_crossing_loses_half_spreads_fees_and_impact(flow):
    """Net P&L = -(half-spreads) - fees + position x moves of the mid, exactly, from the logs; and the moves that are
    not one's own doing, those of the same market without the agent, add nothing on average."""
    n, steps, fee = 96, 300, 0.25
    alternate = play(
        flow, lambda core, step: np.tile((NONE, NONE, BUY if step % 2 else SELL), (n, 1)), n, steps, logs=4096,
        market={"fees": {"taker": fee}},
    )  # fmt: skip
    idle = play(flow, (NONE, NONE, 0), n, steps, logs=1 << 14)
    fills = alternate.fills
    signed = np.where(fills["side"] == BID, 1, -1) * fills["quantity"]
    env = fills["env"]
    half_spreads = np.bincount(env, signed * (fills["price"] - fills["mid2"] / 2), n)
    fees = np.bincount(env, fills["fee"], n) / SUBUNITS
    marked = np.bincount(env, signed * (alternate.mid[-1][env] - fills["mid2"] / 2), n)
    np.testing.assert_array_equal(fees, fee * np.bincount(env, fills["quantity"], n))
    np.testing.assert_allclose(alternate.pnl, marked - half_spreads - fees, rtol=0, atol=1e-6)

    undisturbed = np.zeros(len(fills))
    for e in range(n):
        path, mine = idle.mids[idle.mids["env"] == e], env == e
        undisturbed[mine] = path["mid2"][np.searchsorted(path["time"], fills["time"][mine], "right") - 1] / 2
    luck = np.bincount(env, signed * (idle.mid[-1][env] - undisturbed), n)
    assert abs(luck.mean()) < 2 * standard_error(luck)
    impact = marked - luck
    lost = half_spreads.mean() + fees.mean() - impact.mean()
    assert abs(alternate.pnl.mean() + lost) < 2 * standard_error(luck)
    assert half_spreads.mean() > 0.5 * steps
    assert impact.mean() < 0.25 * half_spreads.mean()


@pytest.mark.parametrize("flow", MARKETS)
def test_random_orders_and_flattening_at_once_lose(flow):
    n, steps = 128, 300
    random = np.random.default_rng(0)
    blind = play(flow, lambda core, step: random.integers(0, [8, 8, 3], (n, 3)), n, steps).pnl

    def flatten(core, step):
        """Quotes while flat; whatever it gets it closes with the next order: no inventory, no bet."""
        position = core.info[3]
        quote = np.where(position == 0, JOIN, NONE)
        return np.stack([quote, quote, np.select([position > 0, position < 0], [SELL, BUY], 0)], axis=1)

    flat = play(flow, flatten, n, steps).pnl
    for pnl in (blind, flat):
        assert pnl.mean() < -5 * standard_error(pnl)


@pytest.mark.parametrize("flow", MARKETS)
def test_own_orders_are_not_observed(flow):
    """The book columns are the book without the agent's orders, as another compiled walk over it finds it; with them
    it would be another book."""
    core = opened(flow, 32, 80)
    levels, seen_own = core.config.levels, 0
    for step in range(80):
        core.step(np.tile((JOIN, 1 + step % 3, 0), (32, 1)))
        markets = Markets(core.arrays)
        for side, offsets in ((BID, 0), (ASK, 2 * levels)):
            for e in range(0, 32, 8):
                table = np.zeros((levels, 3), np.int64)
                one = Markets(type(core.arrays)(*(
                    a if a.shape[0] == 1 else a[e : e + 1] for a in core.arrays.as_tuple()
                )))  # fmt: skip
                found = int(one.run(DEPTH, side, 1, levels, table=table)[0])
                np.testing.assert_array_equal(core.obs[e, offsets + levels :][:found], table[:found, 1])
                np.testing.assert_array_equal(
                    core.obs[e, offsets:][:found], table[:found, 0] - core.info[4, e]
                )
                whole = np.zeros((levels, 3), np.int64)
                one.run(DEPTH, side, 0, levels, table=whole)
                seen_own += not np.array_equal(whole, table)
        assert markets.n == 32
    assert seen_own > 100


@pytest.mark.parametrize("flow", MARKETS)
def test_what_is_left_is_sold_into_the_book_not_at_the_mid(flow):
    """The last position is worth what the levels of the book pay for it, walked by hand."""
    n, steps, size = 64, 30, 8
    long = {"order_size": size, "max_position": 2 * size}

    def hoard(core, step):
        return np.tile((NONE, NONE, BUY if step in (3, 6) else 0), (n, 1))

    going_on = opened(flow, n, steps + 1, **long)
    for step in range(steps):
        going_on.step(hoard(going_on, step))
    ended = play(flow, hoard, n, steps, logs=256, **long)
    levels = going_on.config.levels
    price = going_on.obs[:, :levels].astype(float) + going_on.info[4][:, None]
    volume = going_on.obs[:, levels : 2 * levels].astype(float)
    position = going_on.info[3]
    assert (position >= size).all()
    sold = np.clip(position[:, None] - (np.cumsum(volume, axis=1) - volume), 0, volume)
    inside = sold.sum(axis=1) == position  # the ten levels shown suffice
    assert inside.mean() > 0.9
    at_mid = going_on.info[2] - position * going_on.info[4]
    np.testing.assert_allclose(ended.pnl[inside], (at_mid + (sold * price).sum(axis=1))[inside], rtol=0, atol=1e-6)
    closing = ended.fills[ended.fills["closing"] == 1]
    assert (2 * closing["price"] < closing["mid2"]).all()
    assert column(going_on, "spread").min() >= 1
    assert (ended.pnl < going_on.info[2])[inside].all()
