"""The estimators against processes and samples of known answer."""

import numpy as np
import pytest

from hft_gym.realism import series


def test_autocorrelation_is_the_textbook_sum():
    x = np.array([1.0, 3.0, -2.0, 0.5, 4.0])
    d = x - x.mean()
    wanted = [float((d[: 5 - k] * d[k:]).sum() / (d * d).sum()) for k in range(5)]
    found = series.autocorrelation(x, [0, 1, 2, 3, 4, 7])
    assert np.allclose(found[:5], wanted) and np.isnan(found[5])
    assert np.isnan(series.autocorrelation([2.0, 2.0], [1])).all()


def test_autocorrelation_of_an_autoregression():
    rng = np.random.default_rng(0)
    x = np.zeros(200_000)
    noise = rng.normal(size=len(x))
    for i in range(1, len(x)):
        x[i] = 0.7 * x[i - 1] + noise[i]
    assert series.autocorrelation(x, [1, 2, 5]) == pytest.approx([0.7, 0.49, 0.168], abs=0.02)


def test_power_laws():
    x = np.array([1.0, 2.0, 5.0, 9.0])
    fit = series.fit_power_law(x, 3.0 * x**-0.6)
    assert fit.exponent == pytest.approx(-0.6) and fit.scale == pytest.approx(3.0)
    assert fit.r2 == pytest.approx(1.0) and fit.error == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(series.fit_power_law([1.0, 2.0], [1.0, 2.0]).exponent)
    assert series.fit_power_law([1.0, 2.0, 3.0, 4.0], [1.0, -1.0, 1.0, 1.0]).points == 3
    noisy = 10 ** np.random.default_rng(0).normal(0, 0.1, 400)
    x = np.geomspace(1, 1e3, 400)
    fit = series.fit_power_law(x, x**0.5 * noisy)
    assert abs(fit.exponent - 0.5) < 4 * fit.error < 0.05


def split_parents(traders, alpha, n, rng):
    """Signs of *n* trades by traders who split parents of Pareto(alpha) sizes (Lillo, Mike, Farmer 2005)."""
    left = np.ceil(rng.random(traders) ** (-1 / alpha)).astype(int)
    sign = rng.choice([-1, 1], traders)
    signs = np.empty(n)
    for i, k in enumerate(rng.integers(0, traders, n)):
        signs[i] = sign[k]
        left[k] -= 1
        if left[k] == 0:
            left[k] = int(np.ceil(rng.random() ** (-1 / alpha)))
            sign[k] = rng.choice([-1, 1])
    return signs


def test_the_long_memory_of_split_orders():
    """gamma = alpha - 1 within the theory page's tolerance; independent signs have none."""
    rng = np.random.default_rng(3)
    signs = split_parents(20, 1.5, 300_000, rng)
    lags = np.arange(20, 1001)
    rho = series.autocorrelation(signs, lags)
    assert -series.decay_exponent(lags, rho).exponent == pytest.approx(0.5, abs=0.1)
    assert (rho[:200] > 0).all()
    coin = series.autocorrelation(rng.choice([-1, 1], 300_000), lags)
    assert abs(coin.mean()) < 0.001


@pytest.mark.parametrize("alpha", [1.5, 3.0])
def test_hill(alpha):
    x = np.random.default_rng(1).pareto(alpha, 100_000) + 1.0
    assert series.hill(x) == pytest.approx(alpha, rel=0.05)
    assert np.isnan(series.hill(x[:100]))


def test_area_under_the_curve():
    assert series.auc([1, 2, 3, 4], [0, 0, 1, 1]) == 1.0
    assert series.auc([1, 2, 2, 3], [0, 0, 1, 1]) == 0.875
    assert series.auc([1, 1, 1], [0, 1, 0]) == 0.5
    assert np.isnan(series.auc([1, 2], [1, 1]))


def test_weighted_quantiles_and_kurtosis():
    assert series.weighted_quantile([3, 1, 2], [1, 1, 8], [0.05, 0.5, 0.95]).tolist() == [1.0, 2.0, 3.0]
    assert series.excess_kurtosis([-1, 1]) == -2.0
    assert series.excess_kurtosis(np.random.default_rng(0).laplace(size=400_000)) == pytest.approx(3.0, abs=0.2)
    assert np.isnan(series.excess_kurtosis([5.0, 5.0])) and np.isnan(series.excess_kurtosis([]))
