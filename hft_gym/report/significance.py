"""Metrics of significance: what the episodes allow to be said of a policy. All but one belong to a set of episodes."""

from __future__ import annotations

import numpy as np

from hft_gym.evaluation.episodes import Episodes
from hft_gym.report.aggregate import effective_sample_size, interquartile_mean, paired_p_value
from hft_gym.report.metrics import metric
from hft_gym.report.needs import LENGTH, Undefined
from hft_gym.report.overfitting import Trials, overfitting_probability
from hft_gym.report.panel import Floats, Panel
from hft_gym.report.sharpe import minimum_track_record, moments, probabilistic_sharpe
from hft_gym.report.statistics import Bootstrap, Estimate, paired_difference

GROUP = "significance"
CHUNK = 2_000_000


def _alone(value: float, panel: Panel) -> Estimate:
    return Estimate(value, float("nan"), float("nan"), panel.count)


def _known(panel: Panel, least: int) -> Floats:
    net = panel.net[~np.isnan(panel.net)]
    if len(net) < least:
        raise Undefined(f"fewer than {least} episodes with a P&L: {len(net)}")
    return net


def _moments(panel: Panel) -> tuple[float, float, float, int]:
    net = _known(panel, 3)
    sharpe, skewness, kurtosis = moments(net)
    if np.isnan(sharpe):
        raise Undefined("net P&L is the same in every episode")
    return sharpe, skewness, kurtosis, len(net)


def _reference(panel: Panel) -> Episodes:
    if panel.reference is None:
        raise Undefined("there is no other policy to compare with")
    return panel.reference


def _trials(panel: Panel) -> Trials:
    if panel.trials is None or not len(panel.trials):
        raise Undefined("no trial was logged for this policy")
    return panel.trials


@metric(
    "IQM of net P&L", GROUP, "ticks·lots", "mean of the middle half of the episodes' net P&L", "Agarwal et al. 2021",
    pooling="set", sign=1,
)  # fmt: skip
def iqm_pnl(panel: Panel, bootstrap: Bootstrap) -> Estimate:
    """Interquartile mean over episodes, with its bootstrap interval: wild episodes do not decide it."""
    net = _known(panel, 1)
    value = float(interquartile_mean(net))
    if len(net) < 2:
        return _alone(value, panel)
    rng = np.random.default_rng([bootstrap.seed, len(net)])
    each = max(CHUNK // len(net), 1)
    drawn = np.concatenate(
        [
            interquartile_mean(net[rng.integers(0, len(net), (min(each, bootstrap.resamples - i), len(net)))], axis=1)
            for i in range(0, bootstrap.resamples, each)
        ]
    )
    low, high = np.quantile(drawn, ((1 - bootstrap.level) / 2, (1 + bootstrap.level) / 2))
    return Estimate(value, float(low), float(high), panel.count)


@metric(
    "P(improvement)", GROUP, "probability", "share of common seeds with more net P&L than the reference, ties a half",
    "Agarwal et al. 2021, on common random numbers", pooling="set", sign=1,
)  # fmt: skip
def improvement(panel: Panel, bootstrap: Bootstrap) -> Estimate:
    """How often the policy makes more than the best baseline on the same seed."""
    difference = panel.net - _reference(panel).net_pnl
    score = np.where(np.isnan(difference), np.nan, 0.5 + 0.5 * np.sign(difference))
    return paired_difference(score, np.zeros(len(score)), bootstrap)


@metric(
    "paired difference", GROUP, "ticks·lots", "mean of net P&L less the reference's on the same seed", "definition",
    pooling="set", sign=1,
)  # fmt: skip
def difference(panel: Panel, bootstrap: Bootstrap) -> Estimate:
    """Paired difference to the best baseline on common random numbers, with its bootstrap interval."""
    return paired_difference(panel.net, _reference(panel).net_pnl, bootstrap)


@metric(
    "p-value", GROUP, "probability", "randomisation test of the mean paired difference, two-sided, before Holm",
    "Fisher 1935", pooling="set", sign=-1,
)  # fmt: skip
def p_value(panel: Panel, bootstrap: Bootstrap) -> Estimate:
    """Probability of a mean paired difference as large if signs were a matter of chance. The comparison's own column
    has it adjusted for the number of policies.
    """
    found = paired_p_value(panel.net, _reference(panel).net_pnl, seed=bootstrap.seed)
    if np.isnan(found):
        raise Undefined("fewer than 2 common episodes")
    return _alone(found, panel)


@metric(
    "probabilistic Sharpe", GROUP, "probability", "Φ(SR √(n-1) / √(1 - γ₃ SR + (γ₄-1)/4 SR²)), SR per episode",
    "Bailey & López de Prado 2012", pooling="set", sign=1,
)  # fmt: skip
def probabilistic_sharpe_ratio(panel: Panel, bootstrap: Bootstrap) -> Estimate:
    """Probability that the true Sharpe ratio of the episodes is above zero."""
    sharpe, skewness, kurtosis, n = _moments(panel)
    return _alone(probabilistic_sharpe(sharpe, n, skewness, kurtosis), panel)


@metric(
    "deflated Sharpe", GROUP, "probability",
    "probabilistic Sharpe against √Var(trials' SR) · E[max of N]; the validations of one training are a cluster",
    "Bailey & López de Prado 2014; López de Prado & Lewis 2019", pooling="set", sign=1,
)  # fmt: skip
def deflated_sharpe_ratio(panel: Panel, bootstrap: Bootstrap) -> Estimate:
    """Probability that the true Sharpe ratio is above what the best of all logged trials would show by luck.

    Each setting of a tuning is a trial. The validations of a training run are a cluster of trials, see
    `Trials.of_learnings`: how many independent ones they are worth, and how their ratios would scatter by luck.
    """
    trials = _trials(panel)
    sharpe, skewness, kurtosis, n = _moments(panel)
    return _alone(probabilistic_sharpe(sharpe, n, skewness, kurtosis, trials.threshold), panel)


@metric("trials", GROUP, "count", "settings and validations tried before, from the run log", "definition",
        pooling="set")  # fmt: skip
def trials(panel: Panel, bootstrap: Bootstrap) -> Estimate:
    """How many settings of a baseline, or validations of agents, were tried in this market: what the deflated Sharpe
    ratio deflates by.
    """
    return _alone(float(len(_trials(panel))), panel)


@metric(
    "P(overfitting)", GROUP, "probability", "share of halvings whose best trial is below the median on the other half",
    "Bailey, Borwein, López de Prado & Zhu 2017 (CSCV)", pooling="set", sign=-1,
)  # fmt: skip
def overfitting(panel: Panel, bootstrap: Bootstrap) -> Estimate:
    """Probability that the choice among the logged trials is overfit: it takes the trials' P&L on common seeds."""
    pnl = _trials(panel).pnl
    if pnl is None or len(pnl) < 2 or pnl.shape[1] < 8:
        raise Undefined("the logged trials do not share 8 episodes, or there is only one")
    return _alone(overfitting_probability(pnl), panel)


@metric(
    "minimum track record", GROUP, "episodes", "1 + (1 - γ₃ SR + (γ₄-1)/4 SR²) (Φ⁻¹(0.95) / SR)²",
    "Bailey & López de Prado 2012", pooling="set", sign=-1,
)  # fmt: skip
def minimum_track_record_length(panel: Panel, bootstrap: Bootstrap) -> Estimate:
    """Episodes after which a Sharpe ratio like this one is above zero at 95 %."""
    sharpe, skewness, kurtosis, _ = _moments(panel)
    if not sharpe > 0:
        raise Undefined("the Sharpe ratio is not above zero: no length would do")
    return _alone(minimum_track_record(sharpe, skewness, kurtosis), panel)


@metric("effective sample", GROUP, "intervals per episode", "n / (1 + 2 Σ ρ_k) of dW, up to the first ρ_k <= 0",
        "Geyer 1992", sign=1, needs=(LENGTH,))  # fmt: skip
def effective_sample(panel: Panel) -> Floats:
    """Independent clock intervals that an episode's are worth."""
    return effective_sample_size(panel.increments)
