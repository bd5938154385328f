"""The scales of a market, which defaults and search spaces are multiples of."""

from __future__ import annotations

from typing import Any

__all__ = ["episode_seconds", "usual_price", "usual_spread"]


def usual_price(env: Any) -> float:
    """Level of the price, ticks."""
    return float(getattr(env, "reference_price", env.config.market.initial_price))


def usual_spread(env: Any) -> float:
    """Spread that is usual in the market, ticks, at least 1."""
    return max(float(getattr(env, "reference_spread", 1.0)), 1.0)


def episode_seconds(env: Any) -> float:
    """How long an episode lasts [s]; of the event clock, at most."""
    return float(env.config.episode_steps * env.config.step_ns * 1e-9)
