"""Trained agents as files: a model of Stable-Baselines3, its normalisation, and what it was trained on."""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata as installed
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.files import read_parts, write_parts
from hft_gym.config import did_you_mean, to_dict
from hft_gym.errors import CheckpointError, ConfigError
from hft_gym.extras import needing_extras

with needing_extras():
    import torch
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.vec_env import VecEnv, VecNormalize

__all__ = ["Agent", "Normalisation", "load", "save"]

KIND, VERSION = "agent", 1
_LIBRARIES = ("stable_baselines3", "sb3_contrib")
_ALGORITHMS = (
    *("PPO", "A2C", "DQN", "SAC", "TD3", "DDPG"),
    *("MaskablePPO", "RecurrentPPO", "TRPO", "QRDQN", "TQC", "ARS", "CrossQ"),
)

Array = NDArray[Any]


@dataclass(frozen=True)
class Normalisation:
    """The statistics of a ``VecNormalize``: what turns raw observations into what the model has learnt on.

    Attributes:
        mean, var: (C,) float64, of the observations.
        count: how many observations they are of.
        return_mean, return_var, return_count: of the discounted returns.
        clip_obs, clip_reward, epsilon, gamma: settings.
        norm_obs, norm_reward: which of the two is done at all.
    """

    mean: NDArray[np.float64]
    var: NDArray[np.float64]
    count: float
    return_mean: float
    return_var: float
    return_count: float
    clip_obs: float
    clip_reward: float
    epsilon: float
    gamma: float
    norm_obs: bool
    norm_reward: bool

    @classmethod
    def of(cls, env: VecNormalize) -> Normalisation:
        """A copy of what ``env`` has now."""
        columns = env.observation_space.shape or ()
        mean, var, count = np.zeros(columns), np.ones(columns), 0.0
        if env.norm_obs:
            mean, var, count = env.obs_rms.mean.copy(), env.obs_rms.var.copy(), float(env.obs_rms.count)
        returns = env.ret_rms
        return cls(
            mean,
            var,
            count,
            float(returns.mean),
            float(returns.var),
            float(returns.count),
            env.clip_obs,
            env.clip_reward,
            env.epsilon,
            env.gamma,
            env.norm_obs,
            env.norm_reward,
        )

    def __call__(self, observation: Array) -> NDArray[np.float32]:
        """(C,) or (N, C) raw observations as the model wants them: bit for bit ``VecNormalize``'s."""
        if not self.norm_obs:
            return observation.astype(np.float32)
        scaled = (observation - self.mean) / np.sqrt(self.var + self.epsilon)
        return np.clip(scaled, -self.clip_obs, self.clip_obs).astype(np.float32)

    def wrap(self, env: VecEnv, training: bool = False) -> VecNormalize:
        """``env`` in a ``VecNormalize`` with these statistics; frozen unless ``training``."""
        wrapped = VecNormalize(
            env,
            training=training,
            norm_obs=self.norm_obs,
            norm_reward=self.norm_reward,
            clip_obs=self.clip_obs,
            clip_reward=self.clip_reward,
            gamma=self.gamma,
            epsilon=self.epsilon,
        )
        if self.norm_obs:
            wrapped.obs_rms.mean, wrapped.obs_rms.var = self.mean.copy(), self.var.copy()
            wrapped.obs_rms.count = self.count
        wrapped.ret_rms.mean, wrapped.ret_rms.var = np.float64(self.return_mean), np.float64(self.return_var)
        wrapped.ret_rms.count = self.return_count
        return wrapped


@dataclass
class Agent:
    """A trained model that takes raw observations, single or batched; with memory where the model has one.

    Attributes:
        name: what reports call it.
        algorithm: name of the model's class, for example ``"PPO"``.
        model: the model of Stable-Baselines3.
        normalisation: None if it was trained on raw observations.
        columns: names of the observation's columns, in order.
        action: encoding of the actions.
        config: the environment it was trained in, as plain data (see ``hft_gym.config.build``).
        metadata: what was given to `save`, and the versions that saved it.
        seed: of the stochastic actions: after `bind` the same observations give the same actions again.
        draws: whether actions are drawn even where deterministic ones are asked for; see `stochastic`.
    """

    name: str
    algorithm: str
    model: BaseAlgorithm
    normalisation: Normalisation | None
    columns: tuple[str, ...]
    action: str
    config: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    draws: bool = False

    def __post_init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._random = torch.Generator().manual_seed(self.seed).get_state()

    def stochastic(self) -> Agent:
        """A twin over the same model that always draws its actions, to be compared with this one."""
        return replace(self, draws=True)

    def bind(self, env: Any) -> Agent:
        """Check that the agent fits an environment (single, vector or ``VecEnv``).

        Its random stream begins anew.

        Raises:
            CheckpointError: it was trained on other observations or actions; the message says where they
                differ.
        """
        core = env if hasattr(env, "observation_schema") else getattr(env, "unwrapped", env)
        schema, actions = getattr(core, "observation_schema", None), getattr(core, "action_schema", None)
        if schema is None or actions is None:
            raise CheckpointError(
                f"{self.name}: cannot check {type(env).__name__}: it has no observation_schema and "
                "action_schema; give an HFTMarket environment"
            )
        _check_columns(self.name, self.columns, tuple(schema.names))
        if actions.kind != self.action:
            raise CheckpointError(
                f"{self.name}: trained with action={self.action!r}, the environment has {actions.kind!r}"
            )
        ladder = self.config.get("ladder") if core.config.has_ladder else None
        if ladder is not None and ladder != to_dict(core.config.ladder):
            raise CheckpointError(f"{self.name}: trained with the ladder {ladder}, not {to_dict(core.config.ladder)}")
        self._restart()
        return self

    def predict(
        self,
        observation: Array,
        state: Any = None,
        episode_start: Array | None = None,
        deterministic: bool = True,
    ) -> tuple[Array, Any]:
        """Actions for raw observations, as the environment gives them.

        Args:
            observation: float32 (C,) or (N, C).
            state: what the last call returned; None at the start. Only recurrent models have one.
            episode_start: bool (N,), where an episode begins with this observation.
            deterministic: the most likely action instead of a drawn one. Drawn ones come from the agent's own
                stream and leave torch's alone.

        Returns:
            An action, or N of them, and the state to hand back.

        Raises:
            ConfigError: a wrong number of columns.
        """
        raw = np.asarray(observation)
        if raw.ndim not in (1, 2) or raw.shape[-1] != len(self.columns):
            n = len(self.columns)
            raise ConfigError(f"observation: shape {raw.shape}, expected ({n},) or (N, {n})")
        if self.normalisation is not None:
            raw = self.normalisation(raw)
        if deterministic and not self.draws:
            return self.model.predict(raw, state, episode_start, True)
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._random)
            result = self.model.predict(raw, state, episode_start, False)
            self._random = torch.get_rng_state()
        return result


def save(
    path: str | Path,
    model: BaseAlgorithm,
    vecnormalize: VecNormalize | None = None,
    metadata: Mapping[str, Any] | None = None,
    *,
    env: Any = None,
) -> Path:
    """Write a trained model with its normalisation into one file. It appears whole or not at all.

    Args:
        path: of the file; its folder is made where missing.
        model: of Stable-Baselines3 or sb3-contrib, trained in an HFTMarket environment.
        vecnormalize: the wrapper it was trained through; None: the model's own, if it has one.
        metadata: JSON-able; ``name`` is what reports call the agent (default: the file's name).
        env: the environment it was trained in; None: the model's own.

    Returns:
        The path.

    Raises:
        ConfigError: there is no environment to tell the columns and actions from.
    """
    path = Path(path)
    normalise = vecnormalize if vecnormalize is not None else model.get_vec_normalize_env()
    trained_in = next((e for e in (env, normalise, model.get_env()) if e is not None), None)
    if trained_in is None:
        raise ConfigError("save: the model has no environment; give the one it was trained in as env=")
    schema, actions, config = (
        _attribute(trained_in, n) for n in ("observation_schema", "action_schema", "config")
    )
    buffer = io.BytesIO()
    model.save(buffer)
    parts = {"model.zip": buffer.getvalue()}
    if normalise is not None:
        parts["normalisation.npz"] = _pack(Normalisation.of(normalise))
    head = {
        "algorithm": type(model).__name__,
        "columns": list(schema.names),
        "action": actions.kind,
        "config": to_dict(config),
        "metadata": {**dict(metadata or {}), "versions": _versions()},
    }
    write_parts(path, KIND, VERSION, head, parts)
    return path


def load(
    path: str | Path, *, env: Any = None, device: str = "cpu", seed: int = 0, name: str | None = None
) -> Agent:
    """Read an agent. The file is checked against its checksums before anything in it is run.

    A model file can hold code, as a pickle can: load only what you trust.

    Args:
        path: what `save` wrote, or the folder of a run of ``train.ppo``, whose best agent is then meant.
        env: an environment to `Agent.bind` it to; None: later, or never.
        device: of torch.
        seed: of the stochastic actions.
        name: what reports call it; default: the saved name, or the file's.

    Raises:
        CheckpointError: not such a file, damaged, of an unknown algorithm, or not fitting ``env``.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "agent.zip"
    head, parts = read_parts(path, KIND, VERSION)
    algorithm = head.get("algorithm")
    cls = _algorithm(path, algorithm)
    try:
        model = cls.load(io.BytesIO(parts["model.zip"]), device=device)
        normalisation = _unpack(parts["normalisation.npz"]) if "normalisation.npz" in parts else None
        columns, action = tuple(head["columns"]), str(head["action"])
    except Exception as error:  # whatever a foreign version of a library makes of it
        versions = head.get("metadata", {}).get("versions", {})
        raise CheckpointError(
            f"{path}: the model cannot be restored: {type(error).__name__}: {error} "
            f"(saved with {versions}, here {_versions()})"
        ) from error
    space = model.observation_space.shape
    if space != (len(columns),) or (normalisation is not None and normalisation.mean.shape != space):
        raise CheckpointError(
            f"{path}: the model takes {space} observations, but {len(columns)} columns are saved with it"
        )
    saved = head.get("metadata", {})
    agent = Agent(
        str(name or saved.get("name") or path.stem),
        str(algorithm),
        model,
        normalisation,
        columns,
        action,
        head.get("config", {}),
        saved,
        seed,
    )
    return agent if env is None else agent.bind(env)


def _attribute(env: Any, name: str) -> Any:
    found = (
        env.get_attr(name)[0] if isinstance(env, VecEnv) else getattr(getattr(env, "unwrapped", env), name)
    )
    return found


def _algorithm(path: Path, name: Any) -> type[BaseAlgorithm]:
    for library in _LIBRARIES:
        try:
            module = importlib.import_module(library)
        except ModuleNotFoundError:
            continue
        found = getattr(module, str(name), None)
        if isinstance(found, type) and issubclass(found, BaseAlgorithm):
            return found
    hint = did_you_mean(str(name), list(_ALGORITHMS))
    raise CheckpointError(
        f"{path}: unknown algorithm {name!r}; known are those of {' and '.join(_LIBRARIES)}{hint}"
    )


def _check_columns(name: str, mine: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    if mine == theirs:
        return
    if len(mine) != len(theirs):
        what = f"{len(mine)} columns, the environment has {len(theirs)} (is levels= another?)"
    else:
        i = next(k for k, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
        what = f"column {i} {mine[i]!r}, which is {theirs[i]!r} in the environment"
    raise CheckpointError(f"{name}: trained on observations with {what}")


def _versions() -> dict[str, str]:
    found = {}
    for name in ("hft_gym", "stable_baselines3", "sb3_contrib", "torch", "numpy"):
        try:
            found[name] = installed.version(name)
        except installed.PackageNotFoundError:
            continue
    return found


def _pack(normalisation: Normalisation) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(value) for name, value in vars(normalisation).items()})
    return buffer.getvalue()


def _unpack(data: bytes) -> Normalisation:
    with np.load(io.BytesIO(data), allow_pickle=False) as saved:
        values = {k: (saved[k] if saved[k].ndim else saved[k].item()) for k in saved.files}
    return Normalisation(**values)
