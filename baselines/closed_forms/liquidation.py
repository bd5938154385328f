"""Liquidation with a running penalty: Cartea, Jaimungal and Penalva (2015), Algorithmic and High-Frequency Trading,
section 6.5, in continuous time.

Shares are sold at the rate nu; the price falls by b nu per time for good and each share is sold k nu below it; shares
left at the horizon cost alpha each per share left; phi · integral of q² punishes waiting.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["held", "rate"]

Floats = npt.NDArray[np.float64]


def _terms(horizon: Any, k: Any, alpha: Any, b: Any, phi: Any) -> tuple[Floats, Floats]:
    """Gamma = sqrt(phi / k) and 1 / zeta, zeta as in the book; 1 / zeta because alpha may be infinite."""
    gamma = np.sqrt(np.asarray(phi, np.float64) / k)
    strength = np.asarray(alpha, np.float64) - 0.5 * np.asarray(b)
    if np.any(strength <= 0.0):
        raise ValueError(f"alpha is {alpha}; it must be above b / 2, which is {0.5 * np.asarray(b)}")
    cost = np.sqrt(np.asarray(phi, np.float64) * k)
    with np.errstate(invalid="ignore"):
        ratio = np.where(np.isinf(strength), 1.0, (strength - cost) / (strength + cost))
    return gamma, ratio


def held(time_left: Any, quantity: Any, horizon: Any, k: Any, alpha: Any, b: Any = 0.0, phi: Any = 0.0) -> Floats:
    """Shares held with ``time_left`` to go, of ``quantity`` at the start.

    Args:
        time_left: from the horizon down to 0; the others broadcast with it.
        quantity: shares to sell.
        horizon: T.
        k: temporary impact [price · time / share].
        alpha: terminal penalty [price / share]; infinity for all to be sold.
        b: permanent impact [price / share].
        phi: running penalty.

    Raises:
        ValueError: alpha is not above b / 2: then it pays to keep everything.
    """
    gamma, ratio = _terms(horizon, k, alpha, b, phi)
    patient = gamma * np.asarray(horizon) < 1e-7
    g = np.where(patient, 1.0, gamma)
    whole = 1.0 - ratio * np.exp(-2.0 * g * horizon)
    part = 1.0 - ratio * np.exp(-2.0 * g * time_left)
    hyperbolic = np.exp(-g * (np.asarray(horizon) - time_left)) * part / whole
    rest = k / (np.asarray(alpha) - 0.5 * np.asarray(b))
    return np.asarray(quantity * np.where(patient, (time_left + rest) / (horizon + rest), hyperbolic))


def rate(time_left: Any, inventory: Any, k: Any, alpha: Any, b: Any = 0.0, phi: Any = 0.0) -> Floats:
    """Shares to sell per time with ``inventory`` left: the feedback form, for the arguments of `held`.

    Raises:
        ValueError: alpha is not above b / 2.
    """
    gamma, ratio = _terms(1.0, k, alpha, b, phi)
    fade = ratio * np.exp(-2.0 * gamma * np.asarray(time_left))
    rest = k / (np.asarray(alpha) - 0.5 * np.asarray(b))
    with np.errstate(divide="ignore", invalid="ignore"):
        hyperbolic = gamma * (1.0 + fade) / (1.0 - fade)
        patient = 1.0 / (np.asarray(time_left) + rest)
    return np.asarray(inventory * np.where(gamma < 1e-7, patient, hyperbolic))
