"""Times of a policy test: `1h5m` after its start, `10:00` or `tue 10:00` by the clock of its start's zone, `2026-06-02 10:00`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from autoscaler.core.calendar import WeeklyHours, parse_hours
from autoscaler.core.durations import parse_duration

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)"
_MOMENT = re.compile(rf"(?:(?P<day>{'|'.join(_DAYS)})\s+|(?P<date>\d{{4}}-\d\d-\d\d)\s+)?{_CLOCK}")
_START = re.compile(rf"(?P<date>\d{{4}}-\d\d-\d\d)\s+{_CLOCK}(?:\s+(?P<zone>\S+))?")
_TIMES = re.compile(r"(?P<first>.+?)(?:\s*\+\s*(?P<step>\S+?))?(?:\s*x\s*(?P<count>\d{1,6}))?")
MOST_TIMES = 10_000


@dataclass(frozen=True, slots=True)
class Start:
    """When a test begins, and by which clock its times are read."""

    text: str
    at: int
    """ms UTC."""
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, once it is known when the test begins."""

    text: str
    offset: int | None = None
    """ms after the start; None for a time by the clock."""
    day: int | None = None
    """0 is Monday."""
    on: date | None = None
    minute: int = 0
    """After midnight."""

    def at(self, start: Start) -> int:
        """Ms UTC: for a time by the clock its first occurrence at or after the start (a date's own, also before it)."""
        if self.offset is not None:
            return start.at + self.offset
        first = self.on or datetime.fromtimestamp(start.at / 1000, start.zone).date()
        for days in range(9):
            day = first + timedelta(days=days)
            wall = datetime(day.year, day.month, day.day, self.minute // 60, self.minute % 60, tzinfo=start.zone)
            found = round(wall.timestamp() * 1000)
            if self.on or (found >= start.at and self.day in {None, day.weekday()}):
                return found
        raise AssertionError(self.text)  # every weekday comes within nine days


@dataclass(frozen=True, slots=True)
class Span:
    """From one time to another, both included."""

    text: str
    first: Moment
    last: Moment


@dataclass(frozen=True, slots=True)
class Times:
    """One time, or several that are equally far apart: `10m`, `10m x3` (three at once), `10m+3m x20`."""

    text: str
    first: Moment
    step: int = 0
    count: int = 1

    def at(self, start: Start) -> Iterator[int]:
        """Each, ms UTC."""
        first = self.first.at(start)
        return (first + number * self.step for number in range(self.count))


@dataclass(frozen=True, slots=True)
class Happens:
    """Something named, and when it is expected: `up to scaled at 1h`, `… by 2h`, `… between 1h and 2h`, or at any time."""

    text: str
    what: str
    first: Moment | None = None
    last: Moment | None = None


def parse_start(text: str) -> Start:
    """`2026-06-01 08:00 Europe/Berlin`; without a zone it is UTC. Raises ValueError with what to write instead."""
    found = _START.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"'{text}' is no start: write a day and a time, such as 2026-06-01 08:00 Europe/Berlin")
    zone = _zone(found["zone"]) if found["zone"] else ZoneInfo("UTC")
    day = _date(found["date"])
    wall = datetime(day.year, day.month, day.day, int(found["hour"]), int(found["minute"]), tzinfo=zone)
    return Start(" ".join(text.split()), round(wall.timestamp() * 1000), zone)


def parse_moment(text: str) -> Moment:
    """Raises ValueError with what to write instead."""
    word = " ".join(text.split())
    if word == "0":
        return Moment(word, offset=0)
    found = _MOMENT.fullmatch(word)
    if found:
        minute = int(found["hour"]) * 60 + int(found["minute"])
        day = _DAYS.index(found["day"]) if found["day"] else None
        return Moment(word, day=day, on=_date(found["date"]) if found["date"] else None, minute=minute)
    if ":" in word:
        raise ValueError(f"'{word}' is no time: write 10:00, tue 10:00 or 2026-06-02 10:00")
    return Moment(word, offset=parse_duration(word))


def parse_span(text: str) -> Span:
    """`10:00 and 14:00`. Raises ValueError with what to write instead."""
    first, _, last = text.partition(" and ")
    if not last:
        raise ValueError(f"'{text}' is no span: write two times, such as '1h and 2h' or '10:00 and 14:00'")
    return Span(" ".join(text.split()), parse_moment(first), parse_moment(last))


def parse_times(text: str) -> Times:
    """Raises ValueError with what to write instead."""
    found = _TIMES.fullmatch(text.strip())
    if found is None:
        raise ValueError("a time is missing: write one such as 10m, 10:00 or 10m+3m x20")
    count = int(found["count"] or 1)
    if not 1 <= count <= MOST_TIMES:
        raise ValueError(f"'x{count}' is out of range: from once to {MOST_TIMES} times")
    step = parse_duration(found["step"]) if found["step"] else 0
    return Times(" ".join(text.split()), parse_moment(found["first"]), step, count)


def parse_happens(text: str) -> Happens:
    """Raises ValueError with what to write instead."""
    words = " ".join(text.split())
    found = re.fullmatch(r"(?P<what>.+?)(?: (?P<how>at|by|between) (?P<when>.+))?", words)
    if found is None:
        raise ValueError("nothing is expected here: write such as 'up to scaled by 2h'")
    if found["how"] is None:
        return Happens(words, words)
    if found["how"] == "between":
        span = parse_span(found["when"])
        return Happens(words, found["what"], span.first, span.last)
    when = parse_moment(found["when"])
    return Happens(words, found["what"], when if found["how"] == "at" else None, when)


def _zone(name: str) -> ZoneInfo:
    """As the one language of hours knows it. Raises ValueError with the nearest one."""
    hours: WeeklyHours = parse_hours(f"mon 00:00-01:00 {name}")
    return hours.zone


def _date(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ValueError(f"'{text}' is no day of the calendar") from None
