"""Weekly hours in a time zone: `mon-fri 09:00-17:00 Europe/Berlin`. One language for them everywhere in a policy.

The hours are those of the wall clock: whenever the clock in that zone shows a time within them, it is within the hours.
So a doubled hour counts both times, and a skipped one never comes; hours that begin in it begin when the clock jumps.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EXAMPLE = "mon-fri 09:00-17:00 Europe/Berlin"
_DAY_MINUTES = 24 * 60
_HORIZON_DAYS = 15
"""A weekly hour comes back within 7 days; twice that, since the clock may skip one of them."""


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """Hours of the week. `text` is what stood in the file."""

    text: str
    days: frozenset[int]
    """0 is Monday; hours over midnight belong to the day on which they begin."""
    start: int
    """Minutes after midnight, included."""
    end: int
    """Minutes after midnight, 1440 at most, excluded; not after `start` means: on the next day."""
    zone: ZoneInfo

    def contains(self, at_ms: int) -> bool:
        """Whether the wall clock shows a time within the hours."""
        local = _local(at_ms // 1000, self.zone)
        minute = local.hour * 60 + local.minute
        today = local.weekday() in self.days
        if self.start < self.end:
            return today and self.start <= minute < self.end
        yesterday = (local.weekday() - 1) % 7 in self.days
        return (today and minute >= self.start) or (yesterday and minute < self.end)

    def next_start(self, at_ms: int) -> int | None:
        """The first instant within the hours at or after `at_ms`, or None if there is none within two weeks."""
        return self._next(at_ms, inside=True)

    def next_end(self, at_ms: int) -> int | None:
        """The first instant outside the hours at or after `at_ms`, or None for hours that never end."""
        return self._next(at_ms, inside=False)

    def _next(self, at_ms: int, *, inside: bool) -> int | None:
        if self.contains(at_ms) is inside:
            return at_ms
        later = sorted(1000 * second for second in self._turns(at_ms // 1000) if 1000 * second > at_ms)
        return next((instant for instant in later if self.contains(instant) is inside), None)

    def _turns(self, second: int) -> Iterator[int]:
        """Every second since the epoch, from yesterday to the horizon, at which the answer can change."""
        first = _local(second, self.zone).date() - timedelta(days=1)
        for day in (first + timedelta(days=count) for count in range(_HORIZON_DAYS + 2)):
            for minute in (self.start, self.end % _DAY_MINUTES):
                yield from _instants(day, minute, self.zone)
            jump = _jump(day, self.zone)
            if jump is not None:
                yield jump


def parse_hours(text: str) -> WeeklyHours:
    """Days, hours and a zone, such as `mon-fri 09:00-17:00 Europe/Berlin`.

    Raises ValueError with what to write instead.
    """
    words = text.split()
    if len(words) == 2 and ":" in words[1]:
        raise ValueError(
            f"'{text}' names no time zone: write '{words[0]} {words[1]} UTC', or a place such as Europe/Berlin"
        )
    if len(words) != 3:
        raise ValueError(f"'{text}' is no weekly hours: write days, hours and a time zone, such as '{_EXAMPLE}'")
    days, hours, zone = words
    start, end = _hours(hours)
    return WeeklyHours(" ".join(words), _days(days), start, end, _zone(zone))


def _days(word: str) -> frozenset[int]:
    chosen: set[int] = set()
    for part in word.lower().split(","):
        first, dash, last = part.partition("-")
        begin = _day(first)
        finish = _day(last) if dash else begin
        chosen.update((begin + step) % 7 for step in range((finish - begin) % 7 + 1))
    return frozenset(chosen)


def _day(word: str) -> int:
    if word not in _DAYS:
        near = difflib.get_close_matches(word, _DAYS, n=1, cutoff=0.5)
        raise ValueError(
            f"unknown day '{word}': " + (f"did you mean '{near[0]}'?" if near else f"use {', '.join(_DAYS)}")
        )
    return _DAYS.index(word)


def _hours(word: str) -> tuple[int, int]:
    found = re.fullmatch(r"([^-]*)-([^-]*)", word)
    if found is None:
        raise ValueError(f"'{word}' is no span of hours: write from-to, such as 09:00-17:00")
    start, end = _minute(found[1]), _minute(found[2])
    if start == _DAY_MINUTES:
        raise ValueError(f"'{word}' begins at the end of the day: write 00:00 and the next day")
    if start == end:
        raise ValueError(f"'{word}' is empty: write 00:00-24:00 for the whole day")
    return start, end


def _minute(word: str) -> int:
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", word)
    minute = int(found[1]) * 60 + int(found[2]) if found and int(found[2]) < 60 else None
    if minute is None or minute > _DAY_MINUTES:
        raise ValueError(f"'{word}' is no time of day: write hours and minutes from 00:00 to 24:00, such as 09:30")
    return minute


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no path within the zone files, or a folder of them
        near = _nearest_zone(name)
    raise ValueError(
        f"unknown time zone '{name}': "
        + (f"did you mean '{near}'?" if near else "use UTC, or a place such as Europe/Berlin")
    )


def _nearest_zone(name: str) -> str | None:
    """By the whole name, else by the place alone: 'berlin' is Europe/Berlin."""
    spelled = {zone.lower(): zone for zone in sorted(available_timezones())}
    spelled |= {
        zone.rsplit("/", 1)[-1]: spelled[zone]
        for zone in spelled
        if "/" in zone and zone.rsplit("/", 1)[-1] not in spelled
    }
    near = difflib.get_close_matches(name.lower(), spelled, n=1, cutoff=0.7)
    return spelled[near[0]] if near else None


def _local(second: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(second, zone)


def _instants(day: date, minute: int, zone: ZoneInfo) -> set[int]:
    """When the clock shows this time on this day: once, or twice in a doubled hour (a skipped time is judged by its jump)."""
    wall = datetime.combine(day, time(minute // 60, minute % 60), zone)
    return {round(wall.replace(fold=fold).timestamp()) for fold in (0, 1)}


def _jump(day: date, zone: ZoneInfo) -> int | None:
    """The second at which the zone's offset changes on this UTC day, if it does."""
    low = round(datetime.combine(day, time(), UTC).timestamp())
    high = low + 86_400
    if _local(low, zone).utcoffset() == _local(high, zone).utcoffset():
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if _local(middle, zone).utcoffset() == _local(low, zone).utcoffset():
            low = middle
        else:
            high = middle
    return high
