"""Hosts, origins, tokens, headers and rates. Runs against the guard alone: no market is needed."""

import asyncio

import pytest

from hft_gym.dashboard.config import DashboardConfig
from hft_gym.dashboard.security import HEADERS, Guard, host_of
from hft_gym.errors import ConfigError
from hft_gym.feed.server import Allowance

TOKEN = "a-token-of-some-length"


async def _app(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


def ask(config, kind="http", path="/x", query="", **headers):
    """Status (or the WebSocket's first event) and headers of one request."""
    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "path": path, "query_string": query.encode(), "headers": told, "scheme": "http"}
    sent = []

    async def receive():
        return {"type": f"{kind}.connect"}

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(_app, config)(scope, receive, send))
    first = sent[0]
    return first.get("status", first["type"]), {k.decode(): v.decode() for k, v in first.get("headers", [])}


OPEN = DashboardConfig(allowed_hosts=("dash.example",))
CLOSED = DashboardConfig(host="0.0.0.0", token=TOKEN, allowed_hosts=("dash.example",))


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("127.0.0.1:8080", None, True),
        ("localhost:8080", "http://localhost:8080", True),
        ("LOCALHOST:8080", "http://localhost:8080", True),
        ("[::1]:8080", "http://[::1]:8080", True),
        ("dash.example", "https://dash.example", True),
        ("evil.example", None, False),  # DNS rebinding
        ("evil.example:8080", "http://evil.example:8080", False),
        ("192.168.1.5:8080", None, False),  # not loopback, and no token
        ("localhost.evil.example:8080", None, False),
        ("127.0.0.1.evil.example", None, False),
        ("", None, False),
        ("127.0.0.1:8080", "http://evil.example", False),
        ("127.0.0.1:8080", "http://127.0.0.1:9999", False),
        ("127.0.0.1:8080", "null", False),
        ("127.0.0.1:8080", "file://127.0.0.1:8080", False),
        ("127.0.0.1:8080", "http://localhost:8080", False),
    ],
)
def test_host_and_origin(kind, host, origin, allowed):
    headers = {"host": host} | ({"origin": origin} if origin else {})
    status, _ = ask(OPEN, kind, **headers)
    if kind == "http":
        assert (status == 200) is allowed and (allowed or status in (403, 421))
    else:
        assert status == ("websocket.accept" if allowed else "websocket.close")


def test_two_hosts_are_refused():
    scope = {"type": "http", "path": "/", "headers": [(b"host", b"localhost"), (b"host", b"localhost")]}
    assert Guard(_app, OPEN).problem(scope, {"host": ["localhost", "localhost"]})


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, False),
        ({"authorization": f"Bearer {TOKEN}"}, True),
        ({"authorization": f"bearer {TOKEN}"}, False),
        ({"authorization": "Bearer wrong-token-of-length"}, False),
        ({"authorization": "Bearer "}, False),
        ({"cookie": f"hft_gym_token={TOKEN}"}, True),
        ({"cookie": f"other=1; hft_gym_token={TOKEN}"}, True),
        ({"cookie": "hft_gym_token=wrong"}, False),
        ({"cookie": "=;;;\x01"}, False),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_token_is_demanded(kind, headers, allowed):
    status, _ = ask(CLOSED, kind, host="10.0.0.7:8080", **headers)
    assert (status in (200, "websocket.accept")) is allowed


def test_the_token_of_an_address_becomes_a_cookie():
    status, headers = ask(CLOSED, path="/", query=f"token={TOKEN}&a=b", host="10.0.0.7:8080")
    assert status == 303 and headers["location"] == "/?a=b"
    assert headers["set-cookie"].startswith(f"hft_gym_token={TOKEN}; HttpOnly; SameSite=Strict")
    assert ask(CLOSED, path="/", query="token=wrong", host="10.0.0.7:8080")[0] == 401
    assert ask(CLOSED, path="/metrics", query=f"token={TOKEN}", host="10.0.0.7:8080")[0] == 401, "only the page's"
    assert ask(CLOSED, path="/health", host="10.0.0.7:8080")[0] == 200, "it tells nothing"


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
def test_every_answer_has_the_headers(host):
    _, headers = ask(OPEN, host=host)
    assert headers.items() >= HEADERS.items()
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "0.0.0.0"},
        {"host": "::"},
        {"host": "example.org"},
        {"host": "0.0.0.0", "token": "short"},
        {"token": "a b" * 9},
    ],
)
def test_beyond_loopback_a_good_token_is_needed(settings):
    with pytest.raises(ConfigError, match="token"):
        DashboardConfig(**settings)


@pytest.mark.parametrize(
    ("header", "host"),
    [("a:1", "a"), ("A", "a"), ("[::1]:8", "::1"), ("[::1]", "::1"), ("a:b", ""), ("[::1", ""), ("[::1]x", "")],
)
def test_hosts_are_read(header, host):
    assert host_of(header) == host


def test_an_allowance_is_a_rate():
    bucket = Allowance(10.0, now=0.0)
    assert sum(bucket.spend(0.0) for _ in range(100)) == 10
    assert not bucket.spend(0.05) and bucket.spend(0.5)
    # Steadily at the rate, every one is let through; at twice the rate, half are.
    steady, twice = Allowance(10.0, 0.0), Allowance(10.0, 0.0)
    assert all(steady.spend(i * 0.1) for i in range(500))
    assert 490 < sum(twice.spend(i * 0.05) for i in range(1000)) < 530
