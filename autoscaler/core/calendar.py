"""Weekly hours in a time zone: `mon-fri 09:00-17:00 Europe/Berlin`. One language for them everywhere in a policy."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """Hours of the week. `text` is what stood in the file."""

    text: str


def parse_hours(text: str) -> WeeklyHours:
    """Raises ValueError with what to write instead."""
    return WeeklyHours(text)
