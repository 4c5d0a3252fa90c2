"""Whether going up and coming down leave room for each other (design, Deciding 8)."""

from enum import StrEnum

from autoscaler.core.conditions import Condition
from autoscaler.core.policy import Tier

ROOM = 0.7
"""The lower bound should be at most this part of the upper: noise of 30 % must not flap."""


class Clash(StrEnum):
    """How two conditions stand in each other's way, the worst first."""

    OVERLAP = "overlap"
    """Both can hold at once, or nothing lies between them."""
    THIN = "thin"
    """Little lies between them."""
    OTHER_PLAN = "other_plan"
    """Their texts fit, but a share of the larger plan is as much as that of the smaller one."""


def clash(up: Condition, lower: Tier, down: Condition, tier: Tier) -> Clash | None:
    """How `up`, which sends `lower` up to `tier`, and `down`, which brings it back, get in each other's way."""
    if up.metric.name == down.metric.name and (found := _of_bounds(up, down)):
        return found
    (resource, high), (other, low) = absolute(up, lower), absolute(down, tier)
    both_ways = up.op.is_upward and not down.op.is_upward
    return Clash.OTHER_PLAN if resource and resource == other and both_ways and low >= high else None


def _of_bounds(up: Condition, down: Condition) -> Clash | None:
    if up.op.is_upward == down.op.is_upward:
        return Clash.OVERLAP
    low, high = (down.bound, up.bound) if up.op.is_upward else (up.bound, down.bound)
    if low >= high:
        return Clash.OVERLAP
    return Clash.THIN if low > ROOM * high else None


def absolute(condition: Condition, tier: Tier) -> tuple[str | None, float]:
    """The bound of a resource in bytes or cores, whether it is written so or as a share of the plan."""
    match condition.metric.name:
        case "memory_usage":
            return "memory", condition.bound
        case "memory_percent":
            return "memory", condition.bound / 100 * tier.size.memory
        case "cpu_percent":
            return "cpu", condition.bound / 100 * tier.size.cpu
    return None, condition.bound
