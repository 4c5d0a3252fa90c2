"""What people did to a service's env vars: after a plan that they set the values follow, a value of their own is kept."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

from autoscaler.core.change import Change, Direction, State
from autoscaler.core.durations import MINUTE
from autoscaler.core.observations import Overridden, TierChanged
from autoscaler.core.plans import is_smaller, same_plan
from autoscaler.core.policy import Mode, Tier
from autoscaler.engine.managed import Managed, rung
from autoscaler.ports import ChangeOpenError, Clock, Event, EventKind, History, PassRecord, RenderPort
from autoscaler.report import messages, notices

REST = 30 * MINUTE
"""How long a change that only follows is not tried again after it failed."""


async def look_at_env(managed: Managed, render: RenderPort, store: History, clock: Clock) -> bool:
    """Read our env vars and take in what differs from the running tier's; False when they have to be read again soon.

    Raises UnavailableError, RefusedError and StoreError.
    """
    tier, running = _running(managed)
    if tier is None or not tier.env:
        return True
    env = await render.env(managed.service_id, sorted(tier.env))
    now = clock.now()
    async with managed.in_step(store, now):
        if not await _is_ours_to_judge(managed, store, now) or _running(managed) != (tier, running):
            return False
        wanted = rung(managed, tier).env
        foreign = {name: env[name] for name in tier.env if name in env and env[name] != wanted[name]}
        on_ladder = running is not None and running.tier is not None
        others = [one for one in managed.policy.tiers if one.name != tier.name]
        larger = (
            others
            if on_ladder
            else [one for one in others if managed.policy.rank(one.name) > managed.policy.rank(tier.name)]
        )
        stray = {name for name, value in foreign.items() if _is_of(managed, larger, name, value)}
        if running is not None and running.by is not None:
            stray = set()  # what we left was whole: each of them is somebody's choice
        if on_ladder:  # elsewhere all is held, but for what is too large for the plan
            await _keep(managed, tier, {name: foreign[name] for name in foreign.keys() - stray}, env, store, now)
        left = stray if running is not None and running.at == managed.state.lessons.taken_over_at else set()
        if left:  # at first sight nothing is written
            await _follow(managed, tier, running, env, left, store, now)
        return not left


def _running(managed: Managed) -> tuple[Tier | None, TierChanged | None]:
    """What runs, and the tier whose values fit it: off the ladder the one of that plan, else the largest that is smaller."""
    running = managed.state.lessons.running
    if running is None:
        return None, None
    tiers = managed.policy.tiers
    named = [tier for tier in tiers if tier.name == running.tier] or [
        tier for tier in tiers if same_plan(tier.plan, running.plan)
    ]
    smaller = [tier for tier in tiers if is_smaller(tier.plan, running.plan)]
    return next(iter(named or reversed(smaller)), None), running


async def _is_ours_to_judge(managed: Managed, store: History, now: int) -> bool:
    """While a change of ours is open, what is configured is half of it; one that has just failed is not tried again at once."""
    recent = await store.changes(managed.service_id, limit=20)
    failed = (one for one in recent if one.follows and one.state is State.FAILED)
    same = (one for one in failed if same_plan(one.target.plan, managed.seen.plan))
    return not any(one.state.is_open for one in recent) and all(now - (one.ended_at or 0) >= REST for one in same)


def _is_of(managed: Managed, tiers: Sequence[Tier], name: str, value: str) -> bool:
    """Whether it is the value of one of these rungs, which stayed when somebody set the plan of another."""
    return any(rung(managed, tier).env.get(name) == value for tier in tiers)


async def _keep(
    managed: Managed, tier: Tier, foreign: Mapping[str, str], env: Mapping[str, str], store: History, now: int
) -> None:
    """A value of their own counts until the policy file is edited; one that they took back counts no more."""
    told: list[Overridden] = [
        Overridden(now, tier.name, name, value, managed.file.digest) for name, value in sorted(foreign.items())
    ]
    for (of, name), one in managed.state.overrides.items():
        is_mine = of == tier.name and one.digest == managed.file.digest and one.value is not None
        if is_mine and name in tier.env and env.get(name) == tier.env[name] != one.value:
            told.append(Overridden(now, tier.name, name, None, managed.file.digest))
    if not told:
        return
    names = [one.name for one in told if one.value is not None]
    events: tuple[Event, ...] = ()
    if names:
        message = notices.overridden(managed.seen.name, tier.name, names)
        events = (_event(managed, f"overridden:{now}", message, now),)
    await store.record(PassRecord(managed.service_id, tuple(told), events=events))
    for one in told:
        managed.fold(one)


async def _follow(
    managed: Managed,
    tier: Tier,
    running: TierChanged | None,
    env: Mapping[str, str],
    left: set[str],
    store: History,
    now: int,
) -> None:
    """In `mode: act` a change that only brings the values; else it is told, once for each plan that was set."""
    set_at = running.at if running else now
    pause = await store.paused(managed.service_id)
    is_paused = pause is not None and (pause.until is None or now < pause.until)
    if managed.policy.mode is Mode.ACT and not is_paused:
        change = _change(managed, tier, env, sorted(left), now)
        event = Event(
            f"{change.id}:started",
            now,
            EventKind.CHANGE_STARTED,
            managed.service_id,
            messages.change_started(change),
            managed.policy.notify.slack,
            change.id,
        )
        try:
            await store.record(PassRecord(managed.service_id, (), change=change, events=(event,)))
        except ChangeOpenError:  # the next look sees what it leaves
            return
        return
    message = notices.mixed(managed.seen.name, tier.name, sorted(left))
    await store.record(PassRecord(managed.service_id, (), events=(_event(managed, f"mixed:{set_at}", message, now),)))


def _change(managed: Managed, tier: Tier, env: Mapping[str, str], left: list[str], now: int) -> Change:
    seen = managed.seen
    target = replace(rung(managed, tier), plan=seen.plan, instances=seen.instances)
    found = replace(target, env={**target.env, **env})
    return Change(
        id=f"chg-{uuid.uuid4().hex[:12]}",
        service_id=managed.service_id,
        service=managed.seen.name,
        origin=found,
        target=target,
        direction=Direction.UP,
        reason=f"somebody set the plan to {managed.seen.plan}: {', '.join(left)} still had the value of another tier",
        created_at=now,
        due_at=now,
        follows=True,
        policy_digest=managed.file.digest,
        soak=managed.policy.verify.soak,
        watch=0,
    )


def _event(managed: Managed, key: str, message: messages.Message, now: int) -> Event:
    channel = managed.policy.notify.slack
    return Event(f"{managed.service_id}:{key}", now, EventKind.NOTICE, managed.service_id, message, channel)
