"""The list of trials: nothing is lost, nothing counts twice, and what counts reaches the deflated Sharpe ratio."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hft_gym.config import build
from hft_gym.envs.config import EnvConfig
from hft_gym.errors import ConfigError
from hft_gym.report import Bootstrap, Trials, expected_maximum
from hft_gym.report.sharpe import deflated_sharpe, moments
from tests.data.feeds import binance_lines
from tests.data_files import shared_lobster
from train.compare import compare_policies
from train.evidence import overlap, training_part
from train.trials import TrialLog, market_key, trials_of
from train.tune import tune

SHORT = {"episode_steps": 40}
FEW = Bootstrap(100)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def log(tmp_path):
    return TrialLog(tmp_path / "runs" / "trials.jsonl")


def add(log, value=1.0, policy="p", seeds=(1, 2), **parameters):
    log.add("tune", policy, "m", parameters, seeds, [value, value + 1])


def test_nothing_is_made_before_the_first_trial(log):
    assert log.rows() == [] and log.trials("tune", "m") is None and not log.path.parent.exists()


def test_trials_come_back(log):
    add(log, 1.0, a=1)
    add(log, 3.0, a=2)
    add(log, 5.0, policy="other")
    found = log.trials("tune", "m", "p")
    np.testing.assert_array_equal(found.pnl, [[1, 2], [3, 4]])
    np.testing.assert_allclose(found.sharpes, np.array([1.5, 3.5]) / np.std([1, 2], ddof=1))
    assert len(log.trials("tune", "m")) == 3
    assert log.trials("tune", "elsewhere") is None and log.trials("train", "m") is None


def test_the_same_trial_again_is_one(log):
    for _ in range(3):
        add(log, 1.0, a=1)
    add(log, 1.0, a=1, seeds=(3, 4))  # on other seeds it is another
    assert len(log.rows()) == 4 and len(log.trials("tune", "m", "p")) == 2
    assert log.trials("tune", "m", "p").pnl is None  # no common episodes


def test_validations_of_a_run_are_a_cluster(log):
    """By runs and seeds; the same figures at the same step (a resume) are one, others (the name used again) are two."""
    rng = np.random.default_rng(0)
    runs = {name: rng.normal(size=(3, 16)) for name in ("a", "b")}
    for name, rows in runs.items():
        for step, row in enumerate([*rows, rows[-1]]):
            log.add("train", name, "m", {"run": name, "steps": min(step, 2)}, range(16), row)
    found, wanted = log.trials("train", "m"), Trials.of_learnings(list(runs.values()))
    assert len(found) == 6 and found.record() == wanted.record()
    np.testing.assert_array_equal(found.pnl, np.concatenate(list(runs.values())))
    log.add("train", "a", "m", {"run": "a", "steps": 2}, range(16), [np.nan, *rng.normal(size=15)])
    assert len(log.trials("train", "m")) == 7 and log.trials("train", "m").pnl is None
    log.add("train", "a", "m", {"run": "a", "steps": 3}, range(8), rng.normal(size=8))
    assert log.trials("train", "m").deviation >= 1 / np.sqrt(7)  # other episodes: a cluster of its own


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_line_that_a_kill_cut_off_is_left_out_and_the_rest_stays(log, cut):
    add(log, 1.0, a=1)
    add(log, 3.0, a=2)
    log.path.write_bytes(log.path.read_bytes()[:-cut])
    assert len(log.rows()) == (2 if cut == 1 else 1)  # without its line end alone a row is still whole
    add(log, 7.0, a=3)
    assert [r["net_pnl"][0] for r in log.rows()] == ([1, 3, 7] if cut == 1 else [1, 7])


@pytest.mark.parametrize("damage", ['{"kind": "tune"', "[]", '{"kind": "tune"}', None])
def test_a_damaged_line_is_named(log, damage, caplog):
    """Each may have been a trial, and trials count."""
    add(log, 1.0, a=1)
    if damage is None:  # a P&L that is none
        damage = log.path.read_text().strip().replace("1.0", '"much"')
    with log.path.open("a") as file:
        file.write(damage + "\n\n")
    add(log, 7.0, a=3)
    assert [r["net_pnl"][0] for r in log.rows()] == [1, 7]
    assert len(log.trials("tune", "m")) == 2
    (said,) = [r.getMessage() for r in caplog.records]  # once
    assert said.startswith(f"{log.path}: line 2: no whole trial; 1 left out")


WRITER = """
import sys
from pathlib import Path
from train.trials import TrialLog
log = TrialLog(Path(sys.argv[1]))
for i in range(40):
    log.add("tune", sys.argv[2], "m", {"i": i}, range(200), [float(i)] * 200)
"""


def test_many_writers_at_once(log):
    """And one that is killed in the middle of it."""
    command = [sys.executable, "-c", WRITER, str(log.path)]
    writers = [subprocess.Popen([*command, f"w{k}"], cwd=ROOT) for k in range(2)]
    victim = subprocess.Popen([*command, "victim"], cwd=ROOT)
    while not log.path.exists():
        assert victim.poll() is None or log.path.exists()
    victim.kill()
    victim.wait()
    assert [w.wait(timeout=120) for w in writers] == [0, 0]
    for k in range(2):
        assert len(log.trials("tune", "m", f"w{k}")) == 40
    whole = [line for line in log.path.read_text().splitlines() if line]
    damaged = sum(1 for line in whole if not line.endswith("}"))
    assert damaged <= 1 and len(log.rows()) == len(whole) - damaged


def test_refused(log):
    with pytest.raises(ConfigError, match="kind 'tuned'; allowed are tune, train"):
        log.add("tuned", "p", "m", {}, [1], [1.0])
    with pytest.raises(ConfigError, match="got 2 and 1"):
        log.add("tune", "p", "m", {}, [1, 2], [1.0])


def test_a_setting_that_never_trades_counts():
    found = trials_of([([1, 2, 3], [0.0, 0.0, 0.0]), ([1, 2, 3], [1.0, 2.0, 3.0]), ([1, 2, 3], [None, 1.0, 2.0])])
    np.testing.assert_allclose(found.sharpes, [0, 2, 1.5 / np.std([1, 2], ddof=1)])
    assert found.pnl is None
    assert trials_of([]) is None


def test_the_market_is_what_a_policy_meets():
    base = market_key(EnvConfig())
    same = [{"reward": {"inventory": 0.5}}, {"action": "discrete"}, {"levels": 3}]
    other = [{"market": {"fees": {"maker": -0.1}}}, {"max_position": 3}, {"market": {"flow": "reactive"}}]
    assert {market_key(build(EnvConfig, s)) for s in same} == {base}
    assert len({market_key(build(EnvConfig, s)) for s in other} | {base}) == 4


def test_every_setting_that_was_tuned_counts(log):
    found = tune("market-making", 3, SHORT, seeds=range(12), log=log)
    assert [tuple(r["net_pnl"]) for r in log.rows()] == [t.episodes for t in found.trials]
    market = market_key(build(EnvConfig, SHORT))
    assert log.trials("tune", market, "market-making").pnl.shape == (3, 12)
    # Three more settings in the comparison, of which one is old: all of them deflate.
    comparison = compare_policies(
        ["do-nothing", "market-making"], SHORT, episodes=12, tune_settings=5, tune_episodes=12, bootstrap=FEW, log=log
    )
    row = comparison["market-making"]
    assert row.metrics["trials"].value == 5 == len(log.trials("tune", market, "market-making"))
    assert len(log.rows()) == 3 + 5
    assert comparison.meta["trials"]["market-making"]["independent"] == 5
    sharpes = log.trials("tune", market, "market-making").sharpes
    if not np.isnan(row.metrics["deflated_sharpe_ratio"].value):
        sharpe, skewness, kurtosis = moments(row.episodes.net_pnl)
        assert row.metrics["deflated_sharpe_ratio"].value == deflated_sharpe(sharpe, 12, sharpes, skewness, kurtosis)
        assert expected_maximum(5) > 1
    assert 0 <= row.metrics["overfitting"].value <= 1
    assert comparison["do-nothing"].undefined["trials"] == "no trial was logged for this policy"
    # Parameters that somebody wrote down from the log were chosen just as well; defaults were not.
    names = ["market-making:skew=2", "market-making"]
    by_hand = compare_policies(names, SHORT, episodes=3, bootstrap=FEW, log=log, parameters="default")
    assert by_hand["market-making:skew=2"].metrics["trials"].value == 5
    assert np.isnan(by_hand["market-making"].metrics["trials"].value)


def test_without_a_log_the_trials_of_this_call_count():
    comparison = compare_policies(
        ["market-making"], SHORT, episodes=4, tune_settings=3, tune_episodes=8, bootstrap=FEW
    )
    assert comparison["market-making"].metrics["trials"].value == 3


# -- evidence ------------------------------------------------------------------------------------------------


class Hesitant:
    """An agent that quotes only when its actions are drawn."""

    name = "hesitant"
    draws = False

    def bind(self, env):
        self.schema = env.action_schema

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        options = np.full(len(observation), self.schema.quote("none" if deterministic else "join"))
        return self.schema.encode(options, options, "none"), None


def test_an_agent_that_trades_only_when_drawn_is_flagged():
    longer = {"episode_steps": 200}
    comparison = compare_policies(["random"], longer, agents={"h": Hesitant()}, episodes=6, bootstrap=FEW)
    assert [f.name for f in comparison["h"].flags] == ["no-trades", "stochastic-only"]
    both = compare_policies(
        ["random"], longer, agents={"h": Hesitant()}, episodes=6, actions="both", bootstrap=FEW
    )
    assert "stochastic-only" in {f.name for f in both["h"].flags}
    assert "stochastic-only" not in {f.name for f in both["h (drawn)"].flags}


def test_own_impact_without_do_nothing_among_the_policies():
    """The comparison plays the same seeds without the strategy by itself, and shows no row for it."""
    comparison = compare_policies(["random"], SHORT, episodes=6, bootstrap=FEW)
    assert [r.name for r in comparison.rows] == ["random"]
    assert not np.isnan(comparison["random"].metrics["own_impact_5s"].value)


def test_annual_figures_count_the_session_of_the_flow():
    flow = {"session": {"length_s": 3600.0, "shape": [1.0, 1.0]}}
    plain = compare_policies(["random"], SHORT, episodes=3, bootstrap=FEW)["random"].metrics["sharpe_ratio"].value
    short = {**SHORT, "market": {"flow": flow}}
    found = compare_policies(["random"], short, episodes=3, bootstrap=FEW)["random"]
    per_interval = found.metrics["sharpe_interval"].value
    assert found.metrics["sharpe_ratio"].value == pytest.approx(per_interval * np.sqrt(252 * 3600))
    assert not np.isnan(plain)


def test_hours_that_were_learned_from():
    hours = {"start": "09:30", "end": "12:30"}
    settings = {"feed": str(shared_lobster("AMZN", 5)), "replay": hours, "episode_steps": 300}
    whole = build(EnvConfig, settings)
    assert "hours seen before: learned from" in overlap(training_part(whole), whole, True)
    assert overlap(training_part(whole), whole, False) == ""
    held_out = replace(whole, replay=replace(whole.replay, split="held-out"))
    assert overlap(training_part(held_out), held_out, True) == ""
    assert overlap(EnvConfig(), EnvConfig(), True) == ""


def test_a_gain_on_a_recording_of_levels_is_tried_with_the_least_favourable_queues(tmp_path):
    """Where single orders are recorded, the place in the queue is known, and nothing is played again."""
    from hft_gym.evaluation import evaluate
    from train.evidence import _pessimistic

    path = tmp_path / "capture.txt"
    path.write_text("\n".join(binance_lines(seed=2, n=1500)[0]) + "\n")
    settings = {"feed": str(path), "market": {"tick_size": 0.1, "warm_up_ns": 0}, "episode_steps": 100}
    front, back = (build(EnvConfig, {**settings, "replay": {"queue_model": q}}) for q in ("front", "back"))
    calls = []

    def play(policy, where, seeds, deterministic):
        calls.append(where.replay.queue_model)
        return evaluate(policy, where, seeds, deterministic=deterministic)

    seeds = [10**9, 10**9 + 1]
    run = evaluate(Hesitant(), front, seeds, deterministic=False)
    gains = replace(run, equity=np.abs(run.equity) + 1.0)
    again = _pessimistic(gains, Hesitant(), front, play)
    assert calls == ["back"]
    np.testing.assert_array_equal(again.equity, evaluate(Hesitant(), back, seeds, deterministic=False).equity)
    assert _pessimistic(replace(run, equity=-np.abs(run.equity)), Hesitant(), front, play) is None
    assert _pessimistic(gains, Hesitant(), back, play) is None
    assert _pessimistic(gains, Hesitant(), EnvConfig(), play) is None
    assert calls == ["back"]


def test_the_log_is_json_lines(log):
    add(log, 1.0, a=1)
    (line,) = log.path.read_text().splitlines()
    assert json.loads(line)["parameters"] == {"a": 1}
