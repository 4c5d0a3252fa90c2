import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_core.tracker import WINDOWS, Tracker
from app_core.windows import BIN_BOUNDS, BIN_GROWTH, quantile
from tests.support.asgi import Clock

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
    start = clock.now
    tracker = Tracker(clock)
    finished = []
    for wait, took, error in steps:
        clock.advance(wait)
        tracker.begin()
        tracker.end(clock.now - took, error)
        finished.append((clock.now - start, took, error))
    clock.advance(idle)

    for name, slice_seconds, slices in WINDOWS:
        oldest = (clock.now - start) // slice_seconds - slices
        inside = [(took, error) for at, took, error in finished if at // slice_seconds >= oldest]
        seen = tracker.statistics(name)
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
    levels = [(0.0, 0)]  # since when, how many
    for wait, step in steps:
        clock.advance(wait)
        if step < 0 and not level:
            continue
        if step > 0:
            tracker.begin()
        else:
            tracker.end(clock.now, error=False)
        level += step
        levels.append((clock.now - start, level))
    clock.advance(idle)
    now = clock.now - start

    for name, slice_seconds, slices in WINDOWS:
        opened = max(0.0, (now // slice_seconds - slices) * slice_seconds)
        # Closed at the window's opening: what runs when a slice begins ran in it, had it changed at that very instant or not.
        carried = [count for at, count in levels if at < opened][-1:] or [0]
        changes_at_opening = [count for at, count in levels if at == opened]
        inside = [count for at, count in levels if at > opened]
        expected = max(carried + changes_at_opening + inside)
        assert tracker.peak(name) == expected


def test_a_window_forgets_what_is_older_than_its_length_and_one_slice():
    clock = Clock()
    tracker = Tracker(clock)
    tracker.end(tracker.begin(), error=False)

    clock.advance(10)
    assert tracker.statistics("10s").requests == 1
    clock.advance(1)
    assert tracker.statistics("10s").requests == 0
    assert tracker.statistics("1m").requests == 1


def test_nothing_grows_with_the_number_of_requests_or_with_time():
    clock = Clock()
    tracker = Tracker(clock)

    def kept():
        return sum(
            len(window._starts) + len(window._longest) + len(window.peaks) for window in tracker.windows.values()
        )

    for _ in range(1000):
        clock.advance(7.3)
        tracker.end(tracker.begin(), error=False)
    full = kept()
    for _ in range(1000):
        clock.advance(7.3)
        tracker.end(tracker.begin(), error=False)
    assert kept() == full == 3 * sum(slices + 1 for _, _, slices in WINDOWS)


def test_a_quantile_is_spread_evenly_inside_its_bin():
    in_the_first, in_the_second = 10, 4
    cumulative = [in_the_first, *[in_the_first + in_the_second] * len(BIN_BOUNDS)]
    low, high = BIN_BOUNDS[:2]
    assert quantile(cumulative, 11 / 14, longest=1.0) == pytest.approx(low + (high - low) / 4)
    assert quantile(cumulative, 13 / 14, longest=1.0) == pytest.approx(low + (high - low) * 3 / 4)
    assert quantile(cumulative, 1 / 14, longest=1.0) == pytest.approx(low / 10)


def test_a_quantile_is_never_above_the_longest_response():
    clock = Clock()
    tracker = Tracker(clock)
    tracker.end(tracker.begin() - 1.25, error=False)
    seen = tracker.statistics("1m")
    assert (seen.p50, seen.p99, seen.max) == (1.25, 1.25, 1.25)


def test_requests_that_hang_are_in_every_slice_that_they_hung_through():
    clock = Clock()
    tracker = Tracker(clock)
    for _ in range(3):
        tracker.begin()
    clock.advance(65)
    assert tracker.peaks("1m") == [3] * 13
