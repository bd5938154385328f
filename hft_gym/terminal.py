"""What the commands share: options from dataclasses or functions, a console, and the command itself for the record."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import tyro
from rich.console import Console

from hft_gym.errors import ConfigError

__all__ = ["command_line", "make_console", "parse_options", "refuse_bare"]


def parse_options(kind: Any, argv: Sequence[str] | None = None) -> Any:
    """An instance of the dataclass *kind* (or the result of the function) from the words of a command line.

    Args:
        kind: its docstrings are the help.
        argv: the words; None: the process's.

    Raises:
        SystemExit: help was asked for, or a word was wrong (status 2).
        ConfigError: see `refuse_bare`.
    """
    refuse_bare(kind, sys.argv[1:] if argv is None else argv)
    return tyro.cli(kind, args=argv, prog=sys.argv[0], config=(tyro.conf.FlagCreatePairsOff,))


def refuse_bare(kind: Any, words: Sequence[str]) -> None:
    """Refuse a list that is asked for and then left empty: it would pass for one that was never asked for.

    A list that is not empty by default may be emptied so.

    Raises:
        ConfigError: ``--policies`` without a policy, for instance.
    """
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    lists = {f"--{f.name.replace('_', '-')}" for f in fields if f.default == ()}
    for word, following in pairwise([*words, "--"]):
        if word.replace("_", "-") in lists and following.startswith("--"):
            raise ConfigError(f"{word[2:]}: no value is given; leave the option out for its default")


def make_console(width: int) -> Console:
    """The terminal, or *width* characters where the output is none."""
    return Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else width)


def command_line(command: str, argv: Sequence[str] | None) -> str:
    """``hft-gym COMMAND ...`` as it was typed, for the record; *argv* as in `parse_options`."""
    return shlex.join(["hft-gym", command, *(sys.argv[1:] if argv is None else argv)])
