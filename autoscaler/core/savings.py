"""What a ladder costs and what moving on it saved: months, break-even users, and the two ways of never moving.

Prices are USD a month, spread over the seconds of that month in UTC, as `core.money` does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from autoscaler.core.money import month_bounds, monthly_price
from autoscaler.core.observations import TierChanged
from autoscaler.core.plans import find_plan
from autoscaler.core.policy import Policy


@dataclass(frozen=True, slots=True)
class Period:
    """What a time cost. `begin` and `end` in ms UTC, money in USD."""

    begin: int
    end: int
    spent: float
    smallest: float
    """Had it been on the smallest tier all along: never scaled."""
    largest: float
    """Had it been on the largest tier all along."""
    unseen: int
    """How much of the time was before we first looked, ms; it is taken at the first plan that we saw."""
    unpriced: int
    """How much of the time ran on a plan whose price nobody knows, ms; it counts nothing."""

    @property
    def estimated(self) -> bool:
        """Whether part of it is a guess."""
        return self.unseen > 0 or self.unpriced > 0


def period(policy: Policy, tenancy: Sequence[TierChanged], begin: int, end: int) -> Period:
    """The cost of [begin, end). `tenancy`: every tier change ever seen, oldest first; empty, all of it is unseen and costs nothing."""
    spent, unpriced = 0.0, 0
    starts = [begin, *(max(begin, change.at) for change in tenancy[1:])]
    ends = [*(min(end, change.at) for change in tenancy[1:]), end]
    for change, since, until in zip(
        tenancy, starts, ends, strict=False
    ):  # with no tenancy there is one time without a change
        spent += billed(monthly_price(policy, change), since, until)
        if find_plan(change.plan) is None:
            unpriced += max(0, until - since)
    first = tenancy[0].at if tenancy else end
    return Period(
        begin=begin,
        end=end,
        spent=spent,
        smallest=billed(policy.tiers[0].monthly, begin, end),
        largest=billed(policy.tiers[-1].monthly, begin, end),
        unseen=max(0, min(first, end) - begin),
        unpriced=unpriced,
    )


def billed(monthly: float, begin: int, end: int) -> float:
    """What a monthly price comes to from `begin` to `end`; nothing when that is not later."""
    return sum(monthly * part / whole for part, whole in _months(begin, end))


def _months(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """How much of each month lies in between, and how long that month is, ms."""
    at = begin
    while at < end:
        first, next_first = month_bounds(at)
        yield min(end, next_first) - at, next_first - first
        at = next_first


def this_and_last_month(policy: Policy, tenancy: Sequence[TierChanged], now: int) -> tuple[Period, Period]:
    """This month until now, and the one before."""
    begin, _ = month_bounds(now)
    before, _ = month_bounds(begin - 1)
    return period(policy, tenancy, begin, now), period(policy, tenancy, before, begin)


def break_even(monthly: float, revenue_per_user: float) -> int | None:
    """How many paying users pay a tier: its price divided by what one brings a month, rounded up. None when one brings nothing."""
    if revenue_per_user <= 0:
        return None
    return ceil(round(monthly / revenue_per_user, 9))  # 21 / 0.7 is 30, whatever floats make of it
