"""The short notation of a policy test's series."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.metrics import Dimension
from autoscaler.core.observations import Miss
from autoscaler.policyfile.series import NOT_POLLED, STALE, WORDS, Lost, parse_series

EVERY = 30_000
MB = 1024.0**2


def samples(text: str, dimension: Dimension | None = Dimension.COUNT, most: int = 8) -> list[object]:
    return list(islice(parse_series(text, dimension).samples(EVERY), most))


@pytest.mark.parametrize(
    ("text", "dimension", "expected"),
    (
        ("2x2 9x3", Dimension.TIME, [2, 2, 9, 9, 9]),
        ("2 x2  9x1m", Dimension.TIME, [2, 2, 9, 9]),
        ("1 2 3x2", Dimension.COUNT, [1, 2, 3, 3]),
        ("500ms x1 1minx1 1.5sx1", Dimension.TIME, [0.5, 60, 1.5]),
        ("200MBx1 1GBx1", Dimension.MEMORY, [200 * MB, 1024 * MB]),
        ("80%x1 5x1", Dimension.SHARE, [80, 5]),
        ("2+0.5x3", Dimension.TIME, [2, 2.5, 3]),
        ("200MB+1MBx3", Dimension.MEMORY, [200 * MB, 201 * MB, 202 * MB]),
        ("200MB-50x3", Dimension.MEMORY, [200 * MB, 150 * MB, 100 * MB]),
        ("1-1x3", Dimension.COUNT, [1, 0, 0]),
        ("(1 2)x2 3x1", Dimension.COUNT, [1, 2, 1, 2, 3]),
        ("(1x2 (2 3)x1)x1m 4x1", Dimension.COUNT, [1, 1, 4]),
        ("_x2 5x1", Dimension.COUNT, [NOT_POLLED, NOT_POLLED, 5]),
        ("stalex1 timeoutx1 loginx1", Dimension.TIME, [STALE, WORDS["timeout"], WORDS["login"]]),
    ),
)
def test_it_says_what_each_poll_shows(text, dimension, expected):
    assert samples(text, dimension) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    (
        ("7", [7, 7, 7, 7, 7, 7, 7, 7]),
        ("1x2 7", [1, 1, 7, 7, 7, 7, 7, 7]),
        ("(1 2 3)", [1, 2, 3, 1, 2, 3, 1, 2]),
        ("5 stale", [5, STALE, STALE, STALE, STALE, STALE, STALE, STALE]),
    ),
)
def test_what_stands_last_without_a_count_goes_on(text, expected):
    assert samples(text) == expected


def test_a_value_that_is_no_number_can_be_told():
    (value,) = samples("nanx1")
    assert value != value  # noqa: PLR0124 - what NaN is known by


def test_how_polls_go_is_said_by_words_and_by_status():
    assert samples("okx1 503x1 302x1 timeoutx1", None) == [
        1,
        Lost(Miss.SERVER_ERROR, "HTTP 503"),
        Lost(Miss.MISCONFIGURED, "HTTP 302"),
        WORDS["timeout"],
    ]


@pytest.mark.parametrize(
    ("text", "dimension", "told"),
    (
        ("", Dimension.COUNT, "a series is empty: write values such as '2x60 9x1h'"),
        ("150", Dimension.MEMORY, "'150' needs a unit: write 150MB"),
        ("9mx3", Dimension.TIME, "'9m' does not fit this metric: write 9ms or 9s or 9min"),
        ("5s", Dimension.COUNT, "'5s' does not fit this metric: write 5, a plain count"),
        ("x3", Dimension.COUNT, "'x3' stands behind no value"),
        ("1x3x4", Dimension.COUNT, "'x4' stands behind no value"),
        ("1x0", Dimension.COUNT, "'x0' is out of range: from once to 1000000 times"),
        ("1x99999999999", Dimension.COUNT, "'x99999999999' is out of range: from once to 1000000 times"),
        ("1x400d", Dimension.COUNT, "'400d' is out of range: more than nothing, and at most 366d"),
        ("(1 2", Dimension.COUNT, "a '(' is never closed in this series"),
        ("1 2)", Dimension.COUNT, "a ')' closes nothing in this series"),
        ("()", Dimension.COUNT, "a group '()' is empty"),
        ("(" * 9 + "1" + ")" * 9, Dimension.COUNT, "groups are nested too deep"),
        ("-5", Dimension.COUNT, "'-5' is no part of a series: write value x count, such as 9x120, 9x1h or 2+0.1x60"),
        (
            "ok",
            Dimension.TIME,
            "'ok' is no value: write a number, nan, or for a poll without a report one of _, stale, ",
        ),
        ("okay", None, "'okay' is no way for a poll to end: write ok, an HTTP status such as 503, or _, stale, "),
        ("200", None, "'200' is no way for a poll to end: "),
    ),
)
def test_what_can_not_be_read_says_what_to_write(text, dimension, told):
    with pytest.raises(ValueError, match=r".") as raised:
        parse_series(text, dimension)
    assert str(raised.value).startswith(told)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 20), st.booleans()), min_size=1, max_size=8))
def test_it_is_as_long_as_its_counts_by_polls_or_by_time(items):
    text = " ".join(f"{value}x{count * 30}s" if timed else f"{value}x{count}" for value, count, timed in items)
    series = parse_series(text, Dimension.COUNT)
    assert list(series.samples(EVERY)) == [value for value, count, _ in items for _ in range(count)]
    assert series.length(EVERY) == sum(count for _, count, _ in items)


@given(st.text(alphabet="0123456789.x+-()_ smhd%MBstale", max_size=30))
def test_whatever_is_written_is_read_or_refused(text):
    told, read = "", None
    try:
        read = parse_series(text, Dimension.TIME)
    except ValueError as error:
        told = str(error)
    assert told or (read and list(islice(read.samples(EVERY), 3)))
