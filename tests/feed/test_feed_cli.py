"""``hft-gym serve-feed`` and ``watch-feed``: from one terminal to another."""

import re
import subprocess
import sys

from hft_gym import cli
from hft_gym.feed import read_recording


def test_one_process_serves_and_another_watches(tmp_path, capsys):
    command = [
        sys.executable,
        "-m",
        "hft_gym",
        "serve-feed",
        "--symbols",
        "AAPL",
        "MSFT",
        "--port",
        "0",
        "--speed",
        "20",
    ]
    with subprocess.Popen([*command, "--seconds", "60"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            url = re.search(r"ws://127\.0\.0\.1:\d+", line)
            assert url is not None, line
            watching = [
                "watch-feed",
                url[0],
                "--symbols",
                "MSFT",
                "--seconds",
                "0.5",
                "--record",
                str(tmp_path / "day"),
            ]
            assert cli.main(watching) == 0
        finally:
            server.terminate()
    shown = capsys.readouterr().out
    assert "MSFT" in shown and "AAPL" not in shown and "delivered" in shown
    assert set(read_recording(tmp_path / "day")["symbol"].to_pylist()) == {"MSFT"}


def test_a_recording_is_watched_to_its_end(tmp_path, capsys):
    folder = str(tmp_path / "day")
    assert (
        cli.main(
            ["watch-feed", "mock://", "--market", "reactive", "--speed", "50", "--seconds", "0.3", "--record", folder]
        )
        == 0
    )
    assert cli.main(["watch-feed", folder, "--speed", "inf"]) == 0
    assert capsys.readouterr().out.count("AAPL") >= 2
    parts = sorted((tmp_path / "day").iterdir())
    assert cli.main(["watch-feed", folder, "--speed", "inf", "--record", folder]) == 2
    assert "is the recording that is read" in capsys.readouterr().err
    assert sorted((tmp_path / "day").iterdir()) == parts


def test_mistakes_are_one_line(capsys, tmp_path):
    for seconds in ("-1", "nan"):
        assert cli.main(["watch-feed", "mock://", "--seconds", seconds]) == 2
        assert f"seconds is {float(seconds)}; allowed are" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert cli.main(["watch-feed", "mock://", "--seconds", "1", "--record", str(tmp_path / "file")]) == 2
    assert f"{tmp_path / 'file'} holds no recording; allowed is a folder" in capsys.readouterr().err
    for words, said in (
        (("replay:day.csv", "--seed", "5"), "seed is 5, but the feed is replay:day.csv; --seed is for mock feeds"),
        ((str(tmp_path), "--market", "calm"), "--market is for mock feeds"),
        (("mock", "--token", "a-token-of-some-length"), "but a MockDataFeed has no use for it"),
        (("mock", "--speed", "nan"), "speed: expected a number or inf, got nan"),
    ):
        assert cli.main(["watch-feed", *words, "--seconds", "1"]) == 2
        assert said in capsys.readouterr().err
    assert cli.main(["watch-feed", "mok://", "--seconds", "1"]) == 2
    assert "did you mean 'mock'" in capsys.readouterr().err
    assert cli.main(["watch-feed", "mock://", "--market", "reactve", "--seconds", "1"]) == 2
    assert "reactive" in capsys.readouterr().err
    assert cli.main(["watch-feed", "ws://127.0.0.1:1", "--seconds", "1"]) == 2
    assert "cannot be reached" in capsys.readouterr().err
    assert cli.main(["serve-feed", "--host", "0.0.0.0", "--seconds", "1"]) == 2
    assert "needs a token" in capsys.readouterr().err
    assert cli.main(["serve-feed", "--token", "short", "--seconds", "1"]) == 2
    assert "token has 5 characters; allowed are 16 to 256" in capsys.readouterr().err
    assert cli.main(["serve-feed", "--host", "192.0.2.1", "--token", "a-token-of-some-length", "--seconds", "1"]) == 2
    assert "cannot listen" in capsys.readouterr().err
