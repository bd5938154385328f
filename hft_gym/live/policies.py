"""From a strategy's name to what decides, and to the environment that it believes to be in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hft_gym.config import build, to_dict
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.core import room_for_ladder
from hft_gym.errors import ConfigError
from hft_gym.live.config import SessionConfig, StrategySlot
from hft_gym.market.config import MarketConfig

__all__ = ["Player", "player_of"]

_OF_A_MARKET = ("market", "feed", "replay", "randomise", "reward")
"""Settings of the environment an agent was trained in that are not the agent's."""


@dataclass
class Player:
    """Who decides.

    Attributes:
        slot: as it was asked for.
        name: what views and reports call it.
        kind: ``"baseline"`` or ``"agent"``.
        env: the environment that its observations and actions are of.
        agent: the trained agent; None for a baseline, which is made for each seat.
    """

    slot: StrategySlot
    name: str
    kind: str
    env: EnvConfig
    agent: Any = None

    def policy(self, seat: Any) -> Any:
        """What decides at a seat, bound to it.

        Raises:
            ConfigError: a wrong parameter.
        """
        if self.agent is not None:
            return self.agent.bind(seat)
        import baselines
        from baselines import tuned

        given = dict(self.slot.parameters)
        if not given and seat.market.feed is None:
            given = tuned.tuned_parameters(self.slot.name, seat.config)
        return baselines.make(self.slot.name, seat, **given)


def player_of(slot: StrategySlot, config: SessionConfig) -> Player:
    """The strategy of a slot.

    Raises:
        ConfigError: no such baseline or agent, parameters for an agent, or an agent of a kind that cannot play live.
        CheckpointError: the agent's file is damaged.
        MissingExtraError: a trained agent, and torch is not installed.
    """
    import baselines

    market = replace(config.exchange, participants=1)
    given = {
        "step_ns": config.step_ns,
        "episode_steps": config.horizon_steps,
        "order_size": config.order_size,
        "max_position": config.max_position,
    }
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if slot.name in baselines.names() or not Path(slot.name).exists():
        tasks = baselines.get(slot.name).tasks
        settings["task"] = tasks[0]
        return Player(slot, slot.name, "baseline", _environment(settings, market))
    if slot.parameters:
        raise ConfigError(f"{slot.name}: a trained agent takes no parameters, found {', '.join(slot.parameters)}")
    import agents

    agent: Any = agents.load(slot.name)
    trained_in = agent.config if isinstance(agent.config, Mapping) else {}
    own = {name: value for name, value in trained_in.items() if name not in _OF_A_MARKET}
    env = _environment({**own, **settings}, market)
    if env.clock == "event":
        raise ConfigError(f"{slot.name}: it decides at events (clock 'event'); a session has the clock 'time' alone")
    return Player(slot, Path(slot.name).name if agent.name == "agent" else agent.name, "agent", env, agent)


def _environment(settings: Mapping[str, Any], market: MarketConfig) -> EnvConfig:
    config = build(EnvConfig, {**settings, "market": to_dict(market)})
    return replace(config, market=room_for_ladder(config.market, config))
