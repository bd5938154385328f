"""Random streams of the kernels: SplitMix64 (Steele, Lea, Flood 2014), one 64-bit state a stream.

Only integer arithmetic and IEEE-exact float operations are used (no call into a platform's libm), so a seed gives the
same bits on every machine. A mechanism takes the same number of draws for each event whatever the book looks like: that
keeps the streams of two runs aligned after their books have come to differ (common random numbers).
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np

from hft_gym._jit import I64, U, clz, inlined, kernel

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_S55, _LOW_BYTE = np.uint64(55), np.uint64(255)
_ONE = np.uint64(1)
_S32, _LOW_HALF = np.uint64(32), np.uint64(0xFFFFFFFF)
_TO_HALF = 1.0 / 2**32
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


_STEPS = 32
_EXP_STEPS = _STEPS / _LN2
_EXP_STEP = _LN2 / _STEPS
_EXP_FRACTION = np.array([float((Decimal(2).ln() * Decimal(-i) / _STEPS).exp()) for i in range(_STEPS)])
_EXP_POWER = np.array([2.0**-i for i in range(64)])


@inlined
def decay(x: float) -> float:
    """e^-x for x >= 0, by table and a short series (relative error below 1e-14; 0 from x = 44 on)."""
    if x >= 44.0:
        return 0.0
    n = I64(x * _EXP_STEPS)
    r = x - np.float64(n) * _EXP_STEP
    series = 1.0 - r * (1.0 - r * (0.5 - r * (1.0 / 6.0 - r * (1.0 / 24.0 - r * (1.0 / 120.0 - r * (1.0 / 720.0))))))
    return _EXP_POWER[U(n >> 5)] * _EXP_FRACTION[U(n & 31)] * series


@inlined
def low_unit(word: Any) -> float:
    """A word's low 32 bits as a float in [0, 1)."""
    return np.float64(I64(word & _LOW_HALF)) * _TO_HALF


@inlined
def high_unit(word: Any) -> float:
    """A word's high 32 bits as a float in [0, 1)."""
    return np.float64(I64(word >> _S32)) * _TO_HALF


_A = (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
      4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3)  # fmt: skip
_B = (4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
      3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3)  # fmt: skip
_C = (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
      1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2,
      7.74545014278341407640e-4)  # fmt: skip
_D = (2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
      1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9)  # fmt: skip
_E = (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
      2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5,
      2.01033439929228813265e-7)  # fmt: skip
_F = (5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
      1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15)  # fmt: skip


@inlined
def _ratio(a: Any, b: Any, r: float) -> float:
    top = ((((((a[7] * r + a[6]) * r + a[5]) * r + a[4]) * r + a[3]) * r + a[2]) * r + a[1]) * r + a[0]
    low = ((((((b[6] * r + b[5]) * r + b[4]) * r + b[3]) * r + b[2]) * r + b[1]) * r + b[0]) * r + 1.0
    return top / low


@kernel
def normal(word: Any) -> float:
    """A word's high 53 bits as a draw from the standard normal law: its quantile function (Wichura 1988, AS 241)."""
    p = (np.float64(word >> _S11) + 0.5) * _TO_UNIT
    q = p - 0.5
    if abs(q) <= 0.425:
        return q * _ratio(_A, _B, 0.180625 - q * q)
    tail = min(p, 1.0 - p)
    # -ln of the tail's probability, by the same table as a waiting time: tail = (x + 1) / 2^53.
    x = np.uint64(max(tail * 2.0**53 - 1.0, 0.0))
    r = math.sqrt(exponential(x << _S11))
    z = _ratio(_C, _D, r - 1.6) if r <= 5.0 else _ratio(_E, _F, r - 5.0)
    return -z if q < 0.0 else z


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
