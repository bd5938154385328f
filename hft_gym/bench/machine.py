"""What a figure depends on besides the code: the machine, the versions, the commit."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import hft_gym

ROOT = Path(hft_gym.__file__).resolve().parent.parent
"""The checkout, or the folder that the package is installed in."""

PACKAGES = ("gymnasium", "numpy", "numba", "llvmlite", "torch", "stable-baselines3", "lumina-lob")


def describe() -> dict[str, Any]:
    """JSON-able description of machine, versions and commit; no host name, no user, no paths."""
    return {
        "machine": {
            "cpu": _cpu_model(),
            "cores": os.cpu_count(),
            "usable_cores": usable_cores(),
            "memory_gib": _memory_gib(),
            "system": f"{platform.system()} {platform.machine()}",
            "load_before": _load(),
        },
        "versions": {
            "hft_gym": hft_gym.__version__,
            "python": platform.python_version(),
            **{name: version for name in PACKAGES if (version := _version(name))},
        },
        "commit": commit(),
    }


def commit() -> dict[str, Any]:
    """``{"id": hex or None, "changed": bool or None}``: None outside a checkout or without git."""
    nothing: dict[str, Any] = {"id": None, "changed": None}
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        return nothing
    head = _git("rev-parse", "--short=12", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"id": head, "changed": bool(changes) if changes is not None else None} if head else nothing


def busy() -> str | None:
    """A sentence if the machine is too busy for honest figures, else None."""
    load = _load()
    if load is None or load < 0.5:
        return None
    return (
        f"the machine is busy (load {load:.1f} on {usable_cores()} cores): figures will be too slow and noisy"
    )


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _memory_gib() -> float | None:
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    return round(pages * size / 2**30, 1)


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None
