"""Values read as people write them."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.durations import DAY, HOUR, MINUTE, SECOND
from autoscaler.core.metrics import METRICS
from autoscaler.core.values import format_value
from autoscaler.report.units import bar, format_moment, format_relative, format_time, monthly_step
from tests.support.stories import MB, NOW


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    (
        ("avg_response_time", 8.2, "8.2s"),
        ("avg_response_time", 0.4204, "420ms"),
        ("avg_response_time", 119.0, "119s"),
        ("avg_response_time", 150.0, "2.5min"),
        ("memory_usage", 412.0 * MB, "412 MB"),
        ("memory_usage", 1536 * MB, "1.5 GB"),
        ("memory_usage", 0.0, "0 KB"),
        ("error_rate", 5.31, "5.31%"),
        ("error_rate", 100.0, "100%"),
        ("concurrent_requests", 12.0, "12"),
        ("concurrent_requests", 999.6, "1000"),
        ("request_rate", 3.25, "3.25/s"),
        ("monthly_revenue", 62.5, "$62.50"),
        ("monthly_revenue", 50.0, "$50"),
    ),
)
def test_a_value_is_shown_in_the_unit_that_suits_its_size(metric, value, text):
    assert format_value(METRICS[metric], value) == text


@given(st.sampled_from(list(METRICS.values())), st.floats(allow_nan=True, allow_infinity=True))
def test_no_number_is_too_odd_to_be_shown(metric, value):
    assert format_value(metric, value)


def test_what_a_change_costs_is_shown_as_before_after_and_difference():
    assert monthly_step(7, 25) == "$7/mo → $25/mo (+$18/mo)"
    assert monthly_step(25, 7) == "$25/mo → $7/mo (-$18/mo)"
    assert monthly_step(12.5, 13.25) == "$12.50/mo → $13.25/mo (+$0.75/mo)"
    assert monthly_step(25, 25) == "$25/mo, unchanged"


def test_a_time_names_its_day_only_when_it_is_another_one():
    assert format_time(NOW + 17 * MINUTE, NOW) == "14:20 UTC"
    assert format_time(NOW - DAY, NOW) == "Mon 14:03 UTC"
    assert format_time(NOW - 30 * DAY, NOW) == "6 Sep 14:03 UTC"
    assert format_time(NOW - 365 * DAY, NOW) == "6 Oct 2025 14:03 UTC"


def test_a_distance_in_time_has_one_unit():
    assert format_relative(NOW + 12 * MINUTE + 30 * SECOND, NOW) == "in 12m"
    assert format_relative(NOW - 3 * HOUR - 59 * MINUTE, NOW) == "3h ago"
    assert format_relative(NOW - 2_400, NOW) == "2s ago"
    assert format_relative(NOW, NOW) == "now"
    assert format_relative(NOW + 999, NOW) == "now"


@pytest.mark.parametrize(
    ("share", "unicode", "plain"),
    (
        (0.0, "░░░░░ 0%", "----- 0%"),
        (0.6, "▓▓▓░░ 60%", "###-- 60%"),
        (0.999, "▓▓▓▓░ 99%", "####- 99%"),
        (1.0, "▓▓▓▓▓ 100%", "##### 100%"),
        (1.7, "▓▓▓▓▓ 100%", "##### 100%"),
    ),
)
def test_a_bar_is_full_only_when_it_is_full(share, unicode, plain):
    assert bar(share) == unicode
    assert bar(share, ascii_only=True) == plain


@pytest.mark.parametrize(
    ("zone", "ahead", "text"),
    (
        ("Europe/Berlin", 17 * MINUTE, "in 17m, 16:20 CEST (14:20 UTC)"),
        ("Europe/Berlin", 9 * HOUR, "in 9h, Wed 01:03 CEST (23:03 UTC)"),
        ("Europe/Berlin", 25 * DAY, "in 25d, Sat 15:03 CET (31 Oct 14:03 UTC)"),
        ("UTC", 17 * MINUTE, "in 17m, 14:20 UTC"),
        ("Asia/Kathmandu", 0, "now, 19:48 +0545 (14:03 UTC)"),
    ),
)
def test_a_moment_is_told_by_the_reader_s_own_clock_and_in_utc(zone, ahead, text):
    at = NOW + ahead
    assert format_moment(at, NOW, datetime.fromtimestamp(at / 1000, ZoneInfo(zone))) == text
