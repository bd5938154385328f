"""A run's folder: what was asked, by which code, on which machine, and everything that came of it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from itertools import count
from pathlib import Path
from typing import Any

from hft_gym import __version__
from hft_gym.errors import CheckpointError, ConfigError
from hft_gym.files import hold, replace_file

__all__ = ["RunFolder", "check_file", "check_folder", "git_state", "git_version", "new_folder", "versions"]

ROOT = Path(__file__).resolve().parent.parent

_LIBRARIES = ("numpy", "numba", "gymnasium", "torch", "stable-baselines3", "sb3-contrib")


class RunFolder:
    """``runs/NAME/``: use `create` or `open`; while it is held no other process can train in it.

    ====================  ==========================================================================
    ``config.json``       options, command, versions, git state, machine; one entry for each resume
    ``metrics.jsonl``     one JSON object a rollout: losses, P&L, inventory, volume, fees, validation
    ``tensorboard/``      the same for TensorBoard
    ``agent.zip``         the agent with the best validation P&L so far (`agents.load`)
    ``last.zip``          the agent as it stood at the last checkpoint
    ``checkpoint.zip``    everything that training needs to go on
    ``comparison/``       the closing comparison on held-out seeds
    ====================  ==========================================================================
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.json"
        self.metrics = path / "metrics.jsonl"
        self.tensorboard = path / "tensorboard"
        self.agent = path / "agent.zip"
        self.last = path / "last.zip"
        self.checkpoint = path / "checkpoint.zip"
        self.comparison = path / "comparison"
        self._lock: Any = None

    @classmethod
    def create(cls, path: Path, options: Mapping[str, Any], command: str) -> RunFolder:
        """A new run.

        Raises:
            ConfigError: there is a run in that folder already.
        """
        run = cls(path)
        if run.config.exists():
            raise ConfigError(
                f"there is a run in {path} already: choose another --name, or go on with it: --resume {path}"
            )
        path.mkdir(parents=True, exist_ok=True)
        run._hold()
        run._write({"options": dict(options), "sessions": [session(command)]})
        return run

    @classmethod
    def open(cls, path: Path, command: str, changed: Mapping[str, Any]) -> tuple[RunFolder, dict[str, Any]]:
        """A run to go on with, and its options with the ``changed`` ones.

        Raises:
            CheckpointError: there is no run, or its record is damaged.
        """
        run = cls(path)
        try:
            record = json.loads(run.config.read_text())
            options = {**record["options"], **changed}
            sessions = [*record["sessions"], session(command)]
        except FileNotFoundError:
            raise CheckpointError(f"there is no run in {path}: it has no config.json") from None
        except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{run.config}: damaged ({error})") from None
        run._hold()
        run._write({"options": options, "sessions": sessions})
        return run, options

    def _write(self, record: Mapping[str, Any]) -> None:
        replace_file(self.config, json.dumps(record, indent=1) + "\n")

    def _hold(self) -> None:
        """Take the folder for this process; the system lets go of it however the process ends."""
        self._lock = hold(self.path / ".lock")
        if self._lock is None:
            raise ConfigError(f"another process is training in {self.path}")

    def close(self) -> None:
        """Let go of the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def metrics_rows(self) -> list[dict[str, Any]]:
        """What has been logged; a last line that a kill has cut is left out."""
        rows = []
        if self.metrics.exists():
            for line in self.metrics.read_text().splitlines():
                try:
                    rows.append(json.loads(line))
                except json.JSONDecodeError:
                    break
        return rows

    def cut_metrics(self, steps: int) -> None:
        """Forget what was logged after ``steps``: it will be played again from the checkpoint."""
        kept = [row for row in self.metrics_rows() if row.get("steps", 0) <= steps]
        replace_file(self.metrics, "".join(json.dumps(row) + "\n" for row in kept))

    def add_metrics(self, row: Mapping[str, Any]) -> None:
        """Append a row; what is not a finite number becomes null."""
        plain = {k: (None if isinstance(v, float) and not math.isfinite(v) else v) for k, v in row.items()}
        with self.metrics.open("a") as file:
            file.write(json.dumps(plain) + "\n")


def session(command: str) -> dict[str, Any]:
    """By what code, on what machine and when."""
    return {
        "command": command,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": versions(),
        "git": git_state(),
        "machine": {"platform": platform.platform(), "processor": _processor(), "cores": os.cpu_count()},
    }


def versions() -> dict[str, str]:
    """Releases of everything that a result depends on."""
    found = {"hft_gym": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def new_folder(parent: Path, kind: str) -> Path:
    """Make a folder ``KIND-DATE-TIME`` that nobody else has: with a number after it where the second is taken.

    Raises:
        ConfigError: *parent* is no folder.
    """
    check_folder(kind, parent)
    parent.mkdir(parents=True, exist_ok=True)
    name = time.strftime(f"{kind}-%Y%m%d-%H%M%S")
    for number in count(1):
        path = parent / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path
    raise AssertionError("unreachable")


def check_folder(option: str, path: Path) -> None:
    """Refuse, before any work, a folder that could not be written into after it.

    Raises:
        ConfigError: it is a file, lies below one, or may not be written into.
    """
    there = next((place for place in (path, *path.absolute().parents) if place.exists()), path)
    if not there.is_dir():
        what = "is a file" if there == path else f"lies below {there}, a file"
        raise ConfigError(f"{option}: {path} {what}; allowed is a folder, or a path where one can be made")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{option}: {there} may not be written into; allowed is a folder of your own")


def check_file(option: str, path: Path) -> None:
    """Refuse, before any work, a file that could not be written after it.

    Raises:
        ConfigError: it is a folder, lies below a file, or may not be written.
    """
    if path.is_dir():
        raise ConfigError(f"{option}: {path} is a folder; allowed is a file, or a path where one can be made")
    check_folder(option, path.parent)
    if path.exists() and not os.access(path, os.W_OK):
        raise ConfigError(f"{option}: {path} may not be written; allowed is a file of your own")


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout this code runs from and the files changed since; None outside a checkout."""
    if not (ROOT / ".git").exists():
        return None
    commit, changed = _git(ROOT, "rev-parse", "HEAD"), _git(ROOT, "status", "--porcelain")
    return (
        None if commit is None else {"commit": commit.strip(), "changed": (changed or "").splitlines()[:100]}
    )


def git_version() -> str | None:
    """The checkout's commit in one word, ``-dirty`` if files have changed since; None outside a checkout."""
    described = _git(ROOT, "describe", "--always", "--dirty") if (ROOT / ".git").exists() else None
    return described and described.strip()


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
