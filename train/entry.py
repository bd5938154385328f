"""The end of every script: expected failures become one line and an exit status instead of a trace."""

from __future__ import annotations

import sys
from collections.abc import Callable

from hft_gym.errors import ConfigError, HFTGymError
from train.options import program

__all__ = ["run"]


def run(main: Callable[[], object], module: str) -> None:
    """Call ``main`` as ``python -m MODULE`` does; ``hft-gym`` has the same rules in `hft_gym.cli`.

    Raises:
        SystemExit: status 2 for a mistake in the options, 1 for what cannot be done, 130 when interrupted.
    """
    try:
        main()
    except HFTGymError as error:
        print(f"{program(module)}: {error}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, ConfigError) else 1) from None
    except KeyboardInterrupt:
        print(f"{program(module)}: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
