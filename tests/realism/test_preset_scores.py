"""A quick look at the calibrated presets: nearer to unseen data of their stock than half of plain Poisson flow."""

import pytest

from hft_gym.flow.presets import preset_lot, preset_settings
from hft_gym.realism import fit_cst, in_shares, lob_bench, read_tape, simulate_tape
from hft_gym.realism.command import lot_of
from hft_gym.realism.tapes import split
from tests.data_files import shared_lobster


def test_settings_and_lots_of_presets():
    assert preset_lot("large-tick") == lot_of("large_tick") == 100 and preset_lot("default") == 1
    assert lot_of("market.toml") == 1 and preset_settings("default") == {}


def test_small_tick_is_near_hours_it_has_not_seen():
    seen, unseen = split(read_tape(shared_lobster("AMZN", 5)), 2)
    fit = fit_cst(seen)
    made = in_shares(simulate_tape("small-tick", unseen.seconds, levels=5, seed=11), lot_of("small-tick"))
    plain = in_shares(simulate_tape(fit.market(), unseen.seconds, levels=5, seed=11), fit.lot)
    ours, theirs, real = (lob_bench(unseen, tape, draws=2).summary for tape in (made, plain, seen))
    for metric in ("l1", "wasserstein"):
        assert ours[metric]["mean"][0] < 0.5 * theirs[metric]["mean"][0], metric
        assert ours[metric]["mean"][0] < 2.0 * real[metric]["mean"][0], metric
    # The control: half of CST's distance is not what any market has.
    default = lob_bench(unseen, simulate_tape("poisson", unseen.seconds / 5, levels=5), draws=2).summary
    assert default["l1"]["mean"][0] > 0.5 * theirs["l1"]["mean"][0]
    assert preset_lot("small-tick") == pytest.approx(1)
