"""Times of a policy test: after its start, or by the clock of its zone."""

from datetime import UTC, datetime

import pytest

from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.policyfile.cases_times import parse_happens, parse_moment, parse_span, parse_start, parse_times


def utc(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


BERLIN = parse_start("2026-06-02 08:00 Europe/Berlin")  # a Tuesday


def test_a_start_is_read_by_its_own_clock():
    assert BERLIN.at == utc("2026-06-02 06:00")
    assert parse_start("2026-06-02 08:00").at == utc("2026-06-02 08:00")


@pytest.mark.parametrize(
    ("text", "expected"),
    (
        ("0", "2026-06-02 06:00"),
        ("1h5m", "2026-06-02 07:05"),
        ("08:00", "2026-06-02 06:00"),
        ("10:00", "2026-06-02 08:00"),
        ("7:30", "2026-06-03 05:30"),
        ("tue 10:00", "2026-06-02 08:00"),
        ("tue 07:00", "2026-06-09 05:00"),
        ("mon 10:00", "2026-06-08 08:00"),
        ("2026-06-20 10:00", "2026-06-20 08:00"),
    ),
)
def test_a_time_is_its_first_after_the_start(text, expected):
    assert parse_moment(text).at(BERLIN) == utc(expected)


def test_a_clock_that_is_put_back_or_forward_is_followed():
    forward = parse_start("2026-03-28 12:00 Europe/Berlin")
    back = parse_start("2026-10-24 12:00 Europe/Berlin")
    assert parse_moment("sun 12:00").at(forward) - forward.at == 23 * HOUR
    assert parse_moment("sun 12:00").at(back) - back.at == 25 * HOUR


def test_equal_steps_are_several_times():
    times = list(parse_times("10m + 3m x4").at(BERLIN))
    assert [at - BERLIN.at for at in times] == [10 * MINUTE, 13 * MINUTE, 16 * MINUTE, 19 * MINUTE]
    assert list(parse_times("10m x3").at(BERLIN)) == [BERLIN.at + 10 * MINUTE] * 3


@pytest.mark.parametrize(
    ("text", "what", "first", "last"),
    (
        ("up to scaled", "up to scaled", None, None),
        ("up to scaled at 1h", "up to scaled", "1h", "1h"),
        ("up to scaled by 2h", "up to scaled", None, "2h"),
        ("growth between 1h and 10:00", "growth", "1h", "10:00"),
    ),
)
def test_what_happens_may_say_when(text, what, first, last):
    happens = parse_happens(text)
    assert happens.what == what
    assert happens.first == (parse_moment(first) if first else None)
    assert happens.last == (parse_moment(last) if last else None)


@pytest.mark.parametrize(
    ("parse", "text", "told"),
    (
        (parse_moment, "25:00", "'25:00' is no time: write 10:00, tue 10:00 or 2026-06-02 10:00"),
        (parse_moment, "90", "'90' has no unit: write 90s, 90m, 90h, 90d or 90w"),
        (parse_moment, "2026-02-30 10:00", "'2026-02-30' is no day of the calendar"),
        (parse_span, "1h", "'1h' is no span: write two times, such as '1h and 2h' or '10:00 and 14:00'"),
        (parse_times, "1hx0", "'x0' is out of range: from once to 10000 times"),
        (parse_start, "monday", "'monday' is no start: write a day and a time, such as 2026-06-01 08:00 Europe/Berlin"),
        (
            parse_start,
            "2026-06-01 08:00 Europe/Berln",
            "unknown time zone 'Europe/Berln': did you mean 'Europe/Berlin'?",
        ),
    ),
)
def test_what_can_not_be_read_says_what_to_write(parse, text, told):
    with pytest.raises(ValueError, match=r".") as raised:
        parse(text)
    assert str(raised.value) == told
