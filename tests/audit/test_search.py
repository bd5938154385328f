"""E2: a thousand random strategies that take find nothing; where there is something, the same search finds it."""

from dataclasses import replace

import numpy as np
import pytest

from hft_gym.flow import preset
from tests.audit.play import MARKETS, POISSON, REALISTIC
from tests.audit.search import Strategies, WithInsider, deflated_sharpe, search

N = 1000
SKILL = 0.95
UNINFORMED = replace(preset(POISSON), informed_rate=0.0, jump_rate=0.0)
FLOWS = {REALISTIC: REALISTIC, POISSON: POISSON, "nobody informed": UNINFORMED}


@pytest.mark.parametrize("name", FLOWS)
def test_a_thousand_takers_find_nothing(name):
    returns = search(FLOWS[name], Strategies(N, makers=False), 4, 400)
    assert (returns.std(axis=1) > 0).sum() > 300
    assert deflated_sharpe(returns)[0] < SKILL


@pytest.mark.parametrize("flow", MARKETS)
def test_they_do_where_taking_is_paid_for(flow):
    """The control: a rebate of one tick a lot, about half of what crossing the spread twice costs."""
    returns = search(flow, Strategies(N, makers=False), 4, 400, fees={"taker": -1.0})
    assert deflated_sharpe(returns)[0] > SKILL


def test_the_deflated_ratio_of_noise_is_not_significant():
    """Bailey and Lopez de Prado's formula on strategies of no skill: above 0.95 in about one search of twenty."""
    random = np.random.default_rng(0)
    found = [deflated_sharpe(random.normal(size=(N, 60)))[0] > SKILL for _ in range(60)]
    assert np.mean(found) < 0.15
    skilled = random.normal(size=(N, 60))
    skilled[7] += 1.0
    assert deflated_sharpe(skilled) == (pytest.approx(1.0, abs=0.01), 7)


@pytest.mark.verify
@pytest.mark.parametrize("name", FLOWS)
def test_takers(name, verified):
    returns = search(FLOWS[name], Strategies(N, makers=False), 8, 600)
    found, best = deflated_sharpe(returns)
    verified(f"E2 {name}: best of 1,000 takers, deflated Sharpe", 0.0, found, SKILL)
    again = search(FLOWS[name], Strategies(N, makers=False), 8, 600, key=10**6)[best]
    t = again.mean() / again.std() * len(again) ** 0.5 if again.std() > 0 else 0.0
    verified(f"E2 {name}: t of the best taker on other seeds, above 0", 0.0, max(t, 0.0), 3.0)


@pytest.mark.verify
@pytest.mark.parametrize("flow", MARKETS)
def test_an_insider_is_found(flow, verified):
    found, best = deflated_sharpe(search(flow, WithInsider(100, makers=False), 40, 1000))
    verified(f"E2 {flow}: deflated Sharpe with an insider among the takers", 1.0, found, 1.0 - SKILL)
    assert best == 0
