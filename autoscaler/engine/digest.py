"""Once a day or a week, what a service went through. Each is told once, whichever worker looks after the service then."""

import asyncio
from collections.abc import Sequence

from autoscaler.core.digest import OBSERVED, Digest, WouldHave, begin_and_end, held_within
from autoscaler.core.money import spend
from autoscaler.core.observations import Missed, Observation, Reading, TierChanged
from autoscaler.core.policy import Mode
from autoscaler.core.recording import recorded
from autoscaler.core.savings import period
from autoscaler.engine.backtest import rehearse
from autoscaler.engine.managed import Managed
from autoscaler.errors import UsageError
from autoscaler.ports import Event, EventKind, Store
from autoscaler.report.backtests import reason
from autoscaler.report.digest import digest_message

MOST = 1000
"""Verdicts and changes that are looked at."""


async def tell_digest(managed: Managed, store: Store, now: int) -> None:
    """If one is due that is not told yet. Raises StoreError."""
    due = begin_and_end(managed.policy, now)
    if due is None or due[1] <= managed.sight.digested:
        return
    begin, end = due
    known_since = managed.state.lessons.known_since
    if known_since is not None and known_since < end:  # else there is nothing to tell of
        digest = await gather_digest(managed, store, begin, end, now)
        channel = managed.policy.notify.slack
        event_id = f"{managed.service_id}:digest:{end}"
        event = Event(event_id, now, EventKind.DIGEST, managed.service_id, digest_message(digest), channel, event_id)
        await store.tell([event])
    managed.sight.digested = end


async def gather_digest(managed: Managed, store: Store, begin: int, end: int, now: int) -> Digest:
    """Raises StoreError."""
    policy, service_id = managed.policy, managed.service_id
    tenancy = await store.tier_changes(service_id)
    changes = [one for one in await store.changes(service_id, limit=MOST) if begin <= one.created_at < end]
    running = policy.tier(managed.state.tier or "")
    budget = policy.guards.budget
    observes = policy.mode is Mode.OBSERVE
    first = min((one.at for one in tenancy), default=now)
    return Digest(
        service=managed.seen.name,
        service_id=service_id,
        policy_file=managed.file.path,
        digest=managed.file.digest,
        mode=policy.mode,
        begin=begin,
        end=end,
        changes=changes[::-1],
        held=held_within(await store.verdicts(service_id, limit=MOST), begin, end),
        spent=period(policy, tenancy, begin, end),
        month=spend(policy, tenancy, now).with_target(running.monthly if running else 0.0),
        budget=budget.monthly if budget else None,
        would_have=await _would_have(managed, store, tenancy, begin, end) if observes else None,
        offers_live=observes and now - first >= OBSERVED,
    )


async def _would_have(
    managed: Managed, store: Store, tenancy: Sequence[TierChanged], begin: int, end: int
) -> WouldHave | None:
    """The policy, played what was seen in that time; None where nothing was."""
    seen = await store.observations(managed.service_id, begin)
    played = tuple(one for one in seen if one.at < end and not _is_ours(one))
    if not any(isinstance(one, Reading | Missed) for one in played):
        return None
    before = [change for change in tenancy if change.at <= begin]
    tier = (before[-1] if before else tenancy[0]).tier if tenancy else None
    recording = recorded("what I saw", played, tier=tier)
    try:
        done = await asyncio.to_thread(rehearse, managed.file.path, managed.policy, recording)
    except UsageError:  # it ran off the ladder, or on a tier that was edited away: there is nothing to begin from
        return None
    changes = [(one.at, one.origin, one.target, reason(one)) for one in done.changes]
    return WouldHave(changes, done.costs.policy, done.costs.never)


def _is_ours(one: Observation) -> bool:
    return isinstance(one, TierChanged) and one.by is not None
