import numpy as np
import pytest

from hft_gym.errors import ConfigError
from hft_gym.evaluation import evaluate, held_out_seeds, training_seeds, validation_seeds
from hft_gym.evaluation.seeds import purpose, whole_seeds


def test_disjoint_blocks():
    blocks = [set(f(1000, 5).tolist()) for f in (training_seeds, validation_seeds, held_out_seeds)]
    assert sum(map(len, blocks)) == len(set.union(*blocks)) == 3000
    assert training_seeds(1_000_000).max() < 1_000_000
    assert held_out_seeds(1)[0] == 1_000_000_000
    assert [purpose(int(f(1)[0])) for f in (training_seeds, validation_seeds, held_out_seeds)] == [
        "training",
        "validation",
        "held-out",
    ]
    assert purpose(2_000_000) == purpose(-1) == "other"


def test_a_block_is_not_left():
    with pytest.raises(ConfigError, match="at most 1,000,000"):
        training_seeds(2, 999_999)
    with pytest.raises(ConfigError, match="count 0"):
        held_out_seeds(0)


@pytest.mark.parametrize("wrong", [[1.5], [1.0], [1, True, 2.5], np.array([0.0, 1.7]), ["1"], [None], [2**63], [True]])
def test_seeds_that_are_no_whole_numbers_are_refused(wrong):
    """Cut off they would be the seed of another market."""
    with pytest.raises(ConfigError, match="seeds: expected whole numbers below 2\\^63, got "):
        whole_seeds(wrong)
    with pytest.raises(ConfigError, match="seeds: expected whole numbers"):
        evaluate(None, seeds=wrong)


def test_whole_seeds_of_any_kind_pass():
    for given in ([3, 2**62], (3, 2**62), np.array([3, 2**62], np.uint64), [np.int32(3), 2**62]):
        found = whole_seeds(given)
        assert found.dtype == np.int64 and found.tolist() == [3, 2**62]
