"""Months, break-even users, and what moving on the ladder saved."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.durations import DAY
from autoscaler.core.money import spend
from autoscaler.core.observations import TierChanged
from autoscaler.core.savings import billed, break_even, period, this_and_last_month
from autoscaler.policyfile import load_text
from tests.support.checkout import ROOT
from tests.support.policy_texts import SOUND

SEED = ROOT.parent / "shared" / "seed" / "holisticos-scaling-plan.md"
POLICY = load_text(SOUND, "p.yaml").policy
SMALL, LARGE = POLICY.tiers


def at(month: int, day: int, hour: int = 0) -> int:
    return int(datetime(2026, month, day, hour, tzinfo=UTC).timestamp() * 1000)


def ran(moment: int, tier) -> TierChanged:
    return TierChanged(moment, tier.name, tier.plan, tier.instances)


@pytest.mark.parametrize(
    ("monthly", "per_user", "users"), ((7, 5, 2), (25, 5, 5), (21, 0.7, 30), (7, 7, 1), (25, 0, None), (7, 1e9, 1))
)
def test_break_even_is_the_price_by_what_a_user_brings_rounded_up(monthly, per_user, users):
    assert break_even(monthly, per_user) == users


@pytest.mark.skipif(not SEED.exists(), reason="the seed's plan is not beside this checkout")
def test_it_agrees_with_the_seed_where_the_seed_reckons_and_is_never_above_its_ranges():
    """Its ROI block is price by revenue at the lower rate ($5): 2 and 5. Its other numbers leave room for other costs."""
    text = SEED.read_text(encoding="utf-8")
    rate = float(re.search(r"Monthly Revenue per User: \$(\d+)-\d+", text)[1])
    prices = [float(re.search(rf"{name} Costs: \$(\d+)/month", text)[1]) for name in ("MVP", "Scaled")]
    roi = [int(re.search(rf"Break-even {name}: (\d+)-\d+ paying users", text)[1]) for name in ("MVP", "Scaled")]
    at_one = [int(least) for least in re.findall(r"Break-even\*\*: (\d+)-\d+ paying users at \$1/month", text)]
    assert prices == [SMALL.monthly, LARGE.monthly]
    assert [break_even(price, rate) for price in prices] == roi == [2, 5]
    assert at_one == [10, 50]
    assert all(break_even(price, 1) <= least for price, least in zip(prices, at_one, strict=True))


def test_a_month_s_price_is_spread_over_the_seconds_of_that_month():
    assert billed(28, at(2, 1), at(2, 2)) == pytest.approx(1)
    assert billed(31, at(1, 31), at(2, 2)) == pytest.approx(1 + 31 / 28)
    assert billed(25, at(3, 2), at(3, 1)) == 0


def test_what_ran_is_paid_and_compared_with_never_and_always():
    tenancy = [ran(at(4, 1), SMALL), ran(at(4, 11), LARGE), ran(at(4, 21), SMALL)]
    month = period(POLICY, tenancy, at(4, 1), at(5, 1))
    assert month.spent == pytest.approx(7 * 2 / 3 + 25 / 3)
    assert (month.smallest, month.largest) == pytest.approx((7, 25))
    assert not month.estimated


def test_time_before_the_first_look_is_taken_at_the_first_plan_and_marked():
    this, last = this_and_last_month(POLICY, [ran(at(4, 11), LARGE)], at(4, 16))
    assert (this.unseen, last.unseen) == (10 * DAY, last.end - last.begin)
    assert this.estimated
    assert this.spent == pytest.approx(25 / 2)


def test_a_plan_of_unknown_price_counts_nothing_and_is_marked():
    tenancy = [ran(at(4, 1), SMALL), TierChanged(at(4, 2), None, "custom_xl", 1)]
    month = period(POLICY, tenancy, at(4, 1), at(4, 5))
    assert month.unpriced == 3 * DAY
    assert month.estimated
    assert month.spent == pytest.approx(7 / 30)


def test_nothing_seen_is_nothing_spent():
    assert period(POLICY, [], at(4, 1), at(5, 1)).spent == 0


MOMENTS = st.integers(at(1, 1), at(12, 31))


@given(st.lists(st.tuples(MOMENTS, st.sampled_from([SMALL, LARGE])), min_size=1, max_size=6), MOMENTS)
def test_it_lies_between_never_and_always_agrees_with_the_budget_s_spend_and_adds_up(moves, now):
    tenancy = [ran(moment, tier) for moment, tier in sorted(moves, key=lambda move: move[0]) if moment <= now]
    this, last = this_and_last_month(POLICY, tenancy, now)
    if tenancy:
        assert this.spent == pytest.approx(spend(POLICY, tenancy, now).so_far)
        assert this.smallest - 1e-6 <= this.spent <= this.largest + 1e-6
        both = period(POLICY, tenancy, last.begin, now)
        assert both.spent == pytest.approx(last.spent + this.spent)
