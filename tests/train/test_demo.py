"""The demo: the real command with a training of a second."""

import json
import subprocess
import sys

import pytest

from hft_gym.errors import ConfigError
from train.demo import DemoOptions


def test_the_demo_runs_from_end_to_end(tmp_path):
    words = ["--seconds", "1", "--episodes", "4", "--runs", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "hft_gym", "demo", *words], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    text = done.stdout
    for words in ("the market", "scripted strategies", "a PPO agent learns", "where to look next"):
        assert words in text
    (run,) = tmp_path.iterdir()
    comparison = json.loads((run / "comparison" / "comparison.json").read_text())
    agents = [p["name"] for p in comparison["policies"] if p["kind"] == "agent"]
    assert sorted(agents) == ["ppo", "ppo (drawn)"]
    assert {"do-nothing", "random", "market-making", "liquidity-taking"} <= {
        p["name"] for p in comparison["policies"]
    }
    assert text.index("ppo (drawn)") > text.index("everybody on the same held-out episodes")
    for line in text[text.index("where to look next") :].splitlines():
        if str(tmp_path) in line and "hft-gym" not in line:
            assert (tmp_path / line.split(str(tmp_path) + "/")[1].strip()).exists()


def test_wrong_options_are_refused():
    with pytest.raises(ConfigError, match="episodes: must be at least 1, got 0"):
        DemoOptions(episodes=0)
