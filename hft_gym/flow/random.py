"""Random streams of the kernels: SplitMix64 (Steele, Lea, Flood 2014), one 64-bit state a stream.

Only integer arithmetic and IEEE-exact float operations are used (no call into a platform's libm), so a seed gives the
same bits on every machine. A mechanism takes the same number of draws for each event whatever the book looks like: that
keeps the streams of two runs aligned after their books have come to differ (common random numbers).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from hft_gym._jit import I64, U, clz, inlined

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_S55, _LOW_BYTE = np.uint64(55), np.uint64(255)
_ONE = np.uint64(1)
_LN2 = 0.6931471805599453
_TO_UNIT = 1.0 / 2**53
_TO_MANTISSA = 1.0 / 2**52
_CENTRES = [1.0 + (i + 0.5) / 256.0 for i in range(256)]
_LOG = np.array([float(Decimal(c).ln()) for c in _CENTRES])
_RECIPROCAL = np.array([1.0 / c for c in _CENTRES])


@inlined
def mix(z: Any) -> Any:
    """SplitMix64's finaliser: a bijection of 64-bit words that scrambles well."""
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@inlined
def derive(key: Any, index: int) -> Any:
    """The *index*-th key below *key*, as start of a stream or of a later episode."""
    return mix(mix(key) + GOLDEN * np.uint64(index + 1))


@inlined
def draw(streams: Any, k: int) -> Any:
    """The next 64 random bits of stream *k*."""
    state = streams[U(k)] + GOLDEN
    streams[U(k)] = state
    return mix(state)


@inlined
def unit(word: Any) -> float:
    """A word's high 53 bits as a float in [0, 1)."""
    return np.float64(word >> _S11) * _TO_UNIT


@inlined
def exponential(word: Any) -> float:
    """A word's high 53 bits as a draw from the exponential law of mean 1 (its low 11 bits remain free for other use).

    -ln((x + 1) / 2^53), the logarithm by table and a short series (absolute error below 1e-14), because a long chain of
    dependent operations here was half the cost of an event.
    """
    x = (word >> _S11) + _ONE
    shift = clz(x)
    y = x << np.uint64(shift)
    i = (y >> _S55) & _LOW_BYTE
    r = np.float64(I64(y >> _S11)) * _TO_MANTISSA * _RECIPROCAL[i] - 1.0
    w = r * r
    return (shift - 10) * _LN2 - _LOG[i] - ((r - 0.5 * w) + w * (r * (1.0 / 3.0) - 0.25 * w))


TABLE_SIZE = 64
"""Entries of an alias table: the largest value a tabulated law can take."""
ALIAS = np.dtype([("threshold", "u4", (TABLE_SIZE,)), ("alias", "u4", (TABLE_SIZE,))])
"""Walker's alias table of a law on 1..64, for draws from 32 bits (6 choose the column, 26 the entry)."""


@inlined
def sample(table: Any, bits: int) -> int:
    """Draw from 1..64 by *table* (an :data:`ALIAS` record) with 32 random *bits*."""
    column = bits & 63
    if (bits >> 6) < I64(table["threshold"][U(column)]):
        return column + 1
    return I64(table["alias"][U(column)])


def fill_alias_table(table: Any, weights: Any) -> None:
    """Write Walker's alias table of the law proportional to *weights* (1..64 values >= 0, index 0 meaning 1) to
    *table*."""
    w = np.zeros(TABLE_SIZE)
    w[: len(weights)] = weights
    p = w / w.sum() * TABLE_SIZE
    threshold, alias = np.full(TABLE_SIZE, 1 << 26, np.int64), np.arange(1, TABLE_SIZE + 1)
    small = [i for i in range(TABLE_SIZE) if p[i] < 1.0]
    large = [i for i in range(TABLE_SIZE) if p[i] >= 1.0]
    while small and large:
        i, j = small.pop(), large[-1]
        threshold[i], alias[i] = round(p[i] * (1 << 26)), j + 1
        p[j] -= 1.0 - p[i]
        if p[j] < 1.0:
            small.append(large.pop())
    # Left over by rounding alone: their probability is 1 (large) or, for a zero weight, that of their alias.
    for i in small:
        if w[i] == 0.0:
            threshold[i], alias[i] = 0, int(np.argmax(w)) + 1
    table["threshold"], table["alias"] = threshold, alias
