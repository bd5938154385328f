import numpy as np
import pytest

from hft_gym.errors import ConfigError
from hft_gym.report import Bootstrap, mean_interval, paired_difference


def test_interval_of_a_mean_is_the_textbook_one():
    """For 400 normal values the percentile interval is close to mean ± 1.96 sd/√n."""
    values = np.random.default_rng(3).normal(5.0, 2.0, 400)
    estimate = mean_interval(values, Bootstrap(20_000))
    half = 1.96 * values.std(ddof=1) / 20
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.015)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.015)
    assert estimate.episodes == 400


def test_coverage():
    """About 95 of 100 intervals hold the true mean."""
    rng = np.random.default_rng(5)
    inside = 0
    for i in range(300):
        estimate = mean_interval(rng.exponential(1.0, 150), Bootstrap(800, seed=i))
        inside += estimate.low <= 1.0 <= estimate.high
    assert 0.90 <= inside / 300 <= 0.98


def test_seeded():
    values = np.arange(30.0)
    assert mean_interval(values) == mean_interval(values)
    assert mean_interval(values, Bootstrap(seed=1)) != mean_interval(values, Bootstrap(seed=2))


def test_resamples_have_the_right_size():
    counts = Bootstrap(50).counts(20)
    assert counts.shape == (50, 20)
    np.testing.assert_array_equal(counts.sum(axis=1), 20)


def test_pairing_removes_what_the_seeds_share():
    rng = np.random.default_rng(0)
    market = rng.normal(0, 100, 200)
    ours, theirs = market + rng.normal(1.0, 1, 200), market + rng.normal(0, 1, 200)
    paired = paired_difference(ours, theirs)
    assert 0 < paired.low < 1.0 < paired.high < 1.5
    assert mean_interval(ours).high - mean_interval(ours).low > 10


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, np.nan]])
def test_too_little_data_has_no_interval(values):
    estimate = mean_interval(np.array(values, float))
    assert np.isnan(estimate.low) and np.isnan(estimate.high)


def test_nan_episodes_are_left_out():
    assert mean_interval(np.array([1.0, np.nan, 3.0])).value == 2.0


def test_errors():
    with pytest.raises(ConfigError, match="got 3 and 2"):
        paired_difference(np.zeros(3), np.zeros(2))
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        Bootstrap(0)
    with pytest.raises(ConfigError, match="between 0 and 1, got 95"):
        Bootstrap(level=95)
