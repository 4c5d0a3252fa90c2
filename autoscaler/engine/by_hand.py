"""A change that a person asks for: the same change as a rule's, with who and why. The worker carries it on."""

import difflib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.core.change import Change, Direction, Rung
from autoscaler.core.money import spend
from autoscaler.core.plans import is_smaller, same_plan
from autoscaler.core.policy import Tier
from autoscaler.engine.drift import tier_of, what_runs
from autoscaler.engine.events import begins
from autoscaler.engine.managed import Managed, load, rung, theirs
from autoscaler.errors import RefusedError, UsageError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import ChangeOpenError, PassRecord, RenderPort, ServiceSeen, Store
from autoscaler.report.plan import Around

AS_FOUND = "as found"
"""The tier of what is configured, where that is none of the policy's."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A service as it is configured now, and what its policy knows of it."""

    managed: Managed
    env: Mapping[str, str]
    """Our own keys; those not set are absent."""
    tier: Tier | None
    month: float
    """USD that this month comes to if nothing changes."""
    is_deployed: bool = True
    """Whether the plan that is configured is the one that runs."""

    @property
    def seen(self) -> ServiceSeen:
        """As Render has it."""
        return self.managed.seen


async def look(file: PolicyFile, render: RenderPort, store: Store, now: int) -> Sight:
    """Raises RefusedError, UnavailableError and StoreError."""
    service = file.policy.service
    seen = await render.find_service(id=service.id, name=service.name)
    managed = await load(file, seen, store, now)
    env = await render.env(seen.id, sorted({name for tier in file.policy.tiers for name in tier.env}))
    tiers = file.policy.tiers
    name = tier_of(file.policy, seen)
    spent = spend(file.policy, await store.tier_changes(seen.id), now)
    running = file.policy.tier(name) if name else None
    monthly = (
        running.monthly if running else next((one.monthly for one in tiers if same_plan(one.plan, seen.plan)), 0.0)
    )
    runs, _ = await what_runs(render, seen, None)
    return Sight(managed, env, running, spent.with_target(monthly), same_plan(runs, seen.plan))


def named_tier(sight: Sight, name: str) -> Tier:
    """The tier of that name. Raises UsageError with the nearest for another word."""
    tiers = sight.managed.policy.tiers
    found = next((tier for tier in tiers if tier.name == name), None)
    if found is None:
        names = [tier.name for tier in tiers]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(f"{sight.seen.name} has no tier '{name}'. {hint}Its tiers are {', '.join(names)}.")
    return found


def around(sight: Sight, change: Change) -> Around:
    """What matters beside the change itself, before anybody says yes."""
    policy = sight.managed.policy
    budget = policy.guards.budget
    ours = frozenset(pair for tier in policy.tiers for pair in tier.env.items())
    month = sight.month + (change.target.monthly - change.origin.monthly)
    return Around(
        sight.env, ours, sight.seen.has_disk, sight.seen.pre_deploy, month, budget.monthly if budget else None
    )


def change_to(sight: Sight, target: Tier, who: str, reason: str, now: int) -> Change:
    """The change to that tier. Raises RefusedError where Render would not do it, or where it is so already."""
    seen, to = sight.seen, rung(sight.managed, target)
    _refuse(sight, to)
    policy = sight.managed.policy
    found = {name: sight.env.get(name, value) for name, value in to.env.items()}
    mine = rung(sight.managed, sight.tier).env if sight.tier else {}
    is_whole = all(sight.env.get(name) == value for name, value in mine.items())
    name = sight.tier.name if sight.tier is not None and is_whole else AS_FOUND
    monthly = sight.tier.monthly if sight.tier else to.monthly
    origin = Rung(name, seen.plan, seen.instances, found, monthly, theirs(sight.managed.policy, found))
    return Change(
        id=f"chg-{uuid.uuid4().hex[:12]}",
        service_id=seen.id,
        service=seen.name,
        origin=origin,
        target=to,
        direction=Direction.DOWN if _shrinks(origin, to) else Direction.UP,
        reason=reason,
        created_at=now,
        due_at=now,
        requested_by=who,
        policy_digest=sight.managed.file.digest,
        downtime=seen.has_disk,
        soak=policy.verify.soak,
        watch=policy.verify.watch,
    )


def _shrinks(origin: Rung, target: Rung) -> bool:
    smaller = is_smaller(target.plan, origin.plan)
    return target.instances < origin.instances if smaller is None or same_plan(target.plan, origin.plan) else smaller


def _refuse(sight: Sight, to: Rung) -> None:
    seen = sight.seen
    if seen.suspended:
        raise RefusedError(f"{seen.name} is suspended on Render: resume it there first.")
    if to.instances != seen.instances and seen.render_autoscaling:
        raise RefusedError(
            f"Render's own autoscaling sets the instances of {seen.name}: turn it off there, or name a tier of {seen.instances}."
        )
    if to.instances > 1 and seen.has_disk:
        raise RefusedError(
            f"{seen.name} has a disk, so Render runs one instance of it: {to.tier} wants {to.instances}."
        )
    same = same_plan(to.plan, seen.plan) and to.instances == seen.instances
    if same and sight.is_deployed and all(sight.env.get(name) == value for name, value in to.env.items()):
        raise RefusedError(f"{seen.name} is configured as {to.tier} already. `autoscaler status` shows what runs.")


async def begin(change: Change, sight: Sight, store: Store) -> None:
    """Write it down for the worker. Raises RefusedError while another change is open, or where it has begun, and StoreError."""
    for other in await store.changes(change.service_id, limit=20):
        if other.state.is_open:
            raise RefusedError(
                f"{other.service} is being changed already ({other.id}, {other.state}): wait for its end, `autoscaler history` shows it. "
                "It goes back by itself if it fails."
            )
    told = begins(change, sight.managed.policy.notify.slack)
    try:
        await store.record(PassRecord(change.service_id, (), change=change, events=(told,)))
    except ChangeOpenError:  # since that look
        raise RefusedError(f"{change.service} is being changed already: `autoscaler history` shows it.") from None
