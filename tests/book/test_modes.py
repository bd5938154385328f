"""All tests of the book once more: as plain Python (no JIT), and compiled with bounds checks."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hft_gym._jit import JIT_DISABLED, U, entry
from tests.book.helpers import FEW


@entry
def _item(array, index):
    return array[U(index)]


@pytest.mark.parametrize("index", [3, 10**9, -1])
def test_bounds_checks_are_on_where_they_should_be(index):
    """In the mode with bounds checks a bad index is an error, so that mode proves something."""
    assert (os.environ.get("NUMBA_DISABLE_JIT") == "1") == JIT_DISABLED
    if os.environ.get("NUMBA_BOUNDSCHECK") != "1":
        pytest.skip("only in the mode with bounds checks")
    with pytest.raises(IndexError):
        _item(np.zeros(3), np.int64(index))


HERE = Path(__file__).resolve().parent


@pytest.mark.skipif(FEW, reason="this is such a run")
@pytest.mark.parametrize("variable", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_the_same_tests_in_another_mode(variable):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(HERE), "-q", "-x", "-p", "no:cacheprovider"],
        cwd=HERE.parent.parent,
        env={**os.environ, variable: "1", "HFT_GYM_FEW_EXAMPLES": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-1_000:]
    assert " passed" in done.stdout
