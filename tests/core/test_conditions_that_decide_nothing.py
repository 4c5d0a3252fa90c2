"""Sentences that would hold whatever the app shows, or never."""

import pytest

from autoscaler.core.conditions import parse_condition


@pytest.mark.parametrize(
    "text",
    ("complaints >= 0 within 24h", "oom_kills >= 0 within 10m", "memory_usage >= 0MB for 30m", "monthly_revenue >= 0"),
)
def test_what_always_holds_is_refused(text):
    with pytest.raises(ValueError, match=r"always holds.* write '> 0'"):
        parse_condition(text)


def test_what_can_fail_to_hold_is_not():
    assert parse_condition("complaints > 0 within 24h").bound == 0
    assert parse_condition("complaints >= 1 within 24h").bound == 1
    assert parse_condition("memory_usage > 0MB for 30m").bound == 0


@pytest.mark.parametrize("text", ("p0(loop_lag over 5m) > 100ms", "p00(loop_lag over 5m) < 100ms"))
def test_a_percentile_of_nothing_is_refused(text):
    with pytest.raises(ValueError, match="unknown function 'p0"):
        parse_condition(text)
