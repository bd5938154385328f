"""Rows of starting up and of memory, each figure from a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from hft_gym.bench.harness import Case, Options, Plan, Unavailable, group

IMPORT = """
import json, sys, time
started = time.perf_counter()
import hft_gym
seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "torch": "torch" in sys.modules}))
"""

FIRST_STEP = """
import json, time
started = time.perf_counter()
import gymnasium, hft_gym
imported = time.perf_counter()
env = gymnasium.make("HFTMarket-v0")
env.reset(seed=1)
env.step(env.action_space.sample())
print(json.dumps({"seconds": time.perf_counter() - imported, "all": time.perf_counter() - started}))
"""

MEMORY = """
import json, resource, sys
import gymnasium, hft_gym
envs = gymnasium.make_vec("HFTMarket-v0", num_envs=4096)
envs.reset(seed=1)
for _ in range(20):
    envs.step(envs.action_space.sample())
if sys.platform == "linux":  # getrusage counts the memory of the process that started this one, too
    peak = 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"gib": peak / 2**30}))
"""


@group("start", "import, first step, memory (fresh processes)")
def start(_: Options) -> Plan:
    """Import and first step with warm and cold kernel cache; peak memory of a batch of 4,096."""
    folder = tempfile.TemporaryDirectory(prefix="hft_gym_bench_")
    warm = {"HFT_GYM_CACHE_DIR": str(Path(folder.name) / "warm")}
    _child(FIRST_STEP, warm)  # fills the cache

    def cold() -> float:
        with tempfile.TemporaryDirectory(dir=folder.name) as empty:
            seconds, said = _child(FIRST_STEP, {"HFT_GYM_CACHE_DIR": empty})
        if "compil" not in said.lower():
            raise RuntimeError("the first step compiled for seconds and did not say so")
        return float(seconds["seconds"])

    cases = [
        Case("import hft_gym", "s", _import, least=("<=", 0.5), note="torch is not loaded"),
        Case(
            "first make + reset + step, warm cache",
            "s",
            partial(_figure, FIRST_STEP, warm, "seconds"),
            least=("<=", 1.0),
            aim=("<=", 0.6),
        ),
        Case("the same, import included", "s", partial(_figure, FIRST_STEP, warm, "all")),
        Case(
            "first make + reset + step, cold cache",
            "s",
            cold,
            least=("<=", 20.0),
            aim=("<=", 8.0),
            note="says that it compiles",
            once=True,
        ),
        Case(
            "peak memory of a process with a batch of 4,096",
            "GiB",
            partial(_figure, MEMORY, warm, "gib"),
            least=("<=", 1.0),
            once=True,
        ),
    ]
    return Plan(cases, close=folder.cleanup)


def _import() -> float:
    answer, _ = _child(IMPORT, {})
    if answer["torch"]:
        raise RuntimeError("import hft_gym has loaded torch")
    return float(answer["seconds"])


def _figure(script: str, env: dict[str, str], key: str) -> float:
    return float(_child(script, env)[0][key])


def _child(script: str, env: dict[str, str]) -> tuple[dict[str, Any], str]:
    """The JSON that *script* prints last in a fresh process, and everything else that it says."""
    if "resource" in script and sys.platform == "win32":
        raise Unavailable("peak memory is not measured on Windows")
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    *said, last = done.stdout.strip().splitlines()
    answer: dict[str, Any] = json.loads(last)
    return answer, "\n".join(said) + done.stderr
