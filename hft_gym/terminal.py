"""What the commands share: options from dataclasses or functions, a console, and the command itself for the record."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import Any

import tyro
from rich.console import Console

__all__ = ["command_line", "make_console", "parse_options"]


def parse_options(kind: Any, argv: Sequence[str] | None = None) -> Any:
    """An instance of the dataclass *kind* (or the result of the function) from the words of a command line.

    Args:
        kind: its docstrings are the help.
        argv: the words; None: the process's.

    Raises:
        SystemExit: help was asked for, or a word was wrong (status 2).
    """
    return tyro.cli(kind, args=argv, prog=sys.argv[0], config=(tyro.conf.FlagCreatePairsOff,))


def make_console(width: int) -> Console:
    """The terminal, or *width* characters where the output is none."""
    return Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else width)


def command_line(command: str, argv: Sequence[str] | None) -> str:
    """``hft-gym COMMAND ...`` as it was typed, for the record; *argv* as in `parse_options`."""
    return shlex.join(["hft-gym", command, *(sys.argv[1:] if argv is None else argv)])
