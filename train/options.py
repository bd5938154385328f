"""The command line shared by the training scripts: tyro over frozen dataclasses, errors in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from hft_gym.errors import ConfigError, HFTGymError
from hft_gym.flow import FlowConfig

__all__ = ["parse", "program", "script"]

T = TypeVar("T")

_REGISTRY = ConstructorRegistry()


@_REGISTRY.primitive_rule
def _flow(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[FlowConfig | str] | None:
    """On a command line an order flow is a preset's name: without this rule tyro would make subcommands of
    it.
    """
    if info.type != FlowConfig | str:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="PRESET",
        instance_from_str=lambda words: words[0],
        is_instance=lambda value: isinstance(value, (str, FlowConfig)),
        str_from_instance=lambda value: [value if isinstance(value, str) else "custom"],
    )


def parse(options: type[T], arguments: list[str] | None = None, module: str = "") -> T:
    """The options of a script from its command line (default: the process's).

    Args:
        options: a dataclass; its docstring is the help text.
        arguments: the words after the command.
        module: ``"train.NAME"``, shown as ``python -m train.NAME`` unless started by ``hft-gym``.

    Raises:
        SystemExit: help was asked for, or a word was wrong (status 2).
    """
    return tyro.cli(options, args=arguments, prog=program(module), registry=_REGISTRY)


def script(main: Callable[[], None], module: str) -> None:
    """Run a script; errors that it raises on purpose become one line and an exit status, 2 for a wrong
    option.
    """
    try:
        main()
    except HFTGymError as error:
        print(f"{program(module)}: {error}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, ConfigError) else 1) from None
    except KeyboardInterrupt:
        print(f"{program(module)}: interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def program(module: str) -> str:
    """What the user typed to get here."""
    return sys.argv[0] if sys.argv[0].startswith("hft-gym") else f"python -m {module}"
