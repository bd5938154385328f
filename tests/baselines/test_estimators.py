"""Estimators against truths that are known because the data were made from them."""

from types import SimpleNamespace

import numpy as np
import pytest

from baselines.estimators import AdverseSelection, FillCurve, OrderFlow, Stack, Volatility, order_flow_imbalance
from baselines.micro_price import MicroPrice
from baselines.queue_imbalance import QueueImbalance

N = 64


def look(**columns):
    """A view with only what an estimator asks for."""
    values = {"elapsed": np.full(N, 0.1), "mid_change": np.zeros(N), "bought": np.zeros(N), "sold": np.zeros(N)}
    return SimpleNamespace(**{**values, **columns})


def learn(estimator, views):
    memory = np.zeros((N, estimator.width))
    for view in views:
        memory = estimator.update(memory, view)
    return memory


def test_volatility_of_a_random_walk():
    """Half-tick steps of 0.7 ticks / sqrt(s), unevenly in time."""
    rng = np.random.default_rng(0)
    estimator = Volatility(prior=1.0, half_life_s=1e9)

    def views(count):
        for _ in range(count):
            elapsed = rng.choice([0.02, 0.1, 0.3], N)
            yield look(elapsed=elapsed, mid_change=rng.normal(0.0, 0.7 * np.sqrt(elapsed)))

    assert (estimator.value(np.zeros((N, 4))) == 1.0).all()  # nothing seen: the prior
    values = estimator.value(learn(estimator, views(4000)))
    assert values.mean() == pytest.approx(0.7, rel=0.03)
    assert values.std() < 0.06


def test_volatility_does_not_count_the_bounce():
    """A mid that goes up and down by a tick at every look has a volatility of sqrt(10) at 0.1 s, and next to none."""
    views = [look(mid_change=np.full(N, 1.0 if i % 2 else -1.0)) for i in range(4000)]
    sparse = Volatility(prior=1.0, half_life_s=1e9)
    assert sparse.value(learn(sparse, views)).max() < 0.2
    dense = Volatility(prior=1.0, half_life_s=1e9, sample_s=0.1)
    assert dense.value(learn(dense, views)).min() > 3.0


def exponential_market(rate, decay, steps, seed=1):
    """Takers at a rate a side whose reach is exponential, into a book with 100 lots a tick."""
    rng = np.random.default_rng(seed)
    offsets = np.tile(np.arange(10) + 0.5, (N, 1))
    sizes = np.full((N, 10), 100.0)
    for _ in range(steps):
        volumes = []
        for _ in range(2):
            arrives = rng.random(N) < 1.0 - np.exp(-rate * 0.1)
            reach = rng.exponential(1.0 / decay, N)  # P(reach > d) = exp(-decay d)
            volumes.append(np.where(arrives, 100.0 * (reach - 0.5), 0.0).clip(0.0))
        yield look(
            bid_offsets=-offsets, bid_sizes=sizes, ask_offsets=offsets, ask_sizes=sizes,
            buy_volume=volumes[0], sell_volume=volumes[1],
        )  # fmt: skip


@pytest.mark.parametrize(("rate", "decay"), [(3.0, 0.5), (1.0, 1.2)])
def test_fill_curve_of_exponential_takers(rate, decay):
    """The queue's share 0: a quote at depth d waits for what is nearer, 100 (d - 1/2) lots."""
    curve = FillCurve(queue_share=0.0, half_life_s=1e9)
    assert np.allclose(curve.value(np.zeros((N, curve.width))), [[2.0], [0.7]])
    found_rate, found_decay = curve.value(learn(curve, exponential_market(rate, decay, 4000)))
    assert np.median(found_decay) == pytest.approx(decay, rel=0.1)
    assert np.median(found_rate) == pytest.approx(rate, rel=0.1)


def test_a_queue_in_front_delays_fills_by_its_length():
    """Behind half of each level's queue every depth is half a tick more to reach: A falls by exp(-k / 2)."""
    curve = FillCurve(queue_share=0.5, half_life_s=1e9)
    rate, decay = curve.value(learn(curve, exponential_market(3.0, 0.5, 4000)))
    assert np.median(decay) == pytest.approx(0.5, rel=0.1)
    assert np.median(rate) == pytest.approx(3.0 * np.exp(-0.25), rel=0.1)


def test_unknown_volumes_leave_the_prior():
    unknown = np.full(N, np.nan)
    views = exponential_market(3.0, 0.5, 50)
    curve = FillCurve()
    memory = learn(curve, (SimpleNamespace(**{**vars(v), "buy_volume": unknown}) for v in views))
    assert np.allclose(curve.value(memory), [[2.0], [0.7]])


@pytest.mark.parametrize(
    ("now", "before", "flow"),
    [
        ((100, 7, 101, 4), (100, 5, 101, 4), 2),  # two lots joined the bid
        ((100, 5, 101, 1), (100, 5, 101, 4), 3),  # three left the ask
        ((101, 2, 102, 6), (100, 5, 101, 4), 6),  # both a tick higher: the new bid and the ask that went
        ((99, 8, 100, 3), (100, 5, 101, 4), -8),
        ((100, 5, 101, 4), (100, 5, 101, 4), 0),
    ],
)
def test_order_flow_imbalance_by_hand(now, before, flow):
    """Equation (4) of Cont, Kukanov and Stoikov, and its mirror image."""
    assert order_flow_imbalance(np.array([now], float), np.array([before], float)).tolist() == [flow]
    mirrored = [np.array([(-a, c, -b, d)], float) for b, d, a, c in (now, before)]
    assert order_flow_imbalance(*mirrored).tolist() == [-flow]


def test_slope_of_moves_on_flow():
    """A mid that moves by 0.03 ticks per lot of flow, and noise: the regression finds it from the book alone."""
    rng = np.random.default_rng(2)
    flow = OrderFlow(sample_s=1.0, half_life_s=1e9)
    memory = np.zeros((N, flow.width))
    bid_size = np.full(N, 50.0)
    for _ in range(3000):
        joined = rng.integers(-20, 21, N).astype(float)
        bid_size = np.maximum(bid_size + joined, 1.0)
        bid_size = np.where(bid_size > 200, 50.0, bid_size)
        came = np.where(memory[:, 1] > 0, bid_size - memory[:, 1], 0.0)
        view = look(
            bid=np.full(N, -0.5), ask=np.full(N, 0.5), bid_size=bid_size, ask_size=np.full(N, 50.0),
            mid_change=0.03 * came + rng.normal(0.0, 0.1, N),
        )  # fmt: skip
        # Prices relative to a moving mid: here the book moves with it.
        memory[:, 0] += view.mid_change
        memory[:, 2] += view.mid_change
        memory = flow.update(memory, view)
    assert np.median(flow.slope(memory)) == pytest.approx(0.03, rel=0.05)
    one = OrderFlow(horizon_s=0.2)
    start = np.zeros((N, one.width))
    quiet = {"bid": np.full(N, -0.5), "ask": np.full(N, 0.5), "ask_size": np.full(N, 10.0)}
    start = one.update(start, look(bid_size=np.full(N, 10.0), **quiet))
    start = one.update(start, look(bid_size=np.full(N, 16.0), **quiet))
    assert one.signal(start) == pytest.approx(6.0 * one.slope(start))
    assert one.slope(start) == pytest.approx(0.05, rel=0.05)  # the paper's c / depth
    faded = one.update(start, look(bid_size=np.full(N, 16.0), **quiet))
    assert faded[:, 4] == pytest.approx(6.0 * np.exp(-0.5))


def test_adverse_selection_is_the_move_against_a_fill():
    """Each buy is followed by a fall of 0.6 ticks, of which 0.4 at once and 0.2 a tenth of a time constant later."""
    estimator = AdverseSelection(horizon_s=1.0, prior_lots=1.0)
    memory = np.zeros((N, 3))
    for _ in range(300):
        for bought, sold, change in ((1, 0, -0.4), (0, 0, -0.2), (0, 1, 0.4), (0, 0, 0.2)):
            view = look(bought=np.full(N, bought), sold=np.full(N, sold), mid_change=np.full(N, change))
            memory = estimator.update(memory, view)
            memory[:, 0] *= bought + sold == 1  # fills far apart: the old pressure has gone
    assert estimator.value(memory) == pytest.approx(0.4 + 0.2 * np.exp(-0.1), rel=0.01)
    assert estimator.value(np.zeros((1, 3))).tolist() == [0.0]


def test_logistic_slope_of_the_imbalance():
    rng = np.random.default_rng(3)
    taker = QueueImbalance(prior_slope=0.5)
    view = look(bid=np.full(N, -0.5), ask=np.full(N, 0.5), imbalance=np.zeros(N))
    memory = np.tile([np.nan, 0.0, 0.0], (N, 1))
    before = np.zeros(N)
    for _ in range(4000):
        up = rng.random(N) < 1.0 / (1.0 + np.exp(-3.0 * before))
        imbalance = rng.uniform(-1, 1, N)
        memory = taker.learn(SimpleNamespace(**{**vars(view), "mid_change": np.where(up, 0.5, -0.5),
                                                "imbalance": imbalance}), memory)  # fmt: skip
        before = imbalance
    assert np.median(0.5 + memory[:, 2]) == pytest.approx(3.0, rel=0.07)


def test_micro_price_of_a_market_that_is_known():
    """The mid moves by a tick up with probability (1 + I) / 2 at every other look, and the imbalance is drawn anew
    after it: the micro-price is mid + I, for what comes after the next move is a coin."""
    rng = np.random.default_rng(4)
    model = MicroPrice(buckets=5, classes=1, prior_moves=2.0)
    memory = np.zeros((N, model.width))
    imbalance = rng.uniform(-1, 1, N)
    touch = {"bid": np.full(N, -0.5), "ask": np.full(N, 0.5)}
    for step in range(6000):
        move = np.zeros(N)
        if step % 2:
            move = np.where(rng.random(N) < (1.0 + imbalance) / 2.0, 1.0, -1.0)
            imbalance = rng.uniform(-1, 1, N)
        memory = model.update(memory, look(imbalance=imbalance, mid_change=move, **touch))
    for centre in (-0.8, -0.4, 0.0, 0.4, 0.8):
        got = model.adjustment(memory, look(imbalance=np.full(N, centre), **touch))
        assert np.median(got) == pytest.approx(centre, abs=0.03)


def test_micro_price_before_anything_is_seen_is_the_weighted_mid():
    model = MicroPrice(buckets=5, classes=2)
    view = look(bid=np.full(N, -1.0), ask=np.full(N, 1.0), imbalance=np.full(N, 0.8))
    assert model.adjustment(np.zeros((N, model.width)), view) == pytest.approx(0.8)
    blind = look(bid=np.full(N, np.nan), ask=np.full(N, 1.0), imbalance=np.full(N, 1.0))
    assert (model.adjustment(np.zeros((N, model.width)), blind) == 0.0).all()


def test_micro_price_counts_the_mirror():
    """Whatever is seen, a mirrored book has the mirrored adjustment."""
    rng = np.random.default_rng(5)
    model = MicroPrice()
    memory = np.zeros((N, model.width))
    for _ in range(200):
        half = rng.integers(1, 4, N) / 2
        view = look(bid=-half, ask=half, imbalance=rng.uniform(-1, 1, N), mid_change=rng.integers(-1, 2, N) / 2)
        memory = model.update(memory, view)
    view = look(bid=-half, ask=half, imbalance=rng.uniform(-1, 1, N))
    mirrored = look(bid=-half, ask=half, imbalance=-view.imbalance)
    np.testing.assert_allclose(model.adjustment(memory, view), -model.adjustment(memory, mirrored), atol=1e-9)


def test_a_stack_gives_each_its_columns():
    stack = Stack(Volatility(), AdverseSelection())
    view = look(mid_change=np.full(N, 2.0), elapsed=np.ones(N), bought=np.ones(N))
    memory = stack.update(stack.begin(N), view)
    np.testing.assert_array_equal(stack.of(memory, 0), learn(Volatility(), [view]))
    np.testing.assert_array_equal(stack.of(memory, 1), learn(AdverseSelection(), [view]))
