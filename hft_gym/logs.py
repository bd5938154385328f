"""The log: everything here logs below ``hft_gym`` with the standard library, and `setup_main_logger` says where to.

Modules write ``logger = logging.getLogger("hft_gym.feed")`` and no more. Importing installs no handler: until this
set-up, or one of your own, warnings alone are shown, as Python does by itself.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from datetime import UTC, datetime
from os import PathLike
from typing import Any, Literal, TextIO

from hft_gym.config import did_you_mean
from hft_gym.errors import ConfigError

__all__ = ["LEVELS", "JsonLines", "setup_main_logger"]

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_STYLES = ("text", "json")
_KNOWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time`` (ISO 8601, UTC, microseconds), ``level``, ``logger``, ``message``, what the call
    gave as ``extra`` (``extra_time`` where it has such a name), and ``exception`` where there is one. What JSON cannot
    hold is written as its ``repr``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """See the class."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in _KNOWN:
                plain = not isinstance(value, float) or math.isfinite(value)
                line[f"extra_{name}" if name in line else name] = value if plain else repr(value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=repr, ensure_ascii=False)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is at that moment: notebooks and tests exchange it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def setup_main_logger(
    level: str | int = "INFO", *, style: Literal["text", "json"] = "text", path: str | PathLike[str] | None = None
) -> logging.Logger:
    """Show the log of everything below ``hft_gym``, once: a second call replaces the first.

    Args:
        level: the least that is shown, one of `LEVELS` (or its number in `logging`).
        style: ``"text"`` for people, ``"json"`` for machines (`JsonLines`).
        path: a file to append to (UTF-8); None: stderr.

    Returns:
        The logger ``hft_gym``. It has one handler, and hands nothing to the root logger any more.

    Raises:
        ConfigError: an unknown level or style, or a file that cannot be opened; the old set-up stays.

    >>> logger = setup_main_logger("WARNING")
    >>> logger.name, logging.getLevelName(logger.level), len(logger.handlers)
    ('hft_gym', 'WARNING', 1)
    """
    name = logging.getLevelName(level) if isinstance(level, int) and not isinstance(level, bool) else level
    name = name.upper() if isinstance(name, str) else name
    if name not in LEVELS:
        raise ConfigError(f"level is {level!r}{did_you_mean(str(name), LEVELS)}")
    if style not in _STYLES:
        raise ConfigError(f"style is {style!r}{did_you_mean(str(style), _STYLES)}")
    handler: logging.Handler
    try:
        handler = _Stderr() if path is None else logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the log cannot be written to {path}: {error.strerror}") from error
    text = logging.Formatter("{asctime}.{msecs:03.0f} {levelname:<7} {name}: {message}", "%Y-%m-%d %H:%M:%S", style="{")
    handler.setFormatter(JsonLines() if style == "json" else text)
    logger = logging.getLogger("hft_gym")
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    logger.addHandler(handler)
    logger.setLevel(name)
    logger.propagate = False
    return logger
