"""The two stores of a window: the last few marks, and sums in a bounded number of buckets."""

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.durations import DAY, HOUR
from autoscaler.core.pools import BUCKETS, Pool
from autoscaler.core.window import Marks
from tests.support.evidence import EVERY, START
from tests.support.oracle import pooled

STEPS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), min_size=1, max_size=100)


@given(steps=STEPS, window=st.integers(1, 300), limit=st.integers(0, 8))
def test_marks_count_exactly_up_to_one_more_than_the_limit(steps, window, limit):
    marks = Marks(window, limit)
    now, times = START, []
    for step, count in steps:
        now += step
        marks.add(now, times=count)
        times += [now] * count
        inside = sum(at >= now - window for at in times)
        assert min(marks.count(now), limit + 1) == min(inside, limit + 1)


@given(limit=st.integers(0, 8), times=st.lists(st.integers(0, 10_000_000), max_size=30))
def test_marks_remember_one_more_than_the_limit_and_never_more(limit, times):
    marks = Marks(HOUR, limit)
    for at in times:
        marks.add(START + at, times=1_000_000)
        assert len(marks._times) == limit + 1


def test_marks_name_the_one_that_has_to_leave_the_window():
    marks = Marks(HOUR, 2)
    assert marks.oldest() is None
    for poll in range(5):
        marks.add(START + poll)
    assert marks.oldest() == START + 2


SAMPLES = st.lists(
    st.tuples(st.integers(0, 400_000), st.integers(0, 10_000).map(float), st.integers(0, 1_000).map(float)),
    min_size=1,
    max_size=150,
)


@given(samples=SAMPLES, window=st.sampled_from((5_000, 300_000, HOUR, 7 * HOUR)))
def test_a_pool_is_exact_to_within_one_bucket(samples, window):
    pool = Pool(window)
    now, kept = START, []
    for step, over, under in samples:
        now += step
        kept.append((now, over, under))
        pool.add(now, over, under)
        found = pool.sums(now)
        least, most = pooled(kept, now, window), pooled(kept, now, window + pool.tail.step)
        assert all(low <= value <= high for low, value, high in zip(least, found, most, strict=True))


@given(samples=SAMPLES)
def test_a_pool_of_samples_further_apart_than_a_bucket_is_exact(samples):
    """The five minutes over which a ratio of 30-second polls is pooled: a bucket holds one sample and its edge is that sample's."""
    pool = Pool(300_000)
    now, kept = START, []
    for _, over, under in samples:
        now += EVERY
        kept.append((now, over, under))
        pool.add(now, over, under)
        assert pool.sums(now) == pooled(kept, now, 300_000)


def test_an_increase_at_the_very_start_of_the_window_belongs_to_the_time_before():
    pool = Pool(300_000)
    pool.add(START, 100, 100)
    assert pool.sums(START + 299_999) == (100, 100)
    pool.add(START + 300_000, 1, 1)
    assert pool.sums(START + 300_000) == (1, 1)
    assert pool.sums(START + 600_000) == (0, 0)


def test_a_pool_keeps_a_bounded_number_of_buckets():
    pool = Pool(30 * DAY)
    for poll in range(100_000):
        pool.add(START + poll * EVERY, 1.0, 1.0)
        pool.sums(START + poll * EVERY)
    assert len(pool.tail) <= BUCKETS + 2


def test_no_rounding_error_survives_an_empty_window():
    pool = Pool(1_000)
    for poll in range(1_000):
        pool.add(START + poll, 0.1, 0.1)
    assert pool.sums(START + 10_000) == (0.0, 0.0)
