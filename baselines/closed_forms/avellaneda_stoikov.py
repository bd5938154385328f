"""Avellaneda and Stoikov (2008), High-frequency trading in a limit order book, Quantitative Finance 8:217.

The mid is a Brownian motion of volatility sigma; market orders reach a quote at depth d at the rate A exp(-k d); the
maker has exponential utility of risk aversion gamma at the horizon. The formulas are the paper's approximation
for any inventory; `baselines.closed_forms.glft` solves the same problem exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["depths", "ho_stoll_depths", "markup", "reservation_price", "spread", "symmetric_depth"]

Floats = npt.NDArray[np.float64]


def reservation_price(mid: Any, inventory: Any, gamma: Any, sigma: Any, time_left: Any) -> Floats:
    """The price at which the maker is indifferent to one lot more or less: equation (3.17) of the paper.

    >>> float(reservation_price(100.0, 2, gamma=0.1, sigma=2.0, time_left=1.0))
    99.2
    """
    return np.asarray(mid - inventory * gamma * np.square(sigma) * time_left, np.float64)


def markup(gamma: Any, k: Any) -> Floats:
    """ln(1 + gamma / k) / gamma: the half-spread of a maker without inventory risk; 1 / k at gamma = 0 [price]."""
    ratio = np.asarray(gamma / k, np.float64)
    small = np.where(ratio == 0.0, 1.0, ratio)
    return np.where(ratio == 0.0, 1.0, np.log1p(small) / small) / k


def spread(gamma: Any, sigma: Any, k: Any, time_left: Any) -> Floats:
    """Distance between the two quotes: equation (3.18) [price].

    >>> round(float(spread(gamma=0.1, sigma=2.0, k=1.5, time_left=0.5)), 3)
    1.491
    """
    return np.asarray(gamma * np.square(sigma) * time_left + 2.0 * markup(gamma, k), np.float64)


def depths(
    inventory: Any, time_left: Any, gamma: Any, sigma: Any, k: Any
) -> tuple[Floats, Floats]:
    """Depths of bid and ask below and above the mid: half the spread around the reservation price.

    Either may be negative: with much inventory the closing quote stands beyond the mid.
    """
    half = 0.5 * spread(gamma, sigma, k, time_left)
    shift = inventory * gamma * np.square(sigma) * time_left
    return half + shift, half - shift


def symmetric_depth(gamma: Any, sigma: Any, k: Any, horizon: Any) -> Floats:
    """Depth of both quotes of the paper's benchmark: the strategy's spread averaged over time, around the mid."""
    return 0.5 * spread(gamma, sigma, k, 0.5 * np.asarray(horizon))


def ho_stoll_depths(
    inventory: Any, time_left: Any, rho: Any, sigma: Any, k: Any
) -> tuple[Floats, Floats]:
    """Depths of a dealer with an exponential demand curve in the manner of Ho and Stoll (1981, Journal of
    Financial Economics 9:47): a monopolist's 1 / k, and the inventory's risk to first order in the risk aversion rho.

    It is what `depths` tends to for gamma / k -> 0 with gamma sigma² kept, not the linear demand of their paper.
    """
    risk = rho * np.square(sigma) * time_left
    half = 1.0 / np.asarray(k) + 0.5 * risk
    return np.asarray(half + inventory * risk), np.asarray(half - inventory * risk)
