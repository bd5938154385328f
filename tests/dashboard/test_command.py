"""``hft-gym dashboard`` and ``create_demo_dashboard``: served from the command line and from Python."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

from hft_gym import cli
from hft_gym.dashboard import Dashboard, create_demo_dashboard
from hft_gym.dashboard.catalogue import Catalogue
from hft_gym.errors import ConfigError, FeedError

ROOT = Path(__file__).resolve().parent.parent.parent


def fetch(address):
    with urllib.request.urlopen(address) as answer:
        return answer.read().decode()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "0.0.0.0"), "needs a token"),
        (("--token", "short"), "16 to 256"),
        (("--strategy", "market-makin"), "did you mean 'market-making'"),
        (("--strategy", "market-making:skwe=2"), "did you mean 'skew'"),
        (("--market", "clam"), "did you mean 'calm'"),
        (("--speed", "0.001"), "0.1"),
    ],
)
def test_what_is_wrong_is_said_before_anything_listens(options, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Dashboard, "_serve", lambda self: pytest.fail("it would listen"))
    assert cli.main(["dashboard", "--port", "0", *options]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir()), "and nothing is written"


def test_a_taken_port_is_one_line_and_status_2(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.main(["dashboard", "--port", str(port), "--strategy", "do-nothing"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.splitlines()[-1] == f"hft-gym dashboard: cannot listen on 127.0.0.1, port {port}: is it taken?"


def test_a_name_alone_is_no_sequence_of_strategies():
    with pytest.raises(ConfigError, match=r"strategies is 'join-touch'; allowed are .* \['join-touch'\]"):
        create_demo_dashboard("join-touch", keep=None)


def test_a_file_cannot_be_the_folder_of_sessions(tmp_path):
    (tmp_path / "notes").touch()
    with pytest.raises(ConfigError, match="notes, which is a file; allowed are folders"):
        create_demo_dashboard(["do-nothing"], keep=tmp_path / "notes")


def test_from_python():
    dashboard = create_demo_dashboard(["join-touch"], keep=None)
    address = dashboard.start(port=0)
    try:
        assert json.loads(fetch(f"{address}health")) == {"status": "ok"}
        assert "hft_gym" in fetch(address)
        with pytest.raises(FeedError, match="served already"):
            dashboard.start()
        # The port is taken now.
        with pytest.raises(FeedError, match="cannot listen"):
            Dashboard({"keep": None}, dashboard.session).start(port=int(address.rsplit(":", 1)[1].strip("/")))
    finally:
        dashboard.stop()
    with pytest.raises(urllib.error.URLError):
        fetch(f"{address}health")
    assert dashboard.session.symbols == ("AAPL", "GOOGL", "MSFT", "TSLA") and len(dashboard.session.strategies) == 2


def test_beyond_loopback_only_with_the_token():
    dashboard = create_demo_dashboard(["do-nothing"], keep=None, token="a-token-of-some-length")
    address = dashboard.start(port=0)
    try:
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(f"{address}metrics")
        asked = urllib.request.Request(f"{address}metrics", headers={"Authorization": "Bearer a-token-of-some-length"})
        with urllib.request.urlopen(asked) as answer:
            assert answer.status == 200
    finally:
        dashboard.stop()
    with pytest.raises(ConfigError, match="needs a token"):
        create_demo_dashboard(["do-nothing"], keep=None).run(host="0.0.0.0")


def test_agents_are_those_of_the_runs_folder(tmp_path):
    outside = tmp_path / "outside"
    for folder in (outside, tmp_path / "runs" / "one", tmp_path / "runs" / "two", tmp_path / "runs" / "empty"):
        folder.mkdir(parents=True)
        if folder.name != "empty":
            (folder / "agent.zip").write_bytes(b"")
    (tmp_path / "runs" / "link").symlink_to(outside)
    catalogue = Catalogue(tmp_path / "runs")
    assert set(catalogue.agents()) == {"runs/one", "runs/two"}
    assert catalogue.resolve("runs/one", {}) == str(tmp_path / "runs" / "one")
    assert catalogue.name_of(str(tmp_path / "runs" / "one")) == "runs/one"
    with pytest.raises(ConfigError, match="has no parameters"):
        catalogue.resolve("runs/one", {"skew": 1})
    for wrong in (str(outside), "runs/link", "runs/../outside", "runs/empty", "one"):
        with pytest.raises(ConfigError, match="unknown strategy"):
            catalogue.resolve(wrong, {})


@pytest.mark.skipif(find_spec("stable_baselines3") is None, reason="stable-baselines3 is not installed")
def test_a_trained_agent_trades_beside_a_baseline(tmp_path):
    """One command's session: the agent of a run folder, and a baseline, in the same market."""
    from stable_baselines3 import PPO

    import agents

    env = agents.make_vec_env(2, seed=1, episode_steps=30)
    model = PPO("MlpPolicy", env, n_steps=16, batch_size=16, seed=1).learn(32)
    run_folder = tmp_path / "runs" / "mine"
    agents.save(run_folder / "agent.zip", model, env=env)
    dashboard = create_demo_dashboard([str(run_folder), "join-touch"], runs=tmp_path / "runs", keep=None)
    session = dashboard._begin()
    session.advance(5_000_000_000)
    traders = session.view("AAPL").traders
    assert [(t["name"], t["kind"]) for t in traders[:2]] == [("mine", "agent"), ("join-touch", "baseline")]
    assert all(t["counters"]["decisions"] == 50 for t in traders[:2])
    assert "runs/mine" in dashboard.catalogue.agents() or "mine" in dashboard.catalogue.agents()


def test_the_benchmark_of_many_clients():
    few = ["--clients", "6", "--sessions", "2", "--seconds", "2", "--warm-up", "0.5"]
    command = [sys.executable, "-m", "benchmarks.dashboard_load", *few]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "6 clients on 2 sessions" in done.stdout and "lag: median" in done.stdout
