"""`MirrorPolicy`: a policy that knows that buying and selling are mirror images.

A market turned upside down (bids for asks, long for short) is as likely as the market itself. A policy that
treats both alike learns from every sample twice, and cannot mistake the drift of a few episodes for a
direction. It takes raw observations: fixed logarithms make columns of any scale comparable.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from hft_gym.envs.actions import QUOTE_OPTIONS, TAKE_OPTIONS
from hft_gym.envs.schema import ObservationSchema
from hft_gym.errors import ConfigError
from hft_gym.extras import needing_extras

with needing_extras():
    import torch
    from stable_baselines3.common.policies import ActorCriticPolicy
    from torch import nn

__all__ = ["MirrorPolicy", "mirror"]

_SWAPS = {"bid": "ask", "ask": "bid", "buy": "sell", "sell": "buy", "bought": "sold", "sold": "bought"}
_ODD = re.compile(r".*offset.*|imbalance|mid_change|inventory|quantity_left")
"""Columns whose sign turns over with the market."""
_Q = len(QUOTE_OPTIONS)


def mirror(schema: ObservationSchema) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The observation of the market turned upside down is ``observation[..., columns] * signs``.

    >>> schema = ObservationSchema(levels=1)
    >>> columns, signs = mirror(schema)
    >>> i = schema.index("bid_offset_1")
    >>> schema.names[columns[i]], float(signs[i])
    ('ask_offset_1', -1.0)
    """
    columns, signs = [], []
    for name in schema.names:
        columns.append(schema.index("_".join(_SWAPS.get(word, word) for word in name.split("_"))))
        signs.append(-1.0 if _ODD.fullmatch(name) else 1.0)
    return np.array(columns, np.int64), np.array(signs, np.float32)


def schema_of(space: spaces.Space[Any]) -> ObservationSchema | None:
    """The columns of an observation space, told by its length and bounds; None for no market's."""
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        return None
    for execution in (False, True):
        book = space.shape[0] - len(ObservationSchema(1, execution=execution)) + 4
        if book >= 4 and book % 4 == 0:
            schema = ObservationSchema(book // 4, execution=execution)
            if np.array_equal(schema.low, space.low) and np.array_equal(schema.high, space.high):
                return schema
    return None


class MirrorPolicy(ActorCriticPolicy):
    """Actor and critic on one network that sees the market both ways up.

    One network f looks at the observation x and at its mirror image m(x). The bid's logits are q(f(x)), the
    ask's q(f(m(x))); buying is b(f(x)), selling b(f(m(x))), not taking n(f(x)) + n(f(m(x))); the value is
    the mean of v(f(x)) and v(f(m(x))).

    Args:
        observation_space: of HFTMarket or HFTExecution, raw.
        action_space: ``MultiDiscrete([8, 8, 3])``.
        lr_schedule: of Stable-Baselines3.
        net_arch: hidden layers.
        **rest: of ``ActorCriticPolicy``.

    Raises:
        ConfigError: spaces of something else.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Any,
        net_arch: Sequence[int] = (64, 64),
        **rest: Any,
    ) -> None:
        schema = schema_of(observation_space)
        if schema is None:
            raise ConfigError(f"MirrorPolicy takes observations of HFTMarket, got {observation_space}")
        wanted = spaces.MultiDiscrete([_Q, _Q, len(TAKE_OPTIONS)])
        if action_space != wanted:
            raise ConfigError(f"MirrorPolicy takes {wanted} (action='multi_discrete'), got {action_space}")
        self._schema = schema
        super().__init__(observation_space, action_space, lr_schedule, net_arch=list(net_arch), **rest)

    def _build(self, lr_schedule: Any) -> None:
        columns, signs = mirror(self._schema)
        self.register_buffer("_columns", torch.as_tensor(columns), persistent=False)
        self.register_buffer("_signs", torch.as_tensor(signs), persistent=False)
        layers: list[nn.Module] = []
        width = len(columns)
        for size in self.net_arch:
            layers += [nn.Linear(width, size), self.activation_fn()]
            width = size
        self.trunk = nn.Sequential(*layers)
        self.quote_net = nn.Linear(width, _Q)
        self.take_net = nn.Linear(width, 2)  # not taking, buying
        self.value_net = nn.Linear(width, 1)
        gains = ((self.trunk, 2.0**0.5), (self.quote_net, 0.01), (self.take_net, 0.01), (self.value_net, 1.0))
        for module, gain in gains:
            for layer in module.modules():
                self.init_weights(layer, gain)
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)

    def _look(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits of bid (B, 8), ask (B, 8) and take (B, 3), and values (B, 1)."""
        n = obs.shape[0]
        x = torch.sign(obs) * torch.log1p(torch.abs(obs))
        latent = self.trunk(torch.cat([x, x[:, self._columns] * self._signs]))
        quotes, takes, values = self.quote_net(latent), self.take_net(latent), self.value_net(latent)
        none = takes[:n, :1] + takes[n:, :1]
        take = torch.cat([none, takes[:n, 1:], takes[n:, 1:]], dim=1)
        return quotes[:n], quotes[n:], take, 0.5 * (values[:n] + values[n:])

    def forward(
        self, obs: torch.Tensor, deterministic: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Actions (B, 3), values (B, 1) and log-probabilities (B,)."""
        *heads, values = self._look(obs)
        actions = torch.stack([_choose(h, deterministic) for h in heads], dim=1)
        return actions, values, _log_prob([h.log_softmax(1) for h in heads], actions)

    def evaluate_actions(
        self, obs: torch.Tensor, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values (B, 1), log-probabilities (B,) of given actions, and entropies (B,)."""
        *heads, values = self._look(obs)
        logs = [h.log_softmax(1) for h in heads]
        entropy = -sum((p.exp() * p).sum(1) for p in logs)
        return values, _log_prob(logs, actions.long()), entropy

    def get_distribution(self, obs: torch.Tensor) -> Any:
        """The distribution of actions, as Stable-Baselines3 has it."""
        *heads, _ = self._look(obs)
        return self.action_dist.proba_distribution(action_logits=torch.cat(heads, dim=1))

    def predict_values(self, obs: torch.Tensor) -> torch.Tensor:
        """Values (B, 1)."""
        return self._look(obs)[3]


def _choose(logits: torch.Tensor, deterministic: bool) -> torch.Tensor:
    """The most likely option, or a drawn one (Gumbel's trick: much cheaper than ``multinomial``)."""
    if deterministic:
        return logits.argmax(1)
    return (logits - torch.log(torch.empty_like(logits).exponential_())).argmax(1)


def _log_prob(logs: Sequence[torch.Tensor], actions: torch.Tensor) -> torch.Tensor:
    return sum(p.gather(1, actions[:, i : i + 1]).squeeze(1) for i, p in enumerate(logs))
