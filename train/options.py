"""The command line shared by the training scripts: tyro over frozen dataclasses, errors in one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from hft_gym.errors import HFTGymError
from hft_gym.flow import FlowConfig
from hft_gym.market.config import MarketConfig
from hft_gym.terminal import refuse_bare

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


def parse(options: type[T], arguments: Sequence[str] | None = None, module: str = "") -> T:
    """The options of a script from its command line (default: the process's).

    Of options with an environment, ``--env.market NAME`` is a whole market (a preset or a TOML file), in which
    ``--env.market.SETTING`` then changes single settings.

    Args:
        options: a dataclass whose fields all have defaults; its docstring is the help text.
        arguments: the words after the command.
        module: ``"train.NAME"``, shown as ``python -m train.NAME`` unless started by ``hft-gym``.

    Raises:
        SystemExit: help was asked for, or a word was wrong (status 2).
        ConfigError: a value out of range, a market that does not exist, or a list without a value.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    refuse_bare(options, words)
    default: Any = options()
    if hasattr(default, "env"):
        # Read first: a market brings the defaults that the help shows and the other options change.
        chosen = argparse.ArgumentParser(program(module), add_help=False, allow_abbrev=False)
        chosen.add_argument("--env.market", dest="market", metavar="NAME")
        chosen.add_argument("--env.market.flow", dest="flow", metavar="PRESET")
        given, words = chosen.parse_known_args(words)
        if given.market or given.flow:
            market = MarketConfig(flow=given.flow) if given.market is None else MarketConfig.named(given.market)
            market = replace(market, flow=given.flow or market.flow)
            default = replace(default, env=replace(default.env, market=market))
    return tyro.cli(options, args=words, default=default, prog=program(module), registry=_REGISTRY)


def script(main: Callable[[], object], module: str) -> None:
    """Call ``main`` as ``python -m MODULE`` does: what it raises on purpose becomes one line and an exit status, the
    same as `hft_gym.cli.main`'s.
    """
    try:
        main()
    except HFTGymError as error:
        print(f"{program(module)}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print(f"{program(module)}: interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def program(module: str) -> str:
    """What the user typed to get here."""
    return sys.argv[0] if sys.argv[0].startswith("hft-gym") else f"python -m {module}"
