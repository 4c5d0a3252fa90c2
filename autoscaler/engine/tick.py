"""One pass over one service: poll, read, fold, decide, judge, and one transaction for all of it."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from autoscaler.core.change import Change, Direction
from autoscaler.core.evaluate import Ask, Decision, decide
from autoscaler.core.guards import Verdict, judge
from autoscaler.core.observations import Missed, Observation
from autoscaler.core.readings import read, signals, with_memory_share
from autoscaler.core.why import Why
from autoscaler.engine.asking import Asked, ask
from autoscaler.engine.charting import charted
from autoscaler.engine.events import begins
from autoscaler.engine.facts import gather
from autoscaler.engine.managed import BLIND_AFTER, Managed, rung
from autoscaler.engine.meter import Meter
from autoscaler.engine.preemption import take_place
from autoscaler.ports import ChangeOpenError, Clock, Event, EventKind, HealthPort, History, PassRecord
from autoscaler.report import messages
from autoscaler.report.sentences import reason_sentence


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass saw and decided."""

    observation: Observation
    verdict: Verdict
    change: Change | None
    """The change that it began; in a dry run, that it would have begun."""


class Ticker:
    """Makes passes. In a dry run no change is ever committed; all the rest is the same code."""

    def __init__(
        self, store: History, health: HealthPort, clock: Clock, *, dry_run: bool, meter: Meter | None = None
    ) -> None:
        """`meter`: asks Render about the services that have no endpoint; None where nobody polls any of these."""
        self._meter = meter
        self._store = store
        self._health = health
        self._clock = clock
        self._dry_run = dry_run

    async def tick(self, managed: Managed) -> Pass:
        """One pass, committed. Raises StoreError when it could not be."""
        observations = await self.observe(managed)
        await managed.hear_live(self._store)
        async with managed.in_step(self._store, self._clock.now()):
            result = await self.judge(managed, observations)
            preempts = bool(result.verdict.preempts) and not self._dry_run
            asked = Asked() if self._dry_run else await self._ask(managed, result.verdict)
            if asked.agreed is not None:  # they said yes to this very change: no second one begins beside it
                result = replace(result, change=asked.agreed)
            change = None if self._dry_run or preempts or asked.agreed else result.change
            agreed = asked if preempts and asked.agreed else None
            if agreed is not None:  # it begins with the end of the slower change, in one transaction
                asked = Asked(waits=managed.proposal)
            events = (*self._events(managed, result, change, asked), *asked.events)
            events = await charted(events, managed, result.verdict, self._store, observations)
            record = PassRecord(
                managed.service_id,
                observations,
                result.verdict,
                change or asked.proposed,
                events,
                asked.moved,
                asked.journal,
                asked.counted,
            )
            try:
                await self._store.record(record)
            except ChangeOpenError:  # another worker was first, or a click: the next pass counts that
                told = tuple(self._events(managed, result, None, Asked()))
                await self._store.record(PassRecord(managed.service_id, observations, result.verdict, events=told))
                result = replace(result, change=None)
            else:
                managed.proposal = asked.waits
            managed.verdict = result.verdict
        if preempts:
            taken = await take_place(managed, result.verdict, result.change, self._store, self._clock, agreed)
            result = replace(result, change=taken)
        return result

    async def _ask(self, managed: Managed, verdict: Verdict) -> Asked:
        return await ask(managed, verdict, partial(_begin, managed, verdict, verdict.at), self._store)

    async def observe(self, managed: Managed) -> tuple[Observation, ...]:
        """Poll the app once: the reading or the miss, and then what the app counted."""
        health = managed.policy.service.health
        if health is None:
            assert self._meter is not None, managed.policy  # noqa: S101 - who polls has been given one
            return (await self._meter.observe(managed),)
        answer = await self._health.fetch(health)
        if isinstance(answer, Missed):
            return (answer,)
        state, vocabulary = managed.state, managed.policy.vocabulary
        seen = read(answer.body, answer.at, managed.last_reading, state.every, vocabulary, state.instances)
        if isinstance(seen, Missed):
            return (seen,)
        tier = managed.policy.tier(state.tier or "")
        if tier is not None:
            seen = with_memory_share(seen, tier.size.memory)
        return (seen, *signals(seen))

    async def judge(self, managed: Managed, observations: tuple[Observation, ...]) -> Pass:
        """Fold one poll and decide; commits nothing."""
        observation = observations[0]
        for one in observations:
            managed.fold(one)
        now = max(observation.at, self._clock.now())
        verdict = await self.verdict(managed, decide(managed.state, now))
        if isinstance(observation, Missed):
            verdict = replace(verdict, blind=f"{observation.reason.replace('_', ' ')}: {observation.detail}")
        change = _begin(managed, verdict, now) if verdict.goes else None
        return Pass(observation, verdict, change)

    async def verdict(self, managed: Managed, decision: Decision) -> Verdict:
        """A decision after the guards. One that says what the last one said has stood since that."""
        verdict = judge(managed.policy, decision, await gather(managed, self._store, decision))
        if managed.verdict is not None and managed.verdict.key == verdict.key:
            verdict = replace(verdict, since=managed.verdict.since)
        return verdict

    def _events(self, managed: Managed, result: Pass, change: Change | None, asked: Asked) -> Iterator[Event]:
        """What people are told of a pass: a change that begins, a hold that waits for them, an alert. Each once."""
        verdict, before = result.verdict, managed.verdict
        if change is not None:
            yield begins(change, managed.policy.notify.slack)
        wanted = () if asked.waits or asked.rests else _wanted(verdict)
        if wanted and (before is None or wanted != _wanted(before)):
            key = f"held:{managed.service_id}:{verdict.since}"
            yield _event(managed, key, EventKind.HELD, messages.held(verdict), verdict.at)
        if managed.regained or (managed.misses == BLIND_AFTER and not managed.seen.suspended):
            message = messages.blind(verdict) if managed.misses else messages.sees_again(verdict)
            yield _event(managed, f"sight:{managed.service_id}:{verdict.at}", EventKind.NOTICE, message, verdict.at)
        told = before.alerts if before is not None else ()
        for alert in managed.policy.alerts:
            if alert.name in verdict.alerts and alert.name not in told:
                message = messages.alert(managed.file.path, alert, verdict)
                key = f"alert:{managed.service_id}:{alert.name}:{verdict.at}"
                yield _event(managed, key, EventKind.ALERT, message, verdict.at)


def _wanted(verdict: Verdict) -> tuple[object, ...]:
    """What a held verdict wants of people; empty when it wants nothing, or they have just said what they think of it."""
    if any(blocker.why is Why.DECLINED for blocker in verdict.blockers):
        return ()
    guards = tuple(blocker.why for blocker in verdict.blockers if blocker.why.needs_a_person)
    return (verdict.ask, verdict.target, guards) if guards and verdict.ask is not Ask.HOLD else ()


def _begin(managed: Managed, verdict: Verdict, now: int) -> Change:
    policy = managed.policy
    origin, target = policy.tier(verdict.tier or ""), policy.tier(verdict.target or "")
    assert origin is not None  # noqa: S101 - a verdict that goes has both
    assert target is not None  # noqa: S101
    return Change(
        id=f"chg-{uuid.uuid4().hex[:12]}",
        service_id=managed.service_id,
        service=managed.seen.name,
        origin=rung(managed, origin),
        target=rung(managed, target),
        direction=Direction.UP if verdict.ask is Ask.UP else Direction.DOWN,
        reason=reason_sentence(verdict),
        created_at=now,
        due_at=now,
        emergency=verdict.emergency,
        policy_digest=managed.file.digest,
        spent=verdict.spent,
        scheduled=verdict.scheduled,
        advice=verdict.leak,
        downtime=managed.seen.has_disk,
        soak=policy.verify.soak,
        watch=policy.verify.watch,
    )


def _event(managed: Managed, key: str, kind: EventKind, message: messages.Message, at: int) -> Event:
    return Event(key, at, kind, managed.service_id, message, managed.policy.notify.slack)
