"""A real uvicorn in a thread, on a free port of loopback."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn


def scaling(client: httpx.Client) -> Any:
    """The report of an app that is served."""
    return client.get("/api/health/scaling").json()


def until(client: httpx.Client, holds: Callable[[Any], object]) -> Any:
    """Ask for ten seconds at most until the report is as told: all but counters and concurrency are of the last second."""
    for _ in range(1000):
        report = scaling(client)
        if holds(report):
            return report
        threading.Event().wait(0.01)
    raise AssertionError(f"it never came to that; the last report says {report}")


@contextmanager
def served(app, **options) -> Iterator[str]:
    """Serve the app; gives its address. Options are those of `uvicorn.Config`."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", **options))
    ready = threading.Event()
    startup = server.startup

    async def tell(*arguments, **keywords):
        await startup(*arguments, **keywords)
        ready.set()

    server.startup = tell
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(10), "uvicorn did not start in 10 s"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
