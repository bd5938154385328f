"""The replay stream: alone it rebuilds every row of the orderbook file, with the right orders queued."""

import pickle
import timeit

import numpy as np
import pytest

from hft_gym.data import CHECKPOINT_DTYPE, REPLAY_DTYPE, LobsterDay, ReplayFeed, ReplayOp, read_lobster
from hft_gym.errors import ConfigError, DataError
from tests.data.replayer import ASK, BID, Replayer, checkpoint_errors, mismatched_rows
from tests.data.synthetic import EMPTY, Written, make_rows, write_day, write_rows
from tests.data_files import shared_lobster

SHAPES = [(1, 12), (2, 12), (5, 12), (10, 12), (10, 4), (6, 2)]  # (levels in the file, levels in the book)
REAL = [("AMZN", 5), ("AMZN", 1), ("GOOG", 10)]


@pytest.fixture(scope="module", params=SHAPES, ids=lambda s: f"levels{s[0]}of{s[1]}")
def made_up(request, tmp_path_factory):
    """The truth of a made-up day (with what lies beyond the horizon), its reading and its feed."""
    levels, depth = request.param
    rows = make_rows(3_000, levels, depth, seed=levels + depth)
    path = write_rows(tmp_path_factory.mktemp("day"), rows, compressed=levels == 5)
    day = read_lobster(path)
    return rows, day, ReplayFeed.from_day(day, checkpoint_rows=250)


@pytest.fixture(scope="module", params=REAL, ids=lambda s: f"{s[0]}-{s[1]}")
def real(request):
    return ReplayFeed.from_lobster(shared_lobster(*request.param))


def test_every_row_of_a_made_up_day_is_rebuilt(made_up):
    _, _, feed = made_up
    assert mismatched_rows(feed) == 0
    assert feed.stats.corrected_rows == 0
    assert feed.stats.unmatched_volume == 0
    assert feed.stats.mismatched_messages == 0


def test_every_row_of_a_real_day_is_rebuilt(real):
    assert mismatched_rows(real) == 0
    assert real.stats.corrected_rows == 0
    assert real.stats.unmatched_volume == 0
    assert real.stats.mismatched_messages == 0


def test_checkpoints_continue_as_the_day_does(made_up):
    assert checkpoint_errors(made_up[2]) == 0


def test_real_checkpoints_continue_as_the_day_does(real):
    assert len(real.checkpoint_start) == 1 + -(-real.rows // 2_000)
    assert checkpoint_errors(real) == 0


def test_queues_hold_the_right_orders(made_up):
    """Orders seen arriving are exactly the back of the true queue; adopted volume is all before them."""
    truth, day, feed = made_up
    replayer = Replayer(feed.max_handles)
    ids: dict[int, int] = {}
    for row, written in enumerate(truth):
        for op in feed.ops[feed.op_row_start[row] : feed.op_row_start[row + 1]].tolist():
            replayer.apply(op)
            if op[5] == ReplayOp.ADD:
                ids[op[4]] = int(day.messages["order_id"][row])
        for side in (BID, ASK):
            for price, handles in replayer.queues[side].items():
                adopted = [h for h in handles if h in replayer.adopted]
                known = handles[len(adopted) :]
                assert handles[: len(adopted)] == adopted
                true_queue = written.queues[side, price]
                seen = true_queue[len(true_queue) - len(known) :]
                assert [(ids[h], replayer.orders[h][2]) for h in known] == seen
                unseen = sum(q for _, q in true_queue[: len(true_queue) - len(known)])
                assert sum(replayer.orders[h][2] for h in adopted) == unseen


def test_fifo_holds_exactly_in_a_made_up_day(made_up):
    stats = made_up[2].stats
    assert stats.executions_known > 20
    assert stats.executions_in_front == stats.executions_oldest_known == stats.executions_known


def fifo_by_hand(feed: ReplayFeed, start_ns: int = 0) -> tuple[int, int, int]:
    """Executions of orders seen arriving: all, those ahead of all others seen arriving, those in front."""
    replayer = Replayer(feed.max_handles)
    checked = oldest = front = 0
    for op in feed.ops.tolist():
        handle, code, side, price = op[4], op[5], op[6], op[1]
        if code == ReplayOp.EXECUTE and handle not in replayer.adopted and op[0] >= start_ns:
            queue = replayer.queues[side][price]
            checked += 1
            front += queue[0] == handle
            oldest += next(h for h in queue if h not in replayer.adopted) == handle
        replayer.apply(op)
    return checked, oldest, front


def test_real_executions_respect_price_time_priority(real):
    checked, oldest, front = fifo_by_hand(real)
    stats = real.stats
    assert (checked, oldest, front) == (
        stats.executions_known,
        stats.executions_oldest_known,
        stats.executions_in_front,
    )
    assert oldest / checked >= 0.998
    # Ahead of adopted volume too, but for the first second: at the open, orders of the opening book are
    # reported late and trade ahead of what the first row already shows.
    checked, _, front = fifo_by_hand(real, real.start_ns + 10**9)
    assert checked > 1_900 and front / checked >= 0.998


# rows, levels that enter, executions: of orders seen arriving, of them ahead of other such, of older orders
MEASURED = {
    ("AMZN", 5): (79_272, 19_025, 3_081, 3_078, 751),
    ("AMZN", 1): (26_720, 6_838, 1_997, 1_994, 1_835),
    ("GOOG", 10): (72_066, 23_579, 2_456, 2_455, 302),
}


def test_real_days_give_the_measured_figures(real):
    """The figures that docs/replay.md quotes, which were first measured by another program."""
    stats = real.stats
    rows, entered, known, oldest, older = MEASURED[real.symbol, real.levels]
    assert (stats.rows, real.rows, stats.adopted_rows) == (rows, rows, entered)
    assert (stats.executions_known, stats.executions_oldest_known) == (known, oldest)
    counts = np.bincount(real.ops["op"], minlength=9)
    assert counts[ReplayOp.EXECUTE] == known + older
    assert counts[ReplayOp.ADOPT] == entered + 2 * real.levels


def test_a_real_day_loads_fast(real):
    path = shared_lobster(real.symbol, real.levels)  # compiled by now
    assert min(timeit.repeat(lambda: ReplayFeed.from_day(read_lobster(path)), number=1, repeat=3)) < 1.5


def test_operations_carry_the_messages(made_up):
    """Each row's operations on the visible book move the volume its message says."""
    _, day, feed = made_up
    for row in range(1, feed.rows):
        message = day.messages[row]
        ops = feed.ops[feed.op_row_start[row] : feed.op_row_start[row + 1]]
        assert np.all(ops["time"] == message["time"])
        own = ops[(ops["op"] != ReplayOp.FORGET) & (ops["op"] != ReplayOp.ADOPT)]
        kind = int(message["kind"])
        codes = {
            1: (ReplayOp.ADD,),
            2: (ReplayOp.REDUCE, ReplayOp.DELETE),
            3: (ReplayOp.REDUCE, ReplayOp.DELETE),
            4: (ReplayOp.EXECUTE,),
            5: (ReplayOp.HIDDEN,),
            7: (ReplayOp.HALT,),
        }[kind]
        assert len(own) and set(own["op"].tolist()) <= {int(c) for c in codes}
        assert own["quantity"].sum() == message["quantity"]
        if kind <= 4:
            assert set((own["price"] * 100).tolist()) == {int(message["price"])}
        if kind <= 5:
            assert set(own["side"].tolist()) == {int(message["side"])}


def day_of(tmp_path, levels, *rows) -> LobsterDay:
    """A day from (kind, order id, size, price in units, direction, view) tuples, a second apart."""
    written = [
        Written((34_200 + i) * 10**9, kind, order, size, price, direction, view, {})
        for i, (kind, order, size, price, direction, view) in enumerate(rows)
    ]
    assert all(len(r.view) == 4 * levels for r in written)
    return read_lobster(write_rows(tmp_path, written))


def ops_of(feed: ReplayFeed, row: int) -> list[tuple]:
    names = ["op", "side", "price", "quantity", "remaining", "handle"]
    ops = feed.ops[feed.op_row_start[row] : feed.op_row_start[row + 1]]
    return [(ReplayOp(op[0]).name, *op[1:]) for op in ops[names].tolist()]


def test_a_day_by_hand(tmp_path):
    """Every operation once, in a file of one level."""
    feed = ReplayFeed.from_day(
        day_of(
            tmp_path,
            1,
            (1, 1, 50, 1000000, 1, [1000200, 10, 1000000, 80]),  # in the first state already, with 30 unseen
            (1, 2, 20, 1000000, 1, [1000200, 10, 1000000, 100]),  # joins the back
            (
                4,
                1,
                40,
                1000000,
                1,
                [1000200, 10, 1000000, 60],
            ),  # unknown: the adopted order, in front, trades
            (2, 2, 5, 1000000, 1, [1000200, 10, 1000000, 55]),  # partial cancel of the known one
            (5, 0, 7, 1000150, -1, [1000200, 10, 1000000, 55]),  # hidden ask between two ticks
            (5, 0, 8, 1000150, 1, [1000200, 10, 1000000, 55]),  # hidden bid there
            (1, 3, 9, 1000100, 1, [1000200, 10, 1000100, 9]),  # better: the level behind leaves the horizon
            (3, 3, 9, 1000100, 1, [1000200, 10, 1000000, 70]),  # and enters again, as one order
            (7, 0, 0, -1, -1, [1000200, 10, 1000000, 70]),
            (6, 0, 99, 1000150, 1, [1000200, 10, 1000000, 70]),  # an auction
            (4, 2, 70, 1000000, 1, [1000200, 10, -EMPTY, 0]),  # nothing left on the bid side
        )
    )
    rows = [ops_of(feed, row) for row in range(feed.rows)]
    assert rows == [
        [("ADOPT", BID, 10_000, 80, 80, 0), ("ADOPT", ASK, 10_002, 10, 10, 1)],
        [("ADD", BID, 10_000, 20, 20, 2)],
        [("EXECUTE", BID, 10_000, 40, 40, 0)],
        [("REDUCE", BID, 10_000, 5, 15, 2)],
        [("HIDDEN", ASK, 10_001, 7, 0, -1)],  # 100.015: an ask at 100.01 would have traded first
        [("HIDDEN", BID, 10_002, 8, 0, -1)],
        [
            ("ADD", BID, 10_001, 9, 9, 3),
            ("FORGET", BID, 10_000, 40, 0, 0),
            ("FORGET", BID, 10_000, 15, 0, 2),
        ],
        [("DELETE", BID, 10_001, 9, 0, 3), ("ADOPT", BID, 10_000, 70, 70, 3)],
        [("HALT", BID, -1, 0, 0, -1)],
        [("CROSS", BID, 10_002, 99, 0, -1)],
        [("EXECUTE", BID, 10_000, 70, 0, 3)],
    ]
    assert feed.max_handles == 4
    assert (feed.min_price, feed.max_price) == (10_000, 10_002)
    assert mismatched_rows(feed) == 0


def test_a_wrong_row_is_corrected_and_counted(tmp_path):
    rows = make_rows(2_000, 5, seed=3)
    row = next(i for i in range(1_000, 2_000) if rows[i].kind == 1)
    rows[row].view[3] += 7
    with pytest.warns(UserWarning, match=f"row {row}: 2 of 2000 rows do not follow"):
        feed = ReplayFeed.from_day(read_lobster(write_rows(tmp_path, rows)), checkpoint_rows=1)
    assert checkpoint_errors(feed) == 0
    assert feed.stats.corrected_rows == 2  # seven shares come from nowhere, and go
    assert feed.stats.mismatched_messages == 0
    assert feed.stats.first_corrected_row == row
    assert ("ADOPT", 7) in [(op[0], op[3]) for op in ops_of(feed, row)]
    assert mismatched_rows(feed) == 0


def test_a_missing_message_is_corrected_without_crossing(tmp_path):
    rows = make_rows(2_000, 5, seed=4)
    del rows[700:703]
    with pytest.warns(UserWarning, match="rows do not follow"):
        feed = ReplayFeed.from_day(read_lobster(write_rows(tmp_path, rows)), checkpoint_rows=1)
    assert checkpoint_errors(feed) == 0
    assert feed.stats.corrected_rows >= 1
    assert feed.stats.first_corrected_row >= 700
    assert mismatched_rows(feed) == 0  # whose replayer also refuses orders that cross


def test_files_of_two_days_are_refused(tmp_path):
    rows, others = make_rows(500, 5, seed=1), make_rows(500, 5, seed=2)
    for row, other in zip(rows, others, strict=True):
        row.view = other.view
    day = read_lobster(write_rows(tmp_path, rows))
    with pytest.raises(DataError, match=r"orderbook_5.csv, row \d+: \d+ of 500 rows do not follow") as error:
        ReplayFeed.from_day(day)
    assert error.value.row is not None


def test_a_last_number_cut_off_is_refused(tmp_path):
    rows = make_rows(400, 5, seed=1)
    assert rows[-1].view[-1] >= 10
    path = write_rows(tmp_path, rows)
    book = path.with_name(path.name.replace("message", "orderbook"))
    book.write_text(book.read_text()[:-2])
    with pytest.raises(DataError, match=r"row 399: the last row does not follow .* cut off"):
        ReplayFeed.from_lobster(path)


def test_an_order_added_twice_is_refused(tmp_path):
    view = [1000200, 10, 1000000, 80]
    day = day_of(
        tmp_path,
        1,
        (5, 0, 1, 1000100, 1, view),
        (1, 7, 20, 1000000, 1, [1000200, 10, 1000000, 100]),
        (1, 7, 20, 1000000, 1, [1000200, 10, 1000000, 120]),
    )
    with pytest.raises(DataError, match="row 2: order 7 is added while it still rests"):
        ReplayFeed.from_day(day)


def test_arrays_and_their_types(made_up):
    _, day, feed = made_up
    assert feed.ops.dtype == REPLAY_DTYPE and REPLAY_DTYPE.itemsize == 40
    assert feed.checkpoint_orders.dtype == CHECKPOINT_DTYPE and CHECKPOINT_DTYPE.itemsize == 24
    assert feed.book.shape == (feed.rows, day.levels, 4)
    assert feed.op_row_start[0] == 0 and feed.op_row_start[-1] == len(feed.ops)
    for array in (feed.ops, feed.op_row_start, feed.times, feed.book, feed.checkpoint_orders):
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]
    for array in feed.kernel_arrays():
        assert array.flags.c_contiguous and array.flags.writeable
    visible = feed.ops[feed.ops["handle"] >= 0]
    assert (visible["price"].min(), visible["price"].max()) == (feed.min_price, feed.max_price)
    assert visible["handle"].max() == feed.max_handles - 1  # dense: each is used
    assert len(np.unique(visible["handle"])) == feed.max_handles


def test_rows_and_checkpoints_by_time(made_up):
    _, _, feed = made_up
    assert feed.row_at(feed.times[0] - 1) == -1
    for row in (0, 1, 777, feed.rows - 1):
        found = feed.row_at(int(feed.times[row]))
        assert feed.times[found] == feed.times[row]
        assert found == feed.rows - 1 or feed.times[found + 1] > feed.times[row]
    start, orders = feed.checkpoint_before(777)
    assert start == 750
    replayer = Replayer.at(feed, orders.tolist())
    for op in feed.ops[feed.op_row_start[start + 1] : feed.op_row_start[778]].tolist():
        replayer.apply(op)
    assert replayer.view(feed.levels) == feed.book[777].tolist()
    with pytest.raises(ConfigError, match=f"row is {feed.rows};"):
        feed.checkpoint_before(feed.rows)
    with pytest.raises(ConfigError, match="checkpoint_rows is 0"):
        ReplayFeed.from_day(made_up[1], checkpoint_rows=0)


def test_one_file_is_read_once_until_it_changes(tmp_path):
    path = write_day(tmp_path, rows=300)
    feed = ReplayFeed.from_lobster(path)
    assert ReplayFeed.from_lobster(str(path)) is feed
    assert ReplayFeed.from_lobster(path, checkpoint_rows=100) is not feed
    write_day(tmp_path, rows=301)
    assert ReplayFeed.from_lobster(path).rows == 301


def test_a_feed_can_be_pickled(made_up):
    feed = made_up[2]
    again = pickle.loads(pickle.dumps(feed))
    assert repr(again) == repr(feed) and again.stats == feed.stats
    for name, array in feed.kernel_arrays()._asdict().items():
        assert np.array_equal(getattr(again, name), array), name


def test_without_compilation_the_operations_are_the_same(tmp_path, python):
    path = write_day(tmp_path, rows=600, levels=3, seed=9)
    code = """
import hashlib, sys
from hft_gym._jit import JIT_DISABLED
from hft_gym.data import ReplayFeed
feed = ReplayFeed.from_lobster(sys.argv[1], checkpoint_rows=100)
print(JIT_DISABLED, hashlib.sha256(feed.ops.tobytes() + feed.checkpoint_orders.tobytes()).hexdigest())
"""
    compiled = python(code, str(path))
    plain = python(code, str(path), env={"NUMBA_DISABLE_JIT": "1"})
    assert compiled.returncode == plain.returncode == 0, compiled.stderr + plain.stderr
    assert compiled.stdout.split()[0] == "False" and plain.stdout.split()[0] == "True"
    assert compiled.stdout.split()[1] == plain.stdout.split()[1]


def test_reading_needs_no_numba_and_importing_no_pandas(tmp_path, python):
    path = write_day(tmp_path, rows=50)
    code = """
import sys
import hft_gym.data
assert not {"numba", "pandas"} & set(sys.modules)
hft_gym.data.read_lobster(sys.argv[1])
assert "numba" not in sys.modules
"""
    done = python(code, str(path))
    assert done.returncode == 0, done.stderr
