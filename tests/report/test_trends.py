"""A metric's way over a window: buckets and their picture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.conditions import parse_condition
from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.observations import Miss, Missed, Reading, Signal
from autoscaler.report.trends import COLUMNS, Trend, span, sparkline, trend
from tests.support.stories import MB, NOW

EVERY = 30_000


def readings(length: int, every: int = EVERY, **more):
    """One each `every` ms until now; `more` are functions of how long ago it was."""
    return [Reading(NOW - ago, **{name: make(ago) for name, make in more.items()}) for ago in range(length, -1, -every)]


def values(sentence, observations):
    return trend(parse_condition(sentence), observations, NOW, EVERY).values


def test_a_gauge_s_bucket_is_its_mean():
    seen = readings(HOUR, gauges=lambda ago: {"memory_usage": (100 if ago >= 30 * MINUTE else 300) * MB})
    assert values("memory_usage > 400MB for 1h", seen) == pytest.approx([100 * MB] * 6 + [300 * MB] * 6, rel=0.2)


def test_a_ratio_s_bucket_is_pooled_and_empty_without_requests():
    def increases(ago):
        if ago < 30 * MINUTE:
            return {"requests": 0.0, "response_seconds": 0.0}
        return (
            {"requests": 10.0, "response_seconds": 20.0}
            if ago % MINUTE
            else {"requests": 30.0, "response_seconds": 0.0}
        )

    seen = readings(HOUR, gauges=lambda ago: {}, increases=increases)
    found = values("avg_response_time > 8s for 1h", seen)
    assert found[1] == pytest.approx(0.5), "20 s over 40 requests, not the mean of 2 s and 0 s"
    assert found[-5:] == (None,) * 5


def test_what_was_not_seen_is_a_gap_and_what_was_not_counted_is_nothing():
    seen = [*readings(12 * HOUR, 10 * MINUTE, gauges=lambda ago: {}), Signal(NOW - HOUR, "complaints", 2)]
    assert values("complaints >= 3 within 24h", seen) == (*[None] * 6, *[0.0] * 5, 2.0)


def test_polls_that_timed_out_are_counted():
    seen = [Missed(NOW - 2 * MINUTE, Miss.TIMED_OUT), Missed(NOW - MINUTE, Miss.REFUSED)]
    assert sum(one or 0 for one in values("poll_timeouts >= 3 within 10m", seen)) == 1
    assert [one for one in values("unreachable for 10m", seen) if one is not None] == [1.0, 1.0]


def test_a_business_value_holds_until_it_is_replaced_over_a_week():
    seen = [Signal(NOW - 5 * DAY, "monthly_revenue", 40), Signal(NOW - HOUR, "monthly_revenue", 62)]
    assert values("monthly_revenue >= 50", seen) == (*[None] * 3, *[40] * 8, 62)


def test_no_bucket_is_finer_than_a_poll():
    assert span(parse_condition("memory_percent > 95% for 2m"), EVERY) == COLUMNS * EVERY
    assert span(parse_condition("memory_usage < 200MB for 48h"), EVERY) == 48 * HOUR


def test_the_picture_is_as_high_as_the_value_is_near_its_bound_and_a_gap_is_seen():
    assert sparkline(Trend(HOUR, (0.0, 1.0, 4.0, None, 8.0), 8.0)) == "▁▂▅·█"
    assert sparkline(Trend(HOUR, (4.0, 16.0), 8.0)) == "▃█"
    assert sparkline(Trend(HOUR, (0.0, None, 8.0), 8.0), ascii_only=True) == "_ #"


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1e18))).map(tuple),
    st.floats(0, 1e15),
    st.booleans(),
)
def test_any_trend_can_be_drawn_with_one_character_a_bucket(buckets, bound, ascii_only):
    picture = sparkline(Trend(HOUR, buckets, bound), ascii_only=ascii_only)
    assert len(picture) == len(buckets)
    assert not ascii_only or picture.isascii()
