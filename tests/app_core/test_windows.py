import math
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_core.histogram import BIN_BOUNDS, BIN_GROWTH, quantile
from app_core.ledger import WINDOWS
from app_core.tracker import Tracker
from tests.support.asgi import WINDOW, Clock

QUARTERS = st.integers(0, 80).map(lambda quarters: quarters / 4)
# Each step waits (seconds), then a request that took so long (seconds) finishes, well or not. Quarters fall on the bounds of slices.
STEPS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 8).map(lambda quarters: quarters / 4), st.sampled_from((5.0, 60.0, 299.75, 1000.0))),
        st.floats(0, 700, allow_nan=False),
        st.booleans(),
    ),
    max_size=60,
)


def nearest_rank(values, share):
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, idle=st.integers(0, 4000).map(lambda quarters: quarters / 4))
def test_every_window_equals_a_plain_recomputation(steps, idle):
    clock = Clock()
    tracker = Tracker(clock)
    finished = []
    for wait, took, error in steps:
        clock.advance(wait)
        tracker.begin()
        tracker.end(clock.now - took, error)
        finished.append((clock.now, took, error))
    clock.advance(idle)

    for window in WINDOWS:
        oldest = clock.now // window.slice_seconds - window.slices
        inside = [(took, error) for at, took, error in finished if at // window.slice_seconds >= oldest]
        seen = tracker.view().statistics(window)
        times = [took for took, _ in inside]
        assert seen.requests == len(inside)
        assert seen.errors == sum(error for _, error in inside)
        if not times:
            assert (seen.mean, seen.p50, seen.p95, seen.p99, seen.max) == (None,) * 5
            continue
        assert seen.mean == pytest.approx(sum(times) / len(times), abs=1e-6)
        assert seen.max == pytest.approx(max(times))
        for share, value in ((0.5, seen.p50), (0.95, seen.p95), (0.99, seen.p99)):
            exact = nearest_rank(times, share)
            if exact > BIN_BOUNDS[-1]:
                assert value == seen.max
            else:  # both lie in the same bin, which is a tenth wide, or a millisecond
                assert value <= max(exact * BIN_GROWTH, 0.001) + 1e-9
                assert value >= min(exact / BIN_GROWTH, exact - 0.001) - 1e-9


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(st.tuples(QUARTERS, st.sampled_from((-1, 1))), max_size=60),
    idle=st.one_of(QUARTERS, st.just(1000.0)),
)
def test_the_peak_of_every_window_equals_a_plain_recomputation(steps, idle):
    clock = Clock()
    start = clock.now
    tracker = Tracker(clock)
    level = 0
    levels = [(start, 0)]  # since when, how many
    for wait, step in steps:
        clock.advance(wait)
        if step < 0 and not level:
            continue
        if step > 0:
            tracker.begin()
        else:
            tracker.end(clock.now, error=False)
        level += step
        levels.append((clock.now, level))
    clock.advance(idle)

    for window in WINDOWS:
        opened = max(float(start), window.oldest(int(clock.now)) * window.slice_seconds)
        # Closed at the window's opening: what runs when a slice begins ran in it, had it changed at that very instant or not.
        carried = [count for at, count in levels if at < opened][-1:] or [0]
        changes_at_opening = [count for at, count in levels if at == opened]
        inside = [count for at, count in levels if at > opened]
        expected = max(carried + changes_at_opening + inside)
        assert tracker.view().peak(window) == expected


def test_a_window_forgets_what_is_older_than_its_length_and_one_slice():
    clock = Clock()
    tracker = Tracker(clock)
    tracker.end(tracker.begin(), error=False)

    clock.advance(10)
    assert tracker.view().statistics(WINDOW["10s"]).requests == 1
    clock.advance(1)
    assert tracker.view().statistics(WINDOW["10s"]).requests == 0
    assert tracker.view().statistics(WINDOW["1m"]).requests == 1


def test_nothing_grows_with_the_number_of_requests_or_with_time():
    clock = Clock()
    tracker = Tracker(clock)

    def requests(number):
        for _ in range(number):
            clock.advance(7.3)
            tracker.end(tracker.begin(), error=False)

    requests(1000)
    tracemalloc.start()
    try:
        requests(100)
        before = tracemalloc.take_snapshot()
        requests(5000)
        growth = tracemalloc.take_snapshot().compare_to(before, "filename")
    finally:
        tracemalloc.stop()
    assert sum(each.size_diff for each in growth if "app_core" in each.traceback[0].filename) < 1000


def test_a_quantile_is_spread_evenly_inside_its_bin():
    in_the_first, in_the_second = 10, 4
    counted = [in_the_first, in_the_first + in_the_second]
    for first in (0, 5):
        low, high = BIN_BOUNDS[first : first + 2]
        assert quantile(11 / 14, counted, first, longest=1.0) == pytest.approx(low + (high - low) / 4)
        assert quantile(13 / 14, counted, first, longest=1.0) == pytest.approx(low + (high - low) * 3 / 4)
    assert quantile(1 / 14, counted, 0, longest=1.0) == pytest.approx(BIN_BOUNDS[0] / 10)


def test_a_quantile_is_never_above_the_longest_response():
    clock = Clock()
    tracker = Tracker(clock)
    tracker.end(tracker.begin() - 1.25, error=False)
    seen = tracker.view().statistics(WINDOW["1m"])
    assert (seen.p50, seen.p99, seen.max) == (1.25, 1.25, 1.25)


def test_requests_that_hang_are_in_every_slice_that_they_hung_through():
    clock = Clock()
    tracker = Tracker(clock)
    for _ in range(3):
        tracker.begin()
    clock.advance(65)
    assert tracker.view().peaks(WINDOW["1m"]) == [3] * 13
