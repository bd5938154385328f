"""LOB-Bench's distances against hand-computed ones, and its scores between tapes of known likeness."""

import numpy as np
import pytest

from hft_gym import ConfigError
from hft_gym.realism import Sample, lob_bench, simulate_tape
from hft_gym.realism.lob_bench import CONDITIONAL, LAGS, UNCONDITIONAL, event_responses, values_of, wasserstein
from hft_gym.realism.lob_bench import _edges as edges
from hft_gym.realism.lob_bench import _iqm as iqm
from tests.realism.tape_maker import ASK, BID, CANCEL, EXECUTE, LIMIT, make_tape
from tests.realism.test_facts import trading_tape


def test_wasserstein_by_hand():
    assert wasserstein([0.0, 1.0], [0.0, 1.0]) == 0.0
    assert wasserstein([0.0], [3.0]) == 3.0
    assert wasserstein([0.0, 2.0], [1.0]) == 1.0
    scipy_stats = pytest.importorskip("scipy.stats")
    x, y = np.random.default_rng(0).normal(size=500), np.random.default_rng(1).exponential(size=300)
    assert wasserstein(x, y) == pytest.approx(scipy_stats.wasserstein_distance(x, y))


def test_bins_and_means():
    assert edges(np.array([3.0, 1.0, 3.0]), True).tolist() == [1.0, 3.0, 4.0]
    values = np.random.default_rng(0).normal(size=1_000)
    assert np.allclose(edges(values, False), np.histogram_bin_edges(values, "fd"))
    assert len(edges(np.array([5.0, 5.0]), False)) == 2
    assert iqm([1, 2, 3, 100]) == 2.5


def test_values_by_hand():
    """Depth is |price - mid| after the message; levels count in the book after a limit order, before a cancellation."""
    rows = (
        (1.0, LIMIT, BID, 99, 2, 7),
        (2.0, LIMIT, ASK, 103, 4, 8),
        (2.5, EXECUTE, BID, 100, 1, 3),
        (5.0, CANCEL, ASK, 103, 4, 8),
    )
    found = values_of(Sample(make_tape({100: 4}, {102: 5, 104: 6}, rows, end=10.0)), levels=3)
    assert tuple(found) == UNCONDITIONAL
    assert found["limit_bid_depth"].value.tolist() == [2.0] and found["limit_ask_depth"].value.tolist() == [2.0]
    assert found["limit_bid_level"].value.tolist() == [2] and found["limit_ask_level"].value.tolist() == [2]
    assert found["cancel_ask_level"].value.tolist() == [2] and not len(found["cancel_bid_level"].value)
    assert found["log_time_to_cancel"].value == pytest.approx([np.log(3.0)])
    assert found["log_interarrival"].value == pytest.approx(np.log([1_000, 500, 2_500]))
    assert found["ask_volume"].value.tolist() == [11, 15, 15, 11]
    assert found["volume_per_minute"].value.tolist() == [60.0]
    assert found["spread"].value.tolist() == [2, 2, 2, 2]


@pytest.fixture(scope="module")
def tapes():
    return [simulate_tape("poisson", 120, seed=s, levels=5) for s in (0, 1)]


def test_a_tape_is_like_itself_and_less_like_others(tapes):
    same, twin = lob_bench(tapes[0], tapes[0], draws=20), lob_bench(tapes[0], tapes[1], draws=20)
    assert tuple(same.scores) == UNCONDITIONAL + CONDITIONAL
    assert all(s.l1 == 0.0 and s.wasserstein == pytest.approx(0.0, abs=1e-12) for s in same.scores.values())
    assert same.impact == 0.0
    other = lob_bench(tapes[0], simulate_tape("cst2010", 3_600, levels=5), draws=20)
    for metric in ("l1", "wasserstein"):
        near, far = twin.summary[metric]["mean"], other.summary[metric]["mean"]
        assert 0 < near[0] < 0.25 * far[0]
        assert near[1] <= near[0] <= near[2]
    assert all(0 <= s.l1 <= 1 + 1e-9 and s.l1_low <= s.l1 <= s.l1_high for s in other.scores.values())


def test_disjoint_tapes(tapes):
    far = tapes[0].records.copy()
    for name in ("ask_volume", "bid_volume"):
        far[name] *= 10_000
    moved = type(tapes[0])(far, tapes[0].book, tapes[0].opening, tapes[0].start, tapes[0].end)
    assert lob_bench(tapes[0], moved, draws=5).scores["ask_volume_touch"].l1 == pytest.approx(1.0)


def test_responses_of_permanent_impact():
    """Trades of independent signs that move the mid by 1 for good: R(l) = 1; no other event."""
    found = event_responses(Sample(trading_tape()))
    assert found["MO1"] == pytest.approx(np.ones(len(LAGS)), abs=0.3)
    assert found["MO1"][0] == 1.0 and np.isnan(found["LO0"]).all()
    assert LAGS[0] == 1 and LAGS[-1] == 794


def test_tapes_that_cannot_be_scored(tapes):
    with pytest.raises(ConfigError, match="made has 0 records"):
        lob_bench(tapes[0], tapes[0].between(0, 1))
    with pytest.raises(ConfigError, match="of 0 levels"):
        lob_bench(simulate_tape("poisson", 60, levels=0), tapes[0])
