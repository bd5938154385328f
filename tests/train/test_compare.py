import io
import json
import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console

import baselines
from baselines import tuned
from hft_gym.config import build, to_dict
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.vector import HFTMarketVectorEnv
from hft_gym.errors import ConfigError
from hft_gym.evaluation import held_out_seeds
from hft_gym.evaluation.seeds import purpose
from hft_gym.market import MarketConfig
from hft_gym.report import Bootstrap
from hft_gym.report.store import Store
from tests.data_files import shared_lobster
from train.compare import CompareOptions, compare_policies, consecutive_starts, main, show_and_write
from train.options import parse
from train.players import BASELINES, MAKERS, TAKERS, expanded, leading

SHORT = {"episode_steps": 40}
FEW = Bootstrap(200)


class Stubborn:
    """Stands for a trained agent: always quotes at the touch."""

    name = "stubborn"

    def bind(self, env):
        self.schema = env.action_schema

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        join = np.full(len(observation), self.schema.quote("join"))
        return self.schema.encode(join, join, "none"), None


def test_baselines_and_agents_on_held_out_seeds():
    comparison = compare_policies(
        ["do-nothing", "market-making:spread_target=0.01", "random"],
        SHORT,
        agents={"stubborn": Stubborn()},
        episodes=12,
        bootstrap=FEW,
    )
    assert {r.name for r in comparison.rows} == {
        "do-nothing",
        "market-making:spread_target=0.01",
        "random",
        "stubborn",
    }
    assert comparison["stubborn"].kind == "agent" and comparison["random"].kind == "baseline"
    assert all(purpose(int(s)) == "held-out" for s in comparison.rows[0].episodes.seeds)
    assert comparison.meta["parameters"]["market-making:spread_target=0.01"]["spread_target"] == 0.01
    assert comparison.meta["config"]["episode_steps"] == 40
    other = compare_policies(["random"], SHORT, episodes=3, seed=12, bootstrap=FEW)
    np.testing.assert_array_equal(other.rows[0].episodes.seeds, held_out_seeds(3, 12))


def test_tuning_is_on_training_seeds_and_recorded():
    comparison = compare_policies(
        ["do-nothing", "market-making", "liquidity-taking:signal_threshold=1e-4"],
        SHORT,
        episodes=5,
        tune_settings=4,
        tune_episodes=6,
        bootstrap=FEW,
    )
    (tuning,) = comparison.meta["tuning"]  # parameters given: not tuned; none to tune: not tuned
    assert tuning["baseline"] == "market-making" and len(tuning["trials"]) == 4
    best = max(tuning["trials"], key=lambda t: t["value"])
    assert best["parameters"] == tuning["best"]
    used = comparison.meta["parameters"]["market-making"]
    assert all(used[k] == v for k, v in tuning["best"].items())


def test_wrong_policies():
    with pytest.raises(ConfigError, match="no agent at 'runs/none/agent'"):
        compare_policies(["runs/none/agent"], SHORT)
    with pytest.raises(ConfigError, match="did you mean 'random'"):
        compare_policies(["randon"], SHORT)
    with pytest.raises(ConfigError, match="need a replay"):
        compare_policies(["random"], SHORT, consecutive=True)
    with pytest.raises(ConfigError, match="both called 'random'"):
        compare_policies(["random"], SHORT, agents={"random": Stubborn()}, episodes=2)


def test_command_line(tmp_path, capsys):
    main(
        [
            "--policies",
            "do-nothing",
            "random",
            "--episodes",
            "4",
            "--env.episode-steps",
            "20",
            "--resamples",
            "100",
        ]
        + ["--parts", str(tmp_path / "parts"), "--out", str(tmp_path / "out")]
    )
    printed = capsys.readouterr().out
    assert (
        "do-nothing" in printed and "made by: python -m train.compare --policies do-nothing random" in printed
    )
    document = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert document["episodes"] == 4 and document["meta"]["command"].endswith(str(tmp_path / "out"))
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {
        "comparison.png",
        "comparison.csv",
        "episodes.csv",
    }
    (part,) = Store(tmp_path / "parts").parts
    assert f"stored as {part.id} in {tmp_path / 'parts'}" in printed
    assert part.record["meta"]["config"]["episode_steps"] == 20 and part.record["seeds"] == document["seeds"]
    assert part.record["policies"][0]["metrics"] == document["policies"][0]["metrics"]
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file is a file"):
        main(["--parts", str(tmp_path / "file"), "--out", str(tmp_path / "out")])


def test_options():
    options = parse(
        CompareOptions, ["--env.market.flow", "cst2010", "--env.market.fees.taker", "0.1"], "train.compare"
    )
    assert options.env.market.flow == "cst2010" and options.env.market.fees.taker == 0.1
    with pytest.raises(SystemExit):
        parse(CompareOptions, ["--episode", "4"], "train.compare")


@pytest.mark.parametrize("option", ["--env.market", "--env.market.flow"])
def test_a_market_by_a_presets_name(option):
    words = [option, "rmsc04", "--env.market.levels", "512", "--env.episode-steps", "7"]
    env = parse(CompareOptions, words).env
    assert (env.market.flow, env.market.initial_price, env.market.levels) == ("rmsc04", 100_000, 512)
    assert env.episode_steps == 7
    with pytest.raises(ConfigError, match="'rmsc4'; did you mean 'rmsc04'"):
        parse(CompareOptions, [f"{option}=rmsc4"])


def test_a_market_from_a_file(tmp_path):
    path = tmp_path / "market.toml"
    path.write_text("initial_price = 500\n[latency]\norder_ns = 7\n[flow]\nmarket_rate = 0.5\n")
    market = parse(CompareOptions, ["--env.market", str(path), "--env.market.levels", "512"]).env.market
    assert market == build(MarketConfig, {**to_dict(build(MarketConfig, path)), "levels": 512})
    assert market.order_flow.market_rate == 0.5 and market.latency.order_ns == 7
    both = parse(CompareOptions, ["--env.market", str(path), "--env.market.flow", "calm"]).env.market
    assert (both.flow, both.initial_price) == ("calm", 500)


def test_every_option_of_the_environment_is_explained(capsys):
    with pytest.raises(SystemExit):
        parse(CompareOptions, ["--help"])
    lines = [line.strip("│ ") for line in capsys.readouterr().out.splitlines()]
    after = {line: lines[i + 1] for i, line in enumerate(lines) if line.startswith("--env.")}
    assert len(after) > 30
    assert not [line for line, text in after.items() if text.startswith("(default") or not text]
    assert "--env.market NAME" in " ".join(lines)


def test_mistakes_are_one_line(tmp_path):
    """A wrong name ends with status 2 and a hint, without a trace."""
    command = [sys.executable, "-m", "train.compare", "--policies", "market-makin"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "did you mean 'market-making'" in done.stderr and "Traceback" not in done.stderr


def test_consecutive_episodes_of_a_replay():
    """Disjoint episodes, one after the other, in the held-out part; the logs explain the P&L there too."""
    settings = {
        "feed": str(shared_lobster("AMZN", 5)),
        "replay": {"start": "09:30", "end": "12:30", "split": "held-out"},
        "episode_steps": 3000,
    }
    starts = consecutive_starts(build(EnvConfig, settings))
    assert len(starts) == 12 and (np.diff(starts) == 300 * 10**9).all() and starts[0] == 11.5 * 3600 * 10**9
    short = {**settings, "episode_steps": 300}
    policies = ["do-nothing", "market-making:spread_target=0.01"]
    comparison = compare_policies(policies, short, episodes=6, consecutive=True, bootstrap=FEW)
    assert comparison.episodes == 6
    assert comparison.meta["parameters"]["do-nothing"] == {"symbol": "HFT"}
    mids = comparison["do-nothing"].episodes.mid
    assert (mids > 15_000).all()  # AMZN stood at about 220 dollars
    taker = compare_policies(["liquidity-taking"], short, episodes=2, consecutive=True, bootstrap=FEW)
    threshold = taker.meta["parameters"]["liquidity-taking"]["signal_threshold"]
    assert threshold * 22_387.5 == pytest.approx(0.75 * 15)  # the median spread of the hours before


def lobster_file(folder, first_s=34_217.459617, rows=400):
    """A LOBSTER day whose first row lies well after the hours in its name begin."""
    rng = np.random.default_rng(0)
    messages, books = [], []
    for i in range(rows):
        bid = 1_000_000 - 100 * int(rng.integers(1, 5))
        time = first_s + 0.5 * i
        messages.append(f"{time:.9f},1,{i + 1},5,{bid},1")
        best = max(int(m.split(",")[4]) for m in messages)
        size = sum(5 for m in messages if int(m.split(",")[4]) == best)
        books.append(f"9999999999,0,{best},{size}")
    stem = "TEST_2012-06-21_34200000_34500000"
    path = folder / f"{stem}_message_1.csv"
    path.write_text("\n".join(messages) + "\n")
    (folder / f"{stem}_orderbook_1.csv").write_text("\n".join(books) + "\n")
    return path


def test_consecutive_episodes_begin_where_the_first_row_is(tmp_path):
    """The hours in the file's name begin before it, and there is no book to show yet."""
    feed = lobster_file(tmp_path)
    config = {"feed": str(feed), "episode_steps": 300, "market": {"warm_up_ns": 0}}
    starts = consecutive_starts(build(EnvConfig, config))
    assert starts[0] == 34_217_459_617_000 and (np.diff(starts) == 30 * 10**9).all() and len(starts) > 3
    found = compare_policies(["do-nothing"], config, episodes=2, consecutive=True, bootstrap=FEW)
    assert found.episodes == 2


class Trained(Stubborn):
    """An agent that was trained in another encoding, with fewer levels, and that can draw its actions."""

    def __init__(self):
        self.config = {"action": "discrete", "levels": 3, "episode_steps": 7}

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        assert observation.shape[1] == 4 * 3 + 20
        options = np.full(len(observation), self.schema.quote("join" if deterministic else "none"))
        return self.schema.encode(options, options, "none"), None


def test_an_agent_sees_and_acts_as_it_was_trained_to():
    comparison = compare_policies(
        ["do-nothing"], SHORT, agents={"trained": Trained()}, episodes=4, actions="both", bootstrap=FEW
    )
    assert comparison["trained"].episodes.steps.tolist() == [40] * 4  # the market and its length are common
    drawn = comparison["trained (drawn)"]
    assert drawn.kind == "agent" and not drawn.episodes.orders.size
    assert [f.name for f in drawn.flags] == ["no-trades", "stochastic-actions"]
    assert comparison["trained"].episodes.orders.size


def test_every_task_has_its_baselines(tmp_path, capsys):
    for task, names in BASELINES.items():
        config = {"task": task, **SHORT}
        comparison = compare_policies(None, config, episodes=4, bootstrap=FEW)
        assert {r.name for r in comparison.rows} == set(names)
        fitting = set(baselines.names(HFTMarketVectorEnv(1, config)))
        assert fitting - set(names) <= ({"random"} if task == "execution" else set())
    words = ["--env.task", "execution", "--env.episode-steps", "40", "--episodes", "4", "--resamples", "100"]
    main([*words, "--out", str(tmp_path), "--parts", str(tmp_path / "parts")])
    assert "completion" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="market-making is for the task"):
        compare_policies(["market-making"], {"task": "execution"}, episodes=2)


def test_all_stands_for_every_baseline():
    names = expanded(["twap", "all", "mine"], "execution")
    assert names[0] == "twap" and names[-1] == "mine" and sorted(names[:-1]) == sorted(BASELINES["execution"])
    assert expanded(None, "market-making") == list(BASELINES["market-making"])


@pytest.mark.parametrize("market", ["reactive", "poisson"])
def test_the_short_field_holds_those_that_earned_most_where_they_were_tuned(market):
    config = EnvConfig(market=MarketConfig.named(market))
    chosen = leading(config)
    assert chosen[:3] == ("do-nothing", "random", "buy-and-hold") and len(chosen) == 7
    for group in (MAKERS, TAKERS):
        earned = {name: tuned.record(name, config)["net_pnl"]["value"] for name in group}
        left_out = [value for name, value in earned.items() if name not in chosen]
        assert min(earned[name] for name in chosen if name in group) >= max(left_out)
    assert leading(EnvConfig(market=MarketConfig.named("cst2010")))[3:5] == MAKERS[:2]  # nothing tuned
    taking = EnvConfig(task="liquidity-taking")
    assert set(leading(taking)) < set(BASELINES["liquidity-taking"])
    assert leading(EnvConfig(task="execution")) == BASELINES["execution"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tune_settings": 3}, "tune: none of do-nothing, market-making:skew=1 has parameters to tune"),
        ({"actions": "both"}, "actions: both is about trained agents, and none is among do-nothing"),
    ],
)
def test_what_would_have_no_effect_is_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        compare_policies(["do-nothing", "market-making:skew=1"], SHORT, episodes=2, bootstrap=FEW, **settings)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--policies", "policies: no value is given"),
        ("--policies do-nothing --sensitivity --episodes 2", "sensitivity: no value is given"),
        ("--matrix", "matrix: no value is given"),
        ("--metrics --episodes 2", "metrics: no value is given"),
    ],
)
def test_a_list_without_a_value_is_refused(words, said):
    with pytest.raises(ConfigError, match=said):
        main(words.split())


def test_options_that_need_another_are_refused_without_it():
    for settings, said in (
        ({"tune_episodes": 5}, "tune_episodes: 5 has no effect without tune"),
        ({"tune": 4, "parameters": "default"}, "parameters: 'default' has no effect with tune"),
    ):
        with pytest.raises(ConfigError, match=said):
            CompareOptions(**settings)
    assert CompareOptions(tune=4, tune_episodes=5).tune_episodes == 5


def test_intervals_need_a_hundred_resamples():
    with pytest.raises(ConfigError, match="resamples: must be at least 100, got 99"):
        CompareOptions(resamples=99)
    assert CompareOptions(resamples=100).resamples == 100


def test_runs_of_one_second_have_a_folder_each(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("train.run_folder.time.strftime", lambda form, *_: form.replace("%Y%m%d-%H%M%S", "SECOND"))
    words = ["--policies", "do-nothing", "--episodes", "2", "--resamples", "100", "--env.episode-steps", "5"]
    for seed in ("0", "10"):
        main([*words, "--seed", seed])
    capsys.readouterr()
    first, second = (tmp_path / "runs" / name for name in ("compare-SECOND", "compare-SECOND-2"))
    seeds = [json.loads((folder / "comparison.json").read_text())["seeds"] for folder in (first, second)]
    assert [found[0] - seeds[0][0] for found in seeds] == [0, 10]
    with pytest.raises(ConfigError, match="did you mean 'random'"):
        main([*words, "--policies", "randon"])
    assert not (tmp_path / "runs" / "compare-SECOND-3").exists()  # nothing is left of what was not played


@pytest.mark.parametrize("option", ["--out", "--parts"])
def test_where_nothing_can_be_written_is_told_before_the_work(option, tmp_path):
    (tmp_path / "file").touch()
    for path, said in (("file", "file is a file"), ("file/below", "lies below .*file, a file")):
        with pytest.raises(ConfigError, match=f"{option[2:]}: .*{said}"):
            main([option, str(tmp_path / path), "--episodes", "1000000000"])
    with pytest.raises(ConfigError, match=r"trials: .* is a folder"):
        main(["--trials", str(tmp_path), "--episodes", "1000000000"])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"episode_steps": 1000}, "with the parameters stored for this market: join-touch"),
        (
            {"episode_steps": 1000, "market": {"fees": {"taker": 0.3}, "latency": {"order_ns": 5}}},
            "stored for reactive, tuned with other latency, fees (docs/baselines.md: tune anew): join-touch",
        ),
        (
            {"randomise": {"flows": ["poisson", "thin"]}, "episode_steps": 30},
            "tuned with other episode_steps, randomise.flows (",
        ),
    ],
)
def test_parameters_that_were_tuned_for_something_else_are_told(settings, said, tmp_path):
    found = compare_policies(["join-touch", "do-nothing"], settings, episodes=2, bootstrap=FEW)
    console = Console(width=300, file=io.StringIO())
    show_and_write(found, tmp_path / "out", tmp_path / "parts", console)
    assert said in console.file.getvalue()


def test_a_strategy_without_a_rule_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "ruleless.py").write_text("from baselines import Strategy\n\n\nclass Bad(Strategy):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"ruleless:Bad does not define decide, which a baselines\.Strategy needs"):
        compare_policies(["ruleless:Bad"], SHORT, episodes=2, bootstrap=FEW)
