"""A look at Render: on which tier does the service run? Without it nobody tells the evaluator its rung."""

import logging

from autoscaler.core.observations import TierChanged
from autoscaler.core.plans import same_plan
from autoscaler.core.policy import Policy
from autoscaler.engine.managed import Managed
from autoscaler.ports import Clock, History, PassRecord, RenderPort, ServiceSeen

log = logging.getLogger(__name__)


async def look(managed: Managed, render: RenderPort, store: History, clock: Clock) -> None:
    """Read the service once and append what changed.

    While one of our own changes is open, Render shows what it configured, not what runs: then only the rest is taken in.
    Raises UnavailableError, RefusedError and StoreError.
    """
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


def tier_of(policy: Policy, seen: ServiceSeen) -> str | None:
    """The rung that this plan and count are, or None: off the ladder. Under Render's autoscaling the count is not ours to judge."""
    for tier in policy.tiers:
        if same_plan(tier.plan, seen.plan) and (tier.instances == seen.instances or seen.render_autoscaling):
            return tier.name
    return None
