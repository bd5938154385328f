"""Tapes of recorded files: the reader against the market's replay, other formats, rules of rebuilding, refusals."""

import gzip

import numpy as np
import pytest

from hft_gym import DataError
from hft_gym.data.lobster import LOBSTER_DTYPE
from hft_gym.data.replay import ReplayFeed
from hft_gym.market import TapeKind
from hft_gym.realism import measure, read_tape, simulate_tape, split
from hft_gym.realism.tapes import rebuild, replayed_tape
from tests.data_files import shared_data, shared_lobster
from tests.realism.tape_maker import ASK, BID

ADD, REDUCE, DELETE, EXECUTE = 1, 2, 3, 4


def test_the_file_read_and_the_file_replayed_are_one_tape():
    """Two ways that share no code, the reader and the market's recorder: the same facts, volumes to the share."""
    path = shared_lobster("GOOG", 10)
    read, replayed = read_tape(path), replayed_tape(ReplayFeed.from_file(path))
    for kind in (TapeKind.EXECUTE, TapeKind.HIDDEN):
        for side in (BID, ASK):
            volumes = [t["quantity"][(t["kind"] == kind) & (t["side"] == side)].sum() for t in (read, replayed)]
            assert volumes[0] == volumes[1] > 0
    names = ["spread", "touch", "volatility", "kurtosis", "acf_signs"]
    first, second = measure(read, names), measure(replayed, names)
    for name in names:
        assert first[name].values == pytest.approx(second[name].values, rel=1e-9, nan_ok=True), name


@pytest.mark.parametrize(
    ("name", "trades", "tick"),
    [
        ("itch/AAPL_2020-01-30_locate13_first6000.itch", 419, 0.01),
        ("databento/esh4-glbx-mdp3-20231225_until2310.mbo.dbn.zst", 1_430, 0.25),
    ],
)
def test_other_formats(name, trades, tick):
    for module in ("pyarrow", "databento_dbn"):
        pytest.importorskip(module)
    tape = read_tape(shared_data(name))
    assert tape.tick_size == tick and tape.levels == 10
    assert (tape["kind"] == TapeKind.EXECUTE).sum() == pytest.approx(trades, rel=0.02)
    assert measure(tape, ["spread"])["spread"].values["mean"] >= 1.0


def messages(*rows):
    found = np.zeros(len(rows), LOBSTER_DTYPE)
    for i, (kind, order_id, side, price, size) in enumerate(rows):
        found[i]["kind"], found[i]["order_id"], found[i]["side"] = kind, order_id, side
        found[i]["price"], found[i]["quantity"], found[i]["time"] = price, size, i
    return found


def test_rules_of_rebuilding():
    """An order added at a price proves dead what it would have crossed, an execution what was better."""
    start = [(1, ASK, 1_000, 5), (2, ASK, 1_100, 6), (3, BID, 900, 7), (4, BID, 800, 8)]
    book = rebuild(
        messages(
            (REDUCE, 3, BID, 900, 2),
            (ADD, 5, BID, 1_000, 3),  # the ask at 1000 was gone, unseen
            (EXECUTE, 4, BID, 800, 1),  # and so were the bids at 1000 and 900
            (DELETE, 4, BID, 800, 7),
            (DELETE, 99, BID, 700, 7),  # never seen
        ),
        100,
        start,
        2,
    )
    assert book[:, 0].tolist() == [[10, 5, 9, 5], [11, 6, 10, 3], [11, 6, 8, 7], [11, 6, 0, 0], [11, 6, 0, 0]]
    assert book[0, 1].tolist() == [11, 6, 8, 8]


def test_a_message_file_without_its_book(tmp_path):
    path = tmp_path / "X_2012-06-21_1_2_message_50.csv"
    path.write_text("1.0,1,1,10,99000,1\n1.5,1,2,20,101000,-1\n2.0,1,3,5,100000,1\n2.5,3,3,5,100000,1\n")
    orders = tmp_path / "X_2012-06-21_1_2_initial_orders_inferred.csv.gz"
    with gzip.open(orders, "wt") as file:
        file.write("order_id,direction,price,size\n7,-1,105000,4\n")
    tape = read_tape(path, levels=2)
    assert len(tape) == 3 and tape.symbol == "X" and tape.levels == 2
    assert tape["bid"].tolist() == [990, 1_000, 990] and tape["ask"].tolist() == [1_010, 1_010, 1_010]
    assert tape.opening.tolist() == [[1_050, 4, 990, 10], [0, 0, 0, 0]]
    with gzip.open(orders, "wt") as file:
        file.write("id,price\n7,105000\n")
    with pytest.raises(DataError, match="needed are the columns order_id"):
        read_tape(path)
    with pytest.raises(DataError, match="no such file"):
        read_tape(tmp_path / "none_message_5.csv")


def test_halves_make_the_whole():
    tape = simulate_tape("poisson", 60, levels=1)
    parts = split(tape, 3)
    assert [p.seconds for p in parts] == [20.0] * 3
    assert (np.concatenate([p.records for p in parts]) == tape.records).all()
    assert (parts[1].opening == parts[0].book[-1]).all()
