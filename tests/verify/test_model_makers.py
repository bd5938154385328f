"""The makers of Avellaneda-Stoikov, Guéant-Lehalle-Fernandez-Tapia and Cartea-Jaimungal, played in HFTModel-v0.

The environment is held against the law of the same market without chance (model_chain.py), against the closed forms,
and against the published tables. ``make verify`` plays 20,000 paths and more; the ordinary tests 4,000.
"""

import math
from functools import cache

import numpy as np
import pytest

from baselines.closed_forms import AlmgrenChriss, CarteaJaimungal, Glft, avellaneda_stoikov, glft_depths
from tests.verify import model_chain
from tests.verify.model_play import EVENTS, play

MARKET = {"rate": 140.0, "k": 1.5, "sigma": 2.0, "horizon": 1.0}
FEW, MANY = 4_000, 20_000
AS_TABLE = {
    # gamma: maker: (spread, profit, sd of profit, sd of inventory), twice: verified at 20,000 paths, as printed
    0.1: {
        "avellaneda-stoikov": ((1.492, 64.90, 6.55, 2.92), (1.49, 65.0, 6.6, 2.9)),
        "symmetric": ((1.491, 68.20, 13.39, 8.35), (1.49, 68.4, 12.7, 8.4)),
    },
    0.01: {
        "avellaneda-stoikov": ((1.349, 68.42, 8.94, 5.19), (1.35, 68.6, 8.7, 5.1)),
        "symmetric": ((1.349, 68.65, 13.57, 8.63), (1.35, 68.8, 12.8, 8.7)),
    },
    1.0: {
        "avellaneda-stoikov": ((3.032, 31.49, 4.85, 1.65), (3.02, 31.4, 5.0, 1.7)),
        "symmetric": ((3.022, 43.79, 10.71, 5.15), (3.02, 44.0, 11.0, 5.1)),
    },
}
"""Avellaneda and Stoikov (2008), tables 1 to 3. The symmetric strategy's spread is constant, the other's averaged over
time: gamma sigma^2 T / 2 + (2 / gamma) ln(1 + gamma / k). Averaged over 200 decisions the other's is half a step more.
"""
TOLERANCES = {"avellaneda-stoikov": (0.01, 0.6, 0.5, 0.25), "symmetric": (0.01, 0.6, 0.8, 0.25)}
CASES = [(gamma, maker) for gamma in AS_TABLE for maker in ("avellaneda-stoikov", "symmetric")]
CJ_VALUES = {(140.0, 1.5): 68.2558, (100.0, 1.0): 73.2259}
PENALTIES = {"inventory": 0.01, "terminal": 0.001}


def linear(x):
    return np.minimum(x, 1.0)


def exact(x):
    return -np.expm1(-x)


def rule(maker, gamma):
    """Depths of a maker for all inventories and a time left."""
    if maker == "symmetric":
        depth = float(avellaneda_stoikov.symmetric_depth(gamma, MARKET["sigma"], MARKET["k"], MARKET["horizon"]))
        return lambda q, left: (np.full(len(q), depth), np.full(len(q), depth))
    return lambda q, left: avellaneda_stoikov.depths(q, left, gamma, MARKET["sigma"], MARKET["k"])


@cache
def expected(maker, gamma, how):
    if how == "continuous":
        return model_chain.in_continuous_time(rule(maker, gamma), **MARKET, steps=1_000)
    return model_chain.in_steps(rule(maker, gamma), **MARKET, steps=200, law={"linear": linear, "exact": exact}[how])


def figures(played):
    return played.pnl.mean(), played.pnl.std(), played.inventory.std()


def errors(moments, paths):
    """Standard errors of mean profit, sd of profit and sd of inventory, the last two as for a normal law."""
    return moments.sd / math.sqrt(paths), moments.sd / math.sqrt(2 * paths), moments.sd_q / math.sqrt(2 * paths)


# --- in `make test` ---


@pytest.mark.parametrize("how", ["linear", "exact", "continuous"])
@pytest.mark.parametrize(("gamma", "maker"), CASES[:2])
def test_the_environment_follows_the_exact_law(gamma, maker, how):
    settings = {**EVENTS, "steps": 400} if how == "continuous" else {"fills": how}
    played = play(maker, FEW, 1, {"gamma": gamma}, **settings)
    moments = expected(maker, gamma, how)
    for ours, known, error in zip(
        figures(played), (moments.profit, moments.sd, moments.sd_q), errors(moments, FEW), strict=True
    ):
        assert ours == pytest.approx(known, abs=3.5 * error)


@pytest.mark.parametrize(("rate", "k"), CJ_VALUES)
def test_cartea_and_jaimungals_value_is_what_their_quotes_earn(rate, k):
    solution = CarteaJaimungal(rate, k, 0.01, 0.001, limit=40)
    market = {**MARKET, "rate": rate, "k": k, "steps": 400}
    moments = model_chain.in_continuous_time(solution.depths, **market)
    earned = moments.profit - 0.01 * moments.held - 0.001 * moments.sd_q**2
    assert earned == pytest.approx(float(solution.value(0, 1.0)), rel=1e-6)
    played = play("cartea-jaimungal", FEW, arrival_rate=rate, k=k, reward=PENALTIES, **EVENTS)
    assert played.reward.mean() == pytest.approx(earned, abs=3 * played.reward.std() / math.sqrt(FEW))


@pytest.mark.parametrize("change", [0.2, -0.2])
def test_control_other_depths_earn_less_than_cartea_and_jaimungals(change):
    solution = CarteaJaimungal(140.0, 1.5, 0.01, 0.001, limit=40)
    market = {**MARKET, "steps": 400}
    moments = model_chain.in_continuous_time(lambda q, left: [d + change for d in solution.depths(q, left)], **market)
    assert moments.profit - 0.01 * moments.held - 0.001 * moments.sd_q**2 < 0.98 * solution.value(0, 1.0)


def certainty_equivalent(pnl, gamma):
    """-ln E[exp(-gamma W)] / gamma, and its standard error."""
    worth = np.exp(-gamma * (pnl - pnl.mean()))
    error = worth.std() / math.sqrt(len(pnl)) / worth.mean() / gamma
    return pnl.mean() - math.log(worth.mean()) / gamma, error


@pytest.mark.parametrize("xi", [0.0, 0.1])
def test_glfts_value_is_what_their_quotes_are_worth(xi):
    solution = Glft(2.0, 140.0, 1.5, 0.1, adverse_selection=xi)
    played = play("glft", FEW, adverse_selection=xi, steps=400, **EVENTS)
    ours, error = certainty_equivalent(played.pnl, 0.1)
    assert ours == pytest.approx(float(solution.certainty_equivalent(0, 1.0)), abs=3.5 * error)


# --- in `make verify` ---


@pytest.mark.verify
@pytest.mark.parametrize(("gamma", "maker"), CASES)
def test_avellaneda_and_stoikovs_tables(gamma, maker, verified):
    """B1: dt = 0.005, linear fills, moves of ± sigma sqrt(dt), 20,000 paths."""
    known, printed = AS_TABLE[gamma][maker]
    played = play(maker, MANY, 11, {"gamma": gamma})
    ours = (played.spread, *figures(played))
    names = ("spread", "profit", "sd of profit", "sd of inventory")
    label = f"A-S gamma={gamma:g} {'inventory' if maker != 'symmetric' else maker}"
    for name, k, p, o, within in zip(names, known, printed, ours, TOLERANCES[maker], strict=True):
        verified(f"{label}: {name} (paper {p:g})", k, o, within)
    verified(f"{label}: mean inventory", 0.0, played.inventory.mean(), 4 * played.inventory.std() / math.sqrt(MANY))
    moments = expected(maker, gamma, "linear")
    for name, k, o, error in zip(
        names[1:], (moments.profit, moments.sd, moments.sd_q), ours[1:], errors(moments, MANY), strict=True
    ):
        verified(f"{label}: {name}, exact chain", k, o, 4 * error)


@pytest.mark.verify
def test_the_fill_law_matters(verified):
    """The exact law at the paper's step gives other figures, so it must miss the table."""
    played = play("avellaneda-stoikov", MANY, 12, {"gamma": 0.1}, fills="exact")
    profit, sd, sd_q = figures(played)
    verified("A-S control: profit with exact fills at dt=0.005", 64.90, profit, at_least=5.0)
    for name, known, ours in (("profit", 57.2, profit), ("sd of profit", 6.36, sd), ("sd of inventory", 2.98, sd_q)):
        verified(f"A-S exact fills at dt=0.005: {name}", known, ours, 0.01 * known + 0.01)
    wrong = play("avellaneda-stoikov", MANY, 12, {"gamma": 0.1, "k": 3.0})
    verified("A-S control: profit of a maker with twice the decay", 64.90, wrong.pnl.mean(), at_least=5.0)


@pytest.mark.verify
@pytest.mark.parametrize(("gamma", "maker"), CASES)
def test_the_continuous_limit(gamma, maker, verified):
    """B2: fills at exact times, against the differential equations of the same law, within 1 %."""
    played = play(maker, 2 * MANY, 13, {"gamma": gamma}, steps=1_000, **EVENTS)
    moments = expected(maker, gamma, "continuous")
    label = f"A-S continuous, gamma={gamma:g} {'inventory' if maker != 'symmetric' else maker}"
    names = ("profit", "sd of profit", "sd of inventory")
    for name, known, ours in zip(names, (moments.profit, moments.sd, moments.sd_q), figures(played), strict=True):
        verified(f"{label}: {name}", known, ours, 0.01 * known)


@pytest.mark.verify
@pytest.mark.parametrize(("rate", "k"), CJ_VALUES)
def test_cartea_and_jaimungals_values(rate, k, verified):
    """B3: the formula, the law of its quotes, and the environment with fills at exact times; a step biases it."""
    known, solution = CJ_VALUES[rate, k], CarteaJaimungal(rate, k, 0.01, 0.001, limit=40)
    label = f"C-J lambda={rate:g} kappa={k:g}"
    verified(f"{label}: h(0, 0)", known, solution.value(0, 1.0), 0.0001)
    verified(f"{label}: risk-neutral h(0, 0)", 2 * rate / (math.e * k), CarteaJaimungal(rate, k).value(0, 1.0), 1e-4)
    moments = model_chain.in_continuous_time(solution.depths, **{**MARKET, "rate": rate, "k": k}, steps=2_000)
    earned = moments.profit - 0.01 * moments.held - 0.001 * moments.sd_q**2
    verified(f"{label}: what its quotes earn, exact law", known, earned, 0.0001)
    played = play("cartea-jaimungal", 8 * MANY, 14, arrival_rate=rate, k=k, reward=PENALTIES, **EVENTS)
    error = played.reward.std() / math.sqrt(8 * MANY)
    verified(f"{label}: what its quotes earn, played", known, played.reward.mean(), min(0.002 * known, 2 * error))
    coarse = play("cartea-jaimungal", MANY, 15, arrival_rate=rate, k=k, reward=PENALTIES, fills="exact")
    verified(f"{label} control: played at dt=0.005", known, coarse.reward.mean(), at_least=0.02 * known)
    wide = model_chain.in_continuous_time(
        lambda q, left: [d + 0.1 for d in solution.depths(q, left)], **{**MARKET, "rate": rate, "k": k}, steps=1_000
    )
    lost = wide.profit - 0.01 * wide.held - 0.001 * wide.sd_q**2
    verified(f"{label} control: quotes 0.1 too deep", known, lost, at_least=0.002 * known)


@pytest.mark.verify
def test_glfts_approximation(verified):
    """B4: the asymptotic depths against the exact system, far from the horizon."""
    for label, market, horizon in (
        ("A-S parameters", (2.0, 140.0, 1.5, 0.1), 1.0),
        ("sigma=.3 A=.9 k=.3 gamma=.01", (0.3, 0.9, 0.3, 0.01), 600.0),
    ):
        q = np.arange(-10, 11)
        known, ours = Glft(*market, horizon=horizon).depths(q, horizon), glft_depths(q, *market)
        verified(f"GLFT {label}: depth at q=0", known[0][10], ours[0][10], 0.001 * known[0][10])
        for side, a, b in zip(("bid", "ask"), known, ours, strict=True):
            verified(f"GLFT {label}: {side} depth at q=10", a[-1], b[-1], 0.008)
            verified(f"GLFT {label}: largest error of the {side} depth, |q| <= 10", 0.0, np.abs(a - b).max(), 0.008)
    far = np.abs(glft_depths(10, *market)[0] - Glft(*market, horizon=600.0).depths(10, 6.0)[0])
    verified("GLFT control: near the horizon", 0.0, far, at_least=0.008)


@pytest.mark.verify
@pytest.mark.parametrize("xi", [0.0, 0.1])
def test_glfts_value(xi, verified):
    """The certainty equivalent of the exact quotes, played, with and without adverse selection."""
    solution = Glft(2.0, 140.0, 1.5, 0.1, adverse_selection=xi)
    known = float(solution.certainty_equivalent(0, 1.0))
    played = play("glft", MANY, 16, adverse_selection=xi, steps=1_000, **EVENTS)
    ours, error = certainty_equivalent(played.pnl, 0.1)
    verified(f"GLFT certainty equivalent, gamma=0.1, xi={xi:g}", known, ours, 3 * error)
    if xi:
        blind = play("glft", MANY, 16, {"adverse_selection": 0.0}, adverse_selection=xi, steps=1_000, **EVENTS)
        worth = certainty_equivalent(blind.pnl, 0.1)[0]
        assert worth < ours
        wrong = float(Glft(2.0, 140.0, 1.5, 0.1).certainty_equivalent(0, 1.0))
        verified("GLFT control: the value without adverse selection", wrong, ours, at_least=10 * error)


@pytest.mark.verify
def test_almgren_and_chriss_frontier(verified):
    """B5: the closed form of cost and variance against the trajectories themselves, and TWAP's place on it."""
    problem = AlmgrenChriss(1e6, 5.0, 5, sigma=0.95, temporary=2.5e-6, permanent=2.5e-7, fixed=0.0625)
    verified("A-C kappa a day, lambda=1e-6 (paper 0.61)", 0.61, problem.kappa(1e-6), 0.005)
    twap = problem.twap()
    for risk_aversion in (1e-7, 1e-6, 1e-5):
        held = problem.trajectory(risk_aversion)
        cost, variance = problem.frontier([risk_aversion])[0]
        label = f"A-C lambda={risk_aversion:g}"
        verified(f"{label}: cost / closed form", 1.0, problem.expected_cost(held) / cost, 1e-6)
        verified(f"{label}: variance / closed form", 1.0, problem.variance(held) / variance, 1e-6)
        aim = problem.expected_cost(held) + risk_aversion * problem.variance(held)
        other = held + np.array([0.0, 1.0, -1.0, 1.0, 0.0, 0.0]) * 0.05 * held[1]
        worse = problem.expected_cost(other) + risk_aversion * problem.variance(other)
        verified(f"{label} control: another trajectory's aim / the best", 1.0, worse / aim, at_least=1e-6)
        verified(f"{label}: TWAP's cost above it", 0.0, max(problem.expected_cost(twap) - cost, 0.0), 1e-9)
        verified(f"{label}: its sd above TWAP's", 0.0, max(variance - problem.variance(twap), 0.0), 1e-9)
