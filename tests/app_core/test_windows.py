import math
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_core.histogram import BIN_BOUNDS, BIN_GROWTH, quantile
from app_core.ledger import HISTOGRAM, WINDOWS, Ledger
from app_core.tracker import Tracker
from app_core.view import Member, View
from tests.support.asgi import WINDOW, Clock
from tests.support.counted import begin, count

QUARTERS = st.integers(0, 80).map(lambda quarters: quarters / 4)
IDLE = st.one_of(st.integers(0, 4000).map(lambda quarters: quarters / 4), st.sampled_from((0.0, 9.75, 10.0, 11.0)))
# A machine that has just been started, one of which nobody knows, one that is up for ten years.
STARTS = st.one_of(st.sampled_from((0.0, 0.75, 9.0, 59.75, 899.5, 1200.0, 315_360_000.25)), QUARTERS)
# Each step waits (seconds), then a request finishes that took so long (seconds), well or not, in one of three processes, after
# so long in the proxy's queue. Quarters fall on the bounds of slices.
STEPS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 8).map(lambda quarters: quarters / 4), st.sampled_from((5.0, 60.0, 299.75, 1000.0))),
        st.floats(0, 700, allow_nan=False),
        st.booleans(),
        st.integers(0, 2),
        st.one_of(st.none(), st.floats(0, 3600)),
    ),
    max_size=60,
)


def play(steps, clock, trackers):
    """Count the requests; gives those that finished (when, how long, error) and those that were queued (when, how long)."""
    finished, queued = [], []
    for wait, took, error, process, waited in steps:
        clock.advance(wait)
        tracker = trackers[process % len(trackers)]
        exchange = begin(tracker)
        exchange.started -= took
        if waited is not None:
            tracker.queued(waited)
            queued.append((clock.now, waited))
        exchange.finish(error=error)
        finished.append((clock.now, took, error))
    return finished, queued


def seen_by(asked, trackers):
    return View([Member(tracker.ledger, alive=True) for tracker in trackers], int(asked.now()))


def nearest_rank(values, share):
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


def equals_plain_statistics(seen, times, shares, *, exact=True):
    """`exact` says whether the longest is known exactly, as it is of the process that is asked."""
    values = [getattr(seen, f"p{round(share * 100)}") for share in shares]
    if not times:
        assert (seen.mean, *values, seen.max) == (None,) * (len(values) + 2)
        return
    assert seen.mean == pytest.approx(sum(times) / len(times), abs=1e-6)
    assert seen.max <= max(times) * (1 + 1e-6) + 1e-6
    least = max(times) if exact else min(max(times) / BIN_GROWTH, BIN_BOUNDS[-1]) - 0.001
    assert seen.max >= least * (1 - 1e-6) - 1e-6
    for share, value in zip(shares, values, strict=True):
        right = nearest_rank(times, share)
        if right > BIN_BOUNDS[-1]:
            assert value == seen.max
        else:  # both lie in the same bin, which is a tenth wide, or a millisecond
            assert value <= max(right * BIN_GROWTH, 0.001) + 1e-6
            assert value >= min(right / BIN_GROWTH, right - 0.001) - 1e-6


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, idle=IDLE, start=STARTS)
def test_every_window_equals_a_plain_recomputation(steps, idle, start):
    clock = Clock(start)
    tracker = Tracker(clock)
    finished, queued = play(steps, clock, [tracker])
    clock.advance(idle)

    view = tracker.view()
    assert (view.requests, view.errors) == (len(finished), sum(error for _, _, error in finished))
    for window in WINDOWS:
        oldest = window.oldest(int(clock.now))
        seen = view.statistics(window)
        inside = [(took, error) for at, took, error in finished if at // window.slice_seconds >= oldest]
        assert (seen.requests, seen.errors) == (len(inside), sum(error for _, error in inside))
        equals_plain_statistics(seen, [took for took, _ in inside], (0.5, 0.95, 0.99))
        waits = view.queue_statistics(window)
        times = [waited for at, waited in queued if at // window.slice_seconds >= oldest]
        assert waits.measured == len(times)
        equals_plain_statistics(waits, times, (0.95,))


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, idle=IDLE, start=STARTS, late=st.integers(0, 2))
def test_several_processes_are_added_up_also_when_some_have_not_looked_at_the_clock_for_long(steps, idle, start, late):
    clock = Clock(start)
    first = Tracker(clock)
    clock.advance(late)
    trackers = [first, Tracker(clock), Tracker(clock)]
    finished, queued = play(steps, clock, trackers)
    clock.advance(idle)

    view = seen_by(first, trackers)
    for window in WINDOWS:
        oldest = window.oldest(int(clock.now))
        inside = [(took, error) for at, took, error in finished if at // window.slice_seconds >= oldest]
        seen = view.statistics(window)
        assert (seen.requests, seen.errors) == (len(inside), sum(error for _, error in inside))
        equals_plain_statistics(seen, [took for took, _ in inside], (0.5, 0.95, 0.99), exact=False)
        times = [waited for at, waited in queued if at // window.slice_seconds >= oldest]
        assert view.queue_statistics(window).measured == len(times)
        equals_plain_statistics(view.queue_statistics(window), times, (0.95,), exact=False)


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, start=STARTS, ahead=st.integers(1, 7))
def test_a_process_that_is_ahead_of_who_reads_it_never_counts_more_than_the_window(steps, start, ahead):
    clock = Clock(start)
    tracker = Tracker(clock)
    finished, queued = play(steps, clock, [tracker])
    second = int(clock.now)
    clock.advance(ahead)
    tracker.now()

    view = View([Member(tracker.ledger, alive=True)], second)
    for window in WINDOWS:
        counted = view.statistics(window).requests, view.queue_statistics(window).measured
        for number, events in zip(counted, (finished, queued), strict=True):
            slices = [event[0] // window.slice_seconds for event in events]
            most = sum(at >= window.oldest(second) for at in slices)
            assert sum(at >= window.oldest(second + ahead) for at in slices) <= number <= most


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(st.tuples(QUARTERS, st.sampled_from((-1, 1))), max_size=60),
    idle=st.one_of(QUARTERS, st.just(1000.0)),
    start=STARTS,
)
def test_the_peak_of_every_window_equals_a_plain_recomputation(steps, idle, start):
    clock = Clock(start)
    tracker = Tracker(clock)
    running = []
    levels = [(start, 0)]  # since when, how many
    for wait, step in steps:
        clock.advance(wait)
        if step > 0:
            running.append(begin(tracker))
        elif running:
            running.pop(0).finish(error=False)
        levels.append((clock.now, len(running)))
    clock.advance(idle)

    for window in WINDOWS:
        opened = max(float(start), window.oldest(int(clock.now)) * window.slice_seconds)
        # Closed at the window's opening: what runs when a slice begins ran in it, had it changed at that very instant or not.
        carried = [count for at, count in levels if at < opened][-1:] or [0]
        changes_at_opening = [count for at, count in levels if at == opened]
        inside = [count for at, count in levels if at > opened]
        expected = max(carried + changes_at_opening + inside)
        assert tracker.view().peak(window) == expected


@pytest.mark.parametrize("start", (0.0, 5.0, 100.0))
def test_what_retired_processes_counted_is_in_no_window_also_when_the_clock_is_young(start):
    """The monotonic clock begins near 0 where a small virtual machine has just been started."""
    clock = Clock(start)
    tracker = Tracker(clock)
    retired = Ledger()
    retired.put(HISTOGRAM, 7)
    view = View([Member(tracker.ledger, alive=True), Member(retired, alive=False)], int(tracker.now()))
    assert view.requests == 7
    assert [view.statistics(window).requests for window in WINDOWS] == [0] * 4


def test_a_response_that_another_process_has_just_finished_is_in_all_statistics_at_once():
    clock = Clock()
    asked, other = Tracker(clock), Tracker(clock)
    count(other, took=5)
    seen = seen_by(asked, [asked, other]).statistics(WINDOW["10s"])
    assert (seen.requests, seen.mean) == (1, 5)
    assert seen.max == pytest.approx(5, rel=0.1)
    assert seen.p95 == pytest.approx(5, rel=0.1)


def test_a_window_forgets_what_is_older_than_its_length_and_one_slice():
    clock = Clock()
    tracker = Tracker(clock)
    count(tracker)

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
            count(tracker, took=clock.now % 11, error=True)
            tracker.queued(clock.now % 13)
            tracker.view().statistics(WINDOW["15m"])

    requests(150)  # each slice of each window has been written
    tracemalloc.start()
    try:
        requests(50)
        before = tracemalloc.take_snapshot()
        requests(500)
        growth = tracemalloc.take_snapshot().compare_to(before, "filename")
    finally:
        tracemalloc.stop()
    # Two bytes a request: the smallest thing that could be kept of each has more.
    assert sum(each.size_diff for each in growth if "app_core/src" in each.traceback[0].filename) < 1000


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
    count(tracker, took=1.25)
    seen = tracker.view().statistics(WINDOW["1m"])
    assert (seen.p50, seen.p99, seen.max) == (1.25, 1.25, 1.25)


def test_requests_that_hang_are_in_every_slice_that_they_hung_through():
    clock = Clock()
    tracker = Tracker(clock)
    for _ in range(3):
        begin(tracker)
    clock.advance(65)
    assert tracker.view().peaks(WINDOW["1m"]) == [3] * 13
