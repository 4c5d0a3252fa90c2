"""Before and after a change, in words."""

from types import MappingProxyType

from autoscaler.core.comparison import Difference
from autoscaler.core.metrics import METRICS
from autoscaler.core.values import format_value

_LIKE = MappingProxyType(
    {
        "response time": "avg_response_time",
        "error rate": "error_rate",
        "memory at most": "memory_usage",
        "of its limit": "memory_percent",
        "CPU": "cpu_percent",
    }
)
"""The metric whose unit a number has; the others are plain."""


def rows(differences: tuple[Difference, ...]) -> tuple[tuple[str, str], ...]:
    """Label and `9.4s → 2.1s, better` pairs."""
    return tuple((one.name[:1].upper() + one.name[1:], _row(one)) for one in differences)


def _row(one: Difference) -> str:
    values = " → ".join(_value(one.name, value) for value in (one.before, one.after))
    return f"{values}, {one.verdict}" if one.verdict else values


def _value(name: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    like = _LIKE.get(name)
    return f"{value:.3g}" if like is None else format_value(METRICS[like], value)
