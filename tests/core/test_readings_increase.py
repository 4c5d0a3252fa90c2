"""What counters rose by: resets, new processes, gaps, other instances."""

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.durations import MINUTE
from autoscaler.core.observations import Reading
from autoscaler.core.readings import increase
from tests.support.evidence import EVERY, START

LONGEST = 5 * MINUTE


def _report(
    at: int, counters: dict[str, float], instance: str | None = "a", started_at: int | None = START - 1
) -> Reading:
    return Reading(at, {}, timestamp=at, counters=counters, instance=instance, started_at=started_at)


def test_a_counter_rose_by_the_difference():
    before = _report(START, {"requests": 100.0, "errors": 3.0})
    now = _report(START + EVERY, {"requests": 130.0, "errors": 3.0})
    assert increase(now, before, longest=LONGEST) == {"seconds": 30.0, "requests": 30.0, "errors": 0.0}


def test_the_first_report_has_nothing_to_count_from():
    assert increase(_report(START, {"requests": 9.0}), None, longest=LONGEST) == {}


def test_after_a_long_gap_nobody_knows_when_it_rose():
    before, counters = _report(START, {"requests": 1.0}), {"requests": 9.0}
    assert increase(_report(START + LONGEST, counters), before, longest=LONGEST)["requests"] == 8.0
    assert increase(_report(START + LONGEST + 1, counters), before, longest=LONGEST) == {}


def test_time_that_stands_still_or_goes_back_gives_nothing():
    before = _report(START, {"requests": 1.0})
    assert increase(_report(START, {"requests": 2.0}), before, longest=LONGEST) == {}
    assert increase(_report(START - 1, {"requests": 2.0}), before, longest=LONGEST) == {}


def test_a_counter_that_fell_began_anew():
    before = _report(START, {"requests": 100.0})
    assert increase(_report(START + EVERY, {"requests": 7.0}), before, longest=LONGEST)["requests"] == 7.0


def test_a_new_process_counts_from_nothing_even_where_it_is_ahead_of_the_old_one():
    before = _report(START, {"requests": 100.0, "errors": 0.0})
    now = _report(START + EVERY, {"requests": 120.0, "errors": 6.0}, started_at=START + 1)
    assert increase(now, before, longest=LONGEST) == {"seconds": 30.0, "requests": 120.0, "errors": 6.0}


def test_when_one_counter_of_a_nameless_process_fell_all_of_them_began_anew():
    """The seed's endpoint does not say when it started. 4 errors since the restart, not 1 more than before it."""
    before = _report(START, {"requests": 1000.0, "errors": 3.0}, None, None)
    now = _report(START + EVERY, {"requests": 50.0, "errors": 4.0}, None, None)
    assert increase(now, before, longest=LONGEST) == {"seconds": 30.0, "requests": 50.0, "errors": 4.0}


def test_what_another_instance_counted_before_we_last_looked_is_not_of_this_time():
    """Two instances take turns to answer: what each has counted in its whole life rose long ago."""
    before = _report(START, {"requests": 100.0}, "a")
    now = _report(START + EVERY, {"requests": 90_000.0}, "b")
    assert increase(now, before, longest=LONGEST) == {"seconds": 30.0}


def test_what_another_instance_counted_is_unknown_where_it_does_not_say_when_it_began():
    before = _report(START, {"requests": 100.0}, "a", None)
    now = _report(START + EVERY, {"requests": 90_000.0}, "b", None)
    assert increase(now, before, longest=LONGEST) == {"seconds": 30.0}


def test_a_counter_that_was_not_there_before_gives_nothing():
    before = _report(START, {"requests": 100.0})
    assert "cache_hits" not in increase(_report(START + EVERY, {"cache_hits": 7.0}), before, longest=LONGEST)


COUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9).map(lambda one: one == 0)), min_size=2, max_size=60)


@given(COUNTS)
def test_over_any_number_of_restarts_the_increases_sum_up_to_what_happened(steps):
    """But for what a process did between the last look at it and its end."""
    total, happened, begun, before, summed = 0.0, 0.0, START - 1, None, 0.0
    for poll, (requests, restarts) in enumerate(steps):
        at = START + poll * EVERY
        if restarts:
            total, begun = 0.0, at - 1
        total += requests
        now = _report(at, {"requests": total}, started_at=begun)
        if before is not None:
            happened += requests
            summed += increase(now, before, longest=LONGEST)["requests"]
        before = now
    assert summed == happened
