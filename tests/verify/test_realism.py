"""The realism checks of theory: on every preset that claims realism, and the control that must fail them."""

from dataclasses import replace

import pytest

from hft_gym.flow import preset
from hft_gym.realism import D_checks

pytestmark = pytest.mark.verify
CLAIMED = ("reactive",)
"""Presets that must pass every check."""
CONTROLS = ("D1 exponent", "D1 relaxation", "D2 exponent", "D12")
"""What plain Poisson flow must fail."""


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
    record(record_property, "control cst2010", [checks[n] for n in CONTROLS], control=True)
    assert checks["D1 exponent"].value == pytest.approx(0.99, abs=0.1)
    for name in CONTROLS:
        assert not checks[name].passed, name


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


@pytest.mark.parametrize(
    ("market", "failed"),
    [(only_single_lots, ("D8 AUC",)), (rare_news, ("D4 falling", "D4 normal")), (pinned_price, ("D1 fit", "D8 AUC"))],
)
def test_degenerate_flows_fail_what_poisson_flow_passes(market, failed, record_property):
    checks = {c.name: c for c in D_checks({"flow": market()}, hours=2.0, tapes=1, long_hours=20.0, repeats=30)}
    record(record_property, f"control {market.__name__}", [checks[n] for n in failed], control=True)
    assert [n for n in failed if checks[n].passed] == []
