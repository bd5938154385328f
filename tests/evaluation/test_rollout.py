"""`evaluate` on the real market: complete, reproducible, independent of how it is cut into batches."""

import numpy as np
import pytest

import baselines
from hft_gym.envs.single import HFTMarketEnv
from hft_gym.errors import ConfigError, LogOverflowError
from hft_gym.evaluation import evaluate, held_out_seeds
from hft_gym.market.records import SUBUNITS
from hft_gym.report import METRICS, Panel, evaluate_metrics
from hft_gym.report.attribution import attribution, check_attribution

SHORT = {"episode_steps": 60, "order_size": 2}
SEEDS = held_out_seeds(7)


class ByName:
    """A baseline made when it learns its environment, as a policy of one's own would be."""

    def __init__(self, name, **parameters):
        self.name, self.parameters = name, parameters

    def bind(self, env):
        self.strategy = baselines.make(self.name, env, **self.parameters)

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return self.strategy.predict(observation, state, episode_start, deterministic)


def touch():
    """Quotes at the touch, and so trades."""
    return ByName("market-making", spread_target=0.01, skew=0.0)


@pytest.fixture(scope="module")
def quoted():
    return evaluate(touch(), SHORT, SEEDS)


def equal(one, two):
    for name in (
        "seeds",
        "steps",
        "time",
        "equity",
        "inventory",
        "mid",
        "rewards",
        "terminated",
        "truncated",
    ):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    for log in ("fills", "orders", "mids"):
        np.testing.assert_array_equal(getattr(one, log), getattr(two, log), err_msg=log)


@pytest.mark.parametrize("policy", [touch, lambda: ByName("random")])
@pytest.mark.parametrize(("num_envs", "threads"), [(1, 1), (3, 1), (7, 2), (100, 1)])
def test_the_batch_does_not_matter(policy, num_envs, threads):
    whole = evaluate(policy(), SHORT, SEEDS, num_envs=4)
    equal(evaluate(policy(), SHORT, SEEDS, num_envs=num_envs, threads=threads), whole)
    assert len(whole.fills) > 10


def test_seeds_may_come_in_any_order(quoted):
    backwards = evaluate(touch(), SHORT, SEEDS[::-1])
    np.testing.assert_array_equal(backwards.equity, quoted.equity[::-1])


def test_an_episode_is_the_one_that_the_single_environment_plays(quoted):
    env = HFTMarketEnv(SHORT)
    strategy = ByName("market-making", spread_target=0.01, skew=0.0)
    strategy.bind(env)
    observation, info = env.reset(seed=int(SEEDS[2]))
    equity, state, done, start = [info["net_pnl"]], None, False, True
    while not done:
        action, state = strategy.predict(observation, state, start)
        observation, _, terminated, truncated, info = env.step(action)
        equity.append(info["net_pnl"])
        done, start = terminated or truncated, False
    np.testing.assert_array_equal(quoted.equity[2], equity)


def test_paths_hang_together(quoted):
    assert quoted.equity.shape == (7, 61) and (quoted.steps == 60).all()
    np.testing.assert_array_equal(quoted.time[:, -1], 60 * 100_000_000)
    np.testing.assert_array_equal(quoted.equity[:, 0], 0.0)
    np.testing.assert_allclose(np.diff(quoted.equity, axis=1), quoted.terms["reward_pnl"], atol=1e-9)
    np.testing.assert_allclose(sum(quoted.terms.values()), quoted.rewards, atol=1e-12)
    np.testing.assert_array_equal(quoted.inventory[:, -1], 0)  # closed
    assert quoted.terminated.all() and not quoted.truncated.any()


def test_the_logs_are_complete(quoted):
    """Position and equity at every decision follow from the fills and the mids alone."""
    fills, signs = quoted.fills, np.where(quoted.fills["side"] == 0, 1, -1)
    for e in range(len(quoted)):
        mine = fills["episode"] == e
        assert (np.diff(fills["time"][mine]) >= 0).all()
        for k in (0, 7, 31, 60):
            now = quoted.time[e, k]
            done = mine & (fills["time"] <= now) & (~fills["closing"] | (k == 60))
            position = (signs * fills["quantity"])[done].sum()
            cash = (
                -(signs * fills["quantity"] * fills["price"] * SUBUNITS)[done].sum()
                - fills["fee"][done].sum()
            )
            assert position == quoted.inventory[e, k]
            assert cash + position * quoted.mid[e, k] * SUBUNITS == quoted.equity[e, k] * SUBUNITS
            mids = quoted.mids[(quoted.mids["episode"] == e) & (quoted.mids["time"] <= now)]
            assert mids["mid2"][-1] == 2 * quoted.mid[e, k]


def test_paths_of_the_market(quoted):
    """Spread, imbalance and volume are those of the observations; the market's volume holds all that makers sold."""
    assert quoted.spread.shape == quoted.imbalance.shape == quoted.market_volume.shape == (7, 61)
    assert (np.nanmin(quoted.spread) >= 1) and (np.abs(quoted.imbalance) <= 1).all()
    assert (quoted.market_volume[:, 0] == 0).all() and (np.diff(quoted.market_volume, axis=1) >= 0).all()
    fills = quoted.fills[quoted.fills["maker"] & ~quoted.fills["closing"]]
    filled = np.bincount(fills["episode"], fills["quantity"], 7)
    assert (quoted.market_volume[:, -1] >= filled).all() and quoted.market_volume[:, -1].min() > 0


def test_late_cancels_are_in_both_logs():
    """With slow cancels some orders fill while theirs is on the way; then the two logs say the same of them."""
    slow = {**SHORT, "market": {"latency": {"cancel_ns": 400_000_000}}}
    played = evaluate(touch(), slow, SEEDS)
    late = played.fills[played.fills["cancel_sent"]]
    assert len(late)
    sent = {(e, i) for e, i in played.orders[played.orders["cancel_sent"]][["episode", "order_id"]].tolist()}
    assert {(e, i) for e, i in late[["episode", "order_id"]].tolist()} <= sent
    values = evaluate_metrics(played, ["pick_offs", "cancels"])
    assert values["pick_offs"].sum() == len(late) and values["cancels"].sum() == len(sent)


def test_own_impact_against_the_same_seed_without_the_strategy(quoted):
    """Doing nothing has none, by construction; a taker of many lots moves the mid its way."""
    idle = evaluate(ByName("do-nothing"), SHORT, SEEDS)
    taker = evaluate(ByName("random"), {**SHORT, "order_size": 10, "max_position": 100}, SEEDS)
    found = METRICS["own_impact_5s"].values(Panel(taker, counterfactual=idle))
    assert not np.isnan(found).any() and found.mean() > 0.05
    itself = evaluate_metrics(idle, ["own_impact_5s"], counterfactual=idle)["own_impact_5s"]
    assert np.isnan(itself).all()  # without a fill there is nothing to weigh


def test_every_order_comes_to_an_end(quoted):
    orders, fills = quoted.orders, quoted.fills[~quoted.fills["closing"]]
    for e in range(len(quoted)):
        mine, filled = orders[orders["episode"] == e], fills[fills["episode"] == e]
        assert len(np.unique(mine["order_id"])) == len(mine)
        assert set(filled["order_id"]) <= set(mine["order_id"])
        for order in mine:
            assert order["filled"] == filled["quantity"][filled["order_id"] == order["order_id"]].sum()
        assert (mine["time_end"] <= quoted.time[e, -1]).all() and (mine["time_sent"] >= 0).all()


@pytest.mark.parametrize(
    "fees", [{}, {"maker": -0.2, "taker": 0.3}, {"unit": "bps", "maker": 0.1, "taker": 0.25}]
)
@pytest.mark.parametrize("policy", [touch, lambda: ByName("random")])
def test_attribution_explains_the_accounts_to_the_last_subunit(fees, policy):
    played = evaluate(policy(), {**SHORT, "market": {"fees": fees}}, SEEDS)
    panel = Panel(played)
    check_attribution(panel)
    parts = attribution(panel)
    assert np.any(parts["spread_captured"]) and np.any(parts["inventory_pnl"])
    assert np.any(parts["fees_paid"] + parts["rebates"]) == bool(fees)
    values = evaluate_metrics(played)
    total = values["spread_captured"] + values["inventory_pnl"] + values["liquidation"] - values["fees"]
    np.testing.assert_allclose(total, values["net_pnl"], atol=1e-9)
    split = values["adverse_selection"] + values["position_pnl"]
    np.testing.assert_allclose(split, values["inventory_pnl"], atol=1e-9)
    for words in (("low_volatility", "middle_volatility", "high_volatility"), ("tight_spread", "wide_spread"),
                  ("first_third", "second_third", "last_third")):  # fmt: skip
        np.testing.assert_allclose(sum(values[f"pnl_{w}"] for w in words), values["net_pnl"], atol=1e-9)
    # A shortfall's parts are those of the fills: delay, timing and spread sum to what the lots cost against m_0.
    assert np.allclose(-values["shortfall_spread"], values["spread_captured"])


def test_an_early_end_stands_still():
    """Ruined episodes end at different decisions; their paths hold the last value, their logs stop."""
    played = evaluate(ByName("random"), {**SHORT, "loss_limit": 8.0}, SEEDS)
    assert played.steps.min() < 60 and len(set(played.steps.tolist())) > 1
    for e, steps in enumerate(played.steps):
        assert (played.equity[e, steps:] == played.equity[e, steps]).all()
        assert not played.rewards[e, steps:].any()
        end = played.time[e, -1]
        assert end == played.time[e, steps]
        for log, column in ((played.fills, "time"), (played.orders, "time_end")):
            assert log[column][log["episode"] == e].max(initial=0) <= end
    check_attribution(Panel(played))
    equal(played, evaluate(ByName("random"), {**SHORT, "loss_limit": 8.0}, SEEDS, num_envs=2))


def test_doing_nothing_costs_nothing():
    played = evaluate(ByName("do-nothing"), SHORT, SEEDS)
    assert not played.equity.any() and not len(played.fills) and not len(played.orders)
    assert len(np.unique(played.mid[:, -1])) > 1  # and yet the markets moved


def test_common_random_numbers(quoted):
    """The same seed opens the same market, whoever plays; and a maker hardly moves it."""
    idle = evaluate(ByName("do-nothing"), SHORT, SEEDS)
    np.testing.assert_array_equal(idle.mid[:, 0], quoted.mid[:, 0])
    assert np.corrcoef(idle.mid[:, -1], quoted.mid[:, -1])[0, 1] > 0.5


def test_event_clock_and_action_encodings():
    for settings in (
        {"clock": "event", "step_ns": 500_000_000},
        {"action": "discrete"},
        {"action": "continuous"},
    ):
        played = evaluate(touch(), {**SHORT, **settings}, SEEDS[:3])
        check_attribution(Panel(played))
        assert (np.diff(played.time, axis=1) >= 0).all()


def test_without_logs(quoted):
    bare = evaluate(touch(), SHORT, SEEDS, log_capacity=0)
    np.testing.assert_array_equal(bare.equity, quoted.equity)
    assert not len(bare.fills) and not len(bare.mids)


def test_an_overflowing_log_is_an_error():
    with pytest.raises(LogOverflowError, match="log_capacity is 1"):
        evaluate(ByName("random"), SHORT, SEEDS, log_capacity=1)


def test_progress_and_names():
    seen = []
    played = evaluate(
        touch(), SHORT, SEEDS, num_envs=3, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(3, 7), (6, 7), (7, 7)]
    assert played.name == "market-making"
    assert evaluate(touch(), SHORT, SEEDS[:1], name="mine").name == "mine"


def test_frames(quoted):
    frame = quoted.to_frame()
    assert frame["net_pnl"].tolist() == quoted.net_pnl.tolist() and frame["seed"].tolist() == SEEDS.tolist()
    assert frame["fills"].sum() == len(quoted.fills_frame()) == len(quoted.fills)
    assert frame["orders"].sum() == len(quoted.orders_frame())
    assert set(quoted.fills_frame()["seed"]) <= set(SEEDS.tolist())
    assert list(quoted.mids_frame().columns) == ["episode", "seed", "time", "mid2"]


def test_refused():
    with pytest.raises(ConfigError, match="at least one"):
        evaluate(touch(), SHORT, [])
    with pytest.raises(ConfigError, match="num_envs: must be at least 1, got 0"):
        evaluate(touch(), SHORT, SEEDS, num_envs=0)
    with pytest.raises(ConfigError, match="did you mean 'episode_steps'"):
        evaluate(touch(), None, SEEDS, episode_step=5)
    with pytest.raises(ConfigError, match="one for each of 7 seeds"):
        evaluate(touch(), SHORT, SEEDS, starts=[1, 2])
