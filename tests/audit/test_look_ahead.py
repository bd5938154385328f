"""E4: what an agent sees at a decision does not depend on what comes after it."""

import numpy as np
import pytest

from hft_gym.envs import HFTMarketEnv
from hft_gym.flow.state import NEVER
from tests.audit.play import BUY, MARKETS, NONE, SECOND, opened
from tests.data.synthetic import Maker, write_rows
from tests.envs.helpers import scripted_orders

STEPS = 40


def scramble(core, seed):
    """Replace all that the market knows of its future: random streams, gaps drawn ahead, the value, plans of the
    metaorders, expectations."""
    random = np.random.default_rng(seed)
    flow = core.arrays.flow_state
    for name in ("streams", "gap", "left", "parents", "memory", "hazard"):
        values = random.integers(1, 100, flow[name].shape)
        flow[name] = values if name != "streams" else random.integers(0, 2**63, flow[name].shape).astype(np.uint64)
    flow["fundamental"] += random.normal(size=flow["fundamental"].shape) * 20
    core.arrays.account["stream"] = random.integers(0, 2**63, core.arrays.account["stream"].shape).astype(np.uint64)


def stop_clocks(core):
    """Let nothing more happen."""
    core.arrays.flow_state["due"] = NEVER
    core.arrays.flow_state["stretch"] = 0.0


@pytest.mark.parametrize("flow", MARKETS)
def test_an_observation_knows_nothing_of_the_flows_future(flow):
    """With the clocks stopped, the book is observed once more: the same, whatever else the future holds. With the
    clocks running the other future shows at once, so the test can see a change."""
    core = opened(flow, 16, 10 * STEPS, levels=10)
    for step in range(STEPS):
        core.step(scripted_orders(step, 16))
    twins = [core.copy() for _ in range(4)]
    for twin, seed in zip(twins, (None, 1, None, 1), strict=True):
        if seed is not None:
            scramble(twin, seed)
    for twin in twins[:2]:
        stop_clocks(twin)
    idle = np.zeros((16, 3), np.int64)
    for twin in twins:
        twin.step(idle)
    np.testing.assert_array_equal(twins[0].obs, twins[1].obs)
    np.testing.assert_array_equal(twins[0].reward, twins[1].reward)
    assert not np.array_equal(twins[2].obs, twins[3].obs)


@pytest.mark.parametrize("late_ns", [0, 130_000_000])
@pytest.mark.parametrize("flow", MARKETS)
def test_late_market_data_is_exactly_the_past(flow, late_ns):
    """An observation at t with data late by d is, column for column, one at t - d without delay: nothing newer."""
    step_ns = 10_000_000
    latency = {"order_ns": 0, "order_jitter_ns": 0, "cancel_ns": 0, "cancel_jitter_ns": 0}
    idle = np.zeros((4, 3), np.int64)
    fresh, late = (
        opened(flow, 4, 100, step_ns=step_ns, market={"latency": {**latency, "market_data_ns": ns}})
        for ns in (0, late_ns)
    )
    book = slice(0, 40)
    for _ in range(30):
        fresh.step(idle)
        late.step(idle)
        # Both begin with the warm-up's end as their latest news, so equal steps show equal moments.
        np.testing.assert_array_equal(fresh.obs[:, book], late.obs[:, book])
        assert (late.env["decision_time"] - fresh.env["decision_time"] == late_ns).all()
    assert (late.arrays.state["time"] == late.env["decision_time"] - late_ns).all()
    late.step(np.tile((NONE, NONE, BUY), (4, 1)))
    fresh.step(np.tile((NONE, NONE, BUY), (4, 1)))
    assert (fresh.info[3] == 1).all()
    # Sent at t, it has happened by t + step; news of that is on its way.
    assert (late.info[3] == (late_ns == 0)).all()


def day(folder, tail):
    """A recorded day that goes its own way, by seed *tail*, after row 600; the file and the time of that row [ns]."""
    maker = Maker(seed=5, halts=False)
    while len(maker.rows) < 600:
        maker.step()
    at = maker.time
    maker.random = np.random.default_rng(tail)
    while len(maker.rows) < 1200:
        maker.step()
    return write_rows(folder, maker.rows), at


def test_an_observation_knows_nothing_of_the_rows_to_come(tmp_path):
    """Two days that agree up to a row look alike, and answer alike, until then, whatever follows."""
    start, step_ns, steps = 34_205 * SECOND, SECOND // 10, 400
    seen = []
    for tail in (1, 2):
        folder = tmp_path / str(tail)
        folder.mkdir()
        feed, at = day(folder, tail)
        env = HFTMarketEnv(feed=str(feed), step_ns=step_ns, episode_steps=steps, market={"warm_up_ns": SECOND})
        rows = [env.reset(seed=1, options={"start": start})[0]]
        rows += [env.step(scripted_orders(step, 1)[0])[0] for step in range(steps)]
        seen.append(np.array(rows))
    known = (at - start) // step_ns
    assert 50 < known < steps - 50
    assert np.ptp(seen[0][:known], axis=0).max() > 0
    np.testing.assert_array_equal(seen[0][:known], seen[1][:known])
    assert not np.array_equal(seen[0][known + 10 :], seen[1][known + 10 :])
