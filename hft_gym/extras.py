"""Optional modules: which extra of hft_gym brings them, and the error when they are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from hft_gym.errors import MissingExtraError

__all__ = ["EXTRAS", "missing", "needing_extras", "optional", "pip_command"]

EXTRAS = {
    "torch": "train",
    "stable_baselines3": "train",
    "sb3_contrib": "train",
    "tensorboard": "train",
    "tqdm": "train",
    "optuna": "train",
    "plotly": "plot",
    "scipy": "calibrate",
    "lumina_lob": "bench-peers",
    "pyarrow": "data",
    "duckdb": "data",
    "databento_dbn": "data",
    "orjson": "data",
    "websockets": "live",
    "httpx": "live",
    "starlette": "dashboard",
    "uvicorn": "dashboard",
}
"""Optional module -> the extra of hft_gym that installs it."""

ROOT = Path(__file__).resolve().parent.parent


def pip_command(extra: str) -> str:
    """What to type for an extra: of an installed package, or of the checkout that this is."""
    if not (ROOT / "pyproject.toml").is_file():
        return f'pip install "hft_gym[{extra}]"'
    return f'pip install -e "{"." if Path.cwd() == ROOT else ROOT}[{extra}]"'


def missing(module: str | None) -> MissingExtraError | None:
    """The error to raise when *module* cannot be found; None if no extra brings it."""
    top = (module or "").partition(".")[0]
    if top not in EXTRAS:
        return None
    return MissingExtraError(f"{top} is not installed; mend it with:  {pip_command(EXTRAS[top])}", name=module)


@contextmanager
def needing_extras() -> Iterator[None]:
    """For imports of optional modules: a missing one becomes a `MissingExtraError`."""
    try:
        yield
    except ModuleNotFoundError as error:
        found = missing(error.name)
        if found is None or isinstance(error, MissingExtraError):
            raise
        raise found from error


def optional(module: str) -> Any:
    """Import an optional *module*.

    Raises:
        MissingExtraError: it is not installed.
    """
    with needing_extras():
        return import_module(module)
