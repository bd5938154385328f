"""The table of addresses that stands for a kernel's many arrays."""

from typing import Any

import numpy as np
import pytest

from hft_gym._jit import JIT_DISABLED, entry
from hft_gym.envs.packed import packed, table_of

RECORD = np.dtype([("a", "i8"), ("b", "f4"), ("c", "u1", (3,))])


@entry
def scribble(lo: int, hi: int, scratch: int, mode: int, actions: Any, x: Any, y: Any, z: Any, r: Any) -> int:
    """Write something that depends on every index into every array."""
    for i in range(x.shape[0]):
        x[i] += lo + i
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i, j] += 10 * i + j
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            for k in range(z.shape[2]):
                z[i, j, k] += 100 * i + 10 * j + k
    for i in range(r.shape[0]):
        for j in range(r.shape[1]):
            r[i, j]["a"] += 10 * i + j
            r[i, j]["c"][2] += j
    return int(actions[0, 0]) + hi + scratch + mode


def arrays() -> list[np.ndarray]:
    return [
        np.zeros(5),
        np.zeros((2, 3), np.float32),
        np.zeros((2, 3, 4), np.uint8),
        np.zeros((3, 2), RECORD),
    ]


def test_the_packed_call_does_what_the_plain_one_does() -> None:
    plain, other = arrays(), arrays()
    function, rest = packed(scribble, other)
    assert JIT_DISABLED or len(rest) == 1
    actions = np.array([[7, 0, 0]])
    for _ in range(3):
        assert scribble(1, 2, 3, 4, actions, *plain) == function(1, 2, 3, 4, actions, *rest) == 16
    for a, b in zip(plain, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.any(a.view(np.uint8))


def test_arrays_that_cannot_be_described_are_refused() -> None:
    for bad in (np.zeros((4, 4))[:, ::2], np.broadcast_to(np.zeros(1), (3,))):
        with pytest.raises(ValueError, match="C-contiguous and writeable"):
            table_of([bad])


def test_arrays_of_other_kinds_get_code_of_their_own() -> None:
    """Functions of one name, bytecode and argument types must not be taken for each other by the cache."""
    if JIT_DISABLED:
        pytest.skip("needs the compiler")
    doubles = packed(scribble, arrays())[0]
    floats = packed(scribble, [np.zeros(5, np.float32), *arrays()[1:]])[0]
    assert doubles is packed(scribble, arrays())[0]
    assert doubles is not floats
    assert doubles.__name__ != floats.__name__
