"""What a window remembers of its samples. O(1) amortised a sample, whatever the window.

Nothing keeps all samples. A `for` needs the time since which all were good; a share of samples, the coverage and a count of
signals need only the *last few bad times*: once more than k of them lie in the window the answer is no, and older ones can
be dropped (a ring of k + 1). Only pooled ratios and means keep sums (see `pools`).

A *usual* sample comes on time and is as good as the one before. It changes nothing but the time of the last one, until a time
that is known beforehand (`turns_at`): so a condition is looked at again only when something unusual was seen, or at that time.

Times are ms on the clock of the caller (unmasked time, see `state`), and never go back.
"""

from collections import deque
from collections.abc import Callable
from math import floor

from autoscaler.core.durations import MINUTE, NEVER, format_duration
from autoscaler.core.pools import MILLIONTHS, Pool, exact


class Marks:
    """Times of marked events, of which at most `limit` may lie in the window; remembers one more than that, never more."""

    __slots__ = ("_times", "mark", "window")

    def __init__(self, window: int, limit: int) -> None:
        self.window = window
        self._times: deque[int] = deque(maxlen=max(0, limit) + 1)
        self.mark = self._times.append
        """Mark a time that is none before the newest."""

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

    def falls_to(self, allowed: int) -> int:
        """When no more than so many lie in the window, if none is added; -NEVER when that is so already."""
        surplus = len(self._times) - allowed
        return self._times[surplus - 1] + self.window + 1 if surplus > 0 else -NEVER


class Beat:
    """When the samples of one source came: the first, the last. Tells the coverages that rest on it of those that came late."""

    __slots__ = ("before", "begun", "coverages", "every", "last", "on_time")

    def __init__(self, every: int) -> None:
        self.every = every
        self.on_time = (3 * every - 1) // 2
        """The longest time between two samples that swallows no poll."""
        self.begun: int | None = None
        self.last = self.before = -NEVER
        self.coverages: list[Coverage] = []

    def seen(self, at: int) -> None:
        """A sample came."""
        if self.begun is None:
            self.begun = at
        elif at - self.last > self.on_time:
            for coverage in self.coverages:
                coverage.late(self.last, at)
        self.before, self.last = self.last, at


class Coverage:
    """How much of a window was seen: its beginning, lost samples, and the longest gap.

    Samples are expected every `every` ms. A gap counts as the polls that it swallowed.
    """

    __slots__ = ("_gap", "_missing", "beat", "every", "longest", "lost_limit", "silence", "window")

    def __init__(self, window: int, beat: Beat, *, upward: bool) -> None:
        self.window = window
        self.beat = beat
        self.every = every = beat.every
        expected = max(1, window // every)
        if upward:  # design, Evidence 2: 60 % of the samples, no gap over a quarter (but one poll may always be lost)
            self.lost_limit = max(1, floor(expected * 0.4))
            self.longest = self.silence = max(window // 4, 2 * every)
        else:  # design, Evidence 3: nine in ten, no gap over three polls or 5 %, none over half an hour
            self.lost_limit = max(1, floor(expected * 0.1))
            self.longest = min(max(3 * every, window // 20), max(30 * MINUTE, 2 * every))
            self.silence = min(self.longest, 3 * every)  # whatever the window bears: who is silent now is not calm
        self._missing = Marks(window, self.lost_limit)
        self._gap: tuple[int, int] | None = None
        beat.coverages.append(self)

    @property
    def begun(self) -> int | None:
        """When the first sample came."""
        return self.beat.begun

    def late(self, before: int, at: int) -> None:
        """The sample of `at` came late after that of `before`."""
        self._missing.add(at, self._lost(before, at))
        if self._is_over(at - before, self.longest):
            self._gap = (before, at)

    def lost(self, now: int) -> int:
        """How many samples of the window are missing, exact up to the limit + 1."""
        beat = self.beat
        return self._missing.count(now) + (self._lost(beat.last, now) if now - beat.last > beat.on_time else 0)

    def judged(self, now: int) -> int:
        """How many samples the window holds, as far as it was covered up to the last of them."""
        return max(1, self.window // self.every + 1 - self._missing.count(now))

    def share(self, now: int) -> float:
        """How much of the window has been seen, 0 to 1."""
        begun = self.beat.begun
        if begun is None:
            return 0.0
        seen = min(1.0, (now - begun) / self.window) if self.window else 1.0
        return max(0.0, seen - self.lost(now) * self.every / max(self.window, self.every))

    def lacking(self, now: int) -> str | None:
        """Why the window can't be judged, or None."""
        if self.beat.begun is None:
            return "no sample yet"
        if self._is_over(now - self.beat.last, self.silence):
            return f"no sample for {format_duration(now - self.beat.last)}"
        if self._gap and self._is_over(self._gap[1] - max(self._gap[0], now - self.window), self.longest):
            return f"a gap of {format_duration(self._gap[1] - self._gap[0])} in its window"
        if self.lost(now) > self.lost_limit:
            return "too many samples lost"
        return None

    def turns_at(self) -> int:
        """When what is lacking has left the window, if all samples to come are usual."""
        gap = self._gap[1] + self.window - self.longest - self.every // 2 if self._gap else -NEVER
        return max(gap, self._missing.falls_to(self.lost_limit))

    def is_whole(self, now: int) -> bool:
        """Whether it has been watched for as long as the window."""
        return self.beat.begun is not None and now - self.beat.begun >= self.window

    def _lost(self, before: int, at: int) -> int:
        return max(0, round((at - before) / self.every) - 1)

    def _is_over(self, gap: int, limit: int) -> bool:
        return gap > limit + self.every // 2  # polls come a little early and late


class Held:
    """Whether good samples have held for a window: all of them, or a share."""

    __slots__ = ("_bad", "_good_since", "_last_good", "_most_bad", "coverage", "share", "window")

    def __init__(self, share: float, coverage: Coverage) -> None:
        self.share = share
        self.coverage = coverage
        self.window = coverage.window
        self._most_bad = self._allowed(self.window // coverage.every + 1)
        self._bad = Marks(self.window, self._most_bad)
        self._good_since: int | None = None
        self._last_good = -NEVER

    def _allowed(self, samples: int) -> int:
        return floor(samples * (1 - self.share) + 1e-9)

    def judge(self, at: int, *, good: bool) -> None:
        """One sample that its beat has just seen. A usual one that is good need not be judged; see `mark_bad` for the others."""
        if not good:
            self._bad.mark(at)
            if self._good_since is not None:
                self._good_since, self._last_good = None, self.coverage.beat.before
        elif self._good_since is None:
            self._good_since = at

    @property
    def mark_bad(self) -> Callable[[int], None] | None:
        """What a usual sample that is bad has to be told to instead; None when it is good, or when one bad sample is enough."""
        return self._bad.mark if self.share < 1 and self._good_since is None else None

    def holds(self, now: int) -> bool:
        """Held from one sample to another that is at least the window later: what Prometheus calls `for`."""
        last = self.coverage.beat.last
        if self.share == 1 and (self._good_since is None or last - self._good_since < self.window):
            return False
        if self.coverage.lacking(now) is not None:
            return False
        return self.share == 1 or (
            self.coverage.is_whole(last) and self._bad.count(last) <= self._allowed(self.coverage.judged(now))
        )

    def turns_at(self, *, holds: bool) -> int:
        """The earliest time at which `holds` can be another, if all samples to come are usual ones."""
        if self.coverage.begun is None:
            return NEVER
        if holds:
            return -NEVER if self._good_since is None else NEVER
        if self.share < 1:
            whole = self.coverage.begun + self.window
            return max(whole, self.coverage.turns_at(), self._bad.falls_to(self._most_bad))
        if self._good_since is None:
            return NEVER
        return max(self._good_since + self.window, self.coverage.turns_at())

    def progress(self, now: int) -> float:
        """How much of the window has been held, 0 to 1: up to the last good sample, for bad ones that a share bears hold nothing."""
        last = self.coverage.beat.last
        last_good = self._last_good if self._good_since is None else last
        return min(1.0, max(0, last_good - self._begun(now)) / self.window)

    def not_before(self, now: int) -> int | None:
        """The earliest time at which it could hold if every sample from now on is good; None when it holds or nothing was seen."""
        if self.coverage.begun is None or self.holds(now):
            return None
        return max(now, self._begun(now) + self.window)

    def _begun(self, now: int) -> int:
        """Since when it has been held: all samples good, or no more bad ones than the share bears."""
        last = self.coverage.beat.last
        if self.share == 1:
            return last if self._good_since is None else self._good_since
        begun = last if self.coverage.begun is None else self.coverage.begun
        if self._bad.count(last) <= self._allowed(self.coverage.judged(now)):
            return begun
        return max(begun, self._bad.oldest() or begun)


class Function:
    """A function over a window, as one yes or no a sample: `p95(x over 1h) > B` is *more than 5 % of the samples above B*.

    So no values are kept, but for `mean`, which keeps sums.
    """

    __slots__ = ("_coverage", "_hits", "_name", "_settled_by", "_sums", "mean")

    def __init__(self, name: str, coverage: Coverage, *, rises: bool) -> None:
        self._name = name
        self._settled_by = rises == (
            name != "min"
        )  # `rises`: the comparison is > or >=; one low sample settles a `min`
        self._coverage = coverage
        self._sums = Pool(coverage.window) if name == "mean" else None
        self._hits = Marks(coverage.window, self._needed(coverage.window // coverage.every + 1))
        self.mean = 0.0
        """Of the values seen, for `mean`."""

    def _needed(self, samples: int) -> int:
        """How many samples, all past the bound or all failing it, settle the question."""
        if not self._name.startswith("p"):
            return 1
        return floor(samples * (1 - int(self._name.removeprefix("p")) / 100) + 1e-9) + 1

    def judge(self, at: int, value: float, *, good: bool) -> None:
        """One sample that its beat has just seen, and whether it is past the bound."""
        if self._sums is not None:
            self._sums.add(at, exact(value), 1)
            total, count = self._sums.sums(at)
            self.mean = total / (count * MILLIONTHS)
        elif good == self._settled_by:
            self._hits.mark(at)

    def lacking(self, now: int) -> str | None:
        """Why it can't be judged, or None."""
        if not self._coverage.is_whole(self._coverage.beat.last):
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
