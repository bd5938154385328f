"""Laws of the followed book on arbitrary messages, sound or not: a repair leaves nothing to repair, and operations
rebuild what was followed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hft_gym.book.inspection import check_book
from hft_gym.data import follow_state as c
from hft_gym.data.check_replay import replay_through_book
from hft_gym.data.follower import BookFollower, Screen
from hft_gym.data.issues import IssueLog
from hft_gym.data.messages import FEED_DTYPE, FeedFlag, FeedKind, FeedMeta
from hft_gym.data.replay import ReplayFeed, ReplayStats
from hft_gym.data.sources import Chunk

LAST = int(FeedFlag.LAST)
ORDERS = st.tuples(
    st.sampled_from(
        [FeedKind.ADD] * 4
        + [FeedKind.CANCEL, FeedKind.DELETE, FeedKind.EXECUTE, FeedKind.REPLACE, FeedKind.MODIFY, FeedKind.FILL]
        + [FeedKind.TRADE, FeedKind.HIDDEN, FeedKind.CLEAR]
    ),
    st.integers(1, 12),  # order id
    st.sampled_from([0, 1, 0, 1, 0, 1, 255]),
    st.integers(-1, 30),  # price
    st.integers(-1, 9),  # quantity
    st.integers(1, 12),  # reference
    st.sampled_from([0, LAST, LAST]),
    st.integers(-1, 3),  # time since the one before
)
END = (FeedKind.LEVEL, 0, 0, 50, 0, 0, LAST, 0)
"""Ends an event of levels: a book is only looked at between events."""
LEVELS = st.tuples(
    st.sampled_from([FeedKind.LEVEL] * 5 + [FeedKind.TRADE, FeedKind.CLEAR]),
    st.just(0),
    st.sampled_from([0, 1]),
    st.integers(1, 30),
    st.integers(0, 9),
    st.just(0),
    st.sampled_from([0, LAST]),
    st.integers(0, 3),
)


def as_chunk(rows):
    records = np.zeros(len(rows), FEED_DTYPE)
    time = 100
    for i, (kind, order, side, price, quantity, reference, flags, step) in enumerate(rows):
        time += step
        records[i] = (time, 0, order, reference, price, quantity, i + 1, 0, kind, side, flags)
    if len(records):
        records["flags"][-1] |= LAST
    return Chunk(records, np.arange(len(records)))


def read(chunk, depth, strict, capacity=16, **options):
    meta = FeedMeta("itch" if depth == "L3" else "binance", depth, "midnight")
    log = IssueLog(strict)
    book = BookFollower(meta, log, "made up", tick_units=1, capacity=capacity, levels=3, **options)
    out = book(Screen(meta, log, "made up")(chunk))
    return book, out, log


def sound(book):
    f = book.f
    check_book((np.asarray(f.head).reshape(1), f.node[None], f.order[None], f.words[None]), f.direct, f.table)


@settings(max_examples=150, deadline=None)
@given(st.lists(ORDERS, max_size=60))
def test_what_was_repaired_needs_no_repair(rows):
    book, out, log = read(as_chunk(rows), "L3", strict=False)
    sound(book)
    again, same, _ = read(Chunk(out.records.copy(), out.rows), "L3", strict=True)
    assert np.array_equal(same.records, out.records)
    assert np.array_equal(again.depth(20), book.depth(20))
    if not log.total:
        assert len(out.records) == len(rows)


@settings(max_examples=100, deadline=None)
@given(st.lists(LEVELS, max_size=60))
def test_repaired_levels_need_no_repair(rows):
    book, out, _ = read(as_chunk([*rows, END]), "L2", strict=False)
    sound(book)
    again, same, _ = read(Chunk(out.records.copy(), out.rows), "L2", strict=True)
    assert np.array_equal(same.records, out.records)
    assert np.array_equal(again.depth(20), book.depth(20))


def rebuilt(book):
    """The operations through the compiled book, compared with the rows the follower saw."""
    if not sum(len(t) for t in book.times):
        return
    rows = np.concatenate(book.times)
    feed = ReplayFeed(
        symbol="", date="", tick_size=1.0, levels=book.levels, ops=np.concatenate(book.ops),
        op_row_start=np.concatenate([[0], *book.op_start]).astype(np.int64), times=rows,
        book=np.concatenate(book.truth), checkpoint_rows=2_000,
        checkpoint_start=np.array([0, len(book.checkpoints[0])]), checkpoint_orders=book.checkpoints[0],
        max_handles=max(int(book.k[c.MAX_HANDLES]), int(book.checkpoints[0]["handle"].max(initial=0)) + 1),
        min_price=0, max_price=40, start_ns=0, end_ns=1, stats=ReplayStats(*[0] * 12),
    )  # fmt: skip
    check = replay_through_book(feed)
    assert (check.wrong_rows, check.crossed_rows, check.broken_operations) == (0, 0, 0)


@settings(max_examples=150, deadline=None)
@given(st.lists(ORDERS, min_size=5, max_size=60))
def test_operations_rebuild_the_book_of_orders(rows):
    _, out, _ = read(as_chunk(rows), "L3", strict=False)
    if len(out.records):
        book, _, _ = read(Chunk(out.records.copy(), out.rows), "L3", strict=True, open_at=3, capacity=256)
        rebuilt(book)


@settings(max_examples=100, deadline=None)
@given(st.lists(LEVELS, min_size=5, max_size=60), st.sampled_from(sorted(c.QUEUE_MODELS)))
def test_operations_rebuild_the_book_of_levels(rows, model):
    _, out, _ = read(as_chunk([*rows, END]), "L2", strict=False)
    if len(out.records):
        book, _, _ = read(
            Chunk(out.records.copy(), out.rows), "L2", strict=True, open_at=3, queue_model=model, capacity=256
        )
        rebuilt(book)


@pytest.mark.parametrize("model", sorted(c.QUEUE_MODELS))
def test_the_pool_of_synthetic_orders_grows(model):
    rows = [(FeedKind.LEVEL, 0, 1, 20, 5, 0, LAST, 1), (FeedKind.LEVEL, 0, 0, 10, 1, 0, LAST, 1)]
    rows += [(FeedKind.LEVEL, 0, 0, 10, i, 0, LAST, 1) for i in range(2, 400)]
    rows += [(FeedKind.LEVEL, 0, 0, 10, i, 0, LAST, 1) for i in range(390, 0, -7)]
    book, _, _ = read(as_chunk(rows), "L2", strict=True, open_at=1, queue_model=model, capacity=64)
    assert book.k[c.SYN_LIVE] >= 2 and len(book.f.syn) > 256
    rebuilt(book)
