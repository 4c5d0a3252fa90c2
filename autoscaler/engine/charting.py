"""The picture that goes with the first message of a change: how the metric that asks for it went."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from autoscaler.core.guards import Verdict
from autoscaler.core.observations import Observation
from autoscaler.engine.managed import Managed
from autoscaler.ports import Event, EventKind, History
from autoscaler.report.reason_chart import charted_since, reason_chart

log = logging.getLogger(__name__)

_FIRST = frozenset({EventKind.ASKED, EventKind.CHANGE_STARTED})


async def charted(
    events: Sequence[Event],
    managed: Managed,
    verdict: Verdict,
    history: History,
    unrecorded: Sequence[Observation] = (),
) -> tuple[Event, ...]:
    """The first messages of changes with their chart, all others as they are. Raises StoreError.

    `unrecorded`: what this pass has seen and nobody has stored.
    """
    since = charted_since(managed.policy, verdict)
    if since is None or not any(_wants_one(event) for event in events):
        return tuple(events)
    seen = [*await history.observations(managed.service_id, since), *unrecorded]
    tenancy = await history.tier_changes(managed.service_id)
    try:
        chart = await asyncio.to_thread(reason_chart, managed.policy, verdict, seen, tenancy)
    except Exception:  # no picture is worth a change that does not begin
        log.exception("%s: its chart can't be made: this is a bug, please report it", managed.seen.name)
        return tuple(events)
    return tuple(
        replace(event, message=replace(event.message, chart=chart)) if _wants_one(event) else event for event in events
    )


def _wants_one(event: Event) -> bool:
    """Not the one with which it is only asked again."""
    return event.kind in _FIRST and event.head is None
