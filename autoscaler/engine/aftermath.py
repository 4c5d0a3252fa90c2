"""What follows from a move of a change: what the team hears, which tier runs then, and at the end the time before it beside the time since."""

from dataclasses import replace

from autoscaler.core.change import Change, State
from autoscaler.core.comparison import spans, used
from autoscaler.core.durations import DAY
from autoscaler.core.observations import Observation, TierChanged
from autoscaler.core.steps import AskDeploy, Become, Redeploy
from autoscaler.engine.managed import Managed
from autoscaler.ports import EventKind, History
from autoscaler.report import change_messages, comparison
from autoscaler.report.comparison import rows
from autoscaler.report.messages import Message


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


def told_once(change: Change, write: AskDeploy | Redeploy) -> str:
    """One message a walk, however often it has to ask."""
    if isinstance(write, Redeploy):
        return f"given back {write.deploy}"
    return "deploying back" if change.walking_back else "deploying"


def deploying(change: Change, write: AskDeploy | Redeploy) -> Message:
    """That a deploy was asked for."""
    if isinstance(write, Redeploy):
        return change_messages.given_back(change, write.deploy, write.commit)
    rung = change.origin if change.walking_back else change.target
    return change_messages.progress(change, f"Plan {rung.plan} is set, and its env values; deploying.")


def told(before: Change, step: Become) -> list[tuple[EventKind, Message]]:
    """What the team hears of a move. The end of the soak is the end for them; `done` after the watch is quiet."""
    after = step.change
    if after.state is State.SOAKING:
        return [(EventKind.CHANGE_LIVE, change_messages.live(after))]
    if after.report:
        return [(EventKind.CHANGE_REPORT, comparison.change_report(after))]
    if before.state is after.state is State.WATCHING:
        return [(EventKind.NOTICE, comparison.crash_loop(after, step.told))] if step.told else []
    if after.state is State.WATCHING or (after.state.is_final and before.state is not State.WATCHING):
        return [(EventKind.CHANGE_ENDED, change_messages.ended(after))]
    return [(EventKind.CHANGE_PROGRESS, change_messages.progress(after, step.told))] if step.told else []


def observed(before: Change, after: Change, now: int) -> list[Observation]:
    """The tier changes when its deploy is live, not when it is asked for."""
    if after.state is State.SOAKING and before.state is not State.SOAKING:
        rung, cause = after.target, (after.spent, after.id, after.scheduled)
        return [TierChanged(now, rung.tier, rung.plan, rung.instances, *cause, by_hand=after.by_hand)]
    if after.state is State.UNDONE and after.live_at is not None:
        return [TierChanged(now, after.origin.tier, after.origin.plan, after.origin.instances, by=after.id)]
    return []
