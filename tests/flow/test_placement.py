"""Flow that looks at the spread: places, rates, cancellations and sizes come out as they were put in."""

import numpy as np
import pytest

from hft_gym.calibration.hawkes import HawkesFit
from hft_gym.calibration.models import event_rows, events_of
from hft_gym.calibration.placement import fit_placement, newest_cancelled, untruncated_sizes, weighted_table
from hft_gym.config import build, to_dict
from hft_gym.errors import ConfigError
from hft_gym.flow import FlowConfig, MetaorderConfig, PlacementConfig
from hft_gym.flow.hawkes import KINDS
from hft_gym.market.config import MarketConfig
from hft_gym.market.tape import TapeKind
from hft_gym.realism import simulate_tape

PLACED = PlacementConfig(
    spreads=(1, 3),
    offsets=(-2, -1, 0, 1, 3),
    weights=((0.0, 0.0, 0.5, 0.4, 0.1), (0.1, 0.3, 0.3, 0.2, 0.1), (0.3, 0.3, 0.2, 0.1, 0.1)),
    limit_factors=(0.7, 1.0, 1.5),
    market_factors=(1.4, 0.8, 0.4),
    cancel_offsets=(0, 2),
    cancel_rates=((0.4, 0.2), (0.6, 0.3), (1.0, 0.1)),
    newest_share=0.0,
)
FLOW = FlowConfig(
    limit_rates=(6.0,),
    market_rate=1.0,
    limit_sizes=(0.6, 0.4),
    limit_lots=(1, 5),
    market_sizes=(1.0,),
    market_lots=(2,),
    market_reach=0,
    placement=PLACED,
)


def market(placement=PLACED, **changes):
    plain = to_dict(FLOW) | changes
    plain["placement"] = to_dict(placement)
    return MarketConfig(flow=build(FlowConfig, plain), initial_price=5_000, warm_up_ns=60 * 10**9, max_orders=4096)


@pytest.fixture(scope="module")
def tape():
    return simulate_tape(market(), 6_000, levels=40, seed=4)


def constant(tape):
    """The excitation of a flow that has none."""
    time, kind = events_of(tape)
    mean = np.array([6.0, 6.0, 6.0, 6.0, 1.0, 1.0])
    nothing = np.zeros((1, 6, 6))
    counts = np.bincount(kind, minlength=len(KINDS))
    # Cancel rates are each order's own: their operational time is time.
    mean[2:4] = counts[2:4] / tape.seconds
    return time, kind, HawkesFit(mean, mean, nothing, nothing, np.ones(1), 0.0, 0.0, counts, tape.seconds)


def test_a_tape_gives_back_what_depends_on_the_spread(tape):
    """Factors and places within 5 % (or 0.02), cancel rates within 10 %: more than four standard errors each."""
    time, kind, fit = constant(tape)
    found = fit_placement(tape, time, kind, event_rows(tape), np.ones(len(time)), fit).config
    assert found.spreads[:2] == (1, 2)  # spreads of 1, and of 2, which is of the second class of two to three
    for c, (limit, market_factor, cancel) in enumerate(((0.7, 1.4, (0.4, 0.2)), (1.0, 0.8, (0.6, 0.3)))):
        assert found.limit_factors[c] == pytest.approx(limit, rel=0.05)
        assert found.market_factors[c] == pytest.approx(market_factor, rel=0.1)
        assert found.cancel_rates[c][0] == pytest.approx(cancel[0], rel=0.1)
        assert found.cancel_rates[c][1] == pytest.approx(cancel[0], rel=0.1)
        assert found.cancel_rates[c][2] == pytest.approx(cancel[1], rel=0.1)
    weight = dict(zip(found.offsets, found.weights[0], strict=True))
    assert weight[0] == pytest.approx(0.5, abs=0.02) and weight[1] + weight[2] == pytest.approx(0.4, abs=0.02)


def test_sizes_are_those_listed(tape):
    limit = tape["quantity"][tape["kind"] == TapeKind.LIMIT]
    assert set(np.unique(limit)) == {1, 5}
    assert (limit == 1).mean() == pytest.approx(0.6, abs=0.01)
    assert tape["quantity"][tape["kind"] == TapeKind.EXECUTE].max() <= 2


def test_orders_stay_on_their_side(tape):
    limit = tape["kind"] == TapeKind.LIMIT
    both = (tape["bid_volume"] > 0) & (tape["ask_volume"] > 0)
    assert (tape["ask"] - tape["bid"])[limit & both].min() >= 1


def test_fleeting_orders():
    """With a share of 1 every cancellation takes the newest order, of the last 16; with 0 hardly one does."""
    for share, low, high in ((1.0, 0.93, 1.0), (0.5, 0.45, 0.65), (0.0, 0.0, 0.2)):
        made = simulate_tape(market(build(PlacementConfig, to_dict(PLACED) | {"newest_share": share})), 600, levels=5)
        gone = np.isin(made["kind"], (TapeKind.CANCEL, TapeKind.REDUCE))
        # What rests since before the tape began is not known to be newest.
        entered = np.isin(made["order_id"], made["order_id"][made["kind"] == TapeKind.LIMIT])
        assert low <= newest_cancelled(made)[gone & entered].mean() <= high, share


def test_sizes_hidden_by_what_was_offered():
    """Sizes 1 to 5 of equal share, offers of 1 to 8: the law comes back though a third of the trades are cut short."""
    rng = np.random.default_rng(0)
    size, touch = rng.integers(1, 6, 40_000), rng.integers(1, 9, 40_000)
    values, mass = untruncated_sizes(np.minimum(size, touch), touch)
    assert values.tolist() == [1, 2, 3, 4, 5]
    assert mass == pytest.approx(np.full(5, 0.2), abs=0.015)
    assert mass.sum() == pytest.approx(1.0)


def test_a_table_of_many_sizes_keeps_their_mean():
    value = np.arange(1, 1_001)
    weight = 1.0 / value
    lots, share = weighted_table(value, weight, 1)
    assert len(lots) == len(share) <= 64 and sum(share) == pytest.approx(1.0)
    assert np.dot(lots, share) == pytest.approx(np.average(value, weights=weight), rel=0.02)
    assert weighted_table([100, 200, 300], [1, 1, 2], 100) == ((1, 2, 3), (0.25, 0.25, 0.5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spreads": (3, 1)}, "must ascend"),
        ({"weights": ((1.0, 1.0),)}, "weights: must hold 3 rows"),
        ({"limit_factors": (1.0,)}, "limit_factors is"),
        ({"market_factors": (0.0, 0.0, 0.0)}, "market_factors is"),
        ({"cancel_offsets": (1, 2)}, "begin at 0"),
        ({"weights": ((0.0,) * 5,) * 3}, "every class needs a positive one"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ConfigError, match=message):
        build(PlacementConfig, to_dict(PLACED) | change)


def test_refusals_of_flows():
    with pytest.raises(ConfigError, match="limit_lots has 2 values; limit_sizes has 1"):
        FlowConfig(limit_lots=(1, 2))
    with pytest.raises(ConfigError, match="metaorders' sizes 3"):
        FlowConfig(market_lots=(1,), metaorders=MetaorderConfig(sizes=(1.0, 1.0, 1.0)))
