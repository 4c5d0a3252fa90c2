"""The one mutable thing in core: what a condition remembers of its samples. O(1) amortised a sample, whatever the window.

Nothing keeps all samples. A `for` needs the time since which all were good; a share of samples, the coverage and a count of
signals need only the *last few bad times*: once more than k of them lie in the window the answer is no, and older ones can
be dropped (a ring of k + 1). Only pooled ratios and means keep sums, in a bounded number of buckets.

Times are ms on the clock of the caller (unmasked time, see `evaluate`), and never go back.
"""

from collections import deque
from dataclasses import dataclass, field
from math import floor

from autoscaler.core.durations import MINUTE, format_duration

BUCKETS = 360
"""How finely a pooled window slides: by a 360th of its length, or by one sample where those are further apart."""


class Marks:
    """Times of marked events, of which at most `limit` may lie in the window; remembers one more than that, never more."""

    __slots__ = ("_times", "window")

    def __init__(self, window: int, limit: int) -> None:
        self.window = window
        self._times: deque[int] = deque(maxlen=max(0, limit) + 1)

    def add(self, at: int, times: int = 1) -> None:
        """Mark `at`; the last `times` of a run of marks are all that can matter."""
        marks = [at] * min(times, self._times.maxlen or 1)
        if self._times and at < self._times[-1]:  # Render's events come late; every other mark is the newest
            marks = sorted((*self._times, *marks))
            self._times.clear()
        self._times.extend(marks)

    def count(self, now: int) -> int:
        """How many lie in the closed window that ends at `now`; exact up to limit + 1."""
        start = now - self.window
        while self._times and self._times[0] < start:
            self._times.popleft()
        return len(self._times)

    def oldest(self) -> int | None:
        """The oldest mark that is remembered: when more than `limit` are marked, the one that has to leave the window."""
        return self._times[0] if self._times else None


class Pool:
    """Sums over a trailing window, for ratios and means, in at most BUCKETS + 1 buckets."""

    __slots__ = ("_buckets", "_over", "_step", "_under", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self._step = max(1, window // BUCKETS)
        self._buckets: deque[list[float]] = deque()
        self._over = self._under = 0.0

    def add(self, at: int, over: float, under: float) -> None:
        """One sample's two increases."""
        start = at - at % self._step
        if not self._buckets or self._buckets[-1][0] != start:
            self._buckets.append([start, 0.0, 0.0])
        self._buckets[-1][1] += over
        self._buckets[-1][2] += under
        self._over += over
        self._under += under

    def sums(self, now: int) -> tuple[float, float]:
        """(over, under) of the half-open window that ends at `now`: an increase at its very start belongs to the time before."""
        while self._buckets and self._buckets[0][0] + self._step <= now - self.window + 1:
            _, over, under = self._buckets.popleft()
            self._over -= over
            self._under -= under
        if not self._buckets:
            self._over = self._under = 0.0  # no rounding error survives an empty window
        return self._over, self._under


class Coverage:
    """How much of a window was seen: its beginning, lost samples, and the longest gap.

    Samples are expected every `every` ms. A gap counts as the polls that it swallowed.
    """

    __slots__ = ("_gap", "_missing", "begun", "every", "last", "longest", "lost_limit", "silence", "window")

    def __init__(self, window: int, every: int, *, upward: bool) -> None:
        self.window = window
        self.every = every
        expected = max(1, window // every)
        if upward:  # design, Evidence 2: 60 % of the samples, no gap over a quarter (but one poll may always be lost)
            self.lost_limit = max(1, floor(expected * 0.4))
            self.longest = self.silence = max(window // 4, 2 * every)
        else:  # design, Evidence 3: nine in ten, no gap over three polls or 5 %, none over half an hour
            self.lost_limit = max(1, floor(expected * 0.1))
            self.longest = min(max(3 * every, window // 20), max(30 * MINUTE, 2 * every))
            self.silence = min(self.longest, 3 * every)  # whatever the window bears: who is silent now is not calm
        self.begun: int | None = None
        self.last: int | None = None
        self._missing = Marks(window, self.lost_limit)
        self._gap: tuple[int, int] | None = None

    def seen(self, at: int) -> None:
        """A sample came."""
        if self.last is None:
            self.begun = at
        else:
            self._missing.add(at, self._lost(self.last, at))
            if self._is_over(at - self.last, self.longest):
                self._gap = (self.last, at)
        self.last = at

    def lost(self, now: int) -> int:
        """How many samples of the window are missing, exact up to the limit + 1."""
        return self._missing.count(now) + (self._lost(self.last, now) if self.last is not None else 0)

    def judged(self, now: int) -> int:
        """How many samples the window holds, as far as it is covered."""
        return max(1, self.window // self.every + 1 - self.lost(now))

    def share(self, now: int) -> float:
        """How much of the window has been seen, 0 to 1."""
        if self.begun is None:
            return 0.0
        seen = min(1.0, (now - self.begun) / self.window) if self.window else 1.0
        return max(0.0, seen - self.lost(now) * self.every / max(self.window, self.every))

    def lacking(self, now: int) -> str | None:
        """Why the window can't be judged, or None."""
        if self.begun is None or self.last is None:
            return "no sample yet"
        if self._is_over(now - self.last, self.silence):
            return f"no sample for {format_duration(now - self.last)}"
        if self._gap and self._is_over(self._gap[1] - max(self._gap[0], now - self.window), self.longest):
            return f"a gap of {format_duration(self._gap[1] - self._gap[0])} in its window"
        if self.lost(now) > self.lost_limit:
            return "too many samples lost"
        return None

    def is_whole(self, now: int) -> bool:
        """Whether it has been watched for as long as the window."""
        return self.begun is not None and now - self.begun >= self.window

    def _lost(self, before: int, at: int) -> int:
        return max(0, round((at - before) / self.every) - 1)

    def _is_over(self, gap: int, limit: int) -> bool:
        return gap > limit + self.every // 2  # polls come a little early and late


@dataclass(slots=True)
class Held:
    """Whether good samples have held for a window: all of them, or a share."""

    window: int
    every: int
    share: float
    upward: bool
    coverage: Coverage = field(init=False)
    _bad: Marks = field(init=False)
    _good_since: int | None = field(init=False, default=None)
    _last_good: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.coverage = Coverage(self.window, self.every, upward=self.upward)
        self._bad = Marks(self.window, self._allowed(self.window // self.every + 1))

    def _allowed(self, samples: int) -> int:
        return floor(samples * (1 - self.share) + 1e-9)

    def add(self, at: int, *, good: bool) -> None:
        """One judged sample."""
        self.coverage.seen(at)
        if good:
            self._last_good = at
            if self._good_since is None:
                self._good_since = at
        else:
            self._bad.add(at)
            self._good_since = None

    def lacking(self, now: int) -> str | None:
        """Why it can't be judged, or None."""
        return self.coverage.lacking(now)

    def holds(self, now: int) -> bool:
        """Held from one sample to another that is at least the window later: what Prometheus calls `for`."""
        last = self.coverage.last
        if last is None or self.lacking(now) is not None:
            return False
        if self.share == 1:
            return self._good_since is not None and last - self._good_since >= self.window
        return self.coverage.is_whole(last) and self._bad.count(last) <= self._allowed(self.coverage.judged(last))

    def progress(self) -> float:
        """How much of the window has been held, 0 to 1: up to the last good sample, for bad ones that a share bears hold nothing."""
        last = self.coverage.last
        if last is None or self._last_good is None:
            return 0.0
        return min(1.0, max(0, self._last_good - self._begun(last)) / self.window)

    def not_before(self, now: int) -> int | None:
        """The earliest time at which it could hold if every sample from now on is good; None when it holds or nothing was seen."""
        last = self.coverage.last
        if last is None or self.holds(now):
            return None
        return max(now, self._begun(last) + self.window)

    def _begun(self, last: int) -> int:
        """Since when it has been held: all samples good, or no more bad ones than the share bears."""
        if self.share == 1:
            return last if self._good_since is None else self._good_since
        begun = last if self.coverage.begun is None else self.coverage.begun
        if self._bad.count(last) <= self._allowed(self.coverage.judged(last)):
            return begun
        return max(begun, self._bad.oldest() or begun)


class Function:
    """A function over a window, as one yes or no a sample: `p95(x over 1h) > B` is *more than 5 % of the samples above B*.

    So no values are kept, but for `mean`, which keeps sums.
    """

    __slots__ = ("_coverage", "_hits", "_name", "_settled_by", "_sums", "mean")

    def __init__(self, name: str, window: int, every: int, *, rises: bool, upward: bool) -> None:
        self._name = name
        self._settled_by = rises == (
            name != "min"
        )  # `rises`: the comparison is > or >=; one low sample settles a `min`
        self._coverage = Coverage(window, every, upward=upward)
        self._sums = Pool(window) if name == "mean" else None
        self._hits = Marks(window, self._needed(window // every + 1))
        self.mean: float | None = None

    def _needed(self, samples: int) -> int:
        """How many samples, all past the bound or all failing it, settle the question."""
        if not self._name.startswith("p"):
            return 1
        return floor(samples * (1 - int(self._name.removeprefix("p")) / 100) + 1e-9) + 1

    def add(self, at: int, value: float, *, good: bool) -> None:
        """One sample and whether it is past the bound."""
        self._coverage.seen(at)
        if self._sums is not None:
            self._sums.add(at, value, 1)
            total, count = self._sums.sums(at)
            self.mean = total / count
        elif good == self._settled_by:
            self._hits.add(at)

    def lacking(self, now: int) -> str | None:
        """Why it can't be judged, or None."""
        if not self._coverage.is_whole(self._coverage.last or now):
            return "its window is not over yet"
        return self._coverage.lacking(now)

    def holds(self, now: int) -> bool | None:
        """For all but `mean`, which the caller compares; None when it can't be judged."""
        if self.lacking(now) is not None:
            return None
        many = self._hits.count(now) >= self._needed(self._coverage.judged(now))
        return many == self._settled_by

    @property
    def is_mean(self) -> bool:
        """Whether the caller compares the mean."""
        return self._sums is not None
