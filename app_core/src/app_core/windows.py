"""Statistics over sliding time windows, at constant memory.

Every total (requests, errors, seconds, one histogram) only ever grows. A window keeps the totals as they stood at the start of
each of its time slices and subtracts the oldest from those of now, so a request costs one increment however many windows there are.
Only what cannot be subtracted, the longest response and the highest concurrency, is kept slice by slice.
"""

import math
from array import array
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from itertools import accumulate
from operator import sub
from typing import NamedTuple

# Bins that grow by a tenth, from 1 ms to a little over 10 minutes; a quantile is right to within one bin, so to within 10 %.
BIN_GROWTH = 1.1
BIN_BOUNDS: tuple[float, ...] = tuple(0.001 * BIN_GROWTH**power for power in range(141))


def empty_histogram() -> "array[int]":
    """A count for each bin; the last one holds what is beyond the last bound."""
    return array("Q", bytes(8 * (len(BIN_BOUNDS) + 1)))


@dataclass(frozen=True, slots=True)
class Totals:
    """What has happened since the start, at one moment. Seconds are response time; memory is a sum over `memory_samples` readings."""

    requests: int
    errors: int
    seconds: float
    histogram: "array[int]"
    memory_bytes: int
    memory_samples: int


class WindowStatistics(NamedTuple):
    """What one window saw. All times are seconds; a statistic of no requests is None."""

    seconds: int
    requests: int
    errors: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


class Window:
    """A sliding window of `slices` whole slices and the one under way: it never covers less than its length, and at most one slice more.

    Args:
        name: what the report calls it, such as `5m`.
        slice_seconds: whole seconds in one slice.
        slices: slices in the window's length.
        start: the totals when the window is made.
    """

    __slots__ = ("_longest", "_starts", "name", "peaks", "slice_seconds", "slices")

    def __init__(self, name: str, slice_seconds: int, slices: int, start: Totals) -> None:
        self.name = name
        self.slice_seconds = slice_seconds
        self.slices = slices
        kept = slices + 1
        self._starts = deque([start], maxlen=kept)
        self._longest = deque([0.0], maxlen=kept)
        self.peaks = deque([0], maxlen=kept)  # highest concurrency of each slice, oldest first

    @property
    def seconds(self) -> int:
        """The length that the window never falls short of."""
        return self.slice_seconds * self.slices

    def absorb(self, longest: float, peak: int) -> None:
        """Take up what the second that just ended saw, before the slices move on."""
        self._longest[-1] = max(self._longest[-1], longest)
        self.peaks[-1] = max(self.peaks[-1], peak)

    def advance(self, slices: int, totals: Totals, concurrent: int) -> None:
        """Begin so many new slices; nothing finished in those skipped, and `concurrent` requests ran through them."""
        for _ in range(min(slices, self.slices + 1)):
            self._starts.append(totals)
            self._longest.append(0.0)
            self.peaks.append(concurrent)

    def peak(self, current: int) -> int:
        """The highest concurrency in the window, `current` being that of the second under way."""
        return max(current, *self.peaks)

    def mean(self, now: Totals) -> float | None:
        """Seconds a response took on average."""
        start = self._starts[0]
        requests = now.requests - start.requests
        return (now.seconds - start.seconds) / requests if requests else None

    def mean_memory(self, now: Totals) -> float | None:
        """Bytes in use on average over the samples in the window."""
        start = self._starts[0]
        samples = now.memory_samples - start.memory_samples
        return (now.memory_bytes - start.memory_bytes) / samples if samples else None

    def statistics(self, now: Totals, longest: float) -> WindowStatistics:
        """The window's numbers, `longest` being the longest response of the second under way."""
        start = self._starts[0]
        requests, errors = now.requests - start.requests, now.errors - start.errors
        if not requests:
            return WindowStatistics(self.seconds, requests, errors, None, None, None, None, None)
        longest = max(longest, *self._longest)
        cumulative = list(accumulate(map(sub, now.histogram, start.histogram)))
        p50, p95, p99 = (quantile(cumulative, share, longest) for share in (0.5, 0.95, 0.99))
        return WindowStatistics(self.seconds, requests, errors, self.mean(now), p50, p95, p99, longest)


def quantile(cumulative: list[int], share: float, longest: float) -> float:
    """The nearest-rank quantile in seconds, spread evenly inside its bin and never above `longest`."""
    rank = max(1, math.ceil(share * cumulative[-1]))
    index = bisect_left(cumulative, rank)
    if index == len(BIN_BOUNDS):
        return longest
    before = cumulative[index - 1] if index else 0
    low = BIN_BOUNDS[index - 1] if index else 0.0
    inside = (rank - before) / (cumulative[index] - before)
    return min(longest, low + (BIN_BOUNDS[index] - low) * inside)
