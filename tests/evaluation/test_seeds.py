import pytest

from hft_gym.errors import ConfigError
from hft_gym.evaluation import held_out_seeds, training_seeds, validation_seeds
from hft_gym.evaluation.seeds import purpose


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
