"""Paper trading from end to end: on venues with faults, recordings and servers; stopped, killed and resumed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from hft_gym import cli
from hft_gym.data.replay import ReplayFeed
from hft_gym.errors import CheckpointError, ConfigError, FeedError
from hft_gym.feed import FeedServer, FeedServerConfig, MockDataFeed, RecordingFeed, read_recording
from hft_gym.feed.recording import to_messages
from hft_gym.live import LiveSession
from hft_gym.live.feed_market import FeedMarket
from hft_gym.live.paper import PaperSession
from hft_gym.live.run import PaperRun
from hft_gym.report.store import Store
from tests.data.feeds import binance_lines
from tests.data.synthetic import write_day
from tests.feed.faults import QuickBinance, binance_config
from tests.feed.harness import BinanceVenue, CoinbaseVenue, FaultProxy, coinbase_events, run

SECOND = 1_000_000_000
QUICK_STEPS = {"step_ns": 20_000_000, "market": {"warm_up_ns": 50_000_000}, "latency": {"order_ns": 100_000}}
POISSON = {"flow": "poisson", "warm_up_ns": SECOND}


def trade_binance(folder, faults=None, pause=0.004, **session):
    """A run on a Binance venue behind a proxy with faults, until the venue's last update; returns run and episodes."""
    lines, _ = binance_lines(1)

    async def work():
        async with BinanceVenue(lines, pause=pause) as venue, FaultProxy(venue.url, faults or {}) as proxy:
            feed = QuickBinance(binance_config(venue, proxy.url, levels=20))
            config = {"session": {"strategies": ["join-touch", "do-nothing"], **QUICK_STEPS, **session}}
            done = PaperRun(folder, config, feed=feed, on_turn=lambda _: venue.at == len(venue.events) and done.stop())
            return done, await done.run()

    return run(work())


def test_a_strategy_trades_on_binance(tmp_path) -> None:
    done, episodes = trade_binance(tmp_path / "r")
    assert [e.name for e in episodes] == ["join-touch", "do-nothing"] and not done.finished
    session = done.session
    assert isinstance(session, PaperSession) and isinstance(session.floor("TESTUSDT").market, FeedMarket)
    working = session.view("TESTUSDT").traders[0]["orders"]
    assert episodes[0].steps[0] > 20 and len(episodes[0].orders) + len(working) > 2
    assert not len(episodes[1].orders) and session.config.feed and not session.floor("TESTUSDT").suspended


def test_a_lost_feed_pulls_the_quotes_and_trading_goes_on_when_it_is_back(tmp_path) -> None:
    done, _ = trade_binance(tmp_path / "r", {60: "cut", 90: "gap", 91: "gap", 92: "gap"})
    texts = [alert[3] for alert in done.session.view("TESTUSDT").alerts]
    lost = [i for i, text in enumerate(texts) if "lost" in text]
    back = [i for i, text in enumerate(texts) if "feed is back" in text]
    assert len(lost) >= 2 and len(back) == len(lost) and all(b > a for a, b in zip(lost, back, strict=True))
    path = done.session.floor("TESTUSDT").traders[0].tenure.path
    assert (np.diff(path["time"]) > 0).all()
    orders = done.session.floor("TESTUSDT").traders[0].tenure.log("orders")
    assert (orders["end_reason"] == 1).any()  # withdrawn


def test_two_books_of_coinbase(tmp_path) -> None:
    snapshots, events = coinbase_events(n=300)

    async def work():
        async with CoinbaseVenue(snapshots, events, pause=0.002) as venue:
            feed = {"url": venue.url, "symbols": ["A-USD", "B-USD"]}
            config = {"session": {"strategies": ["join-touch"], **QUICK_STEPS}, "seconds": 0.5}
            done = PaperRun(tmp_path / "r", {**config, "feed": feed, "venue": "coinbase"})
            return done, await done.run()

    done, episodes = run(work())
    assert done.finished and len(episodes[0]) == 2 and (episodes[0].inventory[:, -1] == 0).all()
    assert done.session.time_ns == pytest.approx(SECOND / 2, abs=SECOND / 5)


def test_books_of_different_ticks_are_reported_apart(tmp_path, monkeypatch, capsys) -> None:
    """0.01 and 0.05 of a currency: a tick·lot of one is none of the other."""
    monkeypatch.chdir(tmp_path)

    async def record():
        settings = {"symbols": ["AAPL", "MSFT"], "speed": float("inf"), "policy": "block", "market": POISSON}
        markets = {"MSFT": {**POISSON, "tick_size": 0.05, "initial_price": 2_000}}
        async with RecordingFeed(MockDataFeed(settings, markets=markets), "rec") as feed:
            async for message in feed.start_streaming():
                if message.timestamp > 12 * SECOND:
                    break

    run(record())
    assert cli.main(["paper", "--feed", "rec", "--speed", "inf", "--strategy", "join-touch"]) == 0
    assert capsys.readouterr().out.count("stored as") == len(Store("runs/parts").parts) == 2
    (state,) = (tmp_path / "runs").glob("paper-*")
    session = PaperSession.load(state, _first_books(tmp_path / "rec"))
    assert [(e.symbol, e.tick_size, len(e)) for e in session.episodes()] == [("AAPL", 0.01, 1), ("MSFT", 0.05, 1)]


def test_a_run_on_a_feed_is_resumed_with_its_position(tmp_path) -> None:
    folder = tmp_path / "r"
    first, _ = trade_binance(folder)
    market = first.session.floor("TESTUSDT").market
    market.submit(1, 0, 3)  # a position that the strategy did not ask for, to be found again
    market.run_for(20_000_000)  # not farther: the next run's clock is the machine's
    position, cash = market.account(1).position, market.account(1).cash
    assert position
    first.session.save(folder)
    with pytest.raises(ConfigError, match="--resume"):
        PaperRun(folder, {})
    lines, _ = binance_lines(1)

    async def again():
        async with BinanceVenue(lines, pause=0.002) as venue:
            feed = QuickBinance(binance_config(venue, levels=20))
            found = PaperRun(folder, feed=feed, on_turn=lambda s: seen.append(s.view("TESTUSDT").traders[0]))
            seen = []
            task = asyncio.ensure_future(found.run())
            while len(seen) < 5:
                await asyncio.sleep(0.01)
            found.stop()
            return found, await task, seen

    second, episodes, seen = run(again())
    assert (seen[0]["position"], seen[0]["cash"]) == (position, cash)
    before = first.session.floor("TESTUSDT").traders[0].tenure
    after = second.session.floor("TESTUSDT").traders[0].tenure
    assert len(after.path) > len(before.path) and (np.diff(after.path["time"]) >= 0).all()
    assert episodes[0].steps[0] == len(after.path) - 1


def test_a_recording_and_a_server_of_ours(tmp_path) -> None:
    async def work():
        settings = {"symbols": ["AAPL", "MSFT"], "market": POISSON, "speed": 20.0, "buffer_size": 100_000}
        async with RecordingFeed(MockDataFeed(settings), tmp_path / "rec") as feed:
            async for message in feed.start_streaming():
                if message.timestamp > 5 * SECOND:
                    break
        config = {"feed": {"url": f"recording:{tmp_path / 'rec'}", "speed": float("inf"), "policy": "block"},
                  "session": {"strategies": ["join-touch"], "market": {"warm_up_ns": SECOND // 2}}}  # fmt: skip
        replayed = PaperRun(tmp_path / "a", config)
        episodes = await replayed.run()
        once_more = await PaperRun(tmp_path / "b", config).run()
        served = FeedServer(MockDataFeed({**settings, "speed": 1.0}), FeedServerConfig(port=0))
        async with served.feed:
            await served.start()
            try:
                live = PaperRun(tmp_path / "c", {"feed": {"url": served.url}, "session": {
                    "strategies": ["join-touch"], **QUICK_STEPS}, "seconds": 0.4})  # fmt: skip
                await live.run()
            finally:
                await served.stop()
        return replayed, episodes, once_more, live

    replayed, episodes, once_more, live = run(work())
    assert replayed.finished and len(episodes[0].fills) > 0
    np.testing.assert_array_equal(episodes[0].equity, once_more[0].equity)  # a recording's run is the same again
    assert live.finished and set(live.session.floors) == {"AAPL", "MSFT"}


def test_the_log_tells_of_a_run(tmp_path, caplog) -> None:
    caplog.set_level("INFO", "hft_gym.live")
    run(PaperRun(tmp_path / "r", {"session": {"market": POISSON}, "seconds": 0.2}).run())
    texts = [record.getMessage() for record in caplog.records if record.name == "hft_gym.live"]
    assert f"{tmp_path / 'r'}: paper trading begins on mock://localhost" in texts
    assert f"{tmp_path / 'r'}: over after 0.2 s, positions are closed" in texts


def test_a_feed_that_cannot_be_had_or_fails_is_told(tmp_path) -> None:
    with pytest.raises(FeedError):
        run(PaperRun(tmp_path / "r", {"feed": {"url": "ws://127.0.0.1:9"}}).run())
    with pytest.raises(CheckpointError, match="no run"):
        PaperRun(tmp_path / "r")
    with pytest.raises(ConfigError, match="neither a file"):
        run(PaperRun(tmp_path / "r", {"feed": {"url": "no-such-file"}}).run())


def test_a_recorded_day_with_its_single_orders(tmp_path) -> None:
    path = write_day(tmp_path, 1500, 5, seed=4)
    config = {
        "feed": {"url": f"replay:{path}", "speed": float("inf"), "policy": "block"},
        "session": {"strategies": ["join-touch"], "market": {"warm_up_ns": SECOND}, "step_ns": 20_000_000},
    }
    done = PaperRun(tmp_path / "r", config)
    (episodes,) = run(done.run(), 60)
    feed = ReplayFeed.from_file(path)
    assert done.finished and done.session.over and episodes.tick_size == feed.tick_size
    assert episodes.time[0, -1] == int(feed.times[-1] - feed.times[0]) - SECOND
    assert len(episodes.fills) > 5 and episodes.inventory[0, -1] == 0
    assert list(done.session.floors) == [feed.symbol]
    again = LiveSession.load(tmp_path / "r")
    np.testing.assert_array_equal(again.episodes()[0].equity, episodes.equity)


# -- the command -------------------------------------------------------------------------------------------------------


def _command(folder, *words):
    command = [sys.executable, "-m", "hft_gym", "paper", "--parts", str(folder / "parts"), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)


def _until_saved(folder, process, saves=2):
    seen = set()
    while len(seen) < saves:
        assert process.poll() is None, process.stdout.read()
        if (folder / "session.json").exists():
            seen.add((folder / "session.json").stat().st_mtime_ns)
        time.sleep(0.02)


def test_killed_and_resumed_is_as_if_nothing_had_been(tmp_path) -> None:
    words = ("--feed", "mock", "--strategy", "join-touch", "--market", "poisson", "--seconds", "40")
    state = tmp_path / "state"
    process = _command(tmp_path, *words, "--speed", "20", "--out", str(state))
    _until_saved(state, process)
    process.kill()
    process.wait()
    resumed = _command(tmp_path, "--resume", str(state))
    text = resumed.communicate(timeout=300)[0]
    assert resumed.returncode == 0, text
    parts = ("--parts", str(tmp_path / "parts"))
    assert cli.main(["paper", *words, "--speed", "inf", "--out", str(tmp_path / "other"), *parts]) == 0
    one, other = (LiveSession.load(folder).episodes()[0] for folder in (state, tmp_path / "other"))
    assert one.steps[0] == other.steps[0] == 400
    for name in ("equity", "inventory", "time", "fills", "orders"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert "join-touch" in text and len(Store(tmp_path / "parts").parts) == 2


def test_ctrl_c_keeps_the_state_and_reports(tmp_path) -> None:
    process = _command(tmp_path, "--strategy", "join-touch", "glft", "--market", "poisson", "--out", "state")
    _until_saved(tmp_path / "state", process)
    os.kill(process.pid, signal.SIGINT)
    text = process.communicate(timeout=120)[0]
    assert process.returncode == 0 and "--resume state" in text
    (part,) = Store(tmp_path / "parts").parts
    assert {p["name"] for p in part.record["policies"]} == {"join-touch", "glft"} and part.market == "poisson"
    assert json.loads((tmp_path / "state" / "paper.json").read_text())["feed"]["url"] == "mock://localhost"


def test_one_process_at_a_time_runs_what_is_in_a_folder(tmp_path, capsys) -> None:
    parts = ("--parts", str(tmp_path / "parts"))
    state = str(tmp_path / "state")
    process = _command(tmp_path, "--strategy", "join-touch", "--market", "poisson", "--out", state)
    _until_saved(tmp_path / "state", process)
    for words in (("--resume", state), ("--out", state)):
        assert cli.main(["paper", *parts, *words]) == 2
        said = capsys.readouterr().err
        assert "this run is going on already; stop it first" in said and said.count("\n") == 1
    process.kill()
    process.wait()
    assert not Store(tmp_path / "parts").parts
    assert len(LiveSession.load(state).episodes()) == 1  # the others have left it alone

    async def both():
        def turn(_: LiveSession) -> None:
            first.stop()
            seen.append(asyncio.ensure_future(PaperRun(state).run()))

        seen: list[asyncio.Task] = []
        first = PaperRun(state, on_turn=turn)
        await first.run()
        return await asyncio.gather(*seen, return_exceptions=True)

    found = run(both())
    assert found and all(isinstance(error, ConfigError) for error in found)
    with pytest.raises(ConfigError, match="--resume"):  # nobody has the lock any more
        PaperRun(state, {})


def test_two_that_begin_in_one_folder_at_once(tmp_path) -> None:
    """Both have found it empty; the second to begin finds the lock."""
    config = {"session": {"market": POISSON}, "seconds": 1.0}
    first, second = PaperRun(tmp_path / "r", config), PaperRun(tmp_path / "r", config)

    async def both():
        return await asyncio.gather(first.run(), second.run(), return_exceptions=True)

    (error,) = [found for found in run(both(), 60) if isinstance(found, BaseException)]
    assert isinstance(error, ConfigError) and "going on already" in str(error)
    assert first.finished != second.finished


def test_a_run_that_is_over_is_stored_once(tmp_path, capsys) -> None:
    words = ("--strategy", "join-touch", "--market", "poisson", "--seconds", "1", "--speed", "inf")
    parts, state = ("--parts", str(tmp_path / "parts")), str(tmp_path / "state")
    assert cli.main(["paper", *words, "--out", state, *parts]) == 0
    (part,) = Store(tmp_path / "parts").parts
    capsys.readouterr()
    assert cli.main(["paper", "--resume", state, *parts]) == 2
    assert f"the run is over, and stored as {part.id}" in capsys.readouterr().err
    assert cli.main(["paper", *words, "--out", state, *parts]) == 2
    assert "holds a run that is over" in capsys.readouterr().err
    assert len(Store(tmp_path / "parts").parts) == 1
    # Whoever was stopped before its report was stored may have it yet.
    (tmp_path / "state" / "finished.json").unlink()
    assert cli.main(["paper", "--resume", state, *parts]) == 0
    first, second = Store(tmp_path / "parts").parts
    assert first.record["policies"] == second.record["policies"]


def test_a_part_of_a_run_that_was_stopped_says_so(tmp_path, capsys) -> None:
    words = ("--strategy", "join-touch", "--market", "poisson", "--seconds", "20", "--out", "state")
    process = _command(tmp_path, *words, "--speed", "5")
    _until_saved(tmp_path / "state", process)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=120)
    parts = ("--parts", str(tmp_path / "parts"))
    assert cli.main(["paper", "--resume", str(tmp_path / "state"), *parts]) == 0
    stopped, whole = Store(tmp_path / "parts").parts
    assert stopped.stopped and not whole.stopped and whole.record["meta"]["paper"]["seconds"] == 20.0
    capsys.readouterr()
    assert cli.main(["runs", "list", *parts]) == 0
    first, second = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("20")]
    assert "(stopped early)" in first and "(stopped early)" not in second
    for part, said in ((stopped, True), (whole, False)):
        assert cli.main(["runs", "show", part.id, *parts]) == 0
        assert ("stopped early, after" in capsys.readouterr().out) is said


def test_tick_and_lot_of_a_feed_are_told_on_the_command_line(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["watch-feed", "mock", "--speed", "50", "--seconds", "0.6", "--record", "rec"]) == 0
    words = ("--feed", "recording:rec", "--speed", "inf", "--out", "state", "--tick-size", "0.005", "--lot-size", "1")
    assert cli.main(["paper", *words, "--strategy", "do-nothing"]) == 0
    assert "do-nothing" in capsys.readouterr().out
    (floor,) = PaperSession.load(tmp_path / "state", _first_books(tmp_path / "rec")).floors.values()
    assert (floor.market.config.tick_size, floor.market.lot_size) == (0.005, 1.0)


def _first_books(folder):
    found = [m for m in to_messages(read_recording(folder)) if m.bids and m.asks]
    return {m.symbol: (m, 10**15) for m in found[::-1]}


def test_a_feed_that_ends_before_the_first_decision_is_told(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["watch-feed", "mock", "--seconds", "0.3", "--record", "rec"]) == 0
    assert cli.main(["paper", "--feed", "rec", "--speed", "inf"]) == 2
    said = "it ended before the first decision, which comes after a warm-up of 5 s"
    assert said in capsys.readouterr().err
    day = write_day(tmp_path, 60, 5, seed=4)
    assert cli.main(["paper", "--feed", f"replay:{day}", "--speed", "inf", "--out", "day"]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "day").exists()


def test_a_folder_with_anything_in_it_is_no_folder_of_a_run(tmp_path) -> None:
    (tmp_path / "market-data.csv").write_text("mine")
    with pytest.raises(ConfigError, match="is no empty folder"):
        PaperRun(tmp_path, {})
    with pytest.raises(ConfigError, match="is no empty folder"):
        PaperRun(tmp_path / "market-data.csv", {})


def test_a_continued_recording_is_traded_to_its_end(tmp_path) -> None:
    """Where it was continued the book jumps: orders are withdrawn, and the clock goes on."""

    async def work():
        settings = {"symbols": ["AAPL"], "market": POISSON, "speed": float("inf"), "policy": "block", "levels": 5}
        for seed in (1, 2):
            async with RecordingFeed(MockDataFeed({**settings, "seed": seed}), tmp_path / "rec") as feed:
                async for message in feed.start_streaming():
                    if message.timestamp > 5 * SECOND:
                        break
        config = {"feed": {"url": str(tmp_path / "rec"), "speed": float("inf"), "policy": "block"},
                  "session": {"strategies": ["join-touch"], "market": {"warm_up_ns": SECOND // 2}}}  # fmt: skip
        done = PaperRun(tmp_path / "r", config)
        return done, await done.run()

    done, (episodes,) = run(work())
    assert done.finished and episodes.time[0, -1] > 7 * SECOND and (np.diff(episodes.time[0]) > 0).all()
    texts = [alert[3] for alert in done.session.view("AAPL").alerts]
    assert sum("lost its book" in text for text in texts) == sum("is back" in text for text in texts) == 1
    assert (episodes.orders["end_reason"] == 1).any()  # withdrawn


def test_options_that_do_not_fit_are_errors(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words, said in (
        (("--strategy", "no-such"), "no-such"),
        (("--feed", "replay:none.csv"), "none.csv"),
        (("--feed", "binance", "--market", "poisson"), "mock feeds"),
        (("--feed", "ws://127.0.0.1:9"), "cannot be reached"),
        (("--strategy", "--seconds", "1"), "strategy: got none"),
        (("--strategy", "market-making:skew"), "expected name=value after the colon, got 'skew'"),
        (("--speed", "0"), "speed is 0.0; allowed are 0.1 to 1000"),
        (("--symbols", "AAPL", "AAPL"), "AAPL is there more than once"),
        (("--resume", "nowhere", "--seed", "3"), "seed"),
        (("--feed", "replay:none.csv", "--seed", "3"), "seed is 3, but the feed is replay:none.csv"),
        (("--levels", "0"), "levels is 0, but paper trading on a mock feed has no use for it"),
        (("--feed", "binance", "--levels", "0"), "feed.levels is 0; paper trading needs at least 1"),
        (("--feed", "binance", "--speed", "3"), "speed is 3.0, but a BinanceDataFeed has no use for it"),
        (("--queue-model", "front"), "queue_model is 'front', but the market is simulated"),
        (("--tick-size", "0.05"), "set market.tick_size"),
        (("--venue", "binance"), "venue is 'binance', but the feed is mock"),
        (("--token", "abc"), "token is given, but paper trading on a mock feed"),
        (("--out", "parts/one"), "in the store of runs"),
        (("--out", str(tmp_path / "parts")), "in the store of runs"),
    ):
        assert cli.main(["paper", "--parts", str(tmp_path / "parts"), "--out", str(tmp_path / "new"), *words]) == 2
        assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
