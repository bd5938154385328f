"""The queue-reactive estimators on a market of known intensities; models, files and the command."""

import tomllib

import gymnasium
import numpy as np
import pytest

from hft_gym import ConfigError, FlowConfig, MarketConfig, calibrate
from hft_gym.calibration import MODELS, fit_queues, models, queue_residuals, reference_price
from hft_gym.calibration import command as calibrate_command
from hft_gym.calibration.models import events_of, natural_lot, sign_memory, size_weights, value_volatility
from hft_gym.config import build
from hft_gym.flow.queue_reactive import QueueReactiveConfig
from hft_gym.realism import Sample, measure, simulate_tape
from tests.data_files import shared_lobster
from tests.realism.tape_maker import ASK, BID, CANCEL, EXECUTE, LIMIT, make_tape
from tests.realism.test_facts import trading_tape, walk_tape
from tests.realism.test_series import split_parents

pytest.importorskip("scipy")
LIMIT_RATES = (4.0, 3.0, 2.5, 2.0, 1.5, 1.0)
CANCEL_RATES = (0.0, 0.3, 0.6, 0.9, 1.2, 1.5)
MARKET_RATES = (0.0, 0.8, 0.6, 0.5, 0.4, 0.3)
QUEUES = QueueReactiveConfig(limit=((LIMIT_RATES,),) * 2, cancel=((CANCEL_RATES,),) * 2, market=((MARKET_RATES,),) * 2)


def still_market(queues):
    """A market whose reference price never moves (theta 0)."""
    flow = FlowConfig(limit_rates=(0.0,), cancel_rates=(0.0,), market_rate=0.0, queue_reactive=queues)
    return MarketConfig(flow=flow, initial_price=1_000, warm_up_ns=10**10)


def test_reference_prices_by_hand():
    """Odd spread: the mid; even: the half tick next to the reference before."""
    bid, ask = [10, 10, 9, 9, 10, 8], [11, 12, 11, 10, 12, 10]
    assert reference_price(bid, ask).tolist() == [10, 10, 10, 9, 10, 9]


def test_intensities_come_back():
    """Of the first queue of a market of model I, by size, within four standard errors."""
    tape = simulate_tape(still_market(QUEUES), 20_000, levels=3)
    fit = fit_queues(tape, 2)
    assert fit.aes == 1.0
    for n in range(1, 6):
        for name, true in (("limit", LIMIT_RATES), ("cancel", CANCEL_RATES)):
            assert abs(fit.rates[name][0, n] - true[n]) < 4 * fit.errors[name][0, n] + 0.02 * true[n], (name, n)
    assert (np.diff(fit.rates["cancel"][0, 1:6]) > 0).all() and (np.diff(fit.rates["limit"][0, 1:6]) < 0).all()
    again = fit.config(theta=0.0)
    assert again.cancel[0][0][1:6] == pytest.approx(fit.rates["cancel"][0, 1:6])
    # The law of the model made from the estimates is the data's, so that its queues neither dry up nor grow.
    assert np.abs(again.law(0) - fit.smooth_law()[0]).sum() < 1e-6
    assert np.abs(fit.smooth_law()[0] - fit.law[0]).sum() < 0.25


def test_residuals_of_queue_sizes():
    """Waiting times rescaled by the fitted intensities are exponential."""
    tape = simulate_tape(still_market(QUEUES), 2_000, levels=3)
    found = queue_residuals(tape, fit_queues(tape, 2))
    assert set(found) == {f"{n} {s}" for n in ("limit", "cancel", "market") for s in ("bid", "ask")}
    for name, residual in found.items():
        assert residual.mean == pytest.approx(1.0, abs=0.1), name
        assert residual.p > 1e-3, name


def test_queues_that_cannot_be_fitted():
    with pytest.raises(ConfigError, match="queues is 9"):
        fit_queues(simulate_tape("cst2010", 3_600, levels=3), 9)
    with pytest.raises(ConfigError, match="0 levels"):
        fit_queues(simulate_tape("cst2010", 3_600, levels=0))


# -- what the models share -----------------------------------------------------------------------------------------


def test_events_of_a_tape():
    rows = (
        (1.0, LIMIT, BID, 100, 2, 7),
        (2.0, EXECUTE, ASK, 102, 3, 1),
        (2.0, EXECUTE, ASK, 102, 1, 2),  # of the same market order
        (3.0, EXECUTE, BID, 100, 1, 3),
        (4.0, CANCEL, ASK, 102, 1, 1),
    )
    time, kind = events_of(make_tape({100: 4}, {102: 5, 103: 1}, rows, end=5.0))
    assert time.tolist() == [1.0, 2.0, 3.0, 4.0] and kind.tolist() == [0, 4, 5, 3]


def test_sizes_in_lots():
    assert size_weights([1, 100, 101, 10**6], 100) == pytest.approx((0.5, 0.25, *[0.0] * 61, 0.25))
    tape = make_tape({100: 4}, {102: 5}, [(1.0 + i, LIMIT, BID, 99, 500, i + 1) for i in range(50)], end=60.0)
    assert natural_lot(tape) == 10  # 64 lots of 10 hold 500, of 5 they do not


def test_memory_and_volatility():
    """alpha of split metaorders within the theory page's tolerance; the walk's sd is 2 steps a second, so sqrt(2)."""
    tape = trading_tape(60_000)
    records = tape.records.copy()
    sign = split_parents(20, 1.5, len(records), np.random.default_rng(2))
    records["side"] = np.where(sign > 0, ASK, BID)
    memory = sign_memory(type(tape)(records, tape.book, tape.opening, tape.start, tape.end))
    assert memory.value == pytest.approx(1.5, abs=0.15)
    assert np.isnan(sign_memory(tape).value)
    sigma = value_volatility(walk_tape())
    assert sigma.value == pytest.approx(np.sqrt(2.0), abs=4 * sigma.error) and sigma.error < 0.2


# -- models, files, command ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tape():
    return simulate_tape("poisson", 300, seed=3, levels=10)


@pytest.mark.parametrize("model", ["cst", "hawkes"])
def test_a_model_gives_a_market_that_runs(tape, model, tmp_path):
    found = calibrate(tape, model)
    text = found.to_toml("made by\na test")
    assert text.startswith("# made by\n# a test\n# model ")
    assert build(MarketConfig, tomllib.loads(text)) == found.market
    path = tmp_path / "market.toml"
    path.write_text(text)
    env = gymnasium.make("hft_gym:HFTMarket-v0", market=path)
    assert env.unwrapped.config.market == found.market
    env.reset(seed=1)
    assert env.unwrapped.reference_price == found.market.initial_price
    names = {p.name for p in found.parameters}
    assert {"market_rate", "limit_rates[1]", "metaorders alpha", "value_volatility"} <= names
    assert all(p.error >= 0 or np.isnan(p.error) for p in found.parameters)
    assert set(found.poisson) == set(found.residuals) and len(found.residuals) == 6
    made = measure(simulate_tape(found.market, 300, levels=10), ["events"])["events"].values
    ours = measure(Sample(tape), ["events"])["events"].values
    assert made["per_second"] == pytest.approx(ours["per_second"], rel=0.35)


def test_the_spread_model_is_searched_and_written_as_a_preset(tape, monkeypatch):
    """The search never ends farther off than it began; the module it writes holds the market that was found."""
    monkeypatch.setattr(models, "EVALUATIONS", 5)
    told = []
    found = calibrate(tape, "spread-hawkes", say=told.append)
    distances = [float(text.rsplit(" ", 1)[1]) for text in told]
    assert distances == sorted(distances, reverse=True) and len(distances) >= 2
    assert found.lot == 1 and {"newest share", "knob cancel (log)"} <= {p.name for p in found.parameters}
    module = {}
    exec(found.to_module("A tape.", "hft-gym calibrate"), module)
    assert build(MarketConfig, module["SETTINGS"] | {"flow": module["FLOW"]}) == found.market
    assert module["LOT"] == 1 and "A tape. One lot is 1" in module["__doc__"]
    assert build(MarketConfig, tomllib.loads(found.to_toml())) == found.market


def test_hawkes_residuals_beat_poissons_on_excited_data():
    data = simulate_tape(calibrate(shared_lobster("AMZN", 5), "hawkes").market, 600, levels=5)
    found = calibrate(data, "hawkes", metaorder_share=0.0, lot=1)
    for kind in ("limit_bid", "limit_ask"):
        assert found.residuals[kind].distance < 0.5 * found.poisson[kind].distance


def test_queue_reactive_on_a_market_of_queues():
    queues = QueueReactiveConfig(
        limit=((LIMIT_RATES,),) * 3,
        cancel=((CANCEL_RATES,),) * 3,
        market=((MARKET_RATES,),) * 3,
        theta=0.8,
        theta_reinit=0.5,
    )
    flow = FlowConfig(limit_rates=(0.0,), cancel_rates=(0.0,), market_rate=0.0, queue_reactive=queues)
    data = simulate_tape(MarketConfig(flow=flow, initial_price=1_000, warm_up_ns=10**10), 600, levels=5)
    found = calibrate(data, "queue-reactive")
    assert build(MarketConfig, tomllib.loads(found.to_toml())) == found.market
    assert found.market.order_flow.queue_reactive is not None and found.lot == 1
    made = measure(simulate_tape(found.market, 600, levels=5), ["volatility"])["volatility"].values
    assert made["s10"] == pytest.approx(measure(data, ["volatility"])["volatility"].values["s10"], rel=0.5)


def test_refusals(tape):
    with pytest.raises(ConfigError, match="did you mean 'hawkes'"):
        calibrate(tape, "hawks")
    with pytest.raises(ConfigError, match="metaorder_share is 1"):
        calibrate(tape, "hawkes", metaorder_share=1.0)
    with pytest.raises(ConfigError, match="none of these"):
        calibrate(tape, "cst", lot=5)
    with pytest.raises(ConfigError, match="0 records"):
        calibrate(tape.between(0, 1), "cst")
    with pytest.raises(ConfigError, match="has no metaorders"):
        calibrate(tape, "spread-hawkes", metaorder_share=0.5)
    assert set(MODELS) == {"cst", "queue-reactive", "hawkes", "spread-hawkes"}


def test_the_command(tmp_path, capsys):
    pytest.importorskip("plotly")
    out, report = tmp_path / "market.toml", tmp_path / "report"
    path = shared_lobster("GOOG", 10)
    assert (
        calibrate_command.main([str(path), "--model", "cst", "-o", str(out), "--part", "1", "--report", str(report)])
        == 0
    )
    assert out.read_text().startswith("# hft-gym calibrate ")
    build(MarketConfig, tomllib.loads(out.read_text()))
    assert {p.name for p in report.iterdir()} == {"calibration.html", "scorecard.html", "scorecard.json"}
    assert "limit_rates ± 2 standard errors" in (report / "calibration.html").read_text()
    text = " ".join(capsys.readouterr().out.split())
    assert "KS distance" in text and "times as far from the real data as CST" in text
    with pytest.raises(ConfigError, match="part is 7"):
        calibrate_command.main([str(path), "--part", "7"])
    with pytest.raises(ConfigError, match="did you mean 'cst'"):
        calibrate_command.main([str(path), "--model", "cts"])
