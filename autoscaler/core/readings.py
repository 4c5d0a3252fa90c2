"""A raw report becomes an observation: a Reading, or a Missed with its reason. Nothing that an endpoint says is trusted unseen.

Reports are those of `app_core`; the seed's own endpoint, which gives fewer keys, is read as well, and any other JSON by the
paths that the policy itself gives.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

from autoscaler.core.durations import MINUTE, SECOND
from autoscaler.core.instances import Instances
from autoscaler.core.json_values import LARGEST, BadReportError, find, number, text, time
from autoscaler.core.metrics import BUILT_IN, METRICS, SIGNALS, Kind, Source, Vocabulary
from autoscaler.core.observations import Miss, Missed, Reading, Signal

_COUNTERS = {
    "requests": Source("counters.requests_total || current_metrics.request_count"),
    "errors": Source("counters.errors_total || current_metrics.error_count"),
    "response_seconds": Source("counters.response_seconds_total"),
    "cpu_seconds": Source("counters.cpu_seconds_total"),
    "cache_hits": Source("cache.hits_total"),
    "cache_lookups": Source("cache.lookups_total"),
} | {SIGNALS + metric.name: Source(SIGNALS + metric.name) for metric in METRICS.values() if metric.kind is Kind.COUNTED}
"""Monotonic since the process began, by the name that metrics use -> where a report of `app_core` has it."""
_WINDOWS = {"10s": 10 * SECOND, "1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE}
"""Sliding windows of a report, shortest first."""
MOST_SETTINGS, LONGEST_SETTING = 100, 300
"""Of each reading so much is kept at most: they are all stored."""
MOST_DEPENDENCIES, LONGEST_DEPENDENCY = 12, 60
DEPENDENCY = "dependency:"
"""How the gauges are named that tell which per cent of the response time an outside dependency takes."""
_LARGEST_SHARE = 100_000
"""Per cent of a limit: a thousand times it. What seems to be more has a wrong limit, and is no emergency."""
_PERCENTILES = {"p50_response_time": 0.5, "p95_response_time": 0.95, "p99_response_time": 0.99}
_LAST_IN_SECONDS = 1e11
"""A number that is larger counts milliseconds: as seconds it would be the year 5138."""
_OWN_POLL = 1
"""The seed's endpoint counts the poll that it is just answering, and others may."""


def read(
    body: Mapping[str, object],
    at: int,
    previous: Reading | None,
    every: int,
    vocabulary: Vocabulary = BUILT_IN,
    instances: Instances | None = None,
) -> Reading | Missed:
    """One report, taken at `at` (ms UTC), counted from the last good one, or where `instances` knows several, from its own last one.

    A report that stands still, or holds a value that can't be (negative, NaN, a word for a number), is a miss.
    `vocabulary` is that of the policy.
    """
    longest = max(5 * every, 5 * MINUTE)
    try:
        is_ours = not vocabulary.is_own or "current_metrics" in body
        timestamp = _timestamp(body) if is_ours else _any_timestamp(body)
        bare = Reading(at, gauges={}, timestamp=at if timestamp is None else timestamp)
        seen = _of_app_core(body, bare, every, vocabulary) if is_ours else _of_others(body, bare, vocabulary)
        if instances is not None:
            previous = instances.before(seen, previous)
            longest = instances.longest
        if previous is not None and timestamp is not None and timestamp == previous.timestamp:
            return Missed(at, Miss.FROZEN, "the report's own timestamp stands still")
        seen = _counted(seen, previous, longest, _in_flight(body) if is_ours else _told_in_flight(seen))
        return _with_cpu(body, seen) if is_ours else seen
    except BadReportError as problem:
        return Missed(at, Miss.MISCONFIGURED, str(problem))


def with_memory_share(reading: Reading, limit: float) -> Reading:
    """The reading with its memory as a share of what the running plan has, bytes, if its app says no share itself."""
    used = reading.gauges.get("memory_usage")
    if used is None or "memory_percent" in reading.gauges:
        return reading
    return replace(reading, gauges={**reading.gauges, "memory_percent": used / limit * 100})


def signals(reading: Reading) -> tuple[Signal, ...]:
    """What the app counted since its last report, as signals of their own: they outlive masks and spend apart."""
    return tuple(
        Signal(reading.at, counter.removeprefix(SIGNALS), risen)
        for counter, risen in reading.increases.items()
        if counter.startswith(SIGNALS) and risen >= 1
    )


def _timestamp(body: Mapping[str, object]) -> int:
    """When the report says it was made; also the check that it is a report at all."""
    for key in ("timestamp", "current_metrics"):
        if key not in body:
            hint = "is this the scaling health endpoint? One of another form needs 'metrics:' in the policy"
            raise BadReportError(f"it has no '{key}': {hint}")
    if not isinstance(body["current_metrics"], dict):
        raise BadReportError("its 'current_metrics' is no object")
    timestamp = time(body, "timestamp")
    if timestamp is None:
        raise BadReportError("its 'timestamp' is null")
    return timestamp


def _any_timestamp(body: Mapping[str, object]) -> int | None:
    """The same of an endpoint that never promised one: without it nobody can tell a report that stands still."""
    value = body.get("timestamp")
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < LARGEST:
        return round(value if value > _LAST_IN_SECONDS else value * 1000)
    try:
        return time(body, "timestamp")
    except BadReportError:
        return None


def _of_app_core(body: Mapping[str, object], bare: Reading, every: int, vocabulary: Vocabulary) -> Reading:
    """A report of `app_core`, or of the seed's endpoint, but for what the policy says stands elsewhere."""
    counters = dict(_counters(body, {**_COUNTERS, **vocabulary.counters}))
    usual = {name: value for name, value in _gauges(body, every, counters) if name not in vocabulary.gauges}
    gauges = usual | dict(_own_gauges(body, vocabulary))
    return replace(
        bare,
        gauges={**dict(_derived(body, gauges)), **dict(_waits(body, every)), **gauges},
        counters=counters,
        instance=text(body, "instance.id"),
        started_at=time(body, "instance.started_at"),
        plan=text(body, "instance.plan_guess"),
        settings=_settings(body),
    )


def _with_cpu(body: Mapping[str, object], reading: Reading) -> Reading:
    """With what its processes used of the CPU since it was last seen, if its app says no share itself."""
    limit, risen = number(body, "resources.cpu_limit_cores"), reading.increases
    if limit and "cpu_seconds" in risen and "cpu_percent" not in reading.gauges:
        share = _percent("cpu", risen["cpu_seconds"] / risen["seconds"], limit)
        return replace(reading, gauges={**reading.gauges, "cpu_percent": share})
    return reading


def _of_others(body: Mapping[str, object], bare: Reading, vocabulary: Vocabulary) -> Reading:
    """Any other JSON: only the policy knows what in it means what."""
    gauges = dict(_own_gauges(body, vocabulary))
    counters = dict(_counters(body, vocabulary.counters))
    if not gauges and not counters:
        first = next(iter((*vocabulary.gauges.values(), *vocabulary.counters.values())))
        raise BadReportError(f"it has none of what the policy looks for under 'metrics:', such as '{first.path[:60]}'")
    return replace(bare, gauges=gauges, counters=counters)


def _counted(seen: Reading, previous: Reading | None, longest: int, in_flight: float) -> Reading:
    """With what its counters rose by, and what that says of the app."""
    increases = increase(seen, previous, longest=longest)
    quiet = increases.get("requests") == 0
    stalled = quiet and in_flight > 0
    gauges = {**seen.gauges, "stalled": float(stalled), "unreachable": 0.0}
    return replace(seen, gauges=gauges, increases=increases, idle=quiet and in_flight == 0, stalled=stalled)


def _in_flight(body: Mapping[str, object]) -> float:
    """Requests running or queued, but for this poll itself."""
    if find(body, "concurrency") is not None:
        return (number(body, "concurrency.running") or 0) + (number(body, "concurrency.queued") or 0)
    return max(0.0, (number(body, "current_metrics.concurrent_requests") or 0) - _OWN_POLL)


def _told_in_flight(seen: Reading) -> float:
    """The same of an endpoint of which only the policy knows where that stands."""
    return max(0.0, seen.gauges.get("concurrent_requests", 0.0) - _OWN_POLL)


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


def _counters(body: Mapping[str, object], sources: Mapping[str, Source]) -> Iterator[tuple[str, float]]:
    for name, source in sources.items():
        value = number(body, source.path)
        if value is not None:
            yield name, value * source.scale


def _gauges(body: Mapping[str, object], every: int, counters: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    window = _window(every)
    requests = number(body, f'windows."{window}".requests') or 0
    for metric in METRICS.values():
        if metric.path is None or metric.over in counters:
            continue  # a ratio is pooled from its counters; an average is taken as a gauge only where there are none
        share = _PERCENTILES.get(metric.name)
        if share is not None and requests < 10 / (1 - share):
            continue  # a percentile of a handful of requests is one request's luck
        value = number(body, metric.path.replace("{window}", window))
        if value is not None:
            yield metric.name, value * metric.scale


def _own_gauges(body: Mapping[str, object], vocabulary: Vocabulary) -> Iterator[tuple[str, float]]:
    """What the policy says where to find."""
    for name, source in vocabulary.gauges.items():
        value = number(body, source.path)
        of = 1.0 if source.of is None else number(body, source.of)
        if value is not None and of:
            result = value / of * source.scale
            if result > LARGEST:
                raise BadReportError(f"{name} is {result:.3g}, which is no measure")
            yield name, result


def _derived(body: Mapping[str, object], gauges: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    used = gauges.get("memory_usage")
    if used is None and (megabytes := number(body, "current_metrics.memory_usage_mb")) is not None:
        used = megabytes * 1024**2
        yield "memory_usage", used
    limit = number(body, "resources.memory_limit_bytes")
    if used is not None and limit:
        yield "memory_percent", _percent("memory", used, limit)
    size = number(body, "pools.database.size")
    in_use = number(body, "pools.database.in_use")
    if size and in_use is not None:
        yield "db_pool_usage", _percent("pools.database", in_use, size)


def _waits(body: Mapping[str, object], every: int) -> Iterator[tuple[str, float]]:
    """Which per cent of the response time goes to each outside dependency: advice only, so what is no share is passed over."""
    told = find(body, "dependencies")
    window = _window(every)
    for name, one in islice(told.items() if isinstance(told, dict) else (), MOST_DEPENDENCIES):
        share = find(one, f'share."{window}"') if isinstance(one, dict) else None
        if isinstance(share, int | float) and 0 <= share <= 1:
            yield f"{DEPENDENCY}{str(name)[:LONGEST_DEPENDENCY]}", share * 100.0


def _window(every: int) -> str:
    """The shortest sliding window of a report that reaches back to the last poll."""
    return next((name for name, length in _WINDOWS.items() if length >= every), "15m")


def _percent(what: str, used: float, limit: float) -> float:
    share = used / limit * 100
    if share > _LARGEST_SHARE:
        raise BadReportError(f"{what} is {share:.3g}% of its limit, which can't be")
    return share


def _settings(body: Mapping[str, object]) -> dict[str, str]:
    settings = find(body, "instance.settings")
    if not isinstance(settings, dict):
        return {}
    told = ((str(name), _plain(value)) for name, value in settings.items() if isinstance(value, str | int | float))
    return {name: value for name, value in islice(told, MOST_SETTINGS) if len(name) + len(value) <= LONGEST_SETTING}


def _plain(value: object) -> str:
    """A value as an env variable would spell it: 5.0 and 5 are one value."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)
