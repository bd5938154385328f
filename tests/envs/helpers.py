"""Shared by the tests of the environments."""

from __future__ import annotations

import hashlib
from typing import Any

import gymnasium
import numpy as np

import hft_gym  # noqa: F401  (registers the environments)

MODEL_ID = "HFTModel-v0"
"""The one environment without a book; its tests are test_model.py."""
ENV_IDS = sorted(
    spec.id
    for spec in gymnasium.registry.values()
    if str(spec.entry_point).startswith("hft_gym.") and spec.id != MODEL_ID
)
ACTION_KINDS = ("multi_discrete", "continuous", "discrete")
SHORT = {"episode_steps": 20}


def assert_same(left: Any, right: Any, where: str = "") -> None:
    """Equal values, types and dtypes, through dicts, tuples and object arrays; bit for bit."""
    assert type(left) is type(right), f"{where}: {type(left)} and {type(right)}"
    if isinstance(left, dict):
        assert left.keys() == right.keys(), f"{where}: {left.keys() ^ right.keys()}"
        for key in left:
            assert_same(left[key], right[key], f"{where}[{key!r}]")
    elif isinstance(left, (tuple, list)):
        assert len(left) == len(right), where
        for i, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_same(a, b, f"{where}[{i}]")
    elif isinstance(left, np.ndarray):
        assert (left.dtype, left.shape) == (right.dtype, right.shape), f"{where}: {left.dtype}, {right.dtype}"
        if left.dtype == object:
            for i, (a, b) in enumerate(zip(left.flat, right.flat, strict=True)):
                assert_same(a, b, f"{where}[{i}]")
        else:
            assert left.tobytes() == right.tobytes(), f"{where}: {left} and {right}"
    else:
        assert left == right, f"{where}: {left!r} and {right!r}"


def scripted_orders(step: int, count: int) -> np.ndarray:
    """(count, 3) option indices that quote both sides, move about, and now and then take."""
    i = np.arange(count)
    bid = np.array([2, 3, 1, 2, 0, 4])[(step // 3 + i) % 6]
    ask = np.array([2, 2, 3, 1, 5, 0])[(step // 4 + i) % 6]
    take = np.where((step + i) % 17 == 5, 1 + (step + i) % 2, 0)
    return np.stack([bid, ask, take], axis=1).astype(np.int64)


def encoded(envs: Any, orders: np.ndarray) -> Any:
    """The orders as a batch of actions of the environments' encoding."""
    return envs.unwrapped.action_schema.encode(orders[:, 0], orders[:, 1], orders[:, 2])


def digest(*arrays: Any) -> str:
    """A short hash of the bytes of all arrays."""
    hasher = hashlib.sha256()
    for array in arrays:
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()[:16]
