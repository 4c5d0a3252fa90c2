"""What is told when the watch over a change ends: the time before it beside the time since."""

from dataclasses import replace

from autoscaler.core.change import Change, State
from autoscaler.core.comparison import differences, used
from autoscaler.ports import History
from autoscaler.report.comparison import rows


async def with_report(before: Change, after: Change, store: History) -> Change:
    """The change as its watch ends, with its report; any other move as it is. Raises StoreError."""
    is_over = before.state is State.WATCHING and after.state is State.DONE
    if not is_over or after.live_at is None or not after.watch:
        return after
    seen = await store.observations(after.service_id, after.created_at - after.watch)
    earlier = used(seen, after.created_at - after.watch, after.created_at)
    since = used(seen, after.live_at, after.live_at + after.watch)
    if not earlier.readings or not since.readings:
        return after
    return replace(after, report=rows(differences(earlier, since)))
