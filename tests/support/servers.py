"""Real servers with worker processes, on a free port of loopback."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
_APP = "tests.support.served_app:app"
UVICORN = ("uvicorn", _APP, "--host", "127.0.0.1", "--port", "0", "--no-access-log")
GUNICORN = ("gunicorn", "-k", "asgi", "-b", "127.0.0.1:0", _APP)
_TRIES = 1500


class Server:
    """A server that runs, and clients of it. Every request has a connection of its own, so that any worker may get it."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self._log = log
        self._client: httpx.AsyncClient | None = None

    def log(self) -> str:
        return self._log.read_text()

    async def address(self) -> str:
        """Both servers log where they listen."""
        for _ in range(_TRIES):
            if found := re.search(r"http://127\.0\.0\.1:\d+", self.log()):
                return found[0]
            assert self.process.poll() is None, self.log()
            await asyncio.sleep(0.01)
        raise AssertionError(self.log())

    def clients_are(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, path: str) -> httpx.Response:
        assert self._client is not None
        return await self._client.get(path)

    async def report(self) -> dict:
        """Of whichever worker answers."""
        for _ in range(_TRIES):
            with contextlib.suppress(
                httpx.TransportError
            ):  # nobody listens yet, or the worker was ended before it answered
                return (await self.ask("/api/health/scaling")).json()
            await asyncio.sleep(0.01)
        raise AssertionError(f"nobody answers; {self.log()}")

    async def until(self, holds: Callable[[dict], bool]) -> dict:
        """The first report that is as told."""
        report: dict = {}
        for _ in range(_TRIES):
            report = await self.report()
            if holds(report):
                return report
            await asyncio.sleep(0.01)
        raise AssertionError(f"it never came to that; last {report}; {self.log()}")

    async def workers(self, number: int) -> dict[int, int]:
        """How many requests each worker lets in, by its process id; all of them must have answered in succession."""
        seen: dict[int, int] = {}
        for _ in range(_TRIES):
            with contextlib.suppress(httpx.TransportError):
                process, limit = (await self.ask("/api/health/limit")).text.split()
                seen[int(process)] = int(limit)
            if len(seen) == number:
                return seen
        raise AssertionError(f"only {seen} answer; {self.log()}")

    async def until_limits(self, *limits: int) -> None:
        """Wait until the workers let so many requests in, each of them."""
        seen: dict[int, int] = {}
        for _ in range(_TRIES):
            seen = await self.workers(len(limits))
            if sorted(seen.values()) == sorted(limits):
                return
        raise AssertionError(f"the workers let in {seen}; {self.log()}")


def play(story: Callable[[Server], Awaitable[None]], command: Sequence[str], folder: Path, **environment: str) -> None:
    """Tell a story about `python -m command`, which keeps its temporary files in the folder."""
    asyncio.run(_play(story, command, folder, environment))


async def _play(
    story: Callable[[Server], Awaitable[None]], command: Sequence[str], folder: Path, environment: dict[str, str]
) -> None:
    with _started(command, folder, environment) as server:
        # Without a pool every request has a connection of its own; what is not encrypted needs no certificates read.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        address = await server.address()
        async with httpx.AsyncClient(base_url=address, limits=limits, timeout=20, verify=False) as client:  # noqa: S501
            server.clients_are(client)
            await story(server)


@contextlib.contextmanager
def _started(command: Sequence[str], folder: Path, environment: dict[str, str]) -> Iterator[Server]:
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"} | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Server(process, log)
    finally:
        process.terminate()
        process.send_signal(signal.SIGCONT)  # a story that failed may have left it stopped
        try:
            process.wait(10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
