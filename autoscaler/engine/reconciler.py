"""Carries changes on: observe, choose one step, write it down, do it, look again. The only writer to Render.

A wait is a stored time, so nothing sleeps on a change and a restart goes on where the last one stopped.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import count

from autoscaler.core.change import Change, JournalEntry, State
from autoscaler.core.durations import HOUR, MINUTE, SECOND
from autoscaler.core.policy import Mode
from autoscaler.core.steps import (
    AskDeploy,
    Become,
    CancelDeploy,
    Redeploy,
    SetEnv,
    SetInstances,
    SetPlan,
    Step,
    Wait,
    Write,
    abandoned,
    attempted,
    confirmed,
    next_step,
    outrun,
    refused,
    unattempted,
    withdrawn,
)
from autoscaler.engine.aftermath import deploying, observed, told, told_once, with_report
from autoscaler.engine.events import event
from autoscaler.engine.following import met
from autoscaler.engine.look import look
from autoscaler.engine.managed import Managed
from autoscaler.errors import (
    BadRequestError,
    BusyError,
    GoneError,
    KeyRefusedError,
    OutsideError,
    RefusedError,
    UnavailableError,
)
from autoscaler.ports import ChangeOpenError, Clock, Event, EventKind, RenderPort, Store, Tenure
from autoscaler.report import change_messages, messages, notices

log = logging.getLogger(__name__)

MOST_STEPS = 300
"""More than the largest change has; a bound, so that a mistake here can't spin."""
RETRY, LONGEST_RETRY = 10 * SECOND, MINUTE
TOLD_AFTER = 10 * MINUTE
"""The team hears of a change that Render does not let go on."""
BUSY_LIMIT = 30 * MINUTE
"""How long a state that does not allow a write is waited out; what may still be undone is undone then."""
RETRY_REFUSED = 5 * MINUTE
"""A refused look needs a person (a new key, a right): nobody is that quick."""
GONE_LIMIT = HOUR
"""How old a change is before a service that Render does not know is believed to be gone, and not just out of sight."""
ADOPTION_LIMIT = 30 * MINUTE
NOT_SENT = "not sent: too little of the lease was left"
CUT_OFF = "not known: the worker stopped here"
LOOK_EVERY = 10 * SECOND
LEAST_TENURE = 20.0
"""Seconds that must be left before a call to Render: its hard timeout, and ten more (Render knows nothing of our leases)."""


class Reconciler:
    """Advances changes of the services that it is given."""

    def __init__(
        self,
        store: Store,
        render: RenderPort,
        clock: Clock,
        managed: Mapping[str, Managed],
        tenure: Tenure | None = None,
    ) -> None:
        """`managed`: by service id; a change of a service without a policy is carried on all the same.

        `tenure`: how long this worker alone may act; None where there is no other.
        """
        self._store = store
        self._render = render
        self._clock = clock
        self._managed = managed
        self._tenure = tenure

    async def advance(self, change: Change) -> Change:
        """Take every step that can be taken now; the change as it was last saved. Raises StoreError only."""
        managed, taken = self._managed.get(change.service_id), -1
        numbers: Iterator[int] = iter(())
        for _ in range(MOST_STEPS):
            async with managed.acting if managed else nullcontext():
                if taken != (
                    now := managed.taken if managed else 0
                ):  # since it was read an emergency may have taken its place
                    change, taken = await self._store.change(change.id) or change, now
                    numbers = await self._numbers(change)
                if change.state.is_final:
                    return change
                change, goes_on = await self._take_step(change, numbers)
            if not goes_on:
                return change
        log.error(
            "change %s of %s took over %d steps at once: left for a minute", change.id, change.service, MOST_STEPS
        )
        return await self._put_off(change, self._clock.now() + MINUTE)

    async def _take_step(self, change: Change, numbers: Iterator[int]) -> tuple[Change, bool]:
        """One step: False when there is none to take now."""
        try:
            step = self._withdrawal(change) or await self._next_step(change)
        except OutsideError as error:
            return await self._later(change, error), False
        if isinstance(step, Wait):
            return await self._put_off(_freed(change), step.until), False
        if isinstance(step, Become):
            change = await self._become(change, step, next(numbers))
            return change, not change.state.is_final
        if not self._has_time(change):
            now = self._clock.now()  # due by this clock until there is time for the call: another's may have been ahead
            return await self._put_off(change, now), False
        return await self._write(change, step, numbers)

    def _has_time(self, change: Change) -> bool:
        return self._tenure is None or self._tenure.left(change.service_id) >= LEAST_TENURE

    async def _numbers(self, change: Change) -> Iterator[int]:
        """The numbers of the journal entries to come. A step that was cut off is marked: what it did is seen by looking."""
        journal = await self._store.journal(change.id)
        now = self._clock.now()
        torn = [replace(one, outcome=CUT_OFF, ended_at=now) for one in journal if one.outcome is None]
        if torn:
            await self._store.save_change(change, journal=torn)
        return count(len(journal) + 1)

    async def _next_step(self, change: Change) -> Step:
        now = self._clock.now()
        try:
            world = await look(self._render, change, self._managed.get(change.service_id), now)
        except GoneError as error:
            if now - change.created_at < GONE_LIMIT:
                raise
            return abandoned(change, str(error), now)
        return next_step(change, world, self._clock.now(), self._look_every(change))

    def _withdrawal(self, change: Change) -> Step | None:
        """What has not begun follows the policy as it is now; what has begun is finished, since half of it is worse."""
        if change.state is not State.APPROVED:
            return None
        now = self._clock.now()
        managed = self._managed.get(change.service_id)
        if managed is None:
            if now - change.created_at < ADOPTION_LIMIT:
                return Wait(now + RETRY, "no policy looks after this service yet")
            return withdrawn(change, "no policy looks after this service any more", now)
        agreed = change.question is not None and managed.policy.mode is Mode.ASK
        if managed.policy.mode is not Mode.ACT and not (change.by_hand or agreed):
            return withdrawn(change, f"the policy says 'mode: {managed.policy.mode}' now", now)
        return None

    def _look_every(self, change: Change) -> int:
        managed = self._managed.get(change.service_id)
        return min(LOOK_EVERY, managed.policy.every) if managed else LOOK_EVERY

    async def _write(self, change: Change, write: Write, numbers: Iterator[int]) -> tuple[Change, bool]:
        """Write the step down, do it, write down what came of it. False when it has to be looked at again later."""
        now = self._clock.now()
        entry = JournalEntry(change.id, next(numbers), now, write.words)
        change = attempted(change, write, now)
        await self._store.save_change(change, journal=[entry])
        if not self._has_time(change):  # the database was slow
            late = self._ended(entry, NOT_SENT)
            return await self._put_off(unattempted(change, write), self._clock.now(), late), False
        try:
            deploy = await self._perform(change, write)
        except (UnavailableError, KeyRefusedError) as error:
            if not error.may_have_acted:
                change = unattempted(change, write)  # nothing to look for
            if isinstance(error, BusyError) and self._stuck_for(change) >= BUSY_LIMIT:
                return await self._refused(change, write, error, entry, numbers)
            return await self._later(change, error, self._ended(entry, f"no answer: {error}")), False
        except RefusedError as error:
            return await self._refused(change, write, error, entry, numbers)
        change = _freed(confirmed(change, write, deploy))
        outcome, events = "done", []
        if isinstance(write, AskDeploy | Redeploy):
            outcome = f"deploy {deploy}" if deploy else "queued, without an id"
            events.append(
                self._event(change, told_once(change, write), EventKind.CHANGE_PROGRESS, deploying(change, write))
            )
        await self._store.save_change(change, journal=[self._ended(entry, outcome)], events=events)
        return change, True

    async def _refused(
        self, change: Change, write: Write, error: OutsideError, entry: JournalEntry, numbers: Iterator[int]
    ) -> tuple[Change, bool]:
        await self._store.save_change(change, journal=[self._ended(entry, f"refused: {error}")])
        bad = isinstance(error, BadRequestError)
        step = refused(_freed(change), write, str(error), self._clock.now(), bad_request=bad)
        return await self._become(change, step, next(numbers)), True

    async def _perform(self, change: Change, write: Write) -> str | None:
        """The call itself; the id of the deploy that it asked for, if Render told."""
        match write:
            case SetPlan(plan):
                await self._render.set_plan(change.service_id, plan)
            case SetInstances(number):
                await self._render.set_instances(change.service_id, number)
            case SetEnv(name, value):
                await self._render.set_env(change.service_id, name, value)
            case AskDeploy(commit=commit) | Redeploy(commit=commit):
                return await self._render.deploy(change.service_id, commit)
            case CancelDeploy(deploy):
                await self._render.cancel(change.service_id, deploy)
        return None

    def _ended(self, entry: JournalEntry, outcome: str) -> JournalEntry:
        return replace(entry, outcome=outcome[:500], ended_at=self._clock.now())

    async def _become(self, change: Change, step: Become, number: int) -> Change:
        """Save the change's next state, with what it means: what the team hears, and on which tier the app now runs."""
        managed, now = self._managed.get(change.service_id), self._clock.now()
        after = await with_report(change, _freed(step.change), self._store, managed, now)
        moved = f"{change.state} → {after.state}" + (" (walking back)" if after.walking_back else "")
        entry = JournalEntry(after.id, number, now, moved, after.outcome or "noted", now)
        observations = list(observed(change, after, now))
        news = told(change, replace(step, change=after))
        events = [self._event(after, f"{after.state}{number}", kind, text) for kind, text in news]
        if managed and change.before is None and (theirs := met(managed, after, now)):
            observations += theirs
            message = notices.overridden(managed.seen.name, after.origin.tier, [one.name for one in theirs])
            events.append(self._event(after, f"overridden{number}", EventKind.NOTICE, message))
        try:
            async with managed.in_step(self._store, now) if managed else nullcontext():
                await self._store.save_change(after, journal=[entry], events=events, observations=observations)
                if managed:
                    for observation in observations:
                        managed.fold(observation)
        except ChangeOpenError:  # it would turn round, but a newer change is on its way: that one decides
            return await self._become(change, outrun(change, now), number)
        heir = self._managed.get(change.service_id)
        if heir is not None and heir is not managed:  # it was built while this was written down
            heir.stale = True
        log.info("change %s of %s: %s%s", after.id, after.service, moved, f": {after.outcome}" if after.outcome else "")
        return after

    async def _later(self, change: Change, error: OutsideError, *journal: JournalEntry) -> Change:
        """Render can't be read or written now: the change waits, and goes on when it can."""
        now, stuck = self._clock.now(), self._stuck_for(change)
        if error.retry_after is not None:
            wait = round(max(SECOND, min(error.retry_after * SECOND, HOUR)))
        else:
            wait = RETRY_REFUSED if isinstance(error, RefusedError) else max(RETRY, min(stuck // 4, LONGEST_RETRY))
        log.warning("change %s of %s waits %ds: %s", change.id, change.service, wait // SECOND, error)
        events = []
        if stuck >= TOLD_AFTER and not change.stuck_told and change.state.is_open:
            told = change_messages.stuck(change, str(error), stuck)
            events.append(self._event(change, f"stuck:{change.stuck_since}", EventKind.CHANGE_PROGRESS, told))
        change = replace(change, stuck_since=now - stuck, stuck_told=change.stuck_told or bool(events))
        return await self._put_off(change, now + wait, *journal, events=events)

    def _stuck_for(self, change: Change) -> int:
        return 0 if change.stuck_since is None else max(0, self._clock.now() - change.stuck_since)

    async def _put_off(
        self, change: Change, until: int, *journal: JournalEntry, events: Sequence[Event] = ()
    ) -> Change:
        change = replace(change, due_at=until)
        await self._store.save_change(change, journal=journal, events=events)
        return change

    def _event(self, change: Change, key: str, kind: EventKind, message: messages.Message) -> Event:
        managed = self._managed.get(change.service_id)
        channel = managed.policy.notify.slack if managed else None
        return event(change, key, kind, message, channel, self._clock.now())


def _freed(change: Change) -> Change:
    """Render lets it go on."""
    return change if change.stuck_since is None else replace(change, stuck_since=None, stuck_told=False)
