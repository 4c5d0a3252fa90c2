"""Why the smaller plan that a downgrade of ours led to is not enough (design, section 5, Verify)."""

from autoscaler.core.conditions import Condition, quarter
from autoscaler.core.durations import format_duration
from autoscaler.core.keys import up_key
from autoscaler.core.state import State
from autoscaler.core.values import format_value

FULL = 85.0
"""Per cent of the memory limit."""


def strain(state: State, tier: str, live_at: int, now: int) -> str:
    """In words; empty while the tier that runs since `live_at` is enough, or is not the one that runs.

    An instance that was ended for want of memory, memory close to its limit, or a rule of the tier that asks for a larger one.
    """
    if state.tier != tier:
        return ""
    if state.usage.killed_at is not None and state.usage.killed_at >= live_at:
        return "an instance ran out of memory"
    reading = state.reading
    if reading is not None and reading.at >= live_at and not state.memory_clock.is_masked(reading.at):
        share = reading.gauges.get("memory_percent")
        if share is not None and share > FULL:
            return f"memory is at {share:.0f}% of its limit"
    running = state.policy.tier(tier)
    rules = state.policy.up_rules(running) if running and state.shrunk else None
    held = (_held(state, condition, now) for condition in (rules.conditions if rules else ()))
    return next((words for words in held if words), "")


def _held(state: State, condition: Condition, now: int) -> str:
    """A quarter of its window says it, or all of it, where what it counts was there before the downgrade."""
    for one in (condition, quarter(condition)):
        standing = state.standing(up_key(one), now)
        if standing.holds:
            value = "" if standing.value is None else f" ({format_value(condition.metric, standing.value)})"
            since = "holds" if one is condition else f"has held for {format_duration(max(one.held, one.over))} of it"
            return f"{condition.text} {since}{value}"
    return ""
