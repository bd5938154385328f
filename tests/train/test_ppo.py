"""Training runs: the real command with the smallest budgets, and going on after a kill."""

import json
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import agents
from agents.files import read_parts
from hft_gym.config import build, to_dict
from hft_gym.errors import CheckpointError, ConfigError
from hft_gym.evaluation import training_seeds, validation_seeds
from hft_gym.report import Bootstrap
from hft_gym.report.grids import Player
from tests.data import synthetic
from train.compare import compare_policies
from train.options import parse
from train.players import BASELINES
from train.ppo import Options, main, parts, train
from train.run_folder import RunFolder
from train.trials import TrialLog

TINY = [
    "--minutes",
    "None",
    "--num-envs",
    "8",
    "--n-steps",
    "16",
    "--batch-size",
    "64",
    "--env.episode-steps",
    "40",
    "--validate-every",
    "256",
    "--validation-episodes",
    "4",
    "--torch-threads",
    "1",
    "--net",
    "8",
    "--checkpoint-every",
    "0",
]


def command(folder, *words):
    return [sys.executable, "-m", "train.ppo", "--runs", str(folder), *words]


def weights(path):
    return {k: v.numpy() for k, v in agents.load(path).model.policy.state_dict().items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole run by the real command, 1,024 decisions long, with its comparison."""
    folder = tmp_path_factory.mktemp("runs")
    words = [*TINY, "--name", "whole", "--steps", "1024", "--compare", "4"]
    done = subprocess.run(command(folder, *words), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return RunFolder(folder / "whole"), done.stdout


def test_a_run_leaves_everything_behind(finished):
    run, _ = finished
    record = json.loads(run.config.read_text())
    options = build(Options, record["options"])
    assert options.steps == 1024 and options.env.episode_steps == 40
    validations = TrialLog(run.path.parent / "trials.jsonl").rows()
    assert validations and all(r["kind"] == "train" and r["policy"] == "whole" for r in validations)
    document = json.loads((run.comparison / "comparison.json").read_text())
    agent = next(p for p in document["policies"] if p["name"] == "whole")
    assert agent["metrics"]["trials"]["value"] == len(validations)  # validations count in its deflated Sharpe ratio
    said = document["meta"]["trials"]["whole"]
    assert said["trials"] == len(validations) and 1 <= said["independent"] <= said["trials"]
    assert said["deviation"] == pytest.approx((len(validations[0]["seeds"]) - 1) ** -0.5)  # of a single learning
    session = record["sessions"][0]
    assert "--name whole" in session["command"]
    assert {"hft_gym", "torch", "numpy", "stable-baselines3"} <= set(session["versions"])
    assert session["git"] is None or len(session["git"]["commit"]) == 40
    assert session["machine"]["cores"] >= 1
    names = {p.name for p in run.path.iterdir()}
    assert {"agent.zip", "last.zip", "checkpoint.zip", "metrics.jsonl", "tensorboard", "comparison"} <= names
    assert not [n for n in names if n.startswith(".") and n != ".lock"]
    assert (run.comparison / "comparison.json").exists() and (run.comparison / "comparison.png").exists()
    rows = run.metrics_rows()
    assert [r["steps"] for r in rows] == [*range(128, 1025, 128), 1024]  # the last: its validation
    assert {"episode/pnl", "episode/inventory", "episode/filled_lots", "episode/fees"} <= set(rows[-2])
    assert {"train/value_loss", "rollout/ep_rew_mean", "validation/deterministic"} <= set().union(*rows)


def test_cross_play_of_an_agent(finished):
    """E7 of the audit: an agent as it is, in the market that it was trained in and in others."""
    run, _ = finished
    comparison = compare_policies(
        [str(run.agent)],
        {"episode_steps": 40},
        episodes=6,
        bootstrap=Bootstrap(100),
        matrix=["reactive", "poisson", "large-tick"],
    )
    grid = comparison.grids[0]
    player = Player("whole", "reactive")
    assert grid.settings == ("reactive", "poisson", "large-tick") and grid.players == (player,)
    home, *others = grid.cells[player]
    assert home.net == comparison.rows[0].metrics["net_pnl"]
    assert any(cell.net.value != home.net.value for cell in others)


def test_the_closing_table_has_every_baseline_and_both_modes(finished):
    run, text = finished
    names = {p["name"] for p in json.loads((run.comparison / "comparison.json").read_text())["policies"]}
    assert names == {*BASELINES["market-making"], "whole", "whole (drawn)"}
    assert "whole" in text and "best baseline" in text
    meta = json.loads((run.comparison / "comparison.json").read_text())["meta"]
    assert meta["seeds"]["purpose"] == "held-out" and "--name whole" in meta["command"]


def test_tensorboard_has_the_scalars(finished):
    scalars = EventAccumulator(str(finished[0].tensorboard)).Reload()
    tags = set(scalars.Tags()["scalars"])
    assert {f"episode/{k}" for k in ("pnl", "inventory", "filled_lots", "fees")} <= tags
    assert {"rollout/ep_rew_mean", "train/entropy_loss", "validation/stochastic"} <= tags
    assert [e.step for e in scalars.Scalars("episode/pnl")][-1] == 1024


def test_the_best_agent_is_kept(finished):
    run, _ = finished
    scores = [r["validation/score"] for r in run.metrics_rows() if "validation/score" in r]
    best = agents.load(run.agent).metadata["validation"]
    assert len(scores) >= 4 and best["score"] == max(scores)
    head, _ = read_parts(run.checkpoint, "training checkpoint", 1)
    assert head["progress"]["best"] == best and head["progress"]["steps"] == 1024


def test_killed_and_resumed_equals_uninterrupted(finished, tmp_path):
    whole, _ = finished
    words = [*TINY, "--name", "cut", "--steps", "1024", "--compare", "0"]
    process = subprocess.Popen(command(tmp_path, *words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    run = RunFolder(tmp_path / "cut")
    deadline = time.monotonic() + 240
    while len(run.metrics_rows()) < 4 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    head, _ = read_parts(run.checkpoint, "training checkpoint", 1)  # whole, whenever the kill came
    assert 0 < head["progress"]["steps"] < 1024
    with run.metrics.open("a") as file:
        file.write('{"steps": 99')  # as a kill can cut a line
    words = [sys.executable, "-m", "train.ppo", "--resume", str(run.path), "--compare", "0"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected, got = weights(whole.last), weights(run.last)
    for name, values in expected.items():
        np.testing.assert_array_equal(got[name], values, err_msg=name)

    def figures(of):
        return [{k: v for k, v in r.items() if not k.startswith("time/")} for r in of.metrics_rows()]

    assert figures(run) == figures(whole)
    assert len(json.loads(run.config.read_text())["sessions"]) == 2


def test_a_finished_run_can_go_on(finished, tmp_path):
    run, _ = finished
    copy = tmp_path / "whole"
    subprocess.run(["cp", "-r", str(run.path), str(copy)], check=True)
    outcome = train(Options(resume=copy, minutes=None, steps=1280, compare=0))
    assert outcome.progress.steps == 1280 and outcome.options.name == "whole"
    assert outcome.run.metrics_rows()[-1]["steps"] == 1280


def test_minutes_end_a_run(tmp_path):
    options = parse(Options, [*TINY, "--runs", str(tmp_path), "--name", "short", "--minutes", "0.02"])
    seen = []
    outcome = train(options, report=lambda progress, means: seen.append(progress.steps))
    assert 1.2 <= outcome.progress.seconds < 60 and outcome.run.agent.exists()
    assert seen == sorted(seen) and seen[-1] == outcome.progress.steps > 0


def test_equal_seeds_give_equal_runs_and_others_do_not(tmp_path):
    def run(name, seed):
        words = [*TINY, "--runs", str(tmp_path), "--name", name, "--seed", str(seed), "--steps", "256"]
        return weights(train(parse(Options, words)).run.last)

    one, two, three = run("one", 5), run("two", 5), run("three", 6)
    assert all(np.array_equal(one[k], two[k]) for k in one)
    assert not all(np.array_equal(one[k], three[k]) for k in one)


@pytest.mark.parametrize("words", [["--policy", "mlp"], ["--policy", "mlp", "--env.action", "discrete"]])
def test_the_plain_policy_trains_too(tmp_path, words):
    options = parse(Options, [*TINY, "--runs", str(tmp_path), "--name", "plain", "--steps", "256", *words])
    agent = agents.load(train(options).run.agent)
    assert agent.normalisation.norm_obs and agent.normalisation.count > 256


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--minutes", "None"], "minutes and steps are both None"),
        (["--minutes", "0"], "minutes: must be above 0, got 0"),
        (["--batch-size", "99999"], "batch_size: must be between 2 and num_envs .* = 16384, got 99999"),
        (["--num-envs", "0"], "num_envs: must be at least 1, got 0"),
        (["--env.action", "discrete"], "mirror needs env.action multi_discrete"),
    ],
)
def test_wrong_options_are_refused(words, message, capsys):
    with pytest.raises(SystemExit):
        parse(Options, words)
    # The message stands in a box, broken into lines.
    words = re.sub(r"[│|\s]+", " ", capsys.readouterr().err)
    assert re.search(message, words)


def test_mistakes_are_one_line(tmp_path):
    words = [sys.executable, "-m", "train.ppo", "--resume", str(tmp_path / "no")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "there is no run" in done.stderr


def test_a_resumed_run_keeps_its_options(finished):
    run, _ = finished
    with pytest.raises(ConfigError, match="--seed cannot be changed when a run is resumed"):
        main(["--resume", str(run.path), "--seed", "4"])
    with pytest.raises(ConfigError, match="--env cannot be changed"):
        main(["--resume", str(run.path), "--env.levels", "4"])


def test_folders_are_not_mixed_up(finished, tmp_path):
    run, _ = finished
    with pytest.raises(ConfigError, match=r"there is a run in .* already"):
        train(Options(name="whole", runs=run.path.parent))
    with pytest.raises(CheckpointError, match="there is no run"):
        train(Options(resume=tmp_path))
    held = RunFolder.create(tmp_path / "held", to_dict(Options()), "")
    with pytest.raises(ConfigError, match="another process is training"):
        train(Options(resume=held.path))
    held.close()


def test_a_damaged_checkpoint_is_refused(finished, tmp_path):
    run, _ = finished
    copy = RunFolder(tmp_path / "whole")
    subprocess.run(["cp", "-r", str(run.path), str(copy.path)], check=True)
    data = bytearray(copy.checkpoint.read_bytes())
    data[len(data) // 2] ^= 1
    copy.checkpoint.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        train(Options(resume=copy.path, steps=2048))


def test_training_validation_and_comparison_share_nothing(tmp_path):
    training, validation, held_out = parts(Options())
    assert training == validation == held_out  # they differ by seeds:
    assert not set(training_seeds(1000).tolist()) & set(validation_seeds(1000).tolist())
    feed = synthetic.write_day(tmp_path)
    day = build(Options, {"env": {"feed": str(feed), "episode_steps": 5, "step_ns": 10**6}})
    from hft_gym.envs.core import EnvCore

    spans = [EnvCore(c, 1).window() for c in parts(day)]
    for before, after in pairwise(spans):
        assert before.end_ns == after.start_ns
    assert spans[1].length_ns == pytest.approx(0.2 * (spans[1].end_ns - spans[0].start_ns), rel=1e-6)


def test_options_without_effect_are_refused_before_a_folder_is_made(tmp_path):
    for settings, said in (
        ({"validation_share": 0.5}, "validation_share: 0.5 has no effect without env.feed"),
        ({"clip_obs": 5.0}, "clip_obs: 5.0 has no effect with policy mirror"),
        ({"policy": "mlp", "env": {"task": "liquidity-taking"}, "join": 1.0}, "join: 1.0 has no effect with"),
        ({"compare": 0, "tune": 24}, "tune: 24 has no effect without a closing comparison"),
        ({"compare": 0, "metrics": ["all"]}, r"metrics: \('all',\) has no effect without a closing comparison"),
    ):
        with pytest.raises(ConfigError, match=said):
            train(build(Options, {"runs": str(tmp_path / "runs"), **settings}))
    for name in ("compare", "tune"):
        with pytest.raises(ConfigError, match=f"{name}: must be at least 0, got -1"):
            Options(**{name: -1})
    with pytest.raises(ConfigError, match="there is no 'drawdwn'"):
        main(["--runs", str(tmp_path / "runs"), "--metrics", "drawdwn"])
    assert not (tmp_path / "runs").exists()
