"""The demo: the real command with a training of a second."""

import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

import baselines
from hft_gym.envs.config import EnvConfig
from hft_gym.errors import ConfigError
from train.demo import DemoOptions, watch
from train.players import leading


def test_the_demo_runs_from_end_to_end(tmp_path):
    words = ["--seconds", "1", "--episodes", "4", "--runs", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "hft_gym", "demo", *words], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    text = done.stdout
    for words in ("the market", "scripted strategies", "a PPO agent learns", "where to look next"):
        assert words in text
    # Beside it lie the list of trials and the store of comparisons.
    (run,) = (p for p in tmp_path.iterdir() if p.is_dir() and p.name != "parts")
    comparison = json.loads((run / "comparison" / "comparison.json").read_text())
    agents = [p["name"] for p in comparison["policies"] if p["kind"] == "agent"]
    assert sorted(agents) == ["ppo", "ppo (drawn)"]
    assert {p["name"] for p in comparison["policies"]} == {*agents, *leading(EnvConfig())}
    assert all(name in comparison["meta"]["tuned"] for name in leading(EnvConfig())[3:])
    assert text.index("ppo (drawn)") > text.index("everybody on the same held-out episodes")
    for line in text[text.index("where to look next") :].splitlines():
        if str(tmp_path) in line and "hft-gym" not in line:
            assert (tmp_path / line.split(str(tmp_path) + "/")[1].strip()).exists()


@pytest.mark.parametrize("width", [70, 80, 120])
def test_the_view_fits_the_terminal(width):
    names = leading(EnvConfig())
    console = Console(width=width, file=io.StringIO())
    net = watch({name: baselines.make(name) for name in names}, 3, console, 0.0, "one episode, the same for all")
    text = console.file.getvalue()
    assert "…" not in text and max(map(len, text.splitlines())) <= width
    for name in names:
        assert any(name in line and f" {net[name]:+.1f} " in line for line in text.splitlines())


def test_wrong_options_are_refused():
    with pytest.raises(ConfigError, match="episodes: must be at least 1, got 0"):
        DemoOptions(episodes=0)
