"""Excitation against Bacry, Delattre, Hoffmann and Muzy (2013, Quantitative Finance 13:65): rate, signature plot,
residuals.

Market buys and sells excite each other through a exp(-b t); the price is buys minus sells. Expected values are the
paper's closed forms and, for the residuals, the compensator computed here from the recorded times.
"""

import math

import numpy as np
import pytest
from scipy import stats

from hft_gym.flow import FlowConfig, HawkesConfig
from tests.verify.harness import SECOND, SIXTY_FOUR, opened, trades

MU, A, B = 0.016, 0.023, 0.11
NORM = A / B
RATE = 2 * MU / (1 - NORM)


def flow(norm=NORM, decays=(B,), shares=(1.0,)):
    matrices = tuple(((0.0, norm * s), (norm * s, 0.0)) for s in shares)
    excitation = HawkesConfig(matrices, decays, ("market_buy", "market_sell"), background=(MU, MU))
    return FlowConfig(
        limit_rates=(0.0,), cancel_rates=(0.0,), limit_sizes=SIXTY_FOUR, market_rate=1.0, hawkes=excitation
    )


def events(n, seconds, key=0, made=None):
    found = trades(opened(made or flow(), n, key, initial_depth=64), int(seconds * SECOND))
    return [(t / SECOND, s) for t, s in found]


def signature(found, tau, seconds):
    """Variance of the price's change over *tau* seconds, by *tau*."""
    edges = np.arange(0.0, seconds, tau)
    changes = [np.diff(np.concatenate([[0], np.cumsum(s)])[np.searchsorted(t, edges, "right")]) for t, s in found]
    return np.mean(np.concatenate(changes).astype(float) ** 2) / tau


def closed_form(tau):
    kappa, gamma = 1 / (1 + NORM), A + B
    return RATE * (kappa**2 + (1 - kappa**2) * (1 - np.exp(-gamma * tau)) / (gamma * tau))


def residuals(found):
    """Compensator between consecutive events of a kind: exponential of mean 1 if the process is the one claimed."""
    out = []
    for t, s in found:
        # Intensity of each kind beyond MU [1/s]; the market opens with its mean.
        excess = {1: NORM * MU / (1 - NORM), -1: NORM * MU / (1 - NORM)}
        passed, last = {1: 0.0, -1: 0.0}, 0.0
        seen = {1: False, -1: False}
        for now, sign in zip(t.tolist(), s.tolist(), strict=True):
            share = math.exp(-B * (now - last))
            for kind in (1, -1):
                passed[kind] += MU * (now - last) + excess[kind] / B * (1 - share)
                excess[kind] *= share
            last = now
            if seen[sign]:
                out.append(passed[sign])
            passed[sign], seen[sign] = 0.0, True
            excess[-sign] += A
    return np.array(out)


def test_rate_and_residuals():
    found = events(64, 10_000)
    count = sum(len(t) for t, _ in found)
    assert count / 640_000 == pytest.approx(RATE, rel=0.03)
    assert stats.kstest(residuals(found), "expon").pvalue > 0.01


def test_control_a_poisson_flow_has_no_such_residuals():
    found = events(64, 10_000, made=FlowConfig(
        limit_rates=(0.0,), cancel_rates=(0.0,), limit_sizes=SIXTY_FOUR, market_rate=RATE / 2))  # fmt: skip
    assert stats.kstest(residuals(found), "expon").pvalue < 0.01


@pytest.mark.verify
def test_published_figures(verified):
    seconds = 100_000
    found = events(128, seconds, key=10**6)
    count = sum(len(t) for t, _ in found)
    verified("Hawkes events a second", RATE, count / (128 * seconds), 0.02 * RATE)
    for tau in (1, 10, 60, 300):
        expected = closed_form(tau)
        verified(f"Hawkes signature plot C({tau} s)", expected, signature(found, tau, seconds), 0.03 * expected)
    value = stats.kstest(residuals(found), "expon").pvalue
    verified("Hawkes residuals: p-value of Kolmogorov-Smirnov", 1, value, above=0.01)
    poisson = FlowConfig(limit_rates=(0.0,), cancel_rates=(0.0,), limit_sizes=SIXTY_FOUR, market_rate=RATE / 2)
    control = stats.kstest(residuals(events(128, seconds, made=poisson)), "expon").pvalue
    verified("Hawkes control: p-value of a Poisson flow", 1, control, at_least=0.99)
    expected = closed_form(300)
    control = signature(events(128, seconds, made=poisson), 300, seconds)
    verified("Hawkes control: C(300 s) of a Poisson flow", expected, control, at_least=0.03 * expected)
