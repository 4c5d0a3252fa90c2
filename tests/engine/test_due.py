"""The due-queue: every key once a round, spread by its own phase, however late the worker is."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.engine.due import DueQueue


@given(st.lists(st.text(min_size=1), min_size=1, max_size=50, unique=True), st.floats(0.1, 600))
def test_every_key_is_due_exactly_once_in_each_round(keys, every):
    queue = DueQueue()
    for key in keys:
        queue.add(key, every, 0.0)
    seen = queue.pop(every * 0.999999)
    assert len(seen) == len(set(seen))
    again = [key for step in range(1, 4) for key in queue.pop(every * (step + 0.999999))]
    assert sorted(seen + again) == sorted(keys * 4)


def test_rounds_that_were_missed_are_not_made_up_for():
    queue = DueQueue()
    queue.add("srv-1", 10.0, 0.0)
    assert queue.pop(1000.0) == ["srv-1"]
    assert queue.pop(1000.0) == []


def test_a_fleet_is_spread_over_the_round():
    queue = DueQueue()
    for number in range(1000):
        queue.add(f"srv-{number}", 100.0, 0.0)
    tenths = [len(queue.pop(10.0 * tenth)) for tenth in range(1, 11)]
    assert max(tenths) < 140
    assert min(tenths) > 60


def test_the_phase_is_kept_over_rounds():
    queue = DueQueue()
    queue.add("srv-1", 30.0, 0.0)
    due = [second for second in range(1, 200) if queue.pop(float(second))]
    assert [later - earlier for earlier, later in pairwise(due)] == [30] * (len(due) - 1)
