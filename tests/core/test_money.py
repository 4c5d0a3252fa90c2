"""What a month has cost and will: by the second, in UTC."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.durations import DAY, HOUR
from autoscaler.core.money import Spend, month_bounds, monthly_price, spend
from autoscaler.core.observations import TierChanged
from autoscaler.policyfile import load_text
from tests.support.evidence import a_policy

POLICY = a_policy()


def _at(*moment: int) -> int:
    return round(datetime(*moment, tzinfo=UTC).timestamp() * 1000)


def _on(at: int, tier: str | None, plan: str = "", instances: int = 1) -> TierChanged:
    rung = POLICY.tier(tier) if tier else None
    return TierChanged(at, tier, plan or (rung.plan if rung else "nothing"), instances)


@pytest.mark.parametrize(
    ("year", "month", "days"),
    ((2026, 2, 28), (2028, 2, 29), (2100, 2, 28), (2026, 12, 31), (2026, 6, 30), (2027, 1, 31)),
)
def test_a_month_has_its_own_length(year, month, days):
    begin, end = month_bounds(_at(year, month, days, 23, 59, 59))
    assert begin == _at(year, month, 1)
    assert end - begin == days * DAY
    assert month_bounds(begin) == (begin, end)
    assert month_bounds(end)[0] == end
    assert month_bounds(end - 1) == (begin, end)


def test_a_month_on_one_tier_costs_its_price():
    now = _at(2026, 6, 16)
    found = spend(POLICY, [_on(_at(2026, 5, 3), "scaled")], now)
    assert found.so_far == pytest.approx(12.5)
    assert found.month_left == pytest.approx(0.5)
    assert not found.estimated
    assert found.with_target(85) == pytest.approx(12.5 + 42.5)


def test_each_tier_costs_for_as_long_as_it_ran():
    tenancy = [_on(_at(2026, 4, 1), "mvp"), _on(_at(2026, 6, 4), "scaled"), _on(_at(2026, 6, 10), "mvp")]
    assert spend(POLICY, tenancy, _at(2026, 6, 16)).so_far == pytest.approx((3 * 7 + 6 * 25 + 6 * 7) / 30)


def test_the_time_before_we_looked_is_taken_at_the_first_plan_and_marked():
    found = spend(POLICY, [_on(_at(2026, 6, 11), "scaled")], _at(2026, 6, 16))
    assert found == Spend(pytest.approx(12.5), estimated=True, month_left=pytest.approx(0.5))


def test_with_no_history_the_month_is_marked_as_guessed():
    assert spend(POLICY, [], _at(2026, 6, 16)) == Spend(0.0, estimated=True, month_left=0.5)


def test_a_plan_off_the_ladder_costs_its_own_price_and_an_unknown_one_nothing():
    assert monthly_price(POLICY, _on(0, None, "pro_max", 2)) == 450
    assert monthly_price(POLICY, _on(0, None, "legacy_huge")) == 0


def test_a_tiers_own_price_counts_instead_of_the_lists():
    text = """\
version: 1
service: {id: srv-abc123, health: {url: "https://app.example.com/h"}}
tiers:
  - {name: mvp, plan: starter, price: 5.50}
  - {name: wide, plan: starter, price: 5.50, instances: 2}
"""
    policy = load_text(text, "price.yaml").policy
    assert monthly_price(policy, TierChanged(0, "wide", "0.5c-512mb", 2)) == 11
    assert monthly_price(policy, TierChanged(0, "mvp", "starter", 1)) == 5.5
    assert monthly_price(policy, TierChanged(0, "mvp", "starter", 3)) == 16.5  # Render's autoscaling added two


def test_what_ran_is_paid_by_its_plan_though_the_tier_has_been_edited_since():
    assert monthly_price(POLICY, TierChanged(0, "scaled", "pro", 1)) == 85


LATER = st.lists(
    st.tuples(st.integers(1, 400), st.sampled_from(("mvp", "scaled", "large", None))), min_size=1, max_size=8
)


@given(changes=LATER, days=st.integers(0, 60))
def test_the_spend_is_the_sum_over_every_hour_of_the_month(changes, days):
    at, tenancy = _at(2027, 12, 1), []
    for hours, tier in changes:
        at += hours * HOUR
        tenancy.append(_on(at, tier))
    now = at + days * DAY
    begin, end = month_bounds(now)
    total = 0.0
    for hour in range(begin, now, HOUR):
        running = next((change for change in reversed(tenancy) if change.at <= hour), tenancy[0])
        total += monthly_price(POLICY, running) * HOUR / (end - begin)
    found = spend(POLICY, tenancy, now)
    assert found.so_far == pytest.approx(total)
    assert found.estimated == (tenancy[0].at > begin)
