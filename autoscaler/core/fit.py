"""Whether the peaks that were seen fit a smaller tier (design, Deciding 9)."""

from collections import deque
from collections.abc import Iterable, Iterator
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
    """`cpu_seconds` and `concurrency` are those of all instances, `memory` is that of one; None where nobody told."""

    start: int
    memory: float | None = None
    concurrency: float | None = None
    cpu_seconds: float | None = None
    seconds: float = 0.0


class Peaks:
    """What the service needed at most: memory and concurrency (max), CPU (95th percentile of 5-minute means), over a trailing window."""

    def __init__(self, window: int) -> None:
        self.window = window
        self._step = max(1, min(5 * MINUTE, window // 12))
        self._buckets: deque[_Bucket] = deque()
        self._turns_at = 0
        """Until then no bucket begins, and none leaves the window."""

    def add(self, reading: Reading, instances: int) -> None:
        """One unmasked reading, of one of so many instances that share the load."""
        at, gauges, increases = reading.at, reading.gauges, reading.increases
        if at >= self._turns_at:
            self._slide(at)
        bucket = self._buckets[-1]
        memory = gauges.get("memory_usage")
        if memory is not None and (bucket.memory is None or memory > bucket.memory):
            bucket.memory = memory
        concurrency = gauges.get("concurrent_requests")
        if concurrency is not None and (bucket.concurrency is None or concurrency * instances > bucket.concurrency):
            bucket.concurrency = concurrency * instances
        cpu_seconds = increases.get("cpu_seconds")
        if cpu_seconds is not None:
            bucket.cpu_seconds = (bucket.cpu_seconds or 0.0) + cpu_seconds * instances
        bucket.seconds += increases.get("seconds", 0.0)

    def _slide(self, at: int) -> None:
        """Begin a bucket, and let go of those that left the window."""
        start = at - at % self._step
        if not self._buckets or self._buckets[-1].start != start:
            self._buckets.append(_Bucket(start))
        while self._buckets[0].start + self._step <= at - self.window:
            self._buckets.popleft()
        self._turns_at = self._step + min(start, self._buckets[0].start + self.window)

    def misfits(self, smaller: Tier, headroom: float, since: int = 0) -> tuple[Misfit, ...]:
        """What of the peaks since then (ms) would not leave `headroom` (a share) free on the smaller tier; empty when all fits."""
        buckets = [bucket for bucket in self._buckets if bucket.start + self._step > since]
        return tuple(
            Misfit(METRICS[name], peak, allowed, buckets[0].start)
            for name, peak, allowed in self._needs(buckets, smaller, 1 - headroom)
            if peak is not None and peak > allowed
        )

    def note(self, smaller: Tier) -> str:
        """What the fit rests on, when that is less than the policy asks for; empty when it is enough.

        Time in which nobody looked, or the app was starting, is no history.
        """
        seen = round(sum(bucket.seconds for bucket in self._buckets) * 1000)
        notes = [
            f"nobody told its {name}"
            for name, peak, _ in self._needs(self._buckets, smaller, 1.0)
            if peak is None and name != "cpu_percent"  # the seed's endpoint never tells it
        ]
        if seen < self.window - min(self.window // 10, DAY):
            notes.insert(0, f"only {format_duration(seen)} of {format_duration(self.window)} history")
        return ", ".join(notes)

    def _needs(
        self, buckets: Iterable[_Bucket], smaller: Tier, room: float
    ) -> Iterator[tuple[str, float | None, float]]:
        """Each metric's peak as it would be on one instance of the smaller tier, and what that bears."""
        memory = [bucket.memory for bucket in buckets if bucket.memory is not None]
        yield "memory_usage", max(memory, default=None), smaller.size.memory * room
        cores = _cores(buckets)
        percent = None if cores is None else cores / smaller.instances / smaller.size.cpu * 100
        yield "cpu_percent", percent, 100 * room
        limit = smaller.env.get(CONCURRENCY_LIMIT, "")
        if limit.isdecimal():
            requests = [bucket.concurrency for bucket in buckets if bucket.concurrency is not None]
            peak = max(requests) / smaller.instances if requests else None
            yield "concurrent_requests", peak, int(limit) * room


def _cores(buckets: Iterable[_Bucket]) -> float | None:
    """Of all instances: the 95th percentile over the buckets' means."""
    means = sorted(
        bucket.cpu_seconds / bucket.seconds
        for bucket in buckets
        if bucket.cpu_seconds is not None and bucket.seconds > 0
    )
    return means[ceil(len(means) * 0.95) - 1] if means else None
