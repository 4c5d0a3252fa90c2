"""`mean`, `max`, `min` and percentiles over a window, beside the same taken of all its samples."""

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.conditions import Op
from tests.support.evidence import EVERY, START
from tests.support.oracle import percentile_is_above
from tests.support.windows import Function

BOUND = 10.0
VALUES = st.lists(st.sampled_from((9.0, 10.0, 11.0, 11.0, 12.0)), min_size=1, max_size=60)
POLLS = st.integers(1, 8)
JITTER = st.lists(st.integers(-3_000, 3_000), min_size=60, max_size=60)


def _play(name: str, op: Op, polls: int, values: list[float], jitter: list[int] | None = None):
    """After each sample: what it says, and the values of the closed window."""
    window = polls * EVERY
    function = Function(name, window, EVERY, rises=op.is_upward, upward=True)
    seen: list[tuple[int, float]] = []
    for poll, value in enumerate(values):
        at = START + poll * EVERY + (jitter[poll] if jitter else 0)
        seen.append((at, value))
        function.add(at, value, good=op.holds(value, BOUND))
        inside = [kept for when, kept in seen if when >= at - window]
        yield function, at, inside, at - seen[0][0] >= window


@given(values=VALUES, polls=POLLS, op=st.sampled_from(list(Op)), name=st.sampled_from(("max", "min")), jitter=JITTER)
def test_the_extremes_are_those_of_the_samples_in_the_window(values, polls, op, name, jitter):
    extreme = max if name == "max" else min
    for function, at, inside, whole in _play(name, op, polls, values, jitter):
        assert function.holds(at) == (op.holds(extreme(inside), BOUND) if whole else None)


@given(values=VALUES, polls=POLLS, op=st.sampled_from(list(Op)), percent=st.integers(1, 99))
def test_a_percentile_is_past_its_bound_when_more_than_the_rest_is(values, polls, op, percent):
    for function, at, inside, whole in _play(f"p{percent}", op, polls, values):
        marked = [value if op in {Op.ABOVE, Op.AT_MOST} else value + 0.5 for value in inside]
        above = percentile_is_above(marked, percent, BOUND)
        assert function.holds(at) == ((above if op.is_upward else not above) if whole else None)


@given(values=VALUES, polls=POLLS)
def test_the_mean_is_that_of_the_samples_in_the_window(values, polls):
    for function, at, inside, whole in _play("mean", Op.ABOVE, polls, values):
        if whole:
            assert function.mean in (
                pytest.approx(fmean(inside)),
                pytest.approx(fmean(inside[1:] or inside)),  # the window is half open, but for one bucket
            )
        assert (function.lacking(at) is None) == whole


@pytest.mark.parametrize(
    ("name", "op", "value"),
    (("min", Op.ABOVE, 11.0), ("min", Op.AT_MOST, 9.0), ("max", Op.BELOW, 9.0), ("max", Op.AT_LEAST, 11.0)),
)
def test_the_extremes_do_not_ask_for_more_samples_than_a_slow_clock_gives(name, op, value):
    function = Function(name, 10 * EVERY, EVERY, rises=op.is_upward, upward=True)
    for poll in range(30):
        function.add(START + poll * 31_000, value, good=True)
    assert function.holds(START + 29 * 31_000)
    function.add(START + 30 * 31_000, 10.0, good=op.holds(10.0, BOUND))
    assert function.holds(START + 30 * 31_000) == op.holds((min if name == "min" else max)(10.0, value), BOUND)


def test_a_function_of_a_window_that_is_not_over_says_nothing():
    function = Function("max", 10 * EVERY, EVERY, rises=True, upward=True)
    function.add(START, 99.0, good=True)
    assert function.holds(START) is None
    assert function.lacking(START) == "its window is not over yet"
