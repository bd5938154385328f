"""The realism checks of theory: on every preset that claims realism, and the control that must fail them."""

from dataclasses import replace

import numpy as np
import pytest

from hft_gym import Market
from hft_gym.flow import preset
from hft_gym.realism import D_checks, Sample, measure
from hft_gym.realism.checks import LIMITS, check_facts

pytestmark = pytest.mark.verify
CLAIMED = ("reactive",)
"""Presets that must pass every check."""
CST = ("D1 exponent", "D1 relaxation", "D2 exponent", "D2 reach", "D5", "D7 R2", "D7 depth", "D12")
"""What the flow of Cont, Stoikov and Talreja must fail."""


def record(record_property, preset, checks, control=False):
    """Add checks to the table at the end of the run; "published" is the middle of the range, or its finite end.

    A control passes if its check does not.
    """
    for c in checks:
        middle = c.low if c.high == float("inf") else (c.low + c.high) / 2
        limits = f"{'outside ' if control else ''}[{c.low:g}, {c.high:g}]"
        record_property("verified", (f"{preset} {c.name}: {c.what}", middle, c.value, limits, c.passed != control))


@pytest.mark.parametrize("preset", CLAIMED)
def test_a_realistic_preset_passes(preset, record_property):
    checks = D_checks(preset)
    record(record_property, preset, checks)
    missed = [f"{c.name}: {c.value:.3g} is not in [{c.low:g}, {c.high:g}]" for c in checks if not c.passed]
    assert not missed, "\n".join(missed)


def test_plain_poisson_flow_fails(record_property):
    """Impact is linear and permanent in it, and trade signs have no memory."""
    checks = {c.name: c for c in D_checks("cst2010", hours=100.0, tapes=1, long_hours=20.0)}
    record(record_property, "control cst2010", [checks[n] for n in CST], control=True)
    assert checks["D1 exponent"].value == pytest.approx(0.99, abs=0.1)
    assert [n for n in CST if checks[n].passed] == []


def only_single_lots():
    """Every queue is of one or two single lots: its size tells little of what comes next."""
    return replace(
        preset("poisson"),
        limit_rates=(0.5,) * 5,
        cancel_rates=(1.0,),
        limit_sizes=(1.0,),
        market_sizes=(1.0,),
        market_rate=0.2,
        jump_rate=0.0,
        informed_rate=0.0,
    )


def rare_news():
    """News once an hour on average, of 32 ticks: returns are as far from normal over ten minutes as over one second."""
    return replace(preset("poisson"), jump_rate=1 / 3600, jump_sizes=(0.0,) * 31 + (1.0,), informed_rate=20.0)


def pinned_price():
    """A reference price that never moves: a large order leaves nothing to which a law could be fitted."""
    flow = preset("queue-reactive")
    return replace(flow, queue_reactive=replace(flow.queue_reactive, theta=0.0, theta_reinit=0.0))


LOTS = tuple(round(1.12**k) for k in range(64))


def walls():
    """Queues of hundreds of lots, which trades of a few do not move: their size says nothing of what comes next."""
    return replace(preset("poisson"), limit_sizes=tuple(k**-0.5 for k in range(1, 65)), limit_lots=LOTS)


def huge_orders():
    """The realistic preset with limit orders of up to 97,000 lots, each decade as often as the next: order flow is the
    sum of a few of them, and trades say more of the price."""
    lots = tuple(round(1.2**k) for k in range(64))
    return replace(preset("reactive"), limit_sizes=tuple(1 / k for k in range(1, 65)), limit_lots=lots)


def poisson():
    """Informed traders who sweep the book after news, in Poisson flow of small orders."""
    return preset("poisson")


DEGENERATE = {
    poisson: ("D3", "D4 fat", "D6", "D9", "D10 cancels", "D10 limit tail", "D10 market tail", "D11", "D12"),
    only_single_lots: ("D8 AUC",),
    rare_news: ("D4 falling", "D4 normal"),
    pinned_price: ("D1 fit", "D8 AUC"),
    walls: ("D8 AUC", "D8 monotone"),
    huge_orders: ("D7 R2", "D7 trades", "D13 micro-price"),
}
"""Market -> what it must fail."""


@pytest.mark.parametrize(("market", "failed"), DEGENERATE.items())
def test_degenerate_flows_fail(market, failed, record_property):
    checks = {c.name: c for c in D_checks({"flow": market()}, hours=2.0, tapes=1, long_hours=20.0, repeats=30)}
    record(record_property, f"control {market.__name__}", [checks[n] for n in failed], control=True)
    assert [n for n in failed if checks[n].passed] == []


def test_every_check_has_a_control():
    assert set(CST).union(*DEGENERATE.values()) == set(LIMITS)


@pytest.fixture(scope="module")
def tape():
    return Market("reactive", seed=0, log_capacity=0).record(6 * 3600 * 10**9)


def shuffled_signs(sample, rng):
    sample.trades = replace(sample.trades, sign=rng.permutation(sample.trades.sign))


def shuffled_queues(sample, rng):
    q, order = sample.quotes, rng.permutation(len(sample.quotes.time))
    sample.quotes = q._replace(bid_volume=q.bid_volume[order], ask_volume=q.ask_volume[order])


@pytest.mark.parametrize(
    ("shuffle", "failed"),
    [
        (shuffled_signs, ("D2 exponent", "D2 reach", "D9", "D12")),
        (shuffled_queues, ("D8 AUC", "D8 monotone", "D7 depth")),
    ],
)
def test_the_same_tape_shuffled_fails(tape, shuffle, failed, record_property):
    """The realistic preset's own tape, with the trades' signs or the sizes of the best queues drawn anew from it."""
    sample = Sample(tape)
    shuffle(sample, np.random.default_rng(0))
    names = {LIMITS[n][0] for n in failed}
    checks = {c.name: c for c in check_facts(measure(sample, names))}
    record(record_property, f"control {shuffle.__name__}", [checks[n] for n in failed], control=True)
    assert [n for n in failed if checks[n].passed] == []
