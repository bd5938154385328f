"""The followed book against a plain exchange; repairs; the operations of a replay; queue models; markets."""

import gzip
import json

import gymnasium
import numpy as np
import pytest

from hft_gym.data import ReplayFeed
from hft_gym.data.check_replay import replay_through_book
from hft_gym.data.convert import convert, validate
from hft_gym.data.fidelity import compare_mbp10, measure
from hft_gym.data.follower import BookFollower
from hft_gym.data.issues import IssueLog
from hft_gym.data.messages import FEED_DTYPE, FeedFlag, FeedKind, FeedMeta
from hft_gym.data.sources import Chunk
from hft_gym.errors import ConfigError, DataError
from tests.data.feeds import Exchange, binance_lines, dbn_bytes, dbn_csv, itch_messages, write_itch
from tests.data.replayer import checkpoint_errors
from tests.data_files import shared_data

pytest.importorskip("pyarrow", reason="needs the extra data")
LAST = FeedFlag.LAST


def records(*rows):
    """(kind, order, side, price, quantity[, flags[, reference]]) as FEED_DTYPE, a second apart."""
    made = np.zeros(len(rows), FEED_DTYPE)
    for i, (kind, order, side, price, quantity, *more) in enumerate(rows):
        made[i]["time"] = i * 10**9
        for name, value in zip(("kind", "order_id", "side", "price", "quantity"), (kind, order, side, price, quantity),
                               strict=True):  # fmt: skip
            made[i][name] = value
        made[i]["flags"] = more[0] if more else LAST
        made[i]["reference"] = more[1] if len(more) > 1 else 0
    return made


def follow(*rows, depth="L3", auction=False, **options):
    meta = FeedMeta("itch" if depth == "L3" else "binance", depth, "midnight", auction=auction)
    log = IssueLog()
    book = BookFollower(meta, log, "made up", tick_units=1, **options)
    made = records(*rows)
    out = book(Chunk(made, np.arange(len(made))))
    return book, out.records, log


# -- a whole stream ------------------------------------------------------------------------------------------


def best_quotes(feed):
    book = feed.book[:, 0]
    return [tuple(int(x) for x in row) for row in book[:, [2, 3, 0, 1]]]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("form", ["itch", "dbn", "csv"])
def test_a_feed_of_any_form_shows_the_exchanges_best_quotes(tmp_path, seed, form):
    exchange = Exchange(seed, n=500)
    path = tmp_path / f"x.{form}"
    if form == "itch":
        write_itch(path, exchange)
    elif form == "dbn":
        path.write_bytes(dbn_bytes(exchange))
    else:
        path.write_text(dbn_csv(exchange))
    found = validate(path, strict=True)
    assert not found.log.total
    feed = ReplayFeed.from_file(path, 0.01, checkpoint_rows=50)
    quotes = best_quotes(feed)
    assert quotes == exchange.quotes[len(exchange.quotes) - len(quotes) :]
    assert len(quotes) > 450
    check = replay_through_book(feed)
    assert (check.wrong_rows, check.crossed_rows, check.broken_operations) == (0, 0, 0)
    executions = sum(e[1] == "execute" for e in exchange.events)
    assert check.executions == check.at_best == check.at_front == executions > 50
    statistics = found.statistics["TEST" if form != "dbn" else "42"]
    assert statistics["executions_at_front"] == statistics["executions"] == executions


def test_the_plain_replayer_agrees_on_every_operation_and_checkpoint(tmp_path):
    """A second, plain implementation of the operations: the whole depth at every checkpoint."""
    feed = ReplayFeed.from_file(write_itch(tmp_path / "x", Exchange(5, n=120)), 0.01, checkpoint_rows=40)
    wide = WideLevels(feed)
    assert checkpoint_errors(wide) == 0


class WideLevels:
    """The feed as the replayer wants it: its rows show the best level, the replayer's view must be cut to it."""

    def __init__(self, feed):
        self._feed = feed
        self.levels = 1_000

    def __getattr__(self, name):
        return getattr(self._feed, name)

    @property
    def book(self):
        # Only the best level is known from the file; the others are taken from the replayer itself.
        from tests.data.replayer import Replayer

        replayer = Replayer.at(self._feed, self._feed.checkpoint_orders[: self._feed.checkpoint_start[1]].tolist())
        rows = []
        ops, starts = self._feed.ops.tolist(), self._feed.op_row_start.tolist()
        for row in range(self._feed.rows):
            for op in ops[starts[row] : starts[row + 1]] if row else ():
                replayer.apply(op)
            view = replayer.view(self.levels)
            assert view[0] == self._feed.book[row, 0].tolist(), row
            rows.append(view)
        return np.array(rows)

    @property
    def op_row_start(self):
        return self._feed.op_row_start


# -- events --------------------------------------------------------------------------------------------------


def ops_of(book):
    from hft_gym.data import ReplayOp

    return [
        (ReplayOp(o["op"]).name, int(o["side"]), int(o["price"]), int(o["quantity"]), int(o["remaining"]))
        for part in book.ops
        for o in part
    ]


TWO_SIDES = ((FeedKind.ADD, 1, 0, 99, 10), (FeedKind.ADD, 2, 1, 101, 10))


def test_an_event_is_one_change_however_it_is_told():
    """An aggressor that rests, is filled and leaves a rest: executions first, then what it leaves."""
    book, _, log = follow(
        *TWO_SIDES,
        (FeedKind.ADD, 3, 0, 101, 15, 0),  # crosses within the event
        (FeedKind.TRADE, 0, 1, 101, 10, 0),
        (FeedKind.FILL, 2, 1, 101, 10, 0),
        (FeedKind.FILL, 3, 0, 101, 10, 0),
        (FeedKind.CANCEL, 2, 1, 101, 10, 0),
        (FeedKind.CANCEL, 3, 0, 101, 10),
        open_at=2,
    )
    assert ops_of(book) == [("EXECUTE", 1, 101, 10, 0), ("ADD", 0, 101, 5, 5)]
    assert not log.total
    assert book.statistics["fills_of_takers"] == 1 and book.statistics["executions_at_front"] == 1


def test_an_order_that_comes_and_goes_within_an_event_never_shows():
    book, _, _ = follow(
        *TWO_SIDES, (FeedKind.ADD, 3, 0, 100, 5, 0), (FeedKind.DELETE, 3, 0, 0, 0, 0), (FeedKind.ADD, 4, 0, 98, 1),
        open_at=2,
    )  # fmt: skip
    assert ops_of(book) == [("ADD", 0, 98, 1, 1)]


def test_modify_keeps_or_loses_its_place():
    book, _, _ = follow(
        *TWO_SIDES,
        (FeedKind.ADD, 3, 0, 99, 5),
        (FeedKind.MODIFY, 1, 0, 99, 8),  # smaller: keeps its place
        (FeedKind.MODIFY, 1, 0, 99, 9),  # larger: to the back
        (FeedKind.FILL, 3, 0, 99, 5, 0),
        (FeedKind.MODIFY, 3, 0, 99, 5),  # an iceberg's next part: to the back
        open_at=2,
    )
    assert ops_of(book) == [
        ("ADD", 0, 99, 5, 5),
        ("REDUCE", 0, 99, 2, 8),
        ("DELETE", 0, 99, 8, 0),
        ("ADD", 0, 99, 9, 9),
        ("EXECUTE", 0, 99, 5, 0),
        ("ADD", 0, 99, 5, 5),
    ]


def test_a_crossed_book_before_the_open_is_right_and_after_it_is_repaired():
    rows = (*TWO_SIDES, (FeedKind.ADD, 3, 0, 102, 5))
    book, out, log = follow(*rows, auction=True)
    assert not log.total and book.statistics["crossed_before_open"] == 1 and len(out) == 3
    book, out, log = follow(*rows, open_at=2)
    assert log.counts == {"crossed": 1}
    assert out["kind"].tolist() == [1, 1, 1, FeedKind.DELETE] and out["order_id"][-1] == 2
    assert ops_of(book) == [("DELETE", 1, 101, 10, 0), ("ADD", 0, 102, 5, 5)]


@pytest.mark.parametrize(
    ("row", "kind", "kept"),
    [
        ((FeedKind.CANCEL, 9, 0, 0, 1), "unknown", 2),
        ((FeedKind.EXECUTE, 1, 0, 0, 11), "excess", 3),
        ((FeedKind.CANCEL, 1, 0, 0, 11), "excess", 3),
        ((FeedKind.ADD, 1, 0, 98, 4), "duplicate", 4),
        ((FeedKind.REPLACE, 1, 0, 98, 4, LAST, 2), "duplicate", 4),
        ((FeedKind.MODIFY, 9, 0, 98, 4), "unknown", 3),
    ],
)
def test_repairs_of_orders(row, kind, kept):
    _, out, log = follow(*TWO_SIDES, row)
    assert log.counts == {kind: 1} and log.examples[0].row == 2
    assert len(out) == kept
    clean = BookFollower(FeedMeta("itch", "L3", "midnight"), IssueLog(strict=True), "repaired", tick_units=1)
    clean(Chunk(out.copy(), np.arange(len(out))))


# -- level 2 -------------------------------------------------------------------------------------------------

LEVELS = (
    (FeedKind.LEVEL, 0, 0, 99, 10, 0),
    (FeedKind.LEVEL, 0, 1, 101, 10),
    (FeedKind.LEVEL, 0, 0, 99, 16),  # six more at the back
)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("back", [("REDUCE", 4, 2)]),
        ("front", [("REDUCE", 4, 6)]),
        ("proportional", [("REDUCE", 3, 7), ("REDUCE", 1, 5)]),
    ],
)
def test_queue_models_take_cancellations_from_where_they_say(model, expected):
    book, _, _ = follow(*LEVELS, (FeedKind.LEVEL, 0, 0, 99, 12), depth="L2", open_at=2, queue_model=model)
    assert ops_of(book)[0] == ("ADD", 0, 99, 6, 6)
    assert [(name, q, left) for name, _, _, q, left in ops_of(book)[1:]] == expected


def test_trades_take_from_the_front_and_the_next_picture_settles_the_rest():
    book, _, _ = follow(
        *LEVELS,
        (FeedKind.TRADE, 0, 0, 99, 3, 0),
        (FeedKind.LEVEL, 0, 0, 99, 13),  # as the trade said
        (FeedKind.TRADE, 0, 0, 99, 4, 0),
        (FeedKind.LEVEL, 0, 1, 101, 11),  # the level was refilled: it is still 13
        (FeedKind.TRADE, 0, 1, 100, 2, 0),  # where nothing was shown
        depth="L2", open_at=2,
    )  # fmt: skip
    assert ops_of(book)[1:] == [
        ("EXECUTE", 0, 99, 3, 7),
        ("EXECUTE", 0, 99, 4, 3),
        ("ADD", 0, 99, 4, 4),
        ("ADD", 1, 101, 1, 1),
        ("HIDDEN", 1, 100, 2, 0),
    ]


@pytest.mark.parametrize("model", ["back", "front", "proportional"])
def test_a_binance_feed_shows_the_books_best_quotes(tmp_path, model):
    lines, truth = binance_lines(4, n=400)
    path = tmp_path / "x.txt"
    path.write_text("\n".join(lines) + "\n")
    feed = ReplayFeed.from_file(path, 0.1, queue_model=model, checkpoint_rows=30)
    assert feed.lot_size == 0.001 and feed.tick_size == 0.1
    assert best_quotes(feed)[-len(truth) :] == truth
    check = replay_through_book(feed)
    assert (check.wrong_rows, check.crossed_rows, check.broken_operations) == (0, 0, 0)
    assert check.executions == check.at_front > 50


def capture_of_levels(path, totals):
    """A Binance spot capture: a best bid at 100.0 of each of *totals* in turn, a second apart; best ask 101.0."""
    time = 1_723_161_255 * 10**9

    def line(message):
        return f"{time} {json.dumps(message)}"

    def diff(number, bids):
        data = {"e": "depthUpdate", "E": 1, "s": "X", "U": number, "u": number, "b": bids, "a": []}
        return line({"stream": "x@depth", "data": data})

    bids = [["100.0", str(totals[0])], ["99.9", "50"]]
    snapshot = {"lastUpdateId": 1, "bids": bids, "asks": [["101.0", "5"], ["101.1", "50"]]}
    lines = [diff(1, []), line(snapshot)]
    for number, total in enumerate(totals, 2):
        time += 10**9
        lines.append(diff(number, [["100.0", str(total)]]))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_models_bracket_the_place_of_an_order_in_a_market(tmp_path):
    """I join behind 16 lots, 4 come after me, 9 of the 20 are cancelled: how many are ahead of me then?"""
    from hft_gym import Market
    from hft_gym.types import OrderSide

    path = capture_of_levels(tmp_path / "x.txt", [16, 16, 20, 11, 11])
    ahead = {}
    for model in ("front", "proportional", "back"):
        feed = ReplayFeed.from_file(path, 0.1, queue_model=model, lot_size=1.0)
        quiet = {"order_ns": 0, "order_jitter_ns": 0}
        market = Market({"latency": quiet, "tick_size": 0.1, "max_orders": 1024}, feed=feed)
        second = int(feed.times[0])
        market.submit(1, OrderSide.BID, 1, 1_000)
        market.run_until(second + 2 * 10**9 - 1)
        (order,) = market.working_orders(1)
        assert order.volume_ahead == 16
        market.run_until(int(feed.times[-1]))
        (order,) = market.working_orders(1)
        ahead[model] = order.volume_ahead
    assert ahead["front"] == 16 - 9  # everything left from before me
    assert ahead["back"] == 16 - (9 - 4)  # the four behind me went first
    assert ahead["proportional"] == 16 * 11 // 20


# -- markets and measured files ------------------------------------------------------------------------------


def test_any_feed_can_be_an_environments_market(tmp_path):
    exchange = Exchange(9, n=1_500)
    target = tmp_path / "x.parquet"
    convert(write_itch(tmp_path / "x.itch", exchange), target)
    span = (exchange.events[-1][0] - exchange.events[0][0]) // 10**8
    env = gymnasium.make("HFTMarket-v0", feed=str(target), episode_steps=int(span // 3))
    observation, _ = env.reset(seed=1)
    assert np.isfinite(observation).all()
    done = False
    while not done:
        observation, reward, terminated, truncated, _ = env.step([1, 1, 0])
        assert np.isfinite(observation).all() and np.isfinite(reward)
        done = terminated or truncated
    with pytest.raises((ConfigError, DataError), match=r"tick_size=0\.01"):
        gymnasium.make("HFTMarket-v0", feed=str(target), market={"tick_size": 0.02})


def test_a_market_without_you_is_the_recorded_book(tmp_path):
    from hft_gym import Market

    exchange = Exchange(10, n=400)
    path = write_itch(tmp_path / "x.itch", exchange)
    market = Market({"max_orders": 4096}, feed=str(path))
    feed = market.feed
    for row in range(20, feed.rows, 37):
        if row + 1 < feed.rows and feed.times[row] == feed.times[row + 1]:
            continue
        market.run_until(int(feed.times[row]))
        snapshot = market.snapshot()
        ask, ask_size, bid, bid_size = feed.book[row, 0].tolist()
        assert [round(snapshot.best_bid * 100), snapshot.best_bid_volume] == [bid, bid_size]
        assert [round(snapshot.best_ask * 100), snapshot.best_ask_volume] == [ask, ask_size]


def test_a_feed_of_a_damaged_file_says_so(tmp_path):
    path = write_itch(tmp_path / "x.itch", Exchange(3))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.warns(UserWarning, match="1 x truncated"):
        ReplayFeed.from_file(path, 0.01)


def test_one_instrument_must_be_chosen_of_several(tmp_path):
    one, two = (list(itch_messages(Exchange(i), locate=i, stock=s)) for i, s in ((1, "ONE"), (2, "TWO")))
    path = tmp_path / "x.itch"
    path.write_bytes(b"".join(m for pair in zip(one, two, strict=False) for m in pair))
    with pytest.raises(ConfigError, match="ONE, TWO"):
        ReplayFeed.from_file(path, 0.01)
    assert ReplayFeed.from_file(path, 0.01, symbol="TWO").symbol == "TWO"
    with pytest.raises(ConfigError, match="queue_model is 'fifo'"):
        ReplayFeed.from_file(path, 0.01, queue_model="fifo")


def expected_quotes(name, columns):
    lines = gzip.decompress(shared_data(name).read_bytes()).decode().split()
    header = lines[0].split(",")
    at = [header.index(c) for c in columns]
    return [tuple(int(line.split(",")[i] or 0) for i in at) for line in lines[1:]]


def test_itch_reality(tmp_path):
    path = shared_data("itch/AAPL_2020-01-30_locate13_first6000.itch")
    found = measure(path, 0.01)
    assert all(row.holds is not False for row in found.rows)
    assert found["executions at the front of the queue"].value.startswith("419 of 419")
    feed = ReplayFeed.from_file(path, 0.01)
    expected = expected_quotes("itch/AAPL_2020-01-30_locate13_first6000.expected_bbo.csv.gz",
                               ("timestamp_ns", "bid", "bid_size", "ask", "ask_size"))  # fmt: skip
    shown, before = [], None
    for time, row in zip(feed.times.tolist(), best_quotes(feed), strict=True):
        if row != before:
            shown.append((time, 100 * row[0], row[1], 100 * row[2], row[3]))
            before = row
    full = [e for e in expected if e[0] > feed.times[0]]
    assert shown[1:] == full and len(full) > 1_300


def test_es_reality():
    path = shared_data("databento/esh4-glbx-mdp3-20231225_until2310.mbo.dbn.zst")
    found = measure(path, 0.25)
    assert all(row.holds is not False for row in found.rows)
    assert found["events crossed before continuous trading"].value == "891"
    feed = ReplayFeed.from_file(path, 0.25)
    assert feed.start_ns == 23 * 3_600 * 10**9  # continuous trading begins at 23:00 UTC
    expected = expected_quotes("databento/esh4-glbx-mdp3-20231225_until2310.mbo.expected_bbo.csv.gz",
                               ("ts_event", "bid_px", "bid_sz", "ask_px", "ask_sz"))  # fmt: skip
    midnight = int(np.datetime64("2023-12-25", "ns").astype(np.int64))
    tick = 250_000_000
    shown, before = [], None
    for time, row in zip(feed.times.tolist(), best_quotes(feed), strict=True):
        if row != before:
            shown.append((time + midnight, tick * row[0], row[1], tick * row[2], row[3]))
            before = row
    opening = feed.times[0] + midnight
    full = [e for e in expected if e[0] >= opening]
    # The file also tells changes of the order counts alone.
    full = [e for before, e in zip([(0,), *full], full, strict=False) if e[1:] != before[1:] and e[0] > opening]
    assert [e for e in shown if e[0] > opening] == full and len(full) > 3_000


def test_arl_reality_reproduces_every_row_of_ten_levels():
    mbo = shared_data("databento/ARL_xnas-itch-20250717_until1600.mbo.csv.gz")
    mbp10 = shared_data("databento/ARL_xnas-itch-20250717_until1600.mbp10.csv.gz")
    assert compare_mbp10(mbo, mbp10) == (1_071, 0)


def test_lobster_reality():
    path = shared_data("lobster/AMZN_2012-06-21_34200000_45000000_message_5.csv.gz")
    found = measure(path)
    assert all(row.holds is not False for row in found.rows)


def test_binance_reality():
    path = shared_data("crypto/binance_usdm_btcusdt_20240808.gz")
    check = replay_through_book(ReplayFeed.from_file(path, 0.1, queue_model="proportional"))
    assert (check.wrong_rows, check.crossed_rows, check.broken_operations) == (0, 0, 0)
    assert check.rows == 6_548
