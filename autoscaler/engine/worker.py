"""The worker: polls what is due, carries changes on, delivers messages, looks at Render; drains when it is told to stop.

A handful of scheduler jobs for any number of services; the due-queue says which of them it is time for.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from autoscaler.core.durations import DAY, SECOND
from autoscaler.engine import drift, outbox
from autoscaler.engine.adoption import adopt
from autoscaler.engine.due import DueQueue
from autoscaler.engine.managed import Managed
from autoscaler.engine.reconciler import Reconciler
from autoscaler.engine.tick import Pass, Ticker
from autoscaler.errors import OutsideError, StoreError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Clock, Heartbeat, Notifier, RenderPort, Store

log = logging.getLogger(__name__)

KEEP_READINGS = 30 * DAY
DRAIN = 8.0
"""Seconds that work in flight gets after a stop; Render's own patience is 30."""
AT_ONCE = 50
"""Polls in flight at most."""


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


class Worker:
    """Runs until `stop()`."""

    def __init__(self, parts: Parts, files: Sequence[PolicyFile], managed: dict[str, Managed]) -> None:
        """`managed`: by service id; filled as the policies' services are found, and shared with the reconciler."""
        self._parts = parts
        self._managed = managed
        self._waiting = list(files)
        self._polls = DueQueue()
        self._looks = DueQueue()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._busy: set[str] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._stopping = asyncio.Event()
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._started_at = parts.clock.now()

    def stop(self) -> None:
        """Ask it to end; safe in a signal handler of the loop."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until told to stop, then finish what is in flight within DRAIN seconds."""
        await self._beat()
        await self._adopt()
        scheduler = AsyncIOScheduler(timezone=UTC)
        jobs: dict[Callable[[], Awaitable[None]], float] = {
            self._poll_due: 0.5,
            self._look_due: 1,
            self._advance_due: 0.5,
            self._deliver: 1,
            self._beat: 5,
            self._adopt: 15,
            self._prune: 3600,
        }
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
        await self._stopping.wait()
        scheduler.pause()  # no new work; shutdown(wait=True) would cancel what runs
        await self._drain()
        scheduler.shutdown(wait=False)

    async def _drain(self) -> None:
        began = time.monotonic()
        pending = set(self._in_flight)
        log.info("stopping: %d pieces of work in flight", len(pending))
        if pending:
            _, late = await asyncio.wait(pending, timeout=DRAIN)
            for task in late:
                task.cancel()  # every step is journalled, so the next worker goes on from it
            await asyncio.gather(*late, return_exceptions=True)
        log.info("drained in %.1fs", time.monotonic() - began)

    async def _adopt(self) -> None:
        """Find the services of policies that have none yet: at the start, and again while Render is away or knows no such service."""
        for file in tuple(self._waiting):
            try:
                managed = await adopt(file, self._parts.render, self._parts.store, self._parts.clock, self._managed)
            except OutsideError as error:
                log.error("%s: not looked after yet: %s", file.path, error)  # noqa: TRY400 - the text says all
                continue
            self._waiting.remove(file)
            now = self._parts.clock.monotonic()
            self._polls.add(managed.service_id, managed.policy.service.health.every / SECOND, now)
            self._looks.add(managed.service_id, managed.policy.evidence.drift_every / SECOND, now)

    async def _poll_due(self) -> None:
        for service_id in self._polls.pop(self._parts.clock.monotonic()):
            self._start(f"poll {service_id}", partial(self._poll, self._managed[service_id]))

    async def _poll(self, managed: Managed) -> None:
        async with self._slots:
            began = time.perf_counter()
            result = await self._parts.ticker.tick(managed)
            self._parts.on_pass(result, time.perf_counter() - began)

    async def _look_due(self) -> None:
        parts = self._parts
        for service_id in self._looks.pop(parts.clock.monotonic()):
            look = partial(drift.look, self._managed[service_id], parts.render, parts.store, parts.clock)
            self._start(f"look {service_id}", look)

    async def _advance_due(self) -> None:
        if self._parts.dry_run:
            return
        for change in await self._parts.store.due_changes(self._parts.clock.now()):
            self._start(f"change {change.id}", partial(self._advance, change.id))

    async def _advance(self, change_id: str) -> None:
        change = await self._parts.store.change(change_id)  # as it is now: another step may just have ended
        if change is not None and not change.state.is_final and change.due_at <= self._parts.clock.now():
            await self._parts.reconciler.advance(change)

    async def _deliver(self) -> None:
        parts = self._parts
        self._start("messages", partial(outbox.deliver, parts.store, parts.notifier, parts.clock))

    async def _beat(self) -> None:
        now = self._parts.clock.now()
        await self._parts.store.beat(
            Heartbeat(self._name, self._started_at, now, len(self._managed), self._parts.dry_run)
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
        """A failure ends nothing but itself."""
        try:
            await work()
        except (OutsideError, StoreError) as error:
            log.error("%s: %s", name, error)  # noqa: TRY400 - an outside failure: the text says all
        except Exception:
            log.exception("%s failed: this is a bug, please report it", name)
        finally:
            self._busy.discard(name)
