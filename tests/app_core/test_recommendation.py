"""The seed's advice, computed over a quarter of an hour."""

import pytest

from app_core.profiles import ScalingConfig
from app_core.recommendation import recommend
from app_core.resources import Limits
from app_core.tracker import Tracker
from tests.support.asgi import Clock
from tests.support.counted import count, count_together

MIB = 1 << 20
SMALL = Limits(512 * MIB, 0.5)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tracker(clock):
    return Tracker(clock)


def advise(tracker, limits=SMALL, **environ):
    config = ScalingConfig.from_environment(limits.memory_bytes, environ)
    return recommend(tracker.view(), config, limits, tracker.clock() - tracker.started)


def test_a_process_younger_than_the_window_has_too_little_to_say(tracker, clock):
    for _ in range(899):
        clock.advance(1)
        count(tracker, took=20, error=True)
    advice = advise(tracker)
    assert advice["should_scale"] is False
    assert advice["reason"] == "Insufficient data"
    assert advice["metrics"]["avg_response_time"] == 20
    clock.advance(1)
    assert advise(tracker)["should_scale"] is True


def test_twenty_requests_are_the_least_that_a_mean_or_a_rate_rests_on(tracker, clock):
    clock.advance(1000)
    for _ in range(19):
        count(tracker, took=20, error=True)
    assert advise(tracker)["triggers"] == []
    count(tracker, took=20, error=True)
    assert advise(tracker)["triggers"] == ["High response time: 20.0s", "High error rate: 100.0%"]


@pytest.mark.parametrize(("together", "triggers"), ((10, []), (11, ["High concurrency: 11 users"])))
def test_concurrency_counts_when_it_is_consistent(tracker, clock, together, triggers):
    for _ in range(13):  # of the window's 16 slices
        clock.advance(60)
        count_together(tracker, together)
    clock.advance(180)
    assert advise(tracker)["triggers"] == triggers
    assert advise(tracker)["metrics"]["peak_concurrent"] == together


def test_one_burst_is_no_reason(tracker, clock):
    clock.advance(1000)
    count_together(tracker, 50)
    assert advise(tracker)["triggers"] == []
    assert advise(tracker)["metrics"]["peak_concurrent"] == 50


def test_the_bounds_grow_with_the_instance(tracker, clock):
    for _ in range(20):
        clock.advance(60)
        tracker.note_memory(600 * MIB)
        count_together(tracker, 20)
    assert advise(tracker)["triggers"] == ["High concurrency: 20 users", "High memory usage: 600MB"]
    assert advise(tracker, Limits(2048 * MIB, 1))["triggers"] == []
    assert advise(tracker, Limits(None, None), MAX_CONCURRENT="0")["triggers"] == [
        "High concurrency: 20 users",
        "High memory usage: 600MB",
    ]
