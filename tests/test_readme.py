"""Every command and every example of the README, of CONTRIBUTING and of docs/ runs.

Fenced ``console`` blocks hold commands, fenced ``python`` blocks whole scripts. What is too long, or would
run these very tests inside themselves, is replaced by what the two tables below say: nothing is left out
silently, a new long command has to be added here.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data_files import shared_lobster

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md")))
DAY = "AMZN_2012-06-21_34200000_57600000_message_5.csv"
"""The name under which the pages speak of a LOBSTER file; the shared sample stands in for it."""

COVERED = (
    (
        r"make (demo|test-browser|test|bench|verify|results|lint|clean|help)\b.*",
        "tests/test_setup.py; .ci/run calls test and lint",
    ),
    (r"python -m benchmarks\.feed_faults", "tests/feed/test_faults_command.py, some rows of it"),
    (r"hft-gym dashboard.*", "tests/dashboard/test_command.py, which also stops it"),
    (r"python -m benchmarks\.dashboard_load.*", "tests/dashboard/test_command.py, with fewer clients"),
    (r"jupyter execute .*", "tests/notebooks/test_demonstration.py"),
    (r"pip install .*", "tests/test_setup.py reads the metadata; the Makefile installs"),
    (r"hft-gym demo", "tests/train/test_demo.py"),
    (r"hft-gym runs (show|compare|sql) .*", "tests/report/test_store.py, where there are runs"),
    (r"hft-gym paper (--feed binance|--resume) .*", "tests/live/test_paper.py, where there is a venue, or a run"),
    (r"hft-gym watch-feed (ws://\S+|session .*)", "tests/feed/test_feed_cli.py, where there is a server, or a session"),
    (
        r"hft-gym calibrate .* --model spread-hawkes .*",
        "tests/calibration/test_calibrate.py searches less long; tests/verify/test_presets.py scores what they made",
    ),
)
"""(command, where it is tested): commands that are not run here."""

TINY_RUN = (
    "--minutes None --steps 1024 --num-envs 8 --n-steps 16 --batch-size 64 --env.episode-steps 40"
    " --validation-episodes 4 --torch-threads 1 --compare 0"
)
SMALLEST = (
    (r"python -m train\.model", "python -m train.model --num-envs 8 --steps 400 --episodes 20"),
    (r"hft-gym bench.*", "hft-gym bench --list"),
    (r"(hft-gym serve-feed .*)", r"\1 --port 0 --seconds 1"),
    (
        r"(hft-gym train ppo) --minutes 10 (--name [\w-]+)(?: --tune 24)?((?: --env\.market\.flow \w+)?)",
        rf"\1 \2\3 {TINY_RUN}",
    ),
    (
        r"(hft-gym train ppo) --minutes 4 (--name \w+) --tune 24 (--env\.feed \S+ --env\.replay\.split train) .*",
        rf"\1 \2 \3 {TINY_RUN} --env.order-size 100 --env.max-position 500",
    ),
    (r"(hft-gym train ppo) --minutes 10 (--env\.task .*)", rf"\1 \2 {TINY_RUN}"),
    (r"(hft-gym compare --env\.task \w+)", r"\1 --episodes 4 --resamples 100 --env.episode-steps 60"),
    (
        r"(hft-gym train tune-baseline) all (--env\.market \w+ --env\.task execution)",
        r"\1 vwap \2 --trials 2 --episodes 2 --env.episode-steps 30 --out tuned",
    ),
    (
        r"(hft-gym train tune-baseline) all (--env\.market \w+)",
        r"\1 join-touch \2 --trials 2 --episodes 2 --env.episode-steps 30 --out tuned",
    ),
    (
        r"(hft-gym compare --policies [\w -]+ --(?:sensitivity|matrix) [\w ]+)",
        r"\1 --episodes 2 --resamples 100 --env.episode-steps 60",
    ),
    # Every command runs in a folder of its own, so there is no trained agent to compare with.
    (r"(hft-gym compare --policies [\w -]+) runs/\w+", r"\1 --episodes 4 --resamples 100"),
)
"""(command, the same with the smallest budget)."""


def blocks(language):
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text() if (ROOT / page).exists() else ""
        for number, match in enumerate(re.finditer(rf"^```{language}\n(.*?)^```", text, re.M | re.S), 1):
            found.append(pytest.param(match[1], id=f"{page}-{language}-{number}"))
    return found


def commands():
    """Each command of the console blocks; a trailing backslash continues, output is not written down."""
    found = []
    for block in blocks("console"):
        for line in block.values[0].replace("\\\n", " ").splitlines():
            line = re.sub(r"\s+#.*$", "", line.strip().removeprefix("$ "))
            if line and not line.startswith("#"):
                found.append(pytest.param(line, id=line))
    return found


@pytest.mark.parametrize("command", commands())
def test_command_runs(command, tmp_path):
    if any(re.fullmatch(pattern, command) for pattern, _ in COVERED):
        pytest.skip("run elsewhere: " + next(why for p, why in COVERED if re.fullmatch(p, command)))
    for pattern, smallest in SMALLEST:
        command = re.sub(f"^(?:{pattern})$", smallest, command)
    for symbol, levels in re.findall(r"([A-Z]+)_[\d_-]+_message_(\d+)\.csv", command):
        command = re.sub(rf"{symbol}_\S+\.csv", str(shared_lobster(symbol, int(levels))), command)
    done = subprocess.run(
        shlex.split(command),
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.mark.parametrize("code", blocks("python"))
def test_example_runs(code, python):
    if DAY in code:
        code = code.replace(f'"{DAY}"', repr(str(shared_lobster("AMZN", 5))))
    done = python("import gymnasium, hft_gym\n" + code)
    assert done.returncode == 0, done.stderr


def test_the_two_commands_come_first():
    first = next(re.finditer(r"^```console\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S))[1]
    assert [line.split("#")[0].strip() for line in first.strip().splitlines()] == ["make demo", "make test"]


def test_links_of_the_pages_lead_somewhere():
    for page in PAGES:
        if not (ROOT / page).exists():
            continue
        for target in re.findall(r"\]\(([^)#:\s]+)\)", (ROOT / page).read_text()):
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
