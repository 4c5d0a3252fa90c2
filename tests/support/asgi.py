"""Drives an ASGI app by hand: a clock that stands still, an app that waits to be told, a client that records."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app_core import ScalingMiddleware
from app_core.asgi import ASGIApp, Message, Receive, Scope, Send
from app_core.ledger import WINDOWS

WINDOW = {window.name: window for window in WINDOWS}


class Clock:
    """A monotonic clock that moves when told."""

    def __init__(self, now: float = 1200.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def http_scope(path: str = "/work", method: str = "GET", headers: Iterable[tuple[bytes, bytes]] = ()) -> Scope:
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": list(headers)}


async def settle() -> None:
    """Let everything that can run do so; no time passes."""
    for _ in range(20):
        await asyncio.sleep(0)


class Puppet:
    """An app that answers each request when it is told to, and records what reached it."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.scopes: list[Scope] = []
        self.answers: list[asyncio.Event] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = asyncio.Event()
        self.scopes.append(scope)
        self.answers.append(answer)
        await answer.wait()
        await reply(send, self.status)


async def reply(send: Send, status: int = 200, body: bytes = b"ok") -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


class Call:
    """One connection to an app, running in a task of its own."""

    def __init__(self, app: ASGIApp, scope: Scope | None = None) -> None:
        self.sent: list[Message] = []
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.task = asyncio.ensure_future(app(scope or http_scope(), self._inbox.get, self._record))

    async def _record(self, message: Message) -> None:
        self.sent.append(message)

    def deliver(self, message: Message) -> None:
        """Send something from the client."""
        self._inbox.put_nowait(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


async def fetch(
    app: ASGIApp, path: str = "/work", method: str = "GET", headers: Iterable[tuple[bytes, bytes]] = ()
) -> Call:
    """Run one request to its end, which must come."""
    call = Call(app, http_scope(path, method, headers))
    await asyncio.wait_for(call.task, 10)
    return call


async def fresh_report(measured: ScalingMiddleware) -> Any:
    """What the endpoint tells, all of it of this moment: else a busy machine may tell what was a second ago."""
    instruments = measured.instruments
    instruments.look_around()
    return json.loads((await fetch(measured, instruments.path)).body)


def cgroup_v2(root: Path, *, memory_max: str = "536870912", cpu_max: str = "50000 100000", **files: str) -> Path:
    """A tree as cgroup v2 shows it inside a container; further files by name with `_` for the first dot."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "cgroup.controllers").write_text("cpu memory\n")
    (root / "memory.max").write_text(memory_max + "\n")
    (root / "cpu.max").write_text(cpu_max + "\n")
    for name, text in files.items():
        (root / name.replace("_", ".", 1)).write_text(text)
    return root
