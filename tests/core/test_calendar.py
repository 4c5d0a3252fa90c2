"""Weekly hours: the wall clock's answer, also where it jumps."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autoscaler.core.calendar import parse_hours

MINUTE = 60_000
WEEK_MINUTES = 7 * 24 * 60
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Santiago",
    "Pacific/Apia",
)


def at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    wall = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return round(wall.timestamp() * 1000)


def shown(instant: int | None, zone: str) -> str | None:
    return (
        None
        if instant is None
        else datetime.fromtimestamp(instant / 1000, ZoneInfo(zone)).isoformat(timespec="minutes")
    )


def test_office_hours_are_within_from_the_first_minute_to_before_the_last():
    office = parse_hours("mon-fri 09:00-17:00 Europe/Berlin")
    friday = "2026-03-06"
    assert not office.contains(at(f"{friday}T08:59", "Europe/Berlin"))
    assert office.contains(at(f"{friday}T09:00", "Europe/Berlin"))
    assert office.contains(at(f"{friday}T16:59", "Europe/Berlin"))
    assert not office.contains(at(f"{friday}T17:00", "Europe/Berlin"))
    assert not office.contains(at("2026-03-07T12:00", "Europe/Berlin"))


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin():
    night = parse_hours("fri 22:00-06:00 America/New_York")
    assert night.contains(at("2026-03-06T23:00", "America/New_York"))
    assert night.contains(at("2026-03-07T05:59", "America/New_York"))
    assert not night.contains(at("2026-03-06T05:00", "America/New_York"))
    assert not night.contains(at("2026-03-07T22:30", "America/New_York"))


def test_next_start_and_next_end_are_now_when_it_is_so_already():
    office = parse_hours("mon-fri 09:00-17:00 UTC")
    noon, night = at("2026-03-06T12:00"), at("2026-03-06T22:00")
    assert (office.next_start(noon), office.next_end(night)) == (noon, night)


def test_the_next_start_after_friday_evening_is_monday_morning():
    office = parse_hours("mon-fri 09:00-17:00 Europe/Berlin")
    assert office.next_start(at("2026-03-06T17:00", "Europe/Berlin")) == at("2026-03-09T09:00", "Europe/Berlin")


def test_the_whole_week_never_ends():
    always = parse_hours("mon-sun 00:00-24:00 Europe/Berlin")
    assert always.next_end(at("2026-03-06T12:00")) is None


def test_a_weekend_of_whole_days_ends_on_monday_at_midnight():
    weekend = parse_hours("sat,sun 00:00-24:00 UTC")
    assert weekend.next_end(at("2026-03-07T12:00")) == at("2026-03-09T00:00")


def test_hours_that_begin_in_a_skipped_hour_begin_when_the_clock_jumps():
    hours = parse_hours("mon-sun 02:30-05:00 Europe/Berlin")
    before = at("2026-03-29T01:00", "Europe/Berlin")
    assert shown(hours.next_start(before), "Europe/Berlin") == "2026-03-29T03:00+02:00"


def test_hours_wholly_within_a_skipped_hour_do_not_come_that_day():
    hours = parse_hours("sun 02:10-02:50 Europe/Berlin")
    before = at("2026-03-29T01:00", "Europe/Berlin")
    assert shown(hours.next_start(before), "Europe/Berlin") == "2026-04-05T02:10+02:00"


def test_a_doubled_hour_counts_both_times():
    hours = parse_hours("sun 02:00-03:00 Europe/Berlin")
    start = hours.next_start(at("2026-10-25T00:00", "Europe/Berlin"))
    assert start is not None
    assert shown(start, "Europe/Berlin") == "2026-10-25T02:00+02:00"
    assert hours.next_end(start) == start + 2 * 60 * MINUTE


def test_hours_that_begin_within_a_doubled_hour_are_left_when_the_clock_goes_back():
    hours = parse_hours("sun 02:30-04:00 Europe/Berlin")
    start = hours.next_start(at("2026-10-25T00:00", "Europe/Berlin"))
    assert start is not None
    end = hours.next_end(start)
    assert end is not None
    assert shown(end, "Europe/Berlin") == "2026-10-25T02:00+01:00"
    assert shown(hours.next_start(end), "Europe/Berlin") == "2026-10-25T02:30+01:00"


@pytest.mark.parametrize(
    ("text", "told"),
    (
        ("mon-fri 09:00-17:00", "names no time zone: write 'mon-fri 09:00-17:00 UTC'"),
        ("mon-fri", "is no weekly hours"),
        ("", "is no weekly hours"),
        ("mond-fri 09:00-17:00 UTC", "unknown day 'mond': did you mean 'mon'?"),
        ("xyz 09:00-17:00 UTC", "unknown day 'xyz': use mon, tue, wed, thu, fri, sat, sun"),
        ("mon-fri 9-17 UTC", "'9' is no time of day"),
        ("mon-fri 09:00 UTC", "'09:00' is no span of hours"),
        ("mon-fri 09:61-17:00 UTC", "'09:61' is no time of day"),
        ("mon-fri 09:00-25:00 UTC", "'25:00' is no time of day"),
        ("mon-fri 09:00-24:01 UTC", "'24:01' is no time of day"),
        ("mon-fri 24:00-06:00 UTC", "begins at the end of the day"),
        ("mon-fri 09:00-09:00 UTC", "is empty: write 00:00-24:00"),
        ("mon-fri 09:00-17:00 Europe/Berln", "unknown time zone 'Europe/Berln': did you mean 'Europe/Berlin'?"),
        ("mon-fri 09:00-17:00 berlin", "did you mean 'Europe/Berlin'?"),
        ("mon-fri 09:00-17:00 Europe", "unknown time zone 'Europe'"),
        ("mon-fri 09:00-17:00 ../../etc/passwd", "unknown time zone"),
    ),
)
def test_hours_that_cannot_be_read_say_what_to_write(text: str, told: str):
    with pytest.raises(ValueError, match=re.escape(told)):
        parse_hours(text)


@pytest.mark.parametrize(
    ("text", "days"),
    (
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("sat,sun", {5, 6}),
        ("fri-mon", {4, 5, 6, 0}),
        ("mon-wed,fri", {0, 1, 2, 4}),
        ("Mon-Fri", {0, 1, 2, 3, 4}),
        ("thu", {3}),
    ),
)
def test_days_are_written_alone_as_a_span_or_as_a_list(text: str, days: set[int]):
    assert parse_hours(f"{text} 09:00-17:00 UTC").days == days


def reference(days: set[int], start: int, end: int) -> set[int]:
    """The minutes of a week, counted from Monday, that are within."""
    length = end - start if end > start else end - start + 24 * 60
    return {(day * 24 * 60 + start + minute) % WEEK_MINUTES for day in days for minute in range(length)}


def minute_of_week(instant: int, zone: ZoneInfo) -> int:
    local = datetime.fromtimestamp(instant // 1000, UTC).astimezone(zone)
    return (local.isoweekday() - 1) * 24 * 60 + local.hour * 60 + local.minute


def text_of(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


instants = st.one_of(
    st.integers(at("2020-01-01"), at("2035-01-01")),
    # around the days on which these zones change their clocks
    st.builds(
        lambda day, offset: at(day) + offset * MINUTE,
        st.sampled_from(
            (
                "2026-03-29",
                "2026-10-25",
                "2026-03-08",
                "2026-11-01",
                "2026-04-05",
                "2026-10-04",
                "2026-09-06",
                "2011-12-29",
            )
        ),
        st.integers(-36 * 60, 36 * 60),
    ),
)


@settings(max_examples=60, deadline=None)
@example(days={6}, start=150, end=170, zone="Europe/Berlin", moment=at("2026-03-28"))
@example(days={4}, start=0, end=1440, zone="Pacific/Apia", moment=at("2011-12-29"))
@example(days={5}, start=1380, end=30, zone="America/Santiago", moment=at("2026-09-05"))
@given(
    days=st.sets(st.integers(0, 6), min_size=1),
    start=st.integers(0, 24 * 60 - 1),
    end=st.integers(0, 24 * 60),
    zone=st.sampled_from(ZONES),
    moment=instants,
)
def test_every_answer_equals_a_walk_minute_by_minute(days: set[int], start: int, end: int, zone: str, moment: int):
    if start == end:
        end = (end + 1) % (24 * 60)
    hours = parse_hours(f"{','.join(DAYS[day] for day in sorted(days))} {text_of(start)}-{text_of(end)} {zone}")
    within, place = reference(days, start, end), ZoneInfo(zone)
    assert hours.contains(moment) is (minute_of_week(moment, place) in within)

    walk = (moment, *range(moment - moment % MINUTE + MINUTE, moment + 8 * 24 * 60 * MINUTE, MINUTE))
    for wanted, answer in ((True, hours.next_start(moment)), (False, hours.next_end(moment))):
        expected = next((instant for instant in walk if (minute_of_week(instant, place) in within) is wanted), None)
        if expected is not None:
            assert answer == expected
        else:
            assert answer is None or answer > walk[-1]
