"""E3: buyers and sellers live in the same market."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp

from hft_gym.flow import HawkesConfig, preset
from tests.audit.play import BUY, JOIN, MARKETS, NONE, POISSON, SELL, column, play


def one_sided(core, step):
    """Takes and quotes as differently by side as it can: buys early, then leans on the imbalance, never symmetric."""
    imbalance = column(core, "imbalance")
    take = np.where((imbalance > 0.6) & (step % 5 == 0), BUY, 0)
    bid = np.where(imbalance > 0.2, JOIN, NONE)
    ask = np.where(core.info[3] > 2, JOIN, 4)
    return np.stack([bid, ask, take], axis=1).astype(np.int64)


def mirrored(core, step):
    """The same strategy with the sides exchanged."""
    imbalance = column(core, "imbalance")
    take = np.where((imbalance < -0.6) & (step % 5 == 0), SELL, 0)
    ask = np.where(imbalance < -0.2, JOIN, NONE)
    bid = np.where(core.info[3] < -2, JOIN, 4)
    return np.stack([bid, ask, take], axis=1).astype(np.int64)


def p_value(flow, n, steps):
    """That the P&L of a strategy and of its mirror image, on other seeds, have one law (Kolmogorov and Smirnov)."""
    ours = play(flow, one_sided, n, steps, max_position=5).pnl
    theirs = play(flow, mirrored, n, steps, key=n, max_position=5).pnl
    assert ours.std() > 1
    return ks_2samp(ours, theirs).pvalue


@pytest.mark.parametrize("flow", MARKETS)
def test_the_law_of_profit_does_not_know_sides(flow):
    assert p_value(flow, 500, 200) > 0.01


def test_the_check_finds_a_market_that_does():
    """The control: every sale brings further sales, no purchase a further purchase."""
    tilted = replace(
        preset(POISSON),
        hawkes=HawkesConfig(branching=(((0.0, 0.0), (0.0, 0.6)),), decays=(2.0,), kinds=("market_buy", "market_sell"),
                            background=(1.0, 1.0)),
    )  # fmt: skip
    assert p_value(tilted, 500, 200) < 1e-4


@pytest.mark.verify
@pytest.mark.parametrize("flow", MARKETS)
def test_symmetry(flow, verified):
    verified(f"E3 {flow}: P&L of a strategy and its mirror image, p", 0.0, p_value(flow, 4000, 400), above=0.01)
