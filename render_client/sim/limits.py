"""Render's rate limits: fixed windows of one clock minute, counted per key; some writes also share one per service."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from render_client.sim.spec import Limits

_MINUTE = 60_000
READS_PER_MINUTE = 400
WRITES_PER_SERVICE_AND_MINUTE = 10

# PATCH of the service, deploys, suspend and resume are documented to share one limit; scale was recorded to.
PER_SERVICE = frozenset({"update_service", "create_deploy", "scale_service", "suspend_service", "resume_service"})


@dataclass(frozen=True, slots=True)
class Usage:
    """What is left of a limit after a call; `reset` is in seconds, to the end of the window."""

    limit: int
    remaining: int
    reset: int
    refused: bool

    def headers(self) -> Mapping[str, str]:
        """The headers that tell the caller."""
        headers = {
            "Ratelimit-Limit": str(self.limit),
            "Ratelimit-Remaining": str(self.remaining),
            "Ratelimit-Reset": str(self.reset),
        }
        if self.refused:
            headers["Retry-After"] = str(self.reset)
        return MappingProxyType(headers)


class RateLimiter:
    """Counts calls in the current minute; what was counted in an older one is forgotten."""

    def __init__(self, settings: Limits) -> None:
        self.settings = settings
        self._minute = -1
        self._counts: dict[str, int] = {}

    def use(self, method: str, operation: str, service_id: str, now: int, *, count: bool = True) -> Usage:
        """Count one call and say what is left. `count=False` only looks, for calls that failed before they counted."""
        minute = now // _MINUTE
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()
        group, full = self._group(method, operation, service_id)
        limit = max(1, round(full * self.settings.scale))
        used = self._counts.get(group, 0)
        refused = count and self.settings.enabled and used >= limit
        if count and not refused:
            used += 1
            self._counts[group] = used
        remaining = max(0, limit - used)
        reset = -(-((minute + 1) * _MINUTE - now) // 1000)
        return Usage(limit, remaining, reset, refused)

    def _group(self, method: str, operation: str, service_id: str) -> tuple[str, int]:
        if operation in PER_SERVICE:
            return service_id, WRITES_PER_SERVICE_AND_MINUTE
        if method == "GET":
            return "reads", READS_PER_MINUTE
        return "writes", self.settings.writes
