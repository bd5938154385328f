"""The dashboard: live sessions of the market in a browser. docs/dashboard.md tells more."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hft_gym.dashboard.config import DashboardConfig
    from hft_gym.dashboard.run import Dashboard, create_demo_dashboard

__all__ = ["Dashboard", "DashboardConfig", "create_demo_dashboard"]

_HOMES = {"DashboardConfig": "config", "Dashboard": "run", "create_demo_dashboard": "run"}


def __getattr__(name: str) -> Any:
    """Load a public name at its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
