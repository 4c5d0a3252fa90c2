"""Why the smaller plan that a downgrade of ours led to is not enough (design, section 5, Verify)."""

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import MINUTE, format_duration
from autoscaler.core.metrics import Kind
from autoscaler.core.state import State, up_key
from autoscaler.core.values import format_value

QUARTER = 4
LEAST = 5 * MINUTE
"""A rule that holds for a quarter of its window, and for so long at least, is not waited for any longer."""
FULL = 85.0
"""Per cent of the memory limit."""


def strain(state: State, tier: str, live_at: int, now: int) -> str:
    """In words; empty while the tier that runs since `live_at` is enough, or is not the one that runs.

    Rules of the tier, memory close to its limit, or an instance that was ended for want of it.
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
    rules = state.policy.up_rules(running) if running else None
    return (
        next((words for condition in rules.conditions if (words := _held(state, condition, now))), "") if rules else ""
    )


def _held(state: State, condition: Condition, now: int) -> str:
    """A rule without a window, or that counts, has to hold; a ratio also needs requests enough to mean something."""
    standing = state.standing(up_key(condition), now)
    enough = max(condition.held // QUARTER, LEAST)
    builds = bool(condition.held) and standing.held * condition.held >= enough and not _is_thin(state, condition)
    if not standing.holds and not builds:
        return ""
    value = "" if standing.value is None else f" ({format_value(condition.metric, standing.value)})"
    since = f" has held for {format_duration(enough)} of it" if builds and not standing.holds else " holds"
    return f"{condition.text}{value}{since}"


def _is_thin(state: State, condition: Condition) -> bool:
    if condition.metric.kind is not Kind.RATIO or state.reading is None:
        return False
    served = state.reading.counters.get("requests")
    return served is not None and served < state.policy.evidence.min_requests
