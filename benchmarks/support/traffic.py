"""The request that the benchmarks send, as Render's proxies hand it to an instance, and the plainest ASGI app that answers it."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = "/api/analysis"
HEALTH = "/api/health/scaling"
RESPONSE = b'{"status":"ok"}'
_QUEUED = 0.004  # seconds between the proxy and the app
# A browser behind Cloudflare and Render's proxy. The proxy is written in Go, which sends headers in the order of their names.
_HEADERS = [
    (b"host", b"holisticos-api.onrender.com"),
    (b"user-agent", b"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15"),
    (b"accept", b"application/json, text/plain, */*"),
    (b"accept-encoding", b"gzip, br"),
    (b"accept-language", b"en-GB,en;q=0.9,de;q=0.8"),
    (b"authorization", b"Bearer 0123456789abcdef0123456789abcdef"),
    (b"cdn-loop", b"cloudflare; loops=1"),
    (b"cf-connecting-ip", b"203.0.113.7"),
    (b"cf-ray", b"8c1f0a2b3c4d5e6f-FRA"),
    (b"x-forwarded-for", b"203.0.113.7, 10.0.0.4"),
    (b"x-forwarded-proto", b"https"),
]  # fmt: skip
_START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(RESPONSE)).encode())],
}
_BODY: Message = {"type": "http.response.body", "body": RESPONSE}


def headers_of_now(later: float = 0.0) -> list[tuple[bytes, bytes]]:
    """Twelve headers, the last one X-Request-Start in microseconds, for a request that comes `later` seconds from now."""
    started = int((time.time() + later - _QUEUED) * 1e6)
    return [*_HEADERS, (b"x-request-start", str(started).encode())]


def scope(headers: list[tuple[bytes, bytes]], path: str = PATH) -> dict[str, Any]:
    """What uvicorn makes of a GET with these headers."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("10.0.0.9", 10000),
        "client": ("10.0.0.4", 40312),
        "scheme": "https",
        "method": "GET",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "state": {},
    }


async def bare(_scope: Scope, _receive: Receive, send: Send) -> None:
    """The app: one response of two messages."""
    await send(_START)
    await send(_BODY)


async def receive() -> Message:
    """A client that sends no body and stays."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def discard(_message: Message) -> None:
    """A server that sends nowhere."""


async def body_of(app: App, path: str) -> bytes:
    """What the app answers to a GET of that path."""
    parts: list[bytes] = []

    async def collect(message: Message) -> None:
        parts.append(message.get("body", b""))

    await app(scope([], path), receive, collect)
    return b"".join(parts)
