"""Who may talk to the dashboard: Host and Origin checks, the token, and the headers of every answer.

A page of another site cannot use the reader's browser against a server on loopback: its requests carry its own
Origin, and one that has pointed its name at 127.0.0.1 (DNS rebinding) carries that name as Host. Both are refused, on
HTTP and WebSocket alike, before a route sees them.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs, urlencode

from hft_gym.dashboard.config import DashboardConfig

__all__ = ["HEADERS", "Guard", "host_of"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

COOKIE = "hft_gym_token"
HEADERS = {
    # Plotly's own buttons ask for nothing outside; "no-inline-styles" keeps it from writing style sheets.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-cache",
}
"""Of every answer. No script or style is inline, and nothing comes from elsewhere."""
OPEN = ("/health",)
"""Paths that need no token: they tell nothing."""


def host_of(header: str) -> str:
    """The host of a Host header or of what follows ``://`` in an Origin, without its port; empty if it is none."""
    text = header.strip().lower()
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        return host if bracket and (not rest or (rest[0] == ":" and rest[1:].isdigit())) else ""
    host, colon, port = text.partition(":")
    return host if not colon or port.isdigit() else ""


class Guard:
    """ASGI middleware: lets requests of the dashboard's own pages and of programs through, with `HEADERS`.

    Args:
        app: what is guarded.
        config: of the dashboard.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], config: DashboardConfig) -> None:
        self.app, self.config = app, config
        self.names = {name.lower() for name in config.allowed_hosts} | {"localhost", config.host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers: dict[str, list[str]] = {}
        for key, value in scope["headers"]:
            headers.setdefault(key.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        problem = self.problem(scope, headers)
        if problem is not None:
            await _refuse(scope, receive, send, *problem)
            return
        if scope["type"] == "http" and scope["path"] == "/" and b"token=" in scope.get("query_string", b""):
            await self._welcome(scope, send)
            return
        await self.app(scope, receive, _with_headers(send))

    def problem(self, scope: Scope, headers: dict[str, list[str]]) -> tuple[int, str] | None:
        """Why a request is refused: status and text; None if it is not."""
        hosts = headers.get("host", [])
        host = host_of(hosts[0]) if len(hosts) == 1 else ""
        if not self.knows(host):
            return 421, "this server has another name"
        for origin in headers.get("origin", []):
            scheme, found, rest = origin.partition("://")
            if not found or scheme not in ("http", "https") or rest.lower() != hosts[0].strip().lower():
                return 403, "requests of other sites are refused"
        if self.config.token and scope["path"] not in OPEN and not self._shown(scope, headers):
            return 401, "a token is needed, or another one"
        return None

    def knows(self, host: str) -> bool:
        """Whether a Host is one of ours: a name of the configuration, or an address that names cannot stand for."""
        if host in self.names:
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        # Without a token only this machine may come; with one any address of ours will do.
        return bool(self.config.token) or address.is_loopback

    def _shown(self, scope: Scope, headers: dict[str, list[str]]) -> bool:
        given = [v[len("Bearer ") :] for v in headers.get("authorization", []) if v.startswith("Bearer ")]
        for text in headers.get("cookie", []):
            try:
                cookie = SimpleCookie(text).get(COOKIE)
            except CookieError:
                continue
            given += [] if cookie is None else [cookie.value]
        if scope["type"] == "http" and scope["path"] == "/":
            given += parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
        wanted = self.config.token.encode()
        return any(hmac.compare_digest(one.encode("utf-8", "replace"), wanted) for one in given)

    async def _welcome(self, scope: Scope, send: Send) -> None:
        """The token in the address becomes a cookie, so that it stays in no history."""
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        rest = urlencode({k: v for k, v in asked.items() if k != "token"}, doseq=True)
        headers = [(b"location", f"/?{rest}".encode() if rest else b"/")]
        if self.config.token:
            secure = "; Secure" if scope.get("scheme") == "https" else ""
            cookie = f"{COOKIE}={self.config.token}; HttpOnly; SameSite=Strict; Path=/{secure}"
            headers.append((b"set-cookie", cookie.encode()))
        await _with_headers(send)({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            there = {key.lower() for key, _ in message.get("headers", [])}
            extra = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in there]
            message["headers"] = [*message.get("headers", []), *extra]
        await send(message)

    return sending


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": text})
        return
    body = f"{text}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await _with_headers(send)({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
