"""`for`: held all along, or by a share of the samples, each beside a plain recomputation."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.durations import HOUR, MINUTE
from tests.support.evidence import EVERY, START
from tests.support.oracle import longest_gap, lost, prometheus_for, share_of_closed_window
from tests.support.windows import Held

WINDOWS = st.integers(1, 30).map(lambda polls: polls * EVERY)
GOODS = st.lists(st.booleans() | st.just(value=True), min_size=1, max_size=120)


@given(goods=GOODS, window=WINDOWS, upward=st.booleans())
def test_held_all_along_is_what_prometheus_calls_for(goods, window, upward):
    samples = [(START + poll * EVERY, good) for poll, good in enumerate(goods)]
    held = Held(window, EVERY, 1.0, upward)
    found = []
    for at, good in samples:
        held.add(at, good=good)
        found.append(held.holds(at))
    assert found == prometheus_for(samples, window)


@given(
    goods=GOODS,
    window=WINDOWS,
    share=st.integers(50, 99).map(lambda percent: percent / 100),
    upward=st.booleans(),
)
def test_a_share_of_the_samples_is_counted_over_the_closed_window(goods, window, share, upward):
    held = Held(window, EVERY, share, upward)
    samples = []
    for poll, good in enumerate(goods):
        at = START + poll * EVERY
        samples.append((at, good))
        held.add(at, good=good)
        assert held.holds(at) == share_of_closed_window(samples, window, share)


@given(
    offsets=st.lists(
        st.tuples(st.integers(-4_000, 4_000), st.booleans() | st.just(value=True)), min_size=2, max_size=120
    ),
    window=WINDOWS,
)
def test_polls_a_few_seconds_early_or_late_are_no_gap(offsets, window):
    samples = [(START + poll * EVERY + offset, good) for poll, (offset, good) in enumerate(offsets)]
    held = Held(window, EVERY, 1.0, upward=False)
    for (at, good), expected in zip(samples, prometheus_for(samples, window), strict=True):
        held.add(at, good=good)
        assert held.lacking(at) is None
        assert held.holds(at) == expected


@given(
    polls=st.lists(st.tuples(st.booleans(), st.integers(0, 9).map(bool)), min_size=1, max_size=200),
    window=WINDOWS,
    upward=st.booleans(),
    wait=st.integers(0, 40),
)
def test_lost_samples_and_gaps_are_those_of_a_plain_recount(polls, window, upward, wait):
    held = Held(window, EVERY, 1.0, upward)
    times = [START + poll * EVERY for poll, (_, came) in enumerate(polls) if came]
    goods = [good for good, came in polls if came]
    for at, good in zip(times, goods, strict=True):
        held.add(at, good=good)
    if not times:
        assert held.lacking(START) == "no sample yet"
        return
    now = times[-1] + wait * EVERY
    coverage = held.coverage
    missing = lost(times, now, window, EVERY)
    assert min(coverage.lost(now), coverage.lost_limit + 1) == min(missing, coverage.lost_limit + 1)
    if longest_gap(times, now, window) <= coverage.longest and missing <= coverage.lost_limit and wait <= 1:
        assert held.lacking(now) is None
    if missing > coverage.lost_limit:
        assert held.lacking(now) is not None
        assert not held.holds(now)


@given(lost_polls=st.sets(st.integers(1, 119), max_size=60), upward=st.booleans())
def test_no_more_may_be_lost_than_the_grid_shows(lost_polls, upward):
    """However the lost polls lie: over the limit of the design, a window never holds."""
    held = Held(HOUR, EVERY, 1.0, upward)
    for poll in range(121):
        if poll not in lost_polls:
            held.add(START + poll * EVERY, good=True)
    if len(lost_polls) > (48 if upward else 12):
        assert not held.holds(START + HOUR)


def _hour(lost_polls: set[int], *, upward: bool, window: int = HOUR, every: int = EVERY) -> bool:
    held = Held(window, every, 1.0, upward)
    polls = window // every
    for poll in range(polls + 1):
        if poll not in lost_polls:
            held.add(START + poll * every, good=True)
    return held.holds(START + polls * every)


def test_upwards_two_samples_in_five_may_be_lost_but_no_more():
    spread = [poll for poll in range(1, 120) if poll % 5 in (1, 3)]
    assert len(spread) == 48
    assert _hour(set(spread), upward=True)
    assert not _hour({*spread, 2}, upward=True)


def test_upwards_a_quarter_of_the_window_may_be_a_gap_but_no_more():
    assert _hour(upward=True, lost_polls=set(range(40, 69)))  # 29 lost polls between two samples: 15 minutes
    assert not _hour(set(range(40, 71)), upward=True)


def test_downwards_one_sample_in_ten_may_be_lost_but_no_more():
    spread = set(range(5, 115, 10)) | {119}
    assert len(spread) == 12
    assert _hour(spread, upward=False)
    assert not _hour(spread | {60}, upward=False)


def test_downwards_three_polls_may_be_a_gap_but_no_more():
    assert _hour(upward=False, lost_polls={50, 51})  # 3 polls and 5 % of an hour are 90 s and 3 min
    assert _hour(set(range(50, 55)), upward=False)
    assert not _hour(set(range(50, 57)), upward=False)


def test_downwards_no_gap_is_longer_than_half_an_hour_however_long_the_window():
    two_days = 48 * HOUR
    assert _hour(set(range(100, 159)), window=two_days, upward=False)
    assert not _hour(set(range(100, 162)), window=two_days, upward=False)


@pytest.mark.parametrize("upward", (True, False))
def test_one_poll_may_always_be_lost(upward):
    assert _hour({2}, upward=upward, window=2 * MINUTE)
    assert _hour({2}, upward=upward, window=HOUR, every=15 * MINUTE)


@pytest.mark.parametrize("upward", (True, False))
def test_a_window_with_nothing_in_it_does_not_hold(upward):
    held = Held(2 * MINUTE, EVERY, 1.0, upward)
    assert not held.holds(START)
    assert held.not_before(START) is None
    assert held.progress(held.coverage.beat.last) == 0.0


def test_a_window_that_held_does_not_hold_on_silence():
    held = Held(HOUR, EVERY, 1.0, upward=True)
    for poll in range(121):
        held.add(START + poll * EVERY, good=True)
    assert held.holds(START + HOUR)
    assert held.holds(START + HOUR + 15 * MINUTE)
    assert not held.holds(START + HOUR + 16 * MINUTE)
    assert held.lacking(START + HOUR + 16 * MINUTE) == "no sample for 16m"


def test_the_earliest_time_is_a_window_after_the_run_began():
    held = Held(10 * MINUTE, EVERY, 1.0, upward=True)
    held.add(START, good=False)
    assert held.not_before(START) == START + 10 * MINUTE
    held.add(START + EVERY, good=True)
    assert held.not_before(START + 4 * EVERY) == START + EVERY + 10 * MINUTE
    assert held.progress(held.coverage.beat.last) == 0.0
    held.add(START + EVERY + 5 * MINUTE, good=True)
    assert held.progress(held.coverage.beat.last) == 0.5


@given(goods=GOODS, window=WINDOWS, share=st.sampled_from((0.5, 0.8, 0.95, 1.0)))
def test_it_never_holds_before_the_time_that_it_named(goods, window, share):
    """If every sample from now on is good, it holds exactly from the named time on, or was held up by a bad one in between."""
    held = Held(window, EVERY, share, upward=True)
    named = None
    for poll, good in enumerate(goods):
        at = START + poll * EVERY
        held.add(at, good=good)
        if named is not None and held.holds(at):
            assert at >= named
        named = held.not_before(at) if not held.holds(at) else None


def test_a_share_is_exact_where_floats_are_not():
    """20 % of 121 samples are 24.2, and 30 % of 10 are 3 and not 2.9999…"""
    for polls, share in ((120, 0.8), (9, 0.7), (19, 0.55)):
        allowed = int((1 - Fraction(str(share))) * (polls + 1))
        for bad, expected in ((allowed, True), (allowed + 1, False)):
            held = Held(polls * EVERY, EVERY, share, upward=True)
            for poll in range(polls + 1):
                held.add(START + poll * EVERY, good=poll >= bad)
            assert held.holds(START + polls * EVERY) is expected


def test_bad_samples_that_a_share_bears_hold_nothing_by_themselves():
    held = Held(100, 10, 0.8, upward=True)
    for at in (0, 10):
        held.add(at, good=False)
    assert held.progress(held.coverage.beat.last) == 0
    held.add(20, good=True)
    assert held.progress(held.coverage.beat.last) == pytest.approx(0.2)
    held.add(30, good=False)
    assert held.progress(held.coverage.beat.last) <= 0.2
