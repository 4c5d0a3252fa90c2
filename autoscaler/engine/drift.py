"""A look at Render: on which tier does the service run, and which of its instances failed? Nobody else tells the evaluator."""

import logging

from autoscaler.core.durations import HOUR
from autoscaler.core.observations import Signal, TierChanged
from autoscaler.core.plans import same_plan
from autoscaler.core.policy import Policy
from autoscaler.engine.managed import Managed
from autoscaler.ports import Clock, History, PassRecord, RenderPort, ServiceSeen

log = logging.getLogger(__name__)


LOOK_BACK = HOUR
"""How long an instance's failure may stay unheard: a pause of the worker, or a Render that was away."""


async def look(managed: Managed, render: RenderPort, store: History, clock: Clock) -> None:
    """Read the service and its events once and append what is new. Raises UnavailableError, RefusedError and StoreError."""
    await _look_at_tier(managed, render, store, clock)
    await _hear_failures(managed, render, store, clock)


async def _look_at_tier(managed: Managed, render: RenderPort, store: History, clock: Clock) -> None:
    """While one of our own changes is open, Render shows what it configured, not what runs: then only the rest is taken in."""
    began = clock.now()
    seen = await render.find_service(id=managed.service_id, name=None)
    now = clock.now()
    async with managed.in_step(store, now):
        managed.seen = seen
        for change in await store.changes(seen.id, limit=20):
            if change.state.is_open or (change.ended_at is not None and began <= change.ended_at <= now):
                return  # what was read may be from the middle of it
        tier = tier_of(managed.policy, seen)
        if managed.state.tier_known and tier == managed.state.tier:
            return
        changed = TierChanged(now, tier, seen.plan, seen.instances)
        await store.record(PassRecord(seen.id, (changed,)))
        managed.fold(changed)
    log.info("%s runs on %s x%d: %s", seen.name, seen.plan, seen.instances, tier or "no tier of its policy")


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
