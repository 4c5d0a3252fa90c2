"""An app that runs what the live instance runs, under a load that the test sets, and tells of it as the scaling endpoint does.

app = LoadedApp(render, clock, every=10)
app.load = "busy"
"""

from datetime import UTC, datetime

from autoscaler.core.observations import Miss, Missed
from autoscaler.ports import Report
from render_client.sim import ManualClock
from tests.support.crashing import PlainRender

MIB = 1024**2
LOADS = {
    "calm": (2.0, 0.1, 100 * MIB),
    "busy": (10.0, 3.0, 100 * MIB),
    "full": (2.0, 0.1, 500 * MIB),
    "silent": None,
}
"""Requests a second, their response time in seconds, memory."""
LIMITS = {"starter": 512 * MIB, "standard": 2048 * MIB, "pro": 4096 * MIB}
"""Of memory; of any larger plan 8 GB."""


class LoadedApp:
    """ports.HealthPort."""

    def __init__(self, render: PlainRender, clock: ManualClock, every: int) -> None:
        """`every`: seconds between polls."""
        self.load = "calm"
        self._render, self._clock, self._every = render, clock, every
        self._requests = self._seconds = 0.0

    async def fetch(self, health: object) -> Report | Missed:
        now, load, serving = self._clock.now(), LOADS[self.load], self._render.service.serving()
        if load is None or not serving:
            return Missed(now, Miss.REFUSED, "connection refused")
        rate, seconds, memory = load
        self._requests += rate * self._every
        self._seconds += rate * self._every * seconds
        newest = serving[-1]
        limit = LIMITS.get(newest.snapshot.plan, 8192 * MIB)
        body = {
            "timestamp": _iso(now),
            "current_metrics": {"concurrent_requests": 1},
            "instance": {"id": newest.id, "started_at": _iso(newest.created_at)},
            "counters": {
                "requests_total": self._requests,
                "errors_total": 0,
                "response_seconds_total": self._seconds,
            },
            "resources": {"memory_used_bytes": min(memory, limit), "memory_limit_bytes": limit},
        }
        return Report(now, 0.01, body)


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()
