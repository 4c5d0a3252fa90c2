"""The worker: polls what is due, carries changes on, delivers messages, looks at Render; drains when it is told to stop.

A handful of scheduler jobs for any number of services; the due-queue says which of them it is time for.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from autoscaler.core.change import OPEN
from autoscaler.core.durations import DAY
from autoscaler.engine import drift, outbox
from autoscaler.engine.adoption import adopt
from autoscaler.engine.due import DueQueue
from autoscaler.engine.hearing import Hearing
from autoscaler.engine.managed import Managed
from autoscaler.engine.reconciler import Reconciler
from autoscaler.engine.reload import PolicyWatch, Reloader, Rota
from autoscaler.engine.tick import Pass, Ticker
from autoscaler.errors import OutsideError, RefusedError, StoreError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Clock, Heartbeat, Notifier, RenderPort, Store

log = logging.getLogger(__name__)

KEEP_READINGS = 30 * DAY
DRAIN = 5.0
"""Seconds that work in flight gets after a stop; a commit that waits for SQLite's lock may take as long again."""
REST, LONGEST_REST = 5.0, 60.0
"""Seconds that work which failed is left alone, doubled with every failure in a row: nothing is hammered, nor logged all the time."""
REST_REFUSED = 300.0
"""The same where only a person can help."""
AT_ONCE = 50
"""Polls in flight at most."""
MOST_OPEN = 10_000


@dataclass(frozen=True, slots=True)
class Parts:
    """What the worker works with."""

    store: Store
    render: RenderPort
    notifier: Notifier
    clock: Clock
    ticker: Ticker
    reconciler: Reconciler
    dry_run: bool
    on_pass: Callable[[Pass, float], None]
    """Told of every pass with the seconds that it took: the log line."""
    drain: float = DRAIN
    runs_on: Mapping[str, str] = field(default_factory=dict)
    """The bot's own plan, where it runs on Render: told with every sign of life."""


class Worker:
    """Runs until `stop()`."""

    def __init__(
        self,
        parts: Parts,
        files: Sequence[PolicyFile],
        managed: dict[str, Managed],
        watch: PolicyWatch | None = None,
    ) -> None:
        """`managed`: by service id; filled as the policies' services are found, and shared with the reconciler.

        With a `watch`, edits of the policy files are followed.
        """
        self._parts = parts
        self._managed = managed
        self._waiting = {file.path: file for file in files}
        self._polls = DueQueue()
        self._looks = DueQueue()
        self._rota = Rota(
            managed, self._waiting, self._polls, self._looks, parts.clock, self._start, self._adopt_at_once
        )
        self._reloader = Reloader(watch, parts.store, self._rota) if watch else None
        self._hearing = Hearing(parts.store, managed, parts.clock)
        self._in_flight: set[asyncio.Task[None]] = set()
        self._busy: set[str] = set()
        self._failures: dict[str, tuple[int, float]] = {}
        """By name of the work: how often it failed in a row, and until when it rests."""
        self._advanced_at: int | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._stopping = asyncio.Event()
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._started_at = parts.clock.now()

    def stop(self) -> None:
        """Ask it to end; safe in a signal handler of the loop."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until told to stop, then finish what is in flight within the time for that."""
        await self._beat()
        await self._hearing.hear()  # before any state is built: what is told from now on is heard
        stopped = asyncio.create_task(self._stopping.wait())
        self._start("adoption", self._adopt)
        await asyncio.wait({stopped, *self._in_flight}, return_when=asyncio.FIRST_COMPLETED)
        scheduler = AsyncIOScheduler(timezone=UTC)
        jobs: dict[Callable[[], Awaitable[None]], float] = {
            self._poll_due: 0.5,
            self._look_due: 1,
            self._hear: 1,
            self._advance_due: 0.5,
            self._deliver: 1,
            self._beat: 5,
            self._adopt_waiting: 5,
            self._prune: 3600,
        }
        if self._reloader:
            jobs[self._reloader.look_around] = 1
        for job, seconds in jobs.items():
            scheduler.add_job(
                self._guarded,
                "interval",
                args=[job.__name__.strip("_"), job],
                seconds=seconds,
                misfire_grace_time=None,
                coalesce=True,
                max_instances=1,
            )
        scheduler.start()
        await stopped
        scheduler.pause()  # no new work; shutdown(wait=True) would cancel what runs
        await self._drain()
        scheduler.shutdown(wait=False)

    async def _drain(self) -> None:
        began = time.monotonic()
        pending = set(self._in_flight)
        if pending:
            log.info("stopping: waiting for what is in flight (%d)", len(pending))
            _, late = await asyncio.wait(pending, timeout=self._parts.drain)
            for task in late:
                task.cancel()  # every step is journalled, so the next worker goes on from it
            await asyncio.gather(*late, return_exceptions=True)
        log.info("drained in %.1fs", time.monotonic() - began)

    async def _adopt_waiting(self) -> None:
        if self._waiting:
            self._start("adoption", self._adopt)

    async def _adopt(self) -> None:
        """Find the services of policies that have none yet: at the start, and again while Render is away or knows no such service."""
        for file in tuple(self._waiting.values()):
            await self._guarded(_adoption_of(file), partial(self._adopt_one, file))

    def _adopt_at_once(self, file: PolicyFile) -> None:
        """A file that was just saved: that its last version failed does not matter."""
        self._failures.pop(_adoption_of(file), None)
        self._start("adoption", self._adopt)

    async def _adopt_one(self, file: PolicyFile) -> None:
        parts = self._parts
        managed = await adopt(file, parts.render, parts.store, parts.clock, self._managed)
        if self._waiting.get(file.path) == file:  # it may have been edited meanwhile
            del self._waiting[file.path]
        self._rota.enter(managed)

    async def _poll_due(self) -> None:
        for service_id in self._polls.pop(self._parts.clock.monotonic()):
            self._start(f"poll {service_id}", partial(self._poll, self._managed[service_id]))

    async def _poll(self, managed: Managed) -> None:
        async with self._slots:
            began = time.perf_counter()
            result = await self._parts.ticker.tick(managed)
            self._parts.on_pass(result, time.perf_counter() - began)

    async def _hear(self) -> None:
        await self._hearing.hear()

    async def _look_due(self) -> None:
        parts = self._parts
        for service_id in self._looks.pop(parts.clock.monotonic()):
            look = partial(drift.look, self._managed[service_id], parts.render, parts.store, parts.clock)
            self._start(f"look {service_id}", look)

    async def _advance_due(self) -> None:
        if self._parts.dry_run:
            return
        store, now = self._parts.store, self._parts.clock.now()
        if self._advanced_at is not None and now >= self._advanced_at:
            due = await store.due_changes(now)
        else:  # at the start, or the clock went back: stored times may be void
            due = await store.changes(states=sorted(OPEN), limit=MOST_OPEN)
        self._advanced_at = now
        for change in due:
            self._start(f"change {change.id}", partial(self._advance, change.id))

    async def _advance(self, change_id: str) -> None:
        change = await self._parts.store.change(change_id)  # as it is now: another step may just have ended
        if change is not None and not change.state.is_final:
            await self._parts.reconciler.advance(change)

    async def _deliver(self) -> None:
        parts = self._parts
        self._start("messages", partial(outbox.deliver, parts.store, parts.notifier, parts.clock))

    async def _beat(self) -> None:
        now = self._parts.clock.now()
        await self._parts.store.beat(
            Heartbeat(self._name, self._started_at, now, len(self._managed), self._parts.dry_run, self._parts.runs_on)
        )

    async def _prune(self) -> None:
        gone = await self._parts.store.prune(self._parts.clock.now() - KEEP_READINGS)
        log.info("retention: %d old rows deleted", gone)

    def _start(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Run one piece of work beside the others, unless the same still runs."""
        if name in self._busy or self._stopping.is_set():
            return
        self._busy.add(name)
        task = asyncio.create_task(self._guarded(name, work), name=name)
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _guarded(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """A failure ends nothing but itself, and the same work is left alone for a while."""
        failures, rests_until = self._failures.pop(name, (0, 0.0))
        now = self._parts.clock.monotonic()
        if now < rests_until:
            self._failures[name] = (failures, rests_until)
            self._busy.discard(name)
            return
        try:
            await work()
        except (OutsideError, StoreError) as error:
            log.error("%s: %s", name, error)  # noqa: TRY400 - an outside failure: the text says all
            self._rest(name, failures, at_least=REST_REFUSED if isinstance(error, RefusedError) else 0.0)
        except Exception:
            log.exception("%s failed: this is a bug, please report it", name)
            self._rest(name, failures)
        finally:
            self._busy.discard(name)

    def _rest(self, name: str, failures: int, at_least: float = 0.0) -> None:
        rest = max(at_least, min(REST * 2 ** min(failures, 10), LONGEST_REST))
        self._failures[name] = (failures + 1, self._parts.clock.monotonic() + rest)


def _adoption_of(file: PolicyFile) -> str:
    return f"{file.path}: not looked after yet"
