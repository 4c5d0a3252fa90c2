"""The seed's scaling recommendation, over time instead of over the last ten polls.

It is advice for a person who looks at the endpoint; the bot judges its own, longer windows.
"""

import math

from app_core.ledger import QUARTER_HOUR
from app_core.profiles import ScalingConfig
from app_core.resources import Limits
from app_core.view import View

_MIB = 1 << 20
_SLOW = 8.0  # seconds
_FAILING = 5.0  # per cent
_LEAST_REQUESTS = 20  # fewer say nothing about a mean or a rate
_CONSISTENTLY = 0.8  # share of the window's slices; the seed says "consistently"
# The seed's bounds are those of its first instance: over 10 requests where 8 may run, over 400 MB of 512.
_CONCURRENT, _PER_PLACE = 10, 10 / 8
_MEMORY_MB, _MEMORY_SHARE = 400.0, 400 / 512


def recommend(view: View, config: ScalingConfig, limits: Limits, uptime: float) -> dict[str, object]:
    """Whether the last quarter of an hour asks for a bigger instance, and why.

    Args:
        view: what was counted.
        config: the settings in force.
        limits: of the instance.
        uptime: seconds since the instance started.
    """
    seen = view.statistics(QUARTER_HOUR)
    memory = view.mean_memory(QUARTER_HOUR)
    memory_mb = None if memory is None else memory / _MIB
    error_rate = 100 * seen.errors / seen.requests if seen.requests else None
    peaks = view.peaks(QUARTER_HOUR)
    metrics = {
        "avg_response_time": seen.mean,
        "peak_concurrent": max(peaks),
        "avg_memory_mb": memory_mb,
        "error_rate_percent": error_rate,
        "total_requests": view.requests,
    }
    if uptime < seen.seconds:
        return {"should_scale": False, "triggers": [], "reason": "Insufficient data", "metrics": metrics}
    enough = seen.requests >= _LEAST_REQUESTS
    triggers = []
    if enough and seen.mean is not None and seen.mean > _SLOW:
        triggers.append(f"High response time: {seen.mean:.1f}s")
    steady = _steady(peaks)
    if steady > (_PER_PLACE * config.max_concurrent or _CONCURRENT):
        triggers.append(f"High concurrency: {steady} users")
    memory_bound = _MEMORY_MB if limits.memory_bytes is None else _MEMORY_SHARE * limits.memory_bytes / _MIB
    if memory_mb is not None and memory_mb > memory_bound:
        triggers.append(f"High memory usage: {memory_mb:.0f}MB")
    if enough and error_rate is not None and error_rate > _FAILING:
        triggers.append(f"High error rate: {error_rate:.1f}%")
    return {"should_scale": bool(triggers), "triggers": triggers, "metrics": metrics}


def _steady(peaks: list[int]) -> int:
    """The concurrency that was reached in most slices: one burst does not make it."""
    return sorted(peaks, reverse=True)[math.ceil(_CONSISTENTLY * len(peaks)) - 1]
