"""What one condition has seen so far. One class for each way of judging (design, Evidence 1 to 3)."""

from dataclasses import dataclass
from typing import Protocol

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import MINUTE, format_duration
from autoscaler.core.metrics import Dimension, Kind
from autoscaler.core.observations import Miss, Missed, Reading, Signal
from autoscaler.core.policy import Evidence
from autoscaler.core.window import Coverage, Function, Held, Marks, Pool


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
    """`at` and `now` are unmasked time; `wall` is the true one."""

    def reading(self, at: int, reading: Reading) -> None:
        """A good report outside every mask."""

    def missed(self, at: int, missed: Missed) -> None:
        """A poll without one."""

    def signal(self, signal: Signal) -> None:
        """Something counted, or a business value; by the wall clock, never masked."""

    def standing(self, now: int, wall: int) -> Standing:
        """Where it stands."""


def rate_window(condition: Condition, evidence: Evidence, every: int) -> int:
    """Over which requests are pooled: a twelfth of `for`, at least 5 min and five polls, or what the policy says; all of a `mean`."""
    return condition.over or evidence.rate_window or max(condition.window // 12, 5 * MINUTE, 5 * every)


class _Quiet:
    """Does nothing with what it does not watch."""

    def reading(self, at: int, reading: Reading) -> None:
        """Not watched."""

    def missed(self, at: int, missed: Missed) -> None:
        """Not watched."""

    def signal(self, signal: Signal) -> None:
        """Not watched."""


class SampleWatch(_Quiet):
    """Judged sample by sample: gauges both ways, and ratios upwards (pooled over the trailing rate window first)."""

    def __init__(self, condition: Condition, evidence: Evidence, every: int, *, upward: bool) -> None:
        self._condition = condition
        self._every = every
        self._upward = upward
        self._held = Held(condition.held, every, condition.share, upward) if condition.held else None
        rises = condition.op.is_upward
        self._function = (
            Function(condition.function, condition.over, every, rises=rises, upward=upward)
            if condition.function
            else None
        )
        self._value: float | None = None
        self._good = False
        self._at: int | None = None
        window = rate_window(condition, evidence, every)
        self._pool = Pool(window)
        samples = max(1, condition.window // every)
        self._empty = Marks(condition.window or window, samples * 2 // 3)
        self._requests = Pool(condition.window or window)
        self._min_requests = evidence.min_requests
        self._is_ratio = False

    def reading(self, at: int, reading: Reading) -> None:
        """One report: its gauge, or the ratio pooled up to it."""
        if reading.stalled and not self._upward and self._condition.metric.kind is Kind.RATIO:
            return  # requests hang: their times are not known yet, and that is no calm
        metric = self._condition.metric
        over = reading.increases.get(metric.over or "")
        under = reading.increases.get(metric.under or "")
        if over is not None and under is not None:
            self._is_ratio = True
            self._pooled(at, over, under)
        elif (value := reading.gauges.get(metric.name)) is not None:
            self._sample(at, value)

    def missed(self, at: int, missed: Missed) -> None:
        """A poll that timed out is a request that took at least the timeout; every other miss is a gap."""
        metric = self._condition.metric
        if metric.name == "unreachable" and missed.reason.is_unreachable:
            self._sample(at, 1.0)
        elif missed.reason is Miss.TIMED_OUT and missed.timeout and self._upward and metric.dimension is Dimension.TIME:
            least = missed.timeout / 1000
            if metric.name.endswith("response_time") and self._condition.op.holds(least, self._condition.bound):
                if self._is_ratio:
                    self._pooled(at, least, 1)
                else:
                    self._sample(at, least)

    def _pooled(self, at: int, over: float, under: float) -> None:
        self._pool.add(at, over, under)
        self._requests.add(at, 0.0, under)
        total, count = self._pool.sums(at)
        if count <= 0:
            self._empty.add(at)
        value = total / count * self._condition.metric.scale if count > 0 else self._value
        if value is not None:  # an empty rate window repeats the last judgement
            self._sample(at, value)

    def _sample(self, at: int, value: float) -> None:
        condition = self._condition
        good = condition.op.holds(value, condition.bound)
        if self._function:
            self._function.add(at, value, good=good)
            if (
                self._function.mean is not None and not self._is_ratio
            ):  # a ratio was pooled over the whole of it already
                value = self._function.mean
            good = (
                condition.op.holds(value, condition.bound) if self._function.is_mean else bool(self._function.holds(at))
            )
            good = good and self._function.lacking(at) is None
        self._value, self._good, self._at = value, good, at
        if self._held:
            self._held.add(at, good=good)

    def standing(self, now: int, wall: int) -> Standing:
        """Held for its window, or, without one, true of the latest fresh sample."""
        lacking = self._lacking(now)
        if self._held is None:
            holds = lacking is None and self._good
            return Standing(holds, self._value, float(self._good), float(self._at is not None), lacking)
        holds = lacking is None and self._held.holds(now)
        return Standing(
            holds,
            self._value,
            self._held.progress(),
            self._held.coverage.share(now),
            lacking,
            None if holds else self._held.not_before(now),
        )

    def _lacking(self, now: int) -> str | None:
        if self._at is None:
            return "no sample yet"
        if now - self._at > 2.5 * self._every and self._held is None:
            return f"no sample for {format_duration(now - self._at)}"
        if self._held and (lack := self._held.lacking(now)):
            return lack
        if self._function and (lack := self._function.lacking(now)):
            return lack
        return self._thin(now) if self._is_ratio and self._upward else None

    def _thin(self, now: int) -> str | None:
        if self._condition.metric.under != "requests":
            return None
        _, requests = self._requests.sums(now)
        if requests < self._min_requests:
            return f"{requests:.0f} of {self._min_requests} requests"
        if self._condition.held and self._empty.count(now) > max(1, self._condition.held // self._every) * 2 // 3:
            return "requests in fewer than a third of its samples"
        return None


class CalmWatch(_Quiet):
    """A ratio downwards: pooled over the whole window, and never once over what would send the lower tier up."""

    def __init__(self, condition: Condition, evidence: Evidence, every: int, ceiling: float | None) -> None:
        self._condition = condition
        self._ceiling = ceiling
        self._coverage = Coverage(condition.held, every, upward=False)
        self._whole = Pool(condition.held)
        self._trailing = Pool(rate_window(condition, evidence, every))
        self._peaks = Marks(condition.held, 0)
        self._min_requests = evidence.min_requests
        self._averages = SampleWatch(condition, evidence, every, upward=False)

    def reading(self, at: int, reading: Reading) -> None:
        """One report; a stalled one is a gap, an idle one is calm."""
        metric = self._condition.metric
        over, under = reading.increases.get(metric.over or ""), reading.increases.get(metric.under or "")
        if over is None or under is None:
            self._averages.reading(at, reading)
            return
        if reading.stalled:
            return
        self._coverage.seen(at)
        self._whole.add(at, over, under)
        self._trailing.add(at, over, under)
        total, count = self._trailing.sums(at)
        if (
            self._ceiling is not None
            and count >= max(1, self._min_requests)
            and total / count * metric.scale > self._ceiling
        ):
            self._peaks.add(at)

    def standing(self, now: int, wall: int) -> Standing:
        """Calm all along, or what is still lacking."""
        condition = self._condition
        if self._coverage.begun is None:
            return self._averages.standing(now, wall)  # an endpoint that gives only its own averages
        total, count = self._whole.sums(now)
        value = total / count * condition.metric.scale if count else None
        calm = value is None or condition.op.holds(value, condition.bound)  # nobody came: idle is calm
        lacking = self._coverage.lacking(now)
        if lacking is None and self._peaks.count(now):
            lacking = "a peak in its window would send the smaller tier up"
        begun, last = self._coverage.begun, self._coverage.last or now
        watched = min(1.0, (last - begun) / condition.held)
        holds = lacking is None and calm and watched >= 1
        return Standing(
            holds,
            value,
            watched if calm and lacking is None else 0.0,
            self._coverage.share(now),
            lacking,
            None if holds else max(now, begun + condition.held),
        )


MOST_PEOPLE = 1000
"""So many are remembered, if no more are needed: the last ones."""


class CountWatch(_Quiet):
    """Signals within a time, by the wall clock: an OOM kill is never masked."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._needed = int(condition.bound) + (condition.op == ">")
        self._marks = Marks(condition.within, self._needed)
        self._people: dict[str, int] = {}
        """Who told of one, and when last: the same person twice is one."""

    def missed(self, at: int, missed: Missed) -> None:
        """A poll that timed out is a signal of its own."""
        if missed.reason is Miss.TIMED_OUT and self._condition.metric.name == "poll_timeouts":
            self._marks.add(missed.at)

    def signal(self, signal: Signal) -> None:
        """Counted when it is ours."""
        if signal.name != self._condition.metric.name:
            return
        if signal.who is None:
            self._marks.add(signal.at, times=max(1, int(signal.value)))
            return
        self._people[signal.who] = max(signal.at, self._people.get(signal.who, 0))
        if len(self._people) > max(MOST_PEOPLE, self._needed):
            del self._people[min(self._people, key=self._people.__getitem__)]

    def standing(self, now: int, wall: int) -> Standing:
        """Enough of them, or not."""
        since = wall - self._condition.within
        count = self._marks.count(wall) + sum(at >= since for at in self._people.values())
        return Standing(count >= self._needed, count, min(1.0, count / max(1, self._needed)), 1.0)


class ValueWatch(_Quiet):
    """A business value: holds until replaced, moves nothing when it is old."""

    def __init__(self, condition: Condition, evidence: Evidence) -> None:
        self._condition = condition
        self._age = evidence.business_age
        self._value: float | None = None
        self._at = 0

    def reading(self, at: int, reading: Reading) -> None:
        """The app may tell it."""
        value = reading.gauges.get(self._condition.metric.name)
        if value is not None:
            self._value, self._at = value, reading.at

    def signal(self, signal: Signal) -> None:
        """Or somebody else does."""
        if signal.name == self._condition.metric.name and signal.at >= self._at:
            self._value, self._at = signal.value, signal.at

    def standing(self, now: int, wall: int) -> Standing:
        """True of the last value, if that is fresh."""
        if self._value is None:
            return Standing(holds=False, value=None, held=0.0, covered=0.0, lacking="never told")
        if wall - self._at > self._age:
            lacking = f"last told {format_duration(wall - self._at)} ago"
            return Standing(holds=False, value=self._value, held=0.0, covered=0.0, lacking=lacking)
        good = self._condition.op.holds(self._value, self._condition.bound)
        return Standing(good, self._value, float(good), 1.0)


def watch_for(condition: Condition, evidence: Evidence, every: int, *, upward: bool, ceiling: float | None) -> Watch:
    """The right watch for a condition. `ceiling`: what the lower tier's own up rule bears of this metric, downwards."""
    match condition.metric.kind:
        case Kind.COUNTED:
            return CountWatch(condition)
        case Kind.BUSINESS:
            return ValueWatch(condition, evidence)
        case Kind.RATIO if not upward and condition.held and condition.share == 1 and not condition.function:
            return CalmWatch(condition, evidence, every, ceiling)
        case _:
            return SampleWatch(condition, evidence, every, upward=upward)
