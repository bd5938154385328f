"""The log: one set-up, for people or machines; importing installs nothing."""

import json
import logging
import math
import re
import subprocess
import sys

import pytest

from hft_gym import ConfigError, setup_main_logger
from hft_gym.cli import main


@pytest.fixture(autouse=True)
def as_before():
    logger = logging.getLogger("hft_gym")
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    for handler in logger.handlers:
        if handler not in before[0]:
            handler.close()
    logger.handlers[:], logger.level, logger.propagate = before


def test_importing_installs_no_handler():
    code = (
        "import logging, hft_gym, hft_gym.feed, hft_gym.cli, baselines, train.ppo\n"
        "print([n for n in (None, *logging.root.manager.loggerDict) if (n or '').startswith('hft_gym')"
        " and logging.getLogger(n).handlers], logging.root.handlers)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[] []"


def test_text_for_people(capsys):
    logger = setup_main_logger()
    logging.getLogger("hft_gym.feed").info("connected to %s", "mock://")
    logging.getLogger("hft_gym.feed").debug("not shown")
    logger.warning("gone")
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO    hft_gym\.feed: connected to mock://", first)
    assert second.endswith("WARNING hft_gym: gone")


def test_json_for_machines(tmp_path):
    path = tmp_path / "log.jsonl"
    logger = setup_main_logger("debug", style="json", path=path)
    logger.debug('a "quoted"\nline', extra={"symbol": "AAPL", "odd": {1}, "time": 5, "none": math.nan})
    try:
        raise ValueError("bad")
    except ValueError:
        logger.exception("it failed")
    logging.getLogger("elsewhere").error("of somebody else")
    first, second = map(json.loads, path.read_text().splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("DEBUG", "hft_gym", 'a "quoted"\nline')
    assert (first["symbol"], first["odd"], first["extra_time"], first["none"]) == ("AAPL", "{1}", 5, "nan")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", first["time"])
    assert set(first) == {"time", "level", "logger", "message", "symbol", "odd", "extra_time", "none"}
    assert "ValueError: bad" in second["exception"]


def test_a_second_call_replaces_the_first(capsys, tmp_path):
    setup_main_logger(path=tmp_path / "first")
    first = logging.getLogger("hft_gym").handlers[0]
    logger = setup_main_logger(logging.ERROR)
    logger.error("once")
    assert len(logger.handlers) == 1 and capsys.readouterr().err.count("once") == 1
    assert first.stream is None  # closed
    assert (tmp_path / "first").read_text() == ""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"level": "LOUD"}, "level is 'LOUD'"),
        ({"level": 17}, "level is 17"),
        ({"level": None}, "level is None"),
        ({"style": "jsn"}, "did you mean 'json'"),
        ({"path": "/no/such/folder/log"}, "cannot be written to /no/such/folder/log"),
    ],
)
def test_wrong_settings_change_nothing(settings, said):
    logger = setup_main_logger("INFO")
    handlers = logger.handlers[:]
    with pytest.raises(ConfigError, match=said):
        setup_main_logger(**settings)
    assert logger.handlers == handlers and logger.level == logging.INFO


def test_the_command_sets_it_up(tmp_path, capsys):
    path = tmp_path / "log"
    words = ["watch-feed", "mock://", "--seconds", "0.3", "--market", "poisson"]
    assert main(["--log-level", "info", "--log-style=json", "--log-path", str(path), *words]) == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["message"].split(": ")[1] for line in lines] == ["connected", "disconnected"]
    assert {line["logger"] for line in lines} == {"hft_gym.feed"}
    capsys.readouterr()
    for wrong, said in (
        (["--log-lvel", "info"], "did you mean '--log-level'"),
        (["--log-level"], "needs a value"),
        (["--log-level=loud", "version"], "level is 'loud'"),
    ):
        assert main(wrong) == 2
        assert said in capsys.readouterr().err
