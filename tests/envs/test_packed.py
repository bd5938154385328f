"""The table of addresses that stands for a kernel's many arrays."""

from typing import Any

import numpy as np
import pytest

from hft_gym._jit import entry
from hft_gym.envs.packed import array_at, table_of

RECORD = np.dtype([("a", "i8"), ("b", "f4"), ("c", "u1", (3,))])
F64, F32, U8 = np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.uint8)
DTYPES = (F64, F32, U8, RECORD)


@entry
def scribble(t: Any) -> None:
    """Write something that depends on every index into every array."""
    x = array_at(t[0, 0], (t[0, 1],), F64)
    y = array_at(t[1, 0], (t[1, 1], t[1, 2]), F32)
    z = array_at(t[2, 0], (t[2, 1], t[2, 2], t[2, 3]), U8)
    r = array_at(t[3, 0], (t[3, 1], t[3, 2]), RECORD)
    for i in range(x.shape[0]):
        x[i] += i + 1
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


def test_a_kernel_writes_through_the_table_where_it_should() -> None:
    x, y, z, r = np.zeros(5), np.zeros((2, 3), np.float32), np.zeros((2, 3, 4), np.uint8), np.zeros((3, 2), RECORD)
    table = table_of([x, y, z, r], DTYPES)
    for _ in range(2):
        scribble(table)
    np.testing.assert_array_equal(x, 2 * np.arange(1, 6))
    np.testing.assert_array_equal(y, 2 * np.add.outer(10 * np.arange(2), np.arange(3)))
    np.testing.assert_array_equal(z[1], 2 * (100 + np.add.outer(10 * np.arange(3), np.arange(4))))
    np.testing.assert_array_equal(r["a"], 2 * np.add.outer(10 * np.arange(3), np.arange(2)))
    np.testing.assert_array_equal(r["c"][..., 2], [[0, 2]] * 3)
    assert not r["b"].any() and not r["c"][..., :2].any()


def test_an_empty_array_has_a_place_in_the_table() -> None:
    x = np.zeros(0)
    scribble(
        table_of([x, np.zeros((0, 3), np.float32), np.zeros((2, 0, 4), np.uint8), np.zeros((0, 0), RECORD)], DTYPES)
    )


@pytest.mark.parametrize("bad", [np.zeros((4, 4))[:, ::2], np.broadcast_to(np.zeros(1), (3,))])
def test_arrays_that_cannot_be_described_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="C-contiguous and writeable"):
        table_of([bad], (F64,))


@pytest.mark.parametrize("bad", [np.zeros(3, np.float32), np.zeros((1, 1, 1, 1))])
def test_arrays_that_the_kernel_would_misread_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="the kernel takes float64"):
        table_of([bad], (F64,))
