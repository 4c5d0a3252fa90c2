"""A raw report becomes an observation: a Reading, or a Missed with its reason. Nothing that an endpoint says is trusted unseen.

Reports are those of `app_core`; the seed's own endpoint, which gives fewer keys, is read as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

import jmespath

from autoscaler.core.durations import MINUTE, SECOND
from autoscaler.core.metrics import METRICS, Kind
from autoscaler.core.observations import Miss, Missed, Reading, Signal

_COUNTERS = {
    "requests": "counters.requests_total || current_metrics.request_count",
    "errors": "counters.errors_total || current_metrics.error_count",
    "response_seconds": "counters.response_seconds_total",
    "cpu_seconds": "counters.cpu_seconds_total",
    "cache_hits": "cache.hits_total",
    "cache_lookups": "cache.lookups_total",
}
"""Monotonic since the process began, by the name that metrics use -> where a report has it."""
_SIGNALS = {f"signals.{metric.name}": metric.name for metric in METRICS.values() if metric.kind is Kind.COUNTED}
"""The same for what the app itself counts, such as complaints; here the path is the name."""
_WINDOWS = {"10s": 10 * SECOND, "1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE}
"""Sliding windows of a report, shortest first."""
MOST_SETTINGS, LONGEST_SETTING = 100, 300
"""Of each reading so much is kept at most: they are all stored."""
LARGEST = 1e18
"""More than anything here can be; also what NaN and infinities fail to be less than."""
_LARGEST_SHARE = 100_000
"""Per cent of a limit: a thousand times it. What seems to be more has a wrong limit, and is no emergency."""
_PERCENTILES = {"p50_response_time": 0.5, "p95_response_time": 0.95, "p99_response_time": 0.99}


class BadReportError(ValueError):
    """A value of a report that can't be; its text says which."""


def read(body: Mapping[str, object], at: int, previous: Reading | None, every: int) -> Reading | Missed:
    """One report, taken at `at` (ms UTC), counted from the last good one.

    A report that stands still, or holds a value that can't be (negative, NaN, a word for a number), is a miss.
    """
    try:
        timestamp = _timestamp(body)
        if previous is not None and timestamp == previous.timestamp:
            return Missed(at, Miss.FROZEN, "the report's own timestamp stands still")
        return _reading(body, at, timestamp, previous, every)
    except BadReportError as problem:
        return Missed(at, Miss.MISCONFIGURED, str(problem))


def signals(reading: Reading) -> tuple[Signal, ...]:
    """What the app counted since its last report, as signals of their own: they outlive masks and spend apart."""
    return tuple(
        Signal(reading.at, name, reading.increases[counter])
        for counter, name in _SIGNALS.items()
        if reading.increases.get(counter, 0) >= 1
    )


def _timestamp(body: Mapping[str, object]) -> int:
    """When the report says it was made; also the check that it is a report at all."""
    for key in ("timestamp", "current_metrics"):
        if key not in body:
            raise BadReportError(f"it has no '{key}': is this the scaling health endpoint?")
    if not isinstance(body["current_metrics"], dict):
        raise BadReportError("its 'current_metrics' is no object")
    timestamp = _time(body, "timestamp")
    if timestamp is None:
        raise BadReportError("its 'timestamp' is null")
    return timestamp


def _reading(body: Mapping[str, object], at: int, timestamp: int, previous: Reading | None, every: int) -> Reading:
    bare = Reading(
        at,
        gauges={},
        timestamp=timestamp,
        counters=dict(_counters(body)),
        instance=_text(body, "instance.id"),
        started_at=_time(body, "instance.started_at"),
        plan=_text(body, "instance.plan_guess"),
        settings=_settings(body),
    )
    increases = increase(bare, previous, longest=max(5 * every, 5 * MINUTE))
    in_flight = _in_flight(body)
    quiet = increases.get("requests") == 0
    gauges = dict(_gauges(body, every)) | {"stalled": float(quiet and in_flight > 0), "unreachable": 0.0}
    limit = _number(body, "resources.cpu_limit_cores")
    if limit and increases.get("seconds") and "cpu_seconds" in increases:
        gauges["cpu_percent"] = _percent("cpu", increases["cpu_seconds"] / increases["seconds"], limit)
    return replace(
        bare, gauges=gauges, increases=increases, idle=quiet and in_flight == 0, stalled=quiet and in_flight > 0
    )


def _in_flight(body: Mapping[str, object]) -> float:
    """Requests running or queued, but for this poll itself."""
    if _find(body, "concurrency") is not None:
        return (_number(body, "concurrency.running") or 0) + (_number(body, "concurrency.queued") or 0)
    own = 1  # the seed's endpoint counts the poll that it is just answering
    return max(0.0, (_number(body, "current_metrics.concurrent_requests") or 0) - own)


def increase(now: Reading, previous: Reading | None, *, longest: int) -> dict[str, float]:
    """What each counter rose by, and `seconds`, the time between: as Prometheus' `increase()`, a counter that fell began anew.

    Empty without a previous report, or when that is more than `longest` ms old: nobody knows when in between it rose.
    Only `seconds` when another process answers that ran before that report: what it counted may be of long ago.
    """
    if previous is None or not 0 < now.at - previous.at <= longest:
        return {}
    risen = {"seconds": (now.at - previous.at) / 1000}
    pairs = {name: (before, now.counters[name]) for name, before in previous.counters.items() if name in now.counters}
    fell = {name for name, (before, value) in pairs.items() if value < before}
    if now.process != previous.process:
        if now.started_at is None or now.started_at <= previous.timestamp:
            return risen
        fell = set(pairs)
    elif fell and now.process == (None, None):  # nobody says whether it restarted; if one counter did, all did
        fell = set(pairs)
    return risen | {name: value if name in fell else value - before for name, (before, value) in pairs.items()}


def _counters(body: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    for name, path in (*_COUNTERS.items(), *zip(_SIGNALS, _SIGNALS, strict=True)):
        value = _number(body, path)
        if value is not None:
            yield name, value


def _gauges(body: Mapping[str, object], every: int) -> Iterator[tuple[str, float]]:
    window = next((name for name, length in _WINDOWS.items() if length >= every), "15m")
    requests = _number(body, f'windows."{window}".requests') or 0
    for metric in METRICS.values():
        if metric.path is None or (metric.over in _COUNTERS and _number(body, _COUNTERS[metric.over]) is not None):
            continue  # a ratio is pooled from its counters; an average is taken as a gauge only where there are none
        share = _PERCENTILES.get(metric.name)
        if share is not None and requests < 10 / (1 - share):
            continue  # a percentile of a handful of requests is one request's luck
        value = _number(body, metric.path.replace("{window}", window))
        if value is not None:
            yield metric.name, value * metric.scale
    yield from _derived(body)


def _derived(body: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    used = _number(body, "resources.memory_used_bytes")
    if used is None and (megabytes := _number(body, "current_metrics.memory_usage_mb")) is not None:
        used = megabytes * 1024**2
        yield "memory_usage", used
    limit = _number(body, "resources.memory_limit_bytes")
    if used is not None and limit:
        yield "memory_percent", _percent("memory", used, limit)
    size = _number(body, "pools.database.size")
    in_use = _number(body, "pools.database.in_use")
    if size and in_use is not None:
        yield "db_pool_usage", _percent("pools.database", in_use, size)


def _percent(what: str, used: float, limit: float) -> float:
    share = used / limit * 100
    if share > _LARGEST_SHARE:
        raise BadReportError(f"{what} is {share:.3g}% of its limit, which can't be")
    return share


def _settings(body: Mapping[str, object]) -> dict[str, str]:
    settings = _find(body, "instance.settings")
    if not isinstance(settings, dict):
        return {}
    told = ((str(name), _plain(value)) for name, value in settings.items() if isinstance(value, str | int | float))
    return {name: value for name, value in islice(told, MOST_SETTINGS) if len(name) + len(value) <= LONGEST_SETTING}


def _plain(value: object) -> str:
    """A value as an env variable would spell it: 5.0 and 5 are one value."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)


@cache
def _compiled(path: str) -> Any:
    return jmespath.compile(path)


def _find(body: Mapping[str, object], path: str) -> object:
    return _compiled(path).search(body)


def _number(body: Mapping[str, object], path: str) -> float | None:
    value = _find(body, path)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
        raise BadReportError(f"{path.partition(' ')[0]} is {str(value)[:40]!r}, which is no count or measure")
    return float(value)


def _text(body: Mapping[str, object], path: str) -> str | None:
    value = _find(body, path)
    return str(value)[:200] if isinstance(value, str | int) else None


def _time(body: Mapping[str, object], path: str) -> int | None:
    value = _find(body, path)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise BadReportError(f"{path} is {str(value)[:40]!r}, which is no ISO 8601 time") from None
    if moment.tzinfo is None:
        raise BadReportError(f"{path} is {str(value)[:40]!r}, which has no time zone")
    return round(moment.timestamp() * 1000)
