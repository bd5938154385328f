"""Real data for tests: never part of the repository, so a test that misses its file is skipped by name."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def shared_root() -> Path:
    """``$HFT_GYM_SHARED_DATA``, or else ``../shared/data`` beside the checkout."""
    return Path(os.environ.get("HFT_GYM_SHARED_DATA") or ROOT.parent / "shared" / "data")


def shared_data(name: str) -> Path:
    """A file of the shared data, or skip the test, naming the file."""
    path = shared_root() / name
    if not path.exists():
        pytest.skip(f"needs shared data that is not here: {name} (set HFT_GYM_SHARED_DATA to its folder)")
    return path


def shared_reference(name: str) -> Path:
    """A file of the shared reference, which lies beside the shared data, or skip the test, naming the file."""
    path = shared_root().parent / "reference" / name
    if not path.exists():
        pytest.skip(f"needs a shared reference that is not here: {name} (beside the folder HFT_GYM_SHARED_DATA)")
    return path


def shared_lobster(symbol: str, levels: int) -> Path:
    """The message file of a shared LOBSTER morning: AMZN with 1 or 5 levels, GOOG with 10."""
    return shared_data(f"lobster/{symbol}_2012-06-21_34200000_45000000_message_{levels}.csv.gz")
