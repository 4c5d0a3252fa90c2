"""What the middleware adds to one request, beside a wrapper written by hand that only wraps, sends and times (the floor).

    .venv/bin/python benchmarks/middleware.py [--rounds 40] [--requests 20000]

All variants serve the same bare ASGI app in this process; rounds are interleaved, so that a busy machine slows all of them alike.
Added cost = a variant's time per request less the bare app's of the same round; the table shows medians and the quartiles around them.
"""

import argparse
import asyncio
import platform
import statistics
import subprocess
import sys
import time
from bisect import bisect_left
from pathlib import Path

from app_core import ScalingMiddleware
from app_core.asgi import ASGIApp, Message, Receive, Scope, Send
from app_core.windows import BIN_BOUNDS, empty_histogram

BARE, FLOOR = "bare app", "floor: wrap, send, time"
SCOPE: Scope = {"type": "http", "method": "GET", "path": "/api/analysis", "headers": []}
START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
BODY: Message = {"type": "http.response.body", "body": b"ok"}


async def bare(_scope: Scope, _receive: Receive, send: Send) -> None:
    """The app: one response of two messages."""
    await send(START)
    await send(BODY)


class Floor:
    """The least that measures: wrap send, read the status, time the request, one histogram."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.concurrent = self.requests = self.errors = 0
        self.seconds = 0.0
        self.histogram = empty_histogram()

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
            self.histogram[bisect_left(BIN_BOUNDS, elapsed)] += 1


async def receive() -> Message:
    """Nothing that an app without a body would ask for."""
    return {"type": "http.request"}


async def discard(message: Message) -> None:
    """A server that sends nowhere."""


async def seconds_per_request(app: ASGIApp, requests: int) -> float:
    """One round."""
    started = time.perf_counter()
    for _ in range(requests):
        await app(SCOPE, receive, discard)
    return (time.perf_counter() - started) / requests


def imported_kilobytes(statement: str) -> int:
    """Resident memory of a fresh Python after the statement."""
    script = f"{statement}\nwith open('/proc/self/status') as lines: print(next(l.split()[1] for l in lines if l.startswith('VmRSS')))"
    return int(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout)  # noqa: S603 - our own interpreter, a constant script


def print_import_sizes() -> None:
    """What the import adds to the resident memory of a FastAPI app."""
    print("\nresident memory of a fresh Python after the import, median of 5")
    for statement in ("import fastapi", "import fastapi, app_core"):
        kilobytes = statistics.median(imported_kilobytes(statement) for _ in range(5))
        print(f"{statement:28}{kilobytes / 1024:10.1f} MB")


async def measure(variants: dict[str, ASGIApp], rounds: int, requests: int) -> dict[str, list[float]]:
    """Seconds a request took in each round, by variant; one round more than asked warms up."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, app in variants.items():
            taken = await seconds_per_request(app, requests)
            if number:
                times[name].append(taken)
    return times


def print_table(times: dict[str, list[float]]) -> None:
    """What each variant adds to the bare app, in microseconds and as a multiple of the floor."""
    bare_times = times.pop(BARE)
    added = {
        name: [1e6 * (one - base) for one, base in zip(taken, bare_times, strict=True)] for name, taken in times.items()
    }
    floor = statistics.median(added[FLOOR])
    print(f"{'added to a request':28}{'median us':>10}{'quartiles':>16}{'x floor':>9}")
    for name, microseconds in added.items():
        low, middle, high = statistics.quantiles(microseconds, n=4)
        print(f"{name:28}{middle:10.2f}{f'{low:.2f} to {high:.2f}':>16}{middle / floor:9.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Cost that the middleware adds to a request.")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=20_000)
    arguments = parser.parse_args()
    variants: dict[str, ASGIApp] = {
        BARE: bare,
        FLOOR: Floor(bare),
        "app_core, headers off": ScalingMiddleware(bare, headers=False),
        "app_core, headers on": ScalingMiddleware(bare),
    }
    rounds = f"{arguments.rounds} interleaved rounds of {arguments.requests} requests"
    print(f"Python {platform.python_version()}, {platform.machine()}, {rounds}")
    print_table(asyncio.run(measure(variants, arguments.rounds, arguments.requests)))
    if Path("/proc/self/status").exists():
        print_import_sizes()


if __name__ == "__main__":
    main()
