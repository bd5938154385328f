"""Curves and recordings: bounded, true, and complete for a client that follows them."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hft_gym.dashboard.history import Cursor, History
from hft_gym.dashboard.recording import Frames, Recordings
from hft_gym.errors import DataError


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=300))
def test_a_client_that_follows_has_the_whole(moves):
    """At any moments it asks: what it has put together is what the history holds."""
    history, cursor, mine, time = History(("time", "mid"), capacity=16), Cursor(), {"time": [], "mid": []}, 0
    for gap, asks in moves:
        time += gap
        history.add({"time": time, "mid": time % 7, "unknown": 1.0})
        assert len(history) <= 16
        if asks:
            anew, rows, cursor = history.since(cursor)
            mine = rows if anew else {name: mine[name] + rows[name] for name in mine}
            assert mine == history.to_json()


def test_thinning_keeps_the_whole_span():
    history = History(("time", "x"), capacity=100)
    for time in range(10_000):
        history.add({"time": time, "x": 2.0 * time})
    told = history.to_json()
    assert told["time"][0] == 0 and told["time"][-1] > 9_700 and 50 <= len(history) <= 100
    assert np.array_equal(np.array(told["x"]), 2 * np.array(told["time"])), "rows stay what they were"
    gaps = np.diff(told["time"])
    assert gaps.max() < 2.5 * gaps.min()


def test_frames_are_bounded_and_span_the_session():
    frames = Frames(capacity=50, spacing_ns=10)
    for time in range(0, 20_000, 5):
        frames.add(time, b'{"t": %d}' % time)
    assert len(frames) <= 50
    told = [frame["t"] for frame in frames.to_json()]
    assert told == frames.times and told[0] == 0 and told[-1] > 19_000


def test_recordings_come_back_by_name_alone(tmp_path):
    kept = Recordings(tmp_path / "r", most=2)
    names = [kept.write({"symbols": {"A": i}}) for i in range(3)]
    assert len(kept.names()) == 2 and set(kept.names()) < set(names)
    name = kept.names()[0]
    assert json.loads(gzip.decompress(kept.read(name)))["format"] == 1
    (tmp_path / "secret.json.gz").write_bytes(b"secret")
    for wrong in ("../secret", "secret", "", f"../r/{name}", f"{name}.json.gz", "/etc/passwd", name + "\x00"):
        with pytest.raises(DataError, match="no such recording"):
            kept.read(wrong)


def test_without_a_folder_nothing_is_kept():
    assert Recordings(None).names() == []
    with pytest.raises(DataError, match="without a folder"):
        Recordings(None).write({})
