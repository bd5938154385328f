"""Long memory of trade signs (Lillo, Mike and Farmer 2005): C(lag) ~ lag^-(alpha - 1), and none without metaorders."""

import numpy as np
import pytest

from hft_gym.flow import FlowConfig, MetaorderConfig
from tests.verify.harness import SECOND, SIXTY_FOUR, opened, trades

LAGS = np.unique(np.geomspace(20, 1000, 25).astype(int))
DEEP = {"limit_rates": (0.0,), "cancel_rates": (0.0,), "limit_sizes": SIXTY_FOUR, "market_rate": 0.0}


def signs(flow, n, length, burn_in, key=0):
    """Signs of *length* trades in each of *n* markets after *burn_in*, one trade a second on average."""
    found = trades(opened(flow, n, key, initial_depth=64), int((length + burn_in) * 1.1 * SECOND))
    return np.array([s[burn_in : burn_in + length] for _, s in found], float)


def correlation(x, lag):
    return float((x[:, lag:] * x[:, : x.shape[1] - lag]).mean())


def exponent(x):
    """Slope of the log autocorrelation over the lags 20 to 1000, positive for decay."""
    return -np.polyfit(np.log(LAGS), np.log([max(correlation(x, k), 1e-12) for k in LAGS]), 1)[0]


def lmf(alpha):
    return FlowConfig(**DEEP, metaorders=MetaorderConfig(rate=1.0, traders=20, alpha=alpha, longest=10**7))


def test_signs_are_persistent_only_with_metaorders():
    x = signs(lmf(1.5), 64, 2_000, 500)
    assert 0.02 < correlation(x, 1) < 0.06 and correlation(x, 100) > 0.005
    plain = signs(FlowConfig(**{**DEEP, "market_rate": 0.5}), 64, 2_000, 0)
    for lag in (1, 100):
        assert abs(correlation(plain, lag)) < 4 / np.sqrt(plain.size)


@pytest.mark.verify
def test_memory_exponent(verified):
    for alpha in (1.5, 1.7):
        x = signs(lmf(alpha), 1_000, 5_000, 3_000, key=7)
        verified(f"LMF memory exponent of signs, alpha {alpha}", alpha - 1, exponent(x), 0.08)
    plain = signs(FlowConfig(**{**DEEP, "market_rate": 0.5}), 200, 5_000, 0)
    verified("LMF control: C(1) of a Poisson flow", 0.0369, correlation(plain, 1), at_least=0.03)
    verified("LMF control: C(100) of a Poisson flow", 0.0131, correlation(plain, 100), at_least=0.01)
