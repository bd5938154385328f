"""Zero intelligence: spread against independent simulations, collapse on the dimensionless number, depth far away."""

import pytest

from tests.verify.zero_intelligence import SPREADS, measure


def test_spread_grows_with_the_rate_of_cancellation():
    spread, _ = measure(0.5, n=32, samples=200)
    assert spread / 100 == pytest.approx(SPREADS[0.5], rel=0.05)


@pytest.mark.verify
@pytest.mark.parametrize("eps", SPREADS)
def test_table(verified, eps):
    spread, depth = measure(eps, n=64, samples=600, key=1)
    verified(f"ZI spread / p_c at eps = {eps}", SPREADS[eps], spread / 100, 0.02 * SPREADS[eps])
    expected = 1 / (100 * eps)  # alpha / delta
    verified(f"ZI depth far away, lots a tick, at eps = {eps}", expected, depth, 0.03 * expected)


@pytest.mark.verify
def test_collapse(verified):
    """Other mu and alpha at the same eps and dp / p_c: the same spread in units of p_c."""
    one, _ = measure(0.1, n=128, samples=1_500, key=2)
    other, _ = measure(0.1, n=128, samples=1_500, key=3, mu=0.5)
    verified("ZI collapse: spread at mu / 4, alpha / 4, delta / 4", one, other, 0.01 * one)
    control, _ = measure(0.2, n=64, samples=600, key=4)
    verified("ZI control: spread at another eps", one, control, at_least=0.02 * one)
