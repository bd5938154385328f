"""The closed forms against what they claim to solve: brute-force maximisation, quadratic programmes, other methods."""

import doctest
import importlib

import numpy as np
import pytest
from scipy.linalg import expm, solve_banded

from baselines.closed_forms import (
    AlmgrenChriss,
    CarteaJaimungal,
    Glft,
    avellaneda_stoikov,
    glft_depths,
    liquidation,
    tridiagonal,
)
from hft_gym.errors import ConfigError

PAPER = AlmgrenChriss(1e6, 5.0, 5, sigma=0.95, temporary=2.5e-6, permanent=2.5e-7, fixed=0.0625)
"""The example of Almgren and Chriss (2000), table 1."""


@pytest.mark.parametrize("name", ["avellaneda_stoikov", "glft", "cartea_jaimungal", "almgren_chriss"])
def test_doctests(name):
    result = doctest.testmod(importlib.import_module(f"baselines.closed_forms.{name}"))
    assert result.attempted > 0 and result.failed == 0


# --- market making ---


def best_depths(gain, low=-5.0, high=15.0):
    """The depths that maximise *gain*, one for each row, by golden-section search."""
    ratio = (np.sqrt(5) - 1) / 2
    a, b = np.full_like(gain(0.0), low), np.full_like(gain(0.0), high)
    for _ in range(45):
        c, d = b - ratio * (b - a), a + ratio * (b - a)
        left = gain(c) > gain(d)
        a, b = np.where(left, a, c), np.where(left, d, b)
    return (a + b) / 2


def solve_by_search(rate, k, limit, horizon, steps, running, terminal, drift=0.0, gamma=0.0, xi=0.0):
    """Value above cash and inventory, and optimal depths, from the Hamilton-Jacobi-Bellman equation itself.

    Nothing is linearised: each side's depth is searched for at each time and inventory, and time is stepped by Runge
    and Kutta's rule. gamma is the risk aversion of an exponential utility, 0 for none.
    """
    q = np.arange(-limit, limit + 1.0)

    def utility(x):
        return -np.expm1(-gamma * x) / gamma if gamma else x

    def sides(theta):
        up, down = np.append(theta[1:], -np.inf), np.append(-np.inf, theta[:-1])
        for after, impact in ((up, -(q + 1) * xi), (down, (q - 1) * xi)):
            can = np.isfinite(after)
            jump = np.where(can, after, 0.0) - theta + impact
            yield can, lambda depth, jump=jump: rate * np.exp(-k * depth) * utility(depth + jump)

    def slope(theta):
        out = drift * q - running(q)
        for can, gain in sides(theta):
            out = out + np.where(can, gain(best_depths(gain)), 0.0)
        return out

    theta, dt = -terminal * q**2, horizon / steps
    for _ in range(steps):
        a = slope(theta)
        b = slope(theta + 0.5 * dt * a)
        c = slope(theta + 0.5 * dt * b)
        theta = theta + dt / 6 * (a + 2 * b + 2 * c + slope(theta + dt * c))
    return theta, [np.where(can, best_depths(gain), np.inf) for can, gain in sides(theta)]


@pytest.mark.parametrize(("drift", "xi"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.15), (-0.1, 0.05)])
def test_glft_is_the_optimum(drift, xi):
    sigma, rate, k, gamma, limit, horizon = 0.8, 6.0, 1.2, 0.3, 4, 0.7
    exact = Glft(sigma, rate, k, gamma, horizon, limit, drift, xi)
    theta, (bid, ask) = solve_by_search(
        rate, k, limit, horizon, 60, lambda q: 0.5 * gamma * sigma**2 * q**2, 0.0, drift, gamma, xi
    )
    q = np.arange(-limit, limit + 1)
    np.testing.assert_allclose(exact.certainty_equivalent(q, horizon), theta, atol=1e-6)
    for ours, found in zip(exact.depths(q, horizon), (bid, ask), strict=True):
        np.testing.assert_allclose(ours, found, atol=1e-5)


def test_cartea_jaimungal_is_the_optimum():
    rate, k, limit, horizon, phi, alpha = 8.0, 1.5, 4, 0.6, 0.4, 0.2
    exact = CarteaJaimungal(rate, k, phi, alpha, horizon, limit)
    theta, (bid, ask) = solve_by_search(rate, k, limit, horizon, 60, lambda q: phi * q**2, alpha)
    q = np.arange(-limit, limit + 1)
    np.testing.assert_allclose(exact.value(q, horizon), theta, atol=1e-6)
    for ours, found in zip(exact.depths(q, horizon), (bid, ask), strict=True):
        np.testing.assert_allclose(ours, found, atol=1e-5)


@pytest.mark.parametrize(("rate", "k", "value"), [(140.0, 1.5, 68.2558), (100.0, 1.0, 73.2259)])
def test_cartea_jaimungals_known_values(rate, k, value):
    assert CarteaJaimungal(rate, k, 0.01, 0.001).value(0, 1.0) == pytest.approx(value, abs=5e-5)
    neutral = CarteaJaimungal(rate, k)
    assert neutral.value(0, 1.0) == pytest.approx(2 * rate / (np.e * k), rel=1e-6)  # the limit is 50 lots
    np.testing.assert_allclose(neutral.depths([-5, 0, 7], [1.0, 0.5, 0.0]), 1 / k, rtol=1e-5)


@pytest.mark.parametrize(
    ("market", "horizon", "q", "exact", "approximate"),
    [
        ((0.3, 0.9, 0.3, 0.01), 600.0, 0, (3.3130, 3.3130), (3.3129, 3.3129)),
        ((0.3, 0.9, 0.3, 0.01), 600.0, 10, (3.9929, None), (3.9916, None)),
        ((2.0, 140.0, 1.5, 0.1), 1.0, 0, (0.6716, 0.6716), (0.6712, 0.6712)),
        ((2.0, 140.0, 1.5, 0.1), 1.0, 10, (1.1814, 0.1581), (1.1884, 0.1541)),
    ],
)
def test_glfts_known_depths(market, horizon, q, exact, approximate):
    found = Glft(*market, horizon=horizon).depths(q, horizon)
    for ours, known in zip((*found, *glft_depths(q, *market)), (*exact, *approximate), strict=True):
        assert known is None or ours == pytest.approx(known, abs=6e-5)


def test_glfts_asymptotic_extensions_are_the_exact_ones_far_from_the_horizon():
    market = {"sigma": 0.5, "arrival_rate": 50.0, "k": 1.0, "gamma": 0.02}
    for drift, xi in ((0.0, 0.0), (0.01, 0.0), (0.0, 0.1), (-0.01, 0.2)):
        exact = Glft(**market, horizon=40.0, drift=drift, adverse_selection=xi)
        q = np.arange(-3, 4)
        for ours, known in zip(exact.asymptotic_depths(q), exact.depths(q, 40.0), strict=True):
            np.testing.assert_allclose(ours, known, atol=0.003)
    shifted = glft_depths(0, **market, drift=0.01)
    assert abs(float(shifted[0]) - float(glft_depths(0, **market)[0])) > 0.01


def test_symmetry_of_the_makers():
    q = np.arange(-8, 9)
    for bid, ask in (
        Glft(2.0, 140.0, 1.5, 0.1).depths(q, 0.4),
        CarteaJaimungal(140.0, 1.5, 0.1, 0.2).depths(q, 0.4),
        avellaneda_stoikov.depths(q, 0.4, 0.1, 2.0, 1.5),
        glft_depths(q, 2.0, 140.0, 1.5, 0.1),
    ):
        np.testing.assert_allclose(bid, ask[::-1], atol=1e-12)
        assert (np.diff(bid) > 0).all()  # the more one holds, the less one buys


def test_depths_beyond_the_range_are_refused_and_at_its_ends_infinite():
    solution = CarteaJaimungal(140.0, 1.5, 0.01, 0.001, limit=5)
    bid, ask = solution.depths(np.array([5, -5]), 0.5)
    assert bid[0] == np.inf == ask[1] and np.isfinite([ask[0], bid[1]]).all()
    with pytest.raises(ValueError, match="inventory -6 is beyond"):
        solution.depths(-6, 0.5)
    for time_left in (-0.1, 1.1):
        with pytest.raises(ValueError, match="time left"):
            solution.depths(0, time_left)
    with pytest.raises(ConfigError, match="k: must be above 0"):
        CarteaJaimungal(140.0, 0.0)


def test_interpolation_between_the_grids_times():
    coarse, fine = (Glft(2.0, 140.0, 1.5, 0.1, steps=s) for s in (400, 6400))
    times = np.random.default_rng(0).uniform(0, 1, 50)
    for left, right in zip(coarse.depths(3, times), fine.depths(3, times), strict=True):
        np.testing.assert_allclose(left, right, atol=2e-4)


def test_avellaneda_and_stoikovs_formulas():
    bid, ask = avellaneda_stoikov.depths(3, 0.25, 0.1, 2.0, 1.5)
    price = avellaneda_stoikov.reservation_price(100.0, 3, 0.1, 2.0, 0.25)
    assert (100.0 + ask + 100.0 - bid) / 2 == pytest.approx(price)
    assert bid + ask == pytest.approx(avellaneda_stoikov.spread(0.1, 2.0, 1.5, 0.25))
    assert avellaneda_stoikov.markup(0.0, 1.5) == pytest.approx(1 / 1.5)
    assert avellaneda_stoikov.markup(1e-9, 1.5) == pytest.approx(1 / 1.5)
    # The average spreads that the paper prints.
    for gamma, printed in ((0.1, 1.49), (0.01, 1.35), (1.0, 3.02)):
        assert 2 * avellaneda_stoikov.symmetric_depth(gamma, 2.0, 1.5, 1.0) == pytest.approx(printed, abs=0.01)


def test_ho_and_stoll_is_the_limit_of_little_risk_aversion():
    small, sigma = 1e-7, 2.0 / np.sqrt(1e-7)
    known = avellaneda_stoikov.depths(np.arange(-3, 4), 0.3, small, sigma, 1.5)
    ours = avellaneda_stoikov.ho_stoll_depths(np.arange(-3, 4), 0.3, small, sigma, 1.5)
    np.testing.assert_allclose(ours, known, rtol=1e-6)


def test_exponential_of_a_nonnegative_matrix():
    random = np.random.default_rng(2)
    for n, scale in ((1, 0.3), (5, 0.01), (7, 3.0), (20, 2.0)):
        matrix = random.uniform(0, scale, (n, n))
        np.testing.assert_allclose(tridiagonal.nonnegative_exponential(matrix), expm(matrix), rtol=1e-11)
    for bad in (np.array([[-1.0]]), np.array([[np.nan]])):
        with pytest.raises(ValueError, match="elements >= 0"):
            tridiagonal.nonnegative_exponential(bad)


def test_the_linear_systems_solution_is_that_of_a_matrix_exponential():
    q = np.arange(-6, 7.0)
    matrix = np.diag(0.3 * q**2 - 0.1 * q)
    matrix -= 2.5 * (np.eye(13, k=1) + np.eye(13, k=-1))
    log_v = tridiagonal.log_solution(np.diag(matrix), 2.5, -0.2 * q**2, 1.5, 3)
    for row, time in zip(log_v, (0.0, 0.5, 1.0, 1.5), strict=True):
        np.testing.assert_allclose(np.exp(row), expm(-time * matrix) @ np.exp(-0.2 * q**2), rtol=1e-9)
    with pytest.raises(ValueError, match="too wide"):
        tridiagonal.log_solution(np.arange(200.0) ** 3, 1e-9, -np.arange(200.0) ** 2, 1.0, 2)


# --- execution ---


def least_cost(problem, risk_aversion):
    """The trajectory that minimises E + lambda V, from the normal equations of the quadratic form."""
    n, tau, x = problem.intervals, problem.interval, problem.quantity
    adjusted = problem.temporary - 0.5 * problem.permanent * tau
    differences = np.eye(n + 1)[:-1] - np.eye(n + 1, k=1)[:-1]
    form = adjusted / tau * differences.T @ differences
    form += risk_aversion * problem.sigma**2 * tau * np.diag([0.0] + [1.0] * n)
    inner = slice(1, n)
    held = np.zeros(n + 1)
    held[0] = x
    held[inner] = np.linalg.solve(form[inner, inner], -form[inner, 0] * x)
    return held


@pytest.mark.parametrize("intervals", [1, 2, 5, 60])
@pytest.mark.parametrize("risk_aversion", [0.0, 1e-12, 2e-7, 1e-6, 1e-4])
def test_almgren_and_chriss_trajectories_are_optimal(intervals, risk_aversion):
    problem = AlmgrenChriss(1e6, 5.0, intervals, sigma=0.95, temporary=2.5e-6, permanent=2.5e-7, fixed=0.0625)
    held = problem.trajectory(risk_aversion)
    np.testing.assert_allclose(held, least_cost(problem, risk_aversion), atol=1e-6 * 1e6)
    assert held[0] == 1e6 and held[-1] == 0.0 and (np.diff(held) <= 0).all()
    row = problem.frontier([risk_aversion])[0]
    assert row == pytest.approx([problem.expected_cost(held), problem.variance(held)], rel=1e-6, abs=1e-3)


def test_almgren_and_chriss_example():
    assert PAPER.kappa(1e-6) == pytest.approx(0.61, abs=0.005)  # the paper's figure, per day
    risk = np.array([0.0, 1e-8, 1e-7, 1e-6, 1e-5])
    cost, variance = PAPER.frontier(risk).T
    assert (np.diff(cost) > 0).all() and (np.diff(variance) < 0).all()
    assert PAPER.expected_cost(PAPER.twap()) <= cost[1:].min()
    assert PAPER.variance(PAPER.twap()) > variance[1:].max()
    np.testing.assert_allclose(PAPER.trajectory(0.0), PAPER.twap())
    buying = AlmgrenChriss(-1e6, 5.0, 5, sigma=0.95, temporary=2.5e-6, permanent=2.5e-7, fixed=0.0625)
    np.testing.assert_allclose(buying.trajectory(1e-6), -PAPER.trajectory(1e-6))
    assert buying.expected_cost(buying.trajectory(1e-6)) == pytest.approx(cost[3])
    with pytest.raises(ConfigError, match="temporary is 1e-07; it must be above"):
        AlmgrenChriss(1e6, 5.0, 5, sigma=0.95, temporary=1e-7, permanent=2.5e-7)


@pytest.mark.parametrize(
    ("alpha", "b", "phi"), [(2.0, 0.3, 0.5), (0.5, 0.0, 0.0), (np.inf, 0.0, 3.0), (0.4, 0.2, 1e-4)]
)
def test_liquidation_is_optimal(alpha, b, phi):
    """Against the minimum of k nu² + phi q² over time plus (alpha - b / 2) q² at the end, cut into 4,000 steps."""
    n, k, horizon, quantity = 4_000, 0.7, 1.3, 10.0
    dt = horizon / n
    # The gradient with respect to q_1 ... q_n is a tridiagonal system.
    diagonal = np.full(n, 2 * k / dt + phi * dt)
    diagonal[-1] = k / dt + min(alpha - b / 2, 1e9)
    neighbour = np.full(n, -k / dt)
    right = np.zeros(n)
    right[0] = k / dt * quantity
    held = np.append(quantity, solve_banded((1, 1), np.array([neighbour, diagonal, neighbour]), right))
    left = horizon - dt * np.arange(n + 1)
    left[-1] = 0.0
    ours = liquidation.held(left, quantity, horizon, k, alpha, b, phi)
    np.testing.assert_allclose(ours, held, atol=0.01)
    rates = liquidation.rate(left[:-1], ours[:-1], k, alpha, b, phi)
    middle = (rates[1:] + rates[:-1]) / 2
    np.testing.assert_allclose(middle, -np.diff(ours)[:-1] / dt, rtol=1e-3, atol=1e-3)


def test_liquidation_refuses_a_penalty_that_would_pay_for_keeping():
    with pytest.raises(ValueError, match="above b / 2"):
        liquidation.held(1.0, 10.0, 1.0, 0.7, alpha=0.1, b=0.3, phi=0.1)
