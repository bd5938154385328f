"""ITCH 5.0: every type, against the itchfeed package and against a made-up exchange."""

import gzip

import numpy as np
import pytest

from hft_gym.data.issues import IssueLog
from hft_gym.data.itch import ITCH_MESSAGES, ItchSource, name_number, number_name, read_messages
from hft_gym.data.messages import FeedKind
from hft_gym.errors import ConfigError, DataError
from tests.data.feeds import Exchange, frame, itch_messages, write_itch
from tests.data_files import shared_data


def read(path, symbols=(), strict=False):
    log = IssueLog(strict)
    source = ItchSource(path, log, symbols)
    chunks = list(source.chunks())
    records = np.concatenate([c.records for c in chunks]) if chunks else np.zeros(0)
    return source, records, log


def random_message(code, rng):
    """A message of a type with random content: printable text, any numbers."""
    layout = ITCH_MESSAGES[code]
    record = np.zeros(1, layout)
    for name in layout.names:
        kind = layout[name]
        if kind.kind == "S":
            record[name] = bytes(rng.integers(65, 91, kind.itemsize, np.uint8))
        elif kind.subdtype is not None:
            record[name] = [0, 31, *rng.integers(0, 256, 4)]
        else:
            record[name] = rng.integers(0, 2 ** min(8 * kind.itemsize, 62))
    record["type"] = code.encode()
    return record.tobytes()


def test_every_type_agrees_with_itchfeed():
    itch = pytest.importorskip("itch.messages", reason="needs the package itchfeed")
    rng = np.random.default_rng(1)
    assert {c.encode() for c in ITCH_MESSAGES} == set(itch.messages)
    for code in ITCH_MESSAGES:
        for _ in range(5):
            body = random_message(code, rng)
            theirs = itch.messages[code.encode()](body)
            assert theirs.message_size == len(body)
            ours = next(read_messages(frame(body)))
            assert ours["time"] == theirs.timestamp
            values = [ours[n] for n in ITCH_MESSAGES[code].names if n not in ("type", "time")]
            expected = [getattr(theirs, n) for n in theirs.get_attributes()]
            flat = [v.decode().rstrip() if isinstance(v, bytes) else v for v in expected]
            missing = [v for v in values if v not in flat and str(v) not in map(str, flat)]
            assert not missing, (code, missing, flat)


def test_the_compiled_decoder_agrees_with_the_slow_one(tmp_path):
    rng = np.random.default_rng(2)
    codes = list(ITCH_MESSAGES) * 20
    data = b"".join(frame(random_message(code, rng)) for code in codes)
    path = tmp_path / "all.itch"
    path.write_bytes(data)
    source, records, log = read(path)
    assert not log.total
    assert source.types == dict.fromkeys(sorted(ITCH_MESSAGES), 20)
    slow = list(read_messages(data))
    assert len(slow) == len(records) == len(codes)
    fields = {
        "A": ("order", "price", "shares"), "F": ("order", "price", "shares"), "E": ("order", None, "shares"),
        "C": ("order", "price", "shares"), "X": ("order", None, "shares"), "D": ("order", None, None),
        "U": ("order", "price", "shares"), "P": (None, "price", "shares"), "Q": (None, "price", "shares"),
    }  # fmt: skip
    for record, message in zip(records, slow, strict=True):
        assert record["time"] == message["time"]
        assert record["instrument"] == message["locate"]
        for name, field in zip(("order_id", "price", "quantity"), fields.get(message["type"], ()), strict=False):
            if field:
                assert record[name] == message[field], message
        if message["type"] == "U":
            assert record["reference"] == message["new_order"]
        if "stock" in message and record["kind"] == FeedKind.ADMIN:
            assert number_name(record["order_id"]) == message["stock"]


def test_names_are_numbers_and_back():
    assert number_name(name_number("BRK.A")) == "BRK.A"


@pytest.mark.parametrize("compressed", [False, True])
def test_events_of_an_exchange_come_out_as_they_went_in(tmp_path, compressed):
    exchange = Exchange(3)
    path = write_itch(tmp_path / "20230103.itch", exchange)
    if compressed:
        path.write_bytes(gzip.compress(path.read_bytes()[:3000]) + gzip.compress(path.read_bytes()[3000:]))
    source, records, _ = read(path, strict=True)
    assert source.meta.date == "2023-01-03" and source.meta.symbols == {7: "TEST"}
    kinds = {"add": 1, "delete": 3, "cancel": 2, "execute": 4, "replace": 8, "hidden": 5}
    assert records["kind"][2:].tolist() == [kinds[e[1]] for e in exchange.events]
    assert records["time"][2:].tolist() == [e[0] for e in exchange.events]


def test_symbols_are_chosen_by_their_directory_message(tmp_path):
    one = list(itch_messages(Exchange(1), locate=3, stock="ONE"))
    two = list(itch_messages(Exchange(2), locate=9, stock="TWO"))
    mixed = [m for pair in zip(one, two, strict=False) for m in pair]
    path = tmp_path / "x.itch"
    path.write_bytes(b"".join(mixed))
    _, records, _ = read(path, ("TWO",))
    assert set(records["instrument"].tolist()) == {9} and len(records) == len(mixed) // 2
    with pytest.raises(ConfigError, match="THREE"):
        read(path, ("THREE",))


def test_bad_types_and_a_cut_end_are_named(tmp_path):
    messages = list(itch_messages(Exchange(1)))
    messages[5] = frame(b"?" + messages[5][3:])
    path = tmp_path / "x.itch"
    path.write_bytes(b"".join(messages)[:-4])
    _, records, log = read(path)
    assert log.counts == {"unreadable": 1, "truncated": 1}
    assert [(i.kind, i.row) for i in log.examples] == [("unreadable", 5), ("truncated", len(messages) - 1)]
    assert len(records) == len(messages) - 2
    with pytest.raises(DataError, match="row 5"):
        read(path, strict=True)


def test_the_benchmarks_tapes_are_sound_in_every_format(tmp_path):
    pytest.importorskip("databento_dbn", reason="needs the extra data")
    from hft_gym.bench import tape
    from hft_gym.data.convert import validate

    made = tape.make_tape(5_000)
    tape.write_itch(tmp_path / "t.itch", made)
    tape.write_dbn(tmp_path / "t.dbn", made)
    tape.write_lobster(tmp_path / "T_message_1.csv", made)
    executed = int((made["kind"] == FeedKind.EXECUTE).sum())
    for name, more in (("t.itch", 1), ("t.dbn", executed), ("T_message_1.csv", 0)):
        assert validate(tmp_path / name, strict=True).messages == len(made) + more


def test_the_real_morning_is_decoded_to_the_last_message():
    source, records, log = read(shared_data("itch/AAPL_2020-01-30_locate13_first6000.itch"), strict=True)
    assert len(records) == 6_000 and not log.total
    assert source.types == {"R": 1, "H": 1, "Y": 1, "L": 52, "A": 2894, "P": 123, "D": 2507, "E": 419, "X": 2}
    source, records, _ = read(shared_data("itch/stock_directory_first1000.itch"), strict=True)
    assert sum(source.types.values()) == 1_000
