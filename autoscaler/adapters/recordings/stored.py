"""The worker's own store as a recording."""

from collections.abc import Iterator, Sequence

from autoscaler.core.change import Change
from autoscaler.core.durations import HOUR, NEVER
from autoscaler.core.observations import Missed, Observation, Reading, TierChanged
from autoscaler.core.policy import Policy
from autoscaler.core.recording import Recording, Span, recorded
from autoscaler.errors import UsageError
from autoscaler.ports import Store

_ALL = 10_000


async def read_store(store: Store, where: str, policy: Policy, span: Span) -> Recording:
    """What the worker saw of the policy's service, in its order of arrival, without the tier changes that were the bot's own.

    Raises UsageError when it has seen nothing of it, StoreError.
    """
    service = policy.service
    known = {verdict.service: verdict.service_id for verdict in await store.last_verdicts()}
    service_id = service.id or known.get(service.name or "", "")
    hours = [] if span.since is None else await store.hours(service_id, span.since)
    seen, notes = _in_one_cadence(await store.observations(service_id, span.since or 0), hours)
    if not any(isinstance(one, Reading | Missed) for one in seen):
        names = ", ".join(sorted(known)) or "none yet"
        raise UsageError(f"{where} holds nothing of {service.label} in that time. Services that it knows: {names}.")
    begun = next(one.at for one in seen if isinstance(one, Reading | Missed))
    tiers = await store.tier_changes(service_id)
    own = await store.changes(service_id, limit=_ALL)
    observations = tuple(one for one in _others(seen, own) if span.holds(one.at))
    return recorded(where, observations, tier=_tier_at(tiers, begun), notes=notes)


def _in_one_cadence(
    seen: Sequence[Observation], hours: Sequence[Reading]
) -> tuple[Sequence[Observation], tuple[str, ...]]:
    """All by the hour where some is not kept in full any more, with a note on that: no window would hold over both kinds."""
    whole = min((one.at for one in seen if isinstance(one, Reading)), default=NEVER)
    if not hours or hours[0].at + HOUR > whole:
        return seen, ()
    rest = (one for one in seen if not isinstance(one, Reading | Missed))
    note = "What is older than 30 days is kept by the hour, so all of it is played by the hour"
    return sorted((*rest, *hours), key=lambda one: one.at), (note,)


def _others(seen: Sequence[Observation], own: Sequence[Change]) -> Iterator[Observation]:
    """A rehearsal makes its own changes: those that the bot made then would come on top."""
    times = [
        (change.created_at, change.ended_at) for change in own
    ]  # rows of earlier releases do not say whose they are
    for one in seen:
        ours = isinstance(one, TierChanged) and (
            one.by is not None or any(begun <= one.at and (end is None or one.at <= end) for begun, end in times)
        )
        if not ours:
            yield one


def _tier_at(tiers: Sequence[TierChanged], begun: int) -> str | None:
    """The rung that ran at the first poll; it was looked up just before it, or just after."""
    before = [change for change in tiers if change.at <= begun]
    return (before[-1] if before else tiers[0]).tier if tiers else None
