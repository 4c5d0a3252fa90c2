"""What people did to a service's env vars: after a plan that they set the values follow, a value of their own is kept."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from autoscaler.core.change import Change, Direction, Rung, State
from autoscaler.core.durations import MINUTE
from autoscaler.core.observations import EnvSeen, Overridden, TierChanged
from autoscaler.core.plans import find_plan, is_smaller, same_plan
from autoscaler.core.policy import Mode, Tier
from autoscaler.engine.events import begins
from autoscaler.engine.managed import Managed, rung, theirs
from autoscaler.ports import ChangeOpenError, Clock, Event, EventKind, History, PassRecord, RenderPort
from autoscaler.report import messages, notices

AT_FIRST = "I found it so, and where I first look I write nothing."
BY_SOMEBODY = "Somebody set the plan, and I only watch here."
REST = 30 * MINUTE
"""How long a change that only follows is not tried again after it failed."""


async def look_at_env(managed: Managed, render: RenderPort, store: History, clock: Clock) -> bool:
    """Read our env vars and take in what differs from the running tier's; False when they have to be read again soon.

    Raises UnavailableError, RefusedError and StoreError.
    """
    tier, running = _running(managed)
    if tier is None or running is None or not tier.env:
        return True
    began = progress(await store.changes(managed.service_id, limit=20))
    env = await render.env(managed.service_id, sorted(tier.env))
    now = clock.now()
    async with managed.in_step(store, now):
        recent = await store.changes(managed.service_id, limit=20)
        was_still = progress(recent) == began and _running(managed) == (tier, running)
        if not was_still or not _is_ours_to_judge(managed, recent, now):
            return False
        looked = _compare(managed, tier, running, env, _before(managed, running, recent))
        if running.tier is not None and not _is_next(managed):  # elsewhere all is held, but for what is too large
            await _keep(managed, tier, looked.foreign, env, store, now)
            await _tell_edited(managed, tier, looked.edited, store, now)
        if looked.stray and not _may_write(managed, running):
            await _tell_mixed(managed, tier, looked.stray, running.at, AT_FIRST, store, now)
        elif looked.stray:
            await _follow(managed, tier, running, env, looked, store, now)
        if not looked.stray or not _may_write(managed, running):
            await _note(managed, running, env, store, now)
        return not looked.stray or not _may_write(managed, running)


def progress(changes: Sequence[Change]) -> list[tuple[str, State]]:
    """How far these are: where it is another after a look than before it, what was seen may be from the middle of one.

    No clock tells that, since another worker's may be another.
    """
    return [(change.id, change.state) for change in changes]


@dataclass(frozen=True, slots=True)
class _Looked:
    """What differs from the values that belong there."""

    stray: frozenset[str]
    """Of another tier, which stayed when somebody set the plan."""
    foreign: Mapping[str, str]
    """Somebody's own."""
    edited: tuple[str, ...]
    """As they were before the policy was edited."""


def _compare(
    managed: Managed, tier: Tier, running: TierChanged, env: Mapping[str, str], before: Mapping[str, str] | None
) -> _Looked:
    """`before`: what was there when we last wrote or looked, since this plan runs; None when that is not known."""
    wanted, rank = rung(managed, tier).env, managed.policy.rank
    differs = {name: env[name] for name in tier.env if name in env and env[name] != wanted[name]}
    others = [one for one in managed.policy.tiers if one.name != tier.name]
    if running.tier is None or _is_next(managed):  # only what is too large for the plan has to go
        others = [one for one in others if rank(one.name) > rank(tier.name)]
    stayed = _stayed(managed, running, managed.sight.not_deployed if _is_next(managed) else running.plan)
    stray = {
        name
        for name, value in differs.items()
        if _is_of(managed, others, name, value) or (stayed.get(name) == value and not _is_theirs(managed, name, value))
    }
    if running.by is not None and not _is_next(managed):
        stray = set()  # what we left was whole: each of them is somebody's choice
    known = {} if before is None else before
    edited = {name for name in differs.keys() - stray if known.get(name) == env[name]}
    foreign = {name: value for name, value in differs.items() if name not in stray | edited}
    return _Looked(frozenset(stray), foreign, tuple(sorted(edited)))


def _stayed(managed: Managed, running: TierChanged, plan: str) -> Mapping[str, str]:
    """What was configured for the plan from which somebody went: also values that an edit of the policy has since replaced.

    Off the ladder only a smaller plan asks for anything else, and only of values that were the policy's.
    """
    seen = managed.state.env_seen
    if seen is None or (seen.since == running.at) != _is_next(managed):
        return {}
    if running.tier is not None:
        return seen.env
    return {name: seen.env[name] for name in seen.ours} if is_smaller(plan, seen.plan) else {}


def _is_theirs(managed: Managed, name: str, value: str) -> bool:
    return any(one == name and override.value == value for (_, one), override in managed.state.overrides.items())


def _before(managed: Managed, running: TierChanged, recent: Sequence[Change]) -> Mapping[str, str] | None:
    seen = managed.state.env_seen
    if seen is not None and seen.since == running.at:
        return seen.env
    ours = next((one for one in recent if one.id == running.by), None)
    if ours is None:
        return None
    if ours.target.tier == running.tier and ours.state is not State.UNDONE:
        return ours.target.env
    found = ours.before.env if ours.before else {}
    return {**ours.origin.env, **{name: value for name, value in found.items() if value is not None}}


async def _note(managed: Managed, running: TierChanged, env: Mapping[str, str], store: History, now: int) -> None:
    seen = managed.state.env_seen
    if seen is None or (seen.since, dict(seen.env)) != (running.at, dict(env)):
        were = {name: seen.env[name] for name in seen.ours} if seen else {}
        tiers = managed.policy.tiers
        ours = (name for name, value in env.items() if were.get(name) == value or _is_of(managed, tiers, name, value))
        noted = EnvSeen(now, running.at, dict(env), running.plan, tuple(sorted(ours)))
        await store.record(PassRecord(managed.service_id, (noted,)))
        managed.fold(noted)


def _is_next(managed: Managed) -> bool:
    """Whether a smaller plan waits for a deploy: what runs may stay, but the next instance must fit."""
    running, waits = managed.state.lessons.running, managed.sight.not_deployed
    return bool(waits) and running is not None and is_smaller(waits, running.plan) is True


def _may_write(managed: Managed, running: TierChanged) -> bool:
    """After a plan that somebody set since we look after the service; what we found so is left as it is."""
    if _is_next(managed):
        return managed.sight.waits_since > (managed.state.lessons.known_since or 0)
    return running.at == managed.state.lessons.taken_over_at


def _running(managed: Managed) -> tuple[Tier | None, TierChanged | None]:
    """What runs, and the tier whose values fit it: off the ladder the one of that plan, else the largest that is smaller.

    Where a smaller plan waits for a deploy, the values have to fit that.
    """
    running = managed.state.lessons.running
    if running is None:
        return None, None
    plan, name = (managed.sight.not_deployed, None) if _is_next(managed) else (running.plan, running.tier)
    tiers = managed.policy.tiers
    named = [tier for tier in tiers if tier.name == name] or [tier for tier in tiers if same_plan(tier.plan, plan)]
    smaller = [tier for tier in tiers if is_smaller(tier.plan, plan)]
    return next(iter(named or reversed(smaller)), None), running


def _is_ours_to_judge(managed: Managed, recent: Sequence[Change], now: int) -> bool:
    """While a change of ours is open, what is configured is half of it; one that has just failed is not tried again at once."""
    failed = (one for one in recent if one.follows and one.state is State.FAILED)
    same = (one for one in failed if same_plan(one.target.plan, managed.seen.plan))
    return not any(one.state.is_open for one in recent) and all(now - (one.ended_at or 0) >= REST for one in same)


def _is_of(managed: Managed, tiers: Sequence[Tier], name: str, value: str) -> bool:
    """Whether it is the value of one of these rungs, which stayed when somebody set the plan of another."""
    return any(rung(managed, tier).env.get(name) == value for tier in tiers)


async def _tell_edited(managed: Managed, tier: Tier, names: Sequence[str], store: History, now: int) -> None:
    """Once for each version of the policy file."""
    if not names:
        return
    message = notices.edited(managed.seen.name, tier.name, names)
    event = _event(managed, f"edited:{managed.file.digest}:{tier.name}", message, now)
    await store.record(PassRecord(managed.service_id, (), events=(event,)))


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


def met(managed: Managed, change: Change, now: int) -> list[Overridden]:
    """Values of somebody's own that no look has noticed yet, met just before a change writes over them: they count as any other."""
    tier = managed.policy.tier(change.origin.tier)
    if change.before is None or change.follows or tier is None:
        return []
    seen, left = managed.state.env_seen, change.leftover
    ours = {pair for one in managed.policy.tiers for pair in one.env.items()} | set(change.origin.env.items())
    ours |= set(seen.env.items()) if seen else set()
    ours |= set(left.env.items()) if left else set()
    return [
        Overridden(now, tier.name, name, value, managed.file.digest)
        for name, value in sorted(change.before.env.items())
        if value is not None and name in tier.env and (name, value) not in ours
    ]


async def _follow(
    managed: Managed,
    tier: Tier,
    running: TierChanged,
    env: Mapping[str, str],
    looked: _Looked,
    store: History,
    now: int,
) -> None:
    """In `mode: act` a change that only brings the values; else it is told, once for each plan that was set."""
    pause = await store.paused(managed.service_id)
    is_paused = pause is not None and (pause.until is None or now < pause.until)
    if managed.policy.mode is not Mode.ACT or is_paused:
        set_at = managed.sight.waits_since if _is_next(managed) else running.at
        await _tell_mixed(managed, tier, looked.stray, set_at, BY_SOMEBODY, store, now)
        return
    change = _change(managed, tier, env, looked, now)
    event = begins(change, managed.policy.notify.slack)
    with suppress(ChangeOpenError):  # the next look sees what that one leaves
        await store.record(PassRecord(managed.service_id, (), change=change, events=(event,)))


async def _tell_mixed(
    managed: Managed, tier: Tier, names: Iterable[str], since: int, why: str, store: History, now: int
) -> None:
    """Once for each plan that was set."""
    message = notices.mixed(managed.seen.name, tier.name, sorted(names), why)
    await store.record(PassRecord(managed.service_id, (), events=(_event(managed, f"mixed:{since}", message, now),)))


def _change(managed: Managed, tier: Tier, env: Mapping[str, str], looked: _Looked, now: int) -> Change:
    seen, policy = managed.seen, managed.policy
    values = {**rung(managed, tier).env, **looked.foreign}
    on_ladder = same_plan(tier.plan, seen.plan)
    plan = find_plan(seen.plan)
    target = Rung(
        tier.name if on_ladder else f"{tier.name}'s values",
        seen.plan,
        seen.instances,
        values,
        tier.monthly if on_ladder or plan is None else plan.price * seen.instances,
        theirs(policy, values),
    )
    found = {**values, **env}
    left = ", ".join(sorted(looked.stray))
    return Change(
        id=f"chg-{uuid.uuid4().hex[:12]}",
        service_id=managed.service_id,
        service=managed.seen.name,
        origin=replace(target, env=found, theirs=theirs(policy, found)),
        target=target,
        direction=Direction.UP,
        reason=f"somebody set the plan to {managed.seen.plan}: {left} still had the value of another tier",
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
