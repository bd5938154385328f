"""What a client may choose from: strategies with their parameters, trained agents of the runs folder, presets.

A client names an entry; the path of an agent's file is looked up here, and never comes from a client.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError

__all__ = ["Catalogue", "Parameter"]

HIDDEN = ("symbol", "tick_size")
"""Parameters that the market decides."""
AGENT = "agent.zip"
MAX_AGENTS = 200
_KINDS: dict[Any, str] = {int: "int", float: "float", bool: "bool"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a strategy.

    Attributes:
        name: as the strategy has it.
        kind: ``"int"``, ``"float"``, ``"bool"`` or ``"choice"``.
        default: its value if not told; None: the strategy scales it to the market.
        choices: allowed values of a choice.
    """

    name: str
    kind: str
    default: Any
    choices: tuple[str, ...] = ()


class Catalogue:
    """The lists. Agents are looked for whenever asked: one that has just been trained is there at once.

    Args:
        runs: folder of runs of ``hft-gym train ppo``.
        extra: further agents by the name that they are shown under, such as those of the command line.

    An agent is a folder of a run, or a file that `agents.save` wrote.
    """

    def __init__(self, runs: Path, extra: Mapping[str, Path] | None = None) -> None:
        self.runs, self.extra = runs, dict(extra or {})

    @cached_property
    def baselines(self) -> dict[str, tuple[str, tuple[Parameter, ...]]]:
        """Name -> what it is and its parameters, of the scripted strategies that make markets or take."""
        import baselines

        found = {}
        for name in baselines.names():
            cls = baselines.get(name)
            if "market-making" in cls.tasks:
                found[name] = (_plain(inspect.getdoc(cls) or ""), _parameters(cls))
        return found

    def agents(self) -> dict[str, Path]:
        """Name -> folder or file, of the trained agents, newest first."""
        found = dict(self.extra)
        folders = [p for p in self.runs.iterdir() if p.is_dir()] if self.runs.is_dir() else []
        runs = [f for f in folders if not f.is_symlink() and (f / AGENT).is_file()]
        for run in sorted(runs, key=lambda f: (f / AGENT).stat().st_mtime, reverse=True)[:MAX_AGENTS]:
            if run not in found.values():
                found.setdefault(f"runs/{run.name}", run)
        return found

    @cached_property
    def presets(self) -> dict[str, str]:
        """Name -> what it is, of the markets."""
        from hft_gym.flow import PRESETS
        from hft_gym.flow.presets import preset_about

        return {name: _plain(preset_about(name)) for name in PRESETS}

    def resolve(self, name: str, parameters: Mapping[str, Any]) -> str:
        """What `LiveSession` calls a strategy that a client has named: a baseline's name or an agent's path.

        Raises:
            ConfigError: there is no such entry, or it has no such parameter, or not of that type.
        """
        scripted, agents = self.baselines, self.agents()
        if name in agents:
            if parameters:
                raise ConfigError(f"{name}: a trained agent has no parameters, got {', '.join(parameters)}")
            return str(agents[name])
        if name not in scripted:
            raise ConfigError(f"unknown strategy {name!r}{did_you_mean(name, [*scripted, *agents])}")
        known = {p.name: p for p in scripted[name][1]}
        for key, value in parameters.items():
            if key not in known:
                raise ConfigError(f"{name}: unknown parameter {key!r}{did_you_mean(key, list(known))}")
            _check(name, known[key], value)
        return name

    def name_of(self, strategy: str) -> str:
        """The entry's name of what `resolve` returned."""
        if strategy in self.baselines:
            return strategy
        return next((name for name, path in self.agents().items() if str(path) == strategy), strategy)

    def to_json(self) -> dict[str, Any]:
        """Everything, for the page."""
        scripted = {
            name: {"about": about, "parameters": [vars(p) for p in parameters]}
            for name, (about, parameters) in self.baselines.items()
        }
        return {"baselines": scripted, "agents": list(self.agents()), "presets": self.presets}


def _plain(docstring: str) -> str:
    """The first paragraph without the marks of a docstring."""
    return " ".join(docstring.split("\n\n")[0].split()).replace("``", "")[:240]


def _parameters(cls: type[Any]) -> tuple[Parameter, ...]:
    hints = typing.get_type_hints(cls.__init__)
    found = []
    for p in inspect.signature(cls).parameters.values():
        hint = hints.get(p.name)
        default = None if p.default is p.empty else p.default
        if p.name in HIDDEN:
            continue
        if hint in _KINDS:
            found.append(Parameter(p.name, _KINDS[hint], default))
        elif typing.get_origin(hint) is Literal:
            found.append(Parameter(p.name, "choice", default, tuple(map(str, typing.get_args(hint)))))
    return tuple(found)


def _check(strategy: str, parameter: Parameter, value: Any) -> None:
    where, kind = f"{strategy}: {parameter.name}", parameter.kind
    if kind == "choice" and value not in parameter.choices:
        raise ConfigError(f"{where}: got {value!r}{did_you_mean(str(value), parameter.choices)}")
    if kind == "bool" and not isinstance(value, bool):
        raise ConfigError(f"{where}: expected true or false, got {value!r}")
    if kind in ("int", "float") and (isinstance(value, (bool, str)) or (kind == "int" and value != int(value))):
        raise ConfigError(f"{where}: expected a {'whole ' * (kind == 'int')}number, got {value!r}")
