"""Recordings: what passed is what is read back; a killed recorder leaves whole parts and loses at most a second."""

import asyncio
import math
import os
import signal
import subprocess
import sys
import time

import pytest

from hft_gym import cli
from hft_gym.errors import ConfigError, DataError, FeedError
from hft_gym.feed import MockDataFeed, RecordedDataFeed, RecordingFeed, open_feed, read_recording
from hft_gym.feed import recording as module
from hft_gym.feed.messages import DataKind, MarketDataMessage
from hft_gym.feed.recording import PartWriter, recorded_parts, to_messages, to_table
from hft_gym.types import OrderSide
from tests.feed.harness import ManualClock, run

LOSSLESS = {"policy": "block", "speed": math.inf}


def mock(**more):
    return MockDataFeed({"symbols": ["AAPL", "MSFT"], "levels": 3, **LOSSLESS, **more})


async def record(folder, n, **more):
    async with RecordingFeed(mock(**more), folder) as feed:
        stream = feed.start_streaming()
        found = [await anext(stream) for _ in range(n)]
        stream.close()
    return found


def test_what_passed_is_what_is_read(tmp_path):
    found = run(record(tmp_path / "day", 700))
    table = read_recording(tmp_path / "day")
    kept = list(to_messages(table))
    assert kept[:700] == found  # and what had passed to the buffer by then
    assert [m.kind for m in kept[:700]] == [m.kind for m in found]
    received = table["received"].to_pylist()
    assert received == sorted(received)


def test_every_kind_of_message_survives():
    rows = [
        (MarketDataMessage("A", 1, None, None, None, 0, 0, 0, 1, DataKind.LOST), 5),
        (MarketDataMessage("Ä", 2**62, 1.5, 1.25, 1.75, 3, 4.5, 2, 2, DataKind.TRADE, OrderSide.ASK), 6),
        (MarketDataMessage("A", 3, 1.5, 1.25, None, 3, 0, 0, 3, bids=((1.25, 3), (1.0, 0.5)), snapshot=True), 7),
    ]  # fmt: skip
    assert list(to_messages(to_table(rows))) == [m for m, _ in rows]


@pytest.mark.parametrize("speed", [math.inf, 20.0])
def test_a_recording_plays_again(tmp_path, speed):
    found = run(record(tmp_path / "day", 400))

    async def main():
        settings = {"url": f"recording:{tmp_path / 'day'}", "policy": "block", "speed": speed}
        async with RecordedDataFeed(settings, clock=ManualClock()) as feed:
            assert set(feed.symbols) == {"AAPL", "MSFT"}
            return [m async for m in feed.start_streaming()]

    again = run(main())
    assert again[:400] == found
    alone = run(_read(open_feed({"url": str(tmp_path / "day"), "symbols": ["MSFT"], **LOSSLESS})))
    assert alone == [m for m in again if m.symbol == "MSFT"]


async def _read(feed):
    async with feed:
        return [m async for m in feed.start_streaming()]


def test_parts_are_joined_and_none_is_read_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "JOINED", 4)
    writer = PartWriter(tmp_path)
    rows = [(MarketDataMessage("A", i, None, None, None, 0, 0, 0, i), i) for i in range(1, 23)]
    for i in range(0, 22, 2):
        writer.write(rows[i : i + 2])
    assert len(recorded_parts(tmp_path)) == 2 + 3
    kept = [m.sequence for m in to_messages(read_recording(tmp_path))]
    assert kept == list(range(1, 23))
    # Killed between joining and deleting: both are there, and each message is read once.
    before = (tmp_path / "part-00000001-00000004.parquet").read_bytes()
    PartWriter(tmp_path)._put(to_table(rows[2:4]), 2, 2)
    assert (tmp_path / "part-00000001-00000004.parquet").read_bytes() == before
    assert [m.sequence for m in to_messages(read_recording(tmp_path))] == list(range(1, 23))


def test_a_recording_is_continued(tmp_path):
    first = run(record(tmp_path, 50))
    (tmp_path / "part-00000099-00000099.tmp").write_bytes(b"half a part")
    second = run(record(tmp_path, 50, seed=1))
    kept = list(to_messages(read_recording(tmp_path)))
    assert kept[:50] == first and not list(tmp_path.glob("*.tmp"))
    start = next(i for i, m in enumerate(kept) if i and m.symbol == "AAPL" and m.snapshot and i > 1)
    assert kept[start : start + 50] == second


def test_a_continued_recording_has_one_clock(tmp_path):
    """A mock market's clock begins anew with every recorder; that of an exchange would go on by itself."""
    first = run(record(tmp_path, 50))
    run(record(tmp_path, 50, seed=1))
    kept = list(to_messages(read_recording(tmp_path)))
    again = run(_read(RecordedDataFeed({"url": str(tmp_path), **LOSSLESS})))
    times = [m.timestamp for m in again]
    assert times == sorted(times) and [m.timestamp for m in kept] != times
    assert [m._replace(timestamp=0) for m in again] == [m._replace(timestamp=0) for m in kept]
    assert again[:50] == first
    start = next(i for i, m in enumerate(kept) if i > 1 and m.snapshot)
    shifts = {b - a.timestamp for a, b in zip(kept[start:], times[start:], strict=True)}
    assert shifts == {times[start - 1] - kept[start].timestamp}


def test_a_folder_of_other_things_is_no_place_for_a_recording(tmp_path, capsys):
    theirs = [tmp_path / "mine" / name for name in ("notes.txt", "thesis.tmp")]
    theirs[0].parent.mkdir()
    for path in theirs:
        path.write_text("mine")
    for folder in (tmp_path / "mine", theirs[0]):
        assert cli.main(["watch-feed", "mock", "--seconds", "0.1", "--record", str(folder)]) == 2
        assert "holds no recording; allowed is a folder that is new, empty, or has one" in capsys.readouterr().err
    assert sorted((tmp_path / "mine").iterdir()) == theirs
    # A recording with other things beside it is continued, and only its own drafts are swept away.
    (tmp_path / "empty").mkdir()
    run(record(tmp_path / "empty", 20))
    other, draft = tmp_path / "empty" / "thesis.tmp", tmp_path / "empty" / "part-00000009-00000009.tmp"
    other.write_text("mine")
    draft.write_text("half")
    run(record(tmp_path / "empty", 20))
    assert other.read_text() == "mine" and not draft.exists()
    assert read_recording(tmp_path / "empty").num_rows >= 40


def test_what_is_no_recording_is_said(tmp_path):
    with pytest.raises(DataError, match="no folder of a recording"):
        read_recording(tmp_path / "nowhere")
    run(record(tmp_path, 20))
    with pytest.raises(ConfigError, match="no symbol TSLA; it has AAPL, MSFT"):
        run(RecordedDataFeed({"url": str(tmp_path), "symbols": ["TSLA"]}).connect())
    part = recorded_parts(tmp_path)[0]
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_recording(tmp_path)


def test_a_full_disk_reaches_the_reader(tmp_path, monkeypatch):
    def fail(self, rows):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PartWriter, "write", fail)
    monkeypatch.setattr(module, "MOST_ROWS", 10)

    async def main():
        feed = RecordingFeed(mock(), tmp_path)
        await feed.connect()
        await feed.subscribe(["AAPL"])
        with pytest.raises(FeedError, match="No space left"):
            async for _ in feed.start_streaming():
                pass
        monkeypatch.undo()
        await feed.disconnect()

    run(main())


KILLED = """
import asyncio, sys, time
from hft_gym.feed import MockDataFeed, RecordingFeed

async def main():
    feed = MockDataFeed({"symbols": ["AAPL"], "levels": 2, "speed": 20.0, "buffer_size": 100000})
    async with RecordingFeed(feed, sys.argv[1]) as recorder:
        async for message in recorder.start_streaming():
            print(message.sequence, time.time_ns(), flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that cannot be caught")
def test_a_killed_recorder_loses_at_most_a_second(tmp_path):
    """It is killed in the middle; every message that passed a second or more before is in a part that can be read."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "day")], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None
    try:
        lines = []
        while len(lines) < 100 or len(list((tmp_path / "day").glob("part-*.parquet"))) < 3:
            line = process.stdout.readline()
            assert line, "the recorder has ended by itself"
            lines.append(line)
    finally:
        process.send_signal(signal.SIGKILL)
        killed = time.time_ns()
        rest = process.communicate()[0]
    complete = [line for line in "".join([*lines, rest]).splitlines(keepends=True) if line.endswith("\n")]
    passed = [tuple(map(int, line.split())) for line in complete]  # the kill may have cut the last one off
    kept = [m.sequence for m in to_messages(read_recording(tmp_path / "day"))]
    assert kept == list(range(kept[0], kept[0] + len(kept))), "a message is missing, or there twice"
    safe = [sequence for sequence, at in passed if at < killed - 10**9]
    assert len(kept) > 50 and set(safe) <= set(kept)


def test_cancelling_writes_what_passed(tmp_path):
    async def main():
        seen = []

        async def work():
            async with RecordingFeed(mock(speed=5.0, policy="drop_oldest"), tmp_path) as feed:
                async for message in feed.start_streaming():
                    seen.append(message)

        task = asyncio.create_task(work())
        while len(seen) < 50:
            await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    seen = run(main())
    assert list(to_messages(read_recording(tmp_path)))[: len(seen)] == seen
