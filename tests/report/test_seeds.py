"""Learners with several training seeds."""

import numpy as np
import pytest

from hft_gym.errors import ConfigError
from hft_gym.report import Bootstrap, across_seeds, compare, interquartile_mean
from tests.report.examples import from_final_pnl

FEW = Bootstrap(1000)


def market(best, runs):
    """A comparison in which the best baseline makes *best* an episode and the runs what is said."""
    played = [from_final_pnl("do-nothing", [0.0] * 4), from_final_pnl("maker", [best] * 4)]
    played += [from_final_pnl(name, [value] * 4) for name, value in runs.items()]
    return compare(played, list(runs), FEW)


ONE = market(2.0, {"a0": 1.0, "a1": 3.0, "a2": 4.0, "b0": 1.0, "b1": 1.0})
TWO = market(10.0, {"a0": 20.0, "a1": 5.0, "a2": 12.0, "b0": 10.0, "b1": 5.0})


def test_scores_are_in_units_of_the_best_baseline():
    found = across_seeds([ONE, TWO], {"a": ["a0", "a1", "a2"], "b": ["b0", "b1"]}, FEW)
    np.testing.assert_allclose(found["a"].scores, [[0.5, 2.0], [1.5, 0.5], [2.0, 1.2]])
    assert found["a"].iqm.value == pytest.approx(interquartile_mean([0.5, 2.0, 1.5, 0.5, 2.0, 1.2]))
    assert found["a"].mean.value == pytest.approx(7.7 / 6)
    assert found["a"].improvement.value == pytest.approx(4 / 6)
    assert found["a"].optimality_gap.value == pytest.approx((0.5 + 0.5) / 6)
    assert found["a"].iqm.low < found["a"].iqm.value < found["a"].iqm.high
    assert found["b"].improvement.value == pytest.approx((0 + 0.5 + 0 + 0) / 4)  # 0.5, 1, 0.5, 0.5; a tie is a half
    assert found["a"].profile[1.0] == pytest.approx(4 / 6) and found["a"].profile[2.0] == 0.0
    single = across_seeds(ONE, {"a": ["a0", "a1"]}, FEW)["a"]
    np.testing.assert_allclose(single.scores, [[0.5], [1.5]])


def test_one_run_has_no_interval():
    assert np.isnan(across_seeds(ONE, {"a": ["a0"]}, FEW)["a"].iqm.low)


def test_refused():
    with pytest.raises(ConfigError, match="no run 'ao' in a comparison"):
        across_seeds(ONE, {"a": ["ao"]})
    with pytest.raises(ConfigError, match="learner 'a' has no runs"):
        across_seeds(ONE, {"a": []})
    with pytest.raises(ConfigError, match="at least one comparison"):
        across_seeds([], {"a": ["a0"]})
    with pytest.raises(ConfigError, match=r"the best baseline, do-nothing, makes \+0.00"):
        across_seeds(market(-1.0, {"a0": 1.0}), {"a": ["a0"]})
