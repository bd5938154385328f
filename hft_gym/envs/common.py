"""What the single and the vector face share: settings, seeds, modes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np

from hft_gym.config import build, did_you_mean, to_dict
from hft_gym.errors import ConfigError

__all__ = [
    "INTEGER_KEYS",
    "RENDER_MODES",
    "check_count",
    "check_options",
    "check_render_mode",
    "draw_key",
    "make_config",
    "of_task",
]

C = TypeVar("C")

RENDER_MODES = ("human", "rgb_array", "ansi")
INTEGER_KEYS = ("inventory", "unclosed", "variant", "quantity", "quantity_left")
"""Infos that count: whole numbers, though the core keeps all infos in one float array."""


def make_config(config: C | Mapping[str, Any] | None, settings: Mapping[str, Any], kind: type[C]) -> C:
    """The configuration of an environment from a whole one, single settings, or both (settings win).

    Args:
        config: a configuration, or the same as nested mappings; None means the defaults.
        settings: fields of the configuration; nested ones may be mappings that name only what differs.
        kind: the class of the configuration.

    Raises:
        ConfigError: unknown setting (with the nearest name), wrong type or value out of range.
    """
    if not settings:
        return build(kind, config)
    base = to_dict(config) if isinstance(config, kind) else dict(cast("Mapping[str, Any]", config or {}))
    return build(kind, _merge(base, settings))


def of_task(task: str | None, config: Any, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of an environment that is for one task; None: for any.

    Raises:
        ConfigError: another task is asked for.
    """
    if task is None:
        return settings
    default = "market-making"
    given = config.get("task", default) if isinstance(config, Mapping) else getattr(config, "task", default)
    asked = settings.get("task", task)
    if asked != task or given not in (task, default):
        raise ConfigError(f"task: this environment's is {task!r}, got {given if asked == task else asked!r}")
    return {**settings, "task": task}


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        old = merged.get(name)
        merged[name] = (
            _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
        )
    return merged


def check_render_mode(mode: str | None, allowed: Sequence[str] = RENDER_MODES) -> str | None:
    """The render mode itself.

    Raises:
        ConfigError: no such mode.
    """
    if mode is not None and mode not in allowed:
        raise ConfigError(f"render_mode: unknown mode {mode!r}{did_you_mean(str(mode), allowed)}, None")
    return mode


def check_count(name: str, value: Any, least: int) -> int:
    """A whole number, checked.

    Raises:
        ConfigError: not one, or below ``least``.
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name}: must be a whole number, at least {least}, got {value!r}")
    return int(value)


def check_options(options: Mapping[str, Any] | None, allowed: tuple[str, ...]) -> None:
    """Refuse reset options that would silently do nothing.

    Raises:
        ConfigError: an unknown option.
    """
    for name in options or ():
        if name not in allowed:
            raise ConfigError(f"reset: unknown option {name!r}{did_you_mean(str(name), allowed)}")


def draw_key(generator: np.random.Generator) -> int:
    """The 64-bit key from which an environment's episodes all derive."""
    return int(generator.integers(0, 2**64, dtype=np.uint64))
