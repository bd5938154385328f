"""Calibration: order-flow models fitted to real data, with standard errors and residuals.

`calibrate` fits one of :data:`MODELS` to a tape or a file; `fit_hawkes` and `fit_queues` (and
`hft_gym.realism.fit_cst`) are the estimators on their own.
"""

from hft_gym.calibration.hawkes import HawkesFit, Residual, fit_hawkes, hawkes_residuals
from hft_gym.calibration.models import MODELS, Calibration, Parameter, calibrate
from hft_gym.calibration.queues import QueueFit, fit_queues, queue_residuals, reference_price

__all__ = [
    "MODELS",
    "Calibration",
    "HawkesFit",
    "Parameter",
    "QueueFit",
    "Residual",
    "calibrate",
    "fit_hawkes",
    "fit_queues",
    "hawkes_residuals",
    "queue_residuals",
    "reference_price",
]
