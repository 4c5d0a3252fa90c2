"""What app_core takes of an instance: resident memory, also after many requests, and the time of one poll of its health endpoint.

    .venv/bin/python benchmarks/footprint.py [--starts 5] [--requests 10000000] [--polls 300]

Imports: each line is a fresh Python that builds a FastAPI app; its resident memory less that of the app alone, started beside it.
Many requests: as many as 20 s allow, or as told, through the middleware in this process: 74 clients at once, of which eight run, 64
wait and two are turned away; random response times on a clock of our own; one response in 50 fails, one in 200 raises.
A poll: after 100,000 requests over 20 minutes of that clock, so that all windows are full. Between two polls come 50 requests; "at once again" asks a second time without them, with warm caches.
"""

import argparse
import asyncio
import gc
import json
import random
import statistics
import time
from contextlib import suppress

import psutil
from support.memory import resident_megabytes
from support.peers import starter
from support.tables import median_and_quartiles, print_machine, print_table
from support.traffic import HEALTH, App, Receive, Scope, Send, bare, body_of, discard, headers_of_now, receive
from support.traffic import scope as scope_of

from app_core import ScalingMiddleware

_MB = 1 << 20
_ALONE = "from fastapi import FastAPI; app = FastAPI()"
_INSTALLED = {
    "import app_core": "import app_core",
    "app_core, instrument(app)": "from app_core import instrument; instrument(app)",
    "judoscale": "from judoscale.asgi.middleware import FastAPIRequestQueueTimeMiddleware as M; app.add_middleware(M)",
    "starlette-exporter": "from starlette_exporter import PrometheusMiddleware as M; app.add_middleware(M)",
    "prometheus-fastapi-instrumentator": "from prometheus_fastapi_instrumentator import Instrumentator; Instrumentator().instrument(app)",
    "OpenTelemetry ASGI metrics": "from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware as M; from opentelemetry.sdk.metrics import MeterProvider; from opentelemetry.sdk.metrics.export import InMemoryMetricReader as R; M(app, meter_provider=MeterProvider(metric_readers=[R()]))",
}
_CLIENTS = 74
_SECONDS = 20  # of many requests, when their number is not told
_LOOKS = (100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000)
_BEFORE_POLLS = 100_000
_BETWEEN_POLLS = 50


class Clock:
    """A clock that goes on when told."""

    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now


def print_imports(starts: int) -> None:
    """Print what each middleware adds to the memory of a FastAPI app; one start more than asked compiles the modules."""
    added: dict[str, list[float]] = {name: [] for name in _INSTALLED}
    alone: list[float] = []
    for number in range(starts + 1):
        base = resident_megabytes(_ALONE)
        sizes = {name: resident_megabytes(f"{_ALONE}\n{more}") for name, more in _INSTALLED.items()}
        if number:
            alone.append(base)
            for name, size in sizes.items():
                added[name].append(size - base)
    rows = [[name, *median_and_quartiles(values, 2)] for name, values in added.items()]
    title = f"**Memory that it adds** to a FastAPI app, whose Python has {statistics.median(alone):.1f} MB resident:"
    print_table(title, ["adds", "median, MB", "quartiles"], rows)
    print("\nAim: app_core adds 6 MB at most.")


def random_app(clock: Clock, chance: random.Random) -> App:
    """An app that takes random times, in up to three steps, and fails now and then."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for _ in range(chance.randrange(4)):
            clock.now += chance.expovariate(1000)
            await asyncio.sleep(0)
        luck = chance.random()
        if luck < 0.005:
            raise RuntimeError("as an app may")
        await send({"type": "http.response.start", "status": 503 if luck < 0.025 else 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    return app


async def flat_memory(most: int | None) -> tuple[list[tuple[int, float]], dict[str, float]]:
    """Resident MB after so many requests, at growing distances, and the counters at the end."""
    clock, ends = Clock(), time.monotonic() + _SECONDS
    middleware = ScalingMiddleware(random_app(clock, random.Random(1)), clock=clock, config=starter())
    looks = iter(_LOOKS)
    due, done = next(looks), 0
    seen: list[tuple[int, float]] = []

    def look() -> None:
        gc.collect()
        seen.append((done, psutil.Process().memory_info().rss / _MB))

    async def client() -> None:
        nonlocal due, done
        while done < most if most else time.monotonic() < ends:
            done += 1
            if done == due:
                look()
                due = next(looks, 0)
            if done % 10_000 == 0:
                await body_of(middleware, HEALTH)
            with suppress(RuntimeError):
                await middleware(scope_of(headers_of_now()), receive, discard)
            await asyncio.sleep(0)

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))
    report = json.loads(await body_of(middleware, HEALTH))
    assert report["counters"]["requests_total"] == done, report["counters"]
    assert report["concurrency"]["running"] == 0, report["concurrency"]
    if not seen or seen[-1][0] != done:
        look()
    return seen, report["counters"]


def print_flat_memory(seen: list[tuple[int, float]], counters: dict[str, float]) -> None:
    """Print the memory after each number of requests."""
    rows = [[f"{requests:,}", f"{size:.2f}", f"{size - seen[0][1]:+.2f}"] for requests, size in seen]
    print_table("**Memory after many requests**:", ["requests", "resident, MB", "since the first look, MB"], rows)
    turned_away, errors = counters["shed_requests_total"], counters["errors_total"]
    print(f"\nOf these {errors:,} were errors, {turned_away:,} of them because they were turned away.")


def constant(body: bytes) -> App:
    """An app that answers these bytes."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})

    return app


def encoding(report: dict[str, object]) -> App:
    """An app that encodes this report anew for each answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await constant(json.dumps(report).encode())(scope, receive, send)

    return app


_WRITTEN = "beside it, once a second: statistics over windows"


async def poll_times(polls: int) -> tuple[int, dict[str, list[float]]]:
    """Bytes of the report, and microseconds of each poll."""
    clock, chance = Clock(), random.Random(2)

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        clock.now += chance.lognormvariate(-5.5, 1.5)  # 12 ms on average, 4 ms in the middle, 2 s at most
        await bare(scope, receive, send)

    middleware = ScalingMiddleware(slow, clock=clock, config=starter())

    async def traffic(requests: int) -> None:
        for _ in range(requests):
            await middleware(scope_of(headers_of_now()), receive, discard)

    await traffic(_BEFORE_POLLS)
    report = await body_of(middleware, HEALTH)
    apps: dict[str, App] = {"app_core": middleware, "at once again": middleware}
    apps |= {"the same, only encoded": encoding(json.loads(report)), "floor: the same bytes": constant(report)}
    taken: dict[str, list[float]] = {name: [] for name in (*apps, _WRITTEN)}
    poll = scope_of(headers_of_now(), HEALTH)
    for _ in range(polls):
        await traffic(_BETWEEN_POLLS)
        began = time.perf_counter()
        middleware.instruments.look_around()  # as the event loop lets it do once a second; the clock is ours here
        taken[_WRITTEN].append(1e6 * (time.perf_counter() - began))
        for name, app in apps.items():
            one = poll.copy()
            began = time.perf_counter()
            await app(one, receive, discard)
            taken[name].append(1e6 * (time.perf_counter() - began))
    return len(report), taken


def print_polls(size: int, taken: dict[str, list[float]]) -> None:
    """Print how long a poll took."""
    rows = [[name, *median_and_quartiles(values, 1)] for name, values in taken.items()]
    print_table(
        f"**One poll of the health endpoint**, {size:,} bytes:", ["answered by", "median, µs", "quartiles"], rows
    )
    print("\nAim: 60 µs at most.")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Memory that app_core takes, and the time of a poll of its endpoint.")
    parser.add_argument("--starts", type=int, default=5, help="fresh Pythons for each import, 2 or more (5)")
    parser.add_argument("--requests", type=int, help=f"requests through the middleware (as many as {_SECONDS} s allow)")
    parser.add_argument("--polls", type=int, default=300, help="polls of the health endpoint, 2 or more (300)")
    arguments = parser.parse_args()
    print_machine(f"{arguments.starts} starts, {arguments.polls} polls")
    print_imports(arguments.starts)
    print_flat_memory(*asyncio.run(flat_memory(arguments.requests)))
    print_polls(*asyncio.run(poll_times(arguments.polls)))


if __name__ == "__main__":
    main()
