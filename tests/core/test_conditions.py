"""The sentences of a policy."""

import math
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autoscaler.core.conditions import STATES, Op, parse_condition
from autoscaler.core.durations import DAY, HOUR, MINUTE, parse_duration
from autoscaler.core.metrics import METRICS, NAMES, UNITS, UNITS_OPTIONAL, Kind, find_metric

MB = 1024.0**2


def test_a_sentence_names_a_metric_a_comparison_a_bound_and_a_window():
    found = parse_condition("avg_response_time > 8s for 1h")
    assert (found.metric.name, found.op, found.bound, found.held, found.share) == (
        "avg_response_time",
        Op.ABOVE,
        8.0,
        HOUR,
        1.0,
    )


@pytest.mark.parametrize(
    ("text", "bound"),
    (
        ("avg_response_time < 500ms for 1h", 0.5),
        ("avg_response_time > 2min for 1h", 120.0),
        ("memory_usage > 400MB for 30m", 400 * MB),
        ("memory_usage > 1GB for 30m", 1024 * MB),
        ("memory_usage_mb > 2 KB for 30m", 2048.0),
        ("memory_percent>80%", 80.0),
        ("error_rate > 0.5% for 1h", 0.5),
        ("request_rate > 30/min for 1h", 0.5),
        ("monthly_revenue >= 1_000", 1000.0),
        ("monthly_revenue >= 50 USD", 50.0),
        ("concurrent_requests > 10", 10.0),
    ),
)
def test_a_bound_is_kept_in_base_units(text: str, bound: float):
    assert math.isclose(parse_condition(text).bound, bound)


def test_a_share_of_the_samples_may_be_enough():
    assert parse_condition("concurrent_requests > 10 for 15m in 80% of samples").share == 0.8


def test_a_counted_signal_has_a_time_within_which_it_is_counted():
    found = parse_condition("complaints >= 3 within 24h")
    assert (found.within, found.held, found.window) == (DAY, 0, DAY)


def test_a_function_is_taken_over_a_time():
    found = parse_condition("mean(cpu_percent over 10m) > 70%")
    assert (found.function, found.over, found.window) == ("mean", 10 * MINUTE, 10 * MINUTE)
    assert parse_condition("p95(loop_lag over 5m) > 100ms for 15m").held == 15 * MINUTE


@pytest.mark.parametrize("state", STATES)
def test_a_state_stands_alone_with_or_without_a_window(state: str):
    assert parse_condition(state).held == 0
    assert parse_condition(f"{state} for 5m").held == 5 * MINUTE


@pytest.mark.parametrize("alias", ("memory_usage_percent", "error_rate_percent", "revenue_monthly"))
def test_the_seeds_other_names_are_the_same_metrics(alias: str):
    metric = find_metric(alias)
    assert metric is not None
    assert metric.name != alias


@pytest.mark.parametrize(
    ("text", "told"),
    (
        ("", "is no condition: write metric, comparison, value, window"),
        ("slow", "unknown metric 'slow'"),
        ("avg_respons_time > 8s for 1h", "unknown metric 'avg_respons_time': did you mean 'avg_response_time'?"),
        ("avg_response_time > 8 for 1h", "avg_response_time needs a unit: write 8ms or 8s or 8min"),
        ("avg_response_time > 8m for 1h", "'8m' is not clear for avg_response_time: write 8s, 8min or 8ms"),
        ("avg_response_time > 8MB for 1h", "'8MB' does not fit avg_response_time"),
        ("memory_usage > 400 for 1h", "memory_usage needs a unit"),
        ("memory_usage > 400mb for 1h", "'400mb' does not fit memory_usage: write 400KB or 400MB or 400GB"),
        ("memory_usage > -4MB for 1h", "is never negative"),
        ("concurrent_requests > 10% for 1h", "'10%' does not fit concurrent_requests: write 10, a plain count"),
        ("error_rate == 5% for 1h", "'==' is no comparison here"),
        ("error_rate > 5% for 30", "'30' has no unit"),
        ("error_rate > 5% for soon", "'soon' is no duration"),
        ("error_rate > 5% for 1h in 20% of samples", "must lie between 50% and 100%"),
        ("error_rate for 1h", "compares with nothing"),
        ("unreachable within 5m", "compares with nothing"),
        ("oom_kills >= 2", "oom_kills is counted: write 'oom_kills >= 2 within 24h'"),
        ("oom_kills >= 1.5 within 1h", "a whole number"),
        ("complaints < 1 within 24h", "only > and >= make sense"),
        ("error_rate > 5% within 1h", "error_rate is not counted"),
        ("monthly_revenue >= 50 for 1h", "holds until it is replaced"),
        ("p95(avg_response_time over 1h) > 8s", "is a ratio: only mean"),
        ("median(cpu_percent over 1h) > 8%", "unknown function 'median'"),
        (f"concurrent_requests > {'9' * 400}", "is too large"),
    ),
)
def test_what_is_no_condition_says_what_to_write(text: str, told: str):
    with pytest.raises(ValueError, match=re.escape(told)):
        parse_condition(text)


@pytest.mark.parametrize(
    ("op", "upward"), ((Op.ABOVE, True), (Op.AT_LEAST, True), (Op.BELOW, False), (Op.AT_MOST, False))
)
def test_an_op_knows_its_way_and_nothing_holds_for_a_value_that_is_no_number(op: Op, upward: bool):  # noqa: FBT001 - a table of answers
    assert op.is_upward is upward
    assert op.holds(5, 5) is (op in {Op.AT_LEAST, Op.AT_MOST})
    assert op.holds(6, 5) is upward
    assert not op.holds(math.nan, 5)


durations = st.sampled_from(("30s", "15m", "1h30m", "24h", "48h", "7d", "1.5h"))


@st.composite
def sentences(draw: st.DrawFn) -> tuple[str, dict[str, object]]:
    """A rendered condition of any built-in metric, and what it must parse to."""
    metric = draw(st.sampled_from([*METRICS.values()]))
    name = draw(st.sampled_from((metric.name, *metric.aliases)))
    counted, business = metric.kind is Kind.COUNTED, metric.kind is Kind.BUSINESS
    number = draw(st.integers(0, 10_000)) if counted else draw(st.decimals(0, 10_000, places=2))
    units = [unit for unit, (dimension, _) in UNITS.items() if dimension is metric.dimension]
    unit = draw(st.sampled_from([*units, ""] if metric.dimension in UNITS_OPTIONAL else units))
    op = draw(st.sampled_from((Op.ABOVE, Op.AT_LEAST) if counted else tuple(Op)))
    assume(number or op is not Op.AT_LEAST)  # '>= 0' always holds, and is refused
    space = draw(st.sampled_from((" ", "")))
    expected: dict[str, object] = {"metric": metric, "op": op, "bound": float(number) * (UNITS[unit][1] if unit else 1)}
    text = f"{name}{space}{op}{space}{number}{space}{unit}"
    if counted:
        within = draw(durations)
        return f"{text} within {within}", expected | {"within": parse_duration(within)}
    if business or draw(st.booleans()):
        return text, expected
    held, share = draw(durations), draw(st.sampled_from((None, 50, 80, 100)))
    part = f" in {share}% of samples" if share else ""
    return f"{text} for {held}{part}", expected | {"held": parse_duration(held), "share": (share or 100) / 100}


@given(sentences())
def test_every_sentence_of_the_grammar_is_read_as_it_was_meant(drawn: tuple[str, dict[str, object]]):
    text, expected = drawn
    found = parse_condition(text)
    assert {name: getattr(found, name) for name in expected} == expected
    assert parse_condition(found.text) == found


@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from([*NAMES[:6], ">", "<", "8s", "80%", "for", "1h", "in", "of samples", "(", "over", ")"])
    ).map(" ".join)
)
def test_any_other_text_is_refused_with_a_reason(text: str):
    try:
        parse_condition(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - most texts are refused, a few are conditions
