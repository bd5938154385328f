"""Conversion: resumable, atomic, strict or repaired; faults put into sound files are all found."""

import json
import struct

import numpy as np
import pytest

from hft_gym import cli
from hft_gym.data import convert as module
from hft_gym.data.archive import ArchiveSource
from hft_gym.data.convert import convert, validate
from hft_gym.data.issues import IssueLog
from hft_gym.errors import ConfigError, DataError
from tests.data.feeds import Exchange, binance_lines, dbn_bytes, dbn_csv, frame, head, itch_messages, write_itch
from tests.data.synthetic import make_rows, write_rows

pytest.importorskip("pyarrow", reason="needs the extra data")


def table(path):
    """All records, rows and book rows of a converted file."""
    chunks = list(ArchiveSource(path, IssueLog()).chunks())
    books = [c.book for c in chunks if c.book is not None]
    return (
        np.concatenate([c.records for c in chunks]),
        np.concatenate([c.rows for c in chunks]),
        np.concatenate(books) if books else None,
    )


def make(folder, form, seed=1):
    if form == "lobster":
        return write_rows(folder, make_rows(600, 3, 8, seed=seed))
    exchange = Exchange(seed, n=600)
    path = folder / f"made.{form}"
    if form == "itch":
        write_itch(path, exchange)
    elif form == "dbn":
        path.write_bytes(dbn_bytes(exchange))
    elif form == "csv":
        path.write_text(dbn_csv(exchange))
    else:
        path.write_text("\n".join(binance_lines(seed, n=300)[0]) + "\n")
    return path


FORMS = ("itch", "dbn", "csv", "binance", "lobster")


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("form", FORMS)
def test_an_interrupted_conversion_goes_on_and_ends_the_same(tmp_path, monkeypatch, form):
    monkeypatch.setattr("hft_gym.data.sources.ByteBlocks.__init__.__defaults__", (1_500,))
    source = make(tmp_path, form)
    whole, again = tmp_path / "whole.parquet", tmp_path / "again.parquet"
    first = convert(source, whole, strict=True, part=100)
    runs = 0
    limit = 250

    def stop(read, size, messages):
        if messages > limit:
            raise Interrupted

    while True:
        runs += 1
        try:
            last = convert(source, again, strict=True, part=100, progress=stop)
            break
        except Interrupted:
            assert not again.exists() and (tmp_path / "again.parquet.partial").is_dir()
            limit += 250
    assert runs > 1 and last.resumed > 0 and last.messages == first.messages
    assert not (tmp_path / "again.parquet.partial").exists()
    for one, two in zip(table(whole), table(again), strict=True):
        assert np.array_equal(one, two)
    assert last.statistics == first.statistics and last.meta == first.meta


def test_issues_survive_an_interruption(tmp_path, monkeypatch):
    monkeypatch.setattr("hft_gym.data.sources.ByteBlocks.__init__.__defaults__", (1_500,))
    messages = itch_list()
    for fault in (no_type, twice):
        messages = fault(messages)[0]
    source, target = tmp_path / "x.itch", tmp_path / "x.parquet"
    source.write_bytes(b"".join(messages))

    def stop(read, size, messages):
        if messages > 400:
            raise Interrupted

    with pytest.raises(Interrupted):
        convert(source, target, part=100, progress=stop)
    found = convert(source, target, part=100)
    whole = validate(source)
    assert found.resumed > 100 and found.log.counts == whole.log.counts and len(whole.log.counts) > 1
    assert found.log.examples == whole.log.examples


def test_a_state_of_another_job_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("hft_gym.data.sources.ByteBlocks.__init__.__defaults__", (1_500,))
    source, target = make(tmp_path, "itch"), tmp_path / "x.parquet"

    def stop(read, size, messages):
        if messages > 300:
            raise Interrupted

    with pytest.raises(Interrupted):
        convert(source, target, part=100, progress=stop)
    write_itch(source, Exchange(99, n=600))
    assert convert(source, target, part=100).resumed == 0
    (tmp_path / "y.parquet.partial").mkdir()
    (tmp_path / "y.parquet.partial" / "state.json").write_text("{")
    assert convert(source, tmp_path / "y.parquet", part=100).resumed == 0


@pytest.mark.parametrize("form", FORMS)
def test_what_was_converted_is_sound(tmp_path, form):
    target = tmp_path / "x.parquet"
    converted = convert(make(tmp_path, form), target, strict=True)
    again = validate(target, strict=True)
    assert again.messages == converted.messages and again.statistics == converted.statistics


# -- faults --------------------------------------------------------------------------------------------------


def itch_list(seed=1):
    return list(itch_messages(Exchange(seed, n=600)))


def first_of(messages, code, start=60):
    return next(i for i in range(start, len(messages)) if messages[i][2:3] == code)


def negative_size(m):
    i = first_of(m, b"A")
    return [*m[:i], m[i][:22] + struct.pack(">I", 0) + m[i][26:], *m[i + 1 :]], "size", i


def swapped(m):
    i = next(k for k in range(60, len(m)) if m[k][7:13] != m[k + 1][7:13] and m[k][2:3] == m[k + 1][2:3] == b"A")
    return [*m[:i], m[i + 1], m[i], *m[i + 2 :]], "time", i + 1


def missing_add(m):
    i = first_of(m, b"A")
    order = m[i][13:21]
    later = next((k for k in range(i + 1, len(m)) if m[k][13:21] == order and m[k][2:3] in b"DXEU"), None)
    while later is None:
        i = first_of(m, b"A", i + 1)
        order = m[i][13:21]
        later = next((k for k in range(i + 1, len(m)) if m[k][13:21] == order and m[k][2:3] in b"DXEU"), None)
    return [*m[:i], *m[i + 1 :]], "unknown", later - 1


def twice(m):
    i = first_of(m, b"A")
    return [*m[: i + 1], m[i], *m[i + 1 :]], "duplicate", i + 1


def too_much(m):
    i = first_of(m, b"X")
    return [*m[:i], m[i][:21] + struct.pack(">I", 10**6), *m[i + 1 :]], "excess", i


def no_type(m):
    i = first_of(m, b"D")
    return [*m[:i], m[i][:2] + b"z" + m[i][3:], *m[i + 1 :]], "unreadable", i


def cut(m):
    return [*m[:-1], m[-1][:-3]], "truncated", len(m) - 1


def crossing(m):
    time = int.from_bytes(m[299][7:13], "big")
    body = struct.pack(">QcI8sI", 9_999, b"B", 5, b"TEST    ", 100 * 12_000)
    return [*m[:300], frame(head(b"A", 7, time) + body), *m[300:]], "crossed", 300


def wrong_scale(m):
    i = first_of(m, b"P", 2)
    return [*m[:i], m[i][:34] + struct.pack(">I", 100 * 10_000 * 50) + m[i][38:], *m[i + 1 :]], "scale", i


FAULTS = (negative_size, swapped, missing_add, twice, too_much, no_type, cut, crossing, wrong_scale)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_found_named_and_repaired(tmp_path, fault):
    sound = itch_list()
    if fault is wrong_scale:  # a trade before the one that is wrong, to compare with
        i = first_of(sound, b"P", 2)
        sound.insert(i, sound[i])
    messages, kind, row = fault(sound)
    if fault is wrong_scale:
        row = row + 1 if messages[row] == sound[row] else row
        messages, row = [*sound[: i + 1], messages[i], *sound[i + 2 :]], i + 1
    path, target = tmp_path / "bad.itch", tmp_path / "x.parquet"
    path.write_bytes(b"".join(messages))
    found = validate(path)
    assert kind in found.log.counts, found.log.counts
    example = next(i for i in found.log.examples if i.kind == kind)
    assert example.row == row and example.file == str(path)
    with pytest.raises(DataError) as refusal:
        convert(path, target, strict=True)
    assert refusal.value.file is not None and refusal.value.row is not None
    assert not target.exists()
    # Lenient: repaired, counted, and sound from then on.
    converted = convert(path, target)
    assert converted.meta.repairs == dict(converted.log.counts) == dict(found.log.counts)
    assert ArchiveSource(target, IssueLog()).meta.repairs[kind] >= 1
    assert validate(target, strict=True).messages == converted.messages


def test_the_sound_file_of_the_faults_has_none(tmp_path):
    """The negative control."""
    path = tmp_path / "good.itch"
    path.write_bytes(b"".join(itch_list()))
    assert validate(path, strict=True).log.total == 0


def line_fault(lines, row, change):
    fields = lines[row].split(",")
    fields[change[0]] = change[1]
    return [*lines[:row], ",".join(fields), *lines[row + 1 :]]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ((1, "9"), "unreadable"),
        ((3, "-5"), "size"),
        ((3, "5x"), "unreadable"),
        ((4, "-100"), "price"),
        ((5, "7"), "side"),
        ((0, "1.0"), "time"),
    ],
)
def test_lobster_faults(tmp_path, change, kind):
    path = write_rows(tmp_path, make_rows(300, 2, 8, seed=4, halts=False))
    lines = path.read_text().splitlines()
    row = next(i for i in range(100, 200) if lines[i].split(",")[1] == "1")
    path.write_text("\n".join(line_fault(lines, row, change)) + "\n")
    found = validate(path)
    assert found.log.counts[kind] >= 1
    assert next(i for i in found.log.examples if i.kind == kind).row == row
    converted = convert(path, tmp_path / "x.parquet")
    records, rows, book = table(tmp_path / "x.parquet")
    assert len(records) == len(book) == len(lines) - (kind != "time")
    assert (row in rows.tolist()) == (kind == "time") and converted.meta.repairs[kind] == found.log.counts[kind]


def test_lobster_orderbook_faults(tmp_path):
    path = write_rows(tmp_path, make_rows(300, 2, 8, seed=4, halts=False))
    book = next(p for p in tmp_path.iterdir() if "orderbook" in p.name)
    sound = book.read_text()
    lines = sound.splitlines()
    fields = lines[150].split(",")
    fields[0], fields[2] = fields[2], fields[0]
    book.write_text("\n".join([*lines[:150], ",".join(fields), *lines[151:]]) + "\n")
    found = validate(path)
    assert found.log.counts["crossed"] == 1 and found.log.examples[0].row == 150
    book.write_text("\n".join(lines[:200]) + "\n")
    found = validate(path)
    assert found.log.counts["truncated"] == 1 and found.log.examples[0].row == 200
    book.write_text(sound + lines[-1] + "\n")
    assert validate(path).log.counts["truncated"] == 1
    book.write_text(sound[:-4])
    assert validate(path).log.counts["truncated"] >= 1


def test_csv_faults(tmp_path):
    lines = dbn_csv(Exchange(2, n=300)).splitlines()
    header = lines[0].split(",")
    row = next(i for i in range(50, 200) if ",A,B," in lines[i])
    cases = {
        "unreadable": line_fault(lines, row, (header.index("size"), "many")),
        "size": line_fault(lines, row, (header.index("size"), "0")),
        "side": line_fault(lines, row, (header.index("side"), "N")),
    }
    path = tmp_path / "x.csv"
    for kind, changed in cases.items():
        path.write_text("\n".join(changed) + "\n")
        found = validate(path)
        assert found.log.counts[kind] == 1, (kind, found.log.counts)
        assert next(i for i in found.log.examples if i.kind == kind).row == row
    path.write_text("\n".join(lines)[:-5])
    assert validate(path).log.counts["truncated"] == 1


def test_a_given_tick_makes_prices_off_it_an_issue(tmp_path):
    path = make(tmp_path, "itch")
    assert validate(path, tick_size=0.01, strict=True).log.total == 0
    found = validate(path, tick_size=0.05)
    assert found.log.counts["scale"] > 100 and "against 500" in found.log.examples[0].text


def test_many_instruments_are_checked_message_by_message(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BOOKS", 1)
    one, two = (list(itch_messages(Exchange(i, n=50), locate=i, stock=s)) for i, s in ((1, "ONE"), (2, "TWO")))
    path = tmp_path / "x.itch"
    path.write_bytes(b"".join(m for pair in zip(one, two, strict=False) for m in pair))
    found = validate(path)
    assert not found.statistics and "more than 1 instruments" in found.notes[0]
    assert validate(path, ("ONE",)).statistics["ONE"]["events"] > 0


# -- the commands --------------------------------------------------------------------------------------------


def test_the_commands(tmp_path, capsys, monkeypatch):
    pytest.importorskip("duckdb", reason="needs the extra data")
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "itch")
    make(tmp_path, "csv")
    assert cli.main(["data", "validate", "made.itch", "--json", "v.json"]) == 0
    assert json.loads((tmp_path / "v.json").read_text())["issues"] == {}
    assert cli.main(["data", "convert", "made.itch", "-o", "x.parquet", "--symbols", "TEST"]) == 0
    assert cli.main(["data", "inspect", "x.parquet"]) == 0
    assert "EXECUTE" in capsys.readouterr().out
    sql = "SELECT count(*) AS n FROM feed WHERE kind_name = 'ADD'"
    assert cli.main(["data", "inspect", "x.parquet", "--sql", sql]) == 0
    adds = sum(m[2:3] == b"A" for m in itch_list(1))
    assert str(adds) in capsys.readouterr().out
    assert cli.main(["data", "replay", "x.parquet", "--json", "r.json"]) == 0
    measured = {row["name"]: row for row in json.loads((tmp_path / "r.json").read_text())["rows"]}
    assert measured["executions at the front of the queue"]["holds"] is True
    capsys.readouterr()
    assert cli.main(["data", "inspect", "x.parquet", "--sql", "SELECT nothing FROM feed"]) == 2
    assert "DuckDB says" in capsys.readouterr().err
    assert cli.main(["data", "inspect", "made.itch"]) == 2
    assert "hft-gym data convert made.itch" in capsys.readouterr().err
    assert cli.main(["data", "convert", "made.itch", "-o", "x.csv"]) == 2
    data = (tmp_path / "made.itch").read_bytes()
    (tmp_path / "cut.itch").write_bytes(data[:-3])
    assert cli.main(["data", "validate", "cut.itch"]) == 1
    assert "truncated" in capsys.readouterr().out
    assert cli.main(["data", "convert", "cut.itch", "--strict"]) == 2
    assert "cut off" in capsys.readouterr().err and not (tmp_path / "cut.itch.parquet").exists()
    assert cli.main(["data", "validate", "made.itc"]) == 2
    assert "did you mean made.itch" in capsys.readouterr().err


def test_a_foreign_or_damaged_parquet_file_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"a": [1]}), foreign)
    with pytest.raises(DataError, match="none that"):
        validate(foreign)
    target = tmp_path / "x.parquet"
    convert(make(tmp_path, "itch"), target)
    target.write_bytes(target.read_bytes()[:-20])
    with pytest.raises(DataError, match="convert the source anew"):
        validate(target)
    with pytest.raises(ConfigError, match="NONE"):
        convert(make(tmp_path, "itch"), tmp_path / "y.parquet", ("NONE",))
