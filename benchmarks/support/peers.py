"""The middlewares that are measured, each configured as its README says, each with the count of the requests that it has measured."""

import json
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from judoscale.asgi.middleware import StarletteRequestQueueTimeMiddleware
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.trace import NoOpTracerProvider
from prometheus_client import REGISTRY
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette_exporter import PrometheusMiddleware
from support.seed import PerformanceMonitoring
from support.traffic import HEALTH, PATH, App, Message, Receive, Scope, Send, bare, body_of

from app_core import ScalingConfig, ScalingMiddleware, instrument

# On without a network: judoscale's reporter starts, and sleeps for longer than any benchmark runs.
JUDOSCALE = {"API_BASE_URL": "http://127.0.0.1:9", "REPORT_INTERVAL_SECONDS": 24 * 3600}
_BOUNDS = [0.001 * 1.1**power for power in range(141)]


@dataclass(frozen=True, slots=True)
class Variant:
    """An app to measure; `counted` tells how many requests its middleware has seen, None where there is none."""

    name: str
    app: App
    counted: Callable[[], Awaitable[int]] | None = None


class Floor:
    """The least that measures: wrap send, read the status, time the request, one histogram."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.concurrent = self.requests = self.errors = 0
        self.seconds = 0.0
        self.histogram = [0] * (len(_BOUNDS) + 1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        self.concurrent += 1
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            elapsed = time.perf_counter() - started
            self.concurrent -= 1
            self.requests += 1
            self.seconds += elapsed
            self.errors += status >= 500
            self.histogram[bisect_left(_BOUNDS, elapsed)] += 1


async def analysis(_request: Request) -> JSONResponse:
    """The one route of the Starlette app."""
    return JSONResponse({"status": "ok"})


def starlette() -> Starlette:
    """An app of one route."""
    return Starlette(routes=[Route(PATH, analysis)])


def starter(**environ: str) -> ScalingConfig:
    """The settings on Render's smallest plan, wherever the benchmark runs, with these variables set."""
    return ScalingConfig.from_environment(512 << 20, environ)


def floor() -> Variant:
    """The hand-written wrapper."""
    app = Floor(bare)

    async def counted() -> int:
        return app.requests

    return Variant("floor: wrap, send, time", app, counted)


def app_core(name: str, app: ScalingMiddleware | Starlette) -> Variant:
    """Ours; the health endpoint tells the count."""

    async def counted() -> int:
        counters = json.loads(await body_of(app, HEALTH))["counters"]
        return int(counters["requests_total"])

    return Variant(f"app_core, {name}", app, counted)


def app_core_on_bare() -> list[Variant]:
    """Ours without its headers, as it is installed, and with a time limit on requests."""
    timed = starter(REQUEST_TIMEOUT="30")
    assert timed.settings()["REQUEST_TIMEOUT"] == 30, "a limit that is not set costs nothing"
    return [
        app_core("headers off", ScalingMiddleware(bare, headers=False, config=starter())),
        app_core("as installed", ScalingMiddleware(bare, config=starter())),
        app_core("REQUEST_TIMEOUT=30", ScalingMiddleware(bare, config=timed)),
    ]


def app_core_on_starlette() -> Variant:
    """Ours, installed by `instrument`."""
    app = starlette()
    instrument(app, config=starter())
    return app_core("as installed", app)


def judoscale() -> Variant:
    """judoscale; its reporter takes the metrics away every ten seconds, here `counted` does, without sending them anywhere."""
    app = StarletteRequestQueueTimeMiddleware(bare, extra_config=JUDOSCALE)
    requests = 0

    async def counted() -> int:
        nonlocal requests
        requests += sum(metric.measurement == "at" for metric in app.collector.store.flush())
        return requests

    return Variant("judoscale", app, counted)


def opentelemetry() -> Variant:
    """OpenTelemetry's ASGI metrics with a real meter and no tracing."""
    reader = InMemoryMetricReader()
    meters = MeterProvider(metric_readers=[reader])
    app = OpenTelemetryMiddleware(bare, meter_provider=meters, tracer_provider=NoOpTracerProvider())

    async def counted() -> int:
        data = reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        metrics = [metric for scope in scopes for metric in scope.metrics if metric.name == "http.server.duration"]
        points = [point for metric in metrics for point in metric.data.data_points]
        return sum(point.count for point in points if isinstance(point, HistogramDataPoint))

    return Variant("OpenTelemetry ASGI metrics", app, counted)


def instrumentator() -> Variant:
    """prometheus-fastapi-instrumentator with its default metrics."""
    app = starlette()
    Instrumentator().instrument(app)

    async def counted() -> int:
        labels = {"method": "GET", "status": "2xx", "handler": PATH}
        return int(REGISTRY.get_sample_value("http_requests_total", labels) or 0)

    return Variant("prometheus-fastapi-instrumentator", app, counted)


def exporter() -> Variant:
    """starlette-exporter with its default metrics."""
    app = starlette()
    app.add_middleware(PrometheusMiddleware)

    async def counted() -> int:
        labels = {"method": "GET", "path": PATH, "status_code": "200", "app_name": "starlette"}
        return int(REGISTRY.get_sample_value("starlette_requests_total", labels) or 0)

    return Variant("starlette-exporter", app, counted)


def seed() -> Variant:
    """The seed's own middleware."""
    app = starlette()
    monitoring = PerformanceMonitoring()
    app.add_middleware(BaseHTTPMiddleware, dispatch=monitoring.dispatch)

    async def counted() -> int:
        return monitoring.tracker.total_requests

    return Variant("the seed's own", app, counted)
