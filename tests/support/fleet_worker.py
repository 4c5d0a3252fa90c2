"""The real `autoscaler` command as one worker of a fleet, with three seams that only tests have.

Its wall clock may be wrong (FLEET_CLOCK, ms); each of its writes to Render says which journal entry it belongs to; and it stops
itself (SIGSTOP) right before it sends one, once the file FLEET_STOP is there and begins like the step: the one moment that no
lease can guard, since the step is checked and written down, and Render knows nothing of leases.

`python -m tests.support.fleet_worker run -p policies`
"""

import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from autoscaler import bootstrap
from autoscaler.adapters.clock import SystemClock
from autoscaler.adapters.store import SqlStore
from autoscaler.cli.main import main
from autoscaler.core.change import Change, JournalEntry
from render_client import RenderClient

HEADER = "X-Fleet-Entry"
"""JSON: the sender's process id, and what it had written down before it sent the call, and when (seconds, by a clock that is right)."""

_under_way: ContextVar[dict[str, Any]] = ContextVar("_under_way")

Save = Callable[..., Awaitable[None]]


def noting(save: Save) -> Save:
    """SqlStore.save_change that remembers, for the call to Render that follows in the same task, what was written down for it."""

    async def save_change(self: SqlStore, change: Change, *, journal: Sequence[JournalEntry] = (), **more: Any) -> None:
        for entry in journal:
            if entry.outcome is None:
                about = {"service": change.service_id, "change": entry.change_id, "number": entry.number}
                _under_way.set({"pid": os.getpid(), "step": entry.step, "at": time.time()} | about)
        await save(self, change, journal=journal, **more)

    return save_change


class Signed(httpx.AsyncBaseTransport):
    """The network; a write carries its journal entry, and may be where the worker stops."""

    def __init__(self, stop: Path) -> None:
        self._network = httpx.AsyncHTTPTransport()
        self._stop = stop

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "GET":
            entry = _under_way.get()
            request.headers[HEADER] = json.dumps(entry)
            request.extensions["trace"] = partial(self._at, entry)
        return await self._network.handle_async_request(request)

    async def _at(self, entry: dict[str, Any], event: str, _: object) -> None:
        """As late as can be: if it stood still any earlier, the client's own timeout would end the call before it is sent."""
        if event == "http11.send_request_body.started":
            stop_before(entry, self._stop)

    async def aclose(self) -> None:
        await self._network.aclose()


def stop_before(entry: dict[str, Any], stop: Path) -> None:
    """Stand still here until somebody sends SIGCONT, where a test wants that. The file is then gone; another one tells of it."""
    if stop.exists() and entry["step"].startswith(stop.read_text()):
        stop.unlink()
        reached = stop.with_suffix(".new")
        reached.write_text(json.dumps(entry | {"stopped_at": time.time()}))
        reached.rename(stop.with_suffix(".reached"))
        os.kill(os.getpid(), signal.SIGSTOP)


def wrong_by(milliseconds: int) -> Callable[[SystemClock], int]:
    """SystemClock.now of a machine whose clock is off."""
    right = SystemClock.now
    return lambda clock: right(clock) + milliseconds


if __name__ == "__main__":
    SystemClock.now = wrong_by(int(os.environ["FLEET_CLOCK"]))
    SqlStore.save_change = noting(SqlStore.save_change)
    bootstrap.RenderClient = partial(RenderClient, transport=Signed(Path(os.environ["FLEET_STOP"])))
    main()
