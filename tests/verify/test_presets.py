"""The calibrated presets against the part of their own stock's morning that they were not fitted to."""

import pytest

from hft_gym.realism import read_tape, scorecard
from hft_gym.realism.command import lot_of
from tests.data_files import shared_data

pytestmark = pytest.mark.verify

FILES = {
    "small-tick": "lobster/AMZN_2012-06-21_34200000_45000000_message_5.csv.gz",
    "large-tick": "lobster/MSFT_2012-06-21_34200000_36000000_message_50.csv.gz",
}
UNSEEN, FITTED = 1, 0


@pytest.fixture(scope="module", params=sorted(FILES))
def ratios(request):
    """Of a preset: on the unseen part, and on the fitted one."""
    data = read_tape(shared_data(FILES[request.param]))
    market, lot = request.param, lot_of(request.param)
    cards = [scorecard(market, data, part=p, fitted=FITTED, lot=lot, impact=False, seed=3) for p in (UNSEEN, FITTED)]
    return request.param, [card.ratios() for card in cards]


@pytest.mark.parametrize("metric", ["l1", "wasserstein"])
def test_scores(ratios, metric, verified):
    """At most half of CST's distance and twice that of real data.

    Not so against CST on MSFT's other quarter of an hour, in which depth doubled: the real quarter that the preset was
    fitted to is itself at more than half of CST's distance from it, which is what is checked instead.
    """
    name, (unseen, fitted) = ratios
    where = f"{name}, {metric} on"
    verified(f"{where} unseen data over real data's", 1.0, unseen[metric]["over_real"], within=1.0)
    if name == "large-tick":
        real = unseen[metric]["over_cst"] / unseen[metric]["over_real"]
        verified(f"{where} unseen data, of real data, over CST's: beyond 0.5", 0.0, real, at_least=0.5)
    else:
        verified(f"{where} unseen data over CST's", 0.25, unseen[metric]["over_cst"], within=0.25)
    verified(f"{where} fitted data over CST's", 0.25, fitted[metric]["over_cst"], within=0.25)


def test_the_control_fails(verified):
    """The hand-made Poisson preset is not near AMZN."""
    data = read_tape(shared_data(FILES["small-tick"]))
    found = scorecard("poisson", data, part=UNSEEN, fitted=FITTED, impact=False).ratios()["l1"]
    verified("control poisson on AMZN, l1 over real data's", 1.0, found["over_real"], at_least=1.0)
