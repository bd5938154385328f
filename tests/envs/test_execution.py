"""``HFTExecution-v0``: the shortfall to the last sub-unit, sides and quantities, deadline and leftover."""

import doctest
import inspect
from typing import Any

import gymnasium
import numpy as np
import pytest

from hft_gym.envs import HFTExecutionEnv, HFTExecutionVectorEnv, ObservationSchema, tasks
from hft_gym.errors import ConfigError
from hft_gym.market.records import SUBUNITS
from tests.envs.helpers import assert_same, encoded, scripted_orders

N = 6
# A deep book: what a thin one cannot take at the end is settled at the mid and counted in `unclosed`.
FEES = {"market": {"flow": "poisson", "fees": {"unit": "per_lot", "maker": -0.0013, "taker": 0.0037}}}


def play(policy: Any, **settings: Any) -> tuple[Any, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """One episode in each of N environments: these, the last infos, the sum of rewards and the fills."""
    envs = HFTExecutionVectorEnv(N, autoreset_mode="SameStep", log_capacity=4096, **settings)
    observations, infos = envs.reset(seed=5)
    total, last, running = np.zeros(N), {}, np.ones(N, bool)
    fills = []
    step = 0
    while running.any():
        observations, rewards, ended, _, infos = envs.step(policy(envs, observations, step))
        logs = envs.drain_logs().fills
        fills.append(logs[running[logs["env"]] & (logs["episode"] == logs["episode"].min(initial=9))])
        total += np.where(running, rewards, 0.0)
        if ended.any():
            for key, values in infos["final_info"].items():
                last.setdefault(key, np.zeros(N, values.dtype))[ended & running] = values[ended & running]
        running &= ~ended
        step += 1
    return envs, last, total, np.concatenate(fills)


def scripted(envs: Any, observations: np.ndarray, step: int) -> Any:
    return encoded(envs, scripted_orders(step, N))


def idle(envs: Any, observations: np.ndarray, step: int) -> Any:
    return encoded(envs, np.zeros((N, 3), np.int64))


@pytest.mark.parametrize("side", ["buy", "sell", "drawn"])
@pytest.mark.parametrize("policy", [scripted, idle], ids=["scripted", "idle"])
def test_shortfall_is_that_of_the_fills(policy: Any, side: str) -> None:
    """Sum of rewards = minus the shortfall = what the fill log says, in whole sub-units."""
    settings = {"execution": {"side": side, "quantity": 30, "max_quantity": 40}, "episode_steps": 60}
    _, last, total, fills = play(policy, **settings, **FEES)
    assert (np.abs(last["quantity"]) >= 30).all() and (np.abs(last["quantity"]) <= 40).all()
    for i in range(N):
        own = fills[(fills["env"] == i) & (fills["episode"] == fills[fills["env"] == i]["episode"].min())]
        parent = int(last["quantity"][i])
        sign = 1 if parent > 0 else -1
        assert (own["side"] == (0 if sign > 0 else 1)).all()  # never the other side
        assert own["quantity"].sum() == abs(parent)
        arrival2 = round(2 * last["arrival_mid"][i])
        subunits = (own["quantity"] * sign * (2 * own["price"] - arrival2)).sum() * SUBUNITS // 2 + own["fee"].sum()
        assert round(-last["net_pnl"][i] * SUBUNITS) == subunits
        np.testing.assert_allclose(-total[i] * SUBUNITS, subunits, atol=1e-4)
        parts = last["shortfall_drift"][i] + last["shortfall_trading"][i] + last["fees"][i]
        np.testing.assert_allclose(parts, subunits / SUBUNITS, atol=1e-9)
        np.testing.assert_allclose(last["shortfall"][i], subunits / SUBUNITS * 0.01, atol=1e-12)
        np.testing.assert_allclose(last["shortfall_ticks"][i] * abs(parent), subunits / SUBUNITS, atol=1e-9)
        bps = 1e4 * subunits / SUBUNITS / (abs(parent) * last["arrival_mid"][i])
        np.testing.assert_allclose(last["shortfall_bps"][i], bps, rtol=1e-12)
        closed = own["quantity"][own["closing"] != 0].sum()
        np.testing.assert_allclose(last["completion"][i], 1 - closed / abs(parent))
        assert last["quantity_left"][i] == 0 == last["inventory"][i] and last["unclosed"][i] == 0


def test_idling_leaves_all_to_the_deadline() -> None:
    _, last, _, fills = play(idle, episode_steps=25)
    assert (last["completion"] == 0).all() and (fills["closing"] == 1).all()
    np.testing.assert_allclose(last["time"], 2.5)


def test_a_complete_order_ends_the_episode() -> None:
    parent = {"side": "buy", "quantity": 7}
    _, last, _, _ = play(lambda e, o, s: encoded(e, np.tile([0, 0, 1], (N, 1))), execution=parent)
    assert (last["completion"] == 1).all() and (last["time"] < 2.0).all()
    sells = encoded(HFTExecutionEnv(), np.tile([0, 0, 2], (N, 1)))
    _, last, _, _ = play(lambda e, o, s: sells, execution=parent, episode_steps=9)
    assert (last["completion"] == 0).all()  # orders on the other side are not sent


def test_sides_and_quantities_are_drawn_by_the_key() -> None:
    envs = HFTExecutionVectorEnv(400, execution={"quantity": 10, "max_quantity": 19})
    _, infos = envs.reset(seed=0)
    again = HFTExecutionVectorEnv(400, execution={"quantity": 10, "max_quantity": 19}).reset(seed=0)[1]
    np.testing.assert_array_equal(infos["quantity"], again["quantity"])
    assert 150 < (infos["quantity"] > 0).sum() < 250
    sizes, counts = np.unique(np.abs(infos["quantity"]), return_counts=True)
    assert sizes.tolist() == list(range(10, 20)) and counts.min() > 15


def test_the_parent_order_does_not_move_the_market() -> None:
    """An idle agent sees the market of HFTMarket-v0 up to the close."""
    from hft_gym.envs import HFTMarketEnv

    market, execution = HFTMarketEnv(episode_steps=30), HFTExecutionEnv(episode_steps=30)
    left, right = market.reset(seed=4)[0], execution.reset(seed=4)[0]
    book = market.observation_schema["book"]
    for _ in range(29):
        np.testing.assert_array_equal(left[book], right[book])
        left, right = (e.step(np.zeros(3, np.int64))[0] for e in (market, execution))


def test_columns() -> None:
    env = HFTExecutionEnv(execution={"side": "sell", "quantity": 12}, episode_steps=100)
    schema = env.observation_schema
    assert schema == ObservationSchema(10, execution=True)
    observation, info = env.reset(seed=1)
    arrival = info["arrival_mid"]
    for step in range(60):
        row = schema.as_dict(observation)
        assert row["quantity_left"] == info["quantity_left"] == -row["inventory"] <= 0
        assert row["share_left"] == np.float32(-row["quantity_left"] / 12)
        assert row["arrival_offset"] == arrival - info["mid"]
        np.testing.assert_allclose(row["shortfall"], info["shortfall_ticks"], rtol=1e-6)
        observation, _, ended, _, info = env.step(encoded(env, np.array([[0, 2, 2 if step % 9 == 8 else 0]]))[0])
        assert not ended or info["quantity_left"] == 0
        if ended:
            break


def test_orders_never_pass_the_parent_order() -> None:
    """Takes, quotes and latency together: what is working is never more than what is left."""
    slow = {"market": {"latency": {"order_ns": 250_000_000}}}
    env = HFTExecutionEnv(execution={"side": "buy", "quantity": 9}, order_size=2, log_capacity=4096, **slow)
    for seed in range(4):
        env.reset(seed=seed)
        ended = False
        while not ended:
            _, _, ended, _, info = env.step(np.array([2, 2, 1]))
            assert 0 <= info["quantity_left"] <= 9
        assert info["quantity_left"] == 0


def test_single_equals_batched_with_threads() -> None:
    runs = []
    for threads in (1, 2, 4):
        envs = gymnasium.make_vec("HFTExecution-v0", num_envs=N, threads=threads, episode_steps=30)
        runs.append([envs.reset(seed=9), *(envs.step(encoded(envs, scripted_orders(s, N))) for s in range(70))])
    assert_same(runs[0], runs[1])
    assert_same(runs[0], runs[2])
    sync = gymnasium.make_vec("HFTExecution-v0", num_envs=N, vectorization_mode="sync", episode_steps=30)
    native = gymnasium.make_vec("HFTExecution-v0", num_envs=N, episode_steps=30)
    assert_same(sync.reset(seed=9), runs[0][0])
    native.reset(seed=9)
    for step in range(70):
        assert_same(sync.step(encoded(native, scripted_orders(step, N))), runs[0][step + 1])


def test_conservation() -> None:
    envs = HFTExecutionVectorEnv(N, episode_steps=50, **FEES)
    envs.reset(seed=2)
    core = envs._core
    for step in range(120):
        envs.step(encoded(envs, scripted_orders(step, N)))
        account = core.arrays.account
        assert (account["position"].sum(axis=1) == 0).all()
        assert (account["cash"].sum(axis=1) == -core.arrays.state["fees"]).all()


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"execution": {"side": "by"}}, "did you mean 'buy'"),
        ({"execution": {"quantity": 0}}, "at least 1"),
        ({"execution": {"quantity": 5, "max_quantity": 4}}, "at least quantity"),
        ({"execution": {"quantty": 5}}, "did you mean 'quantity'"),
        ({"task": "liquidity-taking"}, "this environment's is 'execution'"),
        ({"config": {"task": "liquidity-taking"}}, "this environment's is 'execution'"),
    ],
)
def test_refused(settings: dict[str, Any], hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        HFTExecutionEnv(**settings)


def test_settings_of_another_task_are_refused() -> None:
    from hft_gym.envs import HFTMarketEnv

    with pytest.raises(ConfigError, match="it takes task=\"execution\""):
        HFTMarketEnv(execution={"quantity": 3})
    assert HFTMarketEnv(task="execution", execution={"quantity": 3}).config.id == "HFTExecution-v0"


def test_the_data_sheet() -> None:
    sheet = inspect.getdoc(HFTExecutionEnv) or ""
    rows = ObservationSchema(10, execution=True).table().splitlines()[-4:]
    assert all(row in sheet for row in rows)
    for key in HFTExecutionEnv().reset(seed=0)[1]:
        assert f"``{key}``" in sheet or key in ("fees", "inventory", "mid", "time", "variant"), key
    result = doctest.testmod(tasks)
    assert result.attempted > 0 and result.failed == 0
