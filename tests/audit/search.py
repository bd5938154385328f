"""A thousand scripted strategies with random parameters, and the deflated Sharpe ratio of the best."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym.report.sharpe import expected_maximum, moments, probabilistic_sharpe
from tests.audit.play import BUY, NONE, SELL, EnvCore, Flow, column, opened

BLOCK = 50
"""Decisions to one return of the Sharpe ratios: 5 s."""
EDGE = 2.5
"""Ticks by which the price must be wrong before the insider acts."""
SIGNALS = ("imbalance", "mid_change", "buy_volume", "sell_volume", "spread", "volatility")


class Strategies:
    """N strategies side by side, one an environment: a signal, a threshold and a holding time each.

    The signal is a random mix of imbalance, returns and flow of the others, each averaged over a random horizon.
    Takers cross the spread when it exceeds the threshold (the sign of a mix being random, some follow and some go
    against) and close after the holding time; they stay out while spread or volatility exceed their limits. Makers
    quote both sides and leave the one that the signal is against.
    """

    def __init__(self, n: int, makers: bool, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.n, self.makers = n, makers
        self.weights = random.normal(size=(n, 3)) * (random.random((n, 3)) < 0.6)
        self.decay = np.exp(-1.0 / random.choice([1, 3, 10, 30, 100], (n, 3)))
        self.threshold = random.choice([0.3, 0.6, 1.0, 1.5, 2.0, 3.0], n)
        self.hold = random.choice([1, 3, 10, 30, 100], n)
        self.widest = random.choice([1, 2, 100], n)
        self.wildest = random.choice([0.5, 1.0, 2.0, 100.0], n)
        self.quote = random.choice([1, 2, 2, 3, 4], (n, 2))
        self.limit = random.integers(1, 11, n)
        self.forget()

    def forget(self) -> None:
        """A new episode begins."""
        self.average = np.zeros((self.n, 3))
        self.square = np.ones((self.n, 3))
        self.side = np.zeros(self.n, np.int64)
        self.age = np.zeros(self.n, np.int64)

    def decide(self, core: EnvCore, step: int) -> NDArray[np.int64]:
        imbalance, change, bought, sold, spread, volatility = (column(core, name) for name in SIGNALS)
        seen = np.stack([imbalance, change, np.tanh((bought - sold) / 5.0)], axis=1)
        self.average = self.decay * self.average + (1.0 - self.decay) * seen
        self.square = 0.995 * self.square + 0.005 * self.average**2
        signal = (self.weights * self.average / np.sqrt(self.square + 1e-9)).sum(axis=1)
        position = core.info[3].astype(np.int64)
        actions = np.zeros((self.n, 3), np.int64)
        if self.makers:
            actions[:, 0] = np.where((signal > -self.threshold) & (position < self.limit), self.quote[:, 0], NONE)
            actions[:, 1] = np.where((signal < self.threshold) & (position > -self.limit), self.quote[:, 1], NONE)
            return actions
        self.age += 1
        calm = (spread <= self.widest) & (volatility <= self.wildest)
        enter = (self.side == 0) & calm & (np.abs(signal) > self.threshold)
        leave = (self.side != 0) & (self.age >= self.hold)
        self.side = np.where(enter, np.sign(signal).astype(np.int64), np.where(leave, 0, self.side))
        self.age[enter] = 0
        actions[:, 2] = take_towards(self.side * np.minimum(self.limit, 3), position)
        return actions


class WithInsider(Strategies):
    """The same, but strategy 0 is told the fundamental value, which no observation shows."""

    def decide(self, core: EnvCore, step: int) -> NDArray[np.int64]:
        actions = super().decide(core, step)
        gain = core.arrays.flow_state["fundamental"][:1] - core.info[4, :1]
        position = core.info[3, :1].astype(np.int64)
        wanted = np.where(np.abs(gain) > EDGE, 5 * np.sign(gain).astype(np.int64), 0)
        wanted = np.where((np.abs(gain) > EDGE / 4) & (gain * position > 0), position, wanted)
        actions[0] = NONE
        actions[0, 2] = take_towards(wanted, position)[0]
        return actions


def take_towards(wanted: NDArray[np.int64], position: NDArray[np.int64]) -> NDArray[np.int64]:
    """The take that brings the position a lot nearer to what is wanted."""
    return np.where(wanted > position, BUY, np.where(wanted < position, SELL, 0))


def search(
    flow: Flow, strategies: Strategies, episodes: int, steps: int, key: int = 0, **market: Any
) -> NDArray[np.float64]:
    """P&L in blocks of :data:`BLOCK` decisions (strategies, blocks): all play the same *episodes*."""
    core = opened(flow, strategies.n, steps, market=market)
    blocks = []
    for episode in range(episodes):
        core.reset(np.full(strategies.n, key + episode, np.uint64))
        strategies.forget()
        before = np.zeros(strategies.n)
        for step in range(steps):
            core.step(strategies.decide(core, step))
            if (step + 1) % BLOCK == 0:
                blocks.append(core.info[2] - before)
                before = core.info[2].copy()
    return np.array(blocks).T


def deflated_sharpe(returns: NDArray[np.float64]) -> tuple[float, int]:
    """Deflated Sharpe ratio of the best of N strategies with *returns* (N, T), and which it is.

    Bailey and Lopez de Prado 2014, J. Portfolio Management 40(5): the probability that the best one's true ratio is
    positive, given that it was the best of N. Strategies that never traded are no trials. Most takers lose, each as
    much as it trades, which spreads the ratios of the trials and would hide a winner behind a high hurdle: the
    variance of the trials counts at most as what 1 / (T - 1) it is where none has skill, which is stricter here.
    """
    active = np.flatnonzero(returns.std(axis=1) > 0.0)
    ratios = returns[active].mean(axis=1) / returns[active].std(axis=1, ddof=1)
    best = int(active[ratios.argmax()])
    scatter = min(float(ratios.std(ddof=1)), (returns.shape[1] - 1) ** -0.5)
    ratio, skewness, kurtosis = moments(returns[best])
    hurdle = scatter * expected_maximum(len(active))
    return probabilistic_sharpe(ratio, returns.shape[1], skewness, kurtosis, hurdle), best
