"""What a chart of a backtest shows: values and windows over time, in so many buckets that a screen can show them.

Times are ms UTC, values in base units, shares from 0 to 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from autoscaler.core.conditions import Condition
from autoscaler.core.evaluate import Role
from autoscaler.core.guards import Verdict
from autoscaler.core.keys import down_key, up_key
from autoscaler.core.metrics import Metric
from autoscaler.core.policy import Policy, Tier
from autoscaler.core.state import State

BUCKETS = 480


@dataclass(frozen=True, slots=True)
class Point:
    """A bucket of values."""

    at: int
    low: float
    high: float
    last: float


@dataclass(frozen=True, slots=True)
class Bound:
    """What one condition compares the metric with."""

    condition: Condition
    role: Role


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric as its conditions judge it: a ratio is pooled over their rate window."""

    metric: Metric
    bounds: tuple[Bound, ...]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Filling:
    """How full the window of one condition was, bucket by bucket: the most in each; a gap where it did not matter."""

    condition: str
    role: Role
    points: tuple[tuple[int, float], ...]


class Curves:
    """Collects them while a recording is played."""

    def __init__(self, policy: Policy, begun: int, ended: int, every: int) -> None:
        self.step = max(every, -(-(ended - begun) // BUCKETS), 1)
        self._begun = begun
        self._bounds: dict[str, list[Bound]] = {}
        self._judged: dict[str, tuple[Condition, Tier | None]] = {}
        """By which of its conditions a metric is shown: upwards, or else those of a tier's way down."""
        for bound, tier in _bounds(policy):
            name = bound.condition.metric.name
            bounds = self._bounds.setdefault(name, [])
            if all(other.condition.text != bound.condition.text for other in bounds):
                bounds.append(bound)
            if name not in self._judged or (tier is None and self._judged[name][1] is not None):
                self._judged[name] = (bound.condition, tier)
        self._values: dict[str, dict[int, tuple[float, float, float]]] = {name: {} for name in self._judged}
        self._fillings: dict[tuple[str, Role], dict[int, float]] = {}

    def take(self, now: int, state: State, verdict: Verdict, *, seen: bool) -> None:
        """One look; without a reading there is no value."""
        bucket = (now - self._begun) // self.step
        for progress in verdict.progress:
            filled = self._fillings.setdefault((progress.condition, progress.role), {})
            filled[bucket] = max(filled.get(bucket, 0.0), progress.held)
        if not seen or state.is_masked(now):
            return
        for name, (condition, tier) in self._judged.items():
            key = down_key(condition, state.policy, tier, state.patience) if tier else up_key(condition)
            value = state.standing(key, now).value
            if value is not None:
                low, high, _ = self._values[name].get(bucket, (value, value, value))
                self._values[name][bucket] = (min(low, value), max(high, value), value)

    def curves(self) -> tuple[Curve, ...]:
        """Of every metric that was told, in the order of the file."""
        return tuple(
            Curve(
                self._bounds[name][0].condition.metric,
                tuple(self._bounds[name]),
                tuple(Point(self._begun + bucket * self.step, *values) for bucket, values in sorted(points.items())),
            )
            for name, points in self._values.items()
            if points
        )

    def fillings(self) -> tuple[Filling, ...]:
        """Of every condition that mattered at any time."""
        return tuple(
            Filling(
                text, role, tuple((self._begun + bucket * self.step, held) for bucket, held in sorted(points.items()))
            )
            for (text, role), points in self._fillings.items()
        )


def _bounds(policy: Policy) -> Iterator[tuple[Bound, Tier | None]]:
    """Every condition, those of a way down with their tier."""
    for tier in policy.tiers:
        up, down = policy.up_rules(tier), policy.down_rules(tier)
        for condition in up.conditions if up else ():
            yield Bound(condition, Role.UP), None
        for condition in down.conditions if down and policy.neighbour(tier.name, -1) else ():
            yield Bound(condition, Role.DOWN), tier
    for condition in policy.emergency.conditions if policy.emergency else ():
        yield Bound(condition, Role.EMERGENCY), None
    for alert in policy.alerts:
        yield Bound(alert.when, Role.ALERT), None
