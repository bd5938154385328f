"""CST 2010 through the compiled market against the exact chain, with controls that must fail.

``make verify`` runs 200,000 replications a cell and asks for 0.005 in each; the ordinary tests run 4,000 and
ask for 3.5 standard errors in each cell (the seeds are fixed: so is the outcome).
"""

import numpy as np
import pytest

from tests.verify import cst

FEW, MANY = 4_000, 200_000
EXACT = {"mid up": cst.p_mid_up(), "bid filled": cst.p_bid_filled()}
RUN = {"mid up": cst.table_3, "bid filled": cst.fill_table}


@pytest.fixture(scope="module")
def experiment():
    return cst.Experiment()


def test_the_chain_needs_no_more_than_60_orders():
    assert np.abs(cst.p_mid_up(60) - cst.p_mid_up(90)).max() < 1e-12
    assert np.abs(cst.p_bid_filled(60) - cst.p_bid_filled(90)).max() < 1e-12


def test_the_chain_is_antisymmetric_in_the_sides():
    assert np.abs(EXACT["mid up"] + EXACT["mid up"].T - 1).max() < 1e-12


def test_the_printed_table_4_is_one_minus_the_transpose():
    assert np.abs(1 - EXACT["bid filled"].T - cst.PRINTED_TABLE_4).max() < 0.00051
    assert np.abs(EXACT["bid filled"] - cst.PRINTED_TABLE_4).max() > 0.05


@pytest.mark.parametrize("name", EXACT)
def test_every_cell_within_sampling_error(experiment, name):
    exact = EXACT[name]
    deviation = (RUN[name](experiment, FEW) - exact) / np.sqrt(exact * (1 - exact) / FEW)
    assert np.abs(deviation).max() < 3.5
    assert 0.6 < np.sqrt((deviation**2).mean()) < 1.4


def test_control_without_cancellations_fails():
    control = cst.Experiment(cancellations=False, horizon=15 * cst.MINUTE)
    assert np.abs(cst.table_3(control, 500) - EXACT["mid up"]).max() > 0.05


def test_control_with_the_own_order_ahead_of_the_queue_fails(experiment):
    assert np.abs(cst.fill_table(experiment, 500, ahead=True) - EXACT["bid filled"]).max() > 0.05


@pytest.mark.verify
@pytest.mark.parametrize("name", EXACT)
def test_every_cell_within_0_005(experiment, verified, name):
    ours = RUN[name](experiment, MANY, key=2**40)
    for i, b in enumerate(cst.SIZES):
        for j, a in enumerate(cst.SIZES):
            verified(f"CST P({name} | b={b}, a={a})", EXACT[name][i, j], ours[i, j], 0.005)


@pytest.mark.verify
def test_controls_fail_by_more_than_0_05(experiment, verified):
    control = cst.Experiment(cancellations=False, horizon=60 * cst.MINUTE)
    alone = np.abs(cst.table_3(control, 20_000) - EXACT["mid up"]).max()
    verified("CST control: no cancellations, worst cell of mid up", 0.0, alone, at_least=0.05)
    ahead = np.abs(cst.fill_table(experiment, 20_000, ahead=True) - EXACT["bid filled"]).max()
    verified("CST control: own order first, worst cell of bid filled", 0.0, ahead, at_least=0.05)
