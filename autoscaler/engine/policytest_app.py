"""The app of a policy test: what its series say becomes reports in the shape of `app_core`, which are read like any other.

Ratios are derived: the totals rise so that what is pooled over any time is what the series say.
"""

import math
from bisect import insort
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

from autoscaler.core.durations import DAY
from autoscaler.core.metrics import BUILT_IN, Kind, Metric, Source, Vocabulary
from autoscaler.core.observations import Miss, Missed, Reading
from autoscaler.core.policy import Policy, Tier
from autoscaler.core.readings import DEPENDENCY, read
from autoscaler.policyfile.cases_check import POLLS, REQUESTS, Script
from autoscaler.policyfile.series import Lost, Sample, Series

LOOKUPS = 100.0
"""Between two polls, for ratios of other things than requests, such as the cache's."""
_WINDOWS = ("10s", "1m", "5m", "15m")
_TOTALS = {
    "requests": ("counters", "requests_total"),
    "errors": ("counters", "errors_total"),
    "response_seconds": ("counters", "response_seconds_total"),
    "cpu_seconds": ("counters", "cpu_seconds_total"),
    "cache_hits": ("cache", "hits_total"),
    "cache_lookups": ("cache", "lookups_total"),
}
"""Where a report of `app_core` has the counters that the built-in ratios are made of."""
_OWN = "own"
"""Under which key a test's report has what its policy looks for elsewhere."""
_PERCENTILES = {"p50_response_time": 20, "p95_response_time": 200, "p99_response_time": 1000}
"""How many requests each rests on at least; so many there are in a window unless the test says how many."""
_POOL_SIZE = 100.0


class App:
    """Polled in order: what it shows at each poll, and how the poll goes."""

    def __init__(self, script: Script, policy: Policy) -> None:
        self._policy = policy
        self._every = script.every
        self._samples = {name: _following(series, script.every) for name, series in script.series.items()}
        self._vocabulary = _vocabulary(policy)
        self._totals: dict[str, float] = {}
        self._restarts: list[tuple[int, str]] = []
        self._process = (script.start.at - DAY, "srv-test-1")
        self._previous: Reading | None = None
        self._body: Mapping[str, object] | None = None
        self._seconds = script.every / 1000
        """Since the last good report."""
        self._warm_up(script)

    def restart(self, at: int, instance: str) -> None:
        """From `at` on (ms UTC) another process answers."""
        insort(self._restarts, (at, instance))

    def poll(self, at: int, tier: Tier) -> Reading | Missed | None:
        """The next poll, on that tier; None when nobody looks."""
        shown = {name: sample for name, samples in self._samples.items() if (sample := next(samples, None)) is not None}
        numbers = {name: sample for name, sample in shown.items() if not isinstance(sample, Lost)}
        lost = [sample for sample in (shown.get(POLLS), *shown.values()) if isinstance(sample, Lost)]
        if not lost:
            self._body = self._report(at, numbers, tier)
        seen = self._missed(at, lost[0]) if lost and not self._is_stale(lost[0]) else self._read(at)
        self._seconds = self._every / 1000 + (0.0 if isinstance(seen, Reading) else self._seconds)
        return seen

    def _is_stale(self, lost: Lost) -> bool:
        return lost.reason is Miss.FROZEN and self._body is not None

    def _missed(self, at: int, lost: Lost) -> Missed | None:
        if lost.reason is None:
            return None
        health = self._policy.service.health
        timeout = health.timeout if health and lost.reason is Miss.TIMED_OUT else None
        return Missed(at, lost.reason, lost.detail, timeout)

    def _read(self, at: int) -> Reading | Missed:
        assert self._body is not None  # noqa: S101 - `poll` made it, or found that there is one to repeat
        seen = read(self._body, at, self._previous, self._every, self._vocabulary)
        if isinstance(seen, Reading):
            self._previous = seen
        return seen

    def _warm_up(self, script: Script) -> None:
        """It runs when the test begins: the first poll has a report to count from."""
        before = script.start.at - script.every
        tier = self._policy.tier(script.tier)
        assert tier is not None  # noqa: S101 - `cases_check` looked
        self._body = self._report(before, {}, tier)
        self._read(before)
        self._body = None

    def _report(self, at: int, shown: Mapping[str, float], tier: Tier) -> Mapping[str, object]:
        self._begin_anew(at)
        stalled = shown.get("stalled", 0.0) > 0
        requests = 0.0 if stalled else self._requests(shown)
        begun, instance = self._process
        body: dict[str, Any] = {
            "timestamp": _iso(at),
            "current_metrics": {},
            "instance": {"id": instance, "started_at": _iso(begun)},
            "concurrency": {"running": int(stalled), "queued": 0, "peak": {}},
            "windows": {window: {"requests": requests} for window in _WINDOWS},
            "resources": _resources(shown, tier),
            _OWN: {},
        }
        counters = () if shown else (*_TOTALS, *self._vocabulary.counters)  # the one before the first has them all
        self._count(body, dict.fromkeys(counters, 0.0) | {"requests": requests})
        for name, value in shown.items():
            if name.startswith(DEPENDENCY):
                share = dict.fromkeys(_WINDOWS, value / 100)
                body.setdefault("dependencies", {})[name.removeprefix(DEPENDENCY)] = {"share": share}
            metric = self._policy.vocabulary.by_name.get(name)
            if metric is not None:
                self._tell(body, metric, value, tier, requests)
        return body

    def _begin_anew(self, at: int) -> None:
        while self._restarts and self._restarts[0][0] <= at:
            self._process = self._restarts.pop(0)
            self._totals = {}

    def _requests(self, shown: Mapping[str, float]) -> float:
        """Since the last report: as the test says, else as many as a condition or a percentile rests on."""
        rate = shown.get("request_rate")
        if rate is not None:
            return rate * self._seconds
        percentiles = [_PERCENTILES[name] for name in shown if name in _PERCENTILES]
        return shown.get(REQUESTS, float(max(1, self._policy.evidence.min_requests, *percentiles)))

    def _tell(self, body: dict[str, Any], metric: Metric, value: float, tier: Tier, requests: float) -> None:
        """Put one value where the reader looks for it."""
        if metric.name in self._vocabulary.gauges:
            body[_OWN][metric.name] = value
        elif metric.kind is Kind.RATIO and metric.over and metric.under:
            self._share(body, metric.over, metric.under, value / metric.scale, requests)
        elif metric.name == "cpu_percent":
            self._count(body, {"cpu_seconds": value / 100 * tier.size.cpu * self._seconds})
        elif metric.name == "db_pool_usage":
            body["pools"] = {"database": {"size": _POOL_SIZE, "in_use": value / 100 * _POOL_SIZE}}
        elif metric.path is not None:
            for window in _WINDOWS:
                _put(body, metric.path.partition(" ")[0].replace("{window}", window), value / metric.scale)

    def _share(self, body: dict[str, Any], over: str, under: str, value: float, requests: float) -> None:
        if under == "requests":
            self._count(body, {over: value * requests})
        elif under != "seconds":
            self._count(body, {over: value * LOOKUPS, under: LOOKUPS})
        elif over != "requests":
            self._count(body, {over: value * self._seconds})

    def _count(self, body: dict[str, Any], risen: Mapping[str, float]) -> None:
        """Raise totals; one that is no number is told, and not kept."""
        for name, by in risen.items():
            total = self._totals.get(name, 0.0) + by
            if not math.isnan(total):
                self._totals[name] = total
            section, key = _TOTALS.get(name, (_OWN, name))
            body.setdefault(section, {})[key] = total


def _following(series: tuple[Series, ...], every: int) -> Iterator[Sample]:
    """The test's own series, and where that has ended what the file says of the same poll; then nothing."""
    own, *common = series
    after = (islice(one.samples(every), own.length(every), None) for one in common)
    return chain(own.samples(every), *after)


def _vocabulary(policy: Policy) -> Vocabulary:
    """The policy's own metrics, at the places where a test's report has them."""
    known = policy.vocabulary
    if not known.is_own:
        return BUILT_IN
    parts = {
        part for metric in known.by_name.values() if metric.kind is Kind.RATIO for part in (metric.over, metric.under)
    }
    return Vocabulary(
        known.by_name,
        gauges={name: Source(f'{_OWN}."{name}"') for name in known.gauges},
        counters={part: Source(f'{_OWN}."{part}"') for part in parts - {*_TOTALS, "seconds", None} if part},
    )


def _resources(shown: Mapping[str, float], tier: Tier) -> dict[str, float]:
    """Memory in bytes and as a share of its limit are told by two numbers: where a test gives both shares, the limit follows."""
    limit = float(tier.size.memory)
    used, percent = shown.get("memory_usage"), shown.get("memory_percent")
    if used is not None and percent:
        limit = used / percent * 100
    elif used is None and percent is not None:
        used = percent / 100 * limit
    resources = {"memory_limit_bytes": limit, "cpu_limit_cores": float(tier.size.cpu)}
    return resources if used is None else resources | {"memory_used_bytes": used}


def _put(body: dict[str, Any], path: str, value: float) -> None:
    *sections, key = (step.strip('"') for step in path.split("."))
    for section in sections:
        body = body.setdefault(section, {})
    body[key] = value


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()
