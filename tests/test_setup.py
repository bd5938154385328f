"""The two commands of the README, as far as they can be tested without running them inside themselves."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("help", "demo", "test", "bench", "verify", "lint", "clean")
CHECKOUT = (ROOT / "Makefile").exists() and shutil.which("make") is not None
pytestmark = pytest.mark.skipif(not CHECKOUT, reason="needs a checkout and make")


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def make(*arguments, cwd=ROOT, env=None):
    return subprocess.run(
        ["make", *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_target_and_is_the_default():
    done = make()
    assert done.returncode == 0, done.stderr
    assert done.stdout == make("help").stdout
    for target in TARGETS:
        assert re.search(rf"make {target}\b", done.stdout), target


@pytest.mark.parametrize("target", ["demo", "test", "bench", "verify", "lint"])
def test_every_target_says_what_it_does_and_for_how_long(target):
    plan = make("--dry-run", target).stdout
    assert re.search(rf"== {target}: .*(minute|second)", plan), plan


def test_torch_is_installed_first_and_pinned(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "constraints.txt", tmp_path)
    installs = [
        line for line in make("--dry-run", "test", cwd=tmp_path).stdout.splitlines() if " pip install" in line
    ]
    assert installs[0].endswith("--constraint constraints.txt torch")
    assert all("--constraint constraints.txt" in line for line in installs)
    assert re.search(r"^torch==\d+\.\d+\.\d+$", (ROOT / "constraints.txt").read_text(), re.M)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "there is no 'python3'"),
        ("#!/bin/sh\necho Python 3.9.2\nexit 1\n", "'python3' is Python 3.9.2"),
    ],
    ids=["no python", "old python"],
)
def test_an_unfit_python_is_named_and_the_way_out_too(tmp_path, script, message):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "make", "touch"):
        (tools / tool).symlink_to(shutil.which(tool))
    if script:
        (tools / "python3").write_text(script)
        (tools / "python3").chmod(0o755)
    done = make("test", cwd=tmp_path, env={"PATH": str(tools)})
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "make PYTHON=" in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_ci_runs_the_commands_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make test" in script and "make lint" in script
    assert "make test" in (ROOT / "README.md").read_text()


def test_metadata(project):
    assert project["name"] == "hft_gym"
    assert project["license"] == "MIT"
    assert project["requires-python"] == ">=3.11"
    assert project["scripts"] == {"hft-gym": "hft_gym.cli:main"}
    core = {re.match(r"[\w-]+", line)[0].lower() for line in project["dependencies"]}
    assert core == {"gymnasium", "numpy", "numba", "sortedcontainers", "pandas", "pillow", "tyro", "rich"}
    assert {"train", "plot", "dev", "all"} <= set(project["optional-dependencies"])
    assert "gymnasium>=1.2,<2" in project["dependencies"]


def test_markers_that_cost_time_are_left_out_by_default():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert "not verify and not slow" in options["addopts"]


@pytest.mark.slow
def test_the_wheel_carries_the_four_packages(tmp_path):
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "__pycache__", "runs")
    shutil.copytree(ROOT, source, ignore=ignored)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            str(tmp_path),
            str(source),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = subprocess.run(
        [sys.executable, "-m", "zipfile", "--list", str(wheel)], capture_output=True, text=True, check=True
    ).stdout
    for needed in (
        "hft_gym/py.typed",
        "hft_gym/bench/harness.py",
        "baselines/",
        "agents/",
        "train/",
        "LICENSE",
    ):
        assert needed in names, needed
    for absent in ("tests/", "benchmarks/"):
        assert f"\n{absent}" not in names, absent
