"""What the health endpoint tells.

What takes long to compute, statistics over windows above all, is written once a second while the event loop turns, and told as of
then; counters and concurrency are of the moment. So it costs next to nothing to ask, however often and whoever does.
"""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app_core.gauges import DEDUPLICATION
from app_core.instance import describe, guess_plan
from app_core.ledger import ONE_MINUTE, VALUES, WINDOWS, Kind
from app_core.recommendation import recommend
from app_core.view import View

if TYPE_CHECKING:
    from app_core.instruments import Instruments

SCHEMA_VERSION = 1
_OLDEST = 1.5  # seconds that the written part may be old
_MIB = 1 << 20
_NOTHING = (0.0,) * VALUES
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class Report:
    """All numbers of one instance as JSON. Times are seconds; a statistic of no requests is null.

    Args:
        instruments: what they are measured with.
    """

    def __init__(self, instruments: "Instruments") -> None:
        self._instruments = instruments
        self._written = ""
        self._peaks: dict[str, int] = {}
        self._mean: float | None = None
        self._written_at: float | None = None  # on the instruments' clock; None while nobody writes every second

    def write(self, view: View) -> None:
        """Write what is told until this is called again, a second later."""
        self._compute(view)
        self._written_at = self._instruments.tracker.clock()

    def json(self) -> bytes:
        """The report of this moment."""
        view = self._instruments.view()
        at = self._written_at
        if at is None or self._instruments.tracker.clock() - at > _OLDEST:
            self._instruments.write_down()
            self._compute(view)
        # Two objects become one: the comma takes the place of the braces between them.
        return f"{_encode(self._of_this_moment(view))[:-1]},{self._written[1:]}".encode()

    def _compute(self, view: View) -> None:
        self._peaks = {window.name: view.peak(window) for window in WINDOWS}
        self._mean = view.statistics(ONE_MINUTE).mean
        self._written = _encode(self._of_the_last_second(view))

    def _of_this_moment(self, view: View) -> dict[str, object]:
        instruments = self._instruments
        memory_bytes, cpu_seconds = instruments.memory_bytes(view), instruments.cpu_seconds(view)
        concurrent, queued = view.concurrent, view.queued
        return {
            "schema_version": SCHEMA_VERSION,
            "timestamp": datetime.now(UTC).isoformat(),
            "current_metrics": {
                "concurrent_requests": concurrent,
                "avg_response_time": self._mean,
                "memory_usage_mb": None if memory_bytes is None else memory_bytes / _MIB,
                "request_count": view.requests,
                "error_count": view.errors,
            },
            "counters": {
                "requests_total": view.requests,
                "errors_total": view.errors,
                "shed_requests_total": view.shed,
                "response_seconds_total": view.seconds,
                "cpu_seconds_total": cpu_seconds,
            },
            "concurrency": {"running": concurrent - queued, "queued": queued, "peak": self._peaks},
            "resources": self._resources(view, memory_bytes, cpu_seconds),
            "business": instruments.gauges.read_business(),
        }

    def _resources(self, view: View, memory_bytes: int | None, cpu_seconds: float) -> dict[str, object]:
        limits = self._instruments.resources.limits
        cores = self._instruments.sampler.cpu_cores(cpu_seconds)
        return {
            "memory_used_bytes": memory_bytes,
            "memory_limit_bytes": limits.memory_bytes,
            "cpu_used_cores": cores,
            "cpu_limit_cores": limits.cpu_cores,
            "cpu_share": None if cores is None or limits.cpu_cores is None else cores / limits.cpu_cores,
            "loop_lag_seconds": view.loop_lag,
        }

    def _of_the_last_second(self, view: View) -> dict[str, object]:
        instruments = self._instruments
        config, limits = instruments.config, instruments.resources.limits
        scaling = recommend(view, config, limits, instruments.tracker.clock() - instruments.started)
        return {
            "scaling": scaling,
            "recommendations": {
                "current_instance": describe(limits),
                "suggested_action": "scale_up" if scaling["should_scale"] else "monitor",
            },
            "instance": {
                **instruments.identity._asdict(),
                "plan_guess": guess_plan(limits),
                "processes": view.processes,
                "profile": config.profile,
                "settings": config.settings(),
            },
            "service_stats": {
                **_deduplication(view),
                "memory_profile": {
                    "profile": config.profile,
                    "max_concurrent": config.max_concurrent,
                    "db_pool_size": config.db_pool_size,
                    "cache_entries": config.max_cache_entries,
                },
            },
            "windows": {window.name: view.statistics(window)._asdict() for window in WINDOWS},
            "queue": {window.name: view.queue_statistics(window)._asdict() for window in WINDOWS},
            "dependencies": _dependencies(view),
            "pools": {
                name: {"in_use": int(in_use), "size": int(size)}
                for name, (in_use, size, *_) in view.named(Kind.POOL, of_the_living=True).items()
                if size  # none of one that can't be read
            },
            "cache": _cache(view),
            "signals": {name: int(count) for name, (count, *_) in view.named(Kind.SIGNAL).items()},
        }


def _deduplication(view: View) -> dict[str, int]:
    """The seed's statistics of its deduplication service, of now."""
    now = view.named(Kind.CACHE, of_the_living=True).get(DEDUPLICATION, _NOTHING)
    entries, executions, callers = map(int, now[2:])
    return {"active_requests": executions + callers, "in_progress": executions, "cached_results": entries}


def _dependencies(view: View) -> dict[str, object]:
    """What share of the response time each of them took; of requests that wait still, only how many there are."""
    now = view.named(Kind.DEPENDENCY, of_the_living=True)
    rises = [(view.named_in(window, Kind.DEPENDENCY), view.statistics(window)) for window in WINDOWS]
    return {
        name: {
            "calls_total": int(calls),
            "failures_total": int(failures),
            "seconds_total": seconds,
            "waiting": int(now.get(name, _NOTHING)[3]),
            "share": {
                window.name: min(1.0, rise.get(name, _NOTHING)[2] / (seen.mean * seen.requests)) if seen.mean else None
                for window, (rise, seen) in zip(WINDOWS, rises, strict=True)
            },
        }
        for name, (calls, failures, seconds, *_) in view.named(Kind.DEPENDENCY).items()
    }


def _cache(view: View) -> dict[str, object]:
    now = view.named(Kind.CACHE, of_the_living=True)
    caches = {
        name: {"hits_total": int(hits), "lookups_total": int(lookups), "entries": int(now.get(name, _NOTHING)[2])}
        for name, (hits, lookups, *_) in view.named(Kind.CACHE).items()
    }
    sums = {key: sum(each[key] for each in caches.values()) for key in ("hits_total", "lookups_total", "entries")}
    return {**sums, "caches": caches}
