"""A scaling health endpoint on loopback that answers whatever a test wants.

async with health_server() as app:
    app.answer = web.Response(status=503)
    await health.fetch(Health(url=app.url))
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def report(**changed: Any) -> dict[str, Any]:
    """A calm report of now, on starter."""
    body = {
        "timestamp": datetime.now(UTC).isoformat(),
        "current_metrics": {"concurrent_requests": 1},
        "instance": {"id": "srv-1-abcde", "started_at": "2026-01-01T00:00:00+00:00", "plan_guess": "starter"},
        "counters": {"requests_total": 0, "errors_total": 0, "response_seconds_total": 0.0},
        "concurrency": {"running": 0, "queued": 0, "peak": {"10s": 1, "1m": 1, "5m": 1}},
        "resources": {"memory_used_bytes": 100 * 1024**2, "memory_limit_bytes": 512 * 1024**2},
    }
    return body | changed


@dataclass
class HealthServer:
    url: str = ""
    body: dict[str, Any] | None = None
    """Sent instead of a calm report."""
    handler: Handler | None = None
    """Answers instead of a report."""
    requests: list[web.Request] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.handler is not None:
            return await self.handler(request)
        return web.json_response(self.body if self.body is not None else report())


@asynccontextmanager
async def health_server() -> AsyncIterator[HealthServer]:
    """Served while the context lasts."""
    server = HealthServer()
    application = web.Application()
    application.router.add_get("/api/health/scaling", server.answer)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/health/scaling"
        yield server
    finally:
        await runner.cleanup()
