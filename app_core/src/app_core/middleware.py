"""The middleware: measures each request, and holds back those that the instance has no room for."""

import asyncio
from typing import Any, Protocol, Unpack

from app_core.asgi import ASGIApp, Receive, Scope, Send
from app_core.exchange import Exchange
from app_core.health import answer
from app_core.instruments import Instruments, Options


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
        self._perhaps_apart = (self._path, *self._excluded)  # one look tells that nearly all requests are not

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: C901, PLR0912 - each call that it were cut by is paid by every request
        """Serve one connection. Each line costs every request of the app, so what only some need is looked for in one place."""
        if scope["type"] != "http" or (scope["path"].startswith(self._perhaps_apart) and self._is_apart(scope["path"])):
            await self._pass(scope, receive, send)
            return
        instruments = self.instruments
        exchange = Exchange(instruments.tracker, instruments.headers, receive, send)
        if instruments.watch is not None:
            instruments.watch(exchange)
        if instruments.tracker.queue_skip:
            instruments.tracker.queue_skip -= 1
        else:
            instruments.measure_queue(scope["headers"], exchange.started)
        gate = instruments.gate
        try:
            if gate.running < gate.limit:
                gate.running += 1
                exchange.gate = gate
            elif await gate.enter():
                exchange.gate = gate
            else:
                await exchange.turn_away()
                return
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:  # the server stops, or ends the work for a client that is gone, or we do
            exchange.finish(error=False)
            if instruments.deadlines is None or not instruments.deadlines.cancelled(exchange):
                raise
        finally:
            if exchange.tracker is not None:
                exchange.finish(error=True)  # no last byte was sent: the app failed, or left its response unfinished
            deadlines = instruments.deadlines
            if deadlines is not None:
                deadlines.close(exchange)
                if exchange.expired:
                    await deadlines.answered(exchange)

    def _is_apart(self, path: str) -> bool:
        return path == self._path or path in self._excluded or path.startswith(self._below_excluded)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what is not measured."""
        if scope["type"] == "lifespan":
            await self.instruments.prepare(asyncio.get_running_loop())
            self.instruments.each_second()
        if scope["type"] == "http" and scope["path"] == self._path:
            self.instruments.each_second()
            await answer(self.instruments, scope, send)
        else:
            await self._app(scope, receive, send)


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
