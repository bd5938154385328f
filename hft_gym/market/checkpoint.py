"""A market's state as values: the arrays in use, and one file that holds them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.config import to_dict
from hft_gym.data.replay import ReplayFeed
from hft_gym.errors import CheckpointError
from hft_gym.files import read_arrays, write_arrays
from hft_gym.market.arrays import MarketArrays

FORMAT, VERSION = "hft_gym market", 1
_DERIVED = ("param", "flow", "fills")
"""Arrays that follow from the configuration, or hold nothing between calls."""
_COUNTED = {"fill_log": "n_fills", "order_log": "n_orders", "mid_log": "n_mids"}
_HEADER = {"format", "version", "config", "seed", "log_capacity", "symbol", "feed", "digest"}


def values(arrays: MarketArrays) -> dict[str, NDArray[Any]]:
    """Copies of the arrays of one market by name; of the logs only what is in use."""
    found = {}
    for field in fields(arrays):
        if field.name not in _DERIVED:
            array = getattr(arrays, field.name)
            if field.name in _COUNTED:
                array = array[:, : int(arrays.state[_COUNTED[field.name]][0])]
            found[field.name] = array.copy()
    return found


def assign(arrays: MarketArrays, found: Mapping[str, NDArray[Any]], path: Any = None) -> None:
    """Write *found* to freshly allocated *arrays*.

    Raises:
        CheckpointError: an array is missing or not of the right shape and type.
    """
    wanted = {field.name for field in fields(arrays)} - set(_DERIVED)
    if set(found) != wanted:
        raise CheckpointError(f"{path}: arrays are {sorted(found)}; needed are {sorted(wanted)}")
    for name, array in found.items():
        target = getattr(arrays, name)
        if name in _COUNTED:
            target = target[:, : array.shape[1] if array.ndim == 2 else 0]
        if array.dtype != target.dtype or array.shape != target.shape:
            raise CheckpointError(
                f"{path}: {name} is {array.dtype} {array.shape}; this version and configuration need "
                f"{target.dtype} {target.shape}"
            )
        target[...] = array


def fingerprint(feed: ReplayFeed | None) -> str | None:
    """What a recorded day is recognised by."""
    if feed is None:
        return None
    digest = hashlib.sha256(np.ascontiguousarray(feed.ops).tobytes())
    digest.update(repr((feed.symbol, feed.date, feed.rows, feed.tick_size, feed.checkpoint_rows)).encode())
    return digest.hexdigest()


def check_feed(path: Any, wanted: str | None, feed: ReplayFeed | None) -> None:
    """Compare the recorded day that a file needs with the one given.

    Raises:
        CheckpointError: they differ.
    """
    if wanted != fingerprint(feed):
        need = "no recorded day" if wanted is None else "the recorded day it was saved with, as feed="
        raise CheckpointError(f"{path}: feed is {feed!r}; this market needs {need}")


def write(path: str | os.PathLike[str], header: Mapping[str, Any], found: Mapping[str, NDArray[Any]]) -> None:
    """Write header and arrays to *path*, at once or not at all."""
    text = {**header, "config": to_dict(header["config"]), "format": FORMAT, "version": VERSION}
    text["digest"] = _digest(text, found)
    encoded = np.frombuffer(json.dumps(text).encode(), np.uint8)
    write_arrays(path, {"header": encoded, **found}, compressed=True)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what :func:`write` wrote.

    Raises:
        CheckpointError: no such file, damaged, or of another version.
    """
    arrays = read_arrays(path, "saved market")
    try:
        header = json.loads(arrays.pop("header").tobytes())
        known = isinstance(header, dict) and header.get("format") == FORMAT
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged, or no saved market ({error})") from error
    if not known:
        raise CheckpointError(f"{path} is no saved market")
    if header.get("version") != VERSION:
        found = header.get("version")
        raise CheckpointError(f"{path} is of version {found!r}; allowed is version {VERSION}")
    if set(header) != _HEADER or header["digest"] != _digest(header, arrays):
        raise CheckpointError(f"{path} is damaged: its contents do not match their digest")
    return header, arrays


def _digest(header: Mapping[str, Any], found: Mapping[str, NDArray[Any]]) -> str:
    words = {name: value for name, value in header.items() if name != "digest"}
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode())
    for name in sorted(found):
        array = found[name]
        digest.update(f"{name} {array.dtype.descr} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
