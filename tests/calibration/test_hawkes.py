"""The Hawkes estimator: hand-computed likelihood, simulated processes of known parameters, residuals, refusals."""

import numpy as np
import pytest

from hft_gym import ConfigError
from hft_gym.calibration import fit_hawkes, hawkes_residuals
from hft_gym.calibration.hawkes import _excitation as excitation
from hft_gym.calibration.hawkes import exponential_residual

pytest.importorskip("scipy")


def simulate(mu, branching, beta, seconds, seed, marks=(1.0,)):
    """Ogata's (1981) thinning of a process with one decay: (times, kinds); the n-th event has the n-th of
    *marks*, which come round again."""
    rng = np.random.default_rng(seed)
    mu, jumps = np.asarray(mu, float), np.asarray(branching, float) * beta
    excited, time, times, kinds = np.zeros(len(mu)), 0.0, [], []
    while True:
        ceiling = (mu + excited).sum()
        wait = rng.exponential(1 / ceiling)
        time += wait
        if time > seconds:
            return np.array(times), np.array(kinds)
        excited *= np.exp(-beta * wait)
        rates = np.cumsum(mu + excited)
        mark = rng.random() * ceiling
        if mark < rates[-1]:
            kind = int(np.searchsorted(rates, mark))
            times.append(time)
            kinds.append(kind)
            excited += jumps[:, kind] * marks[(len(times) - 1) % len(marks)]


MU, N, BETA = [0.4, 0.2], [[0.3, 0.1], [0.4, 0.2]], 2.0


@pytest.fixture(scope="module")
def events():
    return simulate(MU, N, BETA, 6_000.0, 0)


def test_excitation_by_hand():
    times, kinds, decay = np.array([0.0, 1.0, 1.0, 3.0]), np.array([0, 1, 0, 0]), np.array([2.0])
    found = excitation(times, kinds, np.ones(4), 2, decay)
    e = np.exp
    wanted = [[0, 0], [2 * e(-2), 0], [2 * e(-2), 2], [2 * e(-6) + 2 * e(-4), 2 * e(-4)]]
    assert np.allclose(found, wanted)
    marked = excitation(times, kinds, np.array([3.0, 0.0, 1.0, 1.0]), 2, decay)
    assert np.allclose(marked[:3, 0], [0, 6 * e(-2), 6 * e(-2)])


def test_known_parameters_come_back(events):
    fit = fit_hawkes(*events, 2, 6_000.0, [BETA])
    assert (np.abs(fit.background - MU) < 4 * fit.background_errors).all()
    assert (np.abs(fit.branching[0] - N) < 4 * fit.branching_errors[0]).all()
    assert (fit.branching_errors[0] < 0.05).all() and fit.log_likelihood > fit.poisson + 100
    assert fit.radius == pytest.approx(np.abs(np.linalg.eigvals(N)).max(), abs=0.06)
    assert np.allclose(fit.mean_rates(), fit.counts / fit.seconds, rtol=0.02)


def test_known_parameters_come_back_from_marked_events():
    marks = np.array([0.2, 0.2, 3.2, 0.4, 1.0])
    time, kind = simulate(MU, N, BETA, 6_000.0, 1, marks)
    mark = np.resize(marks, len(time))
    fit, blind = fit_hawkes(time, kind, 2, 6_000.0, [BETA], mark), fit_hawkes(time, kind, 2, 6_000.0, [BETA])
    assert (np.abs(fit.background - MU) < 4 * fit.background_errors).all()
    assert (np.abs(fit.branching[0] - N) < 4 * fit.branching_errors[0]).all()
    assert fit.log_likelihood > blind.log_likelihood + 50
    assert all(r.p > 0.01 for r in hawkes_residuals(time, kind, fit, mark))


def test_marks_are_checked(events):
    for wrong in (np.ones(3), np.full(len(events[0]), -1.0)):
        with pytest.raises(ConfigError, match="mark"):
            fit_hawkes(*events, 2, 6_000.0, [BETA], wrong)


def test_residuals_of_the_right_and_the_wrong_model(events):
    """Time-rescaled intervals are exponential under the fitted model; under constant rates they are not."""
    time, kind = events
    fit = fit_hawkes(time, kind, 2, 6_000.0, [BETA])
    for i, right in enumerate(hawkes_residuals(time, kind, fit)):
        own = time[kind == i]
        wrong = exponential_residual(np.diff(own) * len(own) / 6_000.0)
        assert right.p > 0.01 and right.mean == pytest.approx(1.0, abs=0.05)
        assert wrong.p < 1e-6 and wrong.distance > 3 * right.distance


def test_a_poisson_process_excites_nothing():
    rng = np.random.default_rng(1)
    time = np.sort(rng.random(4_000) * 1_000.0)
    fit = fit_hawkes(time, rng.integers(0, 2, 4_000), 2, 1_000.0, [1.0, 10.0])
    assert fit.radius < 0.12 and fit.background == pytest.approx([2.0, 2.0], rel=0.15)
    assert fit.log_likelihood >= fit.poisson - 1e-6


def test_the_log_likelihood_is_the_formula():
    time, kind = np.array([0.5, 1.0, 2.5]), np.array([0, 0, 0])
    fit = fit_hawkes(time, kind, 1, 4.0, [1.0])
    n, mu = fit.branching[0, 0, 0], fit.background[0]
    intensity = [mu, mu + n * np.exp(-0.5), mu + n * (np.exp(-1.5) + np.exp(-2.0))]
    integral = mu * 4.0 + n * sum(1 - np.exp(-(4.0 - t)) for t in time)
    assert fit.log_likelihood == pytest.approx(np.log(intensity).sum() - integral)


def test_refusals():
    with pytest.raises(ConfigError, match="must ascend"):
        fit_hawkes([1.0, 0.5], [0, 0], 1, 2.0)
    with pytest.raises(ConfigError, match="must ascend within 0 to"):
        fit_hawkes([1.0, 3.0], [0, 0], 1, 2.0)
    with pytest.raises(ConfigError, match="kinds run from 0 to 2"):
        fit_hawkes([1.0, 1.5], [0, 2], 2, 2.0)
    with pytest.raises(ConfigError, match="kind 1 never happens"):
        fit_hawkes([1.0, 1.5], [0, 0], 2, 2.0)
    with pytest.raises(ConfigError, match="decays is"):
        fit_hawkes([1.0, 1.5], [0, 0], 1, 2.0, [0.0])
    assert np.isnan(exponential_residual([1.0]).p)
