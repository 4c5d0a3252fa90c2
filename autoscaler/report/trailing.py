"""What a condition is judged by at each observation: samples put together over a trailing time, as the core does it.

Not a second judgement: masks and several instances are not told apart here. It is for the eye.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite

from autoscaler.core.conditions import Condition
from autoscaler.core.metrics import Kind
from autoscaler.core.observations import Miss, Missed, Observation, Reading, Signal, TierChanged
from autoscaler.core.policy import Policy
from autoscaler.core.ratio import rate_window
from autoscaler.report.trends import parts_of

_TOLD = frozenset({Kind.COUNTED, Kind.BUSINESS})
_NOTHING = 1e-9
"""What is left of a sum of floats once everything was taken away from it."""


def pooled_over(condition: Condition, policy: Policy, every: int) -> int:
    """Over how much time its samples are put together, ms; 0: each poll is one by itself."""
    if condition.metric.kind is Kind.RATIO:
        return rate_window(condition, policy.evidence, every)
    return condition.within or (condition.over if condition.function == "mean" else 0)


def values(
    condition: Condition, pooled: int, observations: Iterable[Observation], now: int, *, hears_timeouts: bool
) -> Iterator[tuple[int, float]]:
    """When, and the value then, of each observation that says anything of it; of what people or the app count, at `now` as well.

    `hears_timeouts`: whether a poll that timed out is evidence, as it is upwards.
    """
    trailing = _Trailing(condition, pooled, hears_timeouts=hears_timeouts)
    for observation in observations:
        if observation.at <= now and (value := trailing.take(observation)) is not None and isfinite(value):
            yield observation.at, value
    if condition.metric.kind in _TOLD and (value := trailing.as_of(now)) is not None:
        yield now, value


class _Trailing:
    """The samples of the trailing time, and their sums."""

    def __init__(self, condition: Condition, pooled: int, *, hears_timeouts: bool) -> None:
        self._condition, self._metric, self._pooled = condition, condition.metric, pooled
        self._hears_timeouts = hears_timeouts and condition.metric.name.endswith("response_time")
        self._kept: deque[tuple[int, float, float, str | None]] = deque()
        """When, what is above and below the line of the fraction, and who told it."""
        self._over = self._under = 0.0
        self._last: float | None = None

    def take(self, observation: Observation) -> float | None:
        """The value after one more, in arrival order; None where that says nothing of it."""
        parts = [*parts_of(self._metric, observation), *self._timed_out(observation)]
        if self._metric.kind is Kind.COUNTED:
            self._count(observation, parts)
        elif self._metric.kind is Kind.BUSINESS:
            self._last = parts[-1][0] if parts else self._last
        elif not parts:
            return None
        elif self._is_alone(observation):
            return parts[0][0] / parts[0][1] if parts[0][1] > 0 else None
        else:
            self._add(observation.at, *parts[0])
        return self.as_of(observation.at)

    def as_of(self, now: int) -> float | None:
        """The value once what is too old is left out."""
        if self._metric.kind is Kind.BUSINESS:
            return self._last
        is_counted = self._metric.kind is Kind.COUNTED
        oldest = now - self._pooled + (not is_counted)  # a signal at the very edge still counts
        while self._kept and self._kept[0][0] < oldest:
            _, over, under, _ = self._kept.popleft()
            self._over, self._under = self._over - over, self._under - under
        if is_counted:
            return self._over
        return self._over / self._under if self._under > _NOTHING else None

    def _is_alone(self, observation: Observation) -> bool:
        """Whether it is no part of a sum: a gauge's, and of an endpoint that gives only its own averages."""
        is_average = isinstance(observation, Reading) and self._metric.under not in observation.increases
        return not self._pooled or (self._metric.kind is Kind.RATIO and is_average)

    def _add(self, at: int, over: float, under: float, who: str | None = None) -> None:
        self._kept.append((at, over, under, who))
        self._over, self._under = self._over + over, self._under + under

    def _count(self, observation: Observation, parts: Sequence[tuple[float, float]]) -> None:
        """What an up has spent is gone; the same person twice is one."""
        name = self._metric.name
        who = observation.who if isinstance(observation, Signal) and observation.name == name else None
        if isinstance(observation, TierChanged) and name in observation.spent:
            self._keep(())
        elif who is not None:
            self._keep([one for one in self._kept if one[3] != who])
        for over, under in parts:
            if over:
                self._add(observation.at, over, under, who)

    def _keep(self, left: Iterable[tuple[int, float, float, str | None]]) -> None:
        self._kept.clear()
        self._over = self._under = 0.0
        for one in left:
            self._add(*one)

    def _timed_out(self, observation: Observation) -> Iterator[tuple[float, float]]:
        """A request that took at least so long, where that is past the bound."""
        if self._hears_timeouts and isinstance(observation, Missed) and observation.reason is Miss.TIMED_OUT:
            least = (observation.timeout or 0) / 1000
            if self._condition.op.holds(least, self._condition.bound):
                yield least, 1.0
