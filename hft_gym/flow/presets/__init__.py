"""Named order flows. A new preset is one file in this folder: a module with a :class:`FlowConfig` called ``FLOW``.

Its name is the module's, with hyphens for underscores (``large_tick.py`` is ``large-tick``); both are understood.
Modules are imported when they are asked for.

Where a flow was made for a market of other sizes than the usual ones (opening price, warm-up, room in the book) the
module states them as ``SETTINGS``, which `MarketConfig` takes up (:func:`preset_settings`). A calibrated preset also
has ``LOT``, the shares of one lot (:func:`preset_lot`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.flow.config import FlowConfig


def _module(name: str) -> Any:
    return import_module(f"{__name__}.{name.replace('-', '_')}")


class _Presets(Mapping[str, FlowConfig]):
    """The presets by name, each imported on first use."""

    def __init__(self) -> None:
        self._names = sorted(m.name.replace("_", "-") for m in iter_modules(__path__))

    def __getitem__(self, name: str) -> FlowConfig:
        name = name.replace("_", "-")
        if name not in self._names:
            raise KeyError(name)
        flow: FlowConfig = _module(name).FLOW
        return flow

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.replace("_", "-") in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


PRESETS: Mapping[str, FlowConfig] = _Presets()
"""The presets by name."""


def preset(name: str) -> FlowConfig:
    """The preset called *name*.

    :raises ConfigError: if there is none, naming those there are.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown flow preset {name!r}{did_you_mean(name, list(PRESETS))}")
    return PRESETS[name]


def preset_about(name: str) -> str:
    """What the preset called *name* is, and from which paper: the first paragraph of its module's docstring."""
    preset(name)
    return " ".join(str(_module(name).__doc__).split("\n\n")[0].split())


def preset_settings(name: str) -> dict[str, Any]:
    """Sizes of the market that the preset called *name* was made for; mostly none."""
    preset(name)
    return dict(getattr(_module(name), "SETTINGS", {}))


def preset_lot(name: str) -> int:
    """Shares (lots of the data) of one lot of a calibrated preset; 1 of any other."""
    preset(name)
    return int(getattr(_module(name), "LOT", 1))
