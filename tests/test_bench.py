"""The benchmark's core: it measures in turns, forms ratios run by run, and cannot publish a wrong book."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hft_gym import cli
from hft_gym.bench import harness, machine, report
from hft_gym.bench.c_yardstick import CBook
from hft_gym.bench.harness import Case, Options, Plan, Ratio, Row, Unavailable, group, measure
from hft_gym.bench.plain_book import PlainBook
from hft_gym.bench.rows_book import _play_plain, _require_equal
from hft_gym.bench.stream import generate
from hft_gym.types import MESSAGE_DTYPE, MessageKind

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def groups(monkeypatch):
    monkeypatch.setattr(harness, "GROUPS", {})
    return harness.GROUPS


def figures(values, log=None, name=""):
    left = list(values)

    def run():
        if log is not None:
            log.append(name)
        return left.pop(0)

    return run


def test_cases_are_measured_in_turns_and_ratios_run_by_run(groups):
    log = []

    @group("g", "a group")
    def build(options):
        cases = [
            Case("a", "s", figures([2, 9, 30], log, "a"), lambda: 4.5, least=("<=", 10), aim=("<=", 5)),
            Case("b", "s", figures([1, 3, 10], log, "b")),
        ]
        return Plan(cases, [Ratio("a by b", "a", "b", (">=", 2.5), (">=", 4))])

    first, second, ratio = measure("g", Options(repeats=3))
    assert log == ["a", "b"] * 3
    assert (first.value, first.low, first.high, first.messages_per_step, first.met) == (
        9,
        2,
        30,
        4.5,
        "least",
    )
    assert (second.value, second.met) == (3, "")
    assert ratio.runs == [2, 3, 3]
    assert (ratio.value, ratio.met) == (3, "least")


def test_what_is_unavailable_or_broken_is_a_row_and_the_rest_goes_on(groups):
    closed = []

    @group("g", "a group")
    def build(options):
        def missing():
            raise Unavailable("no compiler")

        def broken():
            raise RuntimeError("the trades differ")

        cases = [Case("c", "s", missing), Case("d", "s", broken), Case("a", "s", figures([1, 1]), once=True)]
        return Plan(cases, [Ratio("a by c", "a", "c")], close=lambda: closed.append(True))

    @group("h", "another")
    def build_nothing(options):
        raise Unavailable("not here")

    rows = measure("g", Options(repeats=2))
    assert [(r.name, r.status, r.note) for r in rows] == [
        ("c", "skipped", "no compiler"),
        ("d", "failed", "RuntimeError: the trades differ"),
        ("a", "measured", ""),
    ]
    assert closed == [True]
    (row,) = measure("h", Options())
    assert (row.status, row.note) == ("skipped", "not here")


@pytest.mark.parametrize(("value", "expected"), [(1.0, "aim"), (1.8, "least"), (2.3, "missed"), (None, "")])
def test_targets(value, expected):
    assert Row("g", "r", value=value, least=("<=", 2.2), aim=("<=", 1.5)).met == expected


def test_reports(tmp_path):
    rows = [
        Row(
            "g", "fast [thing]", "steps/s", 1_234_567.0, 1e6, 2e6, [1e6, 2e6], 9.87, (">=", 1e6), (">=", 2e6)
        ),
        Row("h", "absent", note="not here", status="skipped"),
    ]
    from rich.console import Console

    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(report.table(rows))
    report.print_notes(rows, console)
    text = console.export_text()
    for needed in ("1,234,567", "9.9", ">= 2,000,000", "reached", "absent (skipped): not here"):
        assert needed in text
    assert "| fast [thing] | 1,234,567 steps/s | 9.9 |" in report.markdown(rows)
    report.write_json(tmp_path / "deep" / "bench.json", rows, Options())
    record = json.loads((tmp_path / "deep" / "bench.json").read_text())
    assert record["rows"][0]["met"] == "least"
    assert {"machine", "versions", "commit", "date", "options", "schema"} <= set(record)


def test_the_record_names_no_host_no_user_and_no_path():
    import getpass
    import socket

    text = json.dumps(machine.describe())
    assert f'"{socket.gethostname()}"' not in text
    assert f'"{getpass.getuser()}"' not in text
    assert str(ROOT) not in text


def test_stream_is_seeded_and_of_the_stated_mix():
    stream = generate(30_000, seed=3)
    again = generate(30_000, seed=3)
    assert stream.messages.tobytes() == again.messages.tobytes()
    assert stream.warm_up.tobytes() == again.warm_up.tobytes()
    assert stream.messages.tobytes() != generate(30_000, seed=4).messages.tobytes()
    assert stream.messages.dtype == MESSAGE_DTYPE
    kinds = np.bincount(stream.messages["kind"], minlength=5) / len(stream.messages)
    assert kinds[MessageKind.LIMIT] == pytest.approx(0.57, abs=0.02)
    assert kinds[MessageKind.CANCEL] == pytest.approx(0.40, abs=0.02)
    assert kinds[MessageKind.REDUCE] == pytest.approx(0.03, abs=0.01)
    assert 2_000 <= stream.live <= 4_000
    limits = stream.messages[stream.messages["kind"] == MessageKind.LIMIT]
    assert len(np.unique(limits["order_id"])) == len(limits)


def test_sparse_ids_are_one_to_one_and_scattered():
    stream = generate(20_000)
    sparse = stream.sparse()
    both = np.stack([stream.messages["order_id"], sparse.messages["order_id"]], axis=1)
    pairs = np.unique(both, axis=0)
    assert len(np.unique(pairs[:, 0])) == len(np.unique(pairs[:, 1])) == len(pairs)
    assert pairs[:, 1].min() >= 0
    assert pairs[:, 1].max() > 2**61


def test_plain_book_is_price_time():
    book = PlainBook()
    for order_id, price in ((1, 101), (2, 100), (3, 100)):
        book.limit(order_id, 1, price, 5)
    book.limit(4, 0, 101, 12)
    assert book.trades == [(4, 2, 100, 5), (4, 3, 100, 5), (4, 1, 101, 2)]
    assert book.orders == {1: [1, 101, 3]}
    assert (book.best(0), book.best(1)) == (None, 101)


@pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")
def test_the_c_yardstick_trades_as_the_plain_book():
    stream = generate(30_000, seed=5)
    yardstick = CBook(stream)
    yardstick.run()
    _require_equal(yardstick.trades, _play_plain(stream)[1])


def test_a_book_with_other_trades_cannot_be_published():
    trades = np.array([[1, 2, 100, 5]])
    _require_equal(trades, trades)
    with pytest.raises(RuntimeError, match="trades differ"):
        _require_equal(trades + 1, trades)
    with pytest.raises(RuntimeError, match="trades differ"):
        _require_equal(trades[:0], trades)


def test_command_lists_groups_and_answers_typos(capsys):
    assert cli.main(["bench", "--list"]) == 0
    assert "standard stream" in capsys.readouterr().out
    assert cli.main(["bench", "--only", "bok"]) == 2
    assert "did you mean 'book'" in capsys.readouterr().err


@pytest.mark.slow
def test_the_quick_benchmark_runs_in_a_checkout(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--repeats", "1", "--json", str(tmp_path / "b.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert not [r for r in rows if r["status"] == "failed"]
    assert any(r["messages_per_step"] for r in rows)
