"""The middleware: counts each request until its last byte, and holds back those that the instance has no room for."""

import asyncio
import math
from contextlib import suppress
from typing import Any, Protocol, Unpack

from app_core.asgi import ASGIApp, Message, Receive, Scope, Send
from app_core.gate import Gate
from app_core.health import answer, respond
from app_core.instruments import Instruments, Options
from app_core.tracker import Tracker

_LONGEST_RETRY = 30  # seconds


class ScalingMiddleware:
    """Measures any ASGI app and answers its scaling health endpoint.

    Websockets and lifespan pass untouched.

    Args:
        app: the app to measure.
        instruments: what to measure with; made from the options when None.
        options: those of `Instruments`.
    """

    def __init__(self, app: ASGIApp, *, instruments: Instruments | None = None, **options: Unpack[Options]) -> None:
        self.instruments = instruments or Instruments(**options)
        self._app = app
        self._path = self.instruments.path
        self._excluded = self.instruments.exclude
        self._below_excluded = tuple(f"{path}/" for path in self._excluded)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                self._start_sampler()
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if path == self._path:
            self._start_sampler()
            await answer(self.instruments, scope, send)
        elif path in self._excluded or path.startswith(self._below_excluded):
            await self._app(scope, receive, send)
        else:
            await _Exchange(self.instruments, receive, send).run(self._app, scope, self.instruments.gate)

    def _start_sampler(self) -> None:
        with suppress(RuntimeError):  # a server without asyncio: there is no loop to look at
            self.instruments.sampler.start(asyncio.get_running_loop())


class _Exchange:
    """One request and its response. It is over with the last byte, or as soon as the client is known to be gone."""

    __slots__ = ("_gate", "_headers", "_receive", "_send", "_started", "_status", "_tracker")

    def __init__(self, instruments: Instruments, receive: Receive, send: Send) -> None:
        self._tracker: Tracker | None = instruments.tracker  # None once the request is counted
        self._gate: Gate | None = None  # the gate that let the request in
        self._headers = instruments.headers
        self._receive = receive
        self._send = send
        self._status = 0
        self._started = instruments.tracker.begin()

    async def run(self, app: ASGIApp, scope: Scope, gate: Gate) -> None:
        """Pass the gate, then let the app answer."""
        try:
            if gate.running < gate.limit:
                gate.running += 1
                self._gate = gate
            elif await gate.enter():
                self._gate = gate
            else:
                await self._turn_away()
                return
            await app(scope, self.receive, self.send)
        except asyncio.CancelledError:  # the server stops, or ends the work for a client that is gone
            self._finish(error=False)
            raise
        finally:
            self._finish(error=True)  # no last byte was sent: the app failed, or left its response unfinished

    async def receive(self) -> Message:
        """Pass a message of the client on."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._finish(error=False)
        return message

    async def send(self, message: Message) -> None:
        """Pass a message of the app on."""
        kind = message["type"]
        if kind == "http.response.start":
            self._status = message["status"]
            if self._headers and self._tracker:
                message = self._with_headers(message, self._tracker)
        try:
            await self._send(message)
        except OSError:  # how a server says that the client is gone
            self._finish(error=False)
            raise
        if (kind == "http.response.body" and not message.get("more_body")) or kind == "http.response.pathsend":
            self._finish(error=False)

    def _finish(self, *, error: bool) -> None:
        tracker = self._tracker
        if tracker is None:
            return
        self._tracker = None
        tracker.end(self._started, error or self._status >= 500)
        if self._gate is not None:
            self._gate.leave()

    def _with_headers(self, message: Message, tracker: Tracker) -> Message:
        """A copy: the app may send the same list of headers again."""
        elapsed = tracker.since(self._started)
        ours = ((b"x-response-time", b"%.3fs" % elapsed), (b"x-concurrent-requests", b"%d" % tracker.concurrent))
        return {**message, "headers": [*message.get("headers", ()), *ours]}

    async def _turn_away(self) -> None:
        """503 with the time that a response takes at present, which by then will have freed a place."""
        tracker = self._tracker
        if tracker is None:
            return
        tracker.shed += 1
        mean = tracker.mean("10s") or 0.0
        seconds = min(max(1, math.ceil(mean)), _LONGEST_RETRY)
        detail = {"detail": "too many requests are waiting, try again later"}
        await respond(self.send, 503, detail, [(b"retry-after", b"%d" % seconds)])


class _TakesMiddleware(Protocol):
    """Starlette, FastAPI and whatever is built on them."""

    def add_middleware(self, middleware_class: Any, **options: Any) -> None: ...


def instrument(app: _TakesMiddleware, **options: Unpack[Options]) -> Instruments:
    """Measure a FastAPI or Starlette app and let it answer GET /api/health/scaling.

    Call it after other `add_middleware` calls, so that their time is measured too. Any other ASGI app is wrapped: `ScalingMiddleware(app)`.

    Returns:
        What the app is measured with: its settings (`.config`), its limits (`.resources.limits`), the gauges to register (`.gauges`).

    Raises:
        SettingError: an environment variable holds a value that cannot be used.
        TypeError: the app takes no middleware.
    """
    if not hasattr(app, "add_middleware"):
        raise TypeError(f"{type(app).__name__} has no add_middleware: wrap it instead, app = ScalingMiddleware(app)")
    instruments = Instruments(**options)
    app.add_middleware(ScalingMiddleware, instruments=instruments)
    return instruments
