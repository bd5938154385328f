"""Databento, Binance, Coinbase, LOBSTER streams and Parquet: what is read is what was written, and faults are named."""

import gzip
import json

import numpy as np
import pytest

from hft_gym.data.convert import convert, validate
from hft_gym.data.follower import BookFollower, Screen
from hft_gym.data.formats import FORMATS, detect, open_source
from hft_gym.data.issues import RULES, IssueLog
from hft_gym.data.lobster import read_lobster
from hft_gym.data.messages import FEED_DTYPE, FeedFlag, FeedKind, FeedMeta, units_of
from hft_gym.data.replay import ReplayFeed
from hft_gym.envs import HFTMarketEnv
from hft_gym.errors import ConfigError, DataError
from tests.data.feeds import Exchange, binance_lines, dbn_bytes, dbn_csv, dbn_rows, write_itch
from tests.data.synthetic import make_rows, write_rows
from tests.data_files import shared_data, shared_lobster

pytest.importorskip("pyarrow", reason="needs the extra data")


def read(path, symbols=(), strict=False, format=None):
    log = IssueLog(strict)
    source = open_source(path, log, symbols, format)
    chunks = list(source.chunks())
    return source, np.concatenate([c.records for c in chunks]) if chunks else np.zeros(0, FEED_DTYPE), log


# -- Databento -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exchange():
    return Exchange(11, n=600)


def write_dbn(folder, exchange, **options):
    path = folder / "x.mbo.dbn"
    path.write_bytes(dbn_bytes(exchange, **options))
    return path


def test_our_record_layout_is_the_packages():
    dbn = pytest.importorskip("databento_dbn")
    from hft_gym.data.dbn import MBO_DTYPE

    theirs = np.dtype(dbn.MBOMsg._dtypes)
    assert theirs.itemsize == MBO_DTYPE.itemsize
    assert {n: theirs.fields[n][1] for n in theirs.names} == {n: MBO_DTYPE.fields[n][1] for n in MBO_DTYPE.names}


def test_dbn_agrees_with_the_packages_decoder(tmp_path, exchange):
    dbn = pytest.importorskip("databento_dbn")
    path = write_dbn(tmp_path, exchange)
    decoder = dbn.DBNDecoder()
    decoder.write(path.read_bytes())
    theirs = [r for r in decoder.decode() if isinstance(r, dbn.MBOMsg)]
    _, records, _ = read(path, strict=True)
    assert len(theirs) == len(records) == len(list(dbn_rows(exchange)))
    for ours, record in zip(records, theirs, strict=True):
        assert (ours["time"], ours["order_id"], ours["quantity"]) == (record.ts_event, record.order_id, record.size)
        assert ours["price"] == record.price and ours["sequence"] == record.sequence


def test_csv_and_zstd_say_the_same_as_dbn(tmp_path, exchange):
    pa = pytest.importorskip("pyarrow")
    path = write_dbn(tmp_path, exchange)
    _, records, _ = read(path, strict=True)
    text = tmp_path / "x.mbo.csv"
    text.write_text(dbn_csv(exchange))
    source, from_csv, _ = read(text, strict=True)
    assert source.meta.symbols == {42: "TEST"}
    assert np.array_equal(from_csv, records)
    packed = tmp_path / "x.mbo.dbn.zst"
    packed.write_bytes(pa.compress(path.read_bytes(), codec="zstd", asbytes=True))
    assert np.array_equal(read(packed, strict=True)[1], records)
    packed.write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(DataError, match="end early"):  # one block of zstd: nothing of it can be read
        read(packed)
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[4:8], "little")
    long = np.frombuffer(data[start:] * 60, np.uint8).reshape(-1, 56).copy()
    long[:, 16:24] = np.random.default_rng(0).integers(0, 256, (len(long), 8), np.uint8)  # not to be compressed away
    whole = pa.compress(data[:start] + long.tobytes(), codec="zstd", asbytes=True)
    packed.write_bytes(whole[: len(whole) // 2])
    _, records, log = read(packed)
    assert log.counts["truncated"] == 1 and 0 < len(records) < len(long)


def test_other_records_among_the_mbo_are_told_apart(tmp_path, exchange):
    path = write_dbn(tmp_path, exchange)
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[4:8], "little")
    status = bytes([10, 18]) + b"\0" * 38  # an administrative record of 40 bytes
    odd = bytes([6, 99]) + b"\0" * 22  # a type that is none of MBO's
    path.write_bytes(data[: start + 56 * 3] + status + odd + data[start + 56 * 3 :])
    _, records, log = read(path)
    assert len(records) == len(list(dbn_rows(exchange)))
    assert log.counts == {"unreadable": 1} and log.examples[0].row == 4 and log.examples[0].value == 99


def test_es_is_read_as_measured():
    path = shared_data("databento/esh4-glbx-mdp3-20231225_until2310.mbo.dbn.zst")
    source, records, _ = read(path, strict=True)
    counts = dict(zip(*np.unique(records["kind"], return_counts=True), strict=True))
    assert counts == {1: 14_737, 2: 4_576, 9: 3_973, 10: 1_487, 11: 825}
    assert source.meta.symbols == {17077: "ESH4"} and source.meta.date == "2023-12-25"


# -- Binance -------------------------------------------------------------------------------------------------


def write_lines(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("futures", [True, False])
def test_binance_is_synchronised_by_its_protocol(tmp_path, futures):
    lines, truth = binance_lines(1, futures=futures)
    path = write_lines(tmp_path / "x.txt", lines)
    source, records, log = read(path, strict=True)
    assert detect(path) == "binance" and source.protocol.dropped == 1
    assert not (records["price"] == 99_990_000_000).any()  # of the diff that was older than the snapshot
    book = BookFollower(source.meta, log, path)
    screened = Screen(source.meta, log, path)
    seen = []
    starts = np.flatnonzero(records["flags"] & FeedFlag.LAST) + 1
    from hft_gym.data.sources import Chunk

    book.k[7] = 10**7
    for part in np.split(records, starts):
        book(screened(Chunk(part, np.zeros(len(part), np.int64))))
        if len(part) and part["kind"][-1] == FeedKind.LEVEL:
            ask, size, _, bid, bid_size, _ = book.depth(1)[0].tolist()
            seen.append((bid // 10**7, bid_size // 10**5, ask // 10**7, size // 10**5))
    assert seen[-len(truth) :] == truth
    found = book.statistics
    assert found["quotes_compared"] == found["quotes_equal"] == 2 * len(truth)


def test_a_snapshot_may_come_first(tmp_path):
    lines, truth = binance_lines(1)
    at = next(i for i, line in enumerate(lines) if "lastUpdateId" in line)
    early = [lines[at], *lines[:at], *lines[at + 1 :]]
    first = int(lines[0].split(" ", 1)[0])
    early[0] = f"{first - 1} " + lines[at].split(" ", 1)[1]
    path = write_lines(tmp_path / "x.txt", early)
    values = validate(path, strict=True).statistics["TESTUSDT"]
    assert values["quotes_compared"] == values["quotes_equal"] == 2 * len(truth)


def test_binance_gaps_and_repeats_are_named(tmp_path):
    lines, _ = binance_lines(1)
    diffs = [i for i, line in enumerate(lines) if "depthUpdate" in line]
    gap = [line for i, line in enumerate(lines) if i != diffs[20]]
    _, _, log = read(write_lines(tmp_path / "gap.txt", gap))
    assert log.counts == {"gap": 1} and "does not follow" in log.examples[0].text
    again = [*lines[: diffs[20] + 1], lines[diffs[20]], *lines[diffs[20] + 1 :]]
    _, _, log = read(write_lines(tmp_path / "again.txt", again))
    assert log.counts == {"repeat": 1} and log.examples[0].row == diffs[20] + 1
    no_snapshot = [line for line in lines if "lastUpdateId" not in line]
    _, _, log = read(write_lines(tmp_path / "none.txt", no_snapshot))
    assert log.counts["gap"] == 1 and "never followed by a REST snapshot" in log.examples[0].text
    broken = [*lines[:30], lines[30][:40], *lines[31:]]
    _, _, log = read(write_lines(tmp_path / "broken.txt", broken))
    assert log.counts["unreadable"] == 1 and log.examples[0].row == 30


def test_binance_reality_has_no_gap_and_the_same_best_quotes():
    path = shared_data("crypto/binance_usdm_btcusdt_20240808.gz")
    found = validate(path, strict=True)
    values = found.statistics["BTCUSDT"]
    assert not found.log.total
    assert values["quotes_compared"] == values["quotes_equal"] == 2 * 126
    assert values["crossed"] == 0 and values["events"] == 6_548


# -- Coinbase ------------------------------------------------------------------------------------------------


def coinbase_lines():
    def line(number, channel, events, ts=1_786_309_548.5):
        message = {
            "channel": channel, "timestamp": "2026-08-09T21:05:48.228568804Z", "sequence_num": number,
            "events": events,
        }  # fmt: skip
        return json.dumps({"t": "recv", "conn": "c", "ts": ts + number / 100, "data": json.dumps(message)})

    def level(side, price, quantity):
        return {"side": side, "event_time": "", "price_level": price, "new_quantity": quantity}

    snapshot = [level("bid", "100.01", "1.5"), level("offer", "100.03", "2"), level("bid", "99", "0.25")]
    trade = {
        "product_id": "A-USD", "trade_id": "5", "price": "100.03", "size": "0.5", "side": "SELL",
        "time": "2026-08-09T21:05:48.1Z",
    }  # fmt: skip
    return [
        json.dumps({"t": "header", "format": 2}),
        line(0, "l2_data", [{"type": "snapshot", "product_id": "A-USD", "updates": snapshot}]),
        line(1, "market_trades", [{"type": "update", "trades": [trade]}]),
        line(2, "l2_data", [{"type": "update", "product_id": "A-USD", "updates": [level("offer", "100.03", "1.5")]}]),
        line(3, "l2_data", [{"type": "update", "product_id": "A-USD", "updates": [level("bid", "100.01", "0")]}]),
    ]


def test_coinbase_level_2(tmp_path):
    lines = coinbase_lines()
    source, records, _ = read(write_lines(tmp_path / "x.jsonl", lines), strict=True)
    assert source.meta.symbols == {0: "A-USD"} and source.meta.depth == "L2"
    shown = [(FeedKind(r["kind"]).name, int(r["side"]), int(r["price"]), int(r["quantity"])) for r in records]
    assert shown == [
        ("CLEAR", 255, 0, 0),
        ("LEVEL", 0, 10_001_000_000, 150_000_000),
        ("LEVEL", 1, 10_003_000_000, 200_000_000),
        ("LEVEL", 0, 9_900_000_000, 25_000_000),
        ("TRADE", 1, 10_003_000_000, 50_000_000),
        ("LEVEL", 1, 10_003_000_000, 150_000_000),
        ("LEVEL", 0, 10_001_000_000, 0),
    ]
    _, _, log = read(write_lines(tmp_path / "y.jsonl", lines[:2] + lines[3:]))
    assert log.counts == {"gap": 1} and log.examples[0].row == 2


def test_coinbase_real_files():
    found = validate(shared_data("crypto/coinbase_l2_btc_eth_20260809.jsonl.zst"), strict=True)
    assert {s: v["resting_at_end"] for s, v in found.statistics.items()} == {
        "BTC-USD": 18_769 + 27_238,
        "ETH-USD": 6_925 + 16_403,
    }
    assert all(v["crossed"] == 0 for v in found.statistics.values())
    source, records, _ = read(shared_data("crypto/coinbase_full_channel_lines_2017.jsonl"), strict=True)
    assert source.row == 23 and len(records) == 22  # but for the heartbeat


def test_coinbase_full_channel_follows_an_order(tmp_path):
    common = {"product_id": "A-USD", "time": "2017-06-25T11:23:14.775000Z", "side": "sell"}
    ids = ["4eef1226-4b38-422c-a5b1-56def7107f9a", "26c22ff5-01b1-4ca3-859c-6349d6eb06b4"]
    lines = [
        {"type": "open", "order_id": ids[0], "price": "2601.76", "remaining_size": "3.09", "sequence": 1},
        {"type": "match", "maker_order_id": ids[0], "taker_order_id": ids[1], "price": "2601.76", "size": "1",
         "sequence": 2},
        {"type": "change", "order_id": ids[0], "price": "2601.76", "new_size": "2", "old_size": "2.09", "sequence": 3},
        {"type": "done", "reason": "canceled", "order_id": ids[0], "price": "2601.76", "sequence": 4},
    ]  # fmt: skip
    _, records, _ = read(write_lines(tmp_path / "x.jsonl", [json.dumps(common | m) for m in lines]), strict=True)
    assert records["kind"].tolist() == [FeedKind.ADD, FeedKind.EXECUTE, FeedKind.MODIFY, FeedKind.DELETE]
    assert len(set(records["order_id"].tolist())) == 1
    assert records["quantity"].tolist() == [309_000_000, 100_000_000, 200_000_000, 0]


# -- LOBSTER as a stream -------------------------------------------------------------------------------------


def same_as_the_whole_reader(path):
    source, records, log = read(path, strict=True)
    day = read_lobster(path)
    chunks = list(open_source(path, IssueLog(True)).chunks())
    book = np.concatenate([c.book for c in chunks]).copy()
    book[:, :, ::2] //= day.tick_units
    assert np.array_equal(book, day.book) and not log.total
    for name in ("time", "order_id", "kind"):
        assert np.array_equal(records[name], day.messages[name]), name
    return source, records, day


def test_the_lobster_stream_reads_what_the_whole_reader_reads(tmp_path, monkeypatch):
    rows = make_rows(900, 3, 8, seed=5)
    path = write_rows(tmp_path, rows, compressed=True)
    monkeypatch.setattr("hft_gym.data.sources.ByteBlocks.__init__.__defaults__", (997,))  # many blocks, lines split
    same_as_the_whole_reader(path)


def test_real_lobster_files_as_a_stream():
    for symbol, levels in (("AMZN", 5), ("AMZN", 1), ("GOOG", 10)):
        same_as_the_whole_reader(shared_lobster(symbol, levels))
    path = shared_data("lobster/MSFT_2012-06-21_34200000_36000000_message_50.csv.gz")
    _, records, _ = read(path, strict=True)
    assert len(records) == 66_913


# -- formats -------------------------------------------------------------------------------------------------


def test_formats_are_known_by_their_content(tmp_path, exchange):
    made = {
        "itch": write_itch(tmp_path / "a", exchange),
        "dbn": write_dbn(tmp_path, exchange),
        "dbn-csv": tmp_path / "b",
        "binance": write_lines(tmp_path / "c", binance_lines()[0]),
        "coinbase": write_lines(tmp_path / "d", coinbase_lines()),
        "lobster": write_rows(tmp_path, make_rows(50, 2, 6, seed=1)),
    }
    made["dbn-csv"].write_text(dbn_csv(exchange))
    for name, path in made.items():
        assert detect(path) == name
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(made["dbn"].read_bytes()))
    assert detect(packed) == "dbn"
    target = tmp_path / "x.parquet"
    convert(made["itch"], target)
    assert detect(target) == "archive"
    assert set(made) | {"archive", "coinbase-full"} == set(FORMATS)
    (tmp_path / "noise").write_bytes(b"hello, world\n")
    with pytest.raises(DataError, match="no format that is known"):
        detect(tmp_path / "noise")
    with pytest.raises(ConfigError, match="did you mean 'lobster'"):
        open_source(made["itch"], IssueLog(), (), "lobstr")
    with pytest.raises(DataError, match="no such file; did you mean noise"):
        detect(tmp_path / "noisy")


@pytest.mark.parametrize("use", [detect, ReplayFeed.from_file, lambda path: HFTMarketEnv(feed=str(path))])
def test_a_folder_is_no_feed(tmp_path, use):
    folder = tmp_path / "day"
    folder.mkdir()
    with pytest.raises(DataError, match=r"day: is a folder; needed is one file: a LOBSTER.*ITCH.*It holds nothing"):
        use(folder)
    for i in range(12):
        (folder / f"{i:02d}.csv").touch()
    with pytest.raises(DataError, match=r"It holds 00.csv, 01.csv, .*, 07.csv and 4 more"):
        use(folder)
    with pytest.raises(DataError, match=r"no such file; its folder holds day"):
        use(tmp_path / "zzz")
    with pytest.raises(DataError, match=r"interrupted .* goes on from it"):
        use(folder.rename(tmp_path / "x.parquet.partial"))


def test_meta_survives_its_text_and_names_its_instruments():
    meta = FeedMeta("dbn", "L3", "unix", "2023-12-25", 9, symbols={7: "A", 9: "B"}, files=("x",), repairs={"gap": 2})
    assert FeedMeta.from_json(meta.to_json()) == meta
    assert meta.instrument("B") == 9
    with pytest.raises(ConfigError, match="choose one"):
        meta.instrument(None)
    with pytest.raises(ConfigError, match="'C'; allowed are A, B"):
        meta.instrument("C")
    with pytest.raises(DataError, match="version 99"):
        FeedMeta.from_json(meta.to_json().replace('"version": 1', '"version": 99'))
    with pytest.raises(ConfigError, match=r"tick_size is 0\.003"):
        units_of(0.003, 2, "tick_size")


def test_every_rule_is_on_the_page():
    from pathlib import Path

    page = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text()
    for kind, (what, repair) in RULES.items():
        assert f"| `{kind}` | {what} | {repair} |" in page
