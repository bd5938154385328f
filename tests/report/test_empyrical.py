"""What empyrical-reloaded defines too, it and we compute alike."""

import numpy as np
import pytest

from hft_gym.report import METRICS, Panel
from tests.report.examples import S, from_final_pnl

empyrical = pytest.importorskip("empyrical", reason="empyrical-reloaded is not installed (extra: dev)")

INTERVALS_PER_YEAR = 252 * 23_400


@pytest.fixture(scope="module", params=[0, 1, 2])
def path(request):
    """Equity of one episode of 400 s, and the P&L of its seconds."""
    changes = np.random.default_rng(request.param).standard_t(4, 400) + 0.05
    return np.concatenate([[0.0], np.cumsum(changes)])


def panel_of(path, capital=1000.0):
    episodes = from_final_pnl("x", [0.0])
    for name, value in (("time", np.arange(len(path))[None] * S), ("equity", path[None]), ("capital", capital)):
        object.__setattr__(episodes, name, value)
    return Panel(episodes)


# Our metric -> empyrical's function of the P&L of the seconds. It takes returns, and these ratios do not care for
# the unit.
SAME = {
    "sharpe_ratio": lambda r: empyrical.sharpe_ratio(r, annualization=INTERVALS_PER_YEAR),
    "sharpe_interval": lambda r: empyrical.sharpe_ratio(r, annualization=1),
    "sortino_ratio": lambda r: empyrical.sortino_ratio(r, annualization=INTERVALS_PER_YEAR),
    "downside_deviation": lambda r: empyrical.downside_risk(r, annualization=1),
    "volatility": lambda r: empyrical.annual_volatility(r, annualization=1),
    "omega_ratio": lambda r: empyrical.omega_ratio(r),
    "tail_ratio": lambda r: empyrical.tail_ratio(r),
    "value_at_risk_95": lambda r: -empyrical.value_at_risk(r, cutoff=0.05),
    "expected_shortfall_95": lambda r: -empyrical.conditional_value_at_risk(r, cutoff=0.05),
}


@pytest.mark.parametrize("name", list(SAME))
def test_the_same_as_empyrical(name, path):
    assert METRICS[name].values(panel_of(path))[0] == pytest.approx(SAME[name](np.diff(path)), rel=1e-9)


def test_drawdown_is_that_of_the_compounded_returns(path):
    worth = 1000.0 + path
    returns = np.diff(worth) / worth[:-1]
    ours = METRICS["max_drawdown_pct"].values(panel_of(path))[0]
    assert ours == pytest.approx(-100 * empyrical.max_drawdown(returns), rel=1e-9)


def test_calmar_for_a_year_of_one_session(path):
    """Theirs divides the compounded annual return by the drawdown, ours the P&L of a session: with a session as long
    as the path and a capital that dwarfs it, both are P&L over drawdown.
    """
    from hft_gym.report import Session

    worth = 1e9 + path
    theirs = empyrical.calmar_ratio(np.diff(worth) / worth[:-1], annualization=len(path) - 1)
    panel = panel_of(path)
    panel.session = Session(seconds=len(path) - 1)
    assert METRICS["calmar_ratio"].values(panel)[0] == pytest.approx(theirs, rel=1e-4)
