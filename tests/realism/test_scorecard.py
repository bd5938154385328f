"""The CST estimators on a market of known rates, the experiment on impact, the checks, the scorecard, the command."""

import dataclasses
import json
import math

import numpy as np
import pytest

from hft_gym import ConfigError, FlowConfig, Market
from hft_gym.flow.presets import preset
from hft_gym.realism import FACTS, fit_cst, in_shares, measure, metaorder_impact, scorecard, simulate_tape
from hft_gym.realism import checks as realism_checks
from hft_gym.realism import command as realism_command
from hft_gym.realism.checks import LIMITS, Check, check_facts, sampled_quotes
from hft_gym.realism.markdown import markdown
from hft_gym.realism.scorecard import COLUMNS, CST, MARKET, OTHER
from tests.data_files import shared_lobster
from tests.market.helpers import SECOND, digest


@pytest.fixture(scope="module")
def plain():
    return simulate_tape("cst2010", 60 * 3_600, levels=20)


def test_the_estimators_give_back_the_rates(plain):
    """lambda, theta, mu of Cont, Stoikov and Talreja's own flow, each within four standard errors."""
    fit, true = fit_cst(plain), preset("cst2010")
    assert fit.unit == 1.0 and fit.lot == 1 and fit.seconds == 60 * 3_600
    for i in range(5):
        assert abs(fit.limit_rates[i] - true.limit_rates[i]) < 4 * fit.limit_errors[i]
        assert abs(fit.cancel_rates[i] - true.cancel_rates[i]) < 4 * fit.cancel_errors[i]
    assert fit.market_rate == pytest.approx(true.market_rate, rel=0.05)
    flow = fit.flow()
    assert flow.limit_rates[:5] == pytest.approx(fit.limit_rates[:5]) and flow.distance_width == 1
    assert sum(flow.limit_rates) == pytest.approx(fit.limit_rates.sum())
    with pytest.raises(ConfigError, match="levels: must be at least 64"):
        fit.market(levels=1)
    with pytest.raises(ConfigError, match="0 levels"):
        fit_cst(simulate_tape("cst2010", 3_600, levels=0))


def test_units_of_the_estimators(plain):
    """Orders of 100 shares are one unit each: rates stay, the unit does not."""
    fit, shares = fit_cst(plain), fit_cst(in_shares(plain, 100))
    assert shares.unit == 100.0 and shares.lot == 100
    assert np.allclose(fit.limit_rates, shares.limit_rates) and np.allclose(fit.cancel_rates, shares.cancel_rates)
    with pytest.raises(ConfigError, match="lot is 0"):
        in_shares(plain, 0)


def test_a_wide_book_takes_entries_of_several_ticks(plain):
    fit = fit_cst(plain)
    rates = np.zeros(256)
    rates[:100] = 0.01
    flow = dataclasses.replace(fit, limit_rates=rates).flow()
    assert flow.distance_width == 2 and sum(flow.limit_rates) == pytest.approx(1.0)
    assert isinstance(flow, FlowConfig) and flow.limit_rates[0] == pytest.approx(0.02)


def test_impact_in_plain_poisson_flow_is_linear_and_stays():
    """The control of the square-root law: exponent near 1, nothing decays."""
    found = metaorder_impact("cst2010", children=(4, 8, 16, 32), repeats=40, after=(1.0,))
    assert found.law.exponent == pytest.approx(1.0, abs=0.25) and found.law.r2 > 0.95
    assert found.relaxed[0] > 0.7
    assert (np.diff(found.impact) > 0).all() and (found.error < found.impact / 2).all()
    assert found.participation[-1] / found.participation[0] == 8
    again = metaorder_impact("cst2010", children=(4, 8, 16, 32), repeats=40, after=(1.0,))
    assert (again.impact == found.impact).all()
    with pytest.raises(ConfigError, match="ascending"):
        metaorder_impact("cst2010", children=(4, 2))
    silent = {"flow": {"limit_rates": [1.0], "market_rate": 0.0}}
    with pytest.raises(ConfigError, match="0 trades"):
        metaorder_impact(silent)


def test_checks_and_their_limits():
    tape = simulate_tape("poisson", 600, levels=0)
    found = check_facts(measure(tape))
    assert [c.name for c in found] == [n for n, row in LIMITS.items() if row[0] != "impact"]
    assert not Check("x", "", math.nan, 0.0, 1.0).passed and Check("x", "", 1.0, 0.0, 1.0).passed
    failed = {c.name for c in found if not c.passed}
    assert {"D2 exponent", "D9", "D12"} <= failed  # plain Poisson flow with informed traders
    for fact, figure, *_ in LIMITS.values():
        assert fact == "impact" or figure in FACTS[fact].values or figure in ("falling", "trade_share")


def test_all_checks_of_a_market(monkeypatch):
    monkeypatch.setattr(realism_checks, "EXECUTIONS", 2_000)
    found = realism_checks.D_checks("poisson", long_hours=2.0, repeats=4)
    assert [c.name for c in found] == list(LIMITS)
    assert not next(c for c in found if c.name == "D1 exponent").passed
    assert sum(math.isfinite(c.value) for c in found) >= 18  # the others need longer tapes


def test_sampled_quotes_are_the_tapes():
    market, twin = Market("default", 4), Market("default", 4)
    coarse, fine = sampled_quotes(market, 120), twin.record(120 * SECOND)
    assert digest(market) == digest(twin) and coarse.seconds == fine.seconds == 120
    a, b = (measure(t, ["volatility", "kurtosis"]) for t in (coarse, fine))
    for name in ("volatility", "kurtosis"):
        assert a[name].values == pytest.approx(b[name].values, nan_ok=True), name


@pytest.fixture(scope="module")
def card():
    data = simulate_tape("poisson", 300, seed=5, levels=5)
    return scorecard("poisson", data, repeats=4, seed=1)


def test_a_market_against_itself_is_as_near_as_another_hour(card):
    """The same model as data: the market is no farther than the yardstick, CST (without informed traders) is."""
    ratios = card.ratios()
    assert ratios["l1"]["over_real"] < 1.5 and ratios["l1"]["over_cst"] < 0.75
    assert set(card.facts) == set(COLUMNS) and set(card.scores) == {OTHER, MARKET, CST}
    assert card.meta["parts"] == 2 and card.meta["seconds"] == 150
    assert len(card.verdicts()) == 2


def test_the_scorecard_as_table_json_and_page(card):
    from rich.console import Console

    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(card.facts_table())
    console.print(card.scores_table())
    text = console.export_text()
    assert all(fact.title in text for fact in FACTS.values()) and "ask_volume | spread" in text
    document = json.loads(card.to_json())
    assert set(document["facts"]) == set(FACTS) and set(document["scores"]) == {OTHER, MARKET, CST}
    assert document["facts"]["spread"]["values"]["real"]["mean"] == card.facts["real"]["spread"].values["mean"]
    page = markdown(card, "poisson")
    assert all(fact.title in page for fact in FACTS.values()) and "ask_volume given spread" in page
    assert ("L1 against CST: reached" in page) == (card.ratios()["l1"]["over_cst"] <= 0.5)
    widths = {line.count("|") for line in page.splitlines() if line.startswith("|")}
    assert widths == {8}
    pytest.importorskip("plotly")
    from hft_gym.realism.page import html

    page = html(card)
    assert page.count('class="plotly-graph-div"') == len(FACTS) + 1
    assert "cdn.plot.ly" not in page.split("</head>")[0] and "Spread" in page


def test_wrong_parts():
    data = simulate_tape("poisson", 60, levels=1)
    for wrong in ({"part": 2}, {"other": -1}, {"part": 1, "other": 1}, {"fitted": 5}):
        with pytest.raises(ConfigError, match=r"part is 2|other is|fitted is 5"):
            scorecard("poisson", data, impact=False, **wrong)


def test_the_command(tmp_path, capsys):
    path = shared_lobster("GOOG", 10)
    out = tmp_path / "card"
    arguments = ["--market", "poisson", "--against", str(path), "--out", str(out), "--no-impact", "--seconds", "300"]
    assert realism_command.main(arguments) == 0
    document = json.loads((out / "scorecard.json").read_text())
    assert "--no-impact" in document["meta"]["command"] and document["meta"]["data"] == "GOOG"
    assert "times as far from the real data as CST" in " ".join(capsys.readouterr().out.split())


def test_the_checks_of_the_command(monkeypatch, capsys, tmp_path):
    """The exit status says whether all passed."""
    good, bad = Check("D3", "memory of returns", 0.01, -0.05, 0.05), Check("D4 fat", "kurtosis", 1.0, 3.0, math.inf)
    monkeypatch.chdir(tmp_path)
    for found, status in (([good], 0), ([good, bad], 1)):
        monkeypatch.setattr(realism_command, "D_checks", lambda market, seed, found=found: found)
        assert realism_command.main(["--market", "cst2010", "--checks"]) == status
    assert "missed" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    out = tmp_path / "new" / "folder"
    assert realism_command.main(["--market", "cst2010", "--checks", "--out", str(out)]) == 1
    written = json.loads((out / "checks.json").read_text())
    assert [(c["name"], c["passed"]) for c in written["checks"]] == [("D3", True), ("D4 fat", False)]
    assert written["market"]["flow"] == "cst2010" and "--checks" in written["command"]


def test_the_command_without_data():
    with pytest.raises(ConfigError, match="--against is missing"):
        realism_command.main(["--market", "poisson"])
