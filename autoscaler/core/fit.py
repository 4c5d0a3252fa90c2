"""Whether the peaks that were seen fit a smaller tier (design, Deciding 9)."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

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

    @property
    def mean(self) -> float | None:
        """Cores used on average."""
        return None if self.cpu_seconds is None or self.seconds <= 0 else self.cpu_seconds / self.seconds

    @property
    def seen(self) -> int:
        """How much of it was watched, ms."""
        return round(self.seconds * 1000)


class _Needs(NamedTuple):
    """The peaks: memory of one instance, cores and requests of all together; None where nobody told."""

    memory: float | None
    cores: float | None
    concurrency: float | None


class _Maximum:
    """The largest value of the buckets in the window; the oldest first, each smaller than the one before."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: deque[tuple[int, float]] = deque()

    def add(self, start: int, value: float | None) -> None:
        """A bucket that is over; None where nobody told."""
        if value is not None:
            while self._values and self._values[-1][1] <= value:
                self._values.pop()
            self._values.append((start, value))

    def drop(self, start: int) -> None:
        """The oldest bucket has left the window."""
        if self._values and self._values[0][0] == start:
            self._values.popleft()

    def value(self, newest: float | None) -> float | None:
        """With the bucket that is not over."""
        over = self._values[0][1] if self._values else None
        return newest if over is None or (newest is not None and newest > over) else over


class Peaks:
    """What the service needed at most: memory and concurrency (max), CPU (95th percentile of 5-minute means), over a trailing window.

    Of the buckets that are over the maxima and the sorted means are kept, so that asking costs the same whatever the window.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self._step = max(1, min(5 * MINUTE, window // 12))
        self._buckets: deque[_Bucket] = deque()
        self._turns_at = 0
        """Until then no bucket begins, and none leaves the window."""
        self._memory, self._concurrency = _Maximum(), _Maximum()
        self._means: list[float] = []
        self._seen = 0
        """How much the buckets that are over have seen, ms."""

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
            if self._buckets:
                self._close(self._buckets[-1])
            self._buckets.append(_Bucket(start))
        while self._buckets[0].start + self._step <= at - self.window:
            self._drop(self._buckets.popleft())
        self._turns_at = self._step + min(start, self._buckets[0].start + self.window)

    def _close(self, bucket: _Bucket) -> None:
        self._memory.add(bucket.start, bucket.memory)
        self._concurrency.add(bucket.start, bucket.concurrency)
        if (mean := bucket.mean) is not None:
            insort(self._means, mean)
        self._seen += bucket.seen

    def _drop(self, bucket: _Bucket) -> None:
        self._memory.drop(bucket.start)
        self._concurrency.drop(bucket.start)
        if (mean := bucket.mean) is not None:
            del self._means[bisect_left(self._means, mean)]
        self._seen -= bucket.seen

    def misfits(self, smaller: Tier, headroom: float, since: int = 0) -> tuple[Misfit, ...]:
        """What of the peaks since then (ms) would not leave `headroom` (a share) free on the smaller tier; empty when all fits."""
        if not self._buckets:
            return ()
        begun = self._buckets[0].start
        needs = self._peaks()
        if since >= begun + self._step:
            recent = [bucket for bucket in self._buckets if bucket.start + self._step > since]
            if not recent:
                return ()
            begun, needs = recent[0].start, _peaks(recent)
        return tuple(
            Misfit(METRICS[name], peak, allowed, begun)
            for name, peak, allowed in _needs(needs, smaller, 1 - headroom)
            if peak is not None and peak > allowed
        )

    def note(self, smaller: Tier) -> str:
        """What the fit rests on, when that is less than the policy asks for; empty when it is enough.

        Time in which nobody looked, or the app was starting, is no history.
        """
        seen = self._seen + (self._buckets[-1].seen if self._buckets else 0)
        notes = [
            f"nobody told its {name}"
            for name, peak, _ in _needs(self._peaks(), smaller, 1.0)
            if peak is None and name != "cpu_percent"  # the seed's endpoint never tells it
        ]
        if seen < self.window - min(self.window // 10, DAY):
            notes.insert(0, f"only {format_duration(seen)} of {format_duration(self.window)} history")
        return ", ".join(notes)

    def _peaks(self) -> _Needs:
        """Of all buckets."""
        newest = self._buckets[-1] if self._buckets else _Bucket(0)
        means, mean = self._means, newest.mean
        if mean is None:
            cores = means[_rank(len(means))] if means else None
        else:
            place, rank = bisect_left(means, mean), _rank(len(means) + 1)
            cores = mean if rank == place else means[rank] if rank < place else means[rank - 1]
        return _Needs(self._memory.value(newest.memory), cores, self._concurrency.value(newest.concurrency))


def _peaks(buckets: Sequence[_Bucket]) -> _Needs:
    """Of a few buckets."""
    means = sorted(bucket.mean for bucket in buckets if bucket.mean is not None)
    return _Needs(
        max((bucket.memory for bucket in buckets if bucket.memory is not None), default=None),
        means[_rank(len(means))] if means else None,
        max((bucket.concurrency for bucket in buckets if bucket.concurrency is not None), default=None),
    )


def _rank(count: int) -> int:
    """Where the 95th percentile of so many stands."""
    return ceil(count * 0.95) - 1


def _needs(peaks: _Needs, smaller: Tier, room: float) -> Iterator[tuple[str, float | None, float]]:
    """Each metric's peak as it would be on one instance of the smaller tier, and what that bears."""
    yield "memory_usage", peaks.memory, smaller.size.memory * room
    percent = None if peaks.cores is None else peaks.cores / smaller.instances / smaller.size.cpu * 100
    yield "cpu_percent", percent, 100 * room
    limit = smaller.env.get(CONCURRENCY_LIMIT, "")
    if limit.isdecimal():
        peak = None if peaks.concurrency is None else peaks.concurrency / smaller.instances
        yield "concurrent_requests", peak, int(limit) * room
