"""A market's state is a value: copies, pickles and files continue bit for bit; damaged files are refused."""

import copy
import json
import pickle
import zipfile

import numpy as np
import pytest

from hft_gym import CheckpointError, Market
from hft_gym.market import checkpoint
from tests.market.helpers import ASK, BID, MS, SECOND, array_names, busy, check, digest
from tests.market.scenario import run


def through_file(market, tmp_path):
    market.save(tmp_path / "market.npz")
    return Market.load(tmp_path / "market.npz")


WAYS = {
    "copy": lambda market, _: market.copy(),
    "copy.copy": lambda market, _: copy.copy(market),
    "deepcopy": lambda market, _: copy.deepcopy(market),
    "pickle": lambda market, _: pickle.loads(pickle.dumps(market)),
    "file": through_file,
}


@pytest.mark.parametrize("way", WAYS)
def test_it_continues_bit_for_bit(way, tmp_path):
    market = run(30)
    market.submit(1, BID, 3, market.best(BID))
    market.submit(3, ASK, 2)
    twin = WAYS[way](market, tmp_path)
    assert digest(twin) == digest(market)
    assert (twin.config, twin.seed, twin.symbol, twin.log_capacity) == (
        market.config,
        market.seed,
        market.symbol,
        market.log_capacity,
    )
    for made in (market, twin):
        made.run_for(2 * SECOND)
        made.submit(2, ASK, 4, made.best(ASK))
        made.run_for(2 * SECOND)
    assert digest(twin) == digest(market)
    assert (twin.fills().records == market.fills().records).all()
    check(twin)


@pytest.mark.parametrize("way", WAYS)
def test_it_is_independent(way, tmp_path):
    market = busy()
    twin = WAYS[way](market, tmp_path)
    before = digest(market)
    twin.submit(1, BID, 30)
    twin.run_for(SECOND)
    assert digest(market) == before != digest(twin)


def test_a_copy_in_mid_flight_has_its_messages():
    market = busy()
    number = market.submit(1, BID, 3, 9_000)
    market.cancel(1, number)
    twin = market.copy()
    assert twin.in_flight(1) == 2
    twin.run_for(100 * MS)
    assert twin.in_flight(1) == 0 and market.in_flight(1) == 2


def test_every_array_is_state_or_derived():
    market = busy()
    assert set(checkpoint.values(market._arrays)) | set(checkpoint._DERIVED) == set(array_names())
    fresh = Market(market.config, seed=99)
    for name in ("param", "flow"):
        assert getattr(fresh._arrays, name).tobytes() == getattr(market._arrays, name).tobytes()


# -- files -------------------------------------------------------------------------------------------------


def test_saving_replaces_the_file_at_once_and_leaves_nothing_beside_it(tmp_path):
    target = tmp_path / "market.npz"
    target.write_text("older")
    busy().save(target)
    busy(seed=2).save(str(target))
    assert Market.load(str(target)).seed == 2
    assert [p.name for p in tmp_path.iterdir()] == ["market.npz"]


def test_a_failed_save_keeps_the_older_file(tmp_path, monkeypatch):
    target = tmp_path / "market.npz"
    busy(seed=2).save(target)

    def full(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint.np, "savez_compressed", full)
    with pytest.raises(OSError, match="disk full"):
        busy(seed=3).save(target)
    monkeypatch.undo()
    assert Market.load(target).seed == 2
    assert [p.name for p in tmp_path.iterdir()] == ["market.npz"]


def test_files_that_are_no_market_are_refused(tmp_path):
    for name, content in {
        "empty": b"",
        "text": b"hello",
        "pickle": pickle.dumps([1]),
        "npy": b"\x93NUMPY",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=name):
            Market.load(tmp_path / name)
    with pytest.raises(CheckpointError, match="no such file"):
        Market.load(tmp_path / "nowhere")
    with pytest.raises(CheckpointError):
        Market.load(tmp_path)
    np.savez(tmp_path / "other.npz", header=np.frombuffer(json.dumps({"format": "x"}).encode(), np.uint8))
    with pytest.raises(CheckpointError, match="no saved market"):
        Market.load(tmp_path / "other.npz")


def test_a_file_with_objects_runs_no_code(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("code of the file ran",))

    np.savez(tmp_path / "bomb.npz", header=np.array([Bomb()], dtype=object))
    with pytest.raises(CheckpointError, match=r"bomb\.npz is damaged"):
        Market.load(tmp_path / "bomb.npz")


def test_damage_anywhere_is_noticed(tmp_path):
    market = busy(participants=1, log_capacity=8, max_orders=256, levels=64)
    market.save(tmp_path / "market.npz")
    whole = (tmp_path / "market.npz").read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        broken = bytearray(whole)
        broken[random.integers(len(whole))] ^= 1 << int(random.integers(8))
        (tmp_path / "broken").write_bytes(broken)
        try:
            found = Market.load(tmp_path / "broken")
        except CheckpointError:
            refused += 1
        else:  # a bit that means nothing, such as a time stamp of the archive
            assert digest(found) == digest(market)
    assert refused > 40
    for length in range(0, len(whole), len(whole) // 20):
        (tmp_path / "broken").write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            Market.load(tmp_path / "broken")


@pytest.mark.parametrize(("at", "value"), [(8, 1), (6, 255), (10, 99)], ids=["encrypted", "version", "compression"])
def test_an_entry_that_cannot_be_read_is_damage(at, value, tmp_path):
    path = tmp_path / "market.npz"
    busy().save(path)
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"PK\x01\x02") + at] = value
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match="damaged"):
        Market.load(path)


def rewrite(path, change):
    """Apply *change* to the arrays of a saved market, header included, and write them back."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(arrays.pop("header").tobytes())
    change(header, arrays)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **arrays)


def other_size(header, arrays):
    header["config"]["max_orders"] = 2048
    header["digest"] = checkpoint._digest(header, arrays)


def other_setting(header, arrays):
    header["config"]["colour"] = 1
    header["digest"] = checkpoint._digest(header, arrays)


def other_seed(header, arrays):
    header["seed"] = 5


def other_value(header, arrays):
    arrays["own"]["price"] += 1


def missing(header, arrays):
    del arrays["live"]
    header["digest"] = checkpoint._digest(header, arrays)


def other_version(header, arrays):
    header["version"] = 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_size, "need"),
        (other_setting, "its configuration does not fit"),
        (other_seed, "do not match their digest"),
        (other_value, "do not match their digest"),
        (missing, "arrays are"),
        (other_version, "version 2; allowed is version 1"),
    ],
)
def test_contents_that_do_not_fit_are_refused(change, message, tmp_path):
    busy().save(tmp_path / "m.npz")
    assert zipfile.is_zipfile(tmp_path / "m.npz")
    rewrite(tmp_path / "m.npz", change)
    with pytest.raises(CheckpointError, match=message):
        Market.load(tmp_path / "m.npz")
