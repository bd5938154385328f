"""HFTModel-v0: Gymnasium's rules, one seed one trajectory, and the laws of the model."""

import copy
import doctest
import importlib
import inspect
import math
import pickle
import re
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from hft_gym.envs.model import HFTModelEnv, HFTModelVectorEnv, ModelConfig, ModelCore, ModelSchema
from hft_gym.errors import ActionError, ConfigError
from tests.envs.helpers import MODEL_ID, assert_same, digest
from tests.envs.sheet import settings_table

N = 6
SHORT: dict[str, Any] = {"steps": 20}
EVENT: dict[str, Any] = {"clock": "event", "mid": "gaussian"}
KINDS = ({}, {"action": "depths"}, {"fills": "exact", "mid": "gaussian"}, EVENT)
COLUMN = {name: i for i, name in enumerate(ModelSchema().names)}
GOLDEN = {"time": "0c382961b3ec9b8c", "event": "0d953dd244979798"}


def actions(env: Any, step: int, count: int = N) -> np.ndarray:
    """Depths that differ by environment, side and step, some beyond the mid."""
    i = np.arange(count)
    bid, ask = ((step + 3 * i) % 11) * 0.2 - 0.4, ((2 * step + i) % 13) * 0.15 - 0.3
    return env.unwrapped.action_schema.encode(bid, ask)


def core(n: int, **settings: Any) -> ModelCore:
    made = ModelCore(ModelConfig(**settings), n)
    made.reset(np.arange(n, dtype=np.uint64))
    return made


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_both_checkers_find_nothing(settings: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    from stable_baselines3.common.env_checker import check_env as check_env_sb3

    if settings.get("action") == "depths":
        settings = {**settings, "min_depth": -1.0, "max_depth": 1.0}  # both advise bounds of one
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(MODEL_ID, **settings).unwrapped)
        check_env_sb3(gymnasium.make(MODEL_ID, **settings).unwrapped)


@pytest.mark.parametrize("mode", list(AutoresetMode)[:2])
@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_equals_sync_vector_env(mode: AutoresetMode, settings: dict[str, Any]) -> None:
    settings = {**SHORT, **settings}
    sync = SyncVectorEnv([lambda: gymnasium.make(MODEL_ID, **settings) for _ in range(N)], autoreset_mode=mode)
    native = gymnasium.make_vec(MODEL_ID, num_envs=N, autoreset_mode=mode.value, **settings)
    assert_same(sync.reset(seed=11), native.reset(seed=11))
    for step in range(90):
        made = actions(native, step)
        assert_same(sync.step(made), native.step(made), f"step {step}")
        if step % 40 == 25:
            mask = (np.arange(N) + step) % 3 == 0
            left = sync.reset(options={"reset_mask": mask.copy()})
            assert_same(left, native.reset(options={"reset_mask": mask}))
    assert_same(sync.reset(), native.reset())


def batch(threads: int = 1, **settings: Any) -> str:
    """Digest of all that a batch returns over some episodes."""
    envs = HFTModelVectorEnv(N, threads=threads, **SHORT, **settings)
    rows = [envs.reset(seed=2024)[0]]
    for step in range(70):
        observations, rewards, terminated, _, infos = envs.step(actions(envs, step))
        rows += [observations, rewards, terminated, infos["net_pnl"], infos["mid"], infos["time"]]
    return digest(*rows)


@pytest.mark.parametrize("settings", [{}, EVENT], ids=["time", "event"])
def test_golden(settings: dict[str, Any]) -> None:
    """This version's trajectories; a deliberate change of the model changes them."""
    assert batch(**settings) == GOLDEN["event" if settings else "time"]


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_threads_and_copies_change_nothing(settings: dict[str, Any]) -> None:
    alone = batch(**settings)
    assert batch(threads=2, **settings) == alone == batch(threads=5, **settings)
    env, other = HFTModelEnv(**SHORT, **settings), HFTModelEnv(**SHORT, **settings)
    env.reset(seed=1), other.reset(seed=1)
    for step in range(60):
        if step % 20 == 10:
            env = copy.deepcopy(env) if step == 10 else pickle.loads(pickle.dumps(env))
        left, right = env.step(actions(env, step, 1)[0]), other.step(actions(env, step, 1)[0])
        assert_same(left, right)
        if left[2]:
            assert_same(env.reset(), other.reset())


@pytest.mark.parametrize(
    "change",
    [
        {"horizon": 2.0}, {"fills": "exact"}, {"mid": "gaussian"}, EVENT, {"initial_price": 99.0},
        {"initial_inventory": 2}, {"sigma": 2.1}, {"drift": 0.1}, {"arrival_rate": 200.0}, {"k": 1.4},
        {"adverse_selection": 0.1}, {"max_inventory": 1}, {"min_depth": -4.0}, {"reward": {"pnl": 0.5}},
        {"reward": {"inventory": 0.1}}, {"reward": {"terminal": 0.1}}, {"reward": {"utility": 1.0}},
    ],
    ids=str,
)  # fmt: skip
def test_every_setting_has_an_effect(change: dict[str, Any]) -> None:
    assert batch(**change) != batch()


def test_unseeded_resets_differ_and_what_is_returned_is_never_touched_again() -> None:
    def first_step(envs: HFTModelVectorEnv) -> Any:
        envs.reset()
        return envs.step(actions(envs, 0))[0][:, COLUMN["cash"]]

    envs = HFTModelVectorEnv(N, mid="gaussian", arrival_rate=1e6)
    seen = [first_step(envs), first_step(envs), first_step(HFTModelVectorEnv(N, mid="gaussian", arrival_rate=1e6))]
    env = HFTModelEnv(mid="gaussian")
    mids = []
    for _ in range(4):
        env.reset()
        mids.append(env.step(actions(env, 0, 1)[0])[4]["mid"])
    assert len(set(mids)) == 4 and all(s.shape == (N,) for s in seen)
    envs.reset(seed=3)
    returned = [envs.step(actions(envs, s)) for s in range(5)]
    kept = copy.deepcopy(returned)
    for step in range(5, 30):
        envs.step(actions(envs, step))
    assert_same(returned, kept)


@pytest.mark.parametrize("settings", [{}, EVENT], ids=["time", "event"])
def test_every_lot_and_every_unit_of_money_is_accounted_for(settings: dict[str, Any]) -> None:
    """Fills at the quoted depths from the mid are all that changes cash and position."""
    xi = 0.05
    made = core(
        500, adverse_selection=xi, max_inventory=3, initial_inventory=1, action="depths",
        reward={"inventory": 0.7, "terminal": 0.3, "utility": 2.0, "risk_aversion": 0.05}, **SHORT, **settings,
    )  # fmt: skip
    depths = np.random.default_rng(1).uniform(-0.5, 1.5, (500, 2))
    position, money, mid = np.ones(500), np.zeros(500), made.env["mid"].copy()
    returns, running = np.zeros(500), np.zeros(500)
    while not made.env["done"].all():
        live = made.env["done"] == 0
        held = position.copy()
        made.step(depths)
        bought, sold = (made.obs[:, COLUMN[c]].astype(np.float64) * live for c in ("bought", "sold"))
        # A fill comes at the start of a step of the time clock, and at the end of a step of the event clock.
        at = mid if not settings else made.env["mid"] - xi * (sold - bought)
        money += sold * (at + depths[:, 1]) - bought * (at - depths[:, 0])
        position += bought - sold
        running += np.where(live, -0.7 * held**2 * made.obs[:, COLUMN["elapsed"]], 0.0)
        returns += made.reward
        np.testing.assert_allclose(made.reward, made.info[:4].sum(axis=0), atol=1e-9)
        np.testing.assert_allclose(made.env["cash"], money, atol=1e-9)
        np.testing.assert_array_equal(made.env["inventory"], position)
        assert np.abs(position).max() <= 3
        mid = made.env["mid"].copy()
    pnl = made.info[4]
    np.testing.assert_allclose(pnl, money + position * mid - 100.0, atol=1e-9)
    utility = 2.0 * (1 - np.exp(-0.05 * pnl)) / 0.05
    np.testing.assert_allclose(returns, pnl + running - 0.3 * position**2 + utility, rtol=1e-6)
    np.testing.assert_array_equal(made.info[7], 1.0)
    assert np.ptp(position) == 6


def fills(bid: float, ask: float, **settings: Any) -> np.ndarray:
    """Fills a step of bid and ask over 4,000 steps of 50 environments, shape (steps · 50, 2)."""
    made = core(50, steps=4_000, horizon=20.0, max_inventory=10**6, **settings)
    depths = np.tile([bid, ask], (50, 1))
    seen = []
    while not made.env["done"].any():
        made.step(depths)
        seen.append(made.obs[:, [COLUMN["bought"], COLUMN["sold"]]].copy())
    return np.concatenate(seen)


@pytest.mark.parametrize("law", ["linear", "exact"])
def test_fills_follow_their_law(law: str) -> None:
    dt, n = 0.005, 200_000
    seen = fills(0.7, 1.2, fills=law)
    for depth, share in zip((0.7, 1.2), seen.mean(axis=0), strict=True):
        expected = 140.0 * math.exp(-1.5 * depth) * dt
        p = expected if law == "linear" else 1 - math.exp(-expected)
        assert share == pytest.approx(p, abs=3.5 * math.sqrt(p * (1 - p) / n))
    both = np.corrcoef(seen.T)[0, 1]
    assert abs(both) < 3.5 / math.sqrt(n)  # the sides are independent


def test_the_linear_law_is_capped_at_certainty() -> None:
    assert (fills(-1.0, -1.0, fills="linear") == 1.0).all()
    assert fills(-1.0, -1.0, fills="exact").mean() == pytest.approx(1 - math.exp(-0.7 * math.exp(1.5)), abs=0.002)


def test_events_are_poisson_processes_and_do_not_depend_on_the_longest_step() -> None:
    counts = []
    for steps in (1, 100):
        made = core(4_000, steps=steps, max_inventory=10**6, **EVENT)
        depths = np.tile([0.7, 1.2], (4_000, 1))
        total = np.zeros((4_000, 2))
        while not made.env["done"].all():
            live = made.env["done"] == 0
            made.step(depths)
            total += made.obs[:, [COLUMN["bought"], COLUMN["sold"]]] * live[:, None]
        counts.append(total)
        for depth, count in zip((0.7, 1.2), total.T, strict=True):
            mean = 140.0 * math.exp(-1.5 * depth)
            assert count.mean() == pytest.approx(mean, abs=3.5 * math.sqrt(mean / 4_000))
            assert count.var() / mean == pytest.approx(1.0, abs=3.5 * math.sqrt(2 / 4_000))
    # The clocks are the same random numbers however the time is cut: only a fill in a last rounding error may differ.
    assert (counts[0] != counts[1]).mean() < 1e-3


@pytest.mark.parametrize("settings", [{}, {"mid": "gaussian"}, EVENT], ids=["binomial", "gaussian", "event"])
def test_the_mid_diffuses(settings: dict[str, Any]) -> None:
    made = core(20_000, sigma=2.0, drift=1.5, **SHORT, **settings)
    while not made.env["done"].all():
        made.step(np.full((20_000, 2), 2.5))
    change = made.env["mid"] - 100.0
    assert change.mean() == pytest.approx(1.5, abs=3.5 * 2 / math.sqrt(20_000))
    assert change.var() == pytest.approx(4.0, rel=3.5 * math.sqrt(2 / 20_000))
    kurtosis = ((change - change.mean()) ** 4).mean() / change.var() ** 2
    expected = 3.0 - 2.0 / 20 if not settings else 3.0  # of a sum of 20 coin tosses
    assert kurtosis == pytest.approx(expected, abs=3.5 * math.sqrt(24 / 20_000))


def test_the_mid_and_the_fills_luck_are_the_same_whatever_is_quoted() -> None:
    left, right = core(200), core(200)
    fewer = np.zeros(200, bool)
    for _ in range(50):
        left.step(np.full((200, 2), 0.4))
        right.step(np.full((200, 2), 0.9))
        np.testing.assert_array_equal(left.env["mid"], right.env["mid"])
        assert (right.obs[:, COLUMN["bought"]] <= left.obs[:, COLUMN["bought"]]).all()
        fewer |= right.obs[:, COLUMN["bought"]] < left.obs[:, COLUMN["bought"]]
    assert fewer.all()


def test_adverse_selection_moves_the_mid_against_every_fill() -> None:
    made = core(1_000, sigma=0.0, adverse_selection=0.25, mid="gaussian")
    for _ in range(30):
        before = made.env["mid"].copy()
        made.step(np.full((1_000, 2), 0.5))
        bought, sold = made.obs[:, COLUMN["bought"]], made.obs[:, COLUMN["sold"]]
        np.testing.assert_allclose(made.env["mid"] - before, 0.25 * (sold - bought), atol=1e-12)


@pytest.mark.parametrize("bad", [None, 3, [1.0], [0.0, 0.0, 0.0], [1.1, 0.0], [0.0, -1.1], [np.nan, 0.0], ["a", "b"]])
def test_a_bad_action_changes_nothing(bad: Any) -> None:
    left, right = HFTModelEnv(**SHORT), HFTModelEnv(**SHORT)
    left.reset(seed=1), right.reset(seed=1)
    with pytest.raises(ActionError, match="allowed"):
        left.step(bad)
    assert_same(left.step(actions(left, 0, 1)[0]), right.step(actions(left, 0, 1)[0]))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_bad_action_changes_no_environment(threads: int) -> None:
    left, right = HFTModelVectorEnv(N, threads=threads), HFTModelVectorEnv(N)
    left.reset(seed=9), right.reset(seed=9)
    good = actions(left, 0)
    for row in range(N):
        bad = good.copy()
        bad[row, row % 2] = [1.5, np.nan][row % 2]
        with pytest.raises(ActionError, match=rf"actions\[{row}\].*-1 to 1"):
            left.step(bad)
    for bad in (good[:-1], good[:, :1], None, good > 0):
        with pytest.raises(ActionError, match="allowed"):
            left.step(bad)
    assert_same(left.step(good), right.step(good))


@pytest.mark.parametrize(("kind", "low", "high"), [("normalized", -0.3, 1.7), ("depths", -0.3, 0.1)])
def test_actions_encode_depths_to_the_very_bounds(kind: str, low: float, high: float) -> None:
    env = HFTModelEnv(action=kind, min_depth=low, max_depth=high)
    schema = env.action_schema
    env.reset(seed=0)
    for bid, ask in ((low, high), (-np.inf, np.inf), (0.0, 0.05)):
        action = schema.encode(bid, ask)
        assert action in env.action_space
        np.testing.assert_allclose(schema.decode(action)[0], np.clip([bid, ask], low, high), atol=1e-6)
        env.step(action)
    assert schema.encode(np.zeros(3), 0.05).shape == (3, 2)
    with pytest.raises(ActionError, match="nan"):
        schema.encode(np.nan, 0.0)


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"step": 3}, "did you mean 'steps'"),
        ({"rewards": {}}, "did you mean 'reward'"),
        ({"reward": {"inventry": 1.0}}, "did you mean 'inventory'"),
        ({"fills": "liner"}, "did you mean 'linear'"),
        ({"clock": "event"}, "mid='gaussian'"),
        ({"initial_inventory": 101}, "allowed are -100 to 100"),
        ({"min_depth": 6.0}, "must be below max_depth, 5"),
        ({"max_depth": 50.0}, "deepest depth is 75"),
        ({"sigma": -1.0}, "at least 0"),
        ({"k": 0.0}, "above 0"),
        ({"render_mode": "human"}, "Allowed: ansi"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        HFTModelEnv(**settings)
    with pytest.raises(ConfigError, match=hint):
        HFTModelVectorEnv(2, **settings)


def test_calls_out_of_order_and_rendering() -> None:
    for env in (HFTModelEnv(render_mode="ansi", steps=2), HFTModelVectorEnv(1, render_mode="ansi", steps=2)):
        for call in (lambda env=env: env.step(env.action_space.sample()), env.render):
            with pytest.raises(ResetNeeded, match="reset"):
                call()
        with pytest.raises(ConfigError, match="unknown option 'start'"):
            env.reset(options={"start": 1})
        env.reset(seed=0)
        env.step(env.action_space.sample())
        shown: Any = env.render()
        assert "time 0.5000" in (shown if isinstance(shown, str) else shown[0])
    single = HFTModelEnv(steps=1)
    single.reset(seed=0)
    assert single.step(actions(single, 0, 1)[0])[2] and single.render() is None
    with pytest.raises(ResetNeeded, match="after the end"):
        single.step(actions(single, 0, 1)[0])


def test_the_spec_is_json_and_makes_the_same_environment() -> None:
    env: Any = gymnasium.make(MODEL_ID, reward={"inventory": 0.01}, **EVENT)
    assert env.spec is not None
    again: Any = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped.config == env.unwrapped.config
    both = HFTModelEnv(env.unwrapped.config, steps=7)
    assert (both.config.steps, both.config.clock, both.config.reward.inventory) == (7, "event", 0.01)


def test_the_data_sheet_holds_columns_settings_and_infos() -> None:
    sheet = inspect.getdoc(HFTModelEnv) or ""
    squeeze = re.compile(r"\s+")
    assert squeeze.sub(" ", ModelSchema().table()) in squeeze.sub(" ", sheet)
    assert settings_table(ModelConfig()) in sheet
    for key in HFTModelEnv().reset(seed=0)[1]:
        assert f"``{key}``" in sheet, key


@pytest.mark.parametrize("name", ["single", "vector", "schema"])
def test_doctests(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"hft_gym.envs.model.{name}"))
    assert result.attempted > 0 and result.failed == 0
