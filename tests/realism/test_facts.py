"""The facts: hand-made tapes of known answer, processes of known law, and the figures stated for the real data."""

import json

import numpy as np
import pytest

from hft_gym import ConfigError
from hft_gym.market import TAPE, Tape
from hft_gym.realism import FACTS, Sample, measure, read_tape, series
from hft_gym.realism.facts_flow import order_flow_imbalance, slope, windows
from tests.data_files import shared_data, shared_lobster
from tests.realism.tape_maker import ASK, BID, CANCEL, EXECUTE, HIDDEN, LIMIT, NS, make_tape, tape_of_quotes

SMALL = (
    (1.0, LIMIT, BID, 100, 2, 7),  # at the best
    (2.0, EXECUTE, ASK, 102, 3, 1),  # the ask of 5 loses 3 ...
    (2.0, HIDDEN, ASK, 102, 9, 0),
    (2.0, EXECUTE, ASK, 102, 2, 2),  # ... and then its last 2: one trade of 5, and the spread opens to 4
    (3.0, LIMIT, ASK, 103, 4, 8),  # inside the spread
    (4.0, EXECUTE, BID, 100, 1, 3),
    (6.0, CANCEL, ASK, 103, 4, 8),  # lived 3 s
    (8.0, CANCEL, BID, 100, 2, 7),  # lived 7 s
)


@pytest.fixture(scope="module")
def small():
    return make_tape({100: 4, 99: 1}, {102: 5, 104: 6}, SMALL, end=10.0)


def values(tape, name):
    return measure(tape, [name])[name].values


def test_spread_and_touch(small):
    """Spread 2 until 2 s, 4 until 3 s, 3 until 6 s, 4 to the end."""
    found = measure(small, ["spread", "touch"])
    assert found["spread"].curve.x.tolist() == [2, 3, 4]
    assert found["spread"].curve.y == pytest.approx([0.2, 0.3, 0.5])
    assert found["spread"].values["mean"] == pytest.approx(3.3)
    assert found["spread"].values["median"] == 3 and found["spread"].values["share_one_tick"] == 0.0
    # Bid: 4 for 1 s, 6 for 3 s, 5 for 4 s, 3 for 2 s. Ask: 5 for 2 s, 6 for 1 s, 4 for 3 s, 6 for 4 s.
    assert found["touch"].values["mean"] == pytest.approx(((4 + 18 + 20 + 6) + (10 + 6 + 12 + 24)) / 20)


def test_kinds_places_and_lifetimes(small):
    found = measure(small, ["events", "placement", "lifetimes", "depth"])
    assert found["events"].curve.y == pytest.approx(np.array([2, 0, 2, 3, 1]) / 8)
    assert found["events"].values["per_second"] == 0.8 and found["events"].values["trades_per_second"] == 0.2
    assert found["events"].values["cancel_per_limit"] == 1.0
    assert found["placement"].values["at_best"] == 0.5 and found["placement"].values["inside"] == 0.5
    assert found["lifetimes"].values["cancel_q50"] == 5.0
    assert found["depth"].curve.x.tolist() == [1, 2, 3]


def test_trades(small):
    t = series.trades(small)
    assert t.sign.tolist() == [1, -1] and t.volume.tolist() == [5, 1] and t.time.tolist() == [2 * NS, 4 * NS]
    assert t.mid.tolist() == [101.0, 101.5] and t.mid_after.tolist() == [102.0, 101.5]
    assert t.spread.tolist() == [2, 3] and t.touch.tolist() == [5, 6]


def test_order_flow_imbalance(small):
    """Equation (2) by hand: +2 at the bid; -(-3), -(-2) at the ask as it empties; -4 for the better ask; ..."""
    e = order_flow_imbalance(series.quotes(small))
    assert e.tolist() == [0, 2, 3, 0, 2, -4, -1, 4, -2]


def test_what_a_tape_cannot_tell_is_undefined(small):
    found = measure(small)
    assert list(found) == list(FACTS)
    for name in ("acf_signs", "ofi", "response", "micro_price", "volume_volatility"):
        assert all(np.isnan(v) for v in found[name].values.values()), name
    for name, fact in FACTS.items():
        assert set(found[name].values) == set(fact.values), name
        assert len(found[name].curve.x) == len(found[name].curve.y)
    with pytest.raises(ConfigError, match="did you mean 'spread'"):
        measure(small, ["spred"])
    empty = make_tape({}, {5: 1}, (), end=1.0)
    with pytest.raises(ConfigError, match="never quotes on both sides"):
        measure(empty)


def walk_tape(seed=0, n=40_000, rate=2.0):
    """A random walk of one-tick steps at Poisson times: the mid that theory knows everything about."""
    rng = np.random.default_rng(seed)
    time = np.concatenate([[0.0], np.cumsum(rng.exponential(1 / rate, n))])
    bid = 10_000 + np.concatenate([[0], np.cumsum(rng.choice([-1, 1], n))])
    return tape_of_quotes(time, bid, bid + 1)


def test_a_poisson_walk_has_no_facts():
    """Variance rate^(1/2), a flat signature, kurtosis 1 / (rate tau), no memory, exponential waiting."""
    found = measure(
        walk_tape(), ["volatility", "signature", "kurtosis", "acf_returns", "acf_volatility", "interarrival"]
    )
    assert found["volatility"].values["s1"] == pytest.approx(np.sqrt(2.0), rel=0.02)
    assert found["signature"].values["flatness"] < 0.2
    assert found["signature"].values["c1"] == pytest.approx(2.0, rel=0.03)
    assert found["kurtosis"].values["k1"] == pytest.approx(0.5, abs=0.1)
    assert abs(found["acf_returns"].values["lag1"]) < 0.02
    assert abs(found["acf_volatility"].values["lag10"]) < 0.03
    assert found["interarrival"].values["variation"] == pytest.approx(1.0, abs=0.02)
    assert found["interarrival"].values["q50"] == pytest.approx(np.log(2) / 2, rel=0.03)


def test_a_bouncing_mid_has_a_falling_signature():
    """m alternating at Poisson times: Var(tau) / tau ~ 1 / tau, and C(1) known in closed form."""
    rng = np.random.default_rng(1)
    time = np.concatenate([[0.0], np.cumsum(rng.exponential(1.0, 20_000))])
    bid = 100 + np.arange(20_001) % 2
    found = values(tape_of_quotes(time, bid, bid + 1), "signature")
    assert found["c1"] == pytest.approx(0.5 * (1 - np.exp(-2.0)), rel=0.05)
    assert found["c60"] == pytest.approx(0.5 / 60, rel=0.05)


def trading_tape(n=20_000, seed=0, alternate=False, impact=1):
    """Every second a trade of random sign that moves the quotes by *impact* for good."""
    rng = np.random.default_rng(seed)
    sign = np.where(np.arange(n) % 2, 1, -1) if alternate else rng.choice([-1, 1], n)
    records = np.zeros(n, TAPE)
    bid = 10_000 + np.cumsum(impact * sign)
    records["time"] = (1 + np.arange(n)) * NS
    records["kind"], records["side"] = EXECUTE, np.where(sign > 0, ASK, BID)
    before = bid - impact * sign
    records["quantity"], records["price"] = 1, np.where(sign > 0, before + 2, before)
    records["bid"], records["ask"] = bid, bid + 2
    records["bid_volume"] = records["ask_volume"] = 10
    opening = np.array([[10_002, 10, 10_000, 10]], np.int64)
    return Tape(records, np.zeros((n, 0, 4), np.int64), opening, 0, (n + 1) * NS)


def test_response_and_the_spread_of_permanent_impact():
    """R(l) = impact at every lag where signs are independent, so 2 R(1) / (1 - C(1)) = 2 is the spread: ratio 1."""
    found = measure(trading_tape(), ["response", "spread_impact", "acf_signs"])
    assert found["response"].values["r1"] == 1.0
    assert found["response"].values["growth"] == pytest.approx(1.0, abs=0.15)
    assert found["spread_impact"].values["ratio"] == pytest.approx(1.0, abs=0.02)
    assert abs(found["acf_signs"].values["lag10"]) < 0.02
    flipping = measure(trading_tape(alternate=True), ["spread_impact", "acf_signs"])
    assert flipping["acf_signs"].values["lag1"] == pytest.approx(-1.0, abs=1e-3)
    assert flipping["spread_impact"].values["ratio"] == pytest.approx(2.0, abs=0.01)  # R(1) = 1, C(1) = -1


def test_order_flow_that_moves_the_price():
    """Queues of equal depth D that only move as a whole: each tick is a flow of 2 D, so dP = OFI / (2 D) exactly;
    pooled over four depths, R2 is E[D]^2 / E[D^2] = 0.66."""
    rng = np.random.default_rng(0)
    n = 50_000
    depth = np.repeat(rng.choice([50, 100, 200, 400], n // 500), 500)  # for 50 s each
    bid = 10_000 + np.concatenate([[0], np.cumsum(rng.choice([-1, 1], n - 1))])
    found = values(tape_of_quotes(np.arange(n) / 10, bid, bid + 1, depth, depth), "ofi")
    assert found["r2"] > 0.65 and found["depth_exponent"] == pytest.approx(1.0, abs=0.1)
    # The flow of another day explains nothing.
    move, flow, _, _ = windows(Sample(tape_of_quotes(np.arange(n) / 10, bid, bid + 1, depth, depth)))
    assert slope(flow, move)[1] > 0.65 and slope(flow[::-1], move)[1] < 0.05


def test_imbalance_that_foretells_and_that_does_not():
    rng = np.random.default_rng(0)
    n = 20_000
    volume = rng.integers(1, 100, (n, 2))
    share = volume[:, 0] / volume.sum(1)
    told = np.where(rng.random(n) < share, 1, -1)
    for moves, low, high in ((told, 0.7, 0.8), (rng.choice([-1, 1], n), 0.48, 0.52)):
        bid = 10_000 + np.concatenate([[0], np.cumsum(moves[:-1])])
        found = values(tape_of_quotes(np.arange(n) / 10, bid, bid + 1, volume[:, 0], volume[:, 1]), "imbalance")
        assert low < found["auc"] < high
        if moves is told:
            assert found["monotone"] > 0.99


def test_the_micro_price_is_a_martingale_where_the_mid_is_not():
    """The next move is up with the share of the bid queue, drawn anew after it: P - m = sum of one step."""
    rng = np.random.default_rng(0)
    n = 60_000
    volume = rng.integers(1, 100, (n, 2))
    share = volume[:, 0] / volume.sum(1)
    bid = 10_000 + np.concatenate([[0], np.cumsum(np.where(rng.random(n) < share, 1, -1)[:-1])])
    found = measure(tape_of_quotes(np.arange(n) / 10, bid, bid + 1, volume[:, 0], volume[:, 1]), ["micro_price"])
    value, curve = found["micro_price"].values, found["micro_price"].curve
    assert value["mid_bias"] > 0.3 and value["ratio"] < 0.2
    assert curve.y == pytest.approx(curve.x, abs=0.1)  # 2 share - 1 = imbalance
    assert curve.y == pytest.approx(-curve.y[::-1], abs=1e-9)


def test_recovery_of_the_spread():
    """A spread that opens by 10 and closes as 10 / t^0.4: the exponent comes back."""
    time, ask = [0.0], [1.0]
    wait = np.concatenate([[0.0], np.geomspace(0.05, 90.0, 60)])
    for k in range(100):
        begin = 10.0 + 200.0 * k
        time += (begin + wait).tolist()
        ask += (1.0 + np.concatenate([[1_000.0], 300.0 * wait[1:] ** -0.4])).tolist()
    tape = tape_of_quotes(np.array(time), 0, np.round(ask).astype(int), end=time[-1] + 100)
    found = values(tape, "spread_recovery")
    assert found["exponent"] == pytest.approx(0.4, abs=0.25) and found["left_1s"] > found["left_10s"] > 0


# -- the real data -----------------------------------------------------------------------------------------------

REAL = {
    "AMZN": ("AMZN_2012-06-21_L5_dev_0930_1230", 5),
    "GOOG": ("GOOG_2012-06-21_L10_dev_0930_1230", 10),
    "MSFT": ("MSFT_2012-06-21_L50_dev_0930_1000", 50),
}


@pytest.mark.parametrize("symbol", REAL)
def test_the_stated_facts_of_the_real_data(symbol):
    """What shared/data/facts says of a file, from our own reader and measures."""
    name, levels = REAL[symbol]
    stated = json.loads(shared_data(f"facts/{name}.json").read_text())
    if symbol == "MSFT":
        path = shared_data("lobster/MSFT_2012-06-21_34200000_36000000_message_50.csv.gz")
    else:
        path = shared_lobster(symbol, levels)
    tape = read_tape(path)
    found = measure(tape)
    spread, touch, events = (found[n].values for n in ("spread", "touch", "events"))
    pairs = {
        "spread_ticks_mean_tw": spread["mean"],
        "spread_ticks_median_tw": spread["median"],
        "share_of_time_spread_1_tick": spread["share_one_tick"],
        "touch_queue_size_mean_tw": touch["mean"],
        "touch_queue_size_median_tw": touch["median"],
        "add_size_mean": found["limit_sizes"].values["mean"],
        "mid_1s_vol_ticks": found["volatility"].values["s1"],
        "mid_1s_abs_mean_ticks": found["volatility"].values["abs_1s"],
        "share_1s_zero_return": found["volatility"].values["still_1s"],
        "mid_1s_excess_kurtosis": found["kurtosis"].values["k1"],
        "mid_changes_per_second": events["mid_changes_per_second"],
        "mid_change_abs_mean_ticks": events["mid_change"],
        "response_1s_ticks": found["response"].values["after_1s"],
        "response_10s_ticks": found["response"].values["after_10s"],
        "imbalance_vs_sign_next_mid_move_corr_eventwise": found["imbalance"].values["correlation"],
    }
    for key, value in pairs.items():
        assert value == pytest.approx(stated[key], rel=2e-3), key
    kinds = {"add": "limit", "partial_cancel": "reduce", "delete": "cancel", "visible_execution": "execute"}
    for theirs, ours in kinds.items():
        assert events[ours] == pytest.approx(stated["event_shares"][theirs], rel=1e-3)
    # The first message is only an opening to us; GOOG's is an execution.
    assert 0 <= stated["aggressor_trades"] - len(series.trades(tape)) <= 1
    for lag in ("1", "10", "100"):
        theirs = stated["acf_aggressor_trade_signs"][lag]
        assert found["acf_signs"].values[f"lag{lag}"] == pytest.approx(theirs, abs=0.006)
    for share in ("0.05", "0.5", "0.95"):
        ours = found["limit_sizes"].values[f"size_q{round(100 * float(share)):02d}"]
        assert ours == stated["add_size_quantiles"][share]
    life = [found["lifetimes"].values[f"cancel_q{q}"] for q in (10, 50, 90)]
    assert life == pytest.approx(stated["deleted_order_lifetime_s_q10_q50_q90"], rel=1e-3)


def test_quotes_rebuilt_from_messages_alone():
    pytest.importorskip("pyarrow")
    import pandas as pd

    name = "lobster/MSFT_2012-06-21_34200000_36000000_"
    tape = read_tape(shared_data(name + "message_50.csv.gz"))
    stated = pd.read_parquet(shared_data(name + "best_quotes_reconstructed.parquet")).iloc[1:]
    for ours, theirs, unit in (("ask", "ask", 100), ("bid", "bid", 100), ("ask_volume", "ask_size", 1)):
        assert (tape[ours] * unit == stated[theirs].to_numpy()).all()
    assert (tape["bid_volume"] == stated["bid_size"].to_numpy()).all()
