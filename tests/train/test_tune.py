"""Tuning: seeded, on training seeds only, every trial kept; what is stored is what comparisons use."""

import json
import re

import numpy as np
import pytest

import baselines
import train.compare
from baselines import tuned
from baselines.ranges import Choice
from hft_gym.config import build
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.vector import HFTMarketVectorEnv
from hft_gym.errors import ConfigError
from hft_gym.evaluation import held_out_seeds, training_seeds
from hft_gym.flow import FlowConfig
from hft_gym.report import Bootstrap
from train.trials import TrialLog
from train.tune import tune
from train.tune_baseline import main

SHORT = {"episode_steps": 40, "market": {"flow": "default"}}
SHIPPED = sorted(tuned.FOLDER.glob("*/*.json"))


def test_the_search_is_seeded_and_stays_in_its_ranges(tmp_path):
    log = TrialLog(tmp_path / "trials.jsonl")
    once = tune("market-making", 14, SHORT, seeds=training_seeds(4), log=log)
    again = tune("market-making", 14, SHORT, seeds=training_seeds(4), num_envs=2)
    assert [t.parameters for t in once.trials] == [t.parameters for t in again.trials]
    assert once.trials[0].parameters == {} and len({json.dumps(t.parameters) for t in once.trials}) == 14
    other = tune("market-making", 14, SHORT, seeds=training_seeds(4), seed=1)
    assert [t.parameters for t in other.trials] != [t.parameters for t in once.trials]
    space = baselines.get("market-making").search_space(HFTMarketVectorEnv(1, SHORT))
    for trial in once.trials[1:]:
        assert set(trial.parameters) == set(space)
        assert all(space[name].holds(value) for name, value in trial.parameters.items())
    assert isinstance(space["max_position"], Choice)
    assert [row["parameters"] for row in log.rows()] == [t.parameters for t in once.trials]
    assert [tuple(row["net_pnl"]) for row in log.rows()] == [t.episodes for t in once.trials]


def test_the_search_looks_where_it_earns():
    """A strategy that only pays: takers lose half a spread a trade, so that the fewer trades the better."""
    found = tune("queue-imbalance", 20, {**SHORT, "episode_steps": 100}, seeds=training_seeds(8))
    first, last = ([t.net_pnl.value for t in part] for part in (found.trials[1:11], found.trials[11:]))
    assert np.mean(last) > np.mean(first)
    assert found.best.net_pnl.value >= max(*first, *last) and found.best in found.trials


def test_given_settings_are_tried_in_their_order():
    grid = [{"spread_target": 0.05, "skew": 0.0}, {"spread_target": 0.5, "skew": 0.0}]
    found = tune("market-making", grid, {**SHORT, "episode_steps": 300}, seeds=training_seeds(8))
    values = [t.net_pnl.value for t in found.trials]
    assert found.best is found.trials[int(np.argmax(values))]
    assert found.record()["training_seeds"] == 8 and found.record()["sampler"] == "given"


def test_refused():
    with pytest.raises(ConfigError, match="got 1000000000"):
        tune("market-making", 2, SHORT, seeds=held_out_seeds(2))
    for none in ([], 0):
        with pytest.raises(ConfigError, match="no trials"):
            tune("market-making", none, SHORT)
    assert len(tune("random", 5, SHORT, seeds=training_seeds(2)).trials) == 1  # nothing to search


def test_command_stores_what_a_comparison_then_uses(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tuned, "FOLDER", tmp_path / "tuned")
    words = ["join-touch", "--trials", "3", "--episodes", "4", "--env.episode-steps", "30"]
    words += ["--env.market", "reactive", "--log", str(tmp_path / "log.jsonl")]
    main([*words[1:], "--out", str(tmp_path / "tuned" / "reactive"), "--", words[0]])  # in whatever order
    assert "best of 3" in capsys.readouterr().out
    stored = json.loads((tmp_path / "tuned" / "reactive" / "join-touch.json").read_text())
    assert stored["market"] == "reactive" and stored["trials"] == len(stored["sharpes"]) == 3
    assert stored["seeds"] == {"purpose": "training", "first": 0, "count": 4}
    expected = "python -m train.tune_baseline join-touch --trials 3 --episodes 4 --env.episode-steps 30"
    assert stored["command"] == f"{expected} --env.market reactive"  # not where it was written
    assert [row["policy"] for row in TrialLog(tmp_path / "log.jsonl").rows()] == ["join-touch"] * 3

    stored["parameters"] = {"min_spread": 4}
    (tmp_path / "tuned" / "reactive" / "join-touch.json").write_text(json.dumps(stored))
    config = {"episode_steps": 20, "market": {"flow": "reactive"}}
    names = ["join-touch", "join-touch:min_spread=2", "do-nothing"]
    few = {"episodes": 2, "bootstrap": Bootstrap(50)}
    comparison = train.compare.compare_policies(names, config, **few)
    assert comparison["join-touch"].metrics["trials"].value == 3  # so many count in its deflated Sharpe ratio
    meta = comparison.meta
    assert [meta["parameters"][n].get("min_spread") for n in names] == [4, 2, None]
    assert list(meta["tuned"]) == ["join-touch"] and meta["tuned"]["join-touch"]["command"] == stored["command"]
    meta = train.compare.compare_policies(names, config, parameters="default", **few).meta
    assert meta["parameters"]["join-touch"]["min_spread"] == 1 and meta["tuned"] == {}
    elsewhere = {"episode_steps": 20, "market": {"flow": "calm"}}
    assert train.compare.compare_policies(names, elsewhere, **few).meta["tuned"] == {}


def test_command_refuses():
    with pytest.raises(ConfigError, match="random has no parameters"):
        main(["random"])
    for words in (["momentun"], ["all", "momentun"]):
        with pytest.raises(ConfigError, match="unknown baseline 'momentun'; did you mean 'momentum'"):
            main(words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--trials", "23"], "trials is 23, and 24 were spent on those"),
        (["--episodes", "3"], "episodes is 3, and 64 were spent"),
        (["--env.market.fees.taker", "0.5"], "market.fees is not as those were tuned"),
        (["--env.market.latency.order-ns", "5"], "market.latency is not as"),
        (["--env.episode-steps", "30"], "episode_steps is not as"),
        (["--env.levels", "3"], "; .*|levels is not as"),
        (["--env.randomise.flows", "poisson", "thin"], "randomise is not as"),
        (["--env.task", "liquidity-taking"], "task is not as"),
    ],
)
def test_what_ships_is_not_replaced_by_less_or_by_something_else(words, said, monkeypatch):
    monkeypatch.setattr("train.tune_baseline.tune", lambda *_, **__: pytest.fail("it was tuned"))
    with pytest.raises(ConfigError, match=f"out: without --out .*ship with reactive.*({said}).*give --out FOLDER"):
        main(["momentum", *words])


@pytest.mark.parametrize("words", ["glft", "vwap --env.task execution", "all --env.market small-tick"])
def test_with_the_shipped_settings_and_budget_it_may(words, monkeypatch):
    class Reached(Exception):
        pass

    def reached(*_, **__):
        raise Reached

    monkeypatch.setattr("train.tune_baseline.tune", reached)
    with pytest.raises(Reached):
        main(words.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--trials", "-3"], "trials: must be at least 1, got -3"),
        (["--out", "FILE"], "out: FILE is a file"),
        (["--out", "FILE/below"], "out: FILE/below lies below FILE, a file"),
        (["--log", "FOLDER"], "log: FOLDER is a folder"),
        (["--log", "FILE/log"], "log: FILE is a file"),
    ],
)
def test_mistakes_are_told_before_anything_is_tuned(words, said, tmp_path, monkeypatch):
    monkeypatch.setattr("train.tune_baseline.tune", lambda *_, **__: pytest.fail("it was tuned"))
    (tmp_path / "file").touch()
    places = {"FILE": str(tmp_path / "file"), "FOLDER": str(tmp_path)}
    for name, place in places.items():
        words, said = [word.replace(name, place) for word in words], said.replace(name, place)
    with pytest.raises(ConfigError, match=re.escape(said)):
        main(["glft", *(words if "--out" in words else [*words, "--out", str(tmp_path / "tuned")])])
    with pytest.raises(ConfigError, match="must be at least 1, got -3"):
        tune("glft", -3, SHORT)


def test_parameters_are_for_presets_only():
    own = build(EnvConfig, {"market": {"flow": FlowConfig(market_rate=1.0)}})
    assert tuned.preset_of(own) is None and tuned.tuned_parameters("market-making", own) == {}
    assert tuned.preset_of(build(EnvConfig, {"market": {"flow": "calm"}})) == "calm"


def test_a_damaged_file_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(tuned, "FOLDER", tmp_path)
    (tmp_path / "calm").mkdir()
    config = build(EnvConfig, {"market": {"flow": "calm"}})
    for text in ("{", "[]", '{"market": "calm"}', '{"parameters": 3}'):
        (tmp_path / "calm" / "glft.json").write_text(text)
        with pytest.raises(ConfigError, match="damaged"):
            tuned.tuned_parameters("glft", config)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_shipped_parameters_are_whole(path):
    """They build their strategy, say how they were made, on training seeds, with the budget of all others."""
    found = json.loads(path.read_text())
    assert found["baseline"] == path.stem and found["market"] == path.parent.name
    env = HFTMarketVectorEnv(1, {"market": {"flow": found["market"]}, "task": baselines.get(path.stem).tasks[0]})
    strategy = baselines.make(path.stem, env, **found["parameters"])
    for name, values in strategy.search_space(env).items():
        assert values.holds(found["parameters"].get(name, getattr(strategy, name)))
    assert found["seeds"] == {"purpose": "training", "first": 0, "count": 64}
    assert found["trials"] == len(found["sharpes"]) == 24
    assert found["net_pnl"]["value"] >= found["default_net_pnl"]["value"]
    assert path.stem in found["command"] and found["market"] in found["command"]
    assert tuned.others(found, env.config) == []
