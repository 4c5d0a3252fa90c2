"""Why a plan is to change, as the numbers of one chart: the condition that asks, how its metric went, its bound and its window.

`reason_svg` draws it. Times are ms UTC, values in base units.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from autoscaler.core.conditions import STATES, Condition, Op
from autoscaler.core.durations import DAY, NEVER, PATTERN, format_duration, parse_duration
from autoscaler.core.evaluate import Ask, Progress, Role
from autoscaler.core.guards import Verdict
from autoscaler.core.metrics import Dimension, Kind
from autoscaler.core.observations import Missed, Observation, Reading, TierChanged
from autoscaler.core.policy import Policy
from autoscaler.core.recording import cadence
from autoscaler.report.backtests import OFF
from autoscaler.report.text import one_line
from autoscaler.report.trailing import pooled_over, values

MOST_POINTS = 240
"""More a phone can't show, and the chart is stored with its message."""
MOST_STEPS = 12
_FEWEST_POLLS = 20
"""Of a shorter window more is shown: two dots tell nobody how it came to that."""


@dataclass(frozen=True, slots=True)
class Chart:
    """All that the picture shows, and nothing that JSON can't hold."""

    service: str
    origin: str
    target: str
    metric: str
    dimension: Dimension
    rule: str
    """The condition, as the policy has it."""
    role: Role
    op: Op
    bound: float
    points: tuple[tuple[int, float | None], ...]
    """Oldest first; None begins a gap. Of several in a bucket the one that speaks most for going up, so that no peak is lost."""
    steps: tuple[tuple[int, str], ...]
    """From when on which tier ran."""
    window: str
    """How long it is, as the policy writes it; empty for a condition without one."""
    window_begun: int
    """`now` for a condition without a window."""
    begun: int
    now: int


@dataclass(frozen=True, slots=True)
class _Asking:
    """A condition that asks, and how far back its chart goes. Durations in ms."""

    condition: Condition
    role: Role
    window: int
    shown: int
    pooled: int


def reason_chart(
    policy: Policy, verdict: Verdict, observations: Sequence[Observation], tier_changes: Iterable[TierChanged]
) -> Chart | None:
    """The first of the conditions that ask of which there is something to draw; of a down the one nearest to its bound.

    `observations`: in arrival order, from `charted_since` on. None: nothing asks, or what asks has no curve.
    """
    polls = [one.at for one in observations if isinstance(one, Reading | Missed)]
    every = max(policy.every, cadence(polls))
    for asking in _asking(policy, verdict, every):
        if points := _points(asking, observations, verdict.at, every):
            return _chart(asking, verdict, points, tier_changes)
    return None


def charted_since(policy: Policy, verdict: Verdict) -> int | None:
    """From when on `reason_chart` has to know what was seen, ms UTC; None: there will be no chart."""
    asking = _asking(policy, verdict, policy.every)
    return min((verdict.at - one.shown - one.pooled for one in asking), default=None)


def _chart(
    asking: _Asking, verdict: Verdict, points: tuple[tuple[int, float | None], ...], tier_changes: Iterable[TierChanged]
) -> Chart:
    condition, begun = asking.condition, verdict.at - asking.shown
    return Chart(
        service=one_line(verdict.service),
        origin=one_line(verdict.tier or OFF),
        target=one_line(verdict.target or "?"),
        metric=condition.metric.name,
        dimension=condition.metric.dimension,
        rule=one_line(condition.text),
        role=asking.role,
        op=condition.op,
        bound=condition.bound,
        points=points,
        steps=tuple(_steps(tier_changes, begun, verdict))[-MOST_STEPS:],
        window=_written(condition, asking.window),
        window_begun=verdict.at - asking.window,
        begun=begun,
        now=verdict.at,
    )


def _asking(policy: Policy, verdict: Verdict, every: int) -> list[_Asking]:
    """In the order of the sentence that gives the reasons. But for a down all must hold: the nearest to its bound comes first."""
    conditions = {one.text: one for one in policy.conditions() if one.metric.name not in STATES}
    known = [(one, conditions[one.condition]) for one in verdict.reasons if one.condition in conditions]
    if verdict.ask is Ask.DOWN:
        known.sort(key=lambda pair: _distance(*pair))
    return [
        _Asking(
            condition,
            progress.role,
            window := condition.window * progress.patience,
            _shown(condition, window, every),
            pooled_over(condition, policy, every),
        )
        for progress, condition in known
    ]


def _distance(progress: Progress, condition: Condition) -> float:
    return inf if progress.value is None else abs(progress.value - condition.bound) / (condition.bound or 1.0)


def _shown(condition: Condition, window: int, every: int) -> int:
    """The window, and half of it before: how it came to that."""
    return 7 * DAY if condition.metric.kind is Kind.BUSINESS else max(window * 3 // 2, _FEWEST_POLLS * every)


def _written(condition: Condition, window: int) -> str:
    """`48h` rather than `2d`, where the policy says so."""
    if not window:
        return ""
    as_written = (word for word in re.findall(PATTERN, condition.text) if parse_duration(word) == window)
    return next(as_written, format_duration(window).replace(" ", ""))


def _points(
    asking: _Asking, observations: Iterable[Observation], now: int, every: int
) -> tuple[tuple[int, float | None], ...]:
    """The worst value of each bucket, the last one as it is; None where polls are missing between two. Empty: nothing to draw."""
    condition, begun = asking.condition, now - asking.shown
    is_told = condition.metric.kind in {Kind.COUNTED, Kind.BUSINESS}
    longest = NEVER if is_told else 3 * every
    worst = max if (asking.role is Role.DOWN) != condition.op.is_upward else min
    step = -(-asking.shown // (MOST_POINTS - 2))
    points: list[tuple[int, float | None]] = []
    bucket, seen, value = -2, begun, 0.0
    samples = values(condition, asking.pooled, observations, now, hears_timeouts=asking.role is not Role.DOWN)
    for at, value in samples:
        if at < begun:
            continue
        before, bucket = bucket, (at - begun) // step
        if points and bucket - before > 1 and at - seen > longest:
            points.append((seen, None))
        seen = at
        if bucket == before:
            points[-1] = worst(points[-1], (at, value), key=_value)
        else:
            points.append((at, value))
    if points and points[-1] != (seen, value):
        points.append((seen, value))
    if condition.metric.kind is Kind.COUNTED and not any(map(_value, points)):
        return ()
    return tuple((at, None if value is None else float(f"{value:.6g}")) for at, value in points)  # it is stored


def _value(point: tuple[int, float | None]) -> float:
    return point[1] or 0.0


def _steps(tier_changes: Iterable[TierChanged], begun: int, verdict: Verdict) -> Iterator[tuple[int, str]]:
    """Which tier ran from when on. The first that is known ran before that, too."""
    known = sorted((one for one in tier_changes if one.at <= verdict.at), key=lambda one: one.at)
    name = next((one.tier for one in reversed(known) if one.at <= begun), known[0].tier if known else verdict.tier)
    yield begun, one_line(name or OFF)
    for one in known:
        if one.at > begun and one.tier != name:
            name = one.tier
            yield one.at, one_line(name or OFF)
