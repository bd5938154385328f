"""The records of a trader: they grow without end, and the process does not grow with them."""

import os
from pathlib import Path

import numpy as np
import pytest

from hft_gym.live import tenure
from hft_gym.live.tenure import IN_MEMORY, LOGS, PATH, Tenure


def rows(first: int, count: int) -> np.ndarray:
    made = np.zeros(count, PATH)
    made["time"] = np.arange(first, first + count)
    made["equity"] = made["time"] * 0.5
    return made


def grown(count: int, chunk: int = 500) -> Tenure:
    trader = Tenure("someone", "baseline", "AAPL", 1, 0)
    for first in range(0, count, chunk):
        trader.restore({"path": rows(first, min(chunk, count - first))})
    return trader


@pytest.mark.parametrize("count", [10, IN_MEMORY // PATH.itemsize, 3 * IN_MEMORY // PATH.itemsize, 40_000])
def test_what_was_written_is_read_wherever_it_lies(count: int) -> None:
    trader = grown(count)
    np.testing.assert_array_equal(trader.path, rows(0, count))
    trader.note((count - 1, 7.0, 0, 0.0, 0.0, 0.0, 0))  # of the last one's time: it takes its place
    trader.note((count, 8.0, 0, 0.0, 0.0, 0.0, 0))
    assert trader.path["equity"][-2:].tolist() == [7.0, 8.0]
    assert len(trader.path) == count + 1


def test_what_was_handed_out_stays_as_it_was_when_more_is_written() -> None:
    trader = grown(20_000)
    before = trader.path
    trader.restore({"path": rows(20_000, 50_000)})
    np.testing.assert_array_equal(before, rows(0, 20_000))
    np.testing.assert_array_equal(trader.path, rows(0, 70_000))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's account of a process's memory")
def test_the_process_does_not_grow_with_its_records() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    grown(20_000)
    before = resident()
    kept = grown(800_000, 4_000)  # 45 MB
    assert len(kept.path) == 800_000
    assert resident() - before < 15e6


def test_a_full_disk_leaves_the_records_in_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    half = grown(20_000)
    monkeypatch.setattr(tenure.mmap, "mmap", full)
    with caplog.at_level("WARNING", "hft_gym.live"):
        half.restore({"path": rows(20_000, 60_000)})
    np.testing.assert_array_equal(half.path, rows(0, 80_000))
    assert "No space left" in caplog.text
    assert set(LOGS) | {"path"} == set(half.parts())
