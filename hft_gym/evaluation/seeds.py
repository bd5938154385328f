"""Which seeds are for what. One home for the split, so that no result is measured on what it was tuned on.

=============  ==============================  =====================================================
training       0 ... 999,999                   learning, and tuning the parameters of scripted baselines
validation     500,000,000 ... 999,999,999     choosing a checkpoint while training
held out       1,000,000,000 ... 1,999,999,999 the figures that are reported, and nothing else
=============  ==============================  =====================================================

A seed is the number given to ``reset``; it fixes the whole market of one episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hft_gym.errors import ConfigError

__all__ = [
    "HELD_OUT_START",
    "HELD_OUT_STOP",
    "TRAINING_STOP",
    "VALIDATION_START",
    "VALIDATION_STOP",
    "held_out_seeds",
    "purpose",
    "training_seeds",
    "validation_seeds",
    "whole_seeds",
]

TRAINING_STOP = 1_000_000
VALIDATION_START = 500_000_000
VALIDATION_STOP = 1_000_000_000
HELD_OUT_START = 1_000_000_000
HELD_OUT_STOP = 2_000_000_000

Seeds = npt.NDArray[np.int64]


def training_seeds(count: int, offset: int = 0) -> Seeds:
    """``count`` consecutive seeds for learning and tuning, from ``offset`` on, as int64."""
    return _block("training", 0, TRAINING_STOP, count, offset)


def validation_seeds(count: int, offset: int = 0) -> Seeds:
    """``count`` consecutive seeds for choosing between checkpoints, as int64."""
    return _block("validation", VALIDATION_START, VALIDATION_STOP, count, offset)


def held_out_seeds(count: int, offset: int = 0) -> Seeds:
    """``count`` consecutive seeds that only reported figures may use, as int64."""
    return _block("held-out", HELD_OUT_START, HELD_OUT_STOP, count, offset)


def purpose(seed: int) -> str:
    """``"training"``, ``"validation"``, ``"held-out"``, or ``"other"`` for a seed outside all three
    blocks.
    """
    if 0 <= seed < TRAINING_STOP:
        return "training"
    if VALIDATION_START <= seed < VALIDATION_STOP:
        return "validation"
    if HELD_OUT_START <= seed < HELD_OUT_STOP:
        return "held-out"
    return "other"


def whole_seeds(seeds: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Seeds:
    """Seeds that somebody gave as (N,) int64, none of them changed by it.

    Raises:
        ConfigError: no seeds, another shape, or one that is no whole number of 63 bits.
    """
    given = np.asarray(seeds)
    if given.ndim != 1 or len(given) == 0:
        raise ConfigError(f"seeds: expected a sequence of at least one, got shape {given.shape}")
    wrong = [s for s in given.tolist() if not isinstance(s, int) or isinstance(s, bool) or s >= 2**63]
    if wrong:
        raise ConfigError(f"seeds: expected whole numbers below 2^63, got {wrong[0]!r}")
    return given.astype(np.int64)


def _block(name: str, start: int, stop: int, count: int, offset: int) -> Seeds:
    if count < 1 or offset < 0 or start + offset + count > stop:
        raise ConfigError(
            f"{name} seeds: count {count} from offset {offset} does not fit; "
            f"allowed: count at least 1, offset at least 0, count + offset at most {stop - start:,}"
        )
    return np.arange(start + offset, start + offset + count, dtype=np.int64)
