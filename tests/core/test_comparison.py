"""Before and after a change: which hours are compared, what is pooled, and when a difference is more than noise."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.attribution import Unhelped
from autoscaler.core.comparison import Used, Word, of_errors, of_share, of_time, of_timeouts, spans, used
from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.metrics import METRICS
from autoscaler.core.observations import Miss, Missed, Reading, TierChanged
from autoscaler.report.comparison import rows
from tests.support.evidence import EVERY, MB, START, Load, a_reading

CHANGE = "chg-1"
CREATED, LIVE = START, START + 3 * MINUTE
END = LIVE + DAY
SPAN = (START, START + HOUR)


def some(begin: int, end: int, step: int = 10 * MINUTE, **load: float) -> list[Reading]:
    """Reports between two times."""
    return [a_reading(at, Load(**load)) for at in range(begin, end, step)]


def moved(at: int, by: str | None = None) -> TierChanged:
    return TierChanged(at, "scaled", "standard", 1, by=by)


# Which hours ----------------------------------------------------------------------------------------------------------------


def test_a_day_of_watching_is_compared_with_the_day_before_the_change_began():
    seen = some(CREATED - 2 * DAY, END)
    assert spans(seen, CHANGE, CREATED, LIVE, END) == ((LIVE - DAY, CREATED), (LIVE, END))


def test_a_shorter_watch_is_compared_with_the_same_hours_of_the_day_before():
    seen = some(CREATED - 2 * DAY, LIVE + HOUR)
    before, after = spans(seen, CHANGE, CREATED, LIVE, LIVE + HOUR)
    assert before == (LIVE - DAY, LIVE - DAY + HOUR)
    assert after == (LIVE, LIVE + HOUR)


def test_a_longer_watch_is_compared_with_the_same_hours_some_days_before():
    seen = some(CREATED - 5 * DAY, LIVE + 30 * HOUR)
    before, _ = spans(seen, CHANGE, CREATED, LIVE, LIVE + 30 * HOUR)
    assert before == (LIVE - 2 * DAY, LIVE - 2 * DAY + 30 * HOUR)


def test_where_nothing_was_seen_then_it_is_the_time_just_before_the_change():
    seen = some(CREATED - 2 * HOUR, LIVE + HOUR)
    before, _ = spans(seen, CHANGE, CREATED, LIVE, LIVE + HOUR)
    assert before == (CREATED - HOUR, CREATED)


def test_another_tier_before_is_not_compared_with():
    seen = [*some(CREATED - 2 * DAY, END), moved(CREATED - 5 * HOUR, "chg-0")]
    before, _ = spans(seen, CHANGE, CREATED, LIVE, END)
    assert before == (CREATED - 5 * HOUR, CREATED)


def test_another_tier_after_ends_the_comparison():
    seen = [*some(CREATED - 2 * DAY, END), moved(LIVE + 7 * HOUR, "chg-2")]
    before, after = spans(seen, CHANGE, CREATED, LIVE, END)
    assert after == (LIVE, LIVE + 7 * HOUR)
    assert before == (LIVE - DAY, LIVE - DAY + 7 * HOUR)


def test_the_changes_own_move_ends_nothing():
    seen = [*some(CREATED - 2 * DAY, END), moved(LIVE + MINUTE, CHANGE)]
    assert spans(seen, CHANGE, CREATED, LIVE, END)[1] == (LIVE, END)


@given(
    moves=st.lists(st.tuples(st.integers(-2 * DAY, 2 * DAY), st.sampled_from((None, "chg-0", CHANGE)))),
    polls=st.lists(st.integers(-3 * DAY, 2 * DAY), max_size=20),
    watch=st.integers(MINUTE, 3 * DAY),
)
def test_both_spans_lie_on_their_own_side_and_within_one_tier(moves, polls, watch):
    seen = [moved(START + at, by) for at, by in moves]
    seen += [a_reading(START + at, Load()) for at in polls]
    (begin, until), (live_at, end) = spans(seen, CHANGE, CREATED, LIVE, LIVE + watch)
    assert until <= CREATED
    assert LIVE == live_at <= end <= LIVE + watch
    others = [START + at for at, by in moves if by != CHANGE]
    assert not [at for at in others if begin < at < until or live_at < at < end]


# What is pooled -------------------------------------------------------------------------------------------------------------


def test_ratios_are_ratios_of_sums_and_not_means_of_ratios():
    readings = [
        a_reading(START, Load(requests=90, seconds=1.0, errors=0)),
        a_reading(START + MINUTE, Load(requests=10, seconds=11.0, errors=5)),
    ]
    told = used(readings, SPAN)
    assert (told.requests, told.response_time, told.error_rate) == (100, 2.0, 5.0)
    assert told.requests_per_minute == 100


def test_an_endpoint_that_gives_only_averages_has_them_averaged():
    readings = [Reading(START + at, {"avg_response_time": 1.0 + at, "error_rate": 2.0}) for at in range(3)]
    told = used(readings, SPAN)
    assert (told.response_time, told.error_rate, told.requests_per_minute) == (2.0, 2.0, None)
    assert dict(rows(told, told))["Mean response time"] == "2s → 2s"


def test_memory_is_told_at_its_peak_and_on_average_also_as_a_share():
    readings = [a_reading(START + at * MINUTE, Load(memory=size * MB)) for at, size in enumerate((128, 256, 384))]
    told = used(readings, SPAN)
    assert (told.memory_peak, told.memory_mean) == (384 * MB, 256 * MB)
    assert (told.memory_peak_share, told.memory_mean_share) == (75.0, 50.0)


def test_polls_that_timed_out_are_counted_among_all_polls_and_other_misses_are_not():
    seen = [
        *some(START, START + 30 * MINUTE),
        Missed(START + MINUTE, Miss.TIMED_OUT, "", 10_000),
        Missed(START + 2 * MINUTE, Miss.REFUSED, ""),
    ]
    told = used(seen, SPAN)
    assert (told.timeouts, told.polls) == (1, 5)


def test_the_span_is_half_open():
    assert used(some(START, START + 2 * HOUR), SPAN).polls == 6
    assert used(some(START - HOUR, START), SPAN) == Used()


# More than noise ------------------------------------------------------------------------------------------------------------

PROVEN = Used(polls=1000, requests=10_000, errors=500, response_time=1.0, error_rate=5.0)


@pytest.mark.parametrize(
    ("seconds", "word"),
    ((0.5, Word.BETTER), (0.89, Word.BETTER), (0.91, Word.SAME), (1.1, Word.SAME), (1.2, Word.WORSE)),
)
def test_a_tenth_of_the_response_time_is_noise(seconds, word):
    assert of_time(PROVEN, replace(PROVEN, response_time=seconds)) is word


@pytest.mark.parametrize("few", ({"requests": 99}, {"response_time": None}))
def test_too_few_requests_on_either_side_say_nothing(few):
    poor = replace(PROVEN, **few)
    assert of_time(PROVEN, poor) is None
    assert of_time(poor, PROVEN) is None
    assert of_errors(PROVEN, replace(PROVEN, requests=99)) is None


@pytest.mark.parametrize(
    ("errors", "requests", "word"),
    (
        (10, 200, Word.SAME),
        (5, 200, Word.SAME),
        (2, 200, Word.BETTER),
        (30, 200, Word.WORSE),
        (0, 10_000, Word.BETTER),
        (480, 10_000, Word.SAME),
    ),
)
def test_an_error_rate_differs_by_more_than_two_standard_errors(errors, requests, word):
    after = replace(PROVEN, errors=errors, requests=requests, error_rate=errors / requests * 100)
    assert of_errors(PROVEN, after) is word


def test_no_errors_on_both_sides_are_the_same():
    none = replace(PROVEN, errors=0, error_rate=0.0)
    assert of_errors(none, none) is Word.SAME


@pytest.mark.parametrize(("timeouts", "word"), ((0, Word.BETTER), (9, Word.SAME), (40, Word.WORSE)))
def test_polls_that_timed_out_differ_likewise(timeouts, word):
    assert of_timeouts(replace(PROVEN, timeouts=12), replace(PROVEN, timeouts=timeouts)) is word


@pytest.mark.parametrize(
    ("before", "after", "word"),
    ((80, 40, Word.MORE_ROOM), (20, 60, Word.LESS_ROOM), (2, 6, Word.SAME), (80, 74, Word.SAME), (None, 50, None)),
)
def test_a_share_of_the_plan_is_room_and_neither_good_nor_bad(before, after, word):
    assert of_share(before, after) is word


counts = st.integers(1, 10**6).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@given(counts, counts)
def test_turned_round_better_is_worse(before, after):
    def side(pair):
        return Used(timeouts=pair[0], polls=pair[1])

    turned = {Word.BETTER: Word.WORSE, Word.WORSE: Word.BETTER, Word.SAME: Word.SAME}
    assert of_timeouts(side(after), side(before)) is turned[of_timeouts(side(before), side(after))]


# In words -------------------------------------------------------------------------------------------------------------------


def a_day(begin: int, **load: float) -> Used:
    return used(some(begin, begin + DAY, step=EVERY, **load), (begin, begin + DAY))


def test_the_table_reads_as_a_tired_engineer_would_want_it():
    before = replace(a_day(START - DAY, requests=6, seconds=9.4, memory=410 * MB), cpu=91.0, timeouts=300)
    after = replace(a_day(LIVE, requests=7, seconds=2.1, memory=460 * MB, memory_percent=22.5), cpu=40.0)
    assert rows(before, after) == (
        ("Compared", "1d before the change with 1d since"),
        ("Requests a minute", "12 → 14"),
        ("Mean response time", "9.4s → 2.1s, better"),
        ("Error rate", "0% → 0%, same"),
        ("Memory at most", "410 MB (80%) → 460 MB (22%), more room"),
        ("Memory on average", "410 MB (80%) → 460 MB (22%), more room"),
        ("CPU on average", "91% → 40%, more room"),
        ("Polls timed out", "300 → 0, better"),
    )


def test_what_one_side_did_not_tell_is_left_out():
    bare = Used(since=START, until=START + HOUR, polls=60)
    full = replace(PROVEN, since=START, until=START + HOUR)
    assert rows(bare, full) == (
        ("Compared", "1h before the change with 1h since"),
        ("Polls timed out", "0 → 0, same"),
    )


def test_an_upgrade_that_did_not_help_is_not_praised_for_what_it_did_not_help():
    unhelped = Unhelped(METRICS["avg_response_time"], 9.0, 8.5, END)
    told = dict(rows(PROVEN, replace(PROVEN, response_time=0.8), (unhelped,)))
    assert told["Did not help"] == "avg_response_time was 9s before the last upgrade and 8.5s after it"
    assert told["Mean response time"] == "1s → 800ms"
    assert told["Error rate"] == "5% → 5%, same"
