"""What one condition has seen so far, judged sample by sample: gauges both ways, and ratios upwards (design, Evidence 1 to 3).

Conditions on the same metric share a *feed*, which knows between which bounds a value has to stay, and until when, for nothing
to change: the usual sample costs a few comparisons, however many conditions there are and however long their windows.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, nextafter
from typing import Protocol

from autoscaler.core.conditions import Condition, Op
from autoscaler.core.durations import NEVER, format_duration
from autoscaler.core.observations import Miss, Missed
from autoscaler.core.pools import MILLIONTHS, Ratio
from autoscaler.core.window import Beat, Coverage, Function, Held, Marks


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a condition stands. Shares are 0 to 1; `not_before` is on the clock that the caller gave."""

    holds: bool
    value: float | None
    held: float
    covered: float
    lacking: str | None = None
    not_before: int | None = None


class Watch(Protocol):
    """What one condition remembers."""

    def standing(self, now: int, wall: int) -> Standing:
        """Where it stands, for people. `now` is unmasked time; `wall` is the true one."""


@dataclass(slots=True)
class Holding:
    """Which conditions hold as of the newest observation, and of which the value is past its bound now: a bit for each."""

    bits: int = 0
    past: int = 0


class Bit:
    """One condition's bit among those that hold."""

    __slots__ = ("_among", "_mask", "holds", "is_past")

    def __init__(self, among: Holding, place: int) -> None:
        self._among = among
        self._mask = 1 << place
        self.holds = False
        self.is_past = False

    def flip(self) -> None:
        """It holds now and did not, or the other way round."""
        self.holds = not self.holds
        self._among.bits ^= self._mask

    def cross(self) -> None:
        """Its value is past the bound now and was not, or the other way round."""
        self.is_past = not self.is_past
        self._among.past ^= self._mask


class Thin:
    """Whether too few requests came for a ratio to be evidence upwards (design, Evidence 2)."""

    __slots__ = ("_empty", "_least", "_most_empty", "mark_empty", "requests")

    def __init__(self, condition: Condition, requests: Ratio, least: int, every: int) -> None:
        self.requests = requests
        self._least = least
        samples = max(1, requests.tail.window // every)
        self._empty = Marks(requests.tail.window, samples * 2 // 3)
        self._most_empty = max(1, condition.held // every) * 2 // 3 if condition.held else None
        self.mark_empty = self._empty.mark

    def lacking(self, now: int) -> str | None:
        """What is missing, or None."""
        _, requests = self.requests.sums(now)
        if requests < self._least * MILLIONTHS:
            return f"{requests / MILLIONTHS:.0f} of {self._least} requests"
        if self._most_empty is not None and self._empty.count(now) > self._most_empty:
            return "requests in fewer than a third of its samples"
        return None


class SampleWatch:
    """A condition that is judged sample by sample."""

    __slots__ = (
        "_bit",
        "_cut",
        "_feed",
        "_function",
        "_good",
        "_held",
        "_rises",
        "_turns_at",
        "condition",
        "takes_all",
        "thin",
    )

    def __init__(self, condition: Condition, feed: "Feed", bit: Bit, *, upward: bool, thin: Thin | None = None) -> None:
        self.condition = condition
        self.thin = thin
        self._bit = bit
        self._feed = feed
        self._good = False
        self._turns_at = -NEVER
        self._rises, self._cut = condition.op.is_upward, cut(condition)
        held, over = condition.held, condition.over
        self._held = Held(condition.share, Coverage(held, feed, upward=upward)) if held else None
        self._function = (
            Function(condition.function, Coverage(over, feed, upward=upward), rises=self._rises)
            if condition.function
            else None
        )
        self.takes_all = held > 0 and condition.share < 1
        """Whether usual samples have to be told to it as well, as long as they are bad."""
        feed.serve(self)

    @property
    def mark_bad(self) -> Callable[[int], None] | None:
        """What a usual sample has to be told to, if anything."""
        return self._held.mark_bad if self._held is not None else None

    def judge(self, at: int, value: float, late: bool) -> int:  # noqa: FBT001 - called for each unusual sample
        """A sample that is unusual for one of the feed's conditions; the earliest time at which this one can turn."""
        past = good = value >= self._cut if self._rises else value < self._cut
        if good == self._good and not late and at < self._turns_at:
            if self.takes_all and (mark := self.mark_bad) is not None:
                mark(at)
            return self._turns_at
        if self._function is not None:
            past, good = self._judge_function(self._function, at, value, past=past)
        if past != self._bit.is_past:
            self._bit.cross()
        self._good = good
        if self._held is not None:
            self._held.judge(at, good=good)
        return self.settle(at)

    def _judge_function(self, function: Function, at: int, value: float, *, past: bool) -> tuple[bool, bool]:
        """Whether its value is past the bound, and whether the function is: for a mean that is one."""
        function.judge(at, value, good=past)
        if function.is_mean:
            if not self._feed.is_ratio:  # a ratio was pooled over the whole of it already
                value = self._feed.value = function.mean
            good = past = self.condition.op.holds(value, self.condition.bound)
        else:
            good = bool(function.holds(at))
        return past, good and function.lacking(at) is None

    def settle(self, now: int) -> int:
        """Look whether it holds; the earliest time at which that can be another, if all samples to come are usual."""
        ripe = self._good if self._held is None else self._held.holds(now)
        holds = ripe
        if ripe and (self._held is None or self._function is not None or self._is_thinned):
            holds = self._lacking(now) is None
        if holds != self._bit.holds:
            self._bit.flip()
        if self._function is not None or (ripe and self._is_thinned):
            self._turns_at = -NEVER
        else:
            self._turns_at = NEVER if self._held is None else self._held.turns_at(holds=ripe)
        return self._turns_at

    @property
    def _is_thinned(self) -> bool:
        return self.thin is not None and self._feed.is_ratio

    def standing(self, now: int, wall: int) -> Standing:
        """Held for its window, or, without one, true of the latest fresh sample."""
        lacking, value = self._lacking(now), self._feed.value
        if self._held is None:
            holds = lacking is None and self._good
            return Standing(holds, value, float(self._good), float(self._feed.begun is not None), lacking)
        holds = lacking is None and self._held.holds(now)
        return Standing(
            holds,
            value,
            self._held.progress(now),
            self._held.coverage.share(now),
            lacking,
            None if holds else self._held.not_before(now),
        )

    def _lacking(self, now: int) -> str | None:
        feed = self._feed
        if feed.begun is None:
            return "no sample yet"
        if self._held is None and now - feed.last > 2.5 * feed.every:
            return f"no sample for {format_duration(now - feed.last)}"
        if self._held is not None and (lack := self._held.coverage.lacking(now)):
            return lack
        if self._function is not None and (lack := self._function.lacking(now)):
            return lack
        return self.thin.lacking(now) if self.thin is not None and feed.is_ratio else None


class Feed(Beat):
    """The samples of one metric, for all conditions that take them alike."""

    __slots__ = (
        "_cuts",
        "_due",
        "_high",
        "_low",
        "_marks",
        "_takes_all",
        "_timeouts",
        "is_ratio",
        "name",
        "timed_out",
        "value",
        "watches",
    )

    def __init__(self, name: str, every: int, timeouts: Condition | None) -> None:
        """`timeouts`: the condition of which a poll that timed out may be evidence; conditions with other bounds have another feed."""
        super().__init__(every)
        self.name = name
        self.value: float | None = None
        """The last judged value."""
        self.is_ratio = False
        """Whether reports give the counters of a ratio; else its value is taken as it is."""
        self.watches: list[SampleWatch] = []
        self.timed_out: Callable[[int, float], None] = self.sample
        """Told when a request took so many seconds, or more."""
        self._timeouts = timeouts
        self._cuts: list[float] = []
        self._low, self._high = inf, -inf
        self._due = -NEVER
        self._marks: list[Callable[[int], None]] = []
        self._takes_all: list[SampleWatch] = []

    def serve(self, watch: SampleWatch) -> None:
        """One more condition takes these samples. All are known before the first of them."""
        self.watches.append(watch)
        self._cuts = sorted({cut(one.condition) for one in self.watches})
        if watch.takes_all:
            self._takes_all.append(watch)

    def told(self, at: int, value: float | None) -> None:
        """What a good report outside every mask says of it, if anything."""
        if value is None:
            self.settle(at)
        else:
            self.sample(at, value)

    def missed(self, at: int, missed: Missed) -> None:
        """A poll that timed out is a request that took at least the timeout; every other miss is a gap."""
        condition = self._timeouts
        if self.name == "unreachable" and missed.reason.is_unreachable:
            self.sample(at, 1.0)
        elif condition is not None and missed.reason is Miss.TIMED_OUT and missed.timeout:
            least = missed.timeout / 1000
            if condition.op.holds(least, condition.bound):
                self.timed_out(at, least)
        self.settle(at)

    def sample(self, at: int, value: float) -> None:
        """One judged value. The usual one comes on time, on the same side of every bound as the one before."""
        self.value = value
        if self._low <= value < self._high and at - self.last <= self.on_time and at < self._due:
            self.last = at
            for mark in self._marks:
                mark(at)
            return
        late = at - self.last > self.on_time
        if late:
            self.seen(at)
        else:
            self.before, self.last = self.last, at
        due = NEVER
        for watch in self.watches:
            turns_at = watch.judge(at, value, late)
            due = turns_at if turns_at < due else due  # noqa: FURB136 - `min` takes three times as long
        self._due = due
        place = bisect_right(self._cuts, value)
        self._low = self._cuts[place - 1] if place else -inf
        self._high = self._cuts[place] if place < len(self._cuts) else inf
        if self._takes_all:
            self._marks = [told for watch in self._takes_all if (told := watch.mark_bad) is not None]

    def settle(self, now: int) -> None:
        """Look at each condition; and at none again before something unusual is seen, or the earliest time at which one can turn."""
        self._due = min(watch.settle(now) for watch in self.watches)


def cut(condition: Condition) -> float:
    """The least value on the upper side of the bound. A bound itself lies there for >= and <, and below for > and <=."""
    return nextafter(condition.bound, inf) if condition.op in {Op.ABOVE, Op.AT_MOST} else condition.bound
