"""Before and after a change: the same numbers over two spans of observations (the seed's "Monitor for 24 hours")."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

from autoscaler.core.durations import DAY, MINUTE
from autoscaler.core.observations import Miss, Missed, Observation, Reading, TierChanged

ENOUGH = 100
"""Requests in each span before a difference in their ratios means something."""
NOTABLE = 0.1
"""A smaller part of the larger value is called the same."""
POINTS = 5.0
"""Per cent of a limit; fewer between two shares are called the same."""


class Word(StrEnum):
    """What a difference comes to; of room, not of good or bad, for a larger plan is bound to give it."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    MORE_ROOM = "more room"
    LESS_ROOM = "less room"


@dataclass(frozen=True, slots=True)
class Used:
    """What was measured in one span. Seconds, shares in per cent, bytes; None where nothing told it."""

    since: int = 0
    until: int = 0
    polls: int = 0
    requests: float = 0.0
    errors: float = 0.0
    requests_per_minute: float | None = None
    response_time: float | None = None
    error_rate: float | None = None
    memory_peak: float | None = None
    memory_mean: float | None = None
    memory_peak_share: float | None = None
    """Of its limit: plans differ in it, so bytes alone say little."""
    memory_mean_share: float | None = None
    cpu: float | None = None
    """The mean share."""
    timeouts: int = 0


def spans(
    observations: Iterable[Observation], change: str, created_at: int, live_at: int, end: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """From when to when is compared, ms: on the old tier, and on the new one up to `end` or the next change of tier.

    Before is the same hours of the clock, a day or some days earlier; where nothing was seen then, the time just before the change.
    """
    seen = list(observations)
    moves = [one for one in seen if isinstance(one, TierChanged) and one.by != change]
    end = min([one.at for one in moves if one.at > live_at] + [end])
    begun = max((one.at for one in moves if one.at <= created_at), default=0)
    days = -(-(end - live_at) // DAY) * DAY
    same_hours = max(live_at - days, begun), min(end - days, created_at)
    if any(isinstance(one, Reading) and same_hours[0] <= one.at < same_hours[1] for one in seen):
        return same_hours, (live_at, end)
    return (max(created_at - (end - live_at), begun), created_at), (live_at, end)


def used(observations: Iterable[Observation], span: tuple[int, int]) -> Used:
    """What was measured from span[0] on, before span[1]; ratios are ratios of sums."""
    seen = [one for one in observations if span[0] <= one.at < span[1]]
    readings = [one for one in seen if isinstance(one, Reading)]
    if not readings:
        return Used()
    requests, errors, seconds = (
        sum(one.increases.get(name, 0.0) for one in readings) for name in ("requests", "errors", "response_seconds")
    )
    minutes = (readings[-1].at - readings[0].at) / MINUTE
    counts = any("requests" in one.increases for one in readings)
    timed = any("response_seconds" in one.increases for one in readings)
    failed = any("errors" in one.increases for one in readings)
    memory, share = _values(readings, "memory_usage"), _values(readings, "memory_percent")
    return Used(
        since=readings[0].at,
        until=readings[-1].at,
        polls=len([one for one in seen if isinstance(one, Reading | Missed)]),
        requests=requests,
        errors=errors,
        requests_per_minute=requests / minutes if counts and minutes else None,
        response_time=seconds / requests if timed and requests else _mean(_values(readings, "avg_response_time")),
        error_rate=errors / requests * 100 if failed and requests else _mean(_values(readings, "error_rate")),
        memory_peak=max(memory, default=None),
        memory_mean=_mean(memory),
        memory_peak_share=max(share, default=None),
        memory_mean_share=_mean(share),
        cpu=_mean(_values(readings, "cpu_percent")),
        timeouts=sum(isinstance(one, Missed) and one.reason is Miss.TIMED_OUT for one in seen),
    )


def of_time(before: Used, after: Used) -> Word | None:
    """Of the response time; None where too few requests say it."""
    old, new = before.response_time, after.response_time
    if old is None or new is None or min(before.requests, after.requests) < ENOUGH:
        return None
    if abs(new - old) <= NOTABLE * max(old, new):
        return Word.SAME
    return Word.BETTER if new < old else Word.WORSE


def of_errors(before: Used, after: Used) -> Word | None:
    """Of the error rate."""
    if before.error_rate is None or after.error_rate is None or min(before.requests, after.requests) < ENOUGH:
        return None
    return _of_counts((before.errors, before.requests), (after.errors, after.requests))


def of_timeouts(before: Used, after: Used) -> Word:
    """Of the polls that the app was too slow to answer."""
    return _of_counts((before.timeouts, before.polls), (after.timeouts, after.polls))


def of_share(before: float | None, after: float | None) -> Word | None:
    """Of a share of what the plan has, per cent."""
    if before is None or after is None:
        return None
    if abs(after - before) <= max(POINTS, NOTABLE * max(before, after)):
        return Word.SAME
    return Word.MORE_ROOM if after < before else Word.LESS_ROOM


def _of_counts(before: tuple[float, float], after: tuple[float, float]) -> Word:
    """So many of so many: more than two standard errors apart, and by more than a little."""
    (hits, of), (later_hits, later_of) = before, after
    old, new = hits / of, later_hits / later_of
    pooled = min(1.0, (hits + later_hits) / (of + later_of))
    noise = 2 * sqrt(pooled * (1 - pooled) * (1 / of + 1 / later_of))
    if abs(new - old) <= max(noise, NOTABLE * max(old, new)):
        return Word.SAME
    return Word.BETTER if new < old else Word.WORSE


def _values(readings: Iterable[Reading], name: str) -> list[float]:
    return [one.gauges[name] for one in readings if name in one.gauges]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
