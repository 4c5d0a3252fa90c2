"""Counts requests: how many are under way, how many finished, how long they took."""

import time
from bisect import bisect_left
from collections.abc import Callable

from app_core.windows import BIN_BOUNDS, Totals, Window, WindowStatistics, empty_histogram

# Name, seconds of a slice, slices: a tenth of the window or less may be counted beyond its length.
WINDOWS = (("10s", 1, 10), ("1m", 5, 12), ("5m", 15, 20), ("15m", 60, 15))


class Tracker:
    """The numbers of one process since it started. Used from the event loop only, so it has no locks.

    Args:
        clock: seconds that never run backwards.
    """

    __slots__ = (
        "_clock",
        "_histogram",
        "_longest",
        "_memory_bytes",
        "_memory_samples",
        "_peak",
        "_second",
        "_second_ends",
        "_started",
        "concurrent",
        "errors",
        "requests",
        "seconds",
        "shed",
        "windows",
    )

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._second = 0  # whole seconds since the start
        self._second_ends = self._started + 1
        self._longest = 0.0  # longest response, and
        self._peak = 0  # highest concurrency, of the second under way
        self._histogram = empty_histogram()
        self._memory_bytes = 0
        self._memory_samples = 0
        self.concurrent = 0
        self.requests = 0
        self.errors = 0
        self.shed = 0
        self.seconds = 0.0
        start = self._totals()
        self.windows = {name: Window(name, seconds, slices, start) for name, seconds, slices in WINDOWS}

    def begin(self) -> float:
        """Count a request that arrived; returns the time, which `end` wants back."""
        now = self._clock()
        if now >= self._second_ends:
            self._move_on(now)
        self.concurrent = concurrent = self.concurrent + 1
        if concurrent > self._peak:  # noqa: PLR1730 - the hot path; max() costs a call
            self._peak = concurrent
        return now

    def end(self, started: float, error: bool) -> None:  # noqa: FBT001 - the hot path; a keyword costs time
        """Count a request that began at `started` as finished now."""
        now = self._clock()
        if now >= self._second_ends:
            self._move_on(now)
        elapsed = now - started
        self.concurrent -= 1
        self.requests += 1
        self.seconds += elapsed
        self._histogram[bisect_left(BIN_BOUNDS, elapsed)] += 1
        if elapsed > self._longest:  # noqa: PLR1730 - the same
            self._longest = elapsed
        if error:
            self.errors += 1

    def since(self, started: float) -> float:
        """Seconds since `started`."""
        return self._clock() - started

    def note_memory(self, used_bytes: int) -> None:
        """Add one sample of the memory in use."""
        self._now()
        self._memory_bytes += used_bytes
        self._memory_samples += 1

    def uptime(self) -> float:
        """Seconds since the tracker was made."""
        return self._clock() - self._started

    def peak(self, window: str) -> int:
        """The highest number of requests at once in that window."""
        self._now()
        return self.windows[window].peak(self._peak)

    def peaks(self, window: str) -> list[int]:
        """The same for each slice of the window, oldest first, the one under way last."""
        self._now()
        *whole, current = self.windows[window].peaks
        return [*whole, max(current, self._peak)]

    def mean(self, window: str) -> float | None:
        """Seconds a response took on average in that window."""
        return self.windows[window].mean(self._now())

    def mean_memory(self, window: str) -> float | None:
        """Bytes in use on average in that window."""
        return self.windows[window].mean_memory(self._now())

    def statistics(self, window: str) -> WindowStatistics:
        """Everything about the requests that finished in that window."""
        return self.windows[window].statistics(self._now(), self._longest)

    def _now(self) -> Totals:
        now = self._clock()
        if now >= self._second_ends:
            self._move_on(now)
        return self._totals()

    def _totals(self) -> Totals:
        return Totals(
            self.requests, self.errors, self.seconds, self._histogram[:], self._memory_bytes, self._memory_samples
        )

    def _move_on(self, now: float) -> None:
        """Close the second under way; the slices of each window begin on whole seconds."""
        second = int(now - self._started)
        totals = self._totals()
        for window in self.windows.values():
            window.absorb(self._longest, self._peak)
            window.advance(
                second // window.slice_seconds - self._second // window.slice_seconds, totals, self.concurrent
            )
        self._second = second
        self._second_ends = self._started + second + 1
        self._longest = 0.0
        self._peak = self.concurrent
