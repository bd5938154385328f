"""The store of runs: whole parts or none, whoever writes and whatever dies."""

import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from hft_gym import cli
from hft_gym.errors import ConfigError, DataError, MissingExtraError
from hft_gym.report import METRICS, Bootstrap, compare
from hft_gym.report import parts as parts_module
from hft_gym.report.parts import read_part, write_part
from hft_gym.report.store import Store
from tests.report.examples import from_final_pnl, three_episodes


def comparison(shift=0.0, seeds=None, **meta):
    pnl = np.random.default_rng(0).normal(size=20).round(4)
    runs = [
        from_final_pnl("do-nothing", 0 * pnl, seeds),
        from_final_pnl("maker", pnl + 1 + shift, seeds),
        from_final_pnl("agent", pnl + 2, seeds),
    ]
    about = {"config": {"market": {"flow": "default"}, "levels": 10}, "versions": {"hft_gym": "0"}, **meta}
    return compare(runs, ["agent"], Bootstrap(100), about)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A store of two parts, one with JSON tables; tests only read it."""
    pytest.importorskip("duckdb")
    folder = tmp_path_factory.mktemp("store")
    first = write_part(comparison(command="first"), folder, parquet=True)
    second = write_part(comparison(0.5, command="second"), folder, parquet=False)
    return folder, first.id, second.id


@pytest.fixture
def store(shared, tmp_path):
    """A copy of it to damage."""
    folder, first, second = shared
    shutil.copytree(folder, tmp_path / "parts")
    return tmp_path / "parts", first, second


@pytest.mark.parametrize("parquet", [True, False])
def test_a_part_holds_what_was_measured(tmp_path, parquet):
    if parquet:
        pytest.importorskip("pyarrow")
    measured = compare([three_episodes("maker")], (), Bootstrap(50), {"command": "c"})
    written = write_part(measured, tmp_path, parquet=parquet)
    read = read_part(tmp_path / written.id)
    assert read.record == written.record
    assert {f.suffix for f in read.folder.iterdir()} == ({".json", ".parquet"} if parquet else {".json"})
    policy = read.policy("maker")
    assert policy["net_pnl"] == [4.25, 0.0, -3.0] and read.record["seeds"] == [7, 8, 9]
    assert policy["metrics"]["net_pnl"]["value"] == measured["maker"].metrics["net_pnl"].value
    assert [p.name for p in tmp_path.iterdir()] == [written.id]


def test_without_pyarrow_the_tables_are_json(tmp_path, monkeypatch):
    monkeypatch.setattr(parts_module.util, "find_spec", lambda name: None)
    assert write_part(comparison(), tmp_path).table("episodes").suffix == ".json"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pyarrow is not installed; mend it with: .*\[data\]"):
        write_part(comparison(), tmp_path, parquet=True)
    assert len(list(tmp_path.iterdir())) == 1  # the failed one left nothing
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtraError, match="duckdb is not installed"):
        Store(tmp_path).query("SELECT 1")


def _write_many(folder, count, start):
    made = comparison()
    start.wait()
    for _ in range(count):
        write_part(made, folder, parquet=False)


def test_concurrent_writers_lose_nothing(tmp_path):
    context = multiprocessing.get_context("fork")
    start = context.Barrier(4)
    writers = [context.Process(target=_write_many, args=(tmp_path, 10, start)) for _ in range(4)]
    for writer in writers:
        writer.start()
    while any(w.is_alive() for w in writers):
        assert not Store(tmp_path).damaged  # a reader in between sees whole parts only
        for writer in writers:
            writer.join(0.05)
    assert [w.exitcode for w in writers] == [0] * 4
    found = Store(tmp_path)
    assert len({p.id for p in found.parts}) == 40 and not found.damaged and not found.unfinished


def test_a_name_drawn_twice_replaces_nothing(tmp_path, monkeypatch):
    drawn = iter(["aa", "aa", "bb"])
    monkeypatch.setattr(parts_module.secrets, "token_hex", lambda n: next(drawn))

    class Clock(parts_module.datetime):
        @classmethod
        def now(cls, zone=None):
            return cls(2026, 1, 2, tzinfo=zone)

    monkeypatch.setattr(parts_module, "datetime", Clock)
    first, second = (write_part(comparison(x), tmp_path, parquet=False) for x in (0, 1))
    assert [first.id[-2:], second.id[-2:]] == ["aa", "bb"]
    assert [p.record for p in Store(tmp_path).parts] == [first.record, second.record]


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
def test_a_killed_writer_leaves_no_half_row(tmp_path, after, capfd):
    """The writer kills itself when it brings its n-th file or folder to the disk."""
    made = comparison()
    write_part(made, tmp_path, parquet=False)
    child = os.fork()
    if child == 0:
        calls = iter(range(100))
        to_disk = parts_module._to_disk

        def dying(path):
            if next(calls) == after:
                os.kill(os.getpid(), signal.SIGKILL)
            to_disk(path)

        parts_module._to_disk = dying
        write_part(made, tmp_path, parquet=False)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    found = Store(tmp_path)
    complete = after == 4  # both tables, part.json and its folder are on the disk: only the parent folder was to come
    assert (len(found.parts), len(found.unfinished)) == ((2, 0) if complete else (1, 1))
    assert not found.damaged
    assert cli.main(["runs", "list", "--parts", str(tmp_path)]) == 0
    assert ("unfinished" in capfd.readouterr().out) is not complete


def test_sql_over_parquet_and_json_parts(shared):
    folder, first, second = shared
    store = Store(folder)
    columns, rows = store.query("SELECT run, policy, avg(net_pnl) FROM episodes GROUP BY ALL ORDER BY 1, 2")
    assert columns[:2] == ["run", "policy"] and len(rows) == 6
    means = {(run, policy): mean for run, policy, mean in rows}
    assert means[second, "maker"] - means[first, "maker"] == pytest.approx(0.5)
    for part in store.parts:
        for policy in part.record["policies"]:
            assert means[part.id, policy["name"]] == pytest.approx(policy["metrics"]["net_pnl"]["value"])
    (_, rows) = store.query("SELECT run, market, best, command FROM runs ORDER BY command")
    assert rows == [(first, "default", "agent", "first"), (second, "default", "agent", "second")]
    (_, rows) = store.query("SELECT count(*), count(DISTINCT metric) FROM metrics WHERE run = '" + second + "'")
    assert rows[0][1] == len(METRICS) + 2  # the paired difference and its p-value
    # Undefined is NULL, in both kinds of part, so that averages leave it out.
    (_, rows) = store.query("SELECT run, count(*), count(markout_5s) FROM episodes GROUP BY 1")
    assert {row[1:] for row in rows} == {(60, 0)}
    types = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'episodes'"
    assert dict(store.query(types)[1])["markout_5s"] == "DOUBLE"


def test_sql_reaches_nothing_but_its_tables(store):
    """Neither other files nor the parts' own, neither to read nor to write; and the lock cannot be opened."""
    folder, first, _ = store
    table = folder / first / "metrics.parquet"
    before = table.read_bytes()
    secret, out = folder.parent / "secret.csv", folder.parent / "out.csv"
    secret.write_text("a\n1\n")
    for query in (
        f"SELECT * FROM '{secret}'",
        f"SELECT * FROM read_text('{secret}')",
        f"SELECT * FROM glob('{folder.parent}/*')",
        f"SELECT * FROM read_parquet('{table}')",
        f"COPY (SELECT 1 AS a) TO '{out}'",
        f"COPY (SELECT 1 AS a) TO '{table}' (FORMAT parquet)",
        f"EXPLAIN ANALYZE COPY (SELECT 1 AS a) TO '{table}' (FORMAT parquet)",
        f"ATTACH '{folder.parent / 'x.db'}' AS other",
        f"EXPORT DATABASE '{folder.parent / 'all'}'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET threads = 1",
    ):
        with pytest.raises(DataError, match=r"DuckDB says:.*(disabled|locked)"):
            Store(folder).query(query)
    assert table.read_bytes() == before
    assert sorted(p.name for p in folder.parent.iterdir()) == ["parts", "secret.csv"]
    # What a query makes in memory is its own affair.
    made = "CREATE TABLE mine AS SELECT DISTINCT run FROM metrics; SELECT count(*) FROM mine"
    assert Store(folder).query(made)[1] == [(2,)]


def test_parts_of_versions_with_other_metrics_go_together(store, monkeypatch):
    folder, first, _ = store
    monkeypatch.setattr(parts_module, "METRICS", {"net_pnl": METRICS["net_pnl"]})
    older = write_part(comparison(), folder, parquet=True)
    (_, rows) = Store(folder).query("SELECT run, count(net_pnl), count(fees) FROM episodes GROUP BY 1")
    counts = {run: tuple(rest) for run, *rest in rows}
    assert counts[older.id] == (60, 0) and counts[first] == (60, 60)


@pytest.mark.parametrize("file", ["part.json", "episodes.json", "metrics.parquet"])
@pytest.mark.parametrize("how", ["cut", "changed", "gone"])
def test_a_damaged_part_is_named_and_left_out(store, file, how, capsys):
    folder, first, second = store
    bad, good = (second, first) if file == "episodes.json" else (first, second)
    path = folder / bad / file
    data = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        half = len(data) // 2
        at = data.index(b"0.", half) if how == "changed" and b"0." in data[half:] else half
        path.write_bytes(data[:half] if how == "cut" else data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    found = Store(folder)
    assert [p.id for p in found.parts] == [good] and set(found.damaged) == {bad}
    with pytest.raises(DataError, match=f"{file}: damaged"):
        found.find(bad)
    words = ["--parts", str(folder)]
    assert cli.main(["runs", "list", *words]) == 1
    shown = capsys.readouterr()
    assert good in shown.out and bad not in shown.out and f"left out: {path}: damaged" in shown.err
    assert cli.main(["runs", "sql", "SELECT count(*) FROM runs", *words]) == 1
    assert cli.main(["runs", "show", bad, *words]) == 2
    assert cli.main(["runs", "show", good, *words]) == 0


def test_a_copied_part_does_not_count_twice(store):
    folder, first, _ = store
    shutil.copytree(folder / first, folder / "copy")
    with pytest.raises(DataError, match=f"it is the part {first}"):
        Store(folder).find("copy")


def test_a_later_format_says_so(store):
    folder, first, _ = store
    path = folder / first / "part.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(DataError, match="format 2; this version of hft_gym reads up to 1"):
        Store(folder).find(first)


def test_a_part_without_the_table_of_episodes(tmp_path):
    pytest.importorskip("duckdb")
    small = write_part(comparison(), tmp_path, tables=("metrics",))
    assert read_part(small.folder).table("episodes") is None and small.table("metrics") is not None
    with pytest.raises(DataError, match="no part has the table episodes"):
        Store(tmp_path).query("SELECT count(*) FROM Episodes")
    assert Store(tmp_path).query("SELECT count(DISTINCT run) FROM metrics")[1] == [(1,)]
    whole = write_part(comparison(), tmp_path)
    assert Store(tmp_path).query("SELECT DISTINCT run FROM episodes")[1] == [(whole.id,)]
    assert Store(tmp_path).query("SELECT count(DISTINCT run) FROM metrics")[1] == [(2,)]


def test_find(shared):
    folder, first, second = shared
    store = Store(folder)
    assert store.find(second).id == second and store.find(first[:-1]).id == first
    with pytest.raises(ConfigError, match=f"there is none in .*did you mean '{first}'"):
        store.find(first[:-1] + "z")
    with pytest.raises(ConfigError, match="2 begin so"):
        store.find("20")
    with pytest.raises(ConfigError, match="which one"):
        store.find("")
    with pytest.raises(ConfigError, match="is a file"):
        Store(folder / first / "part.json")
    assert Store(folder / "nowhere").parts == []


def test_commands(shared, capsys):
    folder, first, second = shared
    words = ["--parts", str(folder)]

    def said(*command, status=0):
        assert cli.main(["runs", *command, *words]) == status
        shown = capsys.readouterr()
        return shown.out if status == 0 else shown.err

    assert all(run in said("list") for run in (first, second))
    shown = said("show", first, "--metrics", "drawdown")
    assert "★ agent" in shown and "max_drawdown_pct" in shown and "made by: first" in shown
    assert json.loads(said("show", first, "--json"))["meta"]["command"] == "first"
    shown = said("compare", first, second)
    assert "same configuration" in shown and "0.50" in shown
    assert "60" in said("sql", "SELECT count(*) FROM episodes WHERE net_pnl IS NOT NULL AND run = '" + first + "'")
    assert "a:x:b [red]" in said("sql", "SELECT 'a:x:b [red]'")  # neither an emoji nor a colour
    assert "there is none" in said("show", "nonsense", status=2)
    assert "did you mean" in said("compare", first, second[:-1] + "z", status=2)
    refusal = said("sql", "SELECT nothing FROM nowhere", status=2)
    assert "DuckDB says: Catalog Error: Table with name nowhere" in refusal and len(refusal.splitlines()) == 1
    assert "no query" in said("sql", status=2)
    assert "there is no 'drawdwn'" in said("show", first, "--metrics", "drawdwn", status=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("show x --json --metrics drawdown", "metrics: ('drawdown',) has no effect with json"),
        ("show x --json --markdown", "markdown: True has no effect with json"),
        ("show x --markdown --metrics all", "metrics: ('all',) has no effect with markdown"),
        ("compare x y --score gain", "score: 'gain' has no effect without across_seeds"),
        ("compare x y --learners ppo-*", "learners: ('ppo-*',) has no effect without across_seeds"),
        ("compare x y --across-seeds --metrics all", "metrics: ('all',) has no effect with markdown or across_seeds"),
        ("show x --metrics", "metrics: no value is given"),
    ],
)
def test_options_without_effect_are_refused(words, said, capsys):
    try:
        status = cli.main(["runs", *words.split()])
    except SystemExit as stop:  # what an option's own class refuses is shown by the parser
        status = stop.code
    assert status == 2
    assert said in " ".join(re.sub("[│╭╮╰╯─]", " ", capsys.readouterr().err).split())


def test_the_queries_of_the_documentation(shared, capsys):
    page = (Path(__file__).parents[2] / "docs" / "reports.md").read_text()
    queries = re.findall(r'^hft-gym runs sql "(.+)"$', page, re.M)
    queries += re.findall(r'runs sql "(.+)"', next(c.example for c in cli.COMMANDS if c.words == "runs sql"))
    assert len(queries) == 2
    for query in queries:
        assert cli.main(["runs", "sql", query, "--parts", str(shared[0])]) == 0
        assert "maker" in capsys.readouterr().out


def test_an_empty_store(tmp_path, capsys):
    words = ["--parts", str(tmp_path / "none")]
    assert cli.main(["runs", "list", *words]) == 0
    assert "hft-gym compare adds one" in capsys.readouterr().out
    pytest.importorskip("duckdb")
    assert cli.main(["runs", "sql", "SELECT 1", *words]) == 2
    assert "no sound part" in capsys.readouterr().err


def test_compare_names_what_differs(tmp_path, capsys):
    one = write_part(comparison(), tmp_path, parquet=False)
    config = {"market": {"flow": "reactive"}, "levels": 10}
    two = write_part(comparison(seeds=np.arange(20) + 5, config=config), tmp_path, parquet=False)
    assert cli.main(["runs", "compare", one.id, two.id, "--parts", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "config.market.flow" in shown and "config.levels" not in shown and "not paired" in shown
