"""A live session: strategies and a person in one market, the same as the environments, saved and continued exactly."""

from __future__ import annotations

import json
from dataclasses import replace

import gymnasium
import numpy as np
import pytest

import baselines
from hft_gym.config import build, to_dict
from hft_gym.envs.core import EnvCore
from hft_gym.errors import CheckpointError, ConfigError, OrderError, RiskError, UnknownOrderError
from hft_gym.feed.mock import market_seed
from hft_gym.live import LiveSession, SessionConfig
from hft_gym.live.session import UNNAMED
from hft_gym.report import compare
from hft_gym.types import OrderSide
from tests.data.synthetic import write_day
from tests.data_files import shared_lobster

SECOND = 1_000_000_000
FAST = {"flow": "poisson", "warm_up_ns": SECOND}


def _session(*strategies: str, **settings: object) -> LiveSession:
    slots = [{"name": name} for name in strategies]
    return LiveSession({"market": FAST, "strategies": slots, "seed": 5, **settings})


def _same(one: LiveSession, other: LiveSession) -> None:
    for symbol in one.config.symbols:
        a, b = one.view(symbol, since_ns=0).to_json(), other.view(symbol, since_ns=0).to_json()
        assert json.dumps(a) == json.dumps(b)
    for mine, theirs in zip(one.episodes(), other.episodes(), strict=True):
        for name in ("time", "equity", "inventory", "mid", "spread", "fills", "orders", "mids"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))


@pytest.mark.parametrize("name", ["join-touch", "microprice-maker", "liquidity-taking", "twap"])
def test_a_strategy_does_what_it_does_in_the_environment(name: str) -> None:
    """Same market key, same strategy: the same fills and the same path as in the environment, to the last bit."""
    session = _session(name)
    config = session.players[0].env
    core = EnvCore(replace(config, market=replace(config.market, warm_up_ns=SECOND)), 1, log_capacity=4096)
    core.reset(np.array([market_seed(5, "AAPL")], np.uint64))
    core.drain()
    env = gymnasium.make("hft_gym:HFTMarket-v0", config=config, disable_env_checker=True).unwrapped
    given = dict(session.players[0].slot.parameters) or baselines.tuned.tuned_parameters(name, config)
    strategy = baselines.make(name, env, **given)
    memory, equity, fills = None, [], []
    for step in range(60):
        action, memory = strategy.predict(core.obs, memory, np.array([step == 0]), True)
        core.step(env.action_schema.decode_batch(action, 1))
        equity.append(core.info[core.INFO_KEYS.index("net_pnl"), 0])
        fills.append(core.drain().fills)
        if core.terminated[0]:
            break
    steps = len(equity)
    session.advance(steps * config.step_ns)
    found = session.episodes()[0]
    np.testing.assert_array_equal(found.equity[0, 1 : steps + 1], equity)
    expected = np.concatenate(fills)
    assert len(expected) > 0
    for column in ("price", "quantity", "side", "maker", "mid2", "queue_ahead_fill", "order_id"):
        np.testing.assert_array_equal(found.fills[column], expected[column])


def test_side_by_side_positions_and_money_sum_to_zero() -> None:
    session = _session("join-touch", "join-touch", "liquidity-taking", symbols=["AAPL", "MSFT"])
    names = [trader["name"] for trader in session.view("MSFT").traders]
    assert names == ["join-touch", "join-touch 2", "liquidity-taking", "human"]
    session.place("AAPL", "buy", 4)
    session.advance(20 * SECOND)
    for floor in session.floors.values():
        accounts = [floor.market.account(p) for p in range(5)]
        assert sum(a.position for a in accounts) == 0
        assert sum(a.cash_units + a.fees_units for a in accounts) == 0
        assert any(a.bought for a in accounts[1:])
    assert session.view("AAPL").traders[-1]["position"] == 4


def test_parts_of_the_view_agree() -> None:
    session = _session("join-touch", "liquidity-taking", fees={"unit": "per_lot", "maker": -0.1, "taker": 0.2})
    session.advance(30 * SECOND)
    view = session.view("AAPL")
    json.dumps(view.to_json())
    assert view.time_ns == 30 * SECOND and len(view.points) == 301
    assert not session.view("AAPL").points  # since the last view, nothing
    for trader in view.traders:
        parts = trader["attribution"]
        assert sum(parts.values()) == pytest.approx(trader["equity"], abs=1e-9)
        assert trader["equity"] == pytest.approx(trader["realised"] + trader["unrealised"] - trader["fees"], abs=1e-9)
        for order in trader["orders"]:
            side = view.book["bids" if order["side"] == "bid" else "asks"]
            level = next((row for row in side if row[0] == order["price"]), None)
            if order["ahead"] is not None and level is not None:
                assert level[1] >= level[2] >= order["remaining"] and level[3] <= order["ahead"]
    bids, asks = view.book["bids"], view.book["asks"]
    assert bids[0][0] < asks[0][0] and [b[0] for b in bids] == sorted((b[0] for b in bids), reverse=True)
    assert sum(row[2] for row in view.tape) > 0 and any(row[4] for row in view.tape)
    assert view.market["vwap"] == pytest.approx(view.market["mid"], abs=50)


def test_a_person_places_modifies_and_cancels() -> None:
    session = _session()
    best = session.view("AAPL").book["bids"][0][0]
    order = session.place("AAPL", "buy", 5, best - 8)
    session.advance(SECOND)
    (mine,) = session.view("AAPL").traders[-1]["orders"]
    assert (mine["id"], mine["remaining"], mine["status"]) == (order, 5, "resting")
    session.modify("AAPL", order, 2, best - 8)
    session.advance(SECOND // 10)
    assert session.view("AAPL").traders[-1]["orders"][0]["remaining"] == 2
    assert session.cancel_all() == 1
    session.advance(SECOND // 10)
    assert not session.view("AAPL").traders[-1]["orders"]
    with pytest.raises(UnknownOrderError):
        session.cancel("AAPL", order)
    for wrong in ({"side": "bye"}, {"quantity": 0}, {"price": 1.5}, {"time_in_force": "GTX"}):
        with pytest.raises(OrderError):
            session.place(**{"symbol": "AAPL", "side": "buy", "quantity": 1, "price": best, **wrong})
    with pytest.raises(ConfigError, match="AAPL"):
        session.place("APPL", "buy", 1)


def test_saved_and_loaded_goes_on_bit_for_bit(tmp_path) -> None:
    slots = ("avellaneda-stoikov", "random")
    session = _session(*slots, symbols=["AAPL", "MSFT"])
    session.place("AAPL", "sell", 2, 10_003)
    for _ in range(3):  # several saves into one folder: parts add up
        session.advance(7 * SECOND + 50_000_000)
        session.save(tmp_path / "s")
    other = LiveSession.load(tmp_path / "s")
    _same(session, other)
    for each in (session, other):
        each.advance(5 * SECOND)
        each.set_strategy(0, "join-touch")
        each.place("MSFT", "buy", 1)
        each.advance(5 * SECOND)
    _same(session, other)
    other.save(tmp_path / "s")
    _same(other, LiveSession.load(tmp_path / "s"))
    assert len(list((tmp_path / "s").glob("market-*"))) == 2


def _cut_anywhere(session: LiveSession, cuts: list[int], end: int, folder) -> int:
    """A session on a recorded day, saved at each of *cuts* [ns], goes on to *end* as it did itself; returns how many
    of the cuts have another spread than the opening."""
    floor = next(iter(session.floors.values()))
    wider = 0
    for i, cut in enumerate(cuts):
        session.advance(cut - session.time_ns)
        session.save(folder / str(i))
        bid, ask = (floor.market.best(side) for side in OrderSide)
        wider += None not in (bid, ask) and ask - bid != floor.traders[0].seat.reference_spread
    session.advance(end - session.time_ns)
    for i in range(len(cuts)):
        other = LiveSession.load(folder / str(i))
        other.advance(end - other.time_ns)
        for mine, theirs in zip(session.episodes(), other.episodes(), strict=True):
            for name in ("time", "equity", "inventory", "mid", "fills", "orders", "mids"):
                np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), f"{mine.name}, cut {i}")
        for trader, twin in zip(floor.everybody, next(iter(other.floors.values())).everybody, strict=True):
            ours, its = (t.market.account(t.participant) for t in (trader, twin))
            assert ours == its and trader.market.working_orders(1) == twin.market.working_orders(1)
    return wider


def test_a_recorded_day_goes_on_bit_for_bit_wherever_it_was_cut(tmp_path) -> None:
    """Strategies whose widths come from the spread at the opening, which is another one when they go on."""
    names = ("market-making", "microprice-maker", "join-touch")
    day = str(write_day(tmp_path, 1500, 5, seed=4))
    slots = [{"name": name} for name in names]
    settings = {"symbols": [UNNAMED], "step_ns": 50_000_000, "market": {"warm_up_ns": SECOND}}
    session = LiveSession({"feed": day, "strategies": slots, **settings})
    market = next(iter(session.floors.values())).market
    end = int(market.feed.times[-1]) - session.origin
    assert _cut_anywhere(session, [end * i // 9 for i in range(9)], end, tmp_path) > 3
    assert len(session.episodes()[0].fills) > 5


def test_a_real_day_goes_on_bit_for_bit_wherever_it_was_cut(tmp_path) -> None:
    day = str(shared_lobster("AMZN", 5))
    session = LiveSession({"feed": day, "symbols": [UNNAMED], "strategies": [{"name": "market-making"}]})
    cuts = [at * SECOND // 10 for at in (1132, 1148, 1735)]
    assert _cut_anywhere(session, cuts, 300 * SECOND, tmp_path) >= 1
    assert len(session.episodes()[0].fills) > 10


def test_a_save_that_is_cut_short_leaves_the_last_one(tmp_path, monkeypatch) -> None:
    session = _session("join-touch")
    session.advance(SECOND)
    session.save(tmp_path)
    kept = session.view("AAPL", since_ns=0).to_json()
    session.advance(SECOND)
    from hft_gym.live import store

    def cut(path, data):
        if path.name == store.NAME:
            raise KeyboardInterrupt
        original(path, data)

    original = store.replace_file
    monkeypatch.setattr(store, "replace_file", cut)
    with pytest.raises(KeyboardInterrupt):
        session.save(tmp_path)
    monkeypatch.undo()
    found = LiveSession.load(tmp_path)
    assert found.view("AAPL", since_ns=0).to_json() == kept
    found.advance(SECOND)
    _same(found, session)


def test_damaged_or_missing_sessions_are_told(tmp_path) -> None:
    with pytest.raises(CheckpointError, match="no saved session"):
        LiveSession.load(tmp_path)
    session = _session()
    session.advance(SECOND)
    session.save(tmp_path)
    path = tmp_path / "session.json"
    text = path.read_text()
    path.write_text(text.replace("AAPL", "APPL", 1))
    with pytest.raises(CheckpointError, match="damaged"):
        LiveSession.load(tmp_path)
    path.write_text(text)
    for kind in ("state", "past", "market"):
        file = next(tmp_path.glob(f"{kind}-*"))
        whole = file.read_bytes()
        for cut in (0, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:cut])
            with pytest.raises(CheckpointError, match="damaged"):
                LiveSession.load(tmp_path)
        file.write_bytes(whole)
    assert LiveSession.load(tmp_path).config == session.config
    next(tmp_path.glob("market-*")).unlink()
    with pytest.raises(CheckpointError):
        LiveSession.load(tmp_path)


def test_a_flipped_bit_anywhere_is_told(tmp_path) -> None:
    """In the directory of an archive, too, where it may say that there are fewer entries, or encrypted ones."""
    session = _session("join-touch")
    session.advance(SECOND // 2)
    session.save(tmp_path)
    for kind in ("state", "past", "market"):
        file = next(tmp_path.glob(f"{kind}-*"))
        whole = file.read_bytes()
        directory = int.from_bytes(whole[-6:-2], "little")
        for at in (*range(0, directory, 97), *range(directory, len(whole), 5)):
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
            with pytest.raises(CheckpointError, match="damaged"):
                LiveSession.load(tmp_path)
        file.write_bytes(whole)
    assert LiveSession.load(tmp_path).time_ns == session.time_ns


def test_a_save_leaves_files_of_others_alone(tmp_path) -> None:
    theirs = [tmp_path / name for name in ("market-data.csv", "state-1.txt", "past-notes.npz", "market-1.npz")]
    for path in theirs:
        path.write_text("mine")
    session = _session()
    for _ in range(3):
        session.save(tmp_path)
    assert [path.read_text() for path in theirs] == ["mine"] * 4
    assert len(list(tmp_path.glob("market-*-*.npz"))) == 1


def test_another_strategy_starts_flat_and_counts_anew() -> None:
    session = _session("join-touch")
    session.advance(20 * SECOND)
    with pytest.raises(ConfigError, match="join-touch"):
        session.set_strategy(0, "join-tuch")
    with pytest.raises(ConfigError, match="parent order"):
        session.set_strategy(0, "twap")
    with pytest.raises(ConfigError, match="slot is 3"):
        session.set_strategy(3, "join-touch")
    assert session.view("AAPL").traders[0]["name"] == "join-touch"
    session.set_strategy(0, "inventory-skew", {"rung_ticks": 2})
    now = session.view("AAPL").traders[0]
    assert (now["name"], now["position"], now["equity"], now["orders"]) == ("inventory-skew", 0, 0.0, [])
    session.advance(20 * SECOND)
    runs = session.finish()
    assert [run.name for run in runs] == ["join-touch", "inventory-skew"]
    for run in runs:
        assert run.inventory[0, -1] == 0 and len(run.fills) and run.fills["closing"].any()
    compare(runs)  # raises unless the fills explain the net P&L of both, to the last sub-unit


def test_the_end_of_one_is_no_trade_of_another() -> None:
    session = _session("join-touch", "join-touch", "join-touch")
    session.advance(20 * SECOND)
    fills = [len(trader.tenure.log("fills")) for trader in session.floors["AAPL"].traders]
    held = [trader["position"] for trader in session.view("AAPL").traders[:-1]]
    assert any(held)
    for before, position, run in zip(fills, held, session.finish(), strict=True):
        last = run.fills[before:]
        assert last["closing"].all() and last["quantity"].sum() == abs(position)


def test_limits_trip_are_told_and_released() -> None:
    session = _session("join-touch", risk={"max_position": 2, "on_breach": "reduce-only"}, max_position=10)
    session.advance(60 * SECOND)
    trader = session.view("AAPL").traders[0]
    assert trader["risk"]["limits"]["max_position"]["limit"] == 2 and abs(trader["position"]) <= 2
    assert trader["risk"]["state"] == "reduce-only" and not trader["risk"]["allowed"]
    assert any(alert[2] == "risk" and "position" in alert[3] for alert in session.view("AAPL").alerts)
    session.set_risk({"max_order_size": 3})
    session.release("join-touch")
    assert session.view("AAPL").traders[0]["risk"]["state"] == "normal"
    with pytest.raises(RiskError):
        session.place("AAPL", "buy", 4, 1)
    session.place("AAPL", "buy", 3, 1)
    with pytest.raises(ConfigError, match="max_ordersize"):
        session.set_risk({"max_ordersize": 3})


def test_reset_and_another_market_open_anew() -> None:
    session = _session("join-touch")
    first = session.view("AAPL", since_ns=0).to_json()
    session.advance(SECOND)
    session.reset()
    assert session.view("AAPL", since_ns=0).to_json() == first
    session.reset(6)
    assert session.view("AAPL", since_ns=0).to_json()["book"] != first["book"]
    session.set_market({"flow": "reactive", "warm_up_ns": 0})
    assert session.time_ns == 0
    with pytest.raises(ConfigError):
        session.set_market("no-such-market")


def test_the_capital_can_be_lost() -> None:
    session = _session("random")
    first = session.floors["AAPL"].traders[0]
    first.env = replace(first.env, loss_limit=20.0)
    session.advance(60 * SECOND)
    trader = session.view("AAPL").traders[0]
    assert trader["ended"] == "capital lost" and trader["position"] == 0 and trader["equity"] <= -20
    assert any("capital lost" in alert[3] for alert in session.view("AAPL").alerts)


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbols": []}, {"symbols": ["A", "A"]}, {"step_ns": 5}, {"strategies": [{"name": "no-such"}]},
        {"strategies": [{"name": "join-touch", "parameters": {"spread": 3}}]}, {"markt": "poisson"},
        {"market": {"participants": 3}},
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        LiveSession({"market": FAST, **wrong})


def test_the_configuration_is_plain_data() -> None:
    config = build(SessionConfig, {"strategies": [{"name": "glft"}, "market-making:skew=2"], "risk": {"max_loss": 5}})
    assert build(SessionConfig, json.loads(json.dumps(to_dict(config)))) == config
    assert config.strategies[1].parameters == {"skew": 2}
