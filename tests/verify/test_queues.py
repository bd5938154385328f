"""Queue-reactive books against the exact law of their Markov chain, and Cont-de Larrard queues against the lattice."""

import numpy as np
import pytest
from scipy import sparse, stats
from scipy.sparse.linalg import spsolve

from hft_gym.flow import FlowConfig, QueueReactiveConfig
from hft_gym.market.entries import ADVANCE, OPEN, SET_BOOK
from tests.verify.harness import ASK, BID, SECOND, opened, volume_at

LIMIT = ((2.0, 1.6, 1.3, 1.1, 1.0), (1.5, 1.4, 1.2), (1.0,))
CANCEL = ((0.0, 0.15, 0.3, 0.45, 0.6, 0.75), (0.0, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2))
MARKET = ((0.0, 0.9, 0.7, 0.6), (0.0, 0.1), (0.0,))


def one(table):
    return tuple((rates,) for rates in table)


def birth_and_death(limit, cancel, market, n=80):
    """Invariant law of a queue's size: pi(k) / pi(k - 1) = limit(k - 1) / (cancel(k) + market(k))."""
    at = lambda rates, k: rates[min(k, len(rates) - 1)]  # noqa: E731
    weights = [1.0]
    for k in range(1, n):
        weights.append(weights[-1] * at(limit, k - 1) / (at(cancel, k) + at(market, k)))
    return np.array(weights) / np.sum(weights)


def looks(flow, n, samples, apart, key=0, queues=3, aes=1):
    """Sizes of the queues [AES]: ``(samples, n, side, queue)``, *apart* seconds from one look to the next."""
    markets = opened(flow, n, key)
    out = []
    for k in range(1, samples + 2):
        markets.run(ADVANCE, int(k * apart * SECOND), 0)
        reference = markets.arrays.flow_state["reference"]
        bids = [volume_at(markets, BID, reference - i) // aes for i in range(queues)]
        asks = [volume_at(markets, ASK, reference + 1 + i) // aes for i in range(queues)]
        out.append([bids, asks])
    assert not markets.arrays.flow_state["rejected"].any()
    return np.moveaxis(np.array(out[1:]), -1, 1)


def p_value(sizes, law):
    """Chi-square of independent sizes against their law, small classes pooled."""
    count = np.bincount(sizes.ravel(), minlength=len(law))[: len(law)]
    expected = law * sizes.size
    last = int(np.flatnonzero(expected >= 8).max())
    count, expected = np.append(count[:last], count[last:].sum()), np.append(expected[:last], expected[last:].sum())
    return stats.chisquare(count, expected).pvalue


def model_one(aes=2, **settings):
    return FlowConfig(queue_reactive=QueueReactiveConfig(one(LIMIT), one(CANCEL), one(MARKET), aes=aes, **settings))


def two_queues(up, down):
    """Invariant law of the two first queues of model IIb: rates *up(n, other)* and *down(n, other)*, sizes below 25."""
    n = 25
    q = np.zeros((n * n, n * n))
    for a in range(n):
        for b in range(n):
            for (x, y), rate in (
                ((a + 1, b), up(a, b)), ((a - 1, b), down(a, b)), ((a, b + 1), up(b, a)), ((a, b - 1), down(b, a))
            ):  # fmt: skip
                if 0 <= x < n and 0 <= y < n:
                    q[a * n + b, x * n + y] += rate
    q -= np.diag(q.sum(axis=1))
    system = np.vstack([q.T, np.ones(n * n)])
    return np.linalg.lstsq(system, np.append(np.zeros(n * n), 1.0), rcond=None)[0].reshape(n, n)


FIRST_UP = ((2.0, 1.2), (1.6, 1.0), (1.3, 0.8), (1.0, 0.6))
FIRST_DOWN = ((0.0, 0.5, 0.9, 1.3), (0.0, 0.7, 1.1, 1.5), (0.0, 0.9, 1.3, 1.7), (0.0, 1.2, 1.6, 2.0))


def model_two_b():
    """One queue a side, in four classes by the opposite queue: empty, small (1), usual (2 or 3), large."""
    half = tuple(tuple(0.5 * x for x in row) for row in FIRST_DOWN)
    return FlowConfig(queue_reactive=QueueReactiveConfig((FIRST_UP,), (half,), (half,), small=1, usual=3))


def klass(other):
    return 0 if other == 0 else (1 if other <= 1 else (2 if other <= 3 else 3))


def up(n, other):
    row = FIRST_UP[klass(other)]
    return row[min(n, len(row) - 1)]


def down(n, other):
    row = FIRST_DOWN[klass(other)]
    return row[min(n, len(row) - 1)]


def race(bids, asks, n=160):
    """P(the ask queue empties first) from *bids* and *asks* orders, each losing and winning one at equal rates."""
    index = np.arange(n * n).reshape(n, n)  # [b - 1, a - 1]
    rows, columns, right = [], [], np.zeros((n, n))
    for step, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
        moved = np.roll(index, -step, axis)
        keep = np.ones((n, n), bool)
        edge = -1 if step == 1 else 0
        if axis == 0:
            keep[edge] = False
            if step == 1:
                moved[edge], keep[edge] = index[edge], True  # the far end reflects
        else:
            keep[:, edge] = False
            if step == 1:
                moved[:, edge], keep[:, edge] = index[:, edge], True
            else:
                right[:, edge] += 0.25  # the ask queue is empty
        rows.append(index[keep])
        columns.append(moved[keep])
    r, c = np.concatenate(rows), np.concatenate(columns)
    matrix = sparse.eye(n * n, format="csc") - sparse.csc_matrix((np.full(len(r), 0.25), (r, c)), (n * n, n * n))
    return float(spsolve(matrix, right.ravel())[index[bids - 1, asks - 1]])


def cont_de_larrard():
    redraw = ((0.0, 1.0, 2.0, 1.0),)
    return FlowConfig(
        queue_reactive=QueueReactiveConfig(
            (((1.0,),),), (((0.0, 0.4),),), (((0.0, 0.6),),), theta=1.0, theta_reinit=1.0, redraw=redraw
        )
    )


def first_move(bids, asks, runs, key=0, horizon=200_000):
    """Markets in which the price moved up first, and in which it moved at all."""
    markets = opened(cont_de_larrard(), 256, key, initial_depth=0, max_orders=8192)
    rows = [(BID, 1000, 1)] * bids + [(ASK, 1001, 1)] * asks
    ups = moved = 0
    for done in range(0, runs, 256):
        markets.arrays.state["key"] = np.arange(key + done, key + done + 256)
        markets.run(OPEN, -1)
        markets.run(SET_BOOK, table=np.array(rows, np.int64))
        reference = markets.arrays.flow_state["reference"]
        waiting = np.ones(256, bool)
        until = 1
        while waiting.any() and until < horizon:
            until *= 3
            markets.run(ADVANCE, until * SECOND, 4)  # stops at each move of the touch: at the first, the price moved
            gone = waiting & (reference != 1000)
            ups += int((gone & (reference > 1000))[: runs - done].sum())
            moved += int(gone[: runs - done].sum())
            waiting &= ~gone
    return ups, moved


def test_the_first_queue_has_its_invariant_law():
    sizes = looks(model_one(), 128, 40, 20.0, aes=2)
    for i in range(3):
        assert p_value(sizes[..., i], birth_and_death(LIMIT[i], CANCEL[i], MARKET[i])) > 0.01
    wrong = birth_and_death(LIMIT[0], CANCEL[0], (0.0,))
    assert p_value(sizes[..., 0], wrong) < 1e-6


def test_the_reference_price_follows_the_mid_and_the_book_is_redrawn():
    still, moving = opened(model_one(), 32), opened(model_one(theta=0.7, theta_reinit=0.85), 32)
    for markets in (still, moving):
        markets.run(ADVANCE, 500 * SECOND, 0)
    assert (still.arrays.flow_state["reference"] == 9_999).all()
    assert (moving.arrays.flow_state["reference"] != 9_999).mean() > 0.5


def test_the_lattice_against_the_continuum():
    """(2 / pi) arctan(bids / asks) is the limit for long queues."""
    assert race(10, 10) == pytest.approx(0.5, abs=1e-9)
    assert race(10, 3) == pytest.approx(2 / np.pi * np.arctan(10 / 3), abs=0.002)
    assert race(1, 2) == pytest.approx(0.3023, abs=0.0005)


def test_which_queue_empties_first():
    for bids, asks in ((1, 2), (5, 3)):
        ups, moved = first_move(bids, asks, 2_048)
        exact = race(bids, asks)
        assert abs(ups / moved - exact) < 3.5 * np.sqrt(exact * (1 - exact) / moved)


@pytest.mark.verify
def test_invariant_laws(verified):
    sizes = looks(model_one(), 512, 100, 20.0, key=99, aes=2)
    for i in range(3):
        value = p_value(sizes[..., i], birth_and_death(LIMIT[i], CANCEL[i], MARKET[i]))
        verified(f"Queue-reactive I: p-value of queue {i + 1}'s law", 1, value, above=0.01)
    wrong = p_value(sizes[..., 0], birth_and_death(LIMIT[0], CANCEL[0], (0.0,)))
    verified("Queue-reactive control: p-value without market orders", 1, wrong, at_least=0.99)
    law = two_queues(up, down)
    sizes = looks(model_two_b(), 512, 100, 30.0, key=5, queues=1)[..., 0]
    sizes = np.minimum(sizes, 24)
    joint = sizes[..., 0] * 25 + sizes[..., 1]
    order = np.argsort(-law.ravel(), kind="stable")
    rank = np.empty(625, int)
    rank[order] = np.arange(625)
    value = p_value(rank[joint], law.ravel()[order])
    verified("Queue-reactive IIb: p-value of the first queues' joint law", 1, value, above=0.01)


@pytest.mark.verify
def test_cont_de_larrard(verified):
    for bids, asks in ((1, 2), (5, 10), (10, 3)):
        ups, moved = first_move(bids, asks, 100_000, key=3 * 2**40)
        verified(f"Cont-de Larrard P(up | {bids}, {asks})", race(bids, asks), ups / moved, 0.005)
        verified(f"Cont-de Larrard runs that moved ({bids}, {asks})", 1.0, moved / 100_000, 0.005)
    linear = 1 / 3
    verified("Cont-de Larrard control: bids / (bids + asks) at (1, 2)", race(1, 2), linear, at_least=0.005)
