"""`1h30m` and back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.durations import DAY, HOUR, MINUTE, SECOND, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    (
        ("30s", 30 * SECOND),
        ("15m", 15 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("7d", 7 * DAY),
        ("2w", 14 * DAY),
        ("1.5h", 90 * MINUTE),
        ("0.25s", 250),
        ("366d", 366 * DAY),
        (" 24h ", DAY),
    ),
)
def test_a_duration_is_a_number_and_a_unit_or_several(text: str, milliseconds: int):
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "told"),
    (
        ("30", "'30' has no unit: write 30s, 30m, 30h, 30d or 30w"),
        ("", "'' is no duration"),
        ("1 h", "'1 h' is no duration"),
        ("soon", "'soon' is no duration: write a number and s, m, h, d or w"),
        ("30ms", "'30ms' is no duration"),
        ("-5m", "'-5m' is no duration"),
        ("0s", "'0s' is out of range"),
        ("367d", "'367d' is out of range"),
        ("9" * 400 + "d", "is out of range"),
    ),
)
def test_what_is_no_duration_says_what_to_write(text: str, told: str):
    with pytest.raises(ValueError, match=re.escape(told)):
        parse_duration(text)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    (
        (0, "0s"),
        (800, "0.8s"),
        (1_000, "1s"),
        (45 * SECOND, "45s"),
        (90 * MINUTE, "1h 30m"),
        (DAY, "1d"),
        (DAY + HOUR + MINUTE, "1d 1h"),
        (59 * MINUTE + 59 * SECOND, "59m"),
        (-5, "0s"),
    ),
)
def test_a_duration_is_shown_by_its_two_largest_units_and_seconds_only_below_a_minute(milliseconds: int, text: str):
    assert format_duration(milliseconds) == text


@given(st.sampled_from((SECOND, MINUTE, HOUR, DAY)), st.integers(1, 23))
def test_what_is_shown_can_be_written(unit: int, count: int):
    assert parse_duration(format_duration(unit * count).replace(" ", "")) == unit * count
