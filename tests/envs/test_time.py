"""What the agent may know when: latencies, the clock, and the absence of look-ahead."""

from typing import Any

import numpy as np
import pytest

from hft_gym.envs import HFTMarketEnv
from tests.envs.helpers import scripted_orders

MS = 1_000_000


def still(steps: int, **settings: Any) -> tuple[HFTMarketEnv, np.ndarray, list[dict[str, Any]]]:
    """Observations and infos of an agent that does nothing."""
    env = HFTMarketEnv(**settings)
    idle = env.action_schema.encode()
    results = [env.reset(seed=13)]
    results += [env.step(idle)[::4] for _ in range(steps)]
    return env, np.stack([r[0] for r in results]), [r[1] for r in results]


def latency(market_data_ns: int, **rest: Any) -> dict[str, Any]:
    return {"market": {"latency": {"market_data_ns": market_data_ns, **rest}}}


@pytest.mark.parametrize("late", [0, 30 * MS, 250 * MS])
def test_fills_are_known_when_market_data_brings_them_and_not_before(late: int) -> None:
    """Up to decision k the agent knows of exactly the fills that happened a latency before it."""
    env = HFTMarketEnv(step_ns=100 * MS, episode_steps=400, log_capacity=4096, **latency(late))
    env.reset(seed=4)
    at = env.observation_schema.index
    start = int(env._core.env["start_time"][0])
    known, seen = 0, []
    for step in range(300):
        x = env.step(scripted_orders(step, 1)[0])[0]
        known += int(x[at("bought")] + x[at("sold")])
        seen.append((start + env.market_time - late, known))
    fills = env.drain_logs().fills
    assert known > 20
    for until, count in seen:
        assert fills["quantity"][fills["time"] <= until].sum() == count


def test_late_market_data_delays_the_agent_and_not_the_market() -> None:
    _, now, _ = still(40, **latency(0))
    _, late, _ = still(40, **latency(50 * MS))
    np.testing.assert_array_equal(late, now)


def test_the_clock_of_decisions_does_not_disturb_the_market() -> None:
    env, fine, _ = still(80, step_ns=50 * MS)
    _, coarse, _ = still(40, step_ns=100 * MS)
    book = env.observation_schema["book"]
    np.testing.assert_array_equal(fine[::2, book], coarse[:, book])
    flow = [env.observation_schema.index(n) for n in ("buy_volume", "sell_volume", "trades", "mid_change")]
    np.testing.assert_array_equal(fine[1::2, flow] + fine[2::2, flow], coarse[1:, flow])


def test_the_future_cannot_change_the_past() -> None:
    """Two agents who act alike until step k see the same until then, whatever they do later."""
    rng = np.random.default_rng(0)
    common = rng.integers(0, [8, 8, 3], (30, 3))
    seen = []
    for tail in (np.array([1, 0, 1]), np.array([0, 1, 2])):
        env = HFTMarketEnv()
        observations = [env.reset(seed=5)[0]]
        observations += [env.step(action)[0] for action in common]
        observations += [env.step(tail)[0] for _ in range(30)]
        seen.append(np.stack(observations))
    np.testing.assert_array_equal(seen[0][:31], seen[1][:31])
    assert not np.array_equal(seen[0][31:], seen[1][31:])


def test_time_passes_as_configured() -> None:
    env, x, infos = still(10, step_ns=70 * MS, episode_steps=10)
    at = env.observation_schema.index
    np.testing.assert_allclose([i["time"] for i in infos], 0.07 * np.arange(11), atol=1e-12)
    assert env.market_time == 700 * MS
    np.testing.assert_allclose(x[:, at("time_left")], 1 - np.arange(11) / 10, atol=1e-6)
    np.testing.assert_allclose(x[1:, at("elapsed")], 0.07, rtol=1e-6)


def test_an_order_is_in_flight_until_its_acknowledgement_arrives() -> None:
    """Way there 120 ms, way back 50 ms, a decision every 50 ms: known four decisions after sending."""
    slow = latency(50 * MS, order_ns=120 * MS, order_jitter_ns=0)
    env = HFTMarketEnv(step_ns=50 * MS, **slow)
    at = env.observation_schema.index
    env.reset(seed=1)
    quote = env.action_schema.encode(bid="behind_10")
    ahead, flying, size = [], [], []
    for _ in range(6):
        x = env.step(quote)[0]
        ahead.append(float(x[at("own_bid_ahead")]))
        flying.append(float(x[at("in_flight")]))
        size.append(float(x[at("own_bid_size")]))
    assert size == [env.config.order_size] * 6
    assert [a < 0 for a in ahead] == [True, True, True, False, False, False]
    assert flying == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("clock", ["event"])
def test_event_clock_stops_at_events_or_at_the_timeout(clock: str) -> None:
    env, x, _ = still(200, clock=clock, step_ns=80 * MS, episode_steps=200)
    at = env.observation_schema.index
    elapsed = x[1:, at("elapsed")]
    assert (elapsed <= 0.08 + 1e-6).all() and len(np.unique(elapsed)) > 20
    quiet = np.isclose(elapsed, 0.08)
    touch = [
        at(n) for n in ("bid_offset_1", "ask_offset_1", "bid_size_1", "ask_size_1", "mid_change", "trades")
    ]
    changed = (x[1:, touch] != x[:-1, touch]).any(axis=1) | (x[1:, at("trades")] > 0)
    assert changed[~quiet].all()
