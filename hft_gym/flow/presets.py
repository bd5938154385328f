"""Named parameter tables. A new preset is one entry here (or a :class:`FlowConfig` of your own); units are per
second."""

from __future__ import annotations

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError
from hft_gym.flow.config import FlowConfig


def _geometric(p: float, n: int) -> tuple[float, ...]:
    return tuple((1.0 - p) ** k for k in range(n))


def _cst2010() -> FlowConfig:
    """Cont, Stoikov and Talreja (2010), Table 2 (Sky Perfect Communications), per minute there; power law beyond 5
    ticks."""
    limit = (1.85, 1.51, 1.09, 0.88, 0.77, *(1.92 * i**-0.52 for i in range(6, 65)))
    cancel = (0.71, 0.81, 0.68, 0.56, 0.47)
    return FlowConfig(
        limit_rates=tuple(r / 60.0 for r in limit),
        cancel_rates=tuple(r / 60.0 for r in cancel),
        market_rate=0.94 / 60.0,
    )


def _default() -> FlowConfig:
    """A liquid stock: about 100 book messages a second, mostly a one- or two-tick spread, informed flow on a
    jumping value."""
    return FlowConfig(
        limit_rates=(2.5, 6.0, 5.0, 3.6, 2.4, 1.6, 1.2, 0.9, 0.7, 0.5),
        cancel_rates=(0.25, 0.25, 0.2, 0.18, 0.16),
        market_rate=2.3,
        limit_sizes=_geometric(0.5, 10),
        market_sizes=_geometric(0.5, 20),
        jump_rate=0.5,
        jump_sizes=(0.0, 1.0, 1.0, 0.5),
        informed_rate=2.7,
        informed_edge=1.0,
    )


PRESETS: dict[str, FlowConfig] = {"default": _default(), "cst2010": _cst2010()}
"""The presets by name."""


def preset(name: str) -> FlowConfig:
    """The preset called *name*.

    :raises ConfigError: if there is none, naming those there are.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown flow preset {name!r}{did_you_mean(name, list(PRESETS))}")
    return PRESETS[name]
