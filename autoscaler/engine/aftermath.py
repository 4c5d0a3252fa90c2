"""What is told when the watch over a change ends: the time before it beside the time since."""

from dataclasses import replace

from autoscaler.core.change import Change, State
from autoscaler.core.comparison import spans, used
from autoscaler.core.durations import DAY
from autoscaler.engine.managed import Managed
from autoscaler.ports import History
from autoscaler.report.comparison import rows


async def with_report(before: Change, after: Change, store: History, managed: Managed | None, now: int) -> Change:
    """The change as its watch ends, with its report; any other move as it is. Raises StoreError."""
    live_at, is_over = after.live_at, before.state is State.WATCHING and after.state is State.DONE
    if not is_over or live_at is None or not after.watch:
        return after
    seen = await store.observations(after.service_id, after.created_at - after.watch - DAY)
    old, new = spans(seen, after.id, after.created_at, live_at, min(now, live_at + after.watch))
    earlier, since = used(seen, old), used(seen, new)
    if not earlier.polls or not since.polls:
        return after
    unhelped = managed.state.usage.found_unhelped(live_at) if managed else ()
    return replace(after, report=rows(earlier, since, unhelped))
