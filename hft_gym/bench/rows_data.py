"""Rows of recorded data: decoding, replay through the compiled book, and the memory of a conversion."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hft_gym.bench.harness import Case, Options, Plan, Ratio, Unavailable, clock, group
from hft_gym.extras import optional

# VmHWM and not getrusage: the latter counts the memory of the process that started this one.
_PEAK = """
import sys
from pathlib import Path
from hft_gym.data.convert import convert
convert(Path(sys.argv[1]), Path(sys.argv[2]), strict=True)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def _tapes(messages: int, names: tuple[str, ...]) -> Path:
    """A temporary folder with one made-up stream in the formats named."""
    for module in ("databento_dbn", "pyarrow"):
        optional(module)
    from hft_gym.bench import tape

    folder = Path(tempfile.mkdtemp(prefix="hft_gym-bench-"))
    made = tape.make_tape(messages)
    writers = {"tape.itch": tape.write_itch, "tape.dbn": tape.write_dbn, "TAPE_message_1.csv": tape.write_lobster}
    for name in names:
        writers[name](folder / name, made)
    return folder


@group("data", "recorded data: decoding and replay")
def data(options: Options) -> Plan:
    """Decoding alone (bytes to messages), decoding with every check, and the replay of a feed's operations."""
    folder = _tapes(options.pick(2_000_000, 300_000), ("tape.itch", "tape.dbn", "TAPE_message_1.csv"))
    goal = (">=", 2.0)
    cases = [
        Case(f"decoding {title}", "M messages/s", partial(_decode, folder / name), least=goal)
        for title, name in (("ITCH 5.0", "tape.itch"), ("DBN (MBO)", "tape.dbn"), ("LOBSTER", "TAPE_message_1.csv"))
    ]
    cases.append(Case("decoding ITCH 5.0, every check, the book followed", "M messages/s", partial(_check, folder)))
    cases.append(
        Case(
            "replay through the compiled book",
            "M messages/s",
            _replay(folder / "tape.itch"),
            least=(">=", 10.0),
            note="the operations of the ITCH feed, each row's best quotes compared",
        )
    )
    cases.append(
        Case("itchfeed, decoding the same ITCH", "M messages/s", partial(_itchfeed, folder / "tape.itch"), once=True)
    )
    return Plan(cases, close=partial(shutil.rmtree, folder, True))


@group("memory", "memory while converting")
def memory(options: Options) -> Plan:
    """Peak memory of a conversion in a process of its own, and of one four times as long."""
    if not Path("/proc/self/status").exists():
        raise Unavailable("peak memory is read from /proc/self/status, which only Linux has")
    messages = options.pick(3_000_000, 1_000_000)
    small, large = _tapes(messages, ("tape.itch",)), _tapes(4 * messages, ("tape.itch",))
    million = messages // 1_000_000
    names = (f"converting ITCH, {million} M messages", f"converting ITCH, {4 * million} M messages")
    cases = [
        Case(name, "MB at the peak", partial(_peak, folder), once=True)
        for name, folder in zip(names, (small, large), strict=True)
    ]

    def close() -> None:
        for folder in (small, large):
            shutil.rmtree(folder, True)

    ratio = Ratio("peak memory of a file four times as long", names[1], names[0], least=("<=", 1.1))
    return Plan(cases, [ratio], close)


def _rate(messages: int, seconds: float) -> float:
    return messages / seconds / 1e6


def _decode(path: Path) -> float:
    """Bytes of a file to FEED_DTYPE, nothing else [M messages/s]."""
    from hft_gym.data.formats import open_source
    from hft_gym.data.issues import IssueLog

    source = open_source(path, IssueLog(strict=True))
    count = 0

    def work() -> None:
        nonlocal count
        count = sum(len(chunk.records) for chunk in source.chunks())

    seconds = clock(work)
    return _rate(count, seconds)


def _check(folder: Path) -> float:
    from hft_gym.data.convert import validate

    count = 0

    def work() -> None:
        nonlocal count
        count = validate(folder / "tape.itch", strict=True).messages

    seconds = clock(work)
    return _rate(count, seconds)


def _replay(path: Path) -> Callable[[], float]:
    from hft_gym.data.check_replay import prepare, run
    from hft_gym.data.replay import ReplayFeed

    feed: list[ReplayFeed] = []

    def once() -> float:
        if not feed:
            feed.append(ReplayFeed.from_file(path, 0.01))
            run(feed[0], prepare(feed[0]))  # compiles
        state = prepare(feed[0])
        seconds = clock(lambda: run(feed[0], state))
        return _rate(len(feed[0].ops), seconds)

    return once


def _itchfeed(path: Path) -> float:
    """The yardstick of the ITCH decoder, over the first 50,000 messages."""
    try:
        from itch.parser import MessageParser  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ModuleNotFoundError as error:
        raise Unavailable("the package itchfeed is not installed; pip install itchfeed") from error
    short = path.with_name("short.itch")
    short.write_bytes(path.read_bytes()[:1_400_000])
    count = 0

    def work() -> None:
        nonlocal count
        with short.open("rb") as file:
            count = sum(1 for _ in MessageParser().parse_file(file))

    seconds = clock(work)
    return _rate(count, seconds)


def _peak(folder: Path) -> float:
    """Peak resident memory of a conversion in a fresh process [MB]."""
    command = [sys.executable, "-c", _PEAK, str(folder / "tape.itch"), str(folder / "out.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) * 1024 / 1e6
