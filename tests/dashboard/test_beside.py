"""A person trades beside the strategies of a run of paper trading, through the dashboard's ticket."""

import asyncio
import contextlib
import itertools
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from hft_gym.dashboard.beside import run_with_dashboard
from hft_gym.dashboard.config import DashboardConfig
from hft_gym.errors import FeedError
from hft_gym.feed import FeedServer, MockDataFeed
from hft_gym.live.run import PaperRun
from tests.feed.harness import run, until

MARKET = {"flow": "poisson", "warm_up_ns": 50_000_000}


class Person:
    """One browser: asks, and keeps the latest picture of each kind."""

    def __init__(self, socket):
        self.socket, self.numbers, self.answers, self.latest = socket, itertools.count(1), {}, {}

    async def hear(self):
        with contextlib.suppress(ConnectionClosed):  # the server leaves with the run
            async for text in self.socket:
                message = json.loads(text)
                if message.get("id") is not None:
                    self.answers[message["id"]] = message
                self.latest[message["type"]] = message

    async def sees(self):
        await until(lambda: self.latest.keys() >= {"state", "ladder", "account"})

    async def ask(self, kind, **fields):
        number = next(self.numbers)
        await self.socket.send(json.dumps({"v": 1, "type": kind, "id": number, **fields}))
        await until(lambda: number in self.answers)
        return self.answers[number]


async def attached(url):
    """A person who has found the run; the first ones come before its markets have opened."""
    while True:
        socket = await connect(url.replace("http", "ws") + "ws")
        person = Person(socket)
        person.task = asyncio.create_task(person.hear())
        if (await person.ask("attach"))["type"] == "attached":
            await person.sees()
            return person
        assert "have not opened yet" in person.latest["error"]["error"]
        await leave(person)


async def leave(person):
    await person.socket.close()
    await person.task


async def trade(done, symbol):
    """Buy beside the strategies, and be refused what is the feed's; then the run is stopped."""
    urls = []
    running = asyncio.create_task(run_with_dashboard(done, DashboardConfig(port=0, keep=None), urls.append))
    await until(lambda: urls or running.done())
    person = await attached(urls[0])
    other = await attached(urls[0])
    state = person.latest["state"]
    assert state["running"] and state["fixed"] and [s["name"] for s in state["strategies"]] == ["join-touch"]
    for kind, fields in (
        ("pause", {}), ("start", {}), ("step", {}), ("speed", {"value": 2.0}), ("reset", {"seed": 1}),
        ("market", {"preset": "calm"}), ("costs", {"order_ms": 1, "market_data_ms": 1, "maker": 0, "taker": 0}),
    ):  # fmt: skip
        assert "the feed's" in (await person.ask(kind, **fields))["error"]
    await person.ask("watch", symbol=symbol)
    await until(lambda: person.latest["ladder"]["symbol"] == symbol)
    low = person.latest["ladder"]["bids"][-1][0]
    order = (await person.ask("order", symbol=symbol, side="buy", quantity=1, price=low))["order"]
    await until(lambda: [o["id"] for o in person.latest["ladder"]["orders"]] == [order])
    assert (await person.ask("cancel", symbol=symbol, order=order))["type"] == "done"
    await person.ask("order", symbol=symbol, side="buy", quantity=2)
    await until(lambda: person.latest["ladder"]["position"] == 2)
    assert (await person.ask("risk", max_position=5))["type"] == "done"
    await until(lambda: other.latest["state"]["risk"]["max_position"] == 5)  # one session for everybody
    done.stop()
    episodes = await running
    for who in (person, other):
        await leave(who)
    return episodes


def test_on_a_simulated_market(tmp_path):
    config = {
        "feed": {"url": "mock", "symbols": ["AAPL", "MSFT"], "speed": 5.0},
        "session": {"strategies": ["join-touch"], "market": MARKET},
    }
    done = PaperRun(tmp_path / "r", config)
    episodes = run(trade(done, "MSFT"))
    assert [e.name for e in episodes] == ["join-touch", "human"]
    assert done.session.floor("MSFT").market.account(2).position == 2
    # The ticket's orders are in the state that the run keeps.
    again = PaperRun(tmp_path / "r")
    again.stop()
    assert [e.name for e in run(again.run())] == ["join-touch", "human"]


def test_on_a_feed(tmp_path):
    async def work():
        feed = MockDataFeed({"symbols": ["AAPL"], "market": MARKET, "buffer_size": 100_000})
        async with feed, FeedServer(feed, {"port": 0}) as server:
            session = {"strategies": ["join-touch"], "market": {"warm_up_ns": 0}}
            config = {"feed": {"url": server.url}, "session": session}
            return await trade(PaperRun(tmp_path / "r", config), "AAPL")

    episodes = run(work())
    assert [e.name for e in episodes] == ["join-touch", "human"] and len(episodes[1].fills) >= 1


def test_a_port_that_is_taken_and_a_feed_that_is_not_there(tmp_path):
    async def work():
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            done = PaperRun(tmp_path / "r", {"session": {"market": MARKET}})
            with pytest.raises(FeedError, match=f"cannot listen on 127.0.0.1, port {port}"):
                await run_with_dashboard(done, DashboardConfig(port=port, keep=None))
        finally:
            server.close()
            await server.wait_closed()
        with pytest.raises(FeedError, match="cannot be reached"):
            gone = PaperRun(tmp_path / "s", {"feed": {"url": "ws://127.0.0.1:9"}})
            await run_with_dashboard(gone, DashboardConfig(port=0, keep=None))

    run(work())
