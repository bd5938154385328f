"""The whole server but the browser: sessions, pictures, commands, files, and whatever else clients may send."""

import asyncio
import contextlib
import io
import json
import threading

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient, WebSocketDisconnect

from hft_gym.dashboard.app import Server, make_app
from hft_gym.dashboard.catalogue import Catalogue
from hft_gym.dashboard.config import DashboardConfig
from hft_gym.dashboard.hub import Client
from hft_gym.dashboard.rooms import Rooms
from hft_gym.dashboard.schema import MESSAGES, Watch
from hft_gym.live import LiveSession, SessionConfig, StrategySlot

URL, WS = "http://127.0.0.1:8080", "ws://127.0.0.1:8080/ws"
SESSION = SessionConfig(
    symbols=("AAPL", "MSFT"), strategies=(StrategySlot("join-touch"), StrategySlot("do-nothing")), seed=3
)


class Browser:
    """A client's end of the WebSocket. A thread hears, so that waiting for what never comes fails."""

    def __init__(self, socket):
        self.socket, self.number, self.seen, self.asked = socket, 0, [], 0
        self.news = threading.Condition()
        threading.Thread(target=self.hear, daemon=True).start()

    def hear(self):
        with contextlib.suppress(Exception):
            while True:
                message = self.socket.receive_json()
                with self.news:
                    self.seen.append(message)
                    self.news.notify_all()
        with self.news:
            self.seen.append({"type": "closed"})
            self.news.notify_all()

    def until(self, kind, wanted=lambda message: True):
        """The first message of a kind that is wanted, of all since the last question."""
        found = []

        def there():
            found[:] = [m for m in self.seen[self.asked :] if m["type"] == kind and wanted(m)]
            return found

        with self.news:
            assert self.news.wait_for(there, 20), f"no such {kind}; heard {self.seen[-3:]}"
        return found[0]

    def ask(self, kind, **fields):
        """The answer."""
        self.asked, self.number = len(self.seen), self.number + 1
        self.socket.send_json({"v": 1, "type": kind, "id": self.number, **fields})
        found = []

        def there():
            found[:] = [m for m in self.seen[self.asked :] if m.get("id") == self.number]
            return found

        with self.news:
            assert self.news.wait_for(there, 20), f"no answer to {kind}; heard {self.seen[-3:]}"
        return found[0]


@pytest.fixture
def serve(tmp_path):
    """``serve(**settings)`` starts a server and gives a client of it; ``serve.stop()`` stops it."""
    running = []

    def start(**given):
        config = DashboardConfig(**{"keep": tmp_path / "keep", "runs": tmp_path / "runs", **given})
        app = make_app(config, Rooms(config, Catalogue(config.runs), lambda: LiveSession(SESSION)))
        client = TestClient(app, base_url=URL)
        client.__enter__()
        running.append(client)
        client.server = app.app.state.server
        return client

    def stop():
        while running:
            running.pop().__exit__(None, None, None)

    start.stop = stop
    yield start
    stop()


def attach(client, session="", **fields):
    """A context manager: a browser that has a session."""
    @contextlib.contextmanager
    def opened():
        with client.websocket_connect(WS, headers={"origin": URL}) as socket:
            browser = Browser(socket)
            browser.attached = browser.ask("attach", session=session, **fields)
            browser.state = browser.until("state")
            yield browser

    return opened()


def test_a_session_streams_pauses_and_is_found_again(serve):
    client = serve()
    with attach(client) as browser:
        assert browser.attached["type"] == "attached" and not browser.attached["found"]
        assert {"baselines", "agents", "presets"} <= browser.attached["catalogue"].keys()
        assert browser.state["strategies"][0]["name"] == "join-touch" and browser.state["strategies"][1]["name"] == ""
        first = browser.until("ladder")
        assert first["time"] == 0 and first["bids"][0][0] < first["asks"][0][0]
        assert browser.ask("start")["type"] == "done"
        later = browser.until("ladder", lambda m: m["time"] > 300_000_000)
        assert browser.until("account")["traders"][-1]["name"] == "you"
        assert browser.ask("pause")["type"] == "done"
        stopped = browser.until("state", lambda m: not m["running"])
        assert stopped["seed"] == 3
    with attach(client, browser.attached["session"]) as again:
        assert again.attached["found"] and again.attached["session"] == browser.attached["session"]
        assert again.until("ladder")["time"] >= later["time"]
        assert again.until("chart")["reset"]
    with attach(client, browser.attached["session"], fresh=True) as other:
        assert other.attached["session"] != browser.attached["session"]
    with attach(client, "f" * 32) as stranger:
        assert not stranger.attached["found"]


def test_the_session_outlives_the_server(serve):
    with attach(serve()) as browser:
        browser.ask("step", count=20)
        browser.ask("order", symbol="AAPL", side="buy", quantity=2, price=90.0)
        browser.ask("step", count=5)
        before = browser.until("ladder", lambda m: m["time"] == 2_500_000_000)
        id = browser.attached["session"]
    serve.stop()
    with attach(serve(), id) as again:
        assert again.attached["found"]
        after = again.until("ladder")
        assert {**after, "made": 0} == {**before, "made": 0}
        assert again.ask("step")["type"] == "done"


def test_steps_are_exact_and_seeds_repeat(serve):
    def path(browser, seed):
        browser.ask("reset", seed=seed)
        browser.ask("step", count=30)
        return browser.until("ladder", lambda m: m["time"] == 3_000_000_000)

    with attach(serve()) as browser:
        one, other, same = path(browser, 5), path(browser, 6), path(browser, 5)
        assert {**one, "made": 0} == {**same, "made": 0}
        assert one["bids"] != other["bids"] or one["tape"] != other["tape"]
        browser.ask("start")
        assert "pause it first" in browser.ask("step")["error"]


def test_a_ticket_rests_shows_its_queue_is_changed_and_cancelled(serve):
    with attach(serve()) as browser:
        browser.ask("step", count=5)
        best = browser.until("ladder", lambda m: m["time"] == 500_000_000)["bids"][0][0]
        assert browser.ask("order", symbol="AAPL", side="buy", quantity=3, price=best)["order"] == 1
        browser.ask("step")
        book = browser.until("ladder", lambda m: m["time"] == 600_000_000)
        assert [(o["id"], o["side"], o["quantity"], o["price"]) for o in book["orders"]] == [(1, "buy", 3, best)]
        own = [level for level in book["bids"] if level[2]]
        assert own and any(level[0] == best and level[3] is not None for level in own)
        lower = round(best - 0.01, 2)
        assert browser.ask("modify", symbol="AAPL", order=1, quantity=2, price=lower)["type"] == "done"
        assert "multiples of 0.01" in browser.ask("modify", symbol="AAPL", order=1, quantity=2, price=99.995)["error"]
        assert "error" in browser.ask("modify", symbol="AAPL", order=9, quantity=2, price=lower)
        browser.ask("step")
        (order,) = browser.until("ladder", lambda m: m["time"] == 700_000_000)["orders"]
        assert (order["id"], order["quantity"], order["price"]) == (1, 2, lower)
        browser.ask("cancel", symbol="AAPL", order=1)
        browser.ask("step")
        assert not browser.until("ladder", lambda m: m["time"] == 800_000_000)["orders"]
        assert "multiples of 0.01" in browser.ask("order", symbol="AAPL", side="buy", quantity=1, price=99.995)["error"]
        assert "allowed are AAPL, MSFT" in browser.ask("order", symbol="IBM", side="buy", quantity=1)["error"]
        browser.ask("order", symbol="AAPL", side="sell", quantity=2)
        browser.ask("step", count=2)
        assert browser.until("ladder", lambda m: m["time"] == 1_000_000_000)["position"] == -2
        chart = [m for m in browser.seen if m["type"] == "chart" and m["fills"]][-1]
        assert [fill[4] for fill in chart["fills"] if fill[0] == 2] == ["sell"] * len(chart["fills"])


def test_a_limit_trips_and_a_trader_is_released(serve):
    with attach(serve()) as browser:
        assert browser.ask("risk", max_position=2, on_breach="reduce-only")["type"] == "done"
        assert browser.until("state", lambda m: m["risk"]["max_position"] == 2)["risk"]["on_breach"] == "reduce-only"
        assert "error" in browser.ask("order", symbol="AAPL", side="buy", quantity=3)
        browser.ask("step")
        me = browser.until("account", lambda m: m["traders"][-1]["stopped"])["traders"][-1]
        assert me["stopped"] == "reduce-only" and me["limits"][0] == {"limit": "max_position", "used": 0, "allowed": 2}
        browser.ask("release", trader=me["number"])
        assert browser.until("account", lambda m: not m["traders"][-1]["stopped"])
        assert browser.ask("order", symbol="AAPL", side="buy", quantity=2)["type"] == "done"


def test_strategies_are_validated(serve, tmp_path):
    with attach(serve()) as browser:
        def put(name, **parameters):
            return browser.ask("strategy", slot=2, name=name, parameters=parameters)

        assert put("market-making", skew=2.5, max_position=4)["type"] == "done"
        state = browser.until("state", lambda m: m["strategies"][1]["name"])
        assert state["strategies"][1]["parameters"] == {"skew": 2.5, "max_position": 4}
        assert "did you mean 'market-making'" in put("market-makin")["error"]
        assert "did you mean 'skew'" in put("market-making", skwe=1)["error"]
        assert "whole number" in put("market-making", max_position=1.5)["error"]
        assert "expected a number" in put("market-making", skew="wide")["error"]
        assert "must be" in put("queue-imbalance", probability=2.0)["error"]
        paths = ("/etc/passwd", "../runs/x", str(tmp_path))
        for evil in ("os:system", "baselines.do_nothing:DoNothing", "oracle", *paths):
            assert "unknown strategy" in put(evil)["error"], evil
        assert "slot" in browser.ask("strategy", slot=5, name="join-touch")["error"]
        assert put("")["type"] == "done"
        browser.ask("step", count=3)
        assert browser.until("ladder", lambda m: m["time"] == 300_000_000)


def test_market_costs_and_symbol(serve):
    with attach(serve()) as browser:
        assert "did you mean 'calm'" in browser.ask("market", preset="clam")["error"]
        assert browser.ask("market", preset="calm")["type"] == "done"
        assert browser.until("state", lambda m: m["preset"] == "calm")
        costs = {"order_ms": 2.5, "market_data_ms": 1.0, "maker": -0.2, "taker": 0.3}
        assert browser.ask("costs", **costs)["type"] == "done"
        assert browser.until("state", lambda m: m["costs"]["taker"] == 0.3)["costs"] == costs
        browser.ask("watch", symbol="MSFT", levels=3)
        ladder = browser.until("ladder", lambda m: m["symbol"] == "MSFT")
        assert len(ladder["bids"]) == 3
        assert "allowed are AAPL, MSFT" in browser.ask("watch", symbol="IBM")["error"]
        browser.ask("step", count=2)
        assert browser.until("ladder", lambda m: m["time"] == 200_000_000)["symbol"] == "MSFT"


def test_exports_and_recordings(serve):
    client = serve()
    with attach(client) as browser:
        browser.ask("step", count=150)
        browser.until("ladder", lambda m: m["time"] == 15_000_000_000)
        query = {"session": browser.attached["session"]}
        fills = pd.read_csv(io.StringIO(client.get("/export/fills.csv", params=query).text))
        same = pd.read_parquet(io.BytesIO(client.get("/export/fills.parquet", params=query).content))
        assert len(fills) and len(fills) == len(same) and set(fills["symbol"]) <= {"AAPL", "MSFT"}
        path = pd.read_csv(io.StringIO(client.get("/export/path.csv", params=query).text))
        assert len(path) == 151 * 2 * 2 and set(path["trader"]) == {"join-touch", "do-nothing"}
        page = client.get("/export/report.html", params=query)
        assert "join-touch" in page.text and "attachment" in page.headers["content-disposition"]
        assert client.get("/export/fills.csv", params={"session": "f" * 32}).status_code == 404
        assert client.get("/export/passwd", params=query).status_code == 404
        name = browser.ask("record")["recording"]
    assert client.get("/recordings").json() == {"recordings": [name]}
    told = client.get(f"/recordings/{name}").json()
    assert told["symbols"].keys() == {"AAPL", "MSFT"} and told["symbols"]["AAPL"]["frames"][-1]["ladder"]["time"]
    for wrong in ("x", "..%2f..%2fetc%2fpasswd", "../sessions"):
        assert client.get(f"/recordings/{wrong}").status_code == 404


def test_figures_and_files(serve):
    client = serve()
    with attach(client) as browser:
        browser.ask("speed", value=5)
        text = client.get("/metrics").text
    assert "hft_gym_dashboard_clients 1\n" in text and "hft_gym_dashboard_sessions 1\n" in text
    assert client.get("/health").json() == {"status": "ok"}
    page = client.get("/")
    assert page.status_code == 200 and "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/plotly.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/static/app.js").status_code == 200
    for wrong in ("/static/../config.py", "/static/%2e%2e/config.py", "/nothing", "/ws"):
        assert client.get(wrong).status_code in (404, 405)
    assert client.get("/", headers={"host": "evil.example"}).status_code == 421


def test_strangers_are_refused(serve):
    client = serve()
    for headers in ({"origin": "http://evil.example"}, {"origin": URL, "host": "evil.example"}):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(WS, headers=headers):
            pass


def test_too_many(serve):
    client = serve(max_clients=1, max_sessions=1, messages_per_second=5)
    with attach(client) as browser:
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(WS):
            pass
        for _ in range(10):
            browser.socket.send_json({"v": 1, "type": "pause"})
        browser.until("closed")
        assert "more than 5 messages a second" in browser.until("error")["error"]
    # Nobody watches it now, so the next session takes its place.
    with attach(client, fresh=True) as second:
        assert len(client.server.rooms) == 1 and second.attached["session"] in client.server.rooms.rooms


@pytest.mark.parametrize(
    ("sending", "telling", "failures"),
    [(RuntimeError("closed"), None, 0), (WebSocketDisconnect(1006), None, 0), (None, RuntimeError("ours"), 1)],
    ids=["closed by us", "closed by it", "an error of ours"],
)
def test_a_client_that_goes_is_no_failure_and_an_error_of_ours_is_one(sending, telling, failures):
    class Socket:
        closed = ()

        async def send_text(self, text):
            if sending:
                raise sending

        async def close(self, *how):
            self.closed = how

    def told():
        if telling:
            raise telling

    async def play():
        config = DashboardConfig(keep=None)
        server = Server(config, Rooms(config, Catalogue(config.runs), lambda: LiveSession(SESSION)))
        client, socket = Client(server.counts, Watch(symbol="AAPL")), Socket()
        client.offer("chart", "x", told)
        await server._pump(client, socket)
        return server.counts.failures, socket.closed

    found, closed = asyncio.run(play())
    assert found == failures and (closed[:1] == (1011,)) is bool(failures)


def test_a_session_that_cannot_be_kept_leaves_the_others_kept(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("hft_gym.dashboard.rooms.SAVE_EVERY_S", 0.01)

    async def play():
        config = DashboardConfig(keep=tmp_path)
        rooms = Rooms(config, Catalogue(config.runs), lambda: LiveSession(SESSION))
        bad, good = await rooms.new(), await rooms.new()
        bad.live.save = None  # "NoneType is not callable": nothing that a disk would say
        house = asyncio.create_task(rooms.keep_house())
        while not (tmp_path / "sessions" / good.id / "room.json").exists():
            await asyncio.sleep(0.01)
        house.cancel()
        bad.live.save = lambda folder: None
        await rooms.close()
        return bad.id

    found = asyncio.run(play())
    assert f"session {found[:6]} cannot be kept" in caplog.text


def test_a_failing_session_says_so_and_the_server_goes_on(serve):
    client = serve()
    with attach(client) as browser:
        room = client.server.rooms.find(browser.attached["session"])

        def broken(duration_ns):
            raise RuntimeError("out of order")

        room.live.advance = broken
        browser.ask("start")
        failed = browser.until("state", lambda m: m["failure"])
        assert failed["failure"] == "RuntimeError: out of order" and not failed["running"]
    with attach(client, fresh=True) as other:
        assert other.ask("step")["type"] == "done"


words = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
garbage = st.one_of(
    st.text(max_size=100),
    st.binary(max_size=100),
    words.map(json.dumps),
    st.builds(
        lambda kind, rest: json.dumps({"v": 1, "type": kind, **rest}),
        st.sampled_from(sorted(MESSAGES)),
        st.dictionaries(
            st.sampled_from(["symbol", "slot", "name", "parameters", "side", "quantity", "price", "seed", "session"]),
            words | st.sampled_from(["AAPL", "buy", 1, {"skew": 1}]),
            max_size=5,
        ),
    ),
)


def test_fuzzed_messages_never_harm_the_server(serve):
    client = serve(messages_per_second=10_000, max_sessions=1000)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(garbage, max_size=8))
    def fuzz(messages):
        with client.websocket_connect(WS, headers={"origin": URL}) as socket:
            browser = Browser(socket)
            browser.ask("attach", session=id)
            for message in messages:
                if isinstance(message, bytes):
                    socket.send_bytes(message)
                else:
                    socket.send_text(message)
            assert browser.ask("pause")["type"] == "done"

    with attach(client) as keeper:
        id = keeper.attached["session"]
        fuzz()
        assert client.server.counts.failures == 0 and client.server.counts.rejected > 0
        assert keeper.ask("pause")["type"] == "done"
    assert client.get("/health").status_code == 200
