"""Everything that training needs to go on after an interruption, in one file."""

from __future__ import annotations

import io
import pickle
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agents.files import read_parts, write_parts
from hft_gym.errors import CheckpointError
from hft_gym.extras import needing_extras

with needing_extras():
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.logger import Logger
    from stable_baselines3.common.vec_env import VecNormalize

__all__ = ["load_checkpoint", "save_checkpoint"]

KIND, VERSION = "training checkpoint", 1
_PENDING = ("name_to_value", "name_to_count", "name_to_excluded")
"""What a logger has been told and not yet written."""


def save_checkpoint(path: Path, model: PPO, progress: Mapping[str, Any], extra: Any = None) -> None:
    """Write model, optimiser, environments, normalisation, random streams, ``progress`` (JSON-able) and ``extra``.

    Call it between two rollouts: what lies in the rollout buffer is not kept.
    """
    normalise = model.get_vec_normalize_env()
    if normalise is None:
        raise CheckpointError("a checkpoint needs a model trained through VecNormalize")
    buffer = io.BytesIO()
    model.save(buffer)
    state = {
        "normalise": normalise,
        "returns": normalise.returns,  # which VecNormalize leaves out of its pickles
        "env": normalise.venv,
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state(),  # noqa: NPY002  (Stable-Baselines3 shuffles minibatches with it)
        "python": random.getstate(),
        "extra": extra,
        "logged": [dict(getattr(model.logger, name)) for name in _PENDING],
    }
    parts = {"model.zip": buffer.getvalue(), "state.pkl": pickle.dumps(state, pickle.HIGHEST_PROTOCOL)}
    write_parts(path, KIND, VERSION, {"progress": dict(progress)}, parts)


def load_checkpoint(path: Path, logger: Callable[[int], Logger]) -> tuple[PPO, dict[str, Any], Any]:
    """The model with its environment as `save_checkpoint` found them, the progress and the extra.

    The random streams of torch, NumPy and Python are set, and the model logs to what ``logger`` makes for the
    steps made so far.

    Raises:
        CheckpointError: no such file, damaged, or written by code that has changed since.
    """
    head, parts = read_parts(path, KIND, VERSION)
    try:
        state = pickle.loads(parts["state.pkl"])
        normalise: VecNormalize = state["normalise"]
        normalise.set_venv(state["env"])
        normalise.returns = state["returns"]
        model = PPO.load(io.BytesIO(parts["model.zip"]), env=normalise, device="cpu", force_reset=False)
    except Exception as error:  # whatever other versions of the libraries or of the market make of it
        raise CheckpointError(
            f"{path}: cannot be continued by this version: {type(error).__name__}: {error}"
        ) from error
    torch.set_rng_state(state["torch"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    random.setstate(state["python"])
    model.set_logger(logger(model.num_timesteps))
    for name, values in zip(_PENDING, state["logged"], strict=True):
        getattr(model.logger, name).update(values)
    return model, head["progress"], state["extra"]
