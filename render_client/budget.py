"""The rate budget: what Render's replies say is left, kept so that no call is sent only to be refused.

Render counts in fixed windows (a clock minute for all calls made here), for each group of calls on its own: reads,
writes, and for each service the calls that change it. Every reply carries ``Ratelimit-Limit``, ``-Remaining`` and
``-Reset``.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

WINDOW = 60.0  # seconds
LONGEST_WINDOW = 3600.0  # seconds; what is said to last longer is not believed
HALF_A_SECOND = 0.5  # what a date, which has whole seconds, leaves out on average
EPOCH = 1e9  # a Reset above this is a date, in seconds since 1970: Render's documentation says so, its replies do not


@dataclass(frozen=True, slots=True)
class Quota:
    """What one reply says about its group: calls in a window, calls left in it, seconds until it ends."""

    limit: int
    remaining: int
    resets_in: float


@dataclass(slots=True)
class _Window:
    limit: int
    remaining: int  # below zero: so many calls already wait for a later window
    ends_at: float


class RateBudget:
    """Says for each call how long it has to wait, and learns from each reply. Not shared between processes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def reserve(self, group: str) -> float:
        """Take a place for one call and return the seconds until its turn; 0 when nothing is known yet."""
        window = self._current(group)
        if window is None:
            return 0.0
        window.remaining -= 1
        if window.remaining >= 0:
            return 0.0
        windows_ahead = (-window.remaining - 1) // window.limit
        return window.ends_at - self._clock() + windows_ahead * WINDOW

    def release(self, group: str) -> None:
        """Give back a place that was not used."""
        if window := self._windows.get(group):
            window.remaining += 1

    def learn(self, group: str, quota: Quota) -> None:
        """Take over what a reply says. Replies overtake each other: within one window the lowest number counts."""
        known = self._current(group)
        ends_at = self._clock() + quota.resets_in
        remaining = quota.remaining
        if known is not None and known.limit == quota.limit and abs(known.ends_at - ends_at) < WINDOW / 2:
            remaining = min(remaining, known.remaining)
        self._windows[group] = _Window(quota.limit, remaining, ends_at)

    def _current(self, group: str) -> _Window | None:
        window = self._windows.get(group)
        if window is not None and window.ends_at <= self._clock():
            passed = math.floor((self._clock() - window.ends_at) / WINDOW) + 1
            window.ends_at += passed * WINDOW
            window.remaining = min(window.limit, window.remaining + passed * window.limit)
        return window


def quota_of(headers: Mapping[str, str]) -> Quota | None:
    """Read the ``Ratelimit-*`` headers of a reply; None when they are missing or make no sense."""
    limit, remaining, reset = (_number(headers.get(f"ratelimit-{name}")) for name in ("limit", "remaining", "reset"))
    if limit is None or remaining is None or reset is None or limit < 1:
        return None
    resets_in = reset - _now(headers) if reset > EPOCH else reset
    return Quota(int(limit), int(remaining), min(max(resets_in, 0.0), LONGEST_WINDOW))


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks to wait, given as a number or as a date; None when it asks nothing."""
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    date = _date(text)
    return None if date is None else max(date - _now(headers), 0.0)


def clock_ahead(headers: Mapping[str, str]) -> float | None:
    """Seconds by which this machine's clock is ahead of the server's, to a second or so; None when the reply has no ``Date``."""
    date = _date(headers.get("date", ""))
    return None if date is None else time.time() - date - HALF_A_SECOND


def _now(headers: Mapping[str, str]) -> float:
    """Seconds since 1970 by the server's clock, which is the one its dates belong to."""
    date = _date(headers.get("date", ""))
    return time.time() if date is None else date


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
