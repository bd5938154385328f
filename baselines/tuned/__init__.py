"""Tuned parameters, shipped as data: one file for each market preset and baseline.

``baselines/tuned/PRESET/NAME.json`` is written by ``python -m train.tune_baseline NAME`` and holds, beside the
parameters, the command, the seeds, the budget, the figures of all trials, and the version that made them.
Comparisons use them wherever the environment's flow is that preset, whatever its other settings are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hft_gym.config import build, to_dict
from hft_gym.errors import ConfigError

__all__ = ["DEFAULT", "FOLDER", "others", "preset_of", "record", "tuned_parameters"]

FOLDER = Path(__file__).resolve().parent
DEFAULT = "reactive"
"""The preset that the default market is."""


def preset_of(config: Any) -> str | None:
    """The market preset of an environment's configuration, ``default`` by the name of the flow that it is; None for a
    replay or a flow of one's own."""
    flow = config.market.flow
    if config.feed is not None or not isinstance(flow, str):
        return None
    name = flow.replace("_", "-")
    return DEFAULT if name == "default" else name


def record(name: str, config: Any) -> dict[str, Any] | None:
    """What the tuning of a baseline for this market left; None where it was not tuned.

    Raises:
        ConfigError: a damaged file.
    """
    preset = preset_of(config)
    path = FOLDER / str(preset) / f"{name}.json"
    if preset is None or not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        dict(found["parameters"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: damaged tuned parameters ({error})") from None
    return found


def others(found: Mapping[str, Any], config: Any) -> list[str]:
    """Settings that parameters were not tuned with, by name: ``"fees"``, ``"latency"``, ``"randomise.flows"``; empty:
    none. What only concerns a learner (reward, encoding of actions, levels seen) is left out.

    Args:
        found: what `record` gave.
        config: the environment in which they are to play.
    """
    config_then = found.get("config") or {}
    then, now = _parts(to_dict(build(type(config), config_then))), _parts(to_dict(config))
    return [name for name, value in now.items() if then.get(name) != value]


def _parts(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name; the flow is left out, for the parameters are stored by it."""
    left = {name: value for name, value in plain.items() if name not in ("reward", "action", "ladder", "levels")}
    market, randomise = left.pop("market"), left.pop("randomise")
    of_market = {name: value for name, value in market.items() if name != "flow"}
    return {**of_market, **left, **{f"randomise.{name}": randomise[name] for name in ("flows", "ranges", "factors")}}


def tuned_parameters(name: str, config: Any) -> dict[str, Any]:
    """Parameters of a baseline tuned for the market of an environment's configuration; empty: its defaults."""
    found = record(name, config)
    return {} if found is None else dict(found["parameters"])
