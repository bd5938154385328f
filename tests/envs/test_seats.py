"""A participant's seat in a shared market is an environment: same market, same actions, same observations."""

from __future__ import annotations

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.utils import seeding

from hft_gym.config import build
from hft_gym.envs.common import draw_key
from hft_gym.envs.config import EnvConfig
from hft_gym.envs.seats import AgentSeat, SeatEnd
from hft_gym.errors import ActionError, ConfigError
from hft_gym.flow import FlowConfig
from hft_gym.market import Market
from hft_gym.types import OrderSide

WARM_UP = 1_050_000_000
SETTINGS = {
    "making": {},
    "poisson": {"market": {"flow": "poisson", "latency": {"order_ns": 150_000_000, "market_data_ns": 40_000_000}}},
    "ladder": {"action": "ladder", "max_position": 30},
    "taking": {"task": "liquidity-taking", "action": "discrete"},
    "execution": {"task": "execution", "execution": {"quantity": 200}},
}


def _config(name: str) -> EnvConfig:
    settings = SETTINGS[name]
    market = {**settings.get("market", {}), "warm_up_ns": WARM_UP, "max_own_orders": 48}
    return build(EnvConfig, {**settings, "market": market, "episode_steps": 200})


def _shared(config: EnvConfig, seed: int, participants: int = 3) -> Market:
    key = draw_key(seeding.np_random(seed)[0])
    return Market(replace(config.market, participants=participants, warm_up_ns=0), key)


def _warm(market: Market, seats: list[AgentSeat], config: EnvConfig) -> None:
    while market.time < WARM_UP:
        elapsed = min(config.step_ns, WARM_UP - market.time)
        market.run_for(elapsed)
        for seat in seats:
            seat.warm(elapsed)


def _play_both(name: str, participant: int, seed: int = 3, steps: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """The observations of an environment and of a seat, given the same actions."""
    config = _config(name)
    env = gymnasium.make("hft_gym:HFTMarket-v0", config=config, disable_env_checker=True).unwrapped
    env.action_space.seed(seed)
    expected, _ = env.reset(seed=seed)
    market = _shared(config, seed)
    seat = AgentSeat(market, participant, config)
    _warm(market, [seat], config)
    found = seat.begin()
    pairs = [(expected, found.copy())]
    for _ in range(steps):
        action = env.action_space.sample()
        expected, _, terminated, truncated, _ = env.step(action)
        seat.act(action)
        held = market.account(participant).position
        market.run_for(config.step_ns)
        ended = seat.look(config.step_ns, held)
        if terminated or truncated:
            assert ended
            break
        assert not ended
        pairs.append((expected, seat.obs.copy()))
    assert len(pairs) > 10
    return tuple(np.stack(side) for side in zip(*pairs, strict=True))


@pytest.mark.parametrize("name", SETTINGS)
def test_first_participant_sees_and_does_what_an_environment_does(name: str) -> None:
    expected, found = _play_both(name, 1)
    np.testing.assert_array_equal(found, expected)


def test_every_seat_is_alike_without_random_latency() -> None:
    # Participants draw their latencies from streams of their own: without jitter nothing tells them apart.
    calm = {"flow": "poisson", "latency": {"order_jitter_ns": 0, "cancel_jitter_ns": 0}}
    SETTINGS["calm"] = {"market": calm, "action": "ladder", "max_position": 30}
    try:
        for participant in (1, 2, 3):
            expected, found = _play_both("calm", participant)
            np.testing.assert_array_equal(found, expected)
    finally:
        del SETTINGS["calm"]


def test_two_seats_see_each_other_and_not_themselves() -> None:
    silent = FlowConfig(limit_rates=(0.0,), cancel_rates=(0.0,), market_rate=0.0)
    config = _config("poisson")
    config = replace(config, market=replace(config.market, flow=silent))
    market = _shared(config, 1, 2)
    seats = [AgentSeat(market, p, config) for p in (1, 2)]
    market.set_book([(9_990, 5)], [(10_010, 5)])
    for seat in seats:
        seat.begin()
    market.submit(1, OrderSide.BID, 7, 9_995)
    market.submit(2, OrderSide.ASK, 3, 10_004)
    market.run_for(200_000_000)
    looks = []
    for seat in seats:
        seat.look(200_000_000, 0)
        names = seat.observation_schema.names
        looks.append({n: seat.obs[names.index(n)] for n in ("bid_size_1", "ask_size_1", "spread", "in_flight")})
    assert market.best(OrderSide.BID) == 9_995 and market.best(OrderSide.ASK) == 10_004
    first, second = looks
    assert first["ask_size_1"] == 3 and second["bid_size_1"] == 7
    assert first["bid_size_1"] == 5 and second["ask_size_1"] == 5  # one's own orders are not in one's own book


def test_the_horizon_is_told_and_begins_anew() -> None:
    config = replace(_config("making"), episode_steps=2)
    market = _shared(config, 5, 1)
    seat = AgentSeat(market, 1, config)
    left = seat.observation_schema.names.index("time_left")
    assert seat.begin()[left] == 1.0
    assert not seat.look(0, 0) and seat.obs[left] == 0.5
    assert seat.look(0, 0) == SeatEnd.HORIZON and seat.obs[left] == 0.0
    seat.roll_over()
    assert not seat.look(0, 0) and seat.obs[left] == 0.5


def test_bad_seats_and_actions_are_refused() -> None:
    config = _config("making")
    market = _shared(config, 1, 2)
    with pytest.raises(ConfigError, match="participant is 3"):
        AgentSeat(market, 3, config)
    slow = replace(config, market=replace(config.market, latency=replace(config.market.latency, order_ns=7)))
    with pytest.raises(ConfigError, match="latency"):
        AgentSeat(market, 1, slow)
    seat = AgentSeat(market, 1, config)
    seat.begin()
    with pytest.raises(ActionError):
        seat.act(np.array([9, 0, 0]))
    assert market.in_flight(1) == 0
