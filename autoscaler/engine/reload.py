"""Policies that are edited while the worker runs: what has changed in their folder since it was last looked at.

A file counts as changed once two looks in a row see it alike, so that one that is just being written is not taken for an edit.
An edit that can't be used leaves the last good version in force; it is told once, and so is its mending.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from autoscaler.core.durations import SECOND
from autoscaler.core.observations import TierChanged
from autoscaler.core.policy import Policy
from autoscaler.engine.asking import withdraw
from autoscaler.engine.drift import tier_of
from autoscaler.engine.due import DueQueue
from autoscaler.engine.managed import Managed, load
from autoscaler.policyfile import LocatedProblem, PolicyFile, PolicyFolder
from autoscaler.ports import Clock, Event, EventKind, PassRecord, Store
from autoscaler.report import messages
from autoscaler.report.messages import Message, Tone

log = logging.getLogger(__name__)

MOST_TOLD = 5
"""Problems of one file that a message shows; the log has all."""


@dataclass(frozen=True, slots=True)
class Edits:
    """What a look found."""

    in_force: Mapping[str, PolicyFile]
    """The policies that should now be worked with, by path."""
    broken: Mapping[str, tuple[LocatedProblem, ...]]
    """What can't be used and was not told yet, by path."""
    mended: tuple[str, ...]
    """Paths that were told as broken and are good again."""
    written: Mapping[str, int]
    """When each file was last written, by path: what is told of one edit is told once, by whichever worker and after any restart."""


class PolicyWatch:
    """Looks at a policy folder again and again. It reads files: call it from a thread."""

    def __init__(self, path: Path, files: Sequence[PolicyFile]) -> None:
        """`files`: what is in force already."""
        self._folder = PolicyFolder(path)
        self._in_force = {file.path: file for file in files}
        self._told: dict[str, tuple[str, ...]] = {}
        """What was said of each broken file."""
        self._seen: object = None
        self._settled: object = None

    def look(self) -> Edits | None:
        """What is in force now; None when nothing has changed since it was last said, or while it still changes."""
        seen = self._stamps()
        still, self._seen = seen == self._seen, seen
        if not still or seen == self._settled:
            return None
        self._settled = seen
        loaded = self._folder.load()
        wrong: dict[str, list[str]] = defaultdict(list)
        for problem in loaded.errors:
            wrong[problem.file].append(str(problem))
        is_lost = isinstance(seen, str)  # a folder that can't be read says nothing about its files
        kept = {path: file for path, file in self._in_force.items() if is_lost or path in wrong}
        self._in_force = kept | {file.path: file for file in loaded.files}
        new = {path for path, words in wrong.items() if tuple(words) != self._told.get(path)}
        there = {str(self._folder.path), *self._in_force}
        mended = tuple(path for path in self._told if path not in wrong and path in there)
        self._told = {path: tuple(words) for path, words in wrong.items()}
        broken = {path: tuple(one for one in loaded.errors if one.file == path) for path in sorted(new)}
        stamps = seen if isinstance(seen, dict) else {}
        written = {str(path): stamp[0] for path, stamp in stamps.items() if stamp is not None}
        return Edits(dict(self._in_force), broken, mended, written)

    def _stamps(self) -> object:
        try:
            return self._folder.stamps()
        except OSError as error:
            return str(error)


@dataclass(frozen=True, slots=True)
class Rota:
    """Whom the worker looks after, and when: its own books, which the reloader keeps with it."""

    managed: dict[str, Managed]
    """By service id."""
    waiting: dict[str, PolicyFile]
    """By path: policies whose service is not found yet."""
    polls: DueQueue
    looks: DueQueue
    clock: Clock
    start: Callable[[str, Callable[[], Awaitable[object]], str], None]
    """Runs a named piece of work on a service, unless one of that name still runs."""
    adopt: Callable[[PolicyFile], None]
    """Finds the service of a waiting policy now."""

    def enter(self, managed: Managed) -> None:
        """From now on its service is polled and looked at, as often as its policy says."""
        now = self.clock.monotonic()
        self.polls.add(managed.service_id, managed.policy.every / SECOND, now)
        self.looks.add(managed.service_id, managed.policy.evidence.drift_every / SECOND, now)

    def leave(self, service_id: str) -> None:
        """No longer."""
        self.polls.remove(service_id)
        self.looks.remove(service_id)


class Reloader:
    """Makes the worker's services follow the policy files: what should be looked after is compared with what is, and made so."""

    def __init__(self, watch: PolicyWatch, store: Store, rota: Rota) -> None:
        self._watch = watch
        self._store = store
        self._clock = rota.clock
        self._rota = rota
        self._wanted: Mapping[str, PolicyFile] | None = None
        self._untold: list[Event] = []

    async def look_around(self) -> None:
        """Look once, and begin what follows from it. Raises StoreError: what was to be told is told by the next look then."""
        edits = await asyncio.to_thread(self._watch.look)
        if edits is not None:
            self._wanted = edits.in_force
            self._note(edits)
        if self._wanted is not None:
            self._follow(self._wanted)
        while self._untold:
            await self._store.tell(self._untold[:1])
            del self._untold[0]

    def _follow(self, wanted: Mapping[str, PolicyFile]) -> None:
        rota, taken = self._rota, set[str]()
        for managed in tuple(rota.managed.values()):
            file = _file_for(managed, wanted)
            if file is None:
                self._release(managed)
                continue
            taken.add(file.path)
            if (file.path, file.digest) != (managed.file.path, managed.file.digest):
                rota.start(
                    f"poll {managed.service_id}", partial(self._renew, managed, file), managed.service_id
                )  # so that no poll runs meanwhile
        for path in [path for path in rota.waiting if path in taken or path not in wanted]:
            del rota.waiting[path]
        for path, file in wanted.items():
            if path not in taken and rota.waiting.get(path) != file:
                rota.waiting[path] = file
                log.info("%s is in force: looking for %s, mode %s", path, file.policy.service.label, file.policy.mode)
                rota.adopt(file)

    async def _renew(self, before: Managed, file: PolicyFile) -> None:
        """The edited policy takes over with all the evidence that there is: windows are rebuilt from the observations."""
        service_id, now = before.service_id, self._clock.now()
        async with before.in_step(self._store, now):
            after = await load(file, before.seen, self._store, now)
            after.sight = before.sight
            after.stale = True  # what was folded into the old state while this one was loaded is in the store
            tier = _rung_now(before, file)
            if after.state.tier_known and tier != after.state.tier:
                moved = TierChanged(now, tier, before.seen.plan, before.seen.instances)
                await self._store.record(PassRecord(service_id, (moved,)))
                after.fold(moved)
            self._rota.managed[service_id] = after
            if _rhythm(before.policy) != _rhythm(file.policy):
                self._rota.leave(service_id)
                self._rota.enter(after)
        log.info("%s is in force: %s, mode %s", file.path, before.seen.name, file.policy.mode)

    def _release(self, managed: Managed) -> None:
        del self._rota.managed[managed.service_id]
        self._rota.leave(managed.service_id)
        withdrawing = partial(withdraw, managed, self._store, self._clock.now())
        self._rota.start(f"withdraw {managed.service_id}", withdrawing, managed.service_id)
        title = f"I no longer look after {managed.seen.name}"
        stays = f"It stays on {managed.state.tier or managed.seen.plan}; a change that has begun is finished."
        log.warning("%s: no policy names it any more (it was %s)", title, managed.file.path)
        message = messages.notice(title, f"No policy names it any more: it was {managed.file.path}.", stays)
        self._tell(f"released:{managed.service_id}:{self._clock.now()}", message, managed.file, managed)

    def _note(self, edits: Edits) -> None:
        managed = {one.file.path: one for one in self._rota.managed.values()}
        for path, problems in edits.broken.items():
            in_force = edits.in_force.get(path)
            rest = "the version from before stays in force" if in_force else "it is not in force"
            for problem in problems:
                log.error("%s", problem)
            log.error("%s can't be used: %s", path, rest)
            lines = [str(problem) for problem in problems[:MOST_TOLD]]
            more = len(problems) - MOST_TOLD
            lines += [f"and {more} more: `autoscaler validate {path}` shows all"] if more > 0 else []
            title = f"{path} can't be used: {rest}"
            key = f"broken:{path}:{edits.written.get(path, self._clock.now())}"
            self._tell(key, messages.notice(title, *lines, tone=Tone.BAD), in_force, managed.get(path))
        for path in edits.mended:
            log.info("%s is good again", path)
            message = messages.notice(f"{path} is good again", "It is in force now.", tone=Tone.GOOD)
            key = f"mended:{path}:{edits.written.get(path, self._clock.now())}"
            self._tell(key, message, edits.in_force.get(path), managed.get(path))

    def _tell(self, key: str, message: Message, file: PolicyFile | None, managed: Managed | None) -> None:
        channel = file.policy.notify.slack if file else None
        service_id = managed.service_id if managed else ""
        self._untold.append(Event(f"policy:{key}", self._clock.now(), EventKind.NOTICE, service_id, message, channel))


def _file_for(managed: Managed, wanted: Mapping[str, PolicyFile]) -> PolicyFile | None:
    """The policy of this service: in the file that it was in, else in another one."""
    same = wanted.get(managed.file.path)
    if same is not None and _names(same, managed):
        return same
    return next((file for file in wanted.values() if _names(file, managed)), None)


def _names(file: PolicyFile, managed: Managed) -> bool:
    service, seen = file.policy.service, managed.seen
    return seen.id == service.id or seen.name == service.name


def _rhythm(policy: Policy) -> tuple[int, int]:
    return policy.every, policy.evidence.drift_every


def _rung_now(before: Managed, file: PolicyFile) -> str | None:
    """What the rung on which the service runs is called on the edited ladder. Render's last look may be older than the last change."""
    tier = before.policy.tier(before.state.tier or "")
    seen = replace(before.seen, plan=tier.plan, instances=tier.instances) if tier else before.seen
    return tier_of(file.policy, seen)
