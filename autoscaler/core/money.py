"""What a service costs: tenancy (which tier ran when) becomes spend. Render bills each instance by the second.

A month's price is spread over the seconds of that month, in UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from autoscaler.core.observations import TierChanged
from autoscaler.core.plans import find_plan, same_plan
from autoscaler.core.policy import Policy


@dataclass(frozen=True, slots=True)
class Spend:
    """USD in the UTC month of `now`."""

    so_far: float
    estimated: bool
    """Whether part of the month was before we looked, and is taken at the first plan that we saw."""
    month_left: float
    """The share of the month still to come, 0 to 1."""

    def with_target(self, monthly: float) -> float:
        """What the month comes to if a tier of that monthly price runs from now on."""
        return self.so_far + monthly * self.month_left


def month_bounds(now: int) -> tuple[int, int]:
    """First and last instant (exclusive) of the UTC month of `now`, ms."""
    moment = datetime.fromtimestamp(now / 1000, UTC)
    begin = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
    return round(begin.timestamp() * 1000), round(end.timestamp() * 1000)


def monthly_price(policy: Policy, change: TierChanged) -> float:
    """USD a month of what ran: by the tier's own price, else by the plan's; an unknown plan counts nothing."""
    tier = policy.tier(change.tier) if change.tier else None
    plan = find_plan(change.plan)
    price = plan.price if plan else 0.0
    if tier is not None and tier.price is not None and same_plan(tier.plan, change.plan):  # else it was edited since
        price = tier.price
    return price * change.instances


def spend(policy: Policy, tenancy: Sequence[TierChanged], now: int) -> Spend:
    """What this month has cost so far. `tenancy`: every tier change ever seen, oldest first."""
    begin, end = month_bounds(now)
    left = (end - now) / (end - begin)
    if not tenancy:
        return Spend(0.0, estimated=True, month_left=left)
    total = 0.0
    for change, later in zip(tenancy, (*tenancy[1:], None), strict=True):
        begun = begin if change is tenancy[0] else max(begin, change.at)
        until = min(now, later.at) if later else now
        total += monthly_price(policy, change) * max(0, until - begun) / (end - begin)
    return Spend(total, estimated=tenancy[0].at > begin, month_left=left)
