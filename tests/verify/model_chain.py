"""The model market of Avellaneda and Stoikov without chance: the moments of a maker's inventory and wealth.

Wealth, cash plus inventory at the mid, changes by the depth at each fill and by inventory times the mid's moves. So for
each inventory q the share of paths, their wealth and its square follow linear equations: in steps as the paper
simulates (at most one fill a side), or as differential equations (fills at exact times). No random number is drawn, and
none of the environment's code is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """At the horizon: mean and sd of wealth, sd of inventory, and the integral over time of E[q²]."""

    profit: float
    sd: float
    sd_q: float
    held: float


def _shift(x, by):
    """x_q moved to q + by, nothing at the ends."""
    out = np.zeros_like(x)
    if by > 0:
        out[..., by:] = x[..., :-by]
    elif by < 0:
        out[..., :by] = x[..., -by:]
    else:
        out[:] = x
    return out


def _after_fill(m, depth):
    """Moments (share, wealth, squared wealth) after a gain of *depth*."""
    return np.stack([m[0], m[1] + depth * m[0], m[2] + 2 * depth * m[1] + depth**2 * m[0]])


def _summary(m, q, held):
    profit, square = m[1].sum(), m[2].sum()
    mean_q = (q * m[0]).sum()
    return Moments(profit, np.sqrt(square - profit**2), np.sqrt((q**2 * m[0]).sum() - mean_q**2), held)


def _start(limit):
    q = np.arange(-limit, limit + 1.0)
    m = np.zeros((3, len(q)))
    m[0, limit] = 1.0
    return q, m


def in_steps(depths, rate, k, sigma, horizon, steps, law, limit=60):
    """*depths(q, time_left)* gives bid and ask depths for all q; *law(rate · dt)* the fill probability of a step."""
    q, m = _start(limit)
    dt, held = horizon / steps, 0.0
    for step in range(steps):
        bid, ask = depths(q, horizon - step * dt)
        held += (q**2 * m[0]).sum() * dt
        with np.errstate(over="ignore"):
            p_bid, p_ask = law(rate * np.exp(-k * bid) * dt), law(rate * np.exp(-k * ask) * dt)
        p_bid[-1] = p_ask[0] = 0.0
        m = (
            (1 - p_bid) * (1 - p_ask) * m
            + _shift(p_bid * (1 - p_ask) * _after_fill(m, bid), 1)
            + _shift(p_ask * (1 - p_bid) * _after_fill(m, ask), -1)
            + p_bid * p_ask * _after_fill(m, bid + ask)
        )
        m[2] += sigma**2 * dt * q**2 * m[0]
    return _summary(m, q, held)


def in_continuous_time(depths, rate, k, sigma, horizon, steps=4_000, limit=40):
    """The same with fills at exact times, by Runge and Kutta's fourth-order rule."""
    q, m = _start(limit)
    dt, held = horizon / steps, 0.0

    def slope(m, time_left):
        bid, ask = depths(q, time_left)
        bid_rate, ask_rate = rate * np.exp(-k * bid), rate * np.exp(-k * ask)
        bid_rate[-1] = ask_rate[0] = 0.0
        # Rates at inventories that no path reaches would only force smaller steps.
        bid_rate, ask_rate = np.minimum(bid_rate, 1.0 / dt), np.minimum(ask_rate, 1.0 / dt)
        bid, ask = np.where(bid_rate > 0, bid, 0.0), np.where(ask_rate > 0, ask, 0.0)
        out = _shift(bid_rate * _after_fill(m, bid), 1) + _shift(ask_rate * _after_fill(m, ask), -1)
        out -= (bid_rate + ask_rate) * m
        out[2] += sigma**2 * q**2 * m[0]
        return out

    for step in range(steps):
        left = horizon - step * dt
        middle, end = max(left - dt / 2, 0.0), max(left - dt, 0.0)
        a = slope(m, left)
        b = slope(m + 0.5 * dt * a, middle)
        c = slope(m + 0.5 * dt * b, middle)
        new = m + dt / 6 * (a + 2 * b + 2 * c + slope(m + dt * c, end))
        held += 0.5 * dt * ((q**2 * m[0]).sum() + (q**2 * new[0]).sum())
        m = new
    return _summary(m, q, held)
