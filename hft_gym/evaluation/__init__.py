"""Evaluation: any policy over given seeds on the native batch, with complete logs."""

from hft_gym.evaluation.episodes import FILL_DTYPE, MID_DTYPE, ORDER_DTYPE, Episodes
from hft_gym.evaluation.rollout import Policy, evaluate
from hft_gym.evaluation.seeds import held_out_seeds, training_seeds, validation_seeds

__all__ = [
    "FILL_DTYPE",
    "MID_DTYPE",
    "ORDER_DTYPE",
    "Episodes",
    "Policy",
    "evaluate",
    "held_out_seeds",
    "training_seeds",
    "validation_seeds",
]
