"""Maximum likelihood of a multivariate Hawkes process with sums of exponentials, and its residuals.

The intensity of kind i is lambda_i(t) = mu_i + sum_jk n_ijk beta_k sum over events s < t of kind j of
mark_s exp(-beta_k (t - s)), all marks 1 unless given.
With the decays beta given, the log-likelihood (Ozaki 1979; Bacry, Mastromatteo and Muzy 2015, section 4) is concave in
mu and n, and each kind's parameters are a problem of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.errors import ConfigError
from hft_gym.extras import optional

__all__ = ["HawkesFit", "Residual", "exponential_residual", "fit_hawkes", "hawkes_residuals"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HawkesFit:
    """A fitted Hawkes process of D kinds with K decays.

    Attributes:
        background, background_errors: ``(D,)`` mu [1/s] and standard errors.
        branching, branching_errors: ``(K, D, D)`` n[k, i, j]: events of kind i caused directly by one of kind j; errors
            are NaN at the bound 0.
        decays: ``(K,)`` beta [1/s].
        log_likelihood: at the maximum; ``poisson``: of the best Poisson process, for comparison.
        counts: ``(D,)`` events. seconds: length of the data.
    """

    background: Floats
    background_errors: Floats
    branching: Floats
    branching_errors: Floats
    decays: Floats
    log_likelihood: float
    poisson: float
    counts: NDArray[np.int64]
    seconds: float

    @property
    def radius(self) -> float:
        """Spectral radius of the summed branching matrix: below 1 the process is stationary."""
        return float(np.abs(np.linalg.eigvals(self.branching.sum(axis=0))).max())

    def mean_rates(self) -> Floats:
        """(1 - N)^-1 mu [1/s], N the summed branching matrix."""
        found: Floats = np.linalg.solve(np.eye(len(self.background)) - self.branching.sum(axis=0), self.background)
        return found


def _checked(time: Any, kind: Any, kinds: int, seconds: float) -> tuple[Floats, NDArray[np.int64]]:
    time, kind = np.asarray(time, float), np.asarray(kind, np.int64)
    if time.shape != kind.shape or time.ndim != 1:
        raise ConfigError(f"time has shape {time.shape}, kind {kind.shape}; both are (events,)")
    if len(time) and (np.diff(time).min(initial=0.0) < 0 or time[0] < 0 or time[-1] > seconds):
        raise ConfigError(f"times run from {time.min()} to {time.max()}; they must ascend within 0 to {seconds} s")
    if len(kind) and not (kind.min() >= 0 and kind.max() < kinds):
        raise ConfigError(f"kinds run from {kind.min()} to {kind.max()}; allowed are 0 to {kinds - 1}")
    return time, kind


def _checked_marks(mark: Any, n: int) -> Floats:
    found = np.ones(n) if mark is None else np.asarray(mark, float)
    if found.shape != (n,):
        raise ConfigError(f"mark has shape {found.shape}; needed is one for each of {n} events")
    if n and not (np.isfinite(found).all() and found.min() >= 0.0):
        raise ConfigError(f"marks run from {found.min()} to {found.max()}; they must be finite and at least 0")
    return found


def _excitation(time: Floats, kind: NDArray[np.int64], mark: Floats, kinds: int, decays: Floats) -> Floats:
    """``(events, K * D)``: beta_k sum over earlier events s of kind j of mark_s exp(-beta_k (t - s)) at each event."""
    n, k = len(time), len(decays)
    found = np.zeros((n, k, kinds))
    state = np.zeros((k, kinds))
    fade = np.exp(-np.outer(np.diff(time, prepend=time[:1]), decays))
    for e in range(n):
        state *= fade[e][:, None]
        found[e] = state
        state[:, kind[e]] += decays * mark[e]
    return found.reshape(n, k * kinds)


def _exposure(
    time: Floats, kind: NDArray[np.int64], mark: Floats, kinds: int, decays: Floats, seconds: float
) -> Floats:
    """``(K * D,)``: integral over the data of what the events of each kind add, per unit of branching."""
    found = np.zeros((len(decays), kinds))
    for k, beta in enumerate(decays):
        found[k] = np.bincount(kind, mark * (1.0 - np.exp(-beta * (seconds - time))), kinds)
    return found.ravel()


def fit_hawkes(
    time: Any, kind: Any, kinds: int, seconds: float, decays: Any = (0.3, 3.0, 50.0, 1_000.0), mark: Any = None
) -> HawkesFit:
    """Fit to events of one realisation.

    Events of one time excite each other in the order in which they stand.

    Args:
        time: ``(n,)`` ascending, seconds since the start.
        kind: ``(n,)`` 0 to *kinds* - 1.
        kinds: D.
        seconds: length of the data.
        decays: ``(K,)`` beta [1/s].
        mark: ``(n,)`` what each event excites by, of mean 1 within a kind; None: all by 1.

    Raises:
        ConfigError: times or marks out of order or range, a kind that does not exist or never happens.
    """
    minimize = optional("scipy.optimize").minimize
    time, kind = _checked(time, kind, kinds, seconds)
    weight = _checked_marks(mark, len(time))
    beta = np.asarray(decays, float)
    if not len(beta) or not (beta > 0).all():
        raise ConfigError(f"decays is {tuple(beta)}; at least one, all above 0")
    counts = np.bincount(kind, minlength=kinds)
    if not counts.all():
        raise ConfigError(f"kind {int(np.argmin(counts))} never happens; leave it out")
    k = len(beta)
    x = np.concatenate([np.ones((len(time), 1)), _excitation(time, kind, weight, kinds, beta)], axis=1)
    exposure = np.concatenate([[seconds], _exposure(time, kind, weight, kinds, beta, seconds)])
    # In units in which every parameter's exposure is that of the background, so that the search is well scaled.
    scale = np.where(exposure > 0, seconds / np.maximum(exposure, 1e-12), 1.0)
    mu, mu_error = np.zeros(kinds), np.zeros(kinds)
    n, n_error = np.zeros((k, kinds, kinds)), np.zeros((k, kinds, kinds))
    best = flat = 0.0
    for i in range(kinds):
        rows = x[kind == i] * scale
        rate = counts[i] / seconds

        def loss(p: Floats, rows: Floats = rows, rate: float = rate) -> tuple[float, Floats]:
            intensity = np.maximum(rows @ p, 1e-12)
            cost = exposure * scale
            value = float(cost @ p - np.log(intensity).sum())
            return value / (rate * seconds), (cost - rows.T @ (1.0 / intensity)) / (rate * seconds)

        start = np.full(x.shape[1], 0.5 * rate / (k * kinds))
        start[0] = 0.5 * rate
        bounds = [(1e-9 * rate, None)] + [(0.0, None)] * (k * kinds)
        found = minimize(
            loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2_000, "ftol": 1e-12}
        )
        p = found.x * scale
        error = _errors(x[kind == i], p)
        mu[i], mu_error[i] = p[0], error[0]
        n[:, i, :], n_error[:, i, :] = p[1:].reshape(k, kinds), error[1:].reshape(k, kinds)
        best -= float(found.fun) * counts[i]
        flat += counts[i] * (np.log(rate) - 1.0)
    return HawkesFit(mu, mu_error, n, n_error, beta, best, flat, counts, float(seconds))


def _errors(x: Floats, p: Floats) -> Floats:
    """Standard errors from the observed information, of the parameters that are not at their bound."""
    free = p > 1e-6 * max(p.max(), 1e-12)
    weighted = x[:, free] / np.maximum(x @ p, 1e-12)[:, None]
    error = np.full(len(p), np.nan)
    error[free] = np.sqrt(np.maximum(np.diag(np.linalg.pinv(weighted.T @ weighted)), 0.0))
    return error


@dataclass(frozen=True)
class Residual:
    """Time-rescaled intervals of one kind: exponential of mean 1 if the model is right (Brown et al. 2002).

    ``distance``: Kolmogorov and Smirnov's; ``p``: its probability if the model is right; ``mean``, ``variance`` (1 and
    1); ``intervals``: the sample.
    """

    distance: float
    p: float
    mean: float
    variance: float
    intervals: Floats


def exponential_residual(intervals: Any) -> Residual:
    """Test *intervals* against the exponential law of mean 1."""
    kstest = optional("scipy.stats").kstest
    x = np.asarray(intervals, float)
    if len(x) < 5:
        return Residual(np.nan, np.nan, np.nan, np.nan, x)
    test = kstest(x, "expon")
    return Residual(float(test.statistic), float(test.pvalue), float(x.mean()), float(x.var()), x)


def hawkes_residuals(time: Any, kind: Any, fit: HawkesFit, mark: Any = None) -> list[Residual]:
    """The residuals of each kind under *fit*, made with these marks: integrals of its intensity between its events."""
    kinds = len(fit.background)
    time, kind = _checked(time, kind, kinds, fit.seconds)
    weight = _checked_marks(mark, len(time))
    total = np.zeros((len(time), kinds))
    state = np.zeros((len(fit.decays), kinds))
    gap = np.diff(time, prepend=time[:1])
    fade = np.exp(-np.outer(gap, fit.decays))
    for e in range(len(time)):
        # What each decay's excitation adds over the gap before this event.
        total[e] = fit.background * gap[e]
        done = state * (1.0 - fade[e])[:, None]
        total[e] += np.einsum("kij,kj->i", fit.branching, done)
        state *= fade[e][:, None]
        state[:, kind[e]] += weight[e]
    compensator = np.cumsum(total, axis=0)
    return [exponential_residual(np.diff(compensator[kind == i, i])) for i in range(kinds)]
