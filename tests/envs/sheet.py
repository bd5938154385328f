"""The settings as the data sheet of the environment prints them."""

import dataclasses
from typing import Any

from hft_gym.config import field_doc, to_dict
from hft_gym.envs.config import EnvConfig


def settings_table(config: Any = None) -> str:
    """Every setting of *config* (default: the market's) with its default and meaning, nested ones by their path."""
    head = "| setting | default | meaning |\n|---|---|---|\n"
    return head + "\n".join(f"| ``{n}`` | {d} | {m} |" for n, d, m in _rows(config or EnvConfig(), ""))


def _rows(config: Any, prefix: str) -> list[tuple[str, str, str]]:
    rows = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        name = prefix + field.name
        if dataclasses.is_dataclass(value):
            rows += _rows(value, f"{name}.")
            continue
        plain = to_dict(config)[field.name]
        default = ", ".join(map(str, plain)) if isinstance(plain, list) else _show(plain)
        rows.append((name, default, field_doc(type(config), field.name).replace("|", "/")))
    return rows


def _show(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:_}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
