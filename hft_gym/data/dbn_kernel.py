"""The compiled walk over DBN records of several lengths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import I64, U, entry


@entry
def walk(b: NDArray[np.uint8], starts: NDArray[np.int64]) -> tuple[int, int]:
    """Write the start of each whole record; return how many there are and the bytes they take.

    A record's first byte is its length in words of four bytes; one below the header's 16 bytes ends the walk.
    """
    n = 0
    i = 0
    while i < b.shape[0] and n < starts.shape[0]:
        length = 4 * I64(b[U(i)])
        if length < 16 or i + length > b.shape[0]:
            break
        starts[U(n)] = i
        n += 1
        i += length
    return n, i
