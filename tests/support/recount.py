"""Whether a condition holds, the plain way: every observation is kept, and all of its window is looked at again. O(n) a question.

What the state has folded must come to the same. Polls are further apart here than a bucket of any pooled window is long, so that
pooled sums are exact.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import floor

from autoscaler.core.attribution import MEMORY
from autoscaler.core.conditions import Condition
from autoscaler.core.durations import MINUTE
from autoscaler.core.keys import Key
from autoscaler.core.metrics import Dimension, Kind
from autoscaler.core.observations import Masked, Miss, Missed, Observation, Reading, Signal, TierChanged
from autoscaler.core.policy import Policy
from tests.support.oracle import lost


@dataclass(frozen=True)
class Sample:
    """One judged value, on the clock of the windows."""

    at: int
    value: float
    good: bool


class Recount:
    """Everything that was seen, in order."""

    def __init__(self, policy: Policy, every: int) -> None:
        self._policy = policy
        self._every = every
        self._seen: list[Observation] = []
        self._masked: set[int] = set()
        """Which of them lay in a mask when they came: one that is heard of later says nothing of what was seen before."""

    def fold(self, observation: Observation) -> None:
        """Keep it, if it is not dated before the newest."""
        if isinstance(observation, Signal) or observation.at >= self.newest:
            self._seen.append(observation)
            if any(begun <= observation.at < until for begun, until in self._masks()):
                self._masked.add(len(self._seen) - 1)

    @property
    def newest(self) -> int:
        """The time of the newest."""
        return max((one.at for one in self._seen), default=0)

    def holds(self, key: Key, condition: Condition) -> bool:
        """As of the newest observation."""
        if condition.metric.kind is Kind.COUNTED:
            return self._is_counted(condition)
        if condition.metric.kind is Kind.BUSINESS:
            return self._is_valued(condition)
        polls, now = self._polls(condition)
        if condition.metric.kind is Kind.RATIO and not key.upward and condition.held and condition.share == 1:
            if not condition.function and any(
                _told(condition, one) and not one.stalled for _, one in polls if isinstance(one, Reading)
            ):
                return self._is_calm(condition, key.ceiling, polls, now)
            polls = [(at, one) for at, one in polls if isinstance(one, Reading)]
        return self._is_held(condition, polls, now, upward=key.upward)

    # time

    def _masks(self) -> list[tuple[int, int]]:
        masks = [(one.at, one.until) for one in self._seen if isinstance(one, Masked)]
        readings = [one for one in self._seen if isinstance(one, Reading)]
        for before, one in pairwise([None, *readings]):
            if one and one.started_at is not None and (before is None or before.process != one.process):
                masks.append((one.at, min(one.started_at, one.at) + self._policy.evidence.warm_up))
        return [(begun, until) for begun, until in masks if until > begun]

    def _polls(self, condition: Condition) -> tuple[list[tuple[int, Reading | Missed]], int]:
        """What was seen outside the masks since the tier changed, and the present, on the clock of the condition's windows."""
        is_of_memory = condition.metric.name in MEMORY
        masks = [] if is_of_memory else self._masks()

        def clock(at: int) -> int:
            edges = sorted({at, *(edge for mask in masks for edge in mask if edge < at)})
            return at - sum(
                later - edge for edge, later in pairwise(edges) if any(begun <= edge < until for begun, until in masks)
            )

        since = self._tier_since()
        return [
            (clock(one.at), one)
            for place, one in enumerate(self._seen[since:], since)
            if isinstance(one, Reading if is_of_memory else Reading | Missed)
            and (is_of_memory or place not in self._masked)
        ], clock(self.newest)

    def _tier_since(self) -> int:
        changes = [(place, one) for place, one in enumerate(self._seen) if isinstance(one, TierChanged)]
        moves = [place for (_, before), (place, one) in pairwise(changes) if before.tier != one.tier]
        return moves[-1] if moves else 0

    # what is told

    def _is_counted(self, condition: Condition) -> bool:
        name, since = condition.metric.name, 0
        tier: str | None = None
        for place, one in enumerate(self._seen):
            if isinstance(one, TierChanged) and one.tier != tier:
                tier, since = one.tier, place if name in one.spent else since
        count = 0
        for place, one in enumerate(self._seen[since:], since):
            if one.at < self.newest - condition.within:
                continue
            if isinstance(one, Signal) and one.name == name:
                count += max(1, int(one.value))
            elif isinstance(one, Missed) and one.reason is Miss.TIMED_OUT and name == "poll_timeouts":
                count += place not in self._masked
        return condition.op.holds(count, condition.bound)

    def _is_valued(self, condition: Condition) -> bool:
        name = condition.metric.name
        value, at = None, 0
        for place, one in enumerate(self._seen):
            if isinstance(one, Signal) and one.name == name and one.at >= at:
                value, at = one.value, one.at
            elif isinstance(one, Reading) and name in one.gauges and place not in self._masked:
                value, at = one.gauges[name], one.at
        fresh = value is not None and self.newest - at <= self._policy.evidence.business_age
        return fresh and condition.op.holds(value or 0.0, condition.bound)

    # what is judged sample by sample

    def _is_held(
        self, condition: Condition, polls: list[tuple[int, Reading | Missed]], now: int, *, upward: bool
    ) -> bool:
        samples = list(self._samples(condition, polls, upward=upward))
        if not samples or (upward and self._is_thin(condition, polls, now)):
            return False
        if condition.function and self._lacks([one.at for one in samples], condition.over, now, upward=upward):
            return False
        last = samples[-1].at
        if not condition.held:
            return samples[-1].good and now - last <= 2.5 * self._every
        times = [one.at for one in samples]
        if self._lacks(times, condition.held, now, upward=upward, whole=False):
            return False
        if condition.share == 1:
            bad = [place for place, one in enumerate(samples) if not one.good]
            run = samples[bad[-1] + 1 :] if bad else samples
            return bool(run) and last - run[0].at >= condition.held
        inside = max(
            1, condition.held // self._every + 1 - lost(times, last, condition.held - (now - last), self._every)
        )
        allowed = floor((1 - Fraction(str(condition.share))) * inside)
        bad_inside = sum(not one.good for one in samples if one.at >= last - condition.held)
        return last - times[0] >= condition.held and bad_inside <= allowed

    def _samples(
        self, condition: Condition, polls: list[tuple[int, Reading | Missed]], *, upward: bool
    ) -> Iterator[Sample]:
        times: list[int] = []
        values: list[float] = []
        for at, value in self._values(condition, polls, upward=upward):
            times.append(at)
            values.append(value)
            judged = value
            good = condition.op.holds(value, condition.bound)
            if condition.function:
                inside = [kept for when, kept in zip(times, values, strict=True) if when >= at - condition.over]
                if condition.function == "mean" and not condition.metric.over:
                    since = [kept for when, kept in zip(times, values, strict=True) if when > at - condition.over]
                    judged = sum(since) / len(since)
                whole = not self._lacks(times, condition.over, at, upward=upward)
                judged_samples = max(
                    1, condition.over // self._every + 1 - lost(times, at, condition.over, self._every)
                )
                good = whole and _function(condition, inside, judged, judged_samples)
            yield Sample(at, judged, good)

    def _values(
        self, condition: Condition, polls: list[tuple[int, Reading | Missed]], *, upward: bool
    ) -> Iterator[tuple[int, float]]:
        metric = condition.metric
        pooled: list[tuple[int, float, float]] = []
        value: float | None = None
        for at, one in polls:
            least = _least(condition, one, upward=upward)
            told = isinstance(one, Reading) and _told(condition, one)
            if isinstance(one, Reading) and metric.kind is Kind.RATIO and one.stalled and not upward:
                continue
            if told or (least is not None and pooled):
                pooled.append((at, *(_parts(condition, one) if isinstance(one, Reading) else (least or 0.0, 1.0))))
                over, under = _sums(pooled, at - self._rate_window(condition), at)
                value = over / under * metric.scale if under else value
            elif isinstance(one, Reading):
                if metric.name not in one.gauges:
                    continue
                value = one.gauges[metric.name]
            elif least is not None:
                value = least
            elif metric.name == "unreachable" and one.reason.is_unreachable:
                value = 1.0
            else:
                continue
            if value is not None:
                yield at, value

    def _is_thin(self, condition: Condition, polls: list[tuple[int, Reading | Missed]], now: int) -> bool:
        """Fewer requests than are evidence, or none in most of the samples."""
        if condition.metric.under != "requests":
            return False
        rate = self._rate_window(condition)
        window = condition.window or rate
        pooled: list[tuple[int, float, float]] = []
        empty = 0
        for at, one in polls:
            least = _least(condition, one, upward=True)
            if isinstance(one, Reading) and _told(condition, one):
                pooled.append((at, *_parts(condition, one)))
            elif least is not None and pooled:
                pooled.append((at, least, 1.0))
            else:
                continue
            empty += at >= now - window and _sums(pooled, at - rate, at)[1] == 0
        if not pooled:
            return False
        few = _sums(pooled, now - window, now)[1] < self._policy.evidence.min_requests
        return few or bool(condition.held and empty > max(1, condition.held // self._every) * 2 // 3)

    def _is_calm(
        self, condition: Condition, ceiling: float | None, polls: list[tuple[int, Reading | Missed]], now: int
    ) -> bool:
        pooled: list[tuple[int, float, float]] = []
        peaks: list[int] = []
        for at, one in polls:
            if isinstance(one, Reading) and _told(condition, one) and not one.stalled:
                pooled.append((at, *_parts(condition, one)))
                over, under = _sums(pooled, at - self._rate_window(condition), at)
                if ceiling is not None and under >= max(1, self._policy.evidence.min_requests):
                    peaks += [at] if over / under * condition.metric.scale > ceiling else []
        times = [at for at, _, _ in pooled]
        over, under = _sums(pooled, now - condition.held, now)
        calm = not under or condition.op.holds(over / under * condition.metric.scale, condition.bound)
        lacks = self._lacks(times, condition.held, now, upward=False)
        return calm and not lacks and not any(at >= now - condition.held for at in peaks)

    def _rate_window(self, condition: Condition) -> int:
        return condition.over or max(condition.window // 12, 5 * MINUTE, 5 * self._every)

    def _lacks(self, times: Sequence[int], window: int, now: int, *, upward: bool, whole: bool = True) -> bool:
        """Whether the window was not seen well enough (design, Evidence 2 and 3); `whole`: or for not long enough."""
        every = self._every
        polls = max(1, window // every)
        if upward:
            longest = silence = max(window // 4, 2 * every)
        else:
            longest = min(max(3 * every, window // 20), max(30 * MINUTE, 2 * every))
            silence = min(longest, 3 * every)
        if now - times[-1] > silence + every // 2 or (whole and times[-1] - times[0] < window):
            return True
        gaps = (later - max(earlier, now - window) for earlier, later in pairwise(times))
        allowed = max(1, floor(polls * (0.4 if upward else 0.1)))
        return any(gap > longest + every // 2 for gap in gaps) or lost(times, now, window, every) > allowed


def _function(condition: Condition, inside: list[float], mean: float, judged: int) -> bool:
    function, op, bound = condition.function or "", condition.op, condition.bound
    if function == "mean":
        return op.holds(mean, bound)
    if function in {"max", "min"}:
        return op.holds((max if function == "max" else min)(inside), bound)
    past = floor(Fraction(100 - int(function[1:]), 100) * judged) + 1  # so many samples are more than the rest
    good = [op.holds(value, bound) for value in inside]
    return sum(good) >= past if op.is_upward else len(good) - sum(good) < past


def _told(condition: Condition, reading: Reading) -> bool:
    return condition.metric.over in reading.increases and condition.metric.under in reading.increases


def _parts(condition: Condition, reading: Reading) -> tuple[float, float]:
    return reading.increases[condition.metric.over or ""], reading.increases[condition.metric.under or ""]


def _least(condition: Condition, poll: Reading | Missed, *, upward: bool) -> float | None:
    """How long a request took at least, by a poll that timed out, where that is over the bound."""
    metric = condition.metric
    if not isinstance(poll, Missed) or poll.reason is not Miss.TIMED_OUT or not poll.timeout or not upward:
        return None
    is_time = metric.dimension is Dimension.TIME and metric.name.endswith("response_time")
    return poll.timeout / 1000 if is_time and condition.op.holds(poll.timeout / 1000, condition.bound) else None


def _sums(pooled: Sequence[tuple[int, float, float]], since: int, now: int) -> tuple[float, float]:
    inside = [(over, under) for at, over, under in pooled if since < at <= now]
    return sum(over for over, _ in inside), sum(under for _, under in inside)
