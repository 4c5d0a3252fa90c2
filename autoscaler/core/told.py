"""What is told and not measured: counted signals, business values. By the wall clock, and never masked."""

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import NEVER, format_duration
from autoscaler.core.limits import Evidence
from autoscaler.core.observations import Miss, Missed, Reading, Signal
from autoscaler.core.watch import Bit, Standing
from autoscaler.core.window import Marks

MOST_PEOPLE = 1000
"""So many are remembered, if no more are needed: the last ones."""


class CountWatch:
    """Signals within a time: an OOM kill is never masked."""

    __slots__ = ("_condition", "_marks", "_needed", "_people", "bit")

    def __init__(self, condition: Condition, bit: Bit) -> None:
        self._condition = condition
        self.bit = bit
        self._needed = int(condition.bound) + (condition.op == ">")
        self._marks = Marks(condition.within, self._needed)
        self._people: dict[str, int] = {}
        """Who told of one, and when last: the same person twice is one."""

    def missed(self, missed: Missed) -> None:
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

    def settle(self, wall: int) -> int:
        """Look whether it holds; the earliest time at which that can end if no more is told."""
        holds = self._count(wall) >= self._needed
        if holds != self.bit.holds:
            self.bit.flip()
        if not holds:
            return NEVER
        since = wall - self._condition.within
        oldest = min(
            (at for at in (*self._people.values(), self._marks.oldest() or NEVER) if at >= since), default=NEVER
        )
        return oldest + self._condition.within + 1

    def standing(self, now: int, wall: int) -> Standing:
        """Enough of them, or not."""
        count = self._count(wall)
        return Standing(count >= self._needed, count, min(1.0, count / max(1, self._needed)), 1.0)

    def _count(self, wall: int) -> int:
        since = wall - self._condition.within
        return self._marks.count(wall) + sum(at >= since for at in self._people.values())


class ValueWatch:
    """A business value: holds until replaced, moves nothing when it is old."""

    __slots__ = ("_age", "_at", "_condition", "_value", "bit")

    def __init__(self, condition: Condition, evidence: Evidence, bit: Bit) -> None:
        self._condition = condition
        self._age = evidence.business_age
        self.bit = bit
        self._value: float | None = None
        self._at = 0

    def reading(self, reading: Reading) -> bool:
        """The app may tell it. True when it holds now and did not before, or the other way round."""
        value = reading.gauges.get(self._condition.metric.name)
        if value is None:
            return False
        self._value, self._at = value, reading.at
        if self._condition.op.holds(value, self._condition.bound) == self.bit.holds:
            return False
        self.bit.flip()
        return True

    def missed(self, missed: Missed) -> None:
        """A poll without a report tells nothing."""

    def signal(self, signal: Signal) -> None:
        """Or somebody else does."""
        if signal.name == self._condition.metric.name and signal.at >= self._at:
            self._value, self._at = signal.value, signal.at

    def settle(self, wall: int) -> int:
        """Look whether it holds; when that ends if no more is told."""
        holds = self.standing(wall, wall).holds
        if holds != self.bit.holds:
            self.bit.flip()
        return self._at + self._age + 1 if holds else NEVER

    def standing(self, now: int, wall: int) -> Standing:
        """True of the last value, if that is fresh."""
        if self._value is None:
            return Standing(holds=False, value=None, held=0.0, covered=0.0, lacking="never told")
        if wall - self._at > self._age:
            lacking = f"last told {format_duration(wall - self._at)} ago"
            return Standing(holds=False, value=self._value, held=0.0, covered=0.0, lacking=lacking)
        good = self._condition.op.holds(self._value, self._condition.bound)
        return Standing(good, self._value, float(good), 1.0)
