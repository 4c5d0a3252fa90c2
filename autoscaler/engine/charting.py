"""The picture that goes with the first message of a change: how the metric that asks for it went."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from autoscaler.core.guards import Verdict
from autoscaler.core.observations import Observation
from autoscaler.engine.managed import Managed
from autoscaler.errors import StoreError
from autoscaler.ports import Event, EventKind, History
from autoscaler.report.reason_chart import Chart, charted_since, reason_chart

log = logging.getLogger(__name__)

_FIRST = frozenset({EventKind.ASKED, EventKind.CHANGE_STARTED})


async def charted(
    events: Sequence[Event],
    managed: Managed,
    verdict: Verdict,
    history: History,
    unrecorded: Sequence[Observation] = (),
) -> tuple[Event, ...]:
    """The first messages of changes with their chart, all others as they are.

    A picture is worth no change that does not begin: whatever goes wrong with it, the words go alone.

    `unrecorded`: what this pass has seen and nobody has stored.
    """
    if not any(_wants_one(event) for event in events):
        return tuple(events)
    try:
        chart = await _drawn(managed, verdict, history, unrecorded)
    except StoreError as error:
        log.warning("%s: a message goes without its chart: %s", managed.seen.name, error)
        chart = None
    except Exception:
        log.exception("%s: a message goes without its chart: this is a bug, please report it", managed.seen.name)
        chart = None
    return tuple(
        replace(event, message=replace(event.message, chart=chart)) if _wants_one(event) else event for event in events
    )


async def _drawn(
    managed: Managed, verdict: Verdict, history: History, unrecorded: Sequence[Observation]
) -> Chart | None:
    since = charted_since(managed.policy, verdict)
    if since is None:
        return None
    seen = [*await history.observations(managed.service_id, since), *unrecorded]
    tenancy = await history.tier_changes(managed.service_id)
    return await asyncio.to_thread(reason_chart, managed.policy, verdict, seen, tenancy)


def _wants_one(event: Event) -> bool:
    """Not the one with which it is only asked again."""
    return event.kind in _FIRST and event.head is None
