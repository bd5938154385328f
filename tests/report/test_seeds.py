"""Learners with several training seeds."""

import numpy as np
import pytest

from hft_gym import cli
from hft_gym.errors import ConfigError
from hft_gym.report import Bootstrap, across_seeds, compare, improvement_probability, interquartile_mean
from hft_gym.report.parts import write_part
from hft_gym.report.seeds import markets_of, runs_of, score_runs
from tests.report.examples import from_final_pnl

FEW = Bootstrap(1000)


def market(best, runs, **meta):
    """A comparison in which the best baseline makes *best* an episode and the runs what is said."""
    played = [from_final_pnl("do-nothing", [0.0] * 4), from_final_pnl("maker", [best] * 4)]
    played += [from_final_pnl(name, [value] * 4) for name, value in runs.items()]
    return compare(played, list(runs), FEW, meta)


ONE = market(2.0, {"a0": 1.0, "a1": 3.0, "a2": 4.0, "b0": 1.0, "b1": 1.0})
TWO = market(10.0, {"a0": 20.0, "a1": 5.0, "a2": 12.0, "b0": 10.0, "b1": 5.0})


def test_scores_are_in_units_of_the_best_baseline():
    found = across_seeds([ONE, TWO], {"a": ["a0", "a1", "a2"], "b": ["b0", "b1"]}, FEW)
    np.testing.assert_allclose(found["a"].scores, [[0.5, 2.0], [1.5, 0.5], [2.0, 1.2]])
    assert found["a"].iqm.value == pytest.approx(interquartile_mean([0.5, 2.0, 1.5, 0.5, 2.0, 1.2]))
    assert found["a"].mean.value == pytest.approx(7.7 / 6)
    assert found["a"].improvement.value == pytest.approx(4 / 6)
    assert found["a"].optimality_gap.value == pytest.approx((0.5 + 0.5) / 6)
    assert found["a"].iqm.low < found["a"].iqm.value < found["a"].iqm.high
    assert found["b"].improvement.value == pytest.approx((0 + 0.5 + 0 + 0) / 4)  # 0.5, 1, 0.5, 0.5; a tie is a half
    assert found["a"].profile[1.0] == pytest.approx(4 / 6) and found["a"].profile[2.0] == 0.0
    single = across_seeds(ONE, {"a": ["a0", "a1"]}, FEW)["a"]
    np.testing.assert_allclose(single.scores, [[0.5], [1.5]])


def test_one_run_has_no_interval():
    assert np.isnan(across_seeds(ONE, {"a": ["a0"]}, FEW)["a"].iqm.low)


def test_refused():
    with pytest.raises(ConfigError, match="no run 'ao' in a comparison"):
        across_seeds(ONE, {"a": ["ao"]})
    with pytest.raises(ConfigError, match="learner 'a' has no runs"):
        across_seeds(ONE, {"a": []})
    with pytest.raises(ConfigError, match="at least one comparison"):
        across_seeds([], {"a": ["a0"]})
    with pytest.raises(ConfigError, match=r"the best baseline, do-nothing, makes \+0.00"):
        across_seeds(market(-1.0, {"a0": 1.0}), {"a": ["a0"]})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Three training runs on each of two markets, each run with an evaluation of its own, as training leaves them."""
    folder = tmp_path_factory.mktemp("parts")
    parts = []
    for name, best, values in (("poisson", 2.0, (1.0, 3.0, 4.0)), ("calm", 10.0, (20.0, 5.0, 12.0))):
        for i, value in enumerate(values):
            runs = {f"a-{name}-{i}": value, f"b-{name}-{i}": best / 2}
            made = market(best, runs, config={"market": {"flow": name}})
            parts.append(write_part(made, folder, parquet=False))
    return folder, parts


def test_stored_evaluations_of_one_market_go_together(store):
    _, parts = store
    markets = markets_of(parts)
    assert [m.market for m in markets] == ["poisson", "calm"]
    assert [m.best_baseline for m in markets] == [("maker", 2.0), ("maker", 10.0)]
    runs = runs_of(markets, ["a-*"])
    assert runs["a-*"][1] == ["a-calm-0", "a-calm-1", "a-calm-2"]
    gain = score_runs(markets, runs, FEW)["a-*"]
    np.testing.assert_allclose(gain.scores, [[0.5, 2.0], [1.5, 0.5], [2.0, 1.2]])
    assert gain.iqm == across_seeds([ONE, TWO], {"a": ["a0", "a1", "a2"]}, FEW)["a"].iqm  # the same statistics
    less = score_runs(markets, runs, FEW, "difference")["a-*"]
    np.testing.assert_allclose(less.scores, [[-1, 10], [1, -5], [2, 2]])
    assert less.optimality_gap.value == pytest.approx(1.0) and less.improvement == gain.improvement


def test_the_command_tells_what_the_functions_say(store, capsys):
    folder, parts = store
    words = ["--parts", str(folder), "--learners", "a-*", "b-*"]
    assert cli.main(["runs", "compare", "all", "--across-seeds", *words]) == 0
    text = capsys.readouterr().out
    markets = markets_of(parts)
    found = score_runs(markets, runs_of(markets, ["a-*", "b-*"]), FEW, "difference")
    line = next(line for line in text.splitlines() if line.strip().startswith("a-*"))
    assert line.split()[:4] == ["a-*", "3", "2", f"{found['a-*'].iqm.value:.2f}"]
    chance = improvement_probability(found["a-*"].scores, found["b-*"].scores, FEW)
    assert f"beats one of b-*): {chance.value:.2f} [{chance.low:.2f}" in text
    assert "calm: best baseline maker, +10.00" in text


def test_what_the_command_refuses(store, capsys):
    folder, parts = store
    words = ["--parts", str(folder), "--across-seeds"]
    for more, why in (
        (["all", "--learners", "c-*"], "no agent fits 'c-*'"),
        (["all", "--learners", "*-0", "*calm*"], "6 in calm, 0 in poisson"),
        ([parts[0].id, parts[0].id], "in two evaluations of one market"),
        ([], "which?"),
    ):
        assert cli.main(["runs", "compare", *more, *words]) == 2
        assert why in capsys.readouterr().err
    with pytest.raises(ConfigError, match="score: 'gains'; did you mean 'gain'"):
        score_runs(markets_of(parts), {}, FEW, "gains")
