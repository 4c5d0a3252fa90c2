"""Where the simulator gets the time from. Every instant is an integer: milliseconds since 1970, UTC."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

# An arbitrary, fixed start, so that a test that prints a time prints the same one every day.
MANUAL_START = 1_767_600_000_000  # 2026-01-05T08:00:00Z, a Monday


class Clock(Protocol):
    """What the simulator needs of a clock."""

    def now(self) -> int:
        """The current time in ms."""


class SystemClock:
    """The real time."""

    def now(self) -> int:
        """The current time in ms."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until somebody advances it."""

    def __init__(self, start: int = MANUAL_START) -> None:
        self._now = start
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> int:
        """The current time in ms."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds; whatever became due in the world has happened when this returns.

        Raises:
            ValueError: The step is negative.
        """
        if seconds < 0:
            raise ValueError(f"a clock does not go back: advance({seconds})")
        self._now += round(seconds * 1000)
        for listener in self._listeners:
            listener()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call the listener after every step."""
        self._listeners.append(listener)


def timestamp(instant: int) -> str:
    """An instant as Render writes it: RFC 3339, UTC, microseconds, a Z."""
    moment = datetime.fromtimestamp(instant // 1000, UTC).replace(microsecond=instant % 1000 * 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_timestamp(text: str) -> int:
    """The instant that an RFC 3339 text names.

    Raises:
        ValueError: It is no RFC 3339 time, or has no time zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return round(moment.timestamp() * 1000)
