"""The market in other modes: as plain Python (no JIT), with bounds checks, and in several processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.book.helpers import FEW
from tests.market.scenario import digest, run

HERE = Path(__file__).resolve().parent
STEPS = 150
FILES = ("market", "orders", "shadow", "conservation", "state", "replay")
pytestmark = pytest.mark.skipif(FEW, reason="this is such a run")


def start(*arguments: str, **variables: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=HERE.parent.parent,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, out[-4_000:] + err[-2_000:]
    return out


@pytest.fixture(scope="module")
def expected():
    market = run(STEPS)
    counters = market.counters
    assert counters.trades > 20 and counters.parked + counters.refused >= 0
    reasons = set(market.copy().orders()["end_reason"].tolist())
    assert len(reasons) >= 4, "the scenario should end orders in many ways"
    return digest(market)


def test_two_processes_agree(expected):
    processes = [start("-m", "tests.market.scenario", str(STEPS)) for _ in range(2)]
    assert {finish(p).strip() for p in processes} == {expected}


def test_plain_python_agrees(expected):
    process = start("-W", "ignore", "-m", "tests.market.scenario", str(STEPS), NUMBA_DISABLE_JIT="1")
    assert finish(process).strip() == expected


@pytest.mark.parametrize("variable", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_the_same_tests_in_another_mode(variable, expected):
    """Also the digest: compiled with bounds checks the arithmetic is the same."""
    files = [str(HERE / f"test_{name}.py") for name in FILES]
    tests = start(
        "-m",
        "pytest",
        *files,
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        HFT_GYM_FEW_EXAMPLES="1",
        **{variable: "1"},
    )
    assert " passed" in finish(tests)
    assert (
        finish(start("-W", "ignore", "-m", "tests.market.scenario", str(STEPS), **{variable: "1"})).strip() == expected
    )
