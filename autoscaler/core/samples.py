"""What Render measures of a service by itself, minute by minute, as evidence: for services whose app tells nothing.

Render's numbers come late and nobody says how late, its HTTP numbers are missing for workers and for idle minutes alike, and
of response times it knows percentiles only. So a minute counts when it is over, the newest may be shown again for a while,
and what Render does not say is a gap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from autoscaler.core.durations import MINUTE, format_duration
from autoscaler.core.metrics import BUILT_IN, Kind, Source, Vocabulary
from autoscaler.core.observations import Miss, Missed, Reading
from autoscaler.core.readings import read

STEP = MINUTE
"""What one sample stands for, ms: Render's own finest but one."""
STALE = 5 * MINUTE
"""A newest sample that is older tells nothing of now."""
QUANTILES: Mapping[str, float] = MappingProxyType(
    {"p50_response_time": 0.5, "p95_response_time": 0.95, "p99_response_time": 0.99}
)
_GAUGES = ("cpu_percent", "memory_usage", "memory_percent", *QUANTILES)
MEASURED = frozenset({*_GAUGES, "error_rate", "request_rate"})
"""The metrics that Render's own numbers can answer."""
SEEN = frozenset({"oom_kills", "server_failed"})
"""Those that its events answer, for every service."""
_VOCABULARY = Vocabulary(BUILT_IN.by_name, gauges={name: Source(name) for name in _GAUGES})


@dataclass(frozen=True, slots=True)
class Sample:
    """One span of one service, all its instances together; None is what Render does not say. Times in ms UTC."""

    at: int
    """When its time begins."""
    span: int = STEP
    """For how long it stands, ms: a minute, or more where history is read coarsely."""
    cpu: float | None = None
    """Cores that the busiest instance used."""
    cpu_limit: float | None = None
    """Cores that an instance had: those of the plan that ran."""
    memory: float | None = None
    """Bytes, of the largest instance."""
    memory_limit: float | None = None
    requests: float | None = None
    errors: float = 0.0
    """Requests that were answered with a 5xx."""
    latency: Mapping[str, float] = field(default_factory=dict)
    """Response times in seconds, by the name of the metric."""


def measured(samples: Sequence[Sample], at: int, previous: Reading | None, every: int) -> Reading | Missed:
    """The evidence at `at` of the samples since the last reading, oldest first. Old and missing samples are a miss."""
    newest = samples[-1] if samples else None
    if newest is None:
        return Missed(at, Miss.FROZEN, "Render has no metrics of it: is it running?")
    age = at - newest.at - newest.span
    if age > STALE:
        return Missed(at, Miss.FROZEN, f"Render's newest metrics are {format_duration(age)} old")
    seen = read(_report(newest), at, previous, every, _VOCABULARY)
    if not isinstance(seen, Reading):
        return seen
    is_joined = previous is not None and at - previous.at <= max(5 * every, STALE)
    increases = (
        _risen([sample for sample in samples if sample.at > previous.timestamp]) if previous and is_joined else {}
    )
    return replace(seen, timestamp=newest.at, increases=increases, idle=increases.get("requests") == 0)


def _report(newest: Sample) -> dict[str, object]:
    """The same as an endpoint would tell it."""
    told: dict[str, object] = {"memory_usage": newest.memory}
    if newest.cpu is not None and newest.cpu_limit:
        told["cpu_percent"] = newest.cpu / newest.cpu_limit * 100
    if newest.memory is not None and newest.memory_limit:
        told["memory_percent"] = newest.memory / newest.memory_limit * 100
    requests = newest.requests or 0.0
    return told | {name: value for name, value in newest.latency.items() if requests >= 10 / (1 - QUANTILES[name])}


def _risen(new: Sequence[Sample]) -> dict[str, float]:
    """What was counted in the minutes that the last reading had not; nothing, where Render says nothing of requests."""
    counted = [sample for sample in new if sample.requests is not None]
    if not counted:
        return {}
    requests = sum(sample.requests or 0.0 for sample in counted)
    errors = sum(sample.errors for sample in counted)
    return {"seconds": sum(sample.span for sample in counted) / 1000, "requests": requests, "errors": errors}


def why_unknown(name: str, kind: Kind) -> str | None:
    """Why a service without a health endpoint can't be judged by this metric, or None: Render, or people, can say it."""
    if name in MEASURED | SEEN or kind is Kind.BUSINESS or (kind is Kind.COUNTED and name != "poll_timeouts"):
        return None
    if name == "avg_response_time":
        return "of response times Render knows percentiles only: write p95_response_time"
    if name in {"unreachable", "stalled", "poll_timeouts"}:
        return "that is seen by polling the app, and there is no endpoint to poll"
    return "only the app itself knows that"
