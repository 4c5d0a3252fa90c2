"""Before and after a change: the same numbers over two spans of readings (the seed's "Monitor for 24 hours")."""

from collections.abc import Iterable
from dataclasses import dataclass

from autoscaler.core.durations import MINUTE
from autoscaler.core.observations import Miss, Missed, Observation, Reading

ENOUGH = 100
"""Requests in each span before a difference in their ratios means something."""
NOTABLE = 0.1
"""A smaller difference is called the same."""


@dataclass(frozen=True, slots=True)
class Used:
    """What was measured in one span. Seconds, shares in per cent, bytes; None where nothing told it."""

    readings: int
    requests: float
    requests_per_minute: float | None
    response_time: float | None
    error_rate: float | None
    memory_peak: float | None
    memory_share: float | None
    """The highest share of its limit: plans differ in it, so bytes alone say little."""
    cpu: float | None
    """The mean share."""
    timeouts: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One number before and after; `verdict` is `better`, `worse`, `same`, or empty where it is no matter of good or bad."""

    name: str
    before: float | None
    after: float | None
    verdict: str = ""


def used(observations: Iterable[Observation], start: int, end: int) -> Used:
    """Over the readings from `start` to `end`, ms; ratios are ratios of sums."""
    seen = [one for one in observations if start <= one.at < end]
    readings = [one for one in seen if isinstance(one, Reading)]
    sums = {
        name: sum(one.increases.get(name, 0.0) for one in readings)
        for name in ("requests", "errors", "response_seconds")
    }
    requests = sums["requests"]
    minutes = (readings[-1].at - readings[0].at) / MINUTE if len(readings) > 1 else 0.0
    has_counters = any("requests" in one.increases for one in readings)
    cpu = _values(readings, "cpu_percent")
    return Used(
        readings=len(readings),
        requests=requests,
        requests_per_minute=requests / minutes if has_counters and minutes else None,
        response_time=sums["response_seconds"] / requests
        if requests
        else _mean(_values(readings, "avg_response_time")),
        error_rate=sums["errors"] / requests * 100 if requests else _mean(_values(readings, "error_rate")),
        memory_peak=max(_values(readings, "memory_usage"), default=None),
        memory_share=max(_values(readings, "memory_percent"), default=None),
        cpu=_mean(cpu),
        timeouts=sum(isinstance(one, Missed) and one.reason is Miss.TIMED_OUT for one in seen),
    )


def differences(before: Used, after: Used) -> tuple[Difference, ...]:
    """What both spans can tell, each with whether it got better: less is better in all but the traffic."""
    proven = min(before.requests, after.requests) >= ENOUGH
    rows = (
        Difference("requests a minute", before.requests_per_minute, after.requests_per_minute),
        _judged("response time", before.response_time, after.response_time, proven=proven),
        _judged("error rate", before.error_rate, after.error_rate, proven=proven),
        Difference("memory at most", before.memory_peak, after.memory_peak),
        _judged("of its limit", before.memory_share, after.memory_share, proven=True),
        _judged("CPU", before.cpu, after.cpu, proven=True),
        _judged("polls that timed out", float(before.timeouts), float(after.timeouts), proven=True),
    )
    return tuple(row for row in rows if row.after is not None and (row.before or row.after))


def _judged(name: str, before: float | None, after: float | None, *, proven: bool) -> Difference:
    if before is None or after is None or not proven:
        return Difference(name, before, after)
    if abs(after - before) <= NOTABLE * max(before, after):
        return Difference(name, before, after, "same")
    return Difference(name, before, after, "better" if after < before else "worse")


def _values(readings: Iterable[Reading], name: str) -> list[float]:
    return [one.gauges[name] for one in readings if name in one.gauges]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
