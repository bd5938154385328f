"""Clock times, windows, their split, and where episodes start."""

import doctest

import numpy as np
import pytest

from hft_gym.data import ReplayFeed, ReplayWindow, clock_text, parse_clock, window
from hft_gym.errors import ConfigError
from tests.data.synthetic import write_day

S = 10**9


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("09:30", 34_200), ("9:30", 34_200), ("16:00:00", 57_600), ("24:00", 86_400), (34_200, 34_200), (0, 0)],
)
def test_clock_times(given, seconds):
    assert parse_clock(given) == seconds * S


def test_fractions_are_exact():
    assert parse_clock("09:30:00.000000001") == 34_200 * S + 1
    assert parse_clock(34_200.25) == 34_200 * S + S // 4
    assert clock_text(34_200 * S) == "09:30:00"
    assert clock_text(34_200 * S + S // 4) == "09:30:00.25"


@pytest.mark.parametrize(
    "given",
    ["", "9", "09:60", "09:30:61", "25:00", "nine", -1, 86_401, float("nan"), float("inf"), None, True],
)
def test_what_is_no_time_of_day(given):
    with pytest.raises(ConfigError, match=r"is not a time of day|is not within one day"):
        parse_clock(given)


def test_a_split_shares_no_instant():
    day = ReplayWindow(34_200 * S, 45_000 * S)
    train, held_out = day.split()
    assert str(train) == "09:30:00-11:30:00" and str(held_out) == "11:30:00-12:30:00"
    assert day.split(at="11:30") == (train, held_out)
    assert day.split(fraction=0.5)[1].start_ns == 39_600 * S
    for bad in ({"at": "09:30"}, {"at": "13:00"}, {"fraction": 1.0}, {"fraction": 0.0}):
        with pytest.raises(ConfigError, match="the cut must lie inside the window"):
            day.split(**bad)


def test_consecutive_episodes_are_disjoint_and_inside():
    hour = ReplayWindow(41_400 * S, 45_000 * S)
    starts = hour.episode_starts(300 * S, "consecutive")
    assert len(starts) == 12
    assert np.all(np.diff(starts) == 300 * S)
    assert starts[0] == hour.start_ns and starts[-1] + 300 * S == hour.end_ns
    assert len(hour.episode_starts(301 * S, "consecutive")) == 11
    assert hour.episode_starts(300 * S, "consecutive", count=3).tolist() == starts[:3].tolist()


def test_random_episodes_lie_inside_and_repeat_with_their_seed():
    hour = ReplayWindow(41_400 * S, 45_000 * S)
    a, b = (hour.episode_starts(300 * S, "random", 2_000, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(a, b)
    assert a.min() >= hour.start_ns and a.max() + 300 * S <= hour.end_ns
    assert a.min() < hour.start_ns + 60 * S and a.max() > hour.end_ns - 360 * S
    assert (
        hour.episode_starts(3_600 * S, "random", 3, np.random.default_rng(0)).tolist() == [hour.start_ns] * 3
    )


def test_bad_requests_name_what_is_allowed():
    hour = ReplayWindow(41_400 * S, 45_000 * S)
    with pytest.raises(ConfigError, match="3601 s does not fit into the window 11:30:00-12:30:00"):
        hour.episode_starts(3_601 * S, "consecutive")
    with pytest.raises(ConfigError, match="does not fit"):
        hour.start_bounds(0)
    with pytest.raises(ConfigError, match="mode is 'shuffled'"):
        hour.episode_starts(S, "shuffled")
    with pytest.raises(ConfigError, match="needs count= and rng="):
        hour.episode_starts(S)
    with pytest.raises(ConfigError, match="is empty"):
        ReplayWindow(5, 5)


def test_a_feeds_window_defaults_to_its_hours(tmp_path):
    feed = ReplayFeed.from_lobster(write_day(tmp_path, rows=100))
    assert str(feed.window()) == "09:30:00-16:00:00"
    assert feed.window("10:00", 36_060) == ReplayWindow(36_000 * S, 36_060 * S)
    hours = r"reaches beyond the hours of TOY 2020-01-02, 09:30:00-16:00:00 \(first row at 09:30:0.*, last at 09:3"
    for start, end, asked in (("09:00", None, "09:00:00-16:00:00"), ("16:30", None, "16:30:00-16:00:00"),
                              (None, "17:00", "09:30:00-17:00:00"), (None, "09:00", "09:30:00-09:00:00")):  # fmt: skip
        with pytest.raises(ConfigError, match=f"the window {asked} {hours}"):
            feed.window(start, end)
    with pytest.raises(ConfigError, match="the window 11:00:00-10:00:00 is empty"):
        feed.window("11:00", "10:00")


def test_docstrings():
    assert doctest.testmod(window).failed == 0
