"""Whether the peaks that were seen fit a smaller tier (design, Deciding 9)."""

from collections import deque
from dataclasses import dataclass
from math import ceil

from autoscaler.core.durations import DAY, MINUTE, format_duration
from autoscaler.core.metrics import METRICS, Metric
from autoscaler.core.observations import Reading
from autoscaler.core.policy import Tier

CONCURRENCY_LIMIT = "MAX_CONCURRENT"
"""The env variable, by the seed's name, that says how many requests a tier admits at once."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing that the smaller tier has too little of."""

    metric: Metric
    peak: float
    allowed: float
    since: int
    """How far back we looked, ms UTC."""


@dataclass(slots=True)
class _Bucket:
    start: int
    memory: float = 0.0
    concurrency: float = 0.0
    cpu_seconds: float = 0.0
    seconds: float = 0.0


class Peaks:
    """What the service needed at most: memory and concurrency (max), CPU (95th percentile of 5-minute means), over a trailing window."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._step = max(1, min(5 * MINUTE, window // 12))
        self._buckets: deque[_Bucket] = deque()

    def add(self, reading: Reading) -> None:
        """One unmasked reading."""
        start = reading.at - reading.at % self._step
        if not self._buckets or self._buckets[-1].start != start:
            self._buckets.append(_Bucket(start))
        while self._buckets[0].start + self._step <= reading.at - self._window:
            self._buckets.popleft()
        bucket = self._buckets[-1]
        bucket.memory = max(bucket.memory, reading.gauges.get("memory_usage", 0.0))
        bucket.concurrency = max(bucket.concurrency, reading.gauges.get("concurrent_requests", 0.0))
        bucket.cpu_seconds += reading.increases.get("cpu_seconds", 0.0)
        bucket.seconds += reading.increases.get("seconds", 0.0)

    @property
    def since(self) -> int | None:
        """The oldest reading that still counts."""
        return self._buckets[0].start if self._buckets else None

    def misfits(self, smaller: Tier, headroom: float) -> tuple[Misfit, ...]:
        """What of the peaks would not leave `headroom` (a share) free on the smaller tier; empty when all fits."""
        if not self._buckets:
            return ()
        room = 1 - headroom
        needs = [
            ("memory_usage", max(bucket.memory for bucket in self._buckets), smaller.size.memory * room),
            ("cpu_percent", self._cpu() / smaller.size.cpu * 100, 100 * room),
        ]
        limit = smaller.env.get(CONCURRENCY_LIMIT, "")
        if limit.isdigit():
            peak = max(bucket.concurrency for bucket in self._buckets)
            needs.append(("concurrent_requests", peak, int(limit) * smaller.instances * room))
        return tuple(
            Misfit(METRICS[name], peak, allowed, self._buckets[0].start)
            for name, peak, allowed in needs
            if peak > allowed
        )

    def _cpu(self) -> float:
        """Cores, the 95th percentile over the buckets' means."""
        means = sorted(bucket.cpu_seconds / bucket.seconds for bucket in self._buckets if bucket.seconds > 0)
        return means[ceil(len(means) * 0.95) - 1] if means else 0.0


def history_note(since: int | None, now: int, window: int) -> str:
    """How much history the fit rests on, when that is less than the policy asks for; empty when it is enough."""
    seen = now - since if since is not None else 0
    if seen >= window - min(window // 10, DAY):
        return ""
    return f"only {format_duration(seen)} of {format_duration(window)} history"
