"""A look at Render: on which tier does it run, does a deploy switch over, which instances failed? Nobody else tells the evaluator."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

from autoscaler.core.change import DeploySeen
from autoscaler.core.durations import HOUR, format_duration
from autoscaler.core.observations import Masked, Signal, TierChanged
from autoscaler.core.plans import same_plan
from autoscaler.core.policy import Policy
from autoscaler.core.steps.cancelling import ENDED
from autoscaler.core.steps.preflight import build_not_live, under_way
from autoscaler.engine.following import look_at_env, progress
from autoscaler.engine.managed import Managed
from autoscaler.ports import Clock, Event, EventKind, History, PassRecord, RenderPort, ServiceSeen
from autoscaler.report import messages, notices

log = logging.getLogger(__name__)


SWITCHING = "update_in_progress"
SWEEP = 12
"""Env vars are read where Render says that something was changed, and every so many looks in any case."""
LOOK_BACK = HOUR
"""How long an instance's failure may stay unheard: a pause of the worker, or a Render that was away."""


async def look(managed: Managed, render: RenderPort, store: History, clock: Clock) -> None:
    """Read the service, its deploys and events once and append what is new. Raises UnavailableError, RefusedError and StoreError."""
    await _look_at_tier(managed, render, store, clock)
    sight, now = managed.sight, (managed.seen.updated_at, managed.state.lessons.running)
    moved = now != sight.read or sight.looks % SWEEP == 0
    sight.looks += 1
    await _look_at_deploys(managed, render, store, clock)
    settled = not moved or await look_at_env(managed, render, store, clock)
    sight.read = now if settled else None
    await _hear_failures(managed, render, store, clock)


async def _look_at_tier(managed: Managed, render: RenderPort, store: History, clock: Clock) -> None:
    """While one of our own changes is open, Render shows what it configured, not what runs: then only the rest is taken in."""
    began = progress(await store.changes(managed.service_id, limit=20))
    seen = await render.find_service(id=managed.service_id, name=None)
    runs, waits_since = await what_runs(render, seen, _known(managed))
    now = clock.now()
    async with managed.in_step(store, now):
        before, managed.seen, managed.sight.render_answered_at = managed.seen, seen, now
        events = list(_noticed(managed, before, now))
        if events:
            await store.record(PassRecord(seen.id, (), events=tuple(events)))
        changes = await store.changes(seen.id, limit=20)
        if any(change.state.is_open for change in changes) or progress(changes) != began:
            return  # what was read may be from the middle of one
        await _note_not_deployed(managed, runs, waits_since, store, now)
        tier = tier_of(managed.policy, replace(seen, plan=runs))
        changed = TierChanged(now, tier, runs, seen.instances)
        if managed.state.tier_known and _is_the_same(changed, managed.state.lessons.running):
            return
        events = list(_taken_over(managed, changed)) if managed.state.tier_known else []
        await store.record(PassRecord(seen.id, (changed,), events=tuple(events)))
        managed.fold(changed)
    log.info("%s runs on %s x%d: %s", seen.name, runs, seen.instances, tier or "no tier of its policy")


def _known(managed: Managed) -> str | None:
    """The plan that runs as far as is known, where nothing waits for a deploy."""
    running = managed.state.lessons.running
    return None if running is None or managed.sight.not_deployed else running.plan


async def what_runs(render: RenderPort, seen: ServiceSeen, known: str | None) -> tuple[str, int]:
    """The plan that runs, and since when another one waits for a deploy: one that was set after the newest deploy began.

    `known`: what ran before; where that is still configured, nothing has moved. Raises UnavailableError and RefusedError.
    """
    if seen.suspended or (known is not None and same_plan(known, seen.plan)):
        return seen.plan, 0
    deploys = await render.deploys(seen.id)
    carrier = next((one for one in deploys if one.status == "live" or one.status not in ENDED), None)
    if carrier is None:
        return seen.plan, 0
    later = [one for one in await render.plans_set(seen.id, carrier.created_at) if one.at > carrier.created_at]
    return (later[0].before, later[-1].at) if later else (seen.plan, 0)


async def _note_not_deployed(managed: Managed, runs: str, since: int, store: History, now: int) -> None:
    """That another plan is configured than runs is told once, whichever worker sees it."""
    sight, configured = managed.sight, managed.seen.plan
    before, waits = sight.not_deployed, "" if same_plan(runs, configured) else configured
    sight.not_deployed, sight.waits_since = waits, since
    if waits and waits != before:
        message = notices.not_deployed(managed.seen.name, waits, runs)
        event = _event(managed, f"not deployed:{waits}:{since}", message, now)
        await store.record(PassRecord(managed.service_id, (), events=(event,)))


def _taken_over(managed: Managed, changed: TierChanged) -> Iterator[Event]:
    """What somebody else did to the plan or the count, told once."""
    respect = format_duration(managed.policy.guards.respect)
    message = notices.taken_over(managed.seen.name, changed, respect)
    yield _event(managed, f"taken over:{changed.at}", message, changed.at)


def _noticed(managed: Managed, before: ServiceSeen, now: int) -> Iterator[Event]:
    """What else has changed about the service, told once: the looks before and after it differ only then."""
    seen = managed.seen
    words = (
        (before.suspended, seen.suspended, "was suspended on Render: I leave it alone", "runs again on Render"),
        (
            before.render_autoscaling,
            seen.render_autoscaling,
            "has Render's own autoscaling now: the number of instances is Render's affair, the plan is still mine",
            "has Render's own autoscaling no more: the number of instances is the tier's again",
        ),
        (
            before.has_disk,
            seen.has_disk,
            "has a disk now: a change of plan means some minutes down, so I ask first",
            "has no disk any more",
        ),
    )
    for was, is_, begun, over in words:
        if was != is_:
            yield _event(
                managed, f"noticed:{begun[:20]}:{now}", messages.notice(f"{seen.name} {begun if is_ else over}"), now
            )
    if before.name != seen.name:
        yield _event(managed, f"renamed:{now}", messages.notice(f"{before.name} is called {seen.name} now"), now)


def _event(managed: Managed, key: str, message: messages.Message, now: int) -> Event:
    channel = managed.policy.notify.slack
    return Event(f"{managed.service_id}:{key}", now, EventKind.NOTICE, managed.service_id, message, channel)


def _is_the_same(changed: TierChanged, running: TierChanged | None) -> bool:
    """A tier is a plan and a count; also off the ladder what runs is what is paid for."""
    if running is None or changed.tier != running.tier:
        return False
    return same_plan(changed.plan, running.plan) and changed.instances == running.instances


async def _look_at_deploys(managed: Managed, render: RenderPort, store: History, clock: Clock) -> None:
    """While one switches over, and until the app is warm, what is seen says nothing of the plan; a build masks nothing.

    An app that says who it is, or since when, tells of a new process itself, and more exactly.
    """
    deploys = await render.deploys(managed.service_id)
    now = clock.now()
    async with managed.in_step(store, now):
        managed.sight.switching = any(deploy.status == SWITCHING for deploy in deploys)
        managed.sight.build_not_live = "" if under_way(deploys) else build_not_live(deploys) or ""
        reading = managed.last_reading
        if reading is not None and reading.process != (None, None):
            return
        until = _masked_until(managed, deploys, now)
        if until <= managed.state.clock.masked_until(now):
            return
        masked = Masked(now, until, "a deploy switches over" if managed.sight.switching else "a deploy went live")
        await store.record(PassRecord(managed.service_id, (masked,)))
        managed.fold(masked)


def _masked_until(managed: Managed, deploys: Sequence[DeploySeen], now: int) -> int:
    """While it switches over, a little beyond the next look."""
    evidence = managed.policy.evidence
    if managed.sight.switching:
        return now + evidence.drift_every * 5 // 4
    live = next((deploy for deploy in deploys if deploy.status == "live"), None)
    return now if live is None or live.finished_at is None else live.finished_at + evidence.warm_up


async def _hear_failures(managed: Managed, render: RenderPort, store: History, clock: Clock) -> None:
    """Each failed instance is a signal, dated when it failed; one that ran out of memory is two."""
    failures = await render.failures(managed.service_id, clock.now() - LOOK_BACK)
    now = clock.now()
    async with managed.in_step(store, now):
        new = [failure for failure in failures if failure.id not in managed.heard]
        told = [Signal(min(one.at, now), "server_failed", who=one.id) for one in new]
        told += [Signal(min(one.at, now), "oom_kills", who=one.id) for one in new if one.out_of_memory]
        if not told:
            return
        await store.record(PassRecord(managed.service_id, tuple(told)))
        for signal in told:
            managed.fold(signal)
    out_of_memory = sum(one.out_of_memory for one in new)
    log.warning("%s: %d instances failed, %d of them out of memory", managed.seen.name, len(new), out_of_memory)


def tier_of(policy: Policy, seen: ServiceSeen) -> str | None:
    """The rung that this plan and count are, or None: off the ladder. Under Render's autoscaling the count is not ours to judge."""
    for tier in policy.tiers:
        if same_plan(tier.plan, seen.plan) and (tier.instances == seen.instances or seen.render_autoscaling):
            return tier.name
    return None
