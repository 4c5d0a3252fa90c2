"""The worker: polls what is due, carries changes on, delivers messages, looks at Render; drains when it is told to stop.

A handful of scheduler jobs for any number of services; the due-queue says which of them it is time for.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from autoscaler.core.change import OPEN
from autoscaler.core.durations import DAY
from autoscaler.engine import drift, outbox
from autoscaler.engine.adoption import adopt
from autoscaler.engine.bench import LONGEST_REST, Bench
from autoscaler.engine.digest import tell_digest
from autoscaler.engine.due import DueQueue
from autoscaler.engine.hearing import Hearing
from autoscaler.engine.leases import NOBODYS, ROUND, Leases
from autoscaler.engine.managed import Managed
from autoscaler.engine.reconciler import Reconciler
from autoscaler.engine.reload import PolicyWatch, Reloader, Rota
from autoscaler.engine.tick import Pass, Ticker
from autoscaler.errors import FencedError, GoneError, StoreError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Clock, Heartbeat, Notifier, RenderPort, Store

log = logging.getLogger(__name__)

KEEP_READINGS = 30 * DAY
DRAIN = 5.0
"""Seconds that work in flight gets after a stop; a commit that waits for SQLite's lock may take as long again."""
AT_ONCE = 50
"""Polls in flight at most."""
MOST_OPEN = 10_000


@dataclass(frozen=True, slots=True)
class Parts:
    """What the worker works with."""

    store: Store
    """Bound to the leases, as is that of the other parts: what a worker that was overtaken writes is refused."""
    leases: Leases
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
        self._bench = Bench(parts.clock, self._renew)
        self._managed = managed
        self._waiting = {file.path: file for file in files}
        self._polls = DueQueue()
        self._looks = DueQueue()
        self._rota = Rota(
            managed, self._waiting, self._polls, self._looks, parts.clock, self._bench.start, self._adopt_at_once
        )
        self._reloader = Reloader(watch, parts.store, self._rota) if watch else None
        self._hearing = Hearing(parts.store, managed, parts.clock)
        self._leases = parts.leases
        self._found: dict[str, str] = {}
        """The ids of services that policies know by name."""
        self._unfinished: set[str] = set()
        """Services that something waits for, whichever worker has them, and whether or not a policy still names them."""
        self._asked: set[str] = set()
        """The services that were last claimed, with or without success."""
        self._leaving: set[str] = set()
        """Services that others will get once nothing runs on them here."""
        self._seen: set[str] = set()
        """Services whose open change was looked at here: the stored time of any other may be of another clock."""
        self._advanced_at = 0
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._started_at = parts.clock.now()

    def files(self) -> tuple[PolicyFile, ...]:
        """All policies in force, whichever worker looks after their services."""
        return (*self._waiting.values(), *(managed.file for managed in self._managed.values()))

    def stop(self) -> None:
        """Ask it to end; safe in a signal handler of the loop."""
        self._bench.stop()

    async def run(self) -> None:
        """Work until told to stop, then finish what is in flight within the time for that."""
        await self._hearing.hear()  # before any state is built: what is told from now on is heard
        await self._renew()
        stopped = asyncio.create_task(self._bench.stopped())
        self._bench.start("adoption", self._adopt)
        await asyncio.wait({stopped, *self._bench.in_flight}, return_when=asyncio.FIRST_COMPLETED)
        scheduler = AsyncIOScheduler(timezone=UTC)
        jobs: dict[Callable[[], Awaitable[None]], float] = {
            self._poll_due: 0.5,
            self._look_due: 1,
            self._hear: 1,
            self._advance_due: 0.5,
            self._deliver: 1,
            self._renew: ROUND,
            self._adopt_waiting: 5,
            self._digest: 60,
            self._prune: 3600,
        }
        if self._reloader:
            jobs[self._reloader.look_around] = 1
        for job, seconds in jobs.items():
            scheduler.add_job(
                self._bench.guarded,
                "interval",
                args=[job.__name__.strip("_"), job, ROUND if job == self._renew else LONGEST_REST],
                seconds=seconds,
                misfire_grace_time=None,
                coalesce=True,
                max_instances=1,
            )
        scheduler.start()
        await stopped
        scheduler.pause()  # no new work; shutdown(wait=True) would cancel what runs
        await self._bench.drain(self._parts.drain)
        scheduler.shutdown(wait=False)
        await self._leases.end()

    async def _adopt_waiting(self) -> None:
        if self._waiting:
            self._bench.start("adoption", self._adopt)

    async def _adopt(self) -> None:
        """Find the services of policies that have none yet: at the start, and again while Render is away or knows no such service.

        Those of other workers are only found, so that they can be taken over.
        """
        for file in [file for file in self._waiting.values() if self._id_of(file) is None]:
            await self._bench.guarded(_adoption_of(file), partial(self._find, file))
        if self._wanted() - self._asked:
            await self._bench.guarded("renew", self._renew, ROUND)
        for file in tuple(self._waiting.values()):
            if (service_id := self._id_of(file)) is not None and self._acts_on(service_id):
                await self._bench.guarded(_adoption_of(file), partial(self._adopt_one, file, service_id))

    def _adopt_at_once(self, file: PolicyFile) -> None:
        """A file that was just saved: that its last version failed does not matter."""
        self._bench.forgive(_adoption_of(file))
        self._bench.start("adoption", self._adopt)

    def _id_of(self, file: PolicyFile) -> str | None:
        service = file.policy.service
        return service.id or self._found.get(service.name or "")

    async def _find(self, file: PolicyFile) -> None:
        seen = await self._parts.render.find_service(id=None, name=file.policy.service.name)
        self._found[seen.name] = seen.id

    async def _adopt_one(self, file: PolicyFile, service_id: str) -> None:
        parts, fence = self._parts, self._leases.fence(service_id)
        try:
            managed = await adopt(file, parts.render, parts.store, parts.clock, self._managed)
        except (FencedError, GoneError):
            self._found.pop(file.policy.service.name or "", None)  # another service may have that name now
            raise
        if self._leases.fence(service_id) != fence or service_id in self._leaving:
            self._managed.pop(managed.service_id, None)  # lost while it was read
            return
        if self._waiting.get(file.path) == file:  # it may have been edited meanwhile
            del self._waiting[file.path]
        self._rota.enter(managed)
        self._seen.discard(managed.service_id)

    async def _renew(self) -> None:
        """Claim again. What is lost is forgotten at once; what is too much is handed over."""
        leases = self._leases
        try:
            self._unfinished = await self._parts.store.unfinished()
            before = set(leases.held())
            self._asked = self._wanted()
            lost = await leases.renew(self._asked, self._sign_of_life())
        except StoreError:
            self._lose(leases.run_out())
            raise
        self._lose(lost)
        if leases.held() - (before - lost):
            self._bench.start("adoption", self._adopt)
        if too_many := leases.too_many(self._unfinished):
            self._bench.start("hand over", partial(self._hand_over, too_many))

    def _wanted(self) -> set[str]:
        known = {self._id_of(file) for file in self._waiting.values()} - {None}
        return {NOBODYS, *self._managed, *self._unfinished} | {service_id for service_id in known if service_id}

    def _acts_on(self, service_id: str) -> bool:
        return service_id in self._leases.held() and service_id not in self._leaving

    def _lose(self, service_ids: frozenset[str]) -> None:
        """Another worker may act on them already."""
        for task in self._forget(service_ids):
            task.cancel()
        if service_ids:
            log.info("no longer mine: %s", ", ".join(sorted(service_ids - {NOBODYS})))

    async def _hand_over(self, service_ids: Collection[str]) -> None:
        """To a worker that has less: once what runs on them has ended, or could end no sooner."""
        self._leaving.update(service_ids)
        try:
            if running := self._forget(service_ids):
                _, late = await asyncio.wait(running, timeout=self._parts.drain)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)
            self._forget(service_ids)  # an edit of its policy may just have ended
            await self._leases.give_up(service_ids)
            log.info("handed over: %s", ", ".join(sorted(service_ids)))
        finally:
            self._leaving.difference_update(service_ids)

    def _forget(self, service_ids: Collection[str]) -> set[asyncio.Task[None]]:
        """Begin nothing more on them; what still runs."""
        self._seen.difference_update(service_ids)
        for service_id in service_ids:
            if (managed := self._managed.pop(service_id, None)) is not None:
                self._rota.leave(service_id)
                self._waiting[managed.file.path] = managed.file
        return {task for service_id in service_ids for task in self._bench.on(service_id)}

    async def _poll_due(self) -> None:
        for service_id in self._polls.pop(self._parts.clock.monotonic()):
            self._bench.start(f"poll {service_id}", partial(self._poll, self._managed[service_id]), service_id)

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
            self._bench.start(f"look {service_id}", look, service_id)

    async def _advance_due(self) -> None:
        if self._parts.dry_run:
            return
        store, now = self._parts.store, self._parts.clock.now()
        if now < self._advanced_at:
            self._seen.clear()
        self._advanced_at = now
        due = await store.due_changes(now)
        if unseen := self._leases.held() - self._seen:
            opened = await store.changes(states=sorted(OPEN), limit=MOST_OPEN)
            self._seen |= unseen - {change.service_id for change in opened}
            due += [change for change in opened if change.service_id in unseen]
        for change in due:
            if self._acts_on(change.service_id):
                self._bench.start(f"change {change.id}", partial(self._advance, change.id), change.service_id)

    async def _advance(self, change_id: str) -> None:
        change = await self._parts.store.change(change_id)  # as it is now: another step may just have ended
        if change is not None and not change.state.is_final:
            await self._parts.reconciler.advance(change)
            if change.state.is_open:
                self._seen.add(change.service_id)

    async def _deliver(self) -> None:
        parts = self._parts
        self._bench.start("messages", partial(outbox.deliver, parts.store, parts.notifier, parts.clock, self._leases))

    async def _digest(self) -> None:
        store, now = self._parts.store, self._parts.clock.now()
        for managed in self._managed.values():
            work = partial(tell_digest, managed, store, now)
            self._bench.start(f"digest {managed.service_id}", work, managed.service_id)

    def _sign_of_life(self) -> Heartbeat:
        parts, now = self._parts, self._parts.clock.now()
        return Heartbeat(self._leases.name, self._started_at, now, len(self._managed), parts.dry_run, parts.runs_on)

    async def _prune(self) -> None:
        gone = await self._parts.store.prune(self._parts.clock.now() - KEEP_READINGS)
        log.info("retention: %d old rows deleted", gone)


def _adoption_of(file: PolicyFile) -> str:
    return f"{file.path}: not looked after yet"
