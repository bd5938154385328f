"""A calibrated market as text: the settings that differ from the defaults, as TOML or as a preset's module."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pprint import pformat
from textwrap import indent, wrap
from typing import Any

from hft_gym.config import to_dict
from hft_gym.errors import ConfigError

__all__ = ["as_module", "changed", "rounded", "toml_lines"]


def as_module(settings: Mapping[str, Any], lot: int, title: str, command: str) -> str:
    """A preset's module from a market's *settings*: docstring *title*, and the *command* that made it."""
    rest = {name: value for name, value in settings.items() if name != "flow"}
    made_by = " \\\n#       ".join(wrap(command, 100, break_on_hyphens=False)) or "?"
    return (
        f'"""{title}"""\n\nfrom typing import Any\n\nfrom hft_gym.config import build\n'
        f"from hft_gym.flow.config import FlowConfig\n\n# Made by:\n#   {made_by}\n# fmt: off\n"
        f"FLOW = build(\n    FlowConfig,\n{wrapped(settings['flow'])},\n)\n"
        f"SETTINGS: dict[str, Any] = {pformat(rest, width=90, sort_dicts=False)}\n"
        f"LOT = {lot}\n# fmt: on\n"
    )


def wrapped(flow: Mapping[str, Any]) -> str:
    return indent(pformat(flow, width=114, compact=True, sort_dicts=False), "    ")


def changed(config: Any) -> dict[str, Any]:
    """Settings of a configuration that differ from its defaults; those without default always."""
    found = {}
    plain = to_dict(config)
    blank: dict[str, Any] = {}
    # Where a setting has no default everything is written.
    with suppress(TypeError, ConfigError):
        blank = to_dict(type(config)())
    for f in fields(config):
        value = getattr(config, f.name)
        if value is None or (f.name in blank and plain[f.name] == blank[f.name]):
            continue
        found[f.name] = changed(value) if is_dataclass(value) else plain[f.name]
    return found


def toml_lines(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[str]:
    """A table of settings as TOML lines: plain values first, then the tables in it."""
    lines = [f"{key} = {_value(value)}" for key, value in table.items() if not isinstance(value, Mapping)]
    for key, value in table.items():
        if isinstance(value, Mapping):
            here = (*path, key)
            lines += ["", f"[{'.'.join(here)}]", *toml_lines(value, here)]
    return lines


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(v) for v in value)}]"
    return repr(value)


def rounded(value: Any) -> Any:
    """Floats to seven digits: more than any estimate has."""
    if isinstance(value, Mapping):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value
