"""How a metric went over a window, from the samples that were stored: a few buckets, drawn as a sparkline."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import DAY
from autoscaler.core.metrics import Kind, Metric
from autoscaler.core.observations import Miss, Missed, Observation, Reading, Signal

COLUMNS = 12
"""Buckets of a trend: what a narrow terminal has room for."""
_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.:-=+*#"
_GAP = "·"


@dataclass(frozen=True, slots=True)
class Trend:
    """One value a bucket, oldest first, in the metric's base unit; None where nothing was seen."""

    span: int
    """How much time all buckets are, ms."""
    values: tuple[float | None, ...]
    bound: float
    """What the condition compares with: the height of the picture."""


def span(condition: Condition, every: int) -> int:
    """How far back the trend of a condition goes, ms: its window, but never finer than a poll a bucket; a business value's a week."""
    return 7 * DAY if condition.metric.kind is Kind.BUSINESS else max(condition.window, COLUMNS * every)


def trend(condition: Condition, observations: Iterable[Observation], now: int, every: int) -> Trend:
    """How the condition's metric went until `now`.

    A gauge's bucket is its mean, a ratio's is pooled, a counted signal's is how many came.
    """
    business = condition.metric.kind is Kind.BUSINESS
    length = span(condition, every)
    begin = now - length
    buckets: list[list[tuple[float, float]]] = [[] for _ in range(COLUMNS)]
    for observation in observations:
        if begin < observation.at <= now:
            place = min(COLUMNS - 1, (observation.at - begin) * COLUMNS // length)
            buckets[place] += parts_of(condition.metric, observation)
    values = [_value(condition.metric, bucket) for bucket in buckets]
    return Trend(length, tuple(_carried(values) if business else values), condition.bound)


def parts_of(metric: Metric, observation: Observation) -> Iterator[tuple[float, float]]:
    """What one observation adds above and below the line of a fraction."""
    match observation:
        case Reading():
            over = observation.increases.get(metric.over or "")
            under = observation.increases.get(metric.under or "")
            if over is not None and under is not None:
                yield over * metric.scale, under
            elif (gauge := observation.gauges.get(metric.name)) is not None:
                yield gauge, 1.0
            elif metric.kind is Kind.COUNTED:
                yield 0.0, 0.0
        case Signal() if observation.name == metric.name:
            yield observation.value, 1.0
        case Missed() if metric.name == "poll_timeouts":
            yield float(observation.reason is Miss.TIMED_OUT), 1.0
        case Missed() if metric.name == "unreachable" and observation.reason.is_unreachable:
            yield 1.0, 1.0


def _value(metric: Metric, parts: list[tuple[float, float]]) -> float | None:
    if not parts:
        return None
    if metric.kind is Kind.BUSINESS:
        return _finite(parts[-1][0])
    over, under = (sum(column) for column in zip(*parts, strict=True))
    if metric.kind is Kind.COUNTED:
        return _finite(over)
    return _finite(over / under) if under > 0 else None


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _carried(values: list[float | None]) -> Iterator[float | None]:
    """A business value holds until it is replaced."""
    last: float | None = None
    for value in values:
        last = last if value is None else value
        yield last


def sparkline(trend: Trend, *, ascii_only: bool = False) -> str:
    """`▂▃▅▆·█`: from nothing to the bound, or to the highest value where that is more, so that its height says how near it is."""
    top = max([value for value in trend.values if value is not None] + [trend.bound])
    bars, gap = (_ASCII_BARS, " ") if ascii_only else (_BARS, _GAP)
    return "".join(gap if value is None else bars[_height(value, top, len(bars))] for value in trend.values)


def _height(value: float, top: float, bars: int) -> int:
    return min(bars - 1, int(value / top * bars)) if top > 0 and value > 0 else 0
