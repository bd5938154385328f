"""The statistics against published examples, closed forms and other libraries; each with a control that must fail."""

import math

import numpy as np
import pytest

from hft_gym.errors import ConfigError
from hft_gym.report import (
    METRICS,
    Bootstrap,
    Panel,
    PerformanceMetrics,
    Trials,
    deflated_sharpe,
    effective_sample_size,
    expected_maximum,
    holm,
    improvement_probability,
    interquartile_mean,
    minimum_track_record,
    overfitting_probability,
    paired_p_value,
    performance_profile,
    probabilistic_sharpe,
    stratified_estimate,
)
from hft_gym.report.sharpe import moments
from tests.report.examples import from_final_pnl

FEW = Bootstrap(2000)


# -- probabilistic and deflated Sharpe ratio -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("trials", "published"), [(5, 1.19), (10, 1.57), (20, 1.90), (50, 2.28), (100, 2.53), (500, 3.05), (1000, 3.26)]
)
def test_expected_maximum(trials, published):
    """The figures of the literature; and near the mean of simulated maxima, for which it is an approximation."""
    assert expected_maximum(trials) == pytest.approx(published, abs=0.006)
    simulated = np.random.default_rng(0).normal(size=(20_000 // trials + 200, trials)).max(axis=1).mean()
    assert expected_maximum(trials) == pytest.approx(simulated, abs=0.15)


def test_probabilistic_sharpe_of_bailey_and_lopez_de_prado():
    """Their hedge fund of 24 months, SR 0.458 a month: 0.982 as if normal, 0.913 with skewness -2.448, kurtosis
    10.164.
    """
    assert probabilistic_sharpe(0.458, 24) == pytest.approx(0.982, abs=5e-4)
    assert probabilistic_sharpe(0.458, 24, -2.448, 10.164) == pytest.approx(0.913, abs=5e-4)
    assert probabilistic_sharpe(0.458, 24) - probabilistic_sharpe(0.458, 24, -2.448, 10.164) > 0.05


@pytest.mark.parametrize(("trials", "published"), [(100, 0.9004), (46, 0.9505)])
def test_deflated_sharpe_of_bailey_and_lopez_de_prado(trials, published):
    """Their example of 2014: annual SR 2.5 from 1,250 days, skewness -3, kurtosis 10, variance of the trials' annual
    ratios 1/2.
    """
    sharpe, sd = 2.5 / math.sqrt(250), math.sqrt(0.5 / 250)
    ratios = np.random.default_rng(0).normal(size=trials)
    ratios = (ratios - ratios.mean()) / ratios.std(ddof=1) * sd
    assert deflated_sharpe(sharpe, 1250, ratios, -3.0, 10.0) == pytest.approx(published, abs=1e-3)


@pytest.mark.parametrize(
    ("per_year", "skewness", "kurtosis", "years"),
    [(250, 0.0, 3.0, 2.73), (52, 0.0, 3.0, 2.83), (12, 0.0, 3.0, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_minimum_track_record_of_bailey_and_lopez_de_prado(per_year, skewness, kurtosis, years):
    """An annual ratio of 2 shown to be above 1 at 95 %, from daily, weekly and monthly figures (2012)."""
    root = math.sqrt(per_year)
    length = minimum_track_record(2 / root, skewness, kurtosis, threshold=1 / root)
    assert length / per_year == pytest.approx(years, abs=0.006)
    # After that many periods the probabilistic Sharpe ratio is just the level.
    assert probabilistic_sharpe(2 / root, length, skewness, kurtosis, 1 / root) == pytest.approx(0.95)


def test_a_ratio_below_its_threshold_has_no_track_record():
    assert math.isnan(minimum_track_record(0.1, threshold=0.2))
    with pytest.raises(ConfigError, match=r"between 0.5 and 1, got 95"):
        minimum_track_record(0.1, level=95)
    with pytest.raises(ConfigError, match="at least 2 periods, got 1"):
        probabilistic_sharpe(0.1, 1)
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        expected_maximum(0)


def test_the_best_of_many_worthless_trials():
    """Control: chosen among 100 without any edge the plain ratio says 99 %, the deflated one no more than a coin."""
    rng = np.random.default_rng(2)
    plain, deflated = [], []
    for _ in range(60):
        pnl = rng.normal(0.0, 1.0, (100, 120))
        trials = Trials.of(pnl)
        best = pnl[trials.sharpes.argmax()]
        sharpe, skewness, kurtosis = moments(best)
        plain.append(probabilistic_sharpe(sharpe, 120, skewness, kurtosis))
        deflated.append(deflated_sharpe(sharpe, 120, trials.sharpes, skewness, kurtosis))
    assert np.mean(plain) > 0.98
    assert 0.35 < np.mean(deflated) < 0.65 and np.mean(np.array(deflated) > 0.95) < 0.05


def stages(rng, level, checkpoints=12, episodes=128, common=0.0):
    """(M, T) validations of a run whose mean rises to *level* deviations; *common* is their correlation."""
    shared = rng.normal(size=episodes) * math.sqrt(common)
    noise = rng.normal(size=(checkpoints, episodes)) * math.sqrt(1.0 - common)
    return np.linspace(-level, level, checkpoints)[:, None] + shared + noise


def test_stages_of_one_learning_are_no_independent_trials():
    """What the stages learn does not raise the hurdle of the last one; a choice among equal ones still does."""
    rng = np.random.default_rng(3)
    run = stages(rng, 0.8)
    cluster, plain = Trials.of_learnings([run]), Trials.of(run)
    assert len(cluster) == len(plain) == 12
    assert cluster.deviation == pytest.approx(1 / math.sqrt(127))
    assert cluster.threshold == pytest.approx(expected_maximum(cluster.independent) / math.sqrt(127))
    assert 11 < cluster.independent <= 12 and cluster.threshold == pytest.approx(0.147, abs=0.004)
    assert plain.threshold > 0.7  # the control: learning is taken for luck
    better = Trials.of_learnings([stages(rng, 1.6)])  # who learns more has no higher hurdle
    assert better.threshold == pytest.approx(cluster.threshold, abs=0.005)


def test_correlated_stages_count_for_fewer():
    """ρ + (1 - ρ) M (Bailey & López de Prado 2014); the same agent twelve times is one trial."""
    rng = np.random.default_rng(4)
    found = Trials.of_learnings([stages(rng, 0.5, common=0.75, episodes=20_000)])
    assert found.independent == pytest.approx(0.75 + 0.25 * 12, abs=0.05)
    same = Trials.of_learnings([np.tile(rng.normal(size=64), (12, 1))])
    assert same.independent == pytest.approx(1.0) and same.threshold == pytest.approx(0.0, abs=1e-9)
    opposite = Trials.of_learnings([[[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]])
    assert opposite.independent == 2.0  # never more than there are
    idle = Trials.of_learnings([np.zeros((3, 10))])
    assert idle.independent == 3.0


def test_several_learnings_scatter_as_their_best_do():
    rng = np.random.default_rng(5)
    runs = [stages(rng, level) for level in (0.2, 0.8, 1.4)]
    found = Trials.of_learnings(runs)
    best = [Trials.of(run).sharpes.max() for run in runs]
    assert found.deviation == pytest.approx(np.std(best, ddof=1)) and len(found) == 36
    alike = Trials.of_learnings([stages(rng, 0.8) for _ in range(3)])
    assert alike.deviation >= 1 / math.sqrt(127)  # by chance at least
    assert alike.independent == pytest.approx(sum(Trials.of_learnings([r]).independent for r in runs), abs=2)
    with pytest.raises(ConfigError, match="no training run"):
        Trials.of_learnings([])
    with pytest.raises(ConfigError, match=r"got shape \(3,\)"):
        Trials.of_learnings([[1.0, 2.0, 3.0]])


def test_the_best_stage_of_worthless_learning():
    """Control: reported on the very episodes it was chosen on, the best of twelve stages without any edge is not
    taken for a good one, correlated or not.
    """
    rng = np.random.default_rng(6)
    for common in (0.0, 0.6):
        plain, deflated = [], []
        for _ in range(200):
            run = stages(rng, 0.0, common=common)
            trials = Trials.of_learnings([run])
            sharpe, skewness, kurtosis = moments(run[trials.sharpes.argmax()])
            plain.append(probabilistic_sharpe(sharpe, 128, skewness, kurtosis))
            deflated.append(probabilistic_sharpe(sharpe, 128, skewness, kurtosis, trials.threshold))
        assert np.mean(plain) > 0.75 and np.mean(np.array(plain) > 0.95) > 0.2
        assert 0.2 < np.mean(deflated) < 0.6 and np.mean(np.array(deflated) > 0.95) < 0.06


def test_moments():
    values = np.random.default_rng(0).exponential(1.0, 200_000)
    assert moments(values) == pytest.approx((1.0, 2.0, 9.0), rel=0.05)
    assert all(math.isnan(m) for m in moments([2.1, 2.1, 2.1]))


# -- overfitting ---------------------------------------------------------------------------------------------


def test_overfitting_of_worthless_trials_and_of_a_true_winner():
    rng = np.random.default_rng(0)
    worthless = [overfitting_probability(rng.normal(size=(20, 64))) for _ in range(30)]
    assert 0.4 < np.mean(worthless) < 0.65
    winner = rng.normal(size=(20, 64))
    winner[7] += 3.0
    assert overfitting_probability(winner) == 0.0
    # Whoever wins on one half of such a game loses on the other: sums over all episodes are equal.
    seesaw = rng.normal(size=(10, 64))
    seesaw -= seesaw.mean(axis=1, keepdims=True)
    assert overfitting_probability(seesaw) == 1.0
    assert overfitting_probability(np.ones((5, 16))) == 1.0


def test_overfitting_by_hand():
    """Two trials, four blocks of two: trial 0 makes 3, 0, 0, 0, trial 1 makes 0, 1, 1, 1. With the first block in,
    trial 0 wins 3:1 inside and loses 0:2 outside (three ways); without it trial 1 wins 2:0 and loses 1:3 (three).
    """
    pnl = np.repeat([[1.5, 0, 0, 0], [0, 0.5, 0.5, 0.5]], 2, axis=1)
    assert overfitting_probability(pnl, blocks=4) == 1.0
    pnl = np.repeat([[1.5, 1, 1, 1], [0, 0.5, 0.5, 0.5]], 2, axis=1)
    assert overfitting_probability(pnl, blocks=4) == 0.0


def test_overfitting_refuses():
    with pytest.raises(ConfigError, match=r"got shape \(1, 20\)"):
        overfitting_probability(np.zeros((1, 20)))
    with pytest.raises(ConfigError, match="even and at least 4, got 5"):
        overfitting_probability(np.zeros((3, 20)), blocks=5)
    with pytest.raises(ConfigError, match="NaN"):
        overfitting_probability(np.full((3, 20), np.nan))


# -- over training seeds and markets -------------------------------------------------------------------------


def test_interquartile_mean_is_the_trimmed_mean():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for n in (1, 3, 4, 10, 17):
        values = rng.normal(size=n)
        assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25))
    assert interquartile_mean([1, 2, 3, 1000]) == 2.5
    assert np.isnan(interquartile_mean([]))
    np.testing.assert_allclose(interquartile_mean(np.arange(8).reshape(2, 4), axis=1), [1.5, 5.5])


def test_stratified_intervals():
    """Runs are resampled within each market: a market that is worth 100 more shifts the interval, and does not widen
    it.
    """
    rng = np.random.default_rng(1)
    scores = rng.normal(0.0, 1.0, (10, 3))
    plain = stratified_estimate(scores, lambda s: s.mean(axis=(-2, -1)), FEW)
    shifted = stratified_estimate(scores + [0, 0, 100], lambda s: s.mean(axis=(-2, -1)), FEW)
    assert shifted.high - shifted.low == pytest.approx(plain.high - plain.low)
    error = np.sqrt((scores.var(axis=0) / 10).sum()) / 3
    assert plain.high - plain.low == pytest.approx(2 * 1.96 * error, rel=0.06)
    # The control: resampled all together it would be far wider.
    pooled = stratified_estimate((scores + [0, 0, 100]).reshape(-1, 1), lambda s: s.mean(axis=(-2, -1)), FEW)
    assert pooled.high - pooled.low > 20 * (shifted.high - shifted.low)
    assert stratified_estimate(scores, bootstrap=FEW).value == pytest.approx(interquartile_mean(scores))
    assert stratified_estimate(scores, bootstrap=FEW) == stratified_estimate(scores, bootstrap=FEW)
    assert math.isnan(stratified_estimate([1.0]).low)
    with pytest.raises(ConfigError, match="of numbers"):
        stratified_estimate([1.0, float("nan")])


def test_improvement_probability_is_mann_whitneys():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    ours, theirs = rng.integers(0, 6, (12, 2)).astype(float), rng.integers(0, 5, (9, 2)).astype(float)
    expected = np.mean([stats.mannwhitneyu(ours[:, m], theirs[:, m]).statistic / (12 * 9) for m in range(2)])
    found = improvement_probability(ours, theirs, FEW)
    assert found.value == pytest.approx(expected) and found.low < found.value < found.high
    assert improvement_probability([2, 3], [0, 1]).value == 1.0
    assert improvement_probability([1, 1], [1, 1]).value == 0.5
    with pytest.raises(ConfigError, match="ours has 2 markets, theirs 1"):
        improvement_probability(ours, theirs[:, :1])


def test_performance_profile():
    np.testing.assert_allclose(performance_profile([[1, 2], [3, 4]], [0, 2, 3.5, 9]), [1, 0.5, 0.25, 0])


# -- paired tests --------------------------------------------------------------------------------------------


def test_p_value_is_exact_for_few_pairs():
    """Of the 2⁴ sign patterns of 1, 2, 3, 4 two have a sum as large as 10: p = 1/8."""
    assert paired_p_value([1, 2, 3, 4], [0, 0, 0, 0], flips=40_000) == pytest.approx(1 / 8, abs=0.006)
    assert paired_p_value([1.0, 1.0], [1.0, 1.0]) == 1.0
    assert math.isnan(paired_p_value([1.0], [0.0]))
    with pytest.raises(ConfigError, match="got 2 and 3"):
        paired_p_value([1, 2], [1, 2, 3])


def test_p_values_hold_their_level_and_find_a_difference():
    rng = np.random.default_rng(4)
    market = rng.normal(0, 10, (300, 40))
    noise = [rng.normal(0, 1, (300, 40)) for _ in range(2)]
    under_null = np.array([paired_p_value(m + a, m + b, 999) for m, a, b in zip(market, *noise, strict=True)])
    assert 0.02 < np.mean(under_null < 0.05) < 0.09
    assert paired_p_value(market[0] + noise[0][0] + 1.5, market[0] + noise[1][0]) < 0.001
    # The control: without the pairing the same difference drowns in the market.
    assert paired_p_value(market[0] + noise[0][0] + 1.5, market[1] + noise[1][0]) > 0.05


def test_p_value_agrees_with_the_paired_t_test():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(5)
    ours, theirs = rng.normal(0.3, 1, 80), rng.normal(0, 1, 80)
    assert paired_p_value(ours, theirs) == pytest.approx(stats.ttest_rel(ours, theirs).pvalue, abs=0.02)


def test_holm():
    """Four p-values of Holm's own kind: 0.01·4, 0.02·3, 0.03·2, 0.04·1, and none below one before it."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm({"a": 0.001, "b": float("nan"), "c": 0.5})["a"] == pytest.approx(0.002)
    assert math.isnan(holm({"a": 0.001, "b": float("nan")})["b"])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


# -- effective sample size -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_effective_sample_of_an_autoregression(rho):
    """n (1 - ρ) / (1 + ρ) for an AR(1)."""
    rng = np.random.default_rng(6)
    n, series = 4000, np.zeros((20, 4000))
    for t in range(1, n):
        series[:, t] = rho * series[:, t - 1] + rng.normal(size=20)
    assert effective_sample_size(series).mean() == pytest.approx(n * (1 - rho) / (1 + rho), rel=0.1)


def test_effective_sample_of_short_series():
    assert effective_sample_size([1.0, -1.0] * 4) == 8.0  # never more than there are
    np.testing.assert_array_equal(effective_sample_size([[1, 1, 1], [1, np.nan, np.nan]]), [3, 1])
    assert np.isnan(effective_sample_size(np.full((1, 3), np.nan)))[0]


# -- as metrics ----------------------------------------------------------------------------------------------


def test_metrics_of_significance():
    rng = np.random.default_rng(7)
    net = np.round(rng.normal(0.4, 1.0, 50), 4)
    ours, theirs = from_final_pnl("ours", net), from_final_pnl("theirs", np.round(rng.normal(0, 1, 50), 4))
    trials = Trials.of(rng.normal(0.0, 1.0, (12, 64)))
    found = PerformanceMetrics(ours, reference=theirs, trials=trials, bootstrap=FEW)
    sharpe, skewness, kurtosis = moments(net)
    assert found["probabilistic_sharpe_ratio"].value == probabilistic_sharpe(sharpe, 50, skewness, kurtosis)
    assert found["deflated_sharpe_ratio"].value == deflated_sharpe(sharpe, 50, trials.sharpes, skewness, kurtosis)
    assert found["minimum_track_record_length"].value == minimum_track_record(sharpe, skewness, kurtosis)
    assert found["trials"].value == 12
    assert found["overfitting"].value == overfitting_probability(trials.pnl)
    assert found["iqm_pnl"].value == pytest.approx(interquartile_mean(net))
    assert found["iqm_pnl"].low < found["iqm_pnl"].value < found["iqm_pnl"].high
    assert found["difference"].value == pytest.approx((ours.net_pnl - theirs.net_pnl).mean())
    assert found["improvement"].value == np.mean(ours.net_pnl > theirs.net_pnl)
    assert found["p_value"].value == paired_p_value(ours.net_pnl, theirs.net_pnl)
    for m in METRICS.values():
        if m.group == "significance" and m.name != "effective_sample":
            assert m.reasons(Panel(ours))[0].startswith("only a set of episodes has")
