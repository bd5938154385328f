"""Market makers for ``HFTModel-v0``: the closed forms with the model's own parameters.

They look at two columns, ``inventory`` and ``time_left``, and answer with two depths. The parameters are taken from the
environment's configuration, because these strategies exist to check the environment, and agents in it, against theory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from baselines.closed_forms import CarteaJaimungal, Glft, avellaneda_stoikov
from hft_gym.config import setting, validate
from hft_gym.errors import ConfigError

__all__ = ["AvellanedaStoikovMaker", "CarteaJaimungalMaker", "GlftMaker", "ModelMaker", "SymmetricMaker"]

Floats = npt.NDArray[np.float64]


class ModelMaker(ABC):
    """Base of the makers in the model: subclasses say at which depths they quote.

    Attributes:
        name: what reports call it.
    """

    name: ClassVar[str] = ""

    @abstractmethod
    def depths(self, inventory: Floats, time_left: Floats) -> tuple[Floats, Floats]:
        """Depths of bid and ask for N markets, shape (N,) each; infinity for no quote.

        Args:
            inventory: (N,) lots.
            time_left: (N,) until the horizon.
        """

    @classmethod
    @abstractmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The parameters of an environment's model."""

    def bind(self, env: Any) -> ModelMaker:
        """Learn the columns and the actions of an environment (single or vector); returns itself.

        Raises:
            ConfigError: not a model environment.
        """
        core = getattr(env, "unwrapped", env)
        if not is_model(core):
            raise ConfigError(f"cannot bind to {type(core).__name__}: its actions are no depths; give HFTModel-v0")
        schema = core.observation_schema
        self._columns = (schema.index("inventory"), schema.index("time_left"))
        self._width, self._actions, self._horizon = len(schema), core.action_schema, float(core.config.horizon)
        return self

    def predict(
        self,
        observation: npt.NDArray[Any],
        state: npt.NDArray[Any] | None = None,
        episode_start: npt.NDArray[Any] | None = None,
        deterministic: bool = True,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
        """Actions for raw observations, in the encoding of the bound environment.

        Args:
            observation: (C,) or (N, C), as the environment gives it.
            state: ignored: these makers remember nothing.
            episode_start: ignored.
            deterministic: ignored: they are deterministic.

        Returns:
            An action, or N of them, and an empty state of shape (N, 0).

        Raises:
            ConfigError: not bound, or a wrong number of columns.
        """
        if not hasattr(self, "_actions"):
            raise ConfigError(f"{type(self).__name__} knows no environment yet: call bind(env) before predict")
        rows = np.atleast_2d(observation)
        if rows.ndim != 2 or rows.shape[1] != self._width:
            shape = np.shape(observation)
            raise ConfigError(f"observation: shape {shape}, expected ({self._width},) or (N, {self._width})")
        inventory, share = rows[:, self._columns].astype(np.float64).T
        actions = self._actions.encode(*self.depths(inventory, share * self._horizon))
        return (actions if np.ndim(observation) == 2 else actions[0]), np.zeros((len(rows), 0))


def is_model(env: Any) -> bool:
    """Whether an environment's actions are depths."""
    return hasattr(getattr(env, "config", None), "max_depth")


@dataclass
class AvellanedaStoikovMaker(ModelMaker):
    """Half of Avellaneda and Stoikov's spread on each side of their reservation price (2008).

    Args:
        gamma: risk aversion [1 / price].
        sigma: volatility of the mid.
        k: decay of the fill rate with depth.
    """

    name: ClassVar[str] = "avellaneda-stoikov"

    gamma: float = setting(0.1, low=0.0)
    _: KW_ONLY
    sigma: float = setting(2.0, low=0.0)
    k: float = setting(1.5, above=0.0)

    def __post_init__(self) -> None:
        validate(self)

    def depths(self, inventory: Floats, time_left: Floats) -> tuple[Floats, Floats]:
        """See the class."""
        return avellaneda_stoikov.depths(inventory, time_left, self.gamma, self.sigma, self.k)

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The model's volatility and decay."""
        return {"sigma": env.config.sigma, "k": env.config.k}


@dataclass
class SymmetricMaker(ModelMaker):
    """Avellaneda and Stoikov's benchmark (2008): their spread, averaged over time, around the mid.

    Args:
        gamma: risk aversion that the spread is taken from [1 / price].
        sigma: volatility of the mid.
        k: decay of the fill rate with depth.
        horizon: T.
    """

    name: ClassVar[str] = "symmetric"

    gamma: float = setting(0.1, low=0.0)
    _: KW_ONLY
    sigma: float = setting(2.0, low=0.0)
    k: float = setting(1.5, above=0.0)
    horizon: float = setting(1.0, above=0.0)

    def __post_init__(self) -> None:
        validate(self)

    def depths(self, inventory: Floats, time_left: Floats) -> tuple[Floats, Floats]:
        """See the class."""
        depth = avellaneda_stoikov.symmetric_depth(self.gamma, self.sigma, self.k, self.horizon)
        both = np.full(len(inventory), float(depth))
        return both, both

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The model's volatility, decay and horizon."""
        return {"sigma": env.config.sigma, "k": env.config.k, "horizon": env.config.horizon}


def _market(env: Any, most: int) -> dict[str, Any]:
    """Parameters that both exact solutions have, from the model; the limit is at most *most* lots."""
    config = env.config
    return {
        "arrival_rate": config.arrival_rate,
        "k": config.k,
        "horizon": config.horizon,
        "limit": min(config.max_inventory, most),
    }


@dataclass
class GlftMaker(ModelMaker):
    """The exact quotes of Guéant, Lehalle and Fernandez-Tapia (2013) for exponential utility, or their asymptotic ones.

    Args:
        gamma: risk aversion [1 / price].
        exact: the solution up to the horizon; False: the asymptotic formula, the same at all times.
        sigma: volatility of the mid.
        arrival_rate: A, market orders a side at depth 0.
        k: decay of the fill rate with depth.
        horizon: T.
        limit: largest absolute inventory; no quote beyond it [lots].
        drift: of the mid.
        adverse_selection: xi, move of the mid against each fill.
    """

    name: ClassVar[str] = "glft"

    gamma: float = setting(0.1, above=0.0)
    exact: bool = True
    _: KW_ONLY
    sigma: float = setting(2.0, above=0.0)
    arrival_rate: float = setting(140.0, above=0.0)
    k: float = setting(1.5, above=0.0)
    horizon: float = setting(1.0, above=0.0)
    limit: int = setting(30, low=1)
    drift: float = 0.0
    adverse_selection: float = 0.0

    def __post_init__(self) -> None:
        validate(self)

    @cached_property
    def solution(self) -> Glft:
        """The solution of the system."""
        return Glft(
            self.sigma, self.arrival_rate, self.k, self.gamma, self.horizon, self.limit, self.drift,
            self.adverse_selection,
        )  # fmt: skip

    def depths(self, inventory: Floats, time_left: Floats) -> tuple[Floats, Floats]:
        """See the class; beyond the limit only the closing side quotes, as at it."""
        held = np.clip(inventory, -self.limit, self.limit)
        if self.exact:
            return self.solution.depths(held, time_left)
        bid, ask = self.solution.asymptotic_depths(held)
        return np.where(held >= self.limit, np.inf, bid), np.where(held <= -self.limit, np.inf, ask)

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The model's parameters; at most 30 lots."""
        config = env.config
        more = {"sigma": config.sigma, "drift": config.drift, "adverse_selection": config.adverse_selection}
        return {**_market(env, 30), **more}


@dataclass
class CarteaJaimungalMaker(ModelMaker):
    """The optimal quotes of Cartea and Jaimungal under a running and a terminal inventory penalty (2015, chapter 10).

    Args:
        running: phi, penalty per time and squared lot.
        terminal: alpha, penalty per squared lot at the horizon.
        arrival_rate: market orders a side at depth 0.
        k: decay of the fill rate with depth.
        horizon: T.
        limit: largest absolute inventory; no quote beyond it [lots].
    """

    name: ClassVar[str] = "cartea-jaimungal"

    running: float = setting(0.0, low=0.0)
    terminal: float = setting(0.0, low=0.0)
    _: KW_ONLY
    arrival_rate: float = setting(140.0, above=0.0)
    k: float = setting(1.5, above=0.0)
    horizon: float = setting(1.0, above=0.0)
    limit: int = setting(50, low=1)

    def __post_init__(self) -> None:
        validate(self)

    @cached_property
    def solution(self) -> CarteaJaimungal:
        """The solution of the system."""
        return CarteaJaimungal(self.arrival_rate, self.k, self.running, self.terminal, self.horizon, self.limit)

    def depths(self, inventory: Floats, time_left: Floats) -> tuple[Floats, Floats]:
        """See the class; beyond the limit only the closing side quotes, as at it."""
        return self.solution.depths(np.clip(inventory, -self.limit, self.limit), time_left)

    @classmethod
    def defaults(cls, env: Any) -> dict[str, Any]:
        """The model's parameters and the penalties of its reward; at most 50 lots."""
        reward = env.config.reward
        return {**_market(env, 50), "running": reward.inventory, "terminal": reward.terminal}
