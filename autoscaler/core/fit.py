"""Whether the peaks that were seen fit a smaller tier (design, Deciding 9)."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from math import ceil, inf

from autoscaler.core.durations import DAY, MINUTE, format_duration
from autoscaler.core.metrics import CONCURRENCY_LIMIT, METRICS, Metric
from autoscaler.core.observations import Reading
from autoscaler.core.policy import Tier


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing that the smaller tier has too little of."""

    metric: Metric
    peak: float
    allowed: float
    since: int
    """How far back we looked, ms UTC."""


class _Highest:
    """The highest value of each trailing time within the window: only what is higher than all that came after it is kept."""

    __slots__ = ("_falling", "now")

    def __init__(self) -> None:
        self._falling: deque[tuple[int, float]] = deque()
        self.now = -inf
        """The highest of the bucket that is open."""

    def rise(self, start: int, value: float) -> None:
        """A value above all others of the bucket that began at `start`."""
        self.now = value
        while self._falling and self._falling[-1][1] <= value:
            self._falling.pop()
        self._falling.append((start, value))

    def slide(self, first: int) -> None:
        """Another bucket opens; those that began before `first` are gone."""
        self.now = -inf
        while self._falling and self._falling[0][0] < first:
            self._falling.popleft()

    def since(self, start: int) -> float | None:
        """The highest of the buckets that began then or later."""
        for begun, value in self._falling:
            if begun >= start:
                return value
        return None


@dataclass(slots=True)
class _Bucket:
    """Of all instances, as one of them told; None where it did not."""

    start: int
    cpu_seconds: float | None = None
    seconds: float = 0.0

    @property
    def cores(self) -> float | None:
        """The mean."""
        return None if self.cpu_seconds is None or self.seconds <= 0 else self.cpu_seconds / self.seconds

    @property
    def length(self) -> int:
        """How much of it was seen, ms."""
        return round(self.seconds * 1000)


class Peaks:
    """What the service needed at most: memory and concurrency (max), CPU (95th percentile of 5-minute means), over a trailing window.

    Memory is that of one instance, the others are those of all. Asking costs the same whatever the window.
    """

    __slots__ = ("_buckets", "_concurrency", "_cores", "_memory", "_seen", "_step", "_turns_at", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self._step = max(1, min(5 * MINUTE, window // 12))
        self._buckets: deque[_Bucket] = deque()
        self._turns_at = 0
        """Until then no bucket begins, and none leaves the window."""
        self._memory, self._concurrency = _Highest(), _Highest()
        self._cores: list[float] = []
        """The means of all buckets but the open one, sorted."""
        self._seen = 0
        """How much of them was seen, ms."""

    def add(self, reading: Reading, instances: int) -> None:
        """One unmasked reading, of one of so many instances that share the load."""
        gauges, increases = reading.gauges, reading.increases
        if reading.at >= self._turns_at:
            self._slide(reading.at)
        bucket = self._buckets[-1]
        memory = gauges.get("memory_usage")
        if memory is not None and memory > self._memory.now:
            self._memory.rise(bucket.start, memory)
        concurrency = gauges.get("concurrent_requests")
        if concurrency is not None and concurrency * instances > self._concurrency.now:
            self._concurrency.rise(bucket.start, concurrency * instances)
        cpu_seconds = increases.get("cpu_seconds")
        if cpu_seconds is not None:
            bucket.cpu_seconds = (bucket.cpu_seconds or 0.0) + cpu_seconds * instances
        bucket.seconds += increases.get("seconds", 0.0)

    def _slide(self, at: int) -> None:
        """Begin a bucket, and let go of those that left the window."""
        start = at - at % self._step
        buckets = self._buckets
        if not buckets or buckets[-1].start != start:
            if buckets:
                self._seen += buckets[-1].length
                if (cores := buckets[-1].cores) is not None:
                    insort(self._cores, cores)
            buckets.append(_Bucket(start))
        while buckets[0].start + self._step <= at - self.window:
            gone = buckets.popleft()
            self._seen -= gone.length
            if (cores := gone.cores) is not None:
                del self._cores[bisect_left(self._cores, cores)]
        self._turns_at = self._step + min(start, buckets[0].start + self.window)
        for highest in (self._memory, self._concurrency):
            highest.slide(buckets[0].start)

    def misfits(self, smaller: Tier, headroom: float, since: int = 0) -> tuple[Misfit, ...]:
        """What of the peaks since then (ms) would not leave `headroom` (a share) free on the smaller tier; empty when all fits."""
        if not self._buckets:
            return ()
        first = max(self._buckets[0].start, since - since % self._step)
        return tuple(
            Misfit(METRICS[name], peak, allowed, first)
            for name, peak, allowed in self._needs(first, smaller, 1 - headroom)
            if peak is not None and peak > allowed
        )

    def note(self, smaller: Tier) -> str:
        """What the fit rests on, when that is less than the policy asks for; empty when it is enough.

        Time in which nobody looked, or the app was starting, is no history.
        """
        notes = [
            f"nobody told its {name}"
            for name, peak, _ in self._needs(0, smaller, 1.0)
            if peak is None and name != "cpu_percent"  # the seed's endpoint never tells it
        ]
        if not self._is_enough:
            notes.insert(0, f"only {format_duration(self._history)} of {format_duration(self.window)} history")
        return ", ".join(notes)

    def outcome(self, smaller: Tier, headroom: float) -> tuple[bool | None, ...]:
        """For each thing needed whether it fits, and whether that rests on enough: as long as this is the same, so is what is asked.

        A rehearsal asks with each sample, so this is all it gets.
        """
        needs = self._needs(0, smaller, 1 - headroom)
        return (self._is_enough, *[None if peak is None else peak <= allowed for _, peak, allowed in needs])

    @property
    def _history(self) -> int:
        """How much of the window was seen, ms."""
        return self._seen + (self._buckets[-1].length if self._buckets else 0)

    @property
    def _is_enough(self) -> bool:
        return self._history >= self.window - min(self.window // 10, DAY)

    def _needs(self, first: int, smaller: Tier, room: float) -> Iterator[tuple[str, float | None, float]]:
        """Each metric's peak as it would be on one instance of the smaller tier, and what that bears."""
        yield "memory_usage", self._memory.since(first), smaller.size.memory * room
        cores = self._highest_cores(first)
        percent = None if cores is None else cores / smaller.instances / smaller.size.cpu * 100
        yield "cpu_percent", percent, 100 * room
        limit = smaller.env.get(CONCURRENCY_LIMIT, "")
        if limit.isdecimal():
            requests = self._concurrency.since(first)
            yield "concurrent_requests", None if requests is None else requests / smaller.instances, int(limit) * room

    def _highest_cores(self, first: int) -> float | None:
        """The 95th percentile over the means of the buckets that began at `first` or later."""
        if not self._buckets:
            return None
        means = self._cores
        if first > self._buckets[0].start:
            later = takewhile(lambda bucket: bucket.start >= first, reversed(self._buckets))
            means = sorted(
                cores for bucket in later if bucket is not self._buckets[-1] and (cores := bucket.cores) is not None
            )
        now = self._buckets[-1].cores
        count = len(means) + (now is not None)
        if not count:
            return None
        place = ceil(count * 0.95) - 1
        if now is None:
            return means[place]
        at_least = means[place - 1] if place else -inf
        at_most = means[place] if place < len(means) else inf
        return min(max(now, at_least), at_most)  # where the open bucket's mean would stand among the others
